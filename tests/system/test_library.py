"""test_library.py - libhandoff against a broker: programs written with it, in clib/."""

import collections
import signal
import unittest

from case import Case, authority, messages
from handoff_client import Silence
from program import Program

QUICK_RETRIES = 'route "alpha-beta" { batch_size = %d retry_delay_ms = 50 }'


class Library(Case):
    def run_program(self, broker, module, *command, **more):
        credentials = more.pop("credentials", None) or authority().module(module)
        program = Program(broker.address, credentials, command, **more)
        self.addCleanup(program.kill)
        return program

    def assert_each_once(self, sink, count):
        """The sink has ended every record exactly once, and every batch exactly once."""
        done = [line.split() for line in sink.said("done")]
        batches = collections.Counter(words[0] for words in done)
        records = collections.Counter(record for words in done for record in words[1:])
        self.assertEqual([batch for batch, times in batches.items() if times > 1], [])
        self.assertEqual([record for record, times in records.items() if times > 1], [])
        self.assertEqual(set(records), {"r-%d" % (n + 1) for n in range(count)})

    def test_each_batch_ends_once_across_kills_of_the_broker(self):
        broker = self.start_broker(QUICK_RETRIES % 5)
        source = self.run_program(broker, "ALPHA", "source", 10000)
        source.wait_for_count("received", 300)
        broker.restart()
        sink = self.run_program(broker, "BETA", "sink", "BETA", 10000)
        for count in (200, 900, 1500):
            sink.wait_for_count("done", count)
            broker.restart()
        self.assertEqual(source.wait(), 0, source.lines[-5:])
        self.assertEqual(sink.wait(), 0, sink.lines[-5:])
        self.assertEqual(len(source.said("received")), 2000)
        self.assertEqual(len(set(source.said("received"))), 2000)
        self.assert_each_once(sink, 10000)
        self.assertEqual({line.split()[0] for line in sink.said("done")},
                         set(source.said("received")))

    def test_a_stage_adds_its_output_once_whoever_is_killed(self):
        broker = self.start_broker(QUICK_RETRIES % 5)
        source = self.run_program(broker, "ALPHA", "source", 2000)
        sink = self.run_program(broker, "GAMMA", "sink", "GAMMA", 2000)
        stage = self.run_program(broker, "BETA", "stage")
        for count in (50, 150, 250):
            sink.wait_for_count("done", count)
            stage.kill()
            broker.restart()
            stage = self.run_program(broker, "BETA", "stage")
        self.assertEqual(source.wait(), 0, source.lines[-5:])
        self.assertEqual(sink.wait(), 0, sink.lines[-5:])
        self.assert_each_once(sink, 2000)

    def test_a_delivery_that_is_worked_on_is_kept_beyond_its_deadline(self):
        broker = self.start_broker('route "alpha-beta" { process_timeout_ms = 300 }')
        stage = self.run_program(broker, "BETA", "stage", 1500)
        source = self.run_program(broker, "ALPHA", "source", 1)
        self.assertEqual(source.wait(), 0, source.lines)
        stage.wait_for_count("done", 1)
        self.assertEqual([line.split()[1] for line in stage.said("began")], ["1"])

    def test_a_delivery_stays_with_its_worker_across_a_kill_of_the_broker(self):
        broker = self.start_broker(reclaim_ms=20000)
        stage = self.run_program(broker, "BETA", "stage", 1500)
        source = self.run_program(broker, "ALPHA", "source", 1)
        stage.wait_for_count("began", 1)
        broker.restart()
        stage.wait_for_count("done", 1)
        self.assertEqual([line.split()[1] for line in stage.said("began")], ["1"])
        self.assertEqual(source.wait(), 0, source.lines)

    def test_a_full_route_slows_the_source_and_loses_nothing(self):
        broker = self.start_broker(
            'route "alpha-beta" { batch_size = 5 retry_delay_ms = 50 queue_capacity = 10 }')
        source = self.run_program(broker, "ALPHA", "source", 500)
        source.wait_for_count("received", 10)
        sink = self.run_program(broker, "BETA", "sink", "BETA", 500)
        self.assertEqual(source.wait(), 0, source.lines[-5:])
        self.assertEqual(sink.wait(), 0, sink.lines[-5:])
        self.assert_each_once(sink, 500)

    def test_outcomes_that_were_told_are_confirmed(self):
        broker = self.start_broker(QUICK_RETRIES % 5)
        sink = self.run_program(broker, "BETA", "sink", "BETA", 100)
        source = self.run_program(broker, "ALPHA", "source", 100, instance="the-source")
        self.assertEqual(source.wait(), 0, source.lines[-5:])
        self.assertEqual(sink.wait(), 0, sink.lines[-5:])
        told = len(source.said("processed"))
        alpha = self.module(broker, "ALPHA", instance_id="the-source")
        for _ in range(20 - told):
            alpha.outcome()
        alpha.expect_none("ACKNOWLEDGMENT", 0.2)

    def test_what_the_library_says_when_it_has_only_seen_to_say_is_taken(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = alpha.hand_over()
        beta.finish(beta.delivery(batch))
        alpha.send({"header": messages.header("ALPHA", "ERROR_NOTIFICATION"), "errors": [],
                    "action_required": "NONE", "seen": alpha.outcome(batch)["notice"]})
        alpha.expect_none("ERROR_NOTIFICATION", where=lambda m: m.code != "INT_PROTOCOL_004")
        self.module_again(broker, alpha).expect_none("ACKNOWLEDGMENT")

    def test_a_replaced_client_ends_and_says_why(self):
        broker = self.start_broker()
        first = self.run_program(broker, "BETA", "sink", "BETA", 1, instance="one")
        first.wait_for(lambda program: "state connected " in program.lines)
        second = self.run_program(broker, "BETA", "sink", "BETA", 1, instance="one")
        self.assertEqual(first.wait(), 1)
        self.assertIn("REPLACED", first.lines[-1])
        source = self.run_program(broker, "ALPHA", "source", 1)
        self.assertEqual((source.wait(), second.wait()), (0, 0))

    def test_what_no_retry_can_mend_ends_the_client(self):
        broker = self.start_broker()
        stranger = authority().issue("stranger", uris=["spiffe://test/other/beta"])
        for credentials in (stranger, authority().broker()):
            sink = self.run_program(broker, "BETA", "sink", "BETA", 1, credentials=credentials)
            self.assertEqual(sink.wait(), 1, sink.lines)
            self.assertEqual([line for line in sink.said("state") if line[:7] == "waiting"], [])

    def test_a_client_waits_for_a_broker_that_is_not_there_yet(self):
        broker = self.new_broker()
        source = self.run_program(broker, "ALPHA", "source", 1)
        with self.assertRaises(Silence):
            source.wait_for_count("received", 1, seconds=0.5)
        broker.start()
        self.assertEqual(source.wait(), 0, source.lines)

    def test_a_broker_that_stops_is_found_again(self):
        broker = self.start_broker(QUICK_RETRIES % 5)
        sink = self.run_program(broker, "BETA", "sink", "BETA", 10)
        sink.wait_for(lambda program: "state connected " in program.lines)
        broker.stop(signal.SIGTERM)
        sink.wait_for(lambda program: any("SHUTDOWN" in line for line in program.lines))
        broker.start()
        source = self.run_program(broker, "ALPHA", "source", 10)
        self.assertEqual((source.wait(), sink.wait()), (0, 0))


if __name__ == "__main__":
    unittest.main()
