"""The arithmetic of scripts/bench --against."""

import itertools
import math
import random
import unittest

from paired import Ratio, critical_sum, is_met, paired_ratio, sums_count


def ratio_of_logs(logs, **options):
    return paired_ratio([1000.0] * len(logs), [1000 * math.exp(x) for x in logs], **options)


class Interval(unittest.TestCase):
    def assert_ratio(self, ratio, low, estimate, high):
        for value, wanted in zip(ratio, (low, estimate, high)):
            self.assertAlmostEqual(value, wanted, places=9)

    def test_sums_are_counted_as_by_hand(self):
        for n in range(8):
            sums = [sum(subset) for size in range(n + 1)
                    for subset in itertools.combinations(range(1, n + 1), size)]
            self.assertEqual(sums_count(n), [sums.count(k) for k in range(n * (n + 1) // 2 + 1)])

    def test_critical_sums_are_those_of_the_printed_tables(self):
        table = {5: -1, 6: 0, 8: 3, 10: 8, 15: 25, 20: 52, 21: 58, 25: 89, 30: 137}
        for n, wanted in table.items():
            self.assertEqual(critical_sum(n), wanted, n)

    def test_published_example(self):
        # Hollander and Wolfe, Nonparametric Statistical Methods, on nine patients' depression.
        before = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
        after = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
        ratio = paired_ratio([math.exp(x) for x in before], [math.exp(x) for x in after])
        self.assert_ratio(ratio, math.exp(-0.786), math.exp(-0.46), math.exp(-0.010))

    def test_of_six_pairs_it_is_the_whole_range(self):
        self.assert_ratio(ratio_of_logs([-0.3, 0.1, 0.0, 0.2, -0.1, 0.3]),
                          math.exp(-0.3), math.exp(0.05), math.exp(0.3))

    def test_what_slows_a_whole_round_cancels(self):
        old = [1000.0 / (1 + i % 5) for i in range(21)]
        self.assert_ratio(paired_ratio(old, [0.9 * rate for rate in old]), 0.9, 0.9, 0.9)

    def test_sides_changed_over_give_the_inverse(self):
        chance = random.Random(1)
        old = [chance.uniform(500, 1500) for _ in range(21)]
        new = [chance.uniform(500, 1500) for _ in range(21)]
        low, estimate, high = paired_ratio(old, new)
        self.assert_ratio(paired_ratio(new, old), 1 / high, 1 / estimate, 1 / low)

    def test_a_spoilt_round_carries_no_weight(self):
        logs = [0.001 * i for i in range(-10, 11)]
        self.assertLess(ratio_of_logs([*logs[:-1], 5.0]).high, 1.01)
        self.assertGreater(ratio_of_logs([-5.0, *logs[1:]]).low, 0.99)

    def test_it_holds_the_truth_as_often_as_it_says(self):
        chance = random.Random(2)
        held = 0
        for _ in range(2000):
            # Now and then a round is much worse, on either side.
            logs = [0.05 + chance.gauss(0, 0.3 if chance.random() < 0.1 else 0.02)
                    for _ in range(21)]
            ratio = ratio_of_logs(logs)
            held += ratio.low <= math.exp(0.05) <= ratio.high
        self.assertGreater(held, 0.94 * 2000)
        self.assertLess(held, 0.965 * 2000)

    def test_too_few_or_unequal_sides_are_refused(self):
        with self.assertRaisesRegex(ValueError, "5 pairs are too few"):
            ratio_of_logs([0.0] * 5)
        with self.assertRaisesRegex(ValueError, "6 old values, but 7 new"):
            paired_ratio([1.0] * 6, [1.0] * 7)


class Bound(unittest.TestCase):
    def test_the_upper_end_decides(self):
        self.assertTrue(is_met(Ratio(0.9, 0.95, 0.98), 0.98))
        self.assertFalse(is_met(Ratio(0.9, 0.95, 0.9799), 0.98))


if __name__ == "__main__":
    unittest.main()
