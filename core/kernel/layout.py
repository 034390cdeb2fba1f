"""The kinds of rows that the store writes, the generator makes and the kernel replays."""

from __future__ import annotations

from typing import Final

BID: Final = 1
"""Absolute quantity at a bid level; 0 removes it."""
ASK: Final = 2
"""Absolute quantity at an ask level; 0 removes it."""
BUY: Final = 3
"""A trade whose aggressor bought."""
SELL: Final = 4
"""A trade whose aggressor sold."""
CLEAR: Final = 5
"""Both sides emptied: a gap in the feed, or the line before a snapshot."""
CLEAR_BID: Final = 6
"""Bids cleared from the best down to and including the row's price."""
CLEAR_ASK: Final = 7
"""Asks cleared from the best up to and including the row's price."""
