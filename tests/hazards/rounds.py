"""rounds.py - how often: a little in every change's tests, much with HAZARDS=long.

Whatever is random comes from HAZARDS_SEED, which is printed where it was not given.
"""

import os
import random

LONG = os.environ.get("HAZARDS") == "long"
if "HAZARDS_SEED" not in os.environ:
    os.environ["HAZARDS_SEED"] = str(random.SystemRandom().randrange(2 ** 32))
    print("HAZARDS_SEED=" + os.environ["HAZARDS_SEED"], flush=True)
SEED = int(os.environ["HAZARDS_SEED"])


def rounds(short, long):
    """`short`, or `long` in the long run."""
    return long if LONG else short


def randomness(name):
    """Of this test alone, so that it does not matter which others run."""
    return random.Random("%d %s" % (SEED, name))
