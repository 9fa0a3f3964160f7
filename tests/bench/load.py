"""load.py - the load client, build/bench, run against a broker or a peer of it.

The program is build/bench, or what the environment's HANDOFF_BENCH names.
"""

import os
import subprocess
import sys

from broker import ROOT

BENCH = os.path.abspath(os.environ.get("HANDOFF_BENCH", os.path.join(ROOT, "build", "bench")))


class LoadFailed(Exception):
    """The client could not do what it was asked."""


def start_client(address, pid, authority, **options):
    """The client as a process; for example seconds=5 or handoffs=2000, bytes=256, in_flight=1."""
    command = [BENCH, "--broker", "%s:%d" % address, "--pid", str(pid),
               "--credentials", authority.directory]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish_client(process):
    """Waits for its end; its figures, as text by name."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise LoadFailed("%s ended with status %d" % (BENCH, process.returncode))
    return dict(pair.split("=", 1) for pair in output.split())


def load(address, pid, authority, **options):
    return finish_client(start_client(address, pid, authority, **options))


def hand_over(broker, authority, **options):
    """A life of a broker: started, loaded, stopped. Returns the client's figures."""
    for module in ("ALPHA", "BETA"):
        authority.module(module)
    broker.start()
    try:
        figures = load(broker.address, broker.process.pid, authority, **options)
    except BaseException:
        broker.kill()
        sys.stderr.write(broker.log())
        raise
    broker.stop()
    return figures
