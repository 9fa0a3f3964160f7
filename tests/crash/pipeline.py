"""pipeline.py - our own programs as a pipeline, each killed at any moment; the file is right.

`handoff send` reads lines, `handoff work --exec` changes each, `handoff recv` writes them to a
file, handoffd is between them. One of the four, now and then several at once, is killed with
SIGKILL and started again; the source, whenever it has sent all, on an input that has grown. In the
end the file holds what the command makes of the input: each record once.
"""

import collections
import os
import time

import points
from broker import Broker
from command import Command, environment
from ctl import ADMIN, Ctl
from handoff_client import PATIENCE_SECONDS
from play import REST_SECONDS, Failure, Play
from referee import FAILPOINTS, NamedDeath
from table import Verdict

# Short batches and queues, so that all four are at work all the time.
ROUTE = """route "%s" { source = "%s" target = "%s" batch_size = 5 queue_capacity = 32
    retry_delay_ms = 20 max_retries = 100000 backoff_multiplier = 1.0 }
"""
SETTINGS = (ADMIN + ROUTE % ("alpha-beta", "ALPHA", "BETA")
            + ROUTE % ("beta-gamma", "BETA", "GAMMA"))
COMMAND = """sed 's/}$/,"seen":true}/'"""
RECORDS_AT_ONCE = 400

# The named points between what is decided, what is durable, and what is told.
POINTS = {name: points.WORK[name] for name in (
    "redo.before", "redo.after", "commit.before", "commit.after", "send.after")}
LONGEST_PEACE_SECONDS = PATIENCE_SECONDS / 4


def record(number):
    return '{"record_id":"r%d","number":%d,"text":"%s"' % (number, number, "x" * (number % 300))


class Pipeline(Play):
    command = "tests/crash/run --pipeline"

    def __init__(self, kills, seed):
        super().__init__(kills, seed)
        self.records = 0
        self.killed = collections.Counter()
        self.modules = {}           # source, stage, sink -> Command
        self.named = None           # the named death that the broker was started for

    def play_in(self, authority):
        self.variables = {}
        self.broker = Broker(self.path("broker"), authority, SETTINGS)
        for module in ("ALPHA", "BETA", "GAMMA"):
            self.variables[module] = environment(self.broker.address, authority.module(module))
        self.grow()
        for role in ("broker", "stage", "sink", "source"):
            self.start(role)
        while sum(self.killed.values()) < self.kills:
            self.wait_for_progress()
            self.look_after()
            self.kill_some()
        self.come_to_rest()
        self.judge()

    # Roles

    def grow(self):
        with open(self.path("in"), "a") as file:
            for number in range(self.records, self.records + RECORDS_AT_ONCE):
                file.write(record(number) + "}\n")
        self.records += RECORDS_AT_ONCE

    def start(self, role):
        if role == "broker":
            self.start_broker()
        elif role == "source":
            with open(self.path("in")) as lines:
                self.modules[role] = Command(
                    ["send", "-q", "-m", "ALPHA", "-t", "BETA", "-j", self.path("journal")],
                    self.variables["ALPHA"], stdin=lines)
        elif role == "stage":
            self.modules[role] = Command(["work", "-q", "-m", "BETA", "-t", "GAMMA", "-j", "2",
                                          "-e", COMMAND], self.variables["BETA"])
        else:
            self.modules[role] = Command(["recv", "-q", "-m", "GAMMA", "-o", self.path("out")],
                                         self.variables["GAMMA"])

    def start_broker(self):
        self.named = None
        if FAILPOINTS and self.chance.random() < 0.6:
            self.named = NamedDeath(self.broker, self.chance, POINTS)
            self.named.spawn()
        else:
            self.broker.spawn()

    def wait_for_progress(self):
        """Most kills hit all four at work, some while they start; none waits for ever."""
        if self.chance.random() < 0.2:
            time.sleep(self.chance.uniform(0, 0.2))
            return
        enough = self.bytes_out() + self.chance.randrange(1, 20000)
        deadline = time.monotonic() + LONGEST_PEACE_SECONDS
        while self.bytes_out() < enough and time.monotonic() < deadline:
            self.look_after()
            time.sleep(0.005)

    def look_after(self):
        """Who has ended by itself: the source when it is done, the broker at its named point."""
        if self.named and not self.broker.is_running():
            self.named.check()
            self.points[self.named.name] = self.points.get(self.named.name, 0) + 1
            self.killed["broker"] += 1
            self.start("broker")
        if not self.broker.is_running():
            raise Failure("handoffd ended by itself, status %d" % self.broker.process.returncode)
        for role, module in list(self.modules.items()):
            if module.is_running():
                continue
            self.check_end(role, module, "source")
            self.grow()
            self.start(role)

    def check_end(self, role, module, *allowed):
        status = module.wait()
        if role not in allowed or status != 0:
            raise Failure("the %s ended with status %d: %s" % (role, status, module.said()))

    def kill_some(self):
        roles = ["broker", "source", "stage", "sink"] if not self.named else [
            "source", "stage", "sink"]      # the broker does it itself
        count = self.chance.choice((1, 1, 1, 1, 1, 1, 2, 3, len(roles)))
        for role in self.chance.sample(roles, count):
            self.kill(role)

    def kill(self, role):
        if role == "broker":
            self.broker.kill()
        elif self.modules[role].kill() == 0:
            self.grow()             # it was done, just before
        self.killed[role] += 1
        self.start(role)

    # The end

    def come_to_rest(self):
        if self.named:
            self.broker.kill()
            self.start_broker_for_good()
        deadline = time.monotonic() + REST_SECONDS
        self.check_end("source", self.modules.pop("source"), "source")
        while self.lines_out() < self.records and time.monotonic() < deadline:
            time.sleep(0.05)
        self.broker.wait_for_log(r"\bready\b", since_start=True)
        Ctl(self.broker).until(lambda status: status["in_custody"] == 0, "status")
        for role in ("stage", "sink"):
            module = self.modules.pop(role)
            module.process.terminate()
            self.check_end(role, module, role)
        self.audit = Ctl(self.broker).ask("audit")
        self.broker.stop()

    def start_broker_for_good(self):
        self.named = None
        self.broker.spawn()

    def lines_out(self):
        try:
            with open(self.path("out")) as file:
                return sum(1 for _ in file)
        except FileNotFoundError:
            return 0

    def bytes_out(self):
        path = self.path("out")
        return os.path.getsize(path) if os.path.exists(path) else 0

    def end_all(self):
        for module in self.modules.values():
            module.kill()
        super().end_all()

    def judge(self):
        with open(self.path("out")) as file:
            found = collections.Counter(file.read().splitlines())
        expected = {record(number) + ',"seen":true}' for number in range(self.records)}
        self.rows = [("pipeline kills", sum(self.killed.values()), "of our own programs")]
        self.rows += [("", number, "of the " + role)
                      for role, number in sorted(self.killed.items())]
        self.rows.append(("records", self.records, "sent through pipelines"))
        self.verdicts = [
            Verdict("records lost", "not in the sink's file", expected - set(found)),
            Verdict("records twice", "in the sink's file more than once",
                    [line for line, count in found.items() if count > 1]),
            Verdict("foreign lines", "that the command does not make of the input",
                    set(found) - expected),
            Verdict("uncounted", "routes of which not all was processed, and nothing else",
                    [route for route in self.audit["routes"] if not is_all_processed(route)])]


def is_all_processed(route):
    return (route["received"] == route["processed"] and route["walk"] == "agrees"
            and route["balances"])
