"""test_library_peer.py - libhandoff against a broker that breaks off, errs, or refuses."""

import signal
import time
import unittest

from case import Case, authority, messages
from peer import Peer, broker_error, route
from program import Program


class LibraryPeer(Case):
    def setUp(self):
        super().setUp()
        self.peer = Peer(authority().broker())
        self.addCleanup(self.peer.close)

    def run_program(self, module, *command, **more):
        program = Program(self.peer.address, authority().module(module), command, **more)
        self.addCleanup(program.kill)
        return program

    def test_what_is_not_received_is_sent_again_with_the_same_bytes(self):
        source = self.run_program("ALPHA", "source", 10)
        first = self.peer.welcome()
        batch = first.expect("BATCH_TRANSFER")
        first.cut()
        second = self.peer.welcome()
        again = second.expect("BATCH_TRANSFER")
        self.assertEqual(again["metadata"], batch["metadata"])
        self.assertEqual(again["records"], batch["records"])
        self.assertEqual(batch["metadata"]["checksum"], messages.checksum(batch["records"]))
        second.acknowledge(again, "RECEIVED", duplicate=True)
        self.assertEqual(source.wait(), 0, source.lines)

    def test_sequence_numbers_go_on_from_those_in_welcome(self):
        self.run_program("ALPHA", "source", 20)
        first = self.peer.welcome(routes=[route("alpha-beta", last_sequence_number=41)])
        numbers = [first.expect("BATCH_TRANSFER")["metadata"]["sequence_number"] for _ in range(2)]
        self.assertEqual(numbers, [42, 43])

    def test_a_transient_refusal_is_sent_again(self):
        source = self.run_program("ALPHA", "source", 10)
        broker = self.peer.welcome()
        for _ in range(3):
            batch = broker.expect("BATCH_TRANSFER")
            broker.answer(batch, "ERROR_NOTIFICATION", action_required="THROTTLE",
                          errors=[broker_error("INT_ROUTE_002", "TRANSIENT")])
            broker.acknowledge(batch, "REJECTED",
                               errors=[broker_error("INT_ROUTE_002", "TRANSIENT")])
        broker.acknowledge(broker.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertEqual(source.wait(), 0, source.lines)

    def test_a_permanent_refusal_is_told(self):
        source = self.run_program("ALPHA", "source", 10)
        broker = self.peer.welcome()
        broker.acknowledge(broker.expect("BATCH_TRANSFER"), "REJECTED",
                           errors=[broker_error("INT_BATCH_003")])
        self.assertEqual(source.wait(), 1)
        self.assertIn("refused", source.lines[-1])

    def test_a_repeat_that_is_a_dead_letter_is_in_custody(self):
        source = self.run_program("ALPHA", "source", 10)
        broker = self.peer.welcome()
        broker.acknowledge(broker.expect("BATCH_TRANSFER"), "REJECTED", duplicate=True,
                           errors=[broker_error("INT_DELIVERY_002")])
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(len(source.said("received")), 1)

    def test_no_frame_is_longer_than_the_broker_takes(self):
        self.run_program("ALPHA", "source", 1000)
        broker = self.peer.welcome(max_frame_bytes=8192,
                                   routes=[route("alpha-beta", batch_size=100000)])
        batches = []
        while sum(batch["metadata"]["record_count"] for batch in batches) < 1000:
            batches.append(broker.expect("BATCH_TRANSFER"))
            self.assertLessEqual(len(batches[-1].body), 8192)
            broker.acknowledge(batches[-1], "RECEIVED")

    def damaged(self, **harm):
        sink = self.run_program("BETA", "sink", "BETA", 3)
        broker = self.peer.welcome()
        broker.deliver(messages.batch(metadata=harm), lease=7)
        refusal = broker.expect("ACKNOWLEDGMENT")
        self.assertEqual((refusal.status, refusal["lease"]), ("REJECTED", 7))
        self.assertEqual(refusal.error["recoverability"], "TRANSIENT")
        self.assertTrue(refusal.error["retry_eligible"])
        self.assertEqual(sink.wait(), 1)
        self.assertIn("ERRORS", sink.lines[-1])

    def test_a_delivery_that_does_not_match_its_checksum_is_refused(self):
        self.damaged(checksum=messages.checksum(b"another"))

    def test_a_delivery_with_another_count_is_refused(self):
        self.damaged(record_count=4)

    def test_what_was_said_is_said_again_until_it_is_answered(self):
        sink = self.run_program("BETA", "sink", "BETA", 3)
        first = self.peer.welcome()
        first.deliver(messages.batch(), lease=9)
        self.assertEqual(first.expect("ACKNOWLEDGMENT").status, "RECEIVED")
        said = first.expect("ACKNOWLEDGMENT")
        self.assertEqual((said.status, said["lease"]), ("PROCESSED", 9))
        first.cut()
        second = self.peer.welcome()
        self.assertEqual(second.hello["holds"], [9])
        again = second.expect("ACKNOWLEDGMENT")
        self.assertEqual((again.status, again["lease"]), ("PROCESSED", 9))
        self.assertEqual(len(sink.said("done")), 0)
        second.acknowledge(again, "PROCESSED", duplicate=True)
        self.assertEqual(second.expect("GOODBYE")["reason"], "DONE")
        second.cut()
        self.assertEqual(sink.wait(), 0, sink.lines)
        self.assertEqual(len(sink.said("done")), 1)

    def test_a_late_answer_is_told_as_stale(self):
        sink = self.run_program("BETA", "sink", "BETA", 3)
        broker = self.peer.welcome()
        batch = messages.batch()
        broker.deliver(batch, lease=9)
        broker.expect("ACKNOWLEDGMENT")
        broker.answer(broker.expect("ACKNOWLEDGMENT"), "ERROR_NOTIFICATION",
                      errors=[broker_error("INT_DELIVERY_005")], action_required="NONE")
        sink.wait_for_count("stale", 1)
        broker.deliver(batch, lease=10, attempt=2, redelivered=True)
        broker.expect("ACKNOWLEDGMENT")
        broker.acknowledge(broker.expect("ACKNOWLEDGMENT"), "PROCESSED")
        broker.expect("GOODBYE")
        broker.cut()
        self.assertEqual(sink.wait(), 0, sink.lines)

    def test_a_refused_received_says_that_the_delivery_is_lost(self):
        stage = self.run_program("BETA", "stage", 60000)
        first = self.peer.welcome()
        first.deliver(messages.batch(), lease=3)
        first.expect("ACKNOWLEDGMENT")
        stage.wait_for_count("began", 1)
        first.cut()
        second = self.peer.welcome()
        received = second.expect("ACKNOWLEDGMENT")
        self.assertEqual((received.status, received["lease"]), ("RECEIVED", 3))
        second.answer(received, "ERROR_NOTIFICATION", action_required="NONE",
                      errors=[broker_error("INT_DELIVERY_005")])
        stage.wait_for_count("lost", 1)

    def test_a_missed_deadline_says_that_the_delivery_is_lost(self):
        stage = self.run_program("BETA", "stage", 60000)
        broker = self.peer.welcome()
        batch = messages.batch()
        broker.deliver(batch, lease=3)
        broker.expect("ACKNOWLEDGMENT")
        stage.wait_for_count("began", 1)
        broker.say("ERROR_NOTIFICATION", action_required="NONE", errors=[broker_error(
            "INT_DELIVERY_001", "TRANSIENT", batch_id=batch["metadata"]["batch_id"])])
        stage.wait_for_count("lost", 1)

    def test_an_output_whose_lease_is_not_current_is_dropped(self):
        stage = self.run_program("BETA", "stage")
        broker = self.peer.welcome()
        broker.deliver(messages.batch(), lease=3)
        broker.expect("ACKNOWLEDGMENT")
        output = broker.expect("BATCH_TRANSFER")
        self.assertEqual([done["lease"] for done in output["completes"]], [3])
        broker.acknowledge(output, "REJECTED", errors=[broker_error("INT_BATCH_005")])
        stage.wait_for(lambda program: any("INT_BATCH_005" in line
                                           for line in program.said("refused")))

    def test_a_client_that_drains_finishes_what_it_has(self):
        stage = self.run_program("BETA", "stage", 60000)
        broker = self.peer.welcome()
        broker.deliver(messages.batch(), lease=3)
        self.assertEqual(broker.expect("ACKNOWLEDGMENT").status, "RECEIVED")
        stage.wait_for_count("began", 1)
        stage.process.send_signal(signal.SIGTERM)
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DRAINING")
        broker.deliver(messages.batch(), lease=4)
        output = broker.expect("BATCH_TRANSFER")
        self.assertEqual([done["lease"] for done in output["completes"]], [3])
        self.assertEqual(broker.expect("ACKNOWLEDGMENT")["lease"], 4)
        broker.acknowledge(output, "RECEIVED")
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DONE")
        broker.cut()
        self.assertEqual(stage.wait(), 0, stage.lines)
        self.assertEqual(len(stage.said("began")), 1)

    def test_an_outcome_is_confirmed_when_it_has_been_told(self):
        source = self.run_program("ALPHA", "source", 20)
        broker = self.peer.welcome()
        one, two = broker.expect("BATCH_TRANSFER"), broker.expect("BATCH_TRANSFER")
        broker.acknowledge(one, "RECEIVED")
        broker.say("ACKNOWLEDGMENT", notice=77, route="alpha-beta",
                   payload=messages.payload(one.batch_id, "PROCESSED", 10))
        source.wait_for_count("processed", 1)
        broker.acknowledge(two, "RECEIVED")
        last = broker.expect("GOODBYE")
        self.assertEqual((last["reason"], last["seen"]), ("DONE", 77))

    def test_hello_tells_how_far_outcomes_were_told(self):
        source = self.run_program("ALPHA", "source", 20)
        first = self.peer.welcome()
        one, two = first.expect("BATCH_TRANSFER"), first.expect("BATCH_TRANSFER")
        for batch, notice in ((one, 77), (two, 78)):
            first.say("ACKNOWLEDGMENT", notice=notice, route="alpha-beta",
                      payload=messages.payload(batch.batch_id, "PROCESSED", 10))
        source.wait_for_count("processed", 2)
        first.cut()
        second = self.peer.welcome()
        self.assertEqual((second.hello["seen"], second.hello["broker_id"]),
                         (78, self.peer.broker_id))

    def test_a_goodbye_with_a_delay_is_obeyed(self):
        self.run_program("ALPHA", "source", 10)
        first = self.peer.welcome()
        first.expect("BATCH_TRANSFER")
        first.say("GOODBYE", reason="SHUTDOWN", reconnect_delay_ms=400)
        said_at = time.monotonic()
        self.peer.welcome()
        self.assertGreaterEqual(time.monotonic() - said_at, 0.4)

    def test_what_a_newer_broker_says_is_ignored(self):
        sink = self.run_program("BETA", "sink", "BETA", 3)
        broker = self.peer.welcome(features=["future"], future={"more": [1, 2]})
        broker.say("FUTURE_MESSAGE", whatever=1)
        broker.say("BACKPRESSURE", signal_type="ACTIVATE", current_queue_depth=1,
                   recommended_delay_ms=1, route="alpha-beta")
        broker.deliver(messages.batch(), lease=1)
        broker.expect("ACKNOWLEDGMENT")
        broker.acknowledge(broker.expect("ACKNOWLEDGMENT"), "PROCESSED")
        sink.wait_for_count("done", 1)

    def test_a_broker_that_speaks_nonsense_is_left_and_tried_again(self):
        self.run_program("ALPHA", "source", 10)
        for nonsense in (b"\xff\xff\xff\xff", messages.frame(b"\xc1"), messages.frame(b"\x90")):
            conversation = self.peer.welcome()
            conversation.expect("BATCH_TRANSFER")
            conversation.socket.sendall(nonsense)
        batch = self.peer.welcome().expect("BATCH_TRANSFER")
        self.assertEqual(batch["metadata"]["sequence_number"], 1)


if __name__ == "__main__":
    unittest.main()
