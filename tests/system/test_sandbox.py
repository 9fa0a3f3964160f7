"""test_sandbox.py - what a broker gives up before it serves, and that it says so.

That forbidden calls kill is tried by tests/unit/server/test_sandbox.c; that a broker needs none of
them, by all tests here: they run in the sandbox.
"""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import unittest

from broker import ROOT
from case import Case, messages
from ctl import ADMIN, Ctl

CAP_DAC_OVERRIDE = 1 << 1
SANDBOX = os.path.join(ROOT, "src", "server", "sandbox.c")
UNIT = os.path.join(ROOT, "conf", "handoffd.service")
NOBODY = 65534


class Locked(Case):
    def process(self, broker, name):
        with open("/proc/%d/status" % broker.process.pid) as file:
            return re.search(r"(?m)^%s:\s*(\S+)" % name, file.read())[1]

    def sandboxed(self, broker):
        """Whether it is in force here, and by which words; it is told before `ready`."""
        line = broker.wait_for_log(r"\bsandboxed\b", since_start=True)
        names = [line.split(" ", 2)[2].strip() for line in broker.lines]
        self.assertLess([name.split()[0] for name in names].index("sandboxed"),
                        [name.split()[0] for name in names].index("ready"), names)
        seccomp, landlock = re.search(r"seccomp=(\w+) landlock=(\d+)", line).groups()
        return seccomp == "on", int(landlock)

    def test_it_is_in_force_and_told_in_the_log_and_by_status(self):
        broker = self.start_broker(ADMIN)
        seccomp, landlock = self.sandboxed(broker)
        if broker.is_sanitized():
            self.assertEqual((seccomp, landlock), (False, 0))
            broker.wait_for_log("sandbox incomplete missing=.*sanitizers", since_start=True)
            return
        words = ["seccomp"] * seccomp + ["Landlock %d" % landlock] * (landlock > 0)
        self.assertEqual(Ctl(broker).ask("status")["sandbox"], ", ".join(words) or "none")
        self.assertEqual(self.process(broker, "Seccomp"), "2" if seccomp else "0")
        self.assertEqual(self.process(broker, "NoNewPrivs"), "1")
        self.assertTrue(seccomp, "every kernel that Debian ships has seccomp")

    def test_no_capability_is_kept_but_one_by_root(self):
        broker = self.start_broker()
        if broker.is_sanitized():
            self.skipTest("it has sanitizers")
        kept = CAP_DAC_OVERRIDE if os.geteuid() == 0 else 0
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(self.process(broker, kind), 16) & ~kept, 0, kind)

    def test_switched_off_it_warns(self):
        broker = self.start_broker(ADMIN, sandbox="false")
        broker.wait_for_log("warning sandbox off", since_start=True)
        self.assertEqual(Ctl(broker).ask("status")["sandbox"], "off")
        self.assertEqual(self.process(broker, "Seccomp"), "0")

    def test_root_is_warned(self):
        broker = self.start_broker()
        self.assertEqual("warning runs as root" in broker.log(), os.geteuid() == 0)


class Secrets(Case):
    """What is in memory stays there."""

    def abort_under_load(self, broker):
        """Ends as a broken invariant would, with cores allowed by whoever started it."""
        alpha = self.module(broker, "ALPHA")
        secret = messages.encode([{"record_id": "S-1", "data": "the payload is nobody's business"}])
        for _ in range(20):
            alpha.hand_over(content=secret, count=1)
        broker.expected_to_end = True
        broker.process.send_signal(signal.SIGABRT)
        self.assertEqual(broker.wait(), -signal.SIGABRT)

    def test_a_broker_that_aborts_leaves_no_core(self):
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, before)
        broker = self.start_broker()
        with open("/proc/%d/limits" % broker.process.pid) as file:
            self.assertRegex(file.read(), r"Max core file size\s+0\s+0\s")
        self.abort_under_load(broker)
        left = [name for _, _, names in os.walk(broker.directory) for name in names]
        self.assertFalse([name for name in left if "core" in name], left)
        self.assertNotIn("nobody's business", broker.log())
        self.assertNotIn("PRIVATE KEY", broker.log())

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_nobody_looks_into_a_broker_that_runs_as_the_same_user(self):
        """Files in /proc of a process that cannot be dumped belong to root."""
        broker = self.new_broker()
        self.give_to(broker, NOBODY)
        broker.start()
        self.assertNotIn("runs as root", broker.log())
        self.assertEqual(os.stat("/proc/%d/mem" % broker.process.pid).st_uid, 0)
        self.abort_under_load(broker)

    def give_to(self, broker, user):
        """The same broker, started as another user, with files of his own."""
        # What a new directory lets nobody else into, the broker has to get through.
        os.chmod(self.directory, 0o711)
        for name in ("certificate", "key", "ca"):
            shutil.copy(getattr(broker.credentials, name), broker.directory)
        broker.credentials = type(broker.credentials)(*(
            os.path.join(broker.directory, os.path.basename(getattr(broker.credentials, name)))
            for name in ("ca", "certificate", "key")))
        broker.configure()
        for name in ("", *os.listdir(broker.directory)):
            os.chown(os.path.join(broker.directory, name), user, user)
        program = os.path.join(self.directory, "handoffd")
        shutil.copy(broker.program, program)
        wrapper = os.path.join(self.directory, "as-another-user")
        with open(wrapper, "w") as file:
            file.write('#!/bin/sh\nexec setpriv --reuid %d --clear-groups "%s" "$@"\n'
                       % (user, program))
        os.chmod(wrapper, stat.S_IRWXU)
        broker.program = wrapper


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class Unit(unittest.TestCase):
    """conf/handoffd.service: locked in by systemd, too, and no tighter than the broker needs."""

    def analyze(self, *words):
        done = subprocess.run(["systemd-analyze", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def test_its_exposure_is_at_most_1_1(self):
        status, output = self.analyze("security", "--offline=true", "--threshold=11", UNIT)
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"exposure level for handoffd.service: [01]\.")

    def calls(self, words):
        """The system calls that the words of a SystemCallFilter stand for."""
        found = set()
        for word in words:
            if not word.startswith("@"):
                found.add(word)
                continue
            _, output = self.analyze("syscall-filter", word)
            found |= self.calls(line.strip() for line in output.splitlines()[2:] if line.strip())
        return found

    def test_its_filter_allows_what_the_sandbox_allows_and_needs(self):
        with open(UNIT) as file:
            filters = re.findall(r"(?m)^SystemCallFilter=(.*)$", file.read())
        allowed = self.calls(" ".join(f for f in filters if f[0] != "~").split())
        denied = self.calls(" ".join(f[1:] for f in filters if f[0] == "~").split())
        with open(SANDBOX) as file:
            needed = set(re.findall(r"SCMP_SYS\((\w+)\)", file.read()))
        self.assertGreater(len(needed), 40)
        needed |= {"seccomp", "prctl", "landlock_create_ruleset", "landlock_add_rule",
                   "landlock_restrict_self"}
        self.assertFalse(needed - (allowed - denied))
