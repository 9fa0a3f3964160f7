"""test_tool_flow.py - the command handoff: back-pressure and confirmations."""

import json
import time
import unittest

import messages
from case import authority
from peer import Peer, broker_error, route
from tool_case import Tools, lines_of, some_records


class Flow(Tools):
    def setUp(self):
        super().setUp()
        self.peer = Peer(authority().broker())
        self.addCleanup(self.peer.close)

    def start_send(self, records, *arguments):
        with open(self.write("input", lines_of(records))) as file:
            return self.start(self.peer, "ALPHA", "send", "--to", "BETA", "--id-field", "record_id",
                              *arguments, stdin=file)

    def finish(self, broker, command):
        """It says DONE; its exit status."""
        while True:
            message = broker.next()
            if message.type == "GOODBYE" and message["reason"] == "DONE":
                break
        broker.cut()
        return command.wait()


class Send(Flow):
    def confirm(self, broker, batch, ids, status="DELIVERED", notice=1):
        broker.send({
            "header": messages.header("BETA", "DELIVERY_CONFIRMATION"), "notice": notice,
            "batch_id": batch.batch_id, "delivery_results": [
                {"record_id": "r%d" % i, "destination_id": "d", "status": status,
                 "delivery_timestamp": messages.now()} for i in ids]})

    def start_confirmed(self, count=4):
        command = self.start_send(some_records(count), "--wait", "confirmed")
        broker = self.peer.welcome()
        batch = broker.expect("BATCH_TRANSFER")
        broker.acknowledge(batch, "RECEIVED")
        broker.say("ACKNOWLEDGMENT", notice=10, route="alpha-beta",
                   payload=messages.payload(batch.batch_id, "PROCESSED", count))
        return command, broker, batch

    def test_waits_until_each_record_is_confirmed(self):
        command, broker, batch = self.start_confirmed()
        self.confirm(broker, batch, (0, 1), notice=11)
        self.confirm(broker, batch, (1, 0), notice=12)
        self.assertEqual(broker.expect("ERROR_NOTIFICATION")["seen"], 12)
        self.assertTrue(command.is_running())
        self.confirm(broker, batch, (2, 3), notice=13)
        self.assertEqual(self.finish(broker, command), 0, command.said())
        self.assertIn("4 records are confirmed", command.said())

    def test_fails_when_a_record_was_not_delivered(self):
        command, broker, batch = self.start_confirmed()
        self.confirm(broker, batch, (0, 1), "FAILED", notice=11)
        self.confirm(broker, batch, (1, 2, 3), notice=12)
        self.assertEqual(self.finish(broker, command), 1, command.said())
        self.assertIn("record r0: FAILED at d", command.said())
        self.assertIn("1 records were not delivered", command.said())

    def test_fails_when_nobody_confirms_in_time(self):
        command, broker, batch = self.start_confirmed()
        broker.say("ERROR_NOTIFICATION", notice=11, action_required="NONE", errors=[
            broker_error("INT_DELIVERY_006", "UNKNOWN", batch_id=batch.batch_id)])
        self.assertEqual(self.finish(broker, command), 1, command.said())
        self.assertIn("1 batches were not confirmed in time", command.said())

    def test_does_not_wait_for_the_confirmation_of_a_dead_letter(self):
        command = self.start_send(some_records(4), "--wait", "confirmed")
        broker = self.peer.welcome()
        batch = broker.expect("BATCH_TRANSFER")
        broker.acknowledge(batch, "RECEIVED")
        broker.say("ACKNOWLEDGMENT", notice=10, route="alpha-beta",
                   payload=messages.payload(batch.batch_id, "REJECTED", 0, 4),
                   errors=[broker_error("INT_DELIVERY_004")])
        self.assertEqual(self.finish(broker, command), 1, command.said())

    def test_confirmed_does_not_go_with_a_journal(self):
        command = self.start_send(some_records(1), "--wait", "confirmed", "--journal",
                                  self.path("journal"))
        self.assertEqual(command.wait(), 2, command.said())

    def test_tells_how_long_it_was_held_back(self):
        command = self.start_send(some_records(30))
        broker = self.peer.welcome(routes=[route("alpha-beta", backpressure_active=True)])
        begun = time.monotonic()
        for _ in range(3):
            broker.acknowledge(broker.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertGreater(time.monotonic() - begun, 0.15)
        self.assertEqual(self.finish(broker, command), 0, command.said())
        self.assertRegex(command.said(), r"sent 30 records in 3 batches, .*; held back for \d\.\d s")


class Recv(Flow):
    def confirmed(self, *arguments):
        """What is said of one batch by recv with these arguments."""
        command = self.start(self.peer, "BETA", "recv", "--output", self.path("out"),
                             "--count", "3", *arguments)
        broker = self.peer.welcome()
        content = messages.encode([{"record_id": "r%d" % i} for i in range(3)])
        batch = messages.batch(content=content)
        broker.deliver(batch, lease=1)
        self.assertEqual(broker.expect("ACKNOWLEDGMENT").status, "RECEIVED")
        processed = broker.expect("ACKNOWLEDGMENT")
        self.assertEqual(processed.status, "PROCESSED")
        said = broker.next()
        with open(self.path("out")) as file:
            self.assertEqual([json.loads(line)["record_id"] for line in file], ["r0", "r1", "r2"])
        broker.acknowledge(processed, "PROCESSED")
        if said.type == "GOODBYE":
            self.assertEqual(said["reason"], "DRAINING")
            said = None
        else:
            self.assertEqual(said["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual(self.finish(broker, command), 0, command.said())
        return said and [(result["record_id"], result["destination_id"], result["status"])
                         for result in said["delivery_results"]]

    def test_confirms_what_is_written_when_it_is_told_to(self):
        self.assertEqual(self.confirmed("--confirm"),
                         [("r%d" % i, "out", "DELIVERED") for i in range(3)])

    def test_names_the_destination_as_it_is_told(self):
        self.assertEqual(self.confirmed("--confirm=archive"),
                         [("r%d" % i, "archive", "DELIVERED") for i in range(3)])

    def test_confirms_nothing_unless_it_is_told_to(self):
        self.assertIsNone(self.confirmed())

    def test_confirms_again_what_it_has_written_and_gets_again(self):
        self.confirmed()
        self.peer.close()
        self.peer = Peer(authority().broker())
        command = self.start(self.peer, "BETA", "recv", "--output", self.path("out"), "--confirm")
        broker = self.peer.welcome()
        batch = messages.batch(content=messages.encode([{"record_id": "x"}]), count=1)
        for lease in (5, 6):
            broker.deliver(batch, lease=lease)
            self.assertEqual(broker.expect("ACKNOWLEDGMENT").status, "RECEIVED")
            self.assertEqual(broker.expect("ACKNOWLEDGMENT")["lease"], lease)
            self.assertEqual(broker.expect("DELIVERY_CONFIRMATION")["batch_id"],
                             batch["metadata"]["batch_id"])
        with open(self.path("out")) as file:
            self.assertEqual(len(file.readlines()), 4)
        command.kill()

    def test_confirms_in_parts_what_does_not_fit_into_a_frame(self):
        command = self.start(self.peer, "BETA", "recv", "--output", self.path("out"), "--confirm")
        broker = self.peer.welcome(max_frame_bytes=16384)
        content = messages.encode([{"record_id": "r%d" % i} for i in range(400)])
        broker.deliver(messages.batch(content=content, count=400), lease=1)
        broker.expect("ACKNOWLEDGMENT")
        broker.expect("ACKNOWLEDGMENT")
        confirmed = []
        while len(confirmed) < 400:
            part = broker.expect("DELIVERY_CONFIRMATION")
            self.assertLessEqual(len(part.body), 16384)
            confirmed += [result["record_id"] for result in part["delivery_results"]]
        self.assertEqual(confirmed, ["r%d" % i for i in range(400)])
        command.kill()


class Together(Tools):
    """send and recv with the broker between them."""

    def recv(self, broker, *arguments):
        return self.start(broker, "BETA", "recv", "--output", self.path("out"), *arguments)

    def start_confirming_broker(self, timeout_ms):
        return self.start_broker('route "alpha-beta" { batch_size = 10 confirm = true '
                                 'confirm_timeout_ms = %d }' % timeout_ms)

    def test_what_is_written_is_confirmed_to_the_source(self):
        broker = self.start_confirming_broker(60000)
        self.recv(broker, "--confirm")
        self.assert_status(self.send(broker, lines_of(some_records(95)), "--wait", "confirmed"), 0,
                           "95 records are confirmed")

    def test_what_nobody_confirms_is_told_to_the_source(self):
        broker = self.start_confirming_broker(300)
        self.recv(broker)
        self.assert_status(self.send(broker, lines_of(some_records(5)), "--wait", "confirmed"), 1,
                           "INT_DELIVERY_006", "1 batches were not confirmed in time")

    def test_a_route_that_fills_up_slows_the_source(self):
        broker = self.start_broker('route "alpha-beta" { batch_size = 10 queue_capacity = 40 }')
        with open(self.write("input", lines_of(some_records(1000)))) as file:
            sending = self.start(broker, "ALPHA", "send", "--to", "BETA", "--verbose", stdin=file)
        self.wait_until(lambda: "back-pressure on alpha-beta" in sending.said(), "back-pressure")
        self.recv(broker)
        self.assertEqual(sending.wait(), 0, sending.said())
        self.assertIn("no more back-pressure", sending.said())
        self.assertIn("held back for", sending.said())


if __name__ == "__main__":
    unittest.main()
