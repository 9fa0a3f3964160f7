"""test_send.py - handoff send: what is in custody when it ends, and what it says."""

import os
import pty
import subprocess

import messages
from case import authority
from command import Command, environment
from tool_case import Tools, as_multiset, lines_of, read_records, some_records

SMALL = 'route "alpha-beta" { batch_size = 10 flush_timeout_ms = 50 }'


def decoded(delivery):
    return messages.decode(delivery["records"])


class Send(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SMALL)

    def delivered(self, count):
        """So many deliveries at BETA, which are finished."""
        beta = self.module(self.broker, "BETA", 100)
        deliveries = [beta.delivery() for _ in range(count)]
        for delivery in deliveries:
            beta.finish(delivery)
        beta.expect_none("BATCH_TRANSFER")
        return deliveries

    def test_ends_when_all_is_in_custody(self):
        records = some_records(25)
        self.assert_status(self.send(self.broker, lines_of(records)), 0, "25 records in 3 batches")
        self.broker.restart()
        deliveries = self.delivered(3)
        self.assertEqual([r for d in deliveries for r in decoded(d)], records)
        self.assertEqual([len(decoded(d)) for d in deliveries], [10, 10, 5])

    def test_nothing_is_fine(self):
        self.assert_status(self.send(self.broker, "\n \n"), 0, "0 records")

    def test_keeps_records_as_they_were(self):
        line = ('{"record_id":"a","big":18446744073709551615,"small":-9223372036854775808,'
                '"float":1.0,"text":"\\ud834\\udd1e","deep":[[[{"x":{}}]]]}')
        self.assert_status(self.send(self.broker, line), 0)
        record = decoded(self.delivered(1)[0])[0]
        self.assertEqual(record, {"record_id": "a", "big": 2**64 - 1, "small": -2**63, "float": 1.0,
                                  "text": "\U0001d11e", "deep": [[[{"x": {}}]]]})
        self.assertIsInstance(record["float"], float)

    def test_takes_record_id_from_a_field_or_makes_one(self):
        self.assert_status(self.send(self.broker, '{"n":7}\n{"n":8}', "--id-field", "n"), 0)
        self.assert_status(self.send(self.broker, '{"n":7}\n{"n":8}'), 0)
        first, second = self.delivered(2)
        self.assertEqual([r["record_id"] for r in decoded(first)], ["7", "8"])
        self.assertEqual(len({r["record_id"] for r in decoded(second)}), 2)

    def test_begins_a_batch_where_a_record_id_comes_again(self):
        records = [{"record_id": i} for i in ("a", "b", "a", "a", "c")]
        self.assert_status(self.send(self.broker, lines_of(records)), 0)
        self.assertEqual([[r["record_id"] for r in decoded(d)] for d in self.delivered(3)],
                         [["a", "b"], ["a"], ["a", "c"]])

    def test_sends_a_critical_record_at_once(self):
        records = some_records(5)
        records[2]["priority"] = "CRITICAL"
        self.assert_status(self.send(self.broker, lines_of(records)), 0)
        found = {len(decoded(d)): d.get("priority", "NORMAL") for d in self.delivered(2)}
        self.assertEqual(found, {3: "CRITICAL", 2: "NORMAL"})

    def test_does_not_keep_a_record_waiting_for_others(self):
        sending = self.start(self.broker, "ALPHA", "send", "--to", "BETA", stdin=subprocess.PIPE)
        sending.process.stdin.write(b'{"record_id":"a"}\n{"record_id":"b"}\n{"record')
        sending.process.stdin.flush()
        beta = self.module(self.broker, "BETA")
        first = beta.delivery()
        self.assertEqual([r["record_id"] for r in decoded(first)], ["a", "b"])
        beta.finish(first)
        sending.process.stdin.write(b'_id":"c"}')
        sending.process.stdin.close()
        sending.process.stdin = None
        self.assertEqual(sending.wait(), 0, sending.said())
        self.assertEqual([r["record_id"] for r in decoded(beta.delivery())], ["c"])

    def test_splits_by_size_too_and_refuses_what_fits_nowhere(self):
        self.broker.stop()
        broker = self.start_broker('route "alpha-beta" { batch_size = 1000 }', max_frame_bytes="64K")
        records = [{"record_id": "r%d" % i, "x": "y" * 10000} for i in range(20)]
        self.assert_status(self.send(broker, lines_of(records)), 0)
        huge = lines_of([{"record_id": "small"}, {"record_id": "huge", "x": "y" * 70000}])
        self.assert_status(self.send(broker, huge), 65, "line 2")
        self.broker = broker
        received = self.receive(broker, 21, module="BETA")
        self.assertEqual(as_multiset(received), as_multiset([*records, {"record_id": "small"}]))

    def test_names_the_line_that_is_wrong_and_keeps_what_comes_before(self):
        text = lines_of(some_records(12)) + '\n{"record_id": "x" "y"}\n' + lines_of(some_records(5))
        self.assert_status(self.send(self.broker, text), 65, "line 14, column 19:",
                           "12 records in 2 batches")
        self.assertEqual(sum(len(decoded(d)) for d in self.delivered(2)), 12)

    def test_waits_for_a_broker_that_is_not_there_yet(self):
        self.broker.stop()
        sending = self.start(self.broker, "ALPHA", "send", "--to", "BETA", stdin=subprocess.PIPE)
        sending.process.stdin.write(b'{"record_id":"a"}\n')
        sending.process.stdin.close()
        sending.process.stdin = None
        self.wait_until(lambda: "waiting for the broker" in sending.said(), "it says so")
        self.broker.start()
        self.assertEqual(sending.wait(), 0, sending.said())
        self.assertEqual(sending.said().count("waiting for the broker"), 1)

    def test_waits_while_the_route_is_full(self):
        self.broker.stop()
        broker = self.start_broker('route "alpha-beta" { batch_size = 1 queue_capacity = 3 '
                                   "retry_delay_ms = 20 }")
        self.write("input", lines_of(some_records(10)))
        with open(self.path("input")) as file:
            sending = self.start(broker, "ALPHA", "send", "--to", "BETA", stdin=file)
        self.assertEqual(as_multiset(self.receive(broker, 10, module="BETA")),
                         as_multiset(some_records(10)))
        self.assertEqual(sending.wait(), 0, sending.said())


