"""Random numbers for generated days: a counter in, a number out, the same bits on every machine.

There is no state: a loop counts and asks for the numbers of its counters. Logarithm and exponential are written out in
additions and multiplications, because those round alike everywhere and a mathematics library's last bit does not: a day that
differs in one lot has another digest.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np

from core.kernel.memory import inlined

CELLS: Final = 4_096
_EDGES = [NormalDist().inv_cdf(k / CELLS) for k in range(1, CELLS)]
_NORMAL = np.round(np.array([-4.5, *_EDGES, 4.5]), 9)
"""Quantiles of the standard normal; between them a straight line, so its tails end at 4.5."""
_LN2: Final = 0.6931471805599453
_PER_LN2: Final = 1.4426950408889634
_POWERS = 2.0 ** np.arange(-64, 65)


@inlined
def mixed(counter: int) -> np.uint64:
    """The counter as 64 well-mixed bits: splitmix64 (Steele, Lea and Flood 2014, figure 17)."""
    z = np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def uniform(counter: int) -> float:
    """In (0, 1)."""
    return (float(mixed(counter) >> np.uint64(12)) + 0.5) * 2.220446049250313e-16


@inlined
def normal(counter: int) -> float:
    """Standard normal, within 4.5."""
    place = uniform(counter) * CELLS
    cell = int(place)
    low: float = _NORMAL[cell]
    step: float = _NORMAL[cell + 1] - low
    return low + step * (place - cell)


@inlined
def log(x: float) -> float:
    """Natural logarithm of a positive number: a power of two apart, and the series of 2 artanh((m - 1) / (m + 1))."""
    m, power = math.frexp(x)
    if m < 0.7071067811865476:
        m, power = 2.0 * m, power - 1
    t = (m - 1.0) / (m + 1.0)
    s = t * t
    series = 1.0 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * (1 / 11 + s * (1 / 13))))))
    return 2.0 * t * series + power * _LN2


@inlined
def exp(x: float) -> float:
    """Exponential for |x| < 40: a power of two apart, and Taylor's series of what is left (|r| < 0.35), to 1e-13."""
    power = math.floor(x * _PER_LN2 + 0.5)
    r = x - power * _LN2
    low = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))))
    high = 1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800))))
    cube = r * r * r
    scale: float = _POWERS[int(power) + 64]
    return (low + cube * cube * high) * scale


@inlined
def exponential(counter: int) -> float:
    """Exponential of mean one."""
    return -log(uniform(counter))


@inlined
def lognormal(counter: int, median: float, spread: float) -> float:
    """Lognormal by its median and the standard deviation of its logarithm."""
    return median * exp(spread * normal(counter))
