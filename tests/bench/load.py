"""load.py - a broker's life under the load client, build/bench.

The program is build/bench, or what the environment's HANDOFF_BENCH names.
"""

import os
import subprocess
import sys

from broker import ROOT

BENCH = os.path.abspath(os.environ.get("HANDOFF_BENCH", os.path.join(ROOT, "build", "bench")))


class LoadFailed(Exception):
    """The client could not do what it was asked."""


def hand_over(broker, authority, **options):
    """A life of a broker: started, loaded for example with seconds=5 or handoffs=2000, stopped.

    Returns the client's figures, as text by name.
    """
    for module in ("ALPHA", "BETA"):
        authority.module(module)
    broker.start()
    try:
        figures = _run_client(broker, authority, options)
    except BaseException:
        broker.kill()
        sys.stderr.write(broker.log())
        raise
    broker.stop()
    return figures


def _run_client(broker, authority, options):
    command = [BENCH, "--broker", "%s:%d" % broker.address, "--pid", str(broker.process.pid),
               "--credentials", authority.directory]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise LoadFailed("%s ended with status %d" % (BENCH, done.returncode))
    return dict(pair.split("=", 1) for pair in done.stdout.split())
