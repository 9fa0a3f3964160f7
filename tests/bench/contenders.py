"""contenders.py - what is measured: handoffd, and peers that make the same promise.

Each is started on an empty directory, with mutual TLS 1.3, every acknowledgment after a flush, and
room for whatever the workload leaves with it.
"""

import os
import shutil
import subprocess
import time

from broker import Broker, free_port
from ctl import ADMIN
from load import load

START_SECONDS = 60
MODULES = ("ALPHA", "BETA", "GAMMA", "EPSILON")


class Handoff:
    name = "handoff"

    def __init__(self, directory, authority, store_mib=4096, settings="", **top_level):
        for module in MODULES:
            authority.module(module)
        self.directory = directory
        self.authority = authority
        os.makedirs(directory, exist_ok=True)
        room = ('route "alpha-beta" { queue_capacity = 100000000 queue_capacity_bytes = "%dM" }\n'
                % (store_mib * 3 // 4))
        self.broker = Broker(directory, authority, ADMIN + room + settings,
                             store_size="%dM" % store_mib, **top_level)

    def start(self):
        self.broker.start()
        return self

    def kill(self):
        self.broker.kill()

    def stop(self):
        """Returns what the broker has counted: commits, operations, copies."""
        self.broker.stop()
        line = self.broker.wait_for_log(r"stopped commits=", since_start=True)
        return {name: int(value) for name, value in
                (pair.split("=") for pair in line.split() if "=" in pair)
                if name in ("commits", "operations", "copies")}

    @property
    def address(self):
        return self.broker.address

    @property
    def pid(self):
        return self.broker.process.pid

    def load(self, **options):
        return load(self.address, self.pid, self.authority, **options)


class Redis:
    """Redis Streams with TLS and appendfsync always: XADD, XREADGROUP, XACK and XDEL."""

    name = "redis-tls"

    def __init__(self, directory, authority, **_):
        for module in MODULES:
            authority.module(module)
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.authority = authority
        self.address = ("127.0.0.1", free_port())
        self.process = None

    @staticmethod
    def is_installed():
        return shutil.which("redis-server") is not None

    def start(self):
        own = self.authority.broker()
        log = os.path.join(self.directory, "log")
        said = os.path.getsize(log) if os.path.exists(log) else 0
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--tls-port", str(self.address[1]),
             "--bind", self.address[0], "--dir", self.directory, "--daemonize", "no",
             "--tls-cert-file", own.certificate, "--tls-key-file", own.key,
             "--tls-ca-cert-file", own.ca, "--tls-auth-clients", "yes",
             "--tls-protocols", "TLSv1.3", "--appendonly", "yes", "--appendfsync", "always",
             "--save", "", "--logfile", log],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._wait_until_ready(log, said)
        return self

    def _wait_until_ready(self, log, said):
        """It has said so, in what it has added to its log."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if os.path.exists(log):
                with open(log) as file:
                    file.seek(said)
                    if "Ready to accept connections" in file.read():
                        return
            time.sleep(0.005)
        self.kill()
        raise AssertionError("redis-server does not start: see %s" % log)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    stop = kill

    @property
    def pid(self):
        return self.process.pid

    def load(self, **options):
        return load(self.address, self.pid, self.authority, against="redis", **options)


PEERS = (Redis,)
