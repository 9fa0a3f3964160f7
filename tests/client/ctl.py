"""ctl.py - handoffctl as a process: what an operator asks a broker, and what he is told.

The program is build/handoffctl, or what the environment's HANDOFFCTL names.
"""

import json
import os
import subprocess
import time

from broker import ROOT
from handoff_client import PATIENCE_SECONDS

HANDOFFCTL = os.path.abspath(os.environ.get("HANDOFFCTL",
                                            os.path.join(ROOT, "build", "handoffctl")))

# For the configuration of a broker.
ADMIN = 'admin { socket = "admin.sock" }\n'


class Answer:
    """What one call said: `status`, `output` and `errors` as text, both together as `text`."""

    def __init__(self, arguments, done):
        self.arguments = arguments
        self.status = done.returncode
        self.output = done.stdout.decode("utf-8", "backslashreplace")
        self.errors = done.stderr.decode("utf-8", "backslashreplace")
        self.text = self.output + self.errors

    def __str__(self):
        return "handoffctl %s: status %d\n%s" % (" ".join(self.arguments), self.status, self.text)


class Ctl:
    def __init__(self, broker):
        self.socket = os.path.join(broker.directory, "admin.sock")

    def run(self, *words, seconds=6 * PATIENCE_SECONDS):
        """Whatever it says, and however it ends."""
        arguments = [str(word) for word in words]
        return Answer(arguments, subprocess.run(
            [HANDOFFCTL, "--socket", self.socket, *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, check=False))

    def start(self, *words):
        """A handoffctl that runs: its process, with its output as lines of text."""
        return subprocess.Popen(
            [HANDOFFCTL, "--socket", self.socket, *map(str, words)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def say(self, *words, status=0):
        """What it says to people; it has to end with this status."""
        answer = self.run(*words)
        if answer.status != status:
            raise AssertionError("expected status %d: %s" % (status, answer))
        return answer.text

    def ask(self, *words, status=0):
        """The JSON document it answers; it has to end with this status."""
        answer = self.run("--json", *words)
        if answer.status != status:
            raise AssertionError("expected status %d: %s" % (status, answer))
        return json.loads(answer.text)

    def until(self, is_it, *words, seconds=PATIENCE_SECONDS):
        """Asks again and again until the answer is so; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.run("--json", *words)
            document = json.loads(answer.text)
            if is_it(document):
                return document
            if time.monotonic() > deadline:
                raise AssertionError("it never was so: %s" % answer)
            time.sleep(0.01)
