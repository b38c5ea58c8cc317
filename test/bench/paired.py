"""What pairs of measurements say of a ratio: Wilcoxon's signed-rank interval.

Each round measures both sides one shortly after the other, so what slows the machine for a while
slows both, and only the ratio within a round is looked at. The logarithms of the ratios are taken
to lie symmetrically about the logarithm of the true ratio, and nothing else is taken for granted: a
round that somebody else's work has spoilt is one outlier more, where it would pull and widen an
interval of Student's t. The estimate is that of Hodges and Lehmann, the median of the means of all
pairs of rounds (each with itself as well); the interval goes from one of these means in order of
size to its mirror image, as far out as the exact distribution of the signed-rank sum demands.
"""

import collections
import math
import statistics

CONFIDENCE = 0.95

Ratio = collections.namedtuple("Ratio", "low estimate high")


def sums_count(n):
    """[k]: how many subsets of the ranks 1 to n have the sum k."""
    count = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(len(count) - 1, rank - 1, -1):
            count[total] += count[total - rank]
    return count


def critical_sum(n, confidence=CONFIDENCE):
    """The largest signed-rank sum that is too small for chance; -1 where n is too small for any."""
    tail_max = (1 - confidence) / 2
    tail = 0
    for total, count in enumerate(sums_count(n)):
        tail += count
        if tail / 2**n > tail_max:
            return total - 1
    raise ValueError(f"no such confidence: {confidence}")


def paired_ratio(old, new, confidence=CONFIDENCE):
    """The ratio new / old of paired positive measurements, with its interval."""
    if len(old) != len(new):
        raise ValueError(f"{len(old)} old values, but {len(new)} new ones")
    skip = critical_sum(len(old), confidence)
    if skip < 0:
        raise ValueError(f"{len(old)} pairs are too few for an interval of {confidence:.0%}")
    logs = [math.log(b / a) for a, b in zip(old, new)]
    means = sorted((x + y) / 2 for i, x in enumerate(logs) for y in logs[i:])
    return Ratio(*(math.exp(x) for x in (means[skip], statistics.median(means), means[-1 - skip])))


def is_met(ratio, bound):
    """Whether the ratio may be at least the bound: the measurements do not contradict it."""
    return ratio.high >= bound