class Statuses(Tools):
    def test_tell_what_was_wrong(self):
        broker = self.start_broker()
        self.assert_status(self.send(broker, '{"a":1}', to="GAMMA"), 78, "no route")
        self.assert_status(self.send(broker, "", "--wait", "forever"), 2, "--wait")
        self.assert_status(self.send(broker, "", "words"), 2, "words")
        self.assert_status(self.send(broker, "", HANDOFF_CA=self.path("none")), 66, "none")
        self.assert_status(self.send(broker, "", "--server-name", "elsewhere"), 77)
        beta = authority().module("BETA")
        self.assert_status(self.send(broker, "", HANDOFF_CERT=beta.certificate,
                                     HANDOFF_KEY=beta.key), 77)
        self.assert_status(self.send(broker, "", "--instance", "x" * 65), 78)
        broker.stop()
        self.assert_status(self.send(broker, "", "--connect-timeout", "200"), 69, "200 ms")

    def test_need_certificates_to_be_named(self):
        command = Command(["send", "--module", "ALPHA", "--to", "BETA"], environment())
        command.status = command.wait()
        self.assert_status(command, 2, "--certs")


class Outcomes(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SMALL)

    def begin(self, count, *arguments):
        self.write("input", lines_of(some_records(count)))
        with open(self.path("input")) as file:
            return self.start(self.broker, "ALPHA", "send", "--to", "BETA", "--wait", "processed",
                              *arguments, stdin=file)

    def end(self, sending):
        sending.status = sending.wait()
        return sending

    def test_are_waited_for(self):
        sending = self.begin(20)
        beta = self.module(self.broker, "BETA")
        first, second = beta.delivery(), beta.delivery()
        beta.finish(first)
        beta.expect_none("BATCH_TRANSFER", seconds=0.2)
        self.assertTrue(sending.is_running())
        beta.finish(second)
        self.assert_status(self.end(sending), 0)

    def test_are_told_when_they_are_bad(self):
        sending = self.begin(10)
        beta = self.module(self.broker, "BETA")
        beta.reject(beta.delivery(), "PERMANENT", error_message="it smells")
        self.assert_status(self.end(sending), 1, "dead letter", "it smells")

    def test_are_told_when_records_were_rejected(self):
        sending = self.begin(10)
        beta = self.module(self.broker, "BETA")
        error = messages.error("BETA", "PERMANENT", scope="RECORD", context={"record_id": "r3"})
        beta.answer_to(beta.acknowledge(beta.delivery(), "PROCESSED", accepted=9, errors=[error]))
        self.assert_status(self.end(sending), 1, "rejected 1", "record_id=r3")

    def test_are_found_by_the_next_run_with_the_journal(self):
        journal = ["--journal", self.path("journal")]
        sending = self.begin(20, *journal)
        beta = self.module(self.broker, "BETA")
        first, second = beta.delivery(), beta.delivery()
        self.wait_until(lambda: read_text(self.path("journal")).count("received") == 2, "received")
        sending.kill()
        beta.finish(first)
        sending = self.begin(20, *journal)
        beta.finish(second)
        self.assert_status(self.end(sending), 0)
        beta.expect_none("BATCH_TRANSFER")
        self.assert_status(self.end(self.begin(20, *journal)), 0)


def read_text(path):
    with open(path) as file:
        return file.read()


