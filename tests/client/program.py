"""program.py - a module as a process: a program written with libhandoff, and what it prints.

The programs are built from tests/system/clib, beside the broker under test.
"""

import os
import subprocess
import threading
import time

from broker import HANDOFFD
from handoff_client import PATIENCE_SECONDS, Silence

PROGRAMS = os.path.join(os.path.dirname(HANDOFFD), "tests", "system", "clib")


class Program:
    """A running program: what it prints is read line by line."""

    def __init__(self, address, credentials, command, instance=None):
        environment = {
            **os.environ,
            "HANDOFF_BROKER": "localhost:%d" % address[1],
            "HANDOFF_CA": credentials.ca,
            "HANDOFF_CERT": credentials.certificate,
            "HANDOFF_KEY": credentials.key,
            "HANDOFF_INSTANCE": instance or "",
        }
        self.lines = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [os.path.join(PROGRAMS, command[0]), *map(str, command[1:])], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def said(self, word):
        """The lines that begin with this word, without it."""
        return [line.split(" ", 1)[1] for line in self.lines if line.split(" ", 1)[0] == word]

    def wait_for(self, condition, seconds=3 * PATIENCE_SECONDS):
        """Waits until the condition is true of what was printed."""
        deadline = time.monotonic() + seconds
        with self._news:
            while not condition(self):
                if time.monotonic() >= deadline or not self._reader.is_alive():
                    raise Silence("the program said: %s" % self.lines[-20:])
                self._news.wait(0.1)

    def wait_for_count(self, word, count, **more):
        self.wait_for(lambda program: len(program.said(word)) >= count, **more)

    def wait(self, seconds=3 * PATIENCE_SECONDS):
        """Waits for the end; its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
