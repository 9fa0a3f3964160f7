"""test_soak.py - load and faults, for a while: nothing grows (reliability.md 3.9)."""

import random
import unittest

from case import Case

from rounds import randomness, rounds
from slopes import Series
from soaking import soak


class Soak(Case):
    time_limit_seconds = 5000

    def test_nothing_grows_under_load_and_faults(self):
        lines, growing = soak(self, rounds(50, 3600), randomness("soak"))
        print("\n".join(lines))
        self.assertFalse(growing, "\n".join(lines))


class Slopes(unittest.TestCase):
    """The judge itself: noise is no growth, a leak in it is."""

    def judged(self, per_sample):
        noise = random.Random(1)
        series = Series("memory", "MB", 1, 0.25)
        for second in range(60):
            series.add(second, 7 + noise.uniform(-0.5, 0.5) + per_sample * second)
        return series.judge()[1]

    def test_noise_is_no_growth(self):
        self.assertFalse(self.judged(0))

    def test_a_leak_in_noise_is_growth(self):
        self.assertTrue(self.judged(0.03))
