"""Turns that market frames alone cause at a place, between the messages that anyone hears of.

A place that is free begins a turn with the frame that arrives and is busy for `frame_ns` a frame; frames that arrive meanwhile
wait and make the next turn together. A frame is what arrives at one time, however many rows it has. `times` is the address of
the rows' times: int64, sorted.
"""

from __future__ import annotations

from core.kernel.memory import compiled, i64


@compiled
def frames_between(times: int, row: int, stop: int) -> int:
    """How many frames rows [row, stop) are; `row` begins a frame."""
    count = 0
    for k in range(row, stop):
        count += k == row or i64(times, k) != i64(times, k - 1)
    return count


@compiled
def settle_frames(times: int, row: int, stop: int, free_at: int, frame_ns: int, until: int) -> tuple[int, int]:
    """Run the turns that rows [row, stop) begin before `until` at a place free at `free_at`; returns (next row, free at)."""
    while row < stop:
        begin = max(free_at, i64(times, row))
        if begin >= until:
            break
        frames, last = 0, -1
        while row < stop and i64(times, row) <= begin:
            if i64(times, row) != last:
                frames += 1
                last = i64(times, row)
            row += 1
        free_at = begin + frames * frame_ns
    return row, free_at
