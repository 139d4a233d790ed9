"""Whether two kinds of calls can be told apart by their times: a test on the median of paired ratios.

Calls are made in pairs, one of each kind, in turns. Of each pair the logarithm of the ratio of both times is taken;
were the kinds alike, its median would be 0. The confidence interval of a median by order statistics (the sign test's)
assumes nothing about how times are distributed, and one slow call weighs no more than another. At `Z` = 4.5 a pair of
kinds that are alike is called different once in 150,000 runs, however busy the machine; a difference of `TOLD` is seen
as soon as the interval is narrower than that, and a run says when it is.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

Z = 4.5
TOLD = math.log(1.05)
"""A systematic difference of one in twenty."""
IGNORED = math.log(1.02)
"""Below this it is not called one: a counter in a branch is no oracle over a network."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The median of the logarithms, and the interval that holds the true one."""

    median: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the two can be told apart."""
        return (self.low > 0 or self.high < 0) and abs(self.median) > IGNORED

    @property
    def is_sharp(self) -> bool:
        """Whether a difference of `TOLD` more, either way, would have been seen."""
        return self.low > -TOLD and self.high < TOLD


def compare(first: list[float], second: list[float]) -> Comparison:
    """Times of the two kinds, pair by pair."""
    ratios = sorted(math.log(one / two) for one, two in zip(first, second, strict=True))
    reach = Z * math.sqrt(len(ratios)) / 2
    low, high = math.floor(len(ratios) / 2 - reach), math.ceil(len(ratios) / 2 + reach)
    inside = len(ratios) - 1
    return Comparison(statistics.median(ratios), ratios[max(low, 0)], ratios[min(high, inside)])
