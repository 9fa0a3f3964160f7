"""test_tools.py - the command handoff: cert, send, work, recv, over a true broker."""

import collections
import json
import os
import random
import stat
import subprocess
import time

from case import Case, authority
from command import HANDOFF, Command, environment
from handoff_client import PATIENCE_SECONDS

# Nothing of what a test kills over and over may become a dead letter; and no route takes all that
# there is at once, so that each part works for as long as the others.
PATIENT_ROUTES = "".join(
    'route "%s" { batch_size = 50 queue_capacity = 20 retry_delay_ms = 20 backoff_multiplier = 1.0 '
    "max_retries = 1000 }\n" % name for name in ("alpha-beta", "beta-gamma"))


def lines_of(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def some_records(count):
    return [{"record_id": "r%d" % i, "number": i, "half": i / 2, "text": "é\n\"☃\" %d" % i,
             "deep": {"list": [None, True, {"x": -i}], "empty": {}, "none": []}}
            for i in range(count)]


def read_records(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def as_multiset(records):
    return collections.Counter(json.dumps(record, sort_keys=True) for record in records)


class Tools(Case):
    def setUp(self):
        super().setUp()
        self.commands = []

    def tearDown(self):
        for command in self.commands:
            command.kill()
        super().tearDown()

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def start(self, broker, module, *arguments, stdin=subprocess.DEVNULL, **variables):
        """Starts handoff as this module."""
        command = Command([arguments[0], "--module", module, *arguments[1:]],
                          environment(broker.address, authority().module(module), **variables),
                          stdin=stdin)
        self.commands.append(command)
        return command

    def send(self, broker, text, *arguments, module="ALPHA", to="BETA", **variables):
        """Runs handoff send over this text, to its end."""
        path = self.write("input-%d" % len(self.commands), text)
        with open(path) as file:
            command = self.start(broker, module, "send", "--to", to, *arguments, stdin=file,
                                 **variables)
        command.status = command.wait()
        return command

    def receive(self, broker, count, *arguments, module="GAMMA"):
        """Runs handoff recv until so many records are in the file out; returns all of them."""
        command = self.start(broker, module, "recv", "--output", self.path("out"), "--count", count,
                             *arguments)
        self.assertEqual(command.wait(), 0, command.said())
        return read_records(self.path("out"))

    def wait_until(self, condition, what, seconds=6 * PATIENCE_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, "waited in vain: " + what)
            time.sleep(0.01)

    def assert_status(self, command, status, *words):
        """It ended with this status, and said these words on the way."""
        self.assertEqual(command.status, status, command.said())
        for word in words:
            self.assertIn(word, command.said())


class Pipeline(Tools):
    def test_carries_records_from_send_through_work_to_recv(self):
        broker = self.start_broker(PATIENT_ROUTES)
        records = some_records(1000)
        worker = self.start(broker, "BETA", "work", "--to", "GAMMA", "--jobs", 3, "--exec",
                            "sed 's/^{/{\"seen\":true,/'")
        self.assert_status(self.send(broker, lines_of(records)), 0)
        received = self.receive(broker, 1000)
        self.assertEqual(as_multiset(received),
                         as_multiset([{"seen": True, **record} for record in records]))
        self.assertEqual(worker.terminate(), 0, worker.said())

    def test_loses_and_doubles_nothing_when_all_are_killed_again_and_again(self):
        broker = self.start_broker(PATIENT_ROUTES)
        records = some_records(6000)
        source = self.write("source", lines_of(records))
        chance = random.Random(os.urandom(8))

        def begin_send():
            with open(source) as file:
                return self.start(broker, "ALPHA", "send", "--to", "BETA", "--journal",
                                  self.path("journal"), stdin=file)

        begin = {
            "send": begin_send,
            "work": lambda: self.start(broker, "BETA", "work", "--to", "GAMMA", "--jobs", 2,
                                       "--verbose", "--exec", "cat"),
            "recv": lambda: self.start(broker, "GAMMA", "recv", "--verbose", "--output",
                                       self.path("out")),
        }
        running = {name: start() for name, start in begin.items()}
        for _ in range(24):
            time.sleep(chance.uniform(0.01, 0.15))
            name = chance.choice(["broker", *running])
            if name == "broker":
                broker.restart()
                continue
            if running[name].kill() == 0:
                self.assertEqual(name, "send")
            running[name] = begin[name]()
        self.assertEqual(running["send"].wait(), 0, running["send"].said())
        self.wait_until(lambda: len(read_whole_lines(self.path("out"))) >= len(records),
                        "all records in the output")
        for name in ("work", "recv"):
            self.wait_until(lambda: "connected" in running[name].said(), name + " is connected")
            self.assertEqual(running[name].terminate(), 0, running[name].said())
        self.assertEqual(as_multiset(read_records(self.path("out"))), as_multiset(records))


def read_whole_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return file.read().split(b"\n")[:-1]
