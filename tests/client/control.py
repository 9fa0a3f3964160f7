"""control.py - an operator: the protocol of handoffctl(8) over a Unix socket, and the program."""

import os
import socket
import subprocess

from broker import ROOT
from handoff_client import PATIENCE_SECONDS

HANDOFFCTL = os.path.abspath(os.environ.get("HANDOFFCTL",
                                            os.path.join(ROOT, "build", "handoffctl")))


class Operator:
    """A connection to the operator's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.received = b""

    def send(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def answer(self):
        """The next answer: its code, and its body without what the protocol adds."""
        body = []
        while True:
            while b"\n" not in self.received:
                more = self.socket.recv(65536)
                if not more:
                    raise EOFError(b"".join(body))
                self.received += more
            line, self.received = self.received.split(b"\n", 1)
            if line[:1] == b"." and line[1:2] != b".":
                return int(line[1:].split()[0]), b"".join(body).decode()
            body.append(line[line[:1] == b".":] + b"\n")

    def ask(self, line):
        self.send(line)
        return self.answer()

    def ends(self):
        """Waits for the broker to end the connection."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self):
        self.socket.close()


def handoffctl(path, *words, program=HANDOFFCTL, **more):
    """Runs the program: its status, what it printed, what it complained about."""
    variables = {name: value for name, value in os.environ.items()
                 if name not in ("HANDOFF_ADMIN", "NO_COLOR")}
    if path:
        variables["HANDOFF_ADMIN"] = path
    done = subprocess.run([program, *words], env=variables, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=6 * PATIENCE_SECONDS, **more)
    return done.returncode, done.stdout, done.stderr
