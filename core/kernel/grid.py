"""Decimals as they were read, digits and how many of them are decimals, to whole steps of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.kernel.memory import compiled


@compiled
def to_grid(digits: Any, decimals: Any, step: int, grid_decimals: int) -> tuple[int, int]:
    """Replace digits by grid steps, in place; a step is `step` times 10**-`grid_decimals`.

    Returns (row of the first value that is no whole number of steps or exceeds 63 bits, else -1; the largest value).
    """
    power = np.ones(19, np.int64)
    for i in range(1, 19):
        power[i] = power[i - 1] * 10
    largest = 0
    for i in range(len(digits)):
        shift = grid_decimals - int(decimals[i])
        if shift < 0 or shift > 18:
            return i, largest
        value = digits[i] * power[shift]
        if shift and value // power[shift] != digits[i]:
            return i, largest
        if step != 1:
            if value % step:
                return i, largest
            value //= step
        digits[i] = value
        largest = max(largest, value)
    return -1, largest
