"""tool_case.py - what the tests of the command handoff stand on, beside case.py."""

import collections
import json
import os
import subprocess
import time

from broker import SANITIZER_REPORT
from case import Case, authority
from command import Command, environment
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


def read_whole_lines(path):
    """The lines of a file that may be growing, or not be there."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return file.read().split(b"\n")[:-1]


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
        for command in self.commands:
            self.assertIsNone(SANITIZER_REPORT.search(command.said()), command.said())

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

    def wait_until_connected(self, command):
        """It has to be started with --verbose."""
        self.wait_until(lambda: "connected" in command.said(), "connected")

    def assert_status(self, command, status, *words):
        """It ended with this status, and said these words on the way."""
        self.assertEqual(command.status, status, command.said())
        for word in words:
            self.assertIn(word, command.said())
