"""gauge.py - what one flush of the disk costs right now, and waiting until that is little."""

import os
import tempfile
import time

QUIET_US = 400
SECONDS = 0.3
PAUSE_SECONDS = 2
TRIES = 6


def flush_us(directory):
    """Microseconds, at the median, of 4 KiB appended and fdatasync()ed."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            os.write(file.fileno(), b"x" * 4096)
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - begun)
    return sorted(times)[len(times) // 2] * 1e6


def wait_for_quiet(directory):
    """Waits for a quiet disk, for at most so many tries; what the last of them found."""
    for left in reversed(range(TRIES)):
        us = flush_us(directory)
        if us < QUIET_US or left == 0:
            return us
        time.sleep(PAUSE_SECONDS)
    return us
