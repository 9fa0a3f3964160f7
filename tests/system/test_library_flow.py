"""test_library_flow.py - libhandoff and a played broker: back-pressure, confirmations, `seen`."""

import signal
import time
import unittest

from case import Case, authority, messages
from peer import Peer, broker_error, route
from program import Program

DELAY_MS = 150


class Flow(Case):
    def setUp(self):
        super().setUp()
        self.peer = Peer(authority().broker())
        self.addCleanup(self.peer.close)

    def run_program(self, module, *command, **more):
        program = Program(self.peer.address, authority().module(module), command, **more)
        self.addCleanup(program.kill)
        return program

    def pressure(self, broker, signal_type, delay=DELAY_MS, on="alpha-beta"):
        broker.say("BACKPRESSURE", signal_type=signal_type, current_queue_depth=7,
                   recommended_delay_ms=delay, route=on)

    def assert_paced(self, broker, count, least_ms):
        """So many batches come, with so much time between one and the next."""
        last = None
        for _ in range(count):
            batch = broker.expect("BATCH_TRANSFER")
            now = time.monotonic()
            if last is not None:
                # The sender's clock counts whole milliseconds; arrival can bunch up by a little.
                self.assertGreater(now - last, (least_ms - 30) / 1000)
            last = now
            broker.acknowledge(batch, "RECEIVED")


