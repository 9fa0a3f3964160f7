"""command.py - the command handoff as a process: run to its end, or started, killed, waited for.

The program is build/handoff, or what the environment's HANDOFF names.
"""

import os
import subprocess
import tempfile

from broker import ROOT
from handoff_client import PATIENCE_SECONDS

HANDOFF = os.path.abspath(os.environ.get("HANDOFF", os.path.join(ROOT, "build", "handoff")))


def environment(address=None, credentials=None, **more):
    """The variables that name broker and certificates, and no others of HANDOFF_…."""
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith("HANDOFF_")}
    if address:
        variables["HANDOFF_BROKER"] = "localhost:%d" % address[1]
    if credentials:
        variables.update(HANDOFF_CA=credentials.ca, HANDOFF_CERT=credentials.certificate,
                         HANDOFF_KEY=credentials.key)
    variables.update(more)
    return variables


class Command:
    """A running handoff; what it says on standard error is kept."""

    program = HANDOFF

    def __init__(self, arguments, variables, stdin=subprocess.DEVNULL):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([HANDOFF, *map(str, arguments)], env=variables, stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=self.errors)

    def is_running(self):
        return self.process.poll() is None

    def wait(self, seconds=6 * PATIENCE_SECONDS):
        """Waits for its end; the exit status, minus the signal where one killed it."""
        self.output = self.process.communicate(timeout=seconds)[0].decode()
        return self.process.returncode

    def kill(self):
        if self.is_running():
            self.process.kill()
        return self.wait()

    def terminate(self):
        self.process.terminate()
        return self.wait()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "backslashreplace")
