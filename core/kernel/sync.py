"""The depth procedure of `core.book` for a whole day at once: which events make the book, in which order, and the fold itself.

`plan` reads only the numbers of the events and returns steps: an event's index, or -(index + 1) where the book is lost at
that event. Buffered events that a snapshot brings back stand behind the snapshot in the steps, though before it in the file.

`fold` applies levels to a book whose near part is an array by tick, so that a level costs one store whatever its place, and whose
far part, the odd orders at a hundredth or a hundred times the market, is two sorted columns a side, worst first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.book import APART, APPLIED, GAP, REPEATED
from core.kernel.memory import compiled

_APART, _APPLIED, _REPEATED, _GAP = APART, APPLIED, REPEATED, GAP


@compiled
def _continues(linked: bool, first: int, previous: int, update_id: int) -> bool:
    return previous == update_id if linked else first == update_id + 1


@compiled
def _straddles(linked: bool, first: int, last: int, previous: int, update_id: int) -> bool:
    before = min(first, previous) if linked else first - 1
    return before <= update_id <= last


@compiled
def plan(snapshot: Any, first: Any, last: Any, previous: Any, linked: bool, update_id: int) -> tuple[Any, Any, int]:
    """Steps and verdicts of a day's depth events in capture order, from a book at `update_id` (-1: none).

    Columns: snapshot (whether the event is one), U, u, pu. Returns (steps int64, verdict uint8 an event, the update id of the
    book at the end or -1).
    """
    events = len(first)
    verdict = np.zeros(events, np.uint8)
    steps = np.empty(2 * events, np.int64)
    count = 0
    whole, straddled = update_id >= 0, update_id >= 0
    buffer = 0
    buffered = -1  # u of the newest event in the buffer
    for i in range(events):
        if snapshot[i]:
            if whole:
                verdict[i] = _REPEATED
                continue
            start = buffer
            while start < i and (snapshot[start] or last[start] < last[i]):
                start += 1
            if start < i and not _straddles(linked, first[start], last[start], previous[start], last[i]):
                continue
            verdict[i] = _APPLIED
            steps[count] = i
            count += 1
            whole, straddled, update_id = True, start < i, last[i]
            for k in range(start, i):
                if not snapshot[k]:
                    verdict[k] = _APPLIED
                    steps[count] = k
                    count += 1
                    update_id = last[k]
            continue
        if not whole:
            if buffered >= 0 and not _continues(linked, first[i], previous[i], buffered):
                buffer = i
                verdict[i] = _GAP
            buffered = last[i]
            continue
        if not straddled:
            if last[i] < update_id:
                verdict[i] = _REPEATED
                continue
            good = _straddles(linked, first[i], last[i], previous[i], update_id)
        else:
            good = _continues(linked, first[i], previous[i], update_id)
            if not good and last[i] <= update_id:
                verdict[i] = _REPEATED
                continue
        if good:
            straddled = True
            verdict[i] = _APPLIED
            steps[count] = i
            update_id = last[i]
        else:
            whole = False
            verdict[i] = _GAP
            steps[count] = -(i + 1)
            buffer, buffered = i, last[i]
        count += 1
    return steps[:count], verdict, update_id if whole else -1


@compiled
def _set(price: Any, qty: Any, size: int, sign: int, tick: int, lots: int) -> int:
    """Set one level of a side sorted by sign * price, best last: its new size. sign: +1 bids, -1 asks."""
    rank = sign * tick
    low, high = 0, size
    while low < high:
        middle = (low + high) >> 1
        if sign * price[middle] < rank:
            low = middle + 1
        else:
            high = middle
    found = low < size and price[low] == tick
    if lots == 0:
        if not found:
            return size
        for k in range(low, size - 1):
            price[k] = price[k + 1]
            qty[k] = qty[k + 1]
        return size - 1
    if found:
        qty[low] = lots
        return size
    for k in range(size, low, -1):
        price[k] = price[k - 1]
        qty[k] = qty[k - 1]
    price[low] = tick
    qty[low] = lots
    return size + 1


@compiled
def fold(snapshot: Any, start: Any, bids: Any, asks: Any, tick: Any, lots: Any, book: Any, best: Any) -> int:
    """Apply events in order to a book (near, low, touched, price, qty, size): see `actors.history.folding.Folding`.

    An event's levels are `tick`, `lots` from `start`, `bids` and then `asks` of them; bids -1 means that the book is lost.
    `best` (events, 4) takes the best bid, its lots, the best ask, its lots after each event (0 where a side is empty).
    There must be room in `price` and `qty` for one level more a level given. Returns after how many events the book was crossed.
    """
    near, low, touched, price, qty, size = book
    width = near.shape[1]
    crossed = 0
    for i in range(len(start)):
        if snapshot[i] or bids[i] < 0:
            _forget(near, touched, size)
        at = start[i]
        middle = at + max(bids[i], 0)
        for k in range(at, middle):
            place = tick[k] - low
            if 0 <= place < width:
                near[0, place] = lots[k]
                touched[0, 0] = min(touched[0, 0], place)
                if lots[k] > 0:
                    touched[0, 1] = max(touched[0, 1], place)
            else:
                size[0] = _set(price[0], qty[0], size[0], 1, tick[k], lots[k])
        for k in range(middle, middle + max(asks[i], 0)):
            place = tick[k] - low
            if 0 <= place < width:
                near[1, place] = lots[k]
                touched[1, 1] = max(touched[1, 1], place)
                if lots[k] > 0:
                    touched[1, 0] = min(touched[1, 0], place)
            else:
                size[1] = _set(price[1], qty[1], size[1], -1, tick[k], lots[k])
        bid, ask = touched[0, 1], touched[1, 0]
        while bid >= touched[0, 0] and near[0, bid] == 0:
            bid -= 1
        while ask <= touched[1, 1] and near[1, ask] == 0:
            ask += 1
        touched[0, 1], touched[1, 0] = bid, ask
        best[i, 0] = best[i, 1] = best[i, 2] = best[i, 3] = 0
        if bid >= touched[0, 0]:
            best[i, 0], best[i, 1] = low + bid, near[0, bid]
        if size[0] and (best[i, 1] == 0 or price[0, size[0] - 1] > best[i, 0]):
            best[i, 0], best[i, 1] = price[0, size[0] - 1], qty[0, size[0] - 1]
        if ask <= touched[1, 1]:
            best[i, 2], best[i, 3] = low + ask, near[1, ask]
        if size[1] and (best[i, 3] == 0 or price[1, size[1] - 1] < best[i, 2]):
            best[i, 2], best[i, 3] = price[1, size[1] - 1], qty[1, size[1] - 1]
        if best[i, 1] and best[i, 3] and best[i, 0] >= best[i, 2]:
            crossed += 1
    return crossed


@compiled
def _forget(near: Any, touched: Any, size: Any) -> None:
    """Empty both sides."""
    width = near.shape[1]
    for side in range(2):
        for place in range(touched[side, 0], touched[side, 1] + 1):
            near[side, place] = 0
        touched[side, 0], touched[side, 1] = width, -1
        size[side] = 0
