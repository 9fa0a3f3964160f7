"""test_admin.py - handoffctl(8): the operator's socket, who may use it, and what it bears."""

import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from broker import ROOT
from case import Case
from control import HANDOFFCTL, Operator, handoffctl
from handoff_client import PATIENCE_SECONDS

STRANGER = 4711
ADMIN = 'admin { socket = "admin.sock" }'


def manual():
    with open(os.path.join(ROOT, "man", "handoffctl.8")) as file:
        return file.read()


class Admin(Case):
    def setUp(self):
        super().setUp()
        self.operators = []

    def tearDown(self):
        for operator in self.operators:
            operator.close()
        super().tearDown()

    def start(self, settings=ADMIN, **more):
        self.broker = self.start_broker(settings, **more)
        self.path = os.path.join(self.broker.directory, "admin.sock")
        return self.broker

    def operator(self):
        self.operators.append(Operator(self.path))
        return self.operators[-1]

    def run_as(self, uid, *words, gid=0):
        """handoffctl as another user, whom the directories let through."""
        for directory in (self.directory, self.broker.directory):
            os.chmod(directory, 0o711)
        program = shutil.copy(HANDOFFCTL, os.path.join(self.directory, "handoffctl"))
        os.chmod(program, 0o755)
        return handoffctl(self.path, *words, program=program, user=uid, group=gid, extra_groups=[])

    def assert_serves(self):
        status, output, errors = handoffctl(self.path, "version")
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, r"^version +\d")


def with_filters(synopsis):
    """The filters by their name: the manual tells of them once, in a section of their own."""
    listed = manual().split(".Ss Which batches")[1].split(".El")[0]
    names = set(re.findall(r"Fl -([a-z-]+)", listed)) - {"all"}
    several = r"(\[--(%s)( [A-Z]+)?\] ?){3,}" % "|".join(sorted(names))
    return re.sub(several, "[filters] ", synopsis).strip()


