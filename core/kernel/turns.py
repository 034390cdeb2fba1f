"""Turns that market frames alone cause at a place, between the messages that anyone hears of.

A place that is free begins a turn with the frame that arrives and is busy for `frame_ns` a frame; frames that arrive meanwhile
wait and make the next turn together. A frame is what arrives at one time, however many rows it has.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def frames_between(ns: NDArray[Any], row: int, stop: int) -> int:
    """How many frames rows [row, stop) are; `row` begins a frame. `ns` is sorted, int64."""
    count = 0
    for k in range(row, stop):
        count += k == row or ns[k] != ns[k - 1]
    return count


@njit(cache=True)
def settle_frames(ns: NDArray[Any], row: int, stop: int, free_at: int, frame_ns: int, until: int) -> tuple[int, int]:
    """Run the turns that rows [row, stop) begin before `until` at a place free at `free_at`; returns (next row, free at)."""
    while row < stop:
        begin = max(free_at, ns[row])
        if begin >= until:
            break
        frames, last = 0, -1
        while row < stop and ns[row] <= begin:
            if ns[row] != last:
                frames += 1
                last = ns[row]
            row += 1
        free_at = begin + frames * frame_ns
    return row, free_at
