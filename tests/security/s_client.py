"""s_client.py - openssl s_client as a stranger: what it can do that Python's ssl cannot.

It offers tickets, secrets shared before and early data, updates keys, and takes any suite and group
that OpenSSL knows. What it prints and what the broker says come together, as bytes.
"""

import subprocess
import threading
import time

from handoff_client import PATIENCE_SECONDS


class SClient:
    def __init__(self, address, credentials, *options, certificate=True):
        shown = ["-cert", credentials.certificate, "-key", credentials.key] if certificate else []
        self.output = b""
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % address, "-CAfile", credentials.ca,
             "-tls1_3", *shown, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self):
        while data := self.process.stdout.read(65536):
            with self._news:
                self.output += data
                self._news.notify_all()

    def say(self, data):
        """Sends it; a line of one letter alone is a command of s_client's."""
        try:
            self.process.stdin.write(data)
        except OSError:
            pass                # it has ended: what it printed tells why

    def reads(self, text, seconds=PATIENCE_SECONDS):
        """Waits until the text has come, or the end; whether it has come."""
        deadline = time.monotonic() + seconds
        with self._news:
            while text not in self.output and time.monotonic() < deadline and (
                    self._reader.is_alive()):
                self._news.wait(0.05)
            return text in self.output

    def ends(self, seconds=PATIENCE_SECONDS):
        """Waits for its end, that the broker makes; all that it printed."""
        self.process.wait(seconds)
        self._reader.join(seconds)
        return self.output

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
