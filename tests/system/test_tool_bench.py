"""test_tool_bench.py - handoff bench: what it measures, and that it does a broker no harm."""

import json
import os
import pty
import subprocess

from case import authority
from command import Command, environment
from tool_case import Tools, lines_of, some_records

SMALL = 'route "alpha-beta" { batch_size = 10 retry_delay_ms = 20 }'
FEW = ("--batches", 20, "--records", 3, "--size", 50)


class Bench(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SMALL)
        self.made = self.written()      # the store itself

    def written(self):
        with open("/proc/%d/io" % self.broker.process.pid) as file:
            fields = dict(line.split(": ") for line in file.read().splitlines())
        return int(fields["wchar"])

    def begin(self, *arguments, module="ALPHA", **variables):
        return self.start(self.broker, module, "bench", *arguments, **variables)

    def both(self, *arguments, to="BETA", **variables):
        beta = authority().module("BETA")
        return self.begin("--to", to, "--target-cert", beta.certificate, "--target-key", beta.key,
                          *arguments, **variables)

    def end(self, command):
        command.status = command.wait()
        return command

    def assert_nothing_left(self):
        """No batch is in custody: whoever asks as BETA gets nothing."""
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER")


class Measures(Bench):
    def test_source_and_target_in_one_process(self):
        command = self.end(self.both(*FEW))
        self.assert_status(command, 0, "3 records of 50 bytes", "from ALPHA to BETA")
        self.assertIn("20 batches with 60 records", command.output)
        for word in ("batches/s", "RECEIVED", "PROCESSED", "p50", "p99"):
            self.assertIn(word, command.output)
        self.assert_nothing_left()

    def test_as_one_json_document(self):
        command = self.end(self.both(*FEW, "--json", "--quiet"))
        self.assert_status(command, 0)
        self.assertEqual(command.said(), "")
        found = json.loads(command.output)
        self.assertEqual((found["batches"], found["records"]), (20, 60))
        self.assertGreater(found["bytes"], 20 * 3 * 50)
        for times in (found["received_us"], found["processed_us"]):
            self.assertEqual(times["count"], 20)
            self.assertLessEqual(0 < times["p50"] and times["p50"], times["p99"])
            self.assertLessEqual(times["p99"], times["max"])
        self.assertLessEqual(found["received_us"]["p50"], found["processed_us"]["max"])

    def test_for_so_many_seconds(self):
        found = json.loads(self.end(self.both("--seconds", 1, "--records", 1, "--json")).output)
        self.assertGreater(found["batches"], 1)
        self.assertGreaterEqual(found["seconds"], 1)
        self.assert_nothing_left()

    def test_in_two_processes(self):
        target = self.begin("--role", "target", "--verbose", module="BETA")
        self.wait_until_connected(target)
        source = self.end(self.begin("--role", "source", "--to", "BETA", *FEW))
        self.assert_status(source, 0)
        self.assertIn("20 batches", source.output)
        self.assertEqual(target.terminate(), 0, target.said())
        self.assertIn("20 batches with 60 records", target.output)

    def test_shows_progress_on_a_terminal(self):
        beta, (ours, its) = authority().module("BETA"), pty.openpty()
        process = subprocess.Popen(
            [Command.program, "bench", "--module", "ALPHA", "--to", "BETA", "--seconds", "1",
             "--target-cert", beta.certificate, "--target-key", beta.key],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its,
            env=environment(self.broker.address, authority().module("ALPHA"), TERM="xterm"))
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass        # the other end is closed
        os.close(ours)
        self.assertEqual(process.wait(), 0)
        self.assertIn(b"under way", shown)


class DoesNoHarm(Bench):
    def test_leaves_nothing_when_it_is_stopped(self):
        command = self.both("--seconds", 600, "--verbose")
        self.wait_until_connected(command)
        self.wait_until(lambda: self.handed_over() > 0, "it has begun")
        self.assertEqual(command.terminate(), 0, command.said())
        self.assertIn("batches with", command.output)
        self.assert_nothing_left()

    def handed_over(self):
        """Megabytes that the broker has written since: hardly any when nothing comes."""
        return (self.written() - self.made) // 10**6

    def test_does_not_begin_where_batches_of_others_wait(self):
        records = some_records(25)
        self.assert_status(self.send(self.broker, lines_of(records)), 0)
        command = self.end(self.both(*FEW))
        self.assert_status(command, 1, "is not a bench's", "it goes back")
        self.assertEqual(command.output, "")
        received = self.receive(self.broker, 25, module="BETA")  # what went back may come last
        self.assertEqual(sorted(received, key=lambda record: record["number"]), records)
        self.assert_nothing_left()

    def test_gives_back_what_others_send_meanwhile(self):
        command = self.both("--seconds", 600, "--in-flight", 4)
        self.wait_until(lambda: self.handed_over() > 0, "it has begun")
        self.assert_status(self.send(self.broker, lines_of(some_records(10))), 0)
        self.assert_status(self.end(command), 1, "is not a bench's")
        self.assertEqual(self.receive(self.broker, 10, module="BETA"), some_records(10))
        self.assert_nothing_left()

    def test_gives_another_consumer_one_batch_at_most(self):
        beta = self.module(self.broker, "BETA", 1000)
        command = self.both("--batches", 100, "--in-flight", 4)
        beta.finish(beta.delivery())
        self.assert_status(self.end(command), 1, "another consumer of BETA")
        beta.expect_none("BATCH_TRANSFER")

    def test_takes_what_an_earlier_one_has_left_behind(self):
        killed = self.begin("--role", "source", "--to", "BETA")
        beta = self.module(self.broker, "BETA", 10)
        delivery = beta.delivery()
        killed.kill()
        beta.goodbye()
        self.assertTrue(delivery["header"]["correlation_id"].startswith("handoff-bench-"))
        self.assert_status(self.end(self.both(*FEW)), 0, "1 batches that an earlier bench")
        self.assert_nothing_left()


class Statuses(Bench):
    def test_no_route(self):
        gamma = authority().module("GAMMA")
        self.assert_status(self.end(self.begin("--to", "GAMMA", "--target-cert", gamma.certificate,
                                               "--target-key", gamma.key)),
                           78, "no route from ALPHA to GAMMA")

    def test_no_consumer(self):
        command = self.end(self.begin("--to", "BETA", "--role", "source", "--patience", 1))
        self.assert_status(command, 69, "nothing was processed for 1 s", "--role target is one",
                           "1 batches may still be in custody")

    def test_no_broker(self):
        self.broker.stop()
        self.assert_status(self.end(self.both("--connect-timeout", 200)), 69, "200 ms")

    def test_command_line(self):
        self.assert_status(self.end(self.both("--role", "both of them")), 2, "--role")
        self.assert_status(self.end(self.begin("--to", "BETA")), 2, "--target-cert")
        self.assert_status(self.end(self.begin("--role", "source")), 2, "--to")
        self.assert_status(self.end(self.both("--size", 10**6, "--records", 1000)), 2, "64 MiB")

    def test_batch_that_fits_into_no_frame(self):
        self.assert_status(self.end(self.both("--size", 9000, "--records", 1000)), 2,
                           "too large for one frame")
        self.assert_nothing_left()

    def test_refused_as_a_dead_letter(self):
        command = self.begin("--to", "BETA", "--role", "source")
        beta = self.module(self.broker, "BETA")
        beta.reject(beta.delivery(), "PERMANENT", error_message="it smells")
        self.assert_status(self.end(command), 1, "dead letter", "it smells")
