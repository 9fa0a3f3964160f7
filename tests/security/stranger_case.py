"""stranger_case.py - what the tests of strangers share: the log as evidence, counts, figures.

A refusal has to leave exactly one line (reliability C5). The broker writes at most so many lines a
second of one cause and counts what it held back: where lines are counted, that count is added.
"""

import os
import re
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from case import Case, authority, messages  # noqa: E402
from ctl import ADMIN, Ctl  # noqa: E402
from handoff_client import PATIENCE_SECONDS, Closed  # noqa: E402

# Multiplies how often things are done; 1 is for every change, 20 and more for a long run.
SCALE = float(os.environ.get("HANDOFF_TEST_SCALE", "1"))

# Lines a second that the broker writes of one cause; fewer leave every refusal its own line.
LINES_PER_SECOND = 10
PACE = LINES_PER_SECOND - 2

HELD_BACK = re.compile(r'log lines held back cause="(.*)" count=(\d+)')


def scaled(count):
    return max(1, round(count * SCALE))


def figure(form, *values):
    """A measured figure: shown by the runner though the test passes."""
    print("figure: " + form % values)


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


class StrangerCase(Case):
    def setUp(self):
        super().setUp()
        self.refused_at = []

    # Evidence

    def settle(self, broker):
        """All that the broker has logged so far is in broker.lines, also what it held back."""
        self.pace(PACE)
        client = self.module(broker, "PHI", 0)
        self.clients.remove(client)
        port = client.local_port
        broker.wait_for_log(r"session opened .*address=127\.0\.0\.1:%d " % port)
        client.goodbye()
        client.expect_closed()
        client.close()

    def pace(self, at_most=1):
        """Waits until another refusal will surely get a line of its own."""
        while len(self.refused_at) > PACE - at_most:
            passed = time.monotonic() - self.refused_at[0]
            if passed < 1.001:
                time.sleep(1.001 - passed)
            self.refused_at.pop(0)
        self.refused_at += [time.monotonic()] * (at_most == 1)

    def lines_about(self, broker, port, level="warning"):
        """Lines of this level that name the peer with this port."""
        return [line for line in broker.lines
                if " %s " % level in line and "address=127.0.0.1:%d " % port in line]

    def count_lines(self, broker, event, cause=None, since=0):
        """Lines of an event, and those that were held back under its cause."""
        lines = broker.lines[since:]
        held = sum(int(found.group(2)) for found in map(HELD_BACK.search, lines)
                   if found and found.group(1) == (cause or event))
        return sum(" warning %s " % event in line for line in lines) + held

    def assert_one_line(self, broker, port, reason):
        """The only warning about this peer, and it says why."""
        broker.wait_for_log(r"warning .*address=127\.0\.0\.1:%d " % port)
        lines = self.lines_about(broker, port)
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], reason)

    # The broker under load

    def processor_seconds(self, broker):
        """What the broker has used of a processor since its start."""
        with open("/proc/%d/stat" % broker.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def raise_descriptors():
    """As many descriptors as this process may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def connect_plain(address, timeout=PATIENCE_SECONDS):
    plain = socket.create_connection(address, timeout=timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


__all__ = ["ADMIN", "Closed", "Ctl", "PACE", "PATIENCE_SECONDS", "SCALE", "StrangerCase",
           "authority", "connect_plain", "figure", "messages", "percentile", "raise_descriptors",
           "scaled"]
