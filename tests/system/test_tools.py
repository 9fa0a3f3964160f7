"""test_tools.py - the command handoff as a whole: the pipeline, and its certificates."""

import os
import random
import stat
import time

from case import Case, authority
from certificates import Credentials
from command import Command, environment
from tool_case import (PATIENT_ROUTES, Tools, as_multiset, lines_of, read_records, read_whole_lines,
                       some_records)


class Pipeline(Tools):
    def test_carries_records_from_send_through_work_to_recv(self):
        broker = self.start_broker(PATIENT_ROUTES)
        records = some_records(1000)
        worker = self.start(broker, "BETA", "work", "--to", "GAMMA", "--jobs", 3, "--exec",
                            "sed 's/^{/{\"seen\":true,/'")
        self.assert_status(self.send(broker, lines_of(records)), 0)
        received = self.receive(broker, 1000)
        self.assertEqual(as_multiset(received),
                         as_multiset([{"seen": True, **record} for record in records]))
        self.assertEqual(worker.terminate(), 0, worker.said())

    def run_through_kills(self, records, command, *send_arguments, **broker_settings):
        """All records through a pipeline of which each part is killed over and over; the output."""
        broker = self.start_broker(PATIENT_ROUTES, **broker_settings)
        source = self.write("source", lines_of(records))
        chance = random.Random(os.urandom(8))

        def begin_send():
            with open(source) as file:
                return self.start(broker, "ALPHA", "send", "--to", "BETA", "--journal",
                                  self.path("journal"), *send_arguments, stdin=file)

        begin = {
            "send": begin_send,
            "work": lambda: self.start(broker, "BETA", "work", "--to", "GAMMA", "--jobs", 2,
                                       "--verbose", "--exec", command),
            "recv": lambda: self.start(broker, "GAMMA", "recv", "--verbose", "--output",
                                       self.path("out")),
        }
        running = {name: start() for name, start in begin.items()}
        for _ in range(24):
            time.sleep(chance.uniform(0.01, 0.15))
            name = chance.choice(["broker", *running])
            if name == "broker":
                broker.restart()
                continue
            if running[name].kill() == 0:
                self.assertEqual(name, "send")
            running[name] = begin[name]()
        self.assertEqual(running["send"].wait(), 0, running["send"].said())
        self.wait_until(lambda: len(read_whole_lines(self.path("out"))) >= len(records),
                        "all records in the output")
        for name in ("work", "recv"):
            self.wait_until_connected(running[name])
            self.assertEqual(running[name].terminate(), 0, running[name].said())
        return read_records(self.path("out"))

    def test_loses_and_doubles_nothing_when_all_are_killed_again_and_again(self):
        records = some_records(6000)
        self.assertEqual(as_multiset(self.run_through_kills(records, "cat")), as_multiset(records))

    def test_loses_and_doubles_nothing_where_outputs_are_of_several_batches(self):
        records = some_records(2500)
        received = self.run_through_kills(
            records, "awk '{ sub(/}$/, sprintf(\",\\\"long\\\":\\\"%03000d\\\"}\", 0)); print }'",
            "--wait", "processed", max_frame_bytes="64K")
        self.assertEqual(as_multiset(received),
                         as_multiset([{**record, "long": "0" * 3000} for record in records]))


class Issued:
    """An authority made with handoff cert, as a broker under test wants one."""

    def __init__(self, directory):
        self.directory = directory

    def credentials(self, name):
        return Credentials(*(os.path.join(self.directory, file)
                             for file in ("ca.crt", name + ".crt", name + ".key")))

    def broker(self):
        return self.credentials("broker")


