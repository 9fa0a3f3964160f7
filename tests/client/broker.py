"""broker.py - handoffd as a process under test: configured, started, waited for, stopped, killed.

The program is build/handoffd, or what the environment's HANDOFFD names.
"""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

from handoff_client import PATIENCE_SECONDS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HANDOFFD = os.path.abspath(os.environ.get("HANDOFFD", os.path.join(ROOT, "build", "handoffd")))

# Small and quick unless a test says otherwise.
STORE_SIZE = "64M"
DEFAULTS = {"reclaim_ms": 300}

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak|Undefined|Memory)\w*Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def free_port():
    """A port that nobody uses, below those that connections get, so that it stays free.

    Tests run side by side: processes whose numbers follow each other draw from different ports.
    """
    while True:
        port = random.SystemRandom().randrange(12000, 32000, 8) + os.getpid() % 8
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Broker:
    """A broker with a directory of its own. `settings` are lines for the configuration file;
    keyword arguments are its top-level settings."""

    program = HANDOFFD

    def __init__(self, directory, authority, settings="", environment=None, store_size=STORE_SIZE,
                 arguments=(), **top_level):
        self.directory = directory
        self.credentials = authority.broker()
        self.address = ("127.0.0.1", free_port())
        self.environment = dict(environment or {})
        self.arguments = list(arguments)
        self.configuration = os.path.join(directory, "handoffd.conf")
        self.lines = []
        self.process = None
        self.expected_to_end = True
        self._seen = 0
        self._news = threading.Condition()
        self.configure(settings, store_size, **top_level)

    def configure(self, settings="", store_size=STORE_SIZE, **top_level):
        """Writes the configuration file; takes effect at the next start."""
        lines = ['listen = "%s:%d"' % self.address,
                 'tls { ca = "%s" certificate = "%s" key = "%s" }'
                 % (self.credentials.ca, self.credentials.certificate, self.credentials.key),
                 'store { path = "data" size = "%s" }' % store_size]
        for name, value in {**DEFAULTS, **top_level}.items():
            lines.append("%s = %s" % (name, '"%s"' % value if isinstance(value, str) else value))
        with open(self.configuration, "w") as file:
            file.write("\n".join(lines) + "\n" + settings + "\n")

    # Life

    def spawn(self):
        """Starts the process and does not wait for it."""
        self.process = subprocess.Popen(
            [self.program, "--config", self.configuration, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment}, cwd=self.directory)
        self.expected_to_end = False
        self._seen = len(self.lines)
        self._reader = threading.Thread(target=self._collect, args=(self.process.stdout,),
                                        daemon=True)
        self._reader.start()
        return self

    def start(self):
        """Starts the process and waits until it says that it is ready."""
        self.spawn()
        self.wait_for_log(r"\bready\b", since_start=True)
        return self

    def stop(self, how=signal.SIGTERM):
        """Asks the process to end, and expects exit status 0."""
        self.expected_to_end = True
        self.process.send_signal(how)
        status = self.wait()
        if status != 0:
            raise AssertionError("handoffd ended with status %d after signal %d" % (status, how))

    def kill(self):
        self.expected_to_end = True
        self.process.kill()
        self.wait()

    def wait(self, seconds=PATIENCE_SECONDS):
        """Waits for the process to end by itself, or by a signal already sent; its status."""
        self.expected_to_end = True
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("handoffd did not end within %g s" % seconds) from None
        self._reader.join(seconds)
        self.process.stdout.close()
        return status

    def restart(self):
        """Killed with SIGKILL and started again on the same store."""
        self.kill()
        return self.start()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def memory(self, what="VmRSS"):
        """Bytes of memory, by the name of a line in the process's status file."""
        with open("/proc/%d/status" % self.process.pid) as file:
            for line in file:
                if line.startswith(what + ":"):
                    return int(line.split()[1]) * 1024
        raise KeyError(what)

    def is_sanitized(self):
        """Whether it was built with the address sanitizer, which maps terabytes for itself."""
        return self.memory("VmSize") > 1 << 40

    # Log

    def wait_for_log(self, pattern, seconds=PATIENCE_SECONDS, since_start=False):
        """Waits for a line that matches; returns it."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + seconds
        looked = self._seen if since_start else 0
        with self._news:
            while True:
                for line in self.lines[looked:]:
                    if expression.search(line):
                        return line
                looked = len(self.lines)
                if not self._reader.is_alive() and self.process.poll() is not None:
                    raise AssertionError("handoffd ended with status %d, no line with %r:\n%s"
                                         % (self.process.returncode, pattern, self.log()))
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AssertionError("no log line with %r in %g s:\n%s"
                                         % (pattern, seconds, self.log()))
                self._news.wait(min(remaining, 0.5))

    def log(self):
        return "".join(self.lines)

    def trouble(self):
        """What no test may leave unnoticed: an end nobody asked for, a sanitizer's report."""
        if self.process and not self.expected_to_end and self.process.poll() is not None:
            return "handoffd ended by itself with status %d" % self.process.returncode
        if SANITIZER_REPORT.search(self.log()):
            return "a sanitizer reported"
        return None

    def _collect(self, pipe):
        for line in pipe:
            with self._news:
                self.lines.append(line.decode("utf-8", "backslashreplace"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()
