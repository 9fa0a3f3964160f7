"""play.py - one run of a crash test: its directory, what was done, its verdicts, what was wrong."""

import os
import random
import shutil
import tempfile
import time

from actor import PATIENCE_SECONDS
from certificates import Authority
from table import Outcome

# How long all may take to come to rest: the bound of liveness. Backoff and reclaim are short, so
# that what a kill leaves behind is quiet soon.
REST_SECONDS = 5 * PATIENCE_SECONDS


class Failure(Exception):
    """Something happened that no kill explains."""


class Play:
    """One kind's own are `command`, and `play_in()`, which sets broker, rows, verdicts, points."""

    def __init__(self, kills, seed):
        self.kills = kills
        self.seed = seed
        self.chance = random.Random(seed)
        self.broker = None
        self.failure = None
        self.verdicts = []
        self.rows = []              # (name, number, meaning)
        self.points = {}            # named point -> deaths at it

    def play(self):
        self.directory = tempfile.mkdtemp(prefix="handoff-crash-")
        os.mkdir(self.path("broker"))
        began = time.monotonic()
        try:
            self.play_in(Authority(self.path("authority")))
        except (Failure, AssertionError, OSError, EOFError) as problem:
            self.failure = str(problem) or repr(problem)
        finally:
            self.end_all()
        self.rows.append(("seconds", round(time.monotonic() - began), "that this took"))
        outcome = Outcome(self.rows, self.verdicts, self.points, list(self.complaints()))
        if outcome.is_clean():
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            outcome.complaints.insert(0, "%s --kills %d --seed %d; logs in %s" % (
                self.command, self.kills, self.seed, self.directory))
            self.keep_log()
        return outcome

    def complaints(self):
        if self.failure:
            yield "failed: %s" % self.failure[:2000]
        for verdict in self.verdicts:
            if len(verdict):
                yield "%s: %s" % (verdict.name, ", ".join(verdict.culprits[:5]))

    def keep_log(self):
        if self.broker:
            with open(self.path("broker.log"), "w") as file:
                file.write(self.broker.log())

    def end_all(self):
        """Leaves no process behind."""
        if self.broker and self.broker.is_running():
            self.broker.kill()

    def path(self, name):
        return os.path.join(self.directory, name)
