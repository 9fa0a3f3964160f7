"""workloads.py - what is handed over, and how it is measured.

A workload is a function of a contender's class, a directory, an authority and the seconds that it
may take; it returns figures by name. FIGURES says which of them are compared, and how.
"""

import os
import time

SMALL, WHOLE, MIDDLE = 256, 256 * 1024, 1024
BACKLOG = 200000

# Not yet completed: so many times the window, so that a slow target throttles its source.
IN_FLIGHT_WINDOWS = 4


def flow(contender, seconds, size, window, records=1):
    """From source to PROCESSED."""
    in_flight = 1 if window == 1 else IN_FLIGHT_WINDOWS * window
    return numbers(contender.load(bytes=size, records=records, window=window,
                                  in_flight=in_flight, seconds=seconds))


def numbers(figures):
    return {name: [int(us) for us in value.split(",")] if "," in value else float(value)
            for name, value in figures.items()}


class Fresh:
    """A contender on an empty store, for the length of a with."""

    def __init__(self, contender, directory, authority, **options):
        self.contender = contender(os.path.join(directory, contender.name), authority, **options)

    def __enter__(self):
        return self.contender.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.contender.stop()
        else:
            self.contender.kill()


def w1(contender, directory, authority, seconds):
    with Fresh(contender, directory, authority) as c:
        return flow(c, seconds, SMALL, 256)


def w1r(contender, directory, authority, seconds):
    """A thousand records of 256 bytes: one batch, or a thousand messages of a broker of those."""
    with Fresh(contender, directory, authority) as c:
        if c.name == "handoff":
            return flow(c, seconds, 1000 * SMALL, 16, records=1000)
        return flow(c, seconds, SMALL, 256)


def w2(contender, directory, authority, seconds):
    with Fresh(contender, directory, authority) as c:
        return flow(c, seconds, WHOLE, 16)


def w3(contender, directory, authority, seconds):
    with Fresh(contender, directory, authority) as c:
        return flow(c, seconds, MIDDLE, 1)


def w4(contender, directory, authority, _, backlog=BACKLOG):
    """Publish with no target; what that costs in memory; from a restart to a delivery; drain."""
    with Fresh(contender, directory, authority) as c:
        begun = c.load(phase="publish", bytes=MIDDLE, window=256, in_flight=256,
                       handoffs=backlog)
        own_kb = float(begun["broker_own_kb"])
        c.kill()
        begun_us = time.monotonic_ns() // 1000
        c.start()
        drained = c.load(phase="drain", bytes=MIDDLE, in_flight=1024, handoffs=backlog)
        return {"publish_per_second": float(begun["per_second"]),
                "drain_per_second": float(drained["per_second"]),
                "backlog_own_mb": own_kb / 1000,
                "first_delivery_ms": (float(drained["first_us"]) - begun_us) / 1000}


WORKLOADS = {"W1": w1, "W1r": w1r, "W2": w2, "W3": w3, "W4": w4}

# workload, figure, how it is called, decimals, the ratio that is asked for and whether it is a most
FIGURES = (
    ("W1", "per_second", "handoffs/s", 0, 1.5, False),
    ("W1", "received_p99_us", "RECEIVED p99 us", 0, None, True),
    ("W1", "processed_p99_us", "PROCESSED p99 us", 0, None, True),
    ("W1r", "records_per_second", "records/s", 0, 12, False),
    ("W2", "mb_per_second", "MB/s", 1, 2, False),
    ("W3", "received_p50_us", "RECEIVED p50 us", 0, 1.2, True),
    ("W3", "received_p99_us", "RECEIVED p99 us", 0, 1.2, True),
    ("W3", "processed_p50_us", "PROCESSED p50 us", 0, 1.4, True),
    ("W3", "processed_p99_us", "PROCESSED p99 us", 0, 1.4, True),
    ("W4", "publish_per_second", "published/s", 0, 1.5, False),
    ("W4", "drain_per_second", "drained/s", 0, 1, False),
    ("W4", "backlog_own_mb", "own memory MB", 1, None, True),
    ("W4", "first_delivery_ms", "restart ms", 0, None, True),
)
