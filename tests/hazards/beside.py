"""beside.py - what goes on beside a test: the load client, and whoever asks again and again."""

import os
import subprocess
import threading

from broker import ROOT
from case import authority

BUILD = os.path.dirname(os.environ.get("HANDOFFD", os.path.join(ROOT, "build", "handoffd")))
BENCH = os.path.abspath(os.environ.get("HANDOFF_BENCH", os.path.join(BUILD, "bench")))
FILL = os.path.abspath(os.environ.get("HANDOFF_FILL", os.path.join(BUILD, "fill")))


class Load:
    """A source and a target that hand over as fast as the broker takes it, for so long."""

    def __init__(self, broker, seconds, size=256, in_flight=64):
        for module in ("ALPHA", "BETA"):
            authority().module(module)
        self.process = subprocess.Popen(
            [BENCH, "--broker", "%s:%d" % broker.address, "--pid", str(broker.process.pid),
             "--credentials", authority().directory, "--seconds", str(seconds),
             "--bytes", str(size), "--in-flight", str(in_flight)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def is_running(self):
        return self.process.poll() is None

    def __str__(self):
        return self.process.stdout.read() if not self.is_running() else "the load client runs"

    def figures(self):
        """Its numbers by name when its time is over; it must have gone well."""
        output, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise AssertionError("the load client: " + output)
        return {name: float(value) for name, value in
                (pair.split("=") for pair in output.split()) if "," not in value}

    def end(self):
        """Whatever it has come to: for a broker that is gone."""
        self.process.kill()
        self.process.communicate()


class Repeated:
    """Does something again and again in a thread; what went wrong is raised at the end."""

    def __init__(self, action):
        self.count = 0
        self._action = action
        self._problem = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._over.is_set():
                self._action()
                self.count += 1
        except Exception as problem:
            self._problem = problem

    def is_running(self):
        return self._thread.is_alive()

    def stop(self):
        """Returns how often it was done."""
        self._over.set()
        self._thread.join()
        if self._problem:
            raise self._problem
        return self.count


def fill(path, mebibytes, batches):
    """A store as a broker leaves it behind: most of so many batches wait on alpha-beta."""
    subprocess.run([FILL, path, str(mebibytes), str(batches)], stdout=subprocess.DEVNULL,
                   check=True)