class Journal(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SMALL)
        self.journal = ["--journal", self.path("journal")]

    def delivered_records(self):
        """What is in custody for BETA."""
        beta = self.start(self.broker, "BETA", "recv", "--output", self.path("out"), "--idle", 300)
        self.assertEqual(beta.wait(), 0, beta.said())
        return read_records(self.path("out"))

    def test_sends_nothing_twice(self):
        text = lines_of(some_records(25))
        self.assert_status(self.send(self.broker, text, *self.journal), 0)
        self.assert_status(self.send(self.broker, text, *self.journal), 0, "0 records",
                           "3 batches are in custody")
        self.assertEqual(self.delivered_records(), some_records(25))

    def test_goes_on_where_the_input_has_grown(self):
        self.assert_status(self.send(self.broker, lines_of(some_records(25)), *self.journal), 0)
        self.assert_status(self.send(self.broker, lines_of(some_records(40)), *self.journal), 0,
                           "15 records")
        self.assertEqual(self.delivered_records(), some_records(40))

    def test_repeats_what_was_not_known_to_be_received(self):
        """As after a death between the sending and the answer."""
        text = lines_of([{"n": i} for i in range(25)])
        self.assert_status(self.send(self.broker, text, *self.journal), 0)
        lines = read_text(self.path("journal")).splitlines(keepends=True)
        self.write("journal", "".join(line for line in lines if not line.startswith("received")))
        self.assert_status(self.send(self.broker, text, *self.journal), 0, "3 are sent again")
        self.assertEqual([record["n"] for record in self.delivered_records()], list(range(25)))

    def test_goes_on_behind_a_line_that_was_mended(self):
        records = some_records(25)
        text = lines_of(records)
        broken = text.replace('"r17"', "r17")
        self.assert_status(self.send(self.broker, broken, *self.journal), 65, "line 18")
        self.assert_status(self.send(self.broker, text, *self.journal), 0)
        self.assertEqual(self.delivered_records(), records)

    def test_takes_a_pipe(self):
        for _ in range(2):
            sending = self.start(self.broker, "ALPHA", "send", "--to", "BETA", *self.journal,
                                 stdin=subprocess.PIPE)
            sending.process.stdin.write(lines_of(some_records(25)).encode())
            sending.process.stdin.close()
            sending.process.stdin = None
            self.assertEqual(sending.wait(), 0, sending.said())
        self.assertEqual(self.delivered_records(), some_records(25))

    def test_refuses_another_input(self):
        text = lines_of(some_records(25))
        self.assert_status(self.send(self.broker, text, *self.journal), 0)
        self.assert_status(self.send(self.broker, text.replace("r13", "R13"), *self.journal), 65,
                           "(from line 11) differ")
        self.assert_status(self.send(self.broker, lines_of(some_records(15)), *self.journal), 65,
                           "(from line 11) are missing")
        self.assertEqual(self.delivered_records(), some_records(25))

    def test_refuses_other_options_and_another_run_beside_it(self):
        self.assert_status(self.send(self.broker, "", *self.journal), 0)
        self.assert_status(self.send(self.broker, "", *self.journal, "--id-field", "n"), 65,
                           "id-field")
        first = self.start(self.broker, "ALPHA", "send", "--to", "BETA", "--verbose", *self.journal,
                           stdin=subprocess.PIPE)
        self.wait_until_connected(first)
        self.assert_status(self.send(self.broker, "", *self.journal), 75, "in use")


class Terminal(Tools):
    def on_terminal(self, *arguments, **variables):
        """What handoff send shows on a terminal."""
        broker = self.start_broker(SMALL)
        self.write("input", lines_of(some_records(10)))
        ours, its = pty.openpty()
        with open(self.path("input")) as file:
            process = subprocess.Popen(
                [Command.program, "send", "--module", "ALPHA", "--to", "BETA", "--wait",
                 "processed", *arguments], stdin=file, stderr=its,
                env=environment(broker.address, authority().module("ALPHA"), TERM="xterm",
                                **variables))
        os.close(its)
        shown = b""
        beta = self.module(broker, "BETA")
        delivery = beta.delivery()
        while b"10 records, 1 batches" not in shown and "--quiet" not in arguments:
            shown += os.read(ours, 4096)
        beta.reject(delivery, "PERMANENT", error_message="bell \x07 \x1b[31m")
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:
                break
        os.close(ours)
        self.assertEqual(process.wait(10), 1)
        return shown.decode()

    def test_shows_progress_and_colour(self):
        shown = self.on_terminal()
        self.assertIn("10 records, 1 batches", shown)
        self.assertIn("\033[31mbatch ", shown)

    def test_shows_no_control_characters_of_others(self):
        shown = self.on_terminal(NO_COLOR="1")
        self.assertIn("bell \\x07 \\x1b[31m", shown)
        self.assertNotIn("\033[31m", shown)

    def test_shows_no_progress_when_quiet(self):
        shown = self.on_terminal("--quiet")
        self.assertIn("dead letter", shown)
        self.assertNotIn("under way", shown)
        self.assertNotIn("sent", shown)
