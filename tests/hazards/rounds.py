"""rounds.py - how often: a little in every change's tests, much with HAZARDS=long.

Whatever is random comes from SEED, which the runner prints; HAZARDS_SEED gives it again.
"""

import os
import random

LONG = os.environ.get("HAZARDS") == "long"
SEED = int(os.environ.setdefault("HAZARDS_SEED", str(random.SystemRandom().randrange(2 ** 32))))


def rounds(short, long):
    """`short`, or `long` in the long run."""
    return long if LONG else short


def randomness(name):
    """Of this test alone, so that it does not matter which others run."""
    return random.Random("%d %s" % (SEED, name))
