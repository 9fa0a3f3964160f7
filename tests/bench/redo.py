"""redo.py - what a redo log below the store would give a lone batch: measured, not built.

A commit of LMDB writes the pages that the turn has changed, flushes them, and writes its meta page
through a descriptor that flushes with each write. A redo log would write the batch and what is to
be done with it to the end of a file that is already there, flush once, and leave LMDB's commit for
a time when nobody waits. Both are done here in turn, with the bytes and calls of the real ones, on
the disk of TMPDIR; the broker's own times of the same minute are beside them.
"""

import os
import time

from contenders import Handoff
from table import median
from workloads import MIDDLE, flow

PAGE = 4096
PAGES_OF_A_COMMIT = 10      # strace -e pwrite64,writev: with one in flight, BUDGET.md
META_BYTES = 120            # what LMDB writes of its meta page
LOG_BYTES = 2 * MIDDLE      # the batch, and some hundred bytes for each table
FILE_BYTES = 64 * 1024 * 1024
COMMITS = 2000


def preallocated(path, flags=0):
    """A file whose blocks are there and written, as the store's and a log's are."""
    with open(path, "wb") as file:
        for _ in range(FILE_BYTES // (1 << 20)):
            file.write(b"\0" * (1 << 20))
        os.fsync(file.fileno())
    return os.open(path, os.O_RDWR | flags)


class Commit:
    """As LMDB: pages here and there, a flush, the meta page with another."""

    def __init__(self, path):
        self.file = preallocated(path)
        self.meta = os.open(path, os.O_RDWR | os.O_DSYNC)
        self.at = 0

    def run(self):
        for _ in range(PAGES_OF_A_COMMIT):
            self.at = (self.at + 3 * PAGE) % FILE_BYTES
            os.pwrite(self.file, b"\1" * PAGE, self.at)
        os.fdatasync(self.file)
        os.pwrite(self.meta, b"\1" * META_BYTES, 0)


class Log:
    """As a redo log: one write behind the other, a flush."""

    def __init__(self, path):
        self.file = preallocated(path)
        self.at = 0

    def run(self):
        self.at = (self.at + LOG_BYTES) % FILE_BYTES
        os.pwrite(self.file, b"\1" * LOG_BYTES, self.at)
        os.fdatasync(self.file)


def timed(run):
    begun = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - begun) / 1000


def redo(directory, authority, options):
    handoff = Handoff(directory, authority).start()
    now = flow(handoff, options.seconds, MIDDLE, 1)
    handoff.stop()
    commit = Commit(os.path.join(directory, "commit"))
    log = Log(os.path.join(directory, "log"))
    pairs = [(timed(commit.run), timed(log.run)) for _ in range(COMMITS)]
    commit_us, log_us = (median(times) for times in zip(*pairs))
    print("  a lone batch: RECEIVED p50 %.0f us, PROCESSED %.0f us; its commit's writes and"
          " flushes %.0f us, those of a redo log %.0f us: RECEIVED would be about %.0f us,"
          " PROCESSED %.0f us"
          % (now["received_p50_us"], now["processed_p50_us"], commit_us, log_us,
             now["received_p50_us"] - commit_us + log_us,
             now["processed_p50_us"] - 2 * (commit_us - log_us)))
