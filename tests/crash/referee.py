"""referee.py - who starts the broker and kills it, and asks at each start whether all is there.

A life ends by SIGKILL at a random moment, within the start (up to five times in a row, so that
recovery itself is killed), at a named point that the broker was told to die at, or in good order by
SIGTERM, under load.
"""

import collections
import json
import os
import shutil
import signal
import time

import points
from actor import Log
from broker import PATIENCE_SECONDS
from control import Operator
from play import Failure

FAILPOINTS = os.environ.get("HANDOFFD_FAILPOINTS")
LONGEST_LIFE_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5 * PATIENCE_SECONDS / 8     # for a named point to be passed often enough
LONGEST_REST_SECONDS = 20 * PATIENCE_SECONDS / 8    # for those that have not had their turn
LONGEST_START_SECONDS = 0.06
STOP_SECONDS = PATIENCE_SECONDS / 8 + 3


class NamedDeath:
    """A life of the broker that is to end at one of these points, by its own hand."""

    def __init__(self, broker, chance, kind, name=None, misses=0):
        """Half as many passages are waited for after each miss, when they did not come in time."""
        self.broker = broker
        self.name = name or chance.choice(list(kind))
        self.passage = chance.randrange(1, max(kind[self.name][1] >> misses, 1) + 1)

    def spawn(self):
        usual = self.broker.program
        self.broker.program = FAILPOINTS
        self.broker.environment["HANDOFF_FAILPOINT"] = "%s:%d" % (self.name, self.passage)
        try:
            self.broker.spawn()
        finally:
            self.broker.program = usual
            del self.broker.environment["HANDOFF_FAILPOINT"]

    def check(self):
        """It has ended: there, and nowhere else."""
        status = self.broker.wait()
        if "failpoint %s:" % self.name not in "".join(self.broker.lines[-3:]):
            raise Failure("handoffd ended by itself, status %d, and not at %s"
                          % (status, self.name))


class Referee:
    def __init__(self, broker, directory, chance):
        self.broker = broker
        self.chance = chance
        self.log = Log(os.path.join(directory, "referee.log"))
        self.kills = 0
        self.counts = collections.Counter()     # how lives ended
        self.points = collections.Counter()     # which named points were died at
        self.misses = collections.Counter()     # which were not passed in time
        self.wanted = self.shuffle_points()     # those that have not had their turn
        self.has_had_all = not FAILPOINTS

    # Lives

    def live_once(self):
        draw = self.chance.random()
        if draw < 0.1:
            self.stop()
        elif draw < 0.2:
            self.kill_while_starting()
        elif draw < 0.5 and FAILPOINTS:
            self.die_at_next()
        else:
            self.start()
            self.kill_later()

    def start(self):
        self.broker.start()
        self.audit()

    def spend(self):
        time.sleep(self.chance.uniform(0, LONGEST_LIFE_SECONDS))
        self.check_running()

    def check_running(self):
        if not self.broker.is_running():
            raise Failure("handoffd ended by itself, status %d" % self.broker.process.returncode)

    def kill_later(self):
        self.spend()
        self.kill("at random")

    def kill(self, how):
        self.broker.kill()
        self.kills += 1
        self.counts[how] += 1

    def kill_while_starting(self):
        for _ in range(self.chance.randrange(1, 6)):
            self.broker.spawn()
            time.sleep(self.chance.uniform(0, LONGEST_START_SECONDS))
            self.check_running()
            self.kill("while starting")

    def stop(self):
        self.start()
        self.spend()
        self.counts["stopped in good order"] += 1
        began = time.monotonic()
        self.broker.stop()
        self.log.add("stopped", seconds=time.monotonic() - began, allowed=STOP_SECONDS)

    # Named points

    def shuffle_points(self):
        wanted = [(kind, name) for kind in (points.START, points.WORK, points.STOP)
                  for name in kind]
        self.chance.shuffle(wanted)
        return wanted

    def die_at_next(self):
        """All points come before one comes again; one that was not passed in time, once more."""
        if not self.wanted:
            self.has_had_all = True
            self.wanted = self.shuffle_points()
        kind, name = self.wanted.pop()
        if not self.die_at(kind, name) and not self.points[name]:
            self.wanted.insert(0, (kind, name))

    def die_at_the_rest(self):
        deadline = time.monotonic() + LONGEST_REST_SECONDS
        while self.wanted and not self.has_had_all and time.monotonic() < deadline:
            self.die_at_next()

    def die_at(self, kind, name):
        """Recovery dies up to five times in a row. False when the point was not passed in time."""
        death = NamedDeath(self.broker, self.chance, kind, name, self.misses[name])
        for _ in range(self.chance.randrange(1, 6) if kind is points.START else 1):
            death.spawn()
            if kind is points.STOP:
                self.broker.wait_for_log(r"\bready\b", since_start=True)
                self.spend()
                self.broker.process.send_signal(signal.SIGTERM)
            if not self.await_death(death):
                return False
        return True

    def await_death(self, death):
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while self.broker.is_running() and time.monotonic() < deadline:
            time.sleep(0.005)
        if self.broker.is_running():
            self.kill("at random")
            self.misses[death.name] += 1
            return False
        death.check()
        self.kills += 1
        self.counts["at a named point"] += 1
        self.points[death.name] += 1
        return True

    def die_while_created(self):
        """At each point of the making of a store; what is left has to be one, or to become one."""
        for name in points.CREATE if FAILPOINTS else ():
            shutil.rmtree(os.path.join(self.broker.directory, "data"), ignore_errors=True)
            self.die_at(points.CREATE, name)
            self.start()
            self.kill("at random")

    # What the broker says of itself

    def ask(self, command):
        operator = Operator(os.path.join(self.broker.directory, "admin.sock"))
        try:
            code, body = operator.ask("json " + command)
            return code, json.loads(body)
        finally:
            operator.close()

    def audit(self):
        before = time.monotonic()
        code, answer = self.ask("audit")
        self.log.add("audit", before=before, after=time.monotonic(), code=code, **answer)

    def wait_until_quiet(self, seconds):
        """Until nothing is in custody; False when that takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ask("status")[1]["in_custody"] == 0:
                return True
            time.sleep(0.05)
        return False