class Commands(Admin):
    def test_the_manual_has_the_tables_commands_in_order(self):
        self.start()
        commands = json.loads(handoffctl(self.path, "--json", "help")[1])["commands"]
        section = manual().split(".Sh COMMANDS")[1].split(".Sh PROTOCOL")[0]
        shown = []
        for line in re.findall(r"^\.It Ic (.*)$", section, re.M):
            plain = re.sub(r"\bOo\b ?", "[", line)
            plain = re.sub(r" Oc( Ns)? ?", "] ", plain).replace("] ...", "]... ")
            plain = re.sub(r"\b(Ar|Ns|Ic) ", "", plain).replace("Fl -", "--")
            plain, role = re.match(r"(.*?) *Pq (\w+)$", plain).groups()
            shown.append((plain.strip(), role))
        self.assertEqual(shown, [(with_filters(c["command"]), c["role"]) for c in commands])

    def test_limits_shows_settings_and_constants(self):
        self.start(ADMIN + 'route "alpha-beta" { queue_capacity = 77 }', max_connections=99)
        found = {limit["limit"]: (limit["value"], limit["unit"])
                 for limit in json.loads(handoffctl(self.path, "limits", "--json")[1])["limits"]}
        self.assertEqual(found["max_connections"], (99, "count"))
        self.assertEqual(found["alpha-beta.queue_capacity"], (77, "count"))
        self.assertEqual(found["store.size"], (64 << 20, "bytes"))
        self.assertEqual(found["admin request"], (65536, "bytes"))
        self.assertEqual(found["admin idle timeout"], (300000, "ms"))
        status, text, _ = handoffctl(self.path, "limits")
        self.assertEqual((status, len(text.splitlines())), (0, len(found) + 1))

    def test_limits_of_many_routes_come_over_several_turns(self):
        modules = "".join('module "M%d" { }\n' % i for i in range(50))
        routes = "".join('route "r%d" { source = "M%d" target = "ALPHA" }\n' % (i, i)
                         for i in range(50))
        self.start(ADMIN + modules + routes)
        limits = json.loads(handoffctl(self.path, "--json", "limits")[1])["limits"]
        self.assertGreater(len(limits), 500)
        self.assertEqual(len({limit["limit"] for limit in limits}), len(limits))

    def test_the_log_level_changes_and_the_change_is_logged(self):
        broker = self.start()
        self.assertEqual(handoffctl(self.path, "log-level")[1].split(), ["log_level", "info"])
        status, output, _ = handoffctl(self.path, "--reason", 'to "see"', "log-level", "debug")
        self.assertEqual((status, output.split()), (0, ["log_level", "debug"]))
        broker.wait_for_log(r'info operator uid=%d user="\w+" pid=\d+ command="log-level debug" '
                            r'reason="to \\"see\\""' % os.geteuid())
        self.module(broker, "ALPHA").hand_over()
        broker.wait_for_log(r" debug committed ")
        self.assertEqual(handoffctl(self.path, "log-level", "loud")[0], 2)

    def test_codes_and_streams(self):
        self.start()
        status, output, errors = handoffctl(self.path, "hlep")
        self.assertEqual((status, output), (2, ""))
        self.assertIn('did you mean "help"?', errors)
        status, output, errors = handoffctl(self.path, "help", "nothing")
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(json.loads(handoffctl(self.path, "--json", "hlep")[2])["code"], 2)

    def test_the_programs_own_options(self):
        self.assertEqual(handoffctl(None, "--version")[1].split()[0], "handoffctl")
        self.assertEqual(handoffctl(None, "--help")[0], 0)
        for words in ([], ["--colour"], ["-s"], ["--reason"]):
            status, output, errors = handoffctl(None, *words)
            self.assertEqual((status, output), (2, ""))
            self.assertIn("--help", errors)
        for option in ("--socket", "--json", "--yes", "--reason", "--no-color"):
            self.assertIn(option, handoffctl(None, "--help")[1])
            self.assertRegex(manual(), r"(?m)^\.It .*[ ]%s\b" % option[1:])
        self.start()
        self.assertEqual(handoffctl(None, "-s", self.path, "-j", "version")[0], 0)
        self.assertEqual(handoffctl(None, "version", "--socket=" + self.path)[0], 0)

    def test_a_broker_that_is_not_there_is_69_with_a_remedy(self):
        nowhere = os.path.join(self.directory, "none.sock")
        status, _, errors = handoffctl(nowhere, "version")
        self.assertEqual(status, 69)
        self.assertIn(nowhere, errors)
        self.assertIn("admin.socket", errors)
        self.assertEqual(handoffctl("/" + 200 * "x", "version")[0], 69)

    def complete(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _handoffctl; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(
            ["bash", "-c", script, "bash", os.path.join(ROOT, "tools/completion/handoffctl.bash"),
             HANDOFFCTL, *words], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
            env={**os.environ, "HANDOFF_ADMIN": self.path})
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_completion_asks_the_running_broker(self):
        self.start()
        self.assertEqual(self.complete("lo"), ["log-level"])
        self.assertEqual(self.complete("help", "li"), ["limits"])
        self.assertEqual(self.complete("-s", self.path, "--json", "ver"), ["version"])
        self.assertEqual(self.complete("--rea"), ["--reason"])
        self.broker.stop()
        self.assertEqual(self.complete("lo"), [])


class Socket(Admin):
    def test_has_its_mode_and_goes_at_a_clean_end(self):
        broker = self.start()
        self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o660)
        self.assertEqual([name for name in os.listdir(broker.directory) if name.startswith(".")], [])
        waiting = self.operator()
        waiting.ask("version")
        broker.stop()
        self.assertFalse(os.path.lexists(self.path))
        self.assertTrue(waiting.ends())

    def test_one_left_by_a_killed_broker_is_replaced(self):
        broker = self.start()
        broker.kill()
        self.assertTrue(os.path.lexists(self.path))
        broker.start()
        self.assert_serves()

    def refusal(self, broker):
        broker.spawn()
        self.assertEqual(broker.wait(), 78, broker.log())
        return broker.log()

    def test_a_second_broker_is_refused_and_the_first_goes_on(self):
        self.start()
        second = self.new_broker('admin { socket = "%s" }' % self.path)
        self.assertIn("is served by another process", self.refusal(second))
        self.assert_serves()

    def test_what_is_no_socket_is_left_alone(self):
        broker = self.new_broker(ADMIN)
        path = os.path.join(broker.directory, "admin.sock")
        with open(path, "w") as file:
            file.write("mine")
        self.assertIn("is no socket", self.refusal(broker))
        with open(path) as file:
            self.assertEqual(file.read(), "mine")

    def test_unknown_users_refuse_the_start(self):
        broker = self.new_broker('admin {\n socket = "admin.sock"\n readers = { "no-such-user" } }')
        log = self.refusal(broker)
        self.assertRegex(log, r'handoffd\.conf:7: admin\.readers: there is no user "no-such-user"')

    def test_it_opens_when_modules_have_all_descriptors(self):
        broker = self.start()
        self.assert_serves()
        resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (48, 48))
        crowd = [socket.create_connection(broker.address) for _ in range(64)]
        try:
            broker.wait_for_log("accepting paused")
            self.assert_serves()
        finally:
            for one in crowd:
                one.close()


@unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
class Roles(Admin):
    def test_the_sockets_mode_keeps_strangers_out(self):
        self.start()
        status, _, errors = self.run_as(STRANGER, "version", gid=STRANGER)
        self.assertEqual(status, 69)
        self.assertIn("member of the socket's group", errors)

    def test_whom_the_mode_lets_in_may_look_and_change_nothing(self):
        broker = self.start()
        self.assertEqual(self.run_as(STRANGER, "log-level")[0], 0)
        status, output, errors = self.run_as(STRANGER, "log-level", "debug")
        self.assertEqual((status, output), (77, ""))
        self.assertIn("admin.operators", errors)
        broker.wait_for_log(r"warning operator refused uid=%d" % STRANGER)
        self.assertEqual(handoffctl(self.path, "log-level")[1].split(), ["log_level", "info"])

    def test_operators_may_change(self):
        broker = self.start('admin { socket = "admin.sock" operators = { %d } }' % STRANGER)
        self.assertEqual(self.run_as(STRANGER, "log-level", "debug")[0], 0)
        broker.wait_for_log(r"info operator uid=%d " % STRANGER)

    def test_readers_when_given_are_all_who_may_look(self):
        self.start('admin { socket = "admin.sock" readers = { %d } }' % STRANGER)
        self.assertEqual(self.run_as(STRANGER, "version")[0], 0)
        status, _, errors = self.run_as(STRANGER + 1, "version")
        self.assertEqual(status, 77)
        self.assertIn("admin.readers", errors)
        self.assert_serves()

    def test_an_empty_list_of_readers_lets_nobody_in(self):
        self.start('admin { socket = "admin.sock" readers = { } }')
        self.assertEqual(self.run_as(STRANGER, "version")[0], 77)
        self.assert_serves()


class Strangers(Admin):
    def test_the_ninth_connection_is_told_and_closed(self):
        self.start()
        for _ in range(8):
            self.assertEqual(self.operator().ask("version")[0], 0)
        ninth = self.operator()
        code, body = ninth.answer()
        self.assertEqual(code, 75)
        self.assertIn("8 connections", body)
        self.assertTrue(ninth.ends())
        self.assertEqual(handoffctl(self.path, "version")[0], 75)
        self.operators.pop(0).close()
        self.assertEqual(self.operators[0].ask("version")[0], 0)

    def test_a_long_line_is_refused(self):
        self.start()
        operator = self.operator()
        try:
            operator.send(b"x" * (1 << 20))
        except OSError:
            pass
        code, body = operator.answer()
        self.assertEqual(code, 2)
        self.assertIn("65536", body)
        self.assertTrue(operator.ends())
        self.assert_serves()

    def test_the_program_shows_the_refusal_of_a_long_line(self):
        self.start()
        status, _, errors = handoffctl(self.path, "help", *["x" * 30000] * 4)
        self.assertEqual(status, 2, errors)
        self.assertIn("65536", errors)

    def test_one_who_shuts_its_side_is_answered_and_closed(self):
        self.start()
        operator = self.operator()
        operator.send("limits")
        operator.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(operator.answer()[0], 0)
        self.assertTrue(operator.ends())

    def test_an_unfinished_line_holds_up_nobody(self):
        self.start()
        self.operator().send(b"vers")
        self.assert_serves()
        client = self.module(self.broker, "ALPHA")
        client.hand_over()

    def test_one_who_never_reads_costs_a_bounded_buffer(self):
        broker = self.start()
        self.operator().send(b"limits\n" * 9000)
        for _ in range(50):
            self.assert_serves()
        before = broker.memory()
        self.module(broker, "ALPHA").hand_over()
        self.assertLess(broker.memory() - before, 4 << 20)

    def test_random_bytes_do_no_harm(self):
        self.start()
        rng = random.Random(1)
        words = [b"help", b"limits", b"json", b"yes", b"reason", b"version", b'"', b"\\", b" ", b".",
                 b"--words", b"\0", b"\xff"]
        operator = self.operator()
        for i in range(1000):
            if i % 2:
                line = bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
            else:
                line = b" ".join(rng.choice(words) for _ in range(rng.randrange(70)))
            line = line.replace(b"\n", b"")
            operator.send(line + b"\n")
            self.assertIn(operator.answer()[0], (0, 1, 2), line)
        self.assert_serves()

    def test_connections_that_come_and_go_leave_nothing(self):
        broker = self.start()
        descriptors = "/proc/%d/fd" % broker.process.pid
        self.assert_serves()
        before = len(os.listdir(descriptors))
        for i in range(300):
            operator = Operator(self.path)
            try:
                operator.send([b"", b"help", b"limits\n", b"\n\n\n"][i % 4])
            except OSError:
                pass
            operator.close()
        self.assert_serves()
        self.assert_serves()
        self.assertEqual(len(os.listdir(descriptors)), before)

    def test_a_stopping_broker_does_not_wait_for_operators(self):
        broker = self.start()
        self.operator().send(b"limits\n" * 1000)
        broker.stop(signal.SIGTERM)