class Pressure(Flow):
    def test_under_pressure_from_the_beginning_batches_are_paced(self):
        source = self.run_program("ALPHA", "source", 50)
        broker = self.peer.welcome(routes=[route("alpha-beta", backpressure_active=True)])
        self.assert_paced(broker, 5, 100)
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(source.said("pressure"), ["alpha-beta on 0 100"])

    def test_the_delay_that_is_recommended_is_kept(self):
        """The window is full when the pressure comes: what was sent before does not count."""
        source = self.run_program("ALPHA", "source", 690)
        broker = self.peer.welcome()
        sent = [broker.expect("BATCH_TRANSFER") for _ in range(64)]
        self.pressure(broker, "ACTIVATE")
        source.wait_for_count("pressure", 1)
        for batch in sent:
            broker.acknowledge(batch, "RECEIVED")
        self.assert_paced(broker, 5, DELAY_MS)
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(source.said("pressure"), ["alpha-beta on 7 %d" % DELAY_MS])

    def test_its_end_lets_everything_go(self):
        source = self.run_program("ALPHA", "source", 30)
        broker = self.peer.welcome(routes=[route("alpha-beta", backpressure_active=True)])
        self.pressure(broker, "ACTIVATE", 60000)
        source.wait_for_count("pressure", 2)
        self.pressure(broker, "DEACTIVATE", 0)
        for _ in range(3):
            broker.acknowledge(broker.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(source.said("pressure")[1:],
                         ["alpha-beta on 7 60000", "alpha-beta off 7 0"])

    def test_a_new_connection_has_the_state_that_welcome_says(self):
        source = self.run_program("ALPHA", "source", 30)
        first = self.peer.welcome(routes=[route("alpha-beta", backpressure_active=True)])
        self.pressure(first, "ACTIVATE", 60000)
        source.wait_for_count("pressure", 2)
        first.cut()
        second = self.peer.welcome()
        for _ in range(3):
            second.acknowledge(second.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(source.said("pressure")[-1].split()[1], "off")

    def test_of_somebody_elses_route_means_nothing(self):
        source = self.run_program("ALPHA", "source", 30)
        broker = self.peer.welcome()
        for name in ("beta-gamma", "no-such-route"):
            self.pressure(broker, "ACTIVATE", 60000, on=name)
        for _ in range(3):
            broker.acknowledge(broker.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertEqual(source.wait(), 0, source.lines)
        self.assertEqual(source.said("pressure"), [])

    def test_what_empties_another_route_is_never_held_back(self):
        self.run_program("BETA", "stage")
        broker = self.peer.welcome(routes=[
            route("alpha-beta"), route("beta-gamma", backpressure_active=True)])
        self.pressure(broker, "ACTIVATE", 60000, on="beta-gamma")
        for lease in range(1, 5):
            broker.deliver(messages.batch(), lease=lease)
            self.assertEqual(broker.expect("ACKNOWLEDGMENT").status, "RECEIVED")
            output = broker.expect("BATCH_TRANSFER")
            self.assertEqual([done["lease"] for done in output["completes"]], [lease])
            broker.acknowledge(output, "RECEIVED")

    def test_a_refusal_for_fullness_waits_as_long_as_is_recommended(self):
        self.run_program("ALPHA", "source", 10)
        broker = self.peer.welcome()
        batch = broker.expect("BATCH_TRANSFER")
        self.pressure(broker, "ACTIVATE", 400)
        refused_at = time.monotonic()
        broker.acknowledge(batch, "REJECTED", errors=[broker_error("INT_ROUTE_002", "TRANSIENT")])
        broker.expect("BATCH_TRANSFER")
        self.assertGreater(time.monotonic() - refused_at, 0.39)


class Pause(Flow):
    def test_a_target_says_that_it_pauses_and_says_it_again_on_a_new_connection(self):
        target = self.run_program("BETA", "target", "BETA")
        first = self.peer.welcome()
        target.wait_for_count("state", 2)
        target.process.send_signal(signal.SIGUSR1)
        said = first.expect("BACKPRESSURE")
        self.assertEqual((said["signal_type"], said["route"]), ("ACTIVATE", "alpha-beta"))
        first.cut()
        second = self.peer.welcome()
        said = second.expect("BACKPRESSURE")
        self.assertEqual((said["signal_type"], said["route"]), ("ACTIVATE", "alpha-beta"))
        target.process.send_signal(signal.SIGUSR2)
        self.assertEqual(second.expect("BACKPRESSURE")["signal_type"], "DEACTIVATE")
        second.cut()
        third = self.peer.welcome()
        third.deliver(messages.batch(), lease=1)
        self.assertEqual(third.expect("ACKNOWLEDGMENT").status, "RECEIVED")


class Confirmation(Flow):
    def take(self, broker, lease=1, **more):
        """Delivers a batch, and reads what is said of it up to PROCESSED."""
        batch = messages.batch(**more)
        broker.deliver(batch, lease=lease)
        self.assertEqual(broker.expect("ACKNOWLEDGMENT").status, "RECEIVED")
        processed = broker.expect("ACKNOWLEDGMENT")
        self.assertEqual(processed.status, "PROCESSED")
        return batch, processed

    def test_a_target_confirms_its_records(self):
        target = self.run_program("BETA", "target", "BETA")
        broker = self.peer.welcome()
        batch, processed = self.take(broker)
        said = broker.expect("DELIVERY_CONFIRMATION")
        self.assertEqual(said["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual(said["header"]["correlation_id"], batch["header"]["correlation_id"])
        mark = batch["metadata"]["batch_id"][:8]
        self.assertEqual(
            [(r["record_id"], r["destination_id"], r["status"]) for r in said["delivery_results"]],
            [("%s-%d" % (mark, i), "the-table", "FAILED" if i == 2 else "DELIVERED")
             for i in range(3)])
        for result in said["delivery_results"]:
            self.assertRegex(result["delivery_timestamp"], r"^\d{4}-.*\.\d{6}Z$")
        broker.acknowledge(processed, "PROCESSED")
        target.wait_for_count("done", 1)

    def test_a_confirmation_waits_for_a_connection(self):
        """It is made while there is none, and follows what is said again of its batch."""
        target = self.run_program("BETA", "target", "BETA")
        first = self.peer.welcome()
        batch = messages.batch()
        first.deliver(batch, lease=1)
        first.cut()
        target.wait_for_count("processed", 1)
        second = self.peer.welcome()
        self.assertEqual(second.hello["holds"], [1])
        said = [second.next()]
        while said[-1].type != "DELIVERY_CONFIRMATION":
            said.append(second.next())
        self.assertEqual([message.type for message in said[-2:]],
                         ["ACKNOWLEDGMENT", "DELIVERY_CONFIRMATION"])
        self.assertEqual(said[-2].status, "PROCESSED")
        self.assertEqual(said[-1]["batch_id"], batch["metadata"]["batch_id"])

    def test_a_client_that_drains_has_confirmed_before_it_is_done(self):
        target = self.run_program("BETA", "target", "BETA")
        broker = self.peer.welcome()
        _, processed = self.take(broker)
        broker.expect("DELIVERY_CONFIRMATION")
        target.process.send_signal(signal.SIGTERM)
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DRAINING")
        broker.acknowledge(processed, "PROCESSED")
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DONE")
        broker.cut()
        self.assertEqual(target.wait(), 0, target.lines)
        self.assertEqual(target.said("end"), ["drained"])

    def test_a_refused_confirmation_is_told(self):
        target = self.run_program("BETA", "target", "BETA")
        broker = self.peer.welcome()
        batch, _ = self.take(broker)
        batch_id = batch["metadata"]["batch_id"]
        broker.answer(broker.expect("DELIVERY_CONFIRMATION"), "ERROR_NOTIFICATION",
                      action_required="NONE",
                      errors=[broker_error("INT_PROTOCOL_005", batch_id=batch_id)])
        target.wait_for_count("errors", 1)
        self.assertEqual(target.said("errors"), ["INT_PROTOCOL_005 " + batch_id])

    def test_a_source_is_told_what_came_of_its_records(self):
        source = self.run_program("ALPHA", "source", 10, "stay")
        broker = self.peer.welcome()
        batch = broker.expect("BATCH_TRANSFER")
        broker.acknowledge(batch, "RECEIVED")
        broker.send({
            "header": messages.header("BETA", "DELIVERY_CONFIRMATION"), "notice": 5,
            "batch_id": batch.batch_id, "delivery_results": [
                {"record_id": "r-%d" % i, "destination_id": "d", "status": status,
                 "delivery_timestamp": messages.now()}
                for i, status in enumerate(("DELIVERED", "FAILED", "DLQ"))]})
        source.wait_for_count("confirmed", 3)
        self.assertEqual(source.said("confirmed"), [
            "%s r-%d d %s" % (batch.batch_id, i, status)
            for i, status in enumerate(("DELIVERED", "FAILED", "DLQ"))])
        self.assertEqual(broker.expect("ERROR_NOTIFICATION")["seen"], 5)


class Seen(Flow):
    def setUp(self):
        super().setUp()
        self.source = self.run_program("ALPHA", "source", 10, "stay")
        self.broker = self.peer.welcome()
        self.batch = self.broker.expect("BATCH_TRANSFER")
        self.broker.acknowledge(self.batch, "RECEIVED")

    def outcome(self, notice, broker=None):
        (broker or self.broker).say(
            "ACKNOWLEDGMENT", notice=notice, route="alpha-beta",
            payload=messages.payload(self.batch.batch_id, "PROCESSED", 10))

    def expect_carrier(self, seen, broker=None):
        carrier = (broker or self.broker).expect("ERROR_NOTIFICATION")
        self.assertEqual((carrier["errors"], carrier["action_required"], carrier["seen"]),
                         ([], "NONE", seen))

    def test_is_said_though_there_is_nothing_else_to_say(self):
        self.outcome(41)
        self.outcome(42)
        self.source.wait_for_count("processed", 2)
        self.expect_carrier(42)

    def test_counts_errors_that_are_notices(self):
        self.broker.say("ERROR_NOTIFICATION", notice=9, action_required="NONE", errors=[
            broker_error("INT_DELIVERY_006", "UNKNOWN", batch_id=self.batch.batch_id)])
        self.source.wait_for_count("errors", 1)
        self.assertEqual(self.source.said("errors"), ["INT_DELIVERY_006 " + self.batch.batch_id])
        self.expect_carrier(9)

    def test_hears_what_its_target_tells_through_the_broker(self):
        error = messages.error("BETA", code="BETA_ON_FIRE",
                               context={"batch_id": self.batch.batch_id})
        self.broker.send({**messages.notification("BETA", error, action="HALT", target="ALPHA"),
                          "notice": 11})
        self.source.wait_for_count("errors", 1)
        self.assertEqual(self.source.said("errors"),
                         ["BETA_ON_FIRE %s HALT alpha-beta" % self.batch.batch_id])
        self.expect_carrier(11)

    def test_counts_messages_that_the_library_has_no_use_for(self):
        self.broker.say("SCHEDULE_NOTIFICATION", notice=12)
        self.expect_carrier(12)

    def test_a_notice_that_was_seen_is_not_told_again(self):
        self.outcome(41)
        self.expect_carrier(41)
        self.outcome(41)
        self.expect_carrier(41)		# the broker seems not to know
        self.outcome(43)
        self.expect_carrier(43)
        self.assertEqual(len(self.source.said("processed")), 2)

    def test_of_another_store_begins_anew(self):
        self.outcome(41)
        self.expect_carrier(41)
        self.broker.cut()
        again = self.peer.welcome(broker_id=messages.new_id())
        self.outcome(3, again)
        self.expect_carrier(3, again)
        self.assertEqual(len(self.source.said("processed")), 2)


class Goodbye(Flow):
    def test_of_each_passing_kind_leads_to_a_new_connection_that_holds_what_it_held(self):
        stage = self.run_program("BETA", "stage", 60000)
        broker = self.peer.welcome()
        broker.deliver(messages.batch(), lease=3)
        broker.expect("ACKNOWLEDGMENT")
        stage.wait_for_count("began", 1)
        for reason in ("SHUTDOWN", "REKEY", "KICKED", "TIMEOUT"):
            broker.say("GOODBYE", reason=reason, reconnect_delay_ms=1)
            broker = self.peer.welcome()
            self.assertEqual(broker.hello["holds"], [3], reason)
            received = broker.expect("ACKNOWLEDGMENT")
            self.assertEqual((received.status, received["lease"]), ("RECEIVED", 3))
        stage.process.send_signal(signal.SIGTERM)
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DRAINING")
        broker.acknowledge(broker.expect("BATCH_TRANSFER"), "RECEIVED")
        self.assertEqual(broker.expect("GOODBYE")["reason"], "DONE")
        broker.cut()
        stage.wait()
        self.assertEqual((len(stage.said("began")), len(stage.said("lost"))), (1, 0))

    def test_of_each_final_kind_ends_the_client(self):
        for reason in ("REPLACED", "UNAUTHORIZED", "PROTOCOL_ERROR"):
            target = self.run_program("BETA", "target", "BETA")
            broker = self.peer.welcome()
            broker.say("GOODBYE", reason=reason, reconnect_delay_ms=1)
            self.assertEqual(target.wait(), 0, target.lines)
            self.assertEqual(target.said("end"), [reason])


class Lost(Flow):
    def test_a_deadline_is_told_as_lost_and_not_as_an_error_too(self):
        stage = self.run_program("BETA", "stage", 60000)
        broker = self.peer.welcome()
        batch = messages.batch()
        broker.deliver(batch, lease=3)
        broker.expect("ACKNOWLEDGMENT")
        stage.wait_for_count("began", 1)
        broker.say("ERROR_NOTIFICATION", action_required="NONE", notice=8, errors=[broker_error(
            "INT_DELIVERY_001", "TRANSIENT", batch_id=batch["metadata"]["batch_id"].upper())])
        stage.wait_for_count("lost", 1)
        self.assertEqual(stage.said("errors"), [])
        broker.cut()
        again = self.peer.welcome()
        self.assertEqual(again.hello.get("holds", []), [])


if __name__ == "__main__":
    unittest.main()