class Certificates(Tools):
    def handoff(self, *arguments, status=0):
        """Runs it without any broker; what it printed."""
        command = Command(arguments, environment())
        self.commands.append(command)
        self.assertEqual(command.wait(), status, command.said())
        return command

    def setUp(self):
        super().setUp()
        self.pki = self.path("pki")

    def test_serve_a_broker_and_its_modules(self):
        self.handoff("cert", "init", self.pki)
        self.handoff("cert", "issue", self.pki, "broker", "ALPHA", "beta")
        issued = Issued(self.pki)
        broker = self.start_broker_of(issued)
        records = some_records(10)
        self.write("input", lines_of(records))
        with open(self.path("input")) as file:
            sending = Command(["send", "--module", "ALPHA", "--to", "BETA", "--certs", self.pki],
                              environment(broker.address), stdin=file)
        self.commands.append(sending)
        self.assertEqual(sending.wait(), 0, sending.said())
        receiving = Command(["recv", "--module", "BETA", "--certs", self.pki, "--count", 10,
                             "--output", self.path("out")], environment(broker.address))
        self.commands.append(receiving)
        self.assertEqual(receiving.wait(), 0, receiving.said())
        self.assertEqual(read_records(self.path("out")), records)

    def start_broker_of(self, issued):
        from broker import Broker
        directory = self.path("broker")
        os.mkdir(directory)
        broker = Broker(directory, issued)
        self.brokers.append(broker)
        return broker.start()

    def test_keep_keys_to_their_owner(self):
        self.handoff("cert", "init", self.pki)
        self.handoff("cert", "issue", self.pki, "ALPHA")
        for name, mode in (("ca.key", 0o600), ("alpha.key", 0o600), ("ca.crt", 0o644)):
            found = stat.S_IMODE(os.stat(os.path.join(self.pki, name)).st_mode)
            self.assertEqual(oct(found), oct(mode), name)

    def test_are_replaced_only_when_told_so(self):
        self.handoff("cert", "init", self.pki)
        with open(os.path.join(self.pki, "ca.key")) as file:
            key = file.read()
        refused = self.handoff("cert", "init", self.pki, status=73)
        self.assertIn("ca.", refused.said())
        with open(os.path.join(self.pki, "ca.key")) as file:
            self.assertEqual(file.read(), key)
        self.handoff("cert", "init", "--force", self.pki)
        with open(os.path.join(self.pki, "ca.key")) as file:
            self.assertNotEqual(file.read(), key)

    def test_are_shown(self):
        self.handoff("cert", "init", self.pki)
        self.handoff("cert", "issue", self.pki, "ALPHA", "--trust-domain", "example.org",
                     "--days", "7")
        self.handoff("cert", "issue", self.pki, "broker", "--dns", "broker.example", "--ip",
                     "192.0.2.7")
        shown = self.handoff("cert", "show", *(os.path.join(self.pki, name) for name in
                                               ("ca.crt", "alpha.crt", "broker.crt"))).output
        for line in ("use          authority", "use          module", "use          broker",
                     "URI          spiffe://example.org/module/alpha",
                     "DNS          broker.example", "address      192.0.2.7"):
            self.assertIn(line + "\n", shown)
        self.assertNotIn("localhost", shown)

    def test_that_have_expired_are_shown_with_status_1(self):
        expired = authority().issue("expired", uris=["spiffe://test/module/alpha"], days=-1)
        shown = self.handoff("cert", "show", expired.certificate, status=1)
        self.assertIn("(expired)", shown.output)

    def test_wrong_words_are_told(self):
        self.handoff("cert", "init", self.pki)
        for arguments, status, words in (
                (["cert"], 2, "--help"),
                (["cert", "issue", self.pki], 2, "--help"),
                (["cert", "issue", self.pki, "9LIVES"], 2, "9LIVES"),
                (["cert", "issue", self.pki, "CA"], 2, "CA"),
                (["cert", "issue", self.path("none"), "ALPHA"], 73, "none"),
                (["cert", "show", self.path("none")], 66, "none"),
                (["cert", "init", self.pki, "--days", "0"], 2, "--days"),
                (["cert", "init", self.pki, "--colour"], 2, "--colour"),
                (["mail"], 2, "mail")):
            self.assertIn(words, self.handoff(*arguments, status=status).said())


class Help(Case):
    def test_is_there_for_each_command(self):
        for command in ([], ["cert"], ["send"], ["work"], ["recv"]):
            helping = Command([*command, "--help"], environment())
            self.assertEqual(helping.wait(), 0)
            self.assertIn("usage: handoff", helping.output)
            self.assertLessEqual(max(map(len, helping.output.split("\n"))), 100)
