"""test_goodbye.py - protocol, sections 3 and 6: GOODBYE in each of its meanings, both ways, and
restarts that cost no attempt and no repeated work."""

import signal
import time

from case import Case, messages, summary
from handoff_client import Closed

RETRY_SECONDS = 0.8
RECLAIM_SECONDS = 0.7
SETTINGS = ('route "alpha-beta" { retry_delay_ms = 800 max_retries = 1 backoff_multiplier = 1.0 '
            '%s }')


class Goodbye(Case):
    more = ""
    reclaim_ms = int(RECLAIM_SECONDS * 1000)

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SETTINGS % self.more, reclaim_ms=self.reclaim_ms,
                                        circuit_failure_threshold=1000)
        self.alpha = self.module(self.broker, "ALPHA")

    def beta(self, max_in_flight=10, **more):
        return self.module(self.broker, "BETA", max_in_flight, **more)

    def delivered(self, beta, count=None):
        """A batch that was handed over and the delivery of it; or so many of both, in lists."""
        batches = [self.alpha.hand_over() for _ in range(count or 1)]
        deliveries = [beta.delivery(batch) for batch in batches]
        return (batches, deliveries) if count else (batches[0], deliveries[0])

    def let_the_broker_notice(self):
        """What was sent or closed before a whole session took place has been handled."""
        self.module(self.broker, "EPSILON").barrier()

    def ask_to_stop(self):
        self.broker.process.send_signal(signal.SIGTERM)

    def read_to_the_end(self, client):
        """Everything before the broker's GOODBYE SHUTDOWN, which is the last frame."""
        before = client.expect_closed(seconds=20)
        self.assertTrue(before)
        self.assertEqual((before[-1].type, before[-1].get("reason")), ("GOODBYE", "SHUTDOWN"),
                         [summary(message) for message in before])
        self.assertNotIn("GOODBYE", [message.type for message in before[:-1]])
        client.close()
        return before[:-1]

    def assert_processed(self, batches, alpha=None):
        statuses = {(alpha or self.alpha).outcome(batch).status for batch in batches}
        self.assertEqual(statuses, {"PROCESSED"})


class Draining(Goodbye):
    def test_it_gets_no_new_deliveries_and_all_its_answers_are_taken(self):
        beta = self.beta()
        batches, (one, two, three) = self.delivered(beta, 3)
        beta.goodbye("DRAINING")
        self.let_the_broker_notice()
        fresh = self.alpha.hand_over()
        beta.acknowledge(one, "RECEIVED")
        self.assertFalse(beta.finish(one).get("duplicate"))
        self.assertFalse(beta.reject(two, "PERMANENT").get("duplicate"))
        output = beta.hand_over(completes=[messages.completion(three)])
        beta.expect_none("BATCH_TRANSFER", 0.3)
        beta.goodbye("DONE")
        beta.expect_closed()
        self.assertEqual([self.alpha.outcome(batch).status for batch in batches],
                         ["PROCESSED", "REJECTED", "PROCESSED"])
        delivery = self.beta().delivery()
        self.assertEqual((delivery.batch_id, delivery.redelivered),
                         (fresh["metadata"]["batch_id"], False))
        self.module(self.broker, "GAMMA").delivery(output)

    def test_new_batches_go_to_the_others(self):
        leaving, staying = self.beta(20), self.beta(5)
        _, held = self.delivered(leaving)
        leaving.goodbye("DRAINING")
        self.let_the_broker_notice()
        for _ in range(3):
            staying.finish(staying.delivery(self.alpha.hand_over()))
        leaving.finish(held)
        leaving.expect_none("BATCH_TRANSFER")

    def test_a_retry_does_not_come_back_to_it(self):
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        beta.goodbye("DRAINING")
        beta.reject(delivery)
        beta.expect_none("BATCH_TRANSFER", RETRY_SECONDS * 1.1 + 0.4)
        again = self.beta().delivery(batch)
        self.assertEqual((again.attempt, again.redelivered), (2, True))

    def test_what_it_still_holds_at_done_goes_back_at_no_cost(self):
        beta = self.beta()
        _, (one, two) = self.delivered(beta, 2)
        beta.goodbye("DRAINING")
        beta.finish(one)
        beta.goodbye("DONE")
        again = self.beta().delivery()
        self.assertEqual((again.batch_id, again.attempt, again.redelivered),
                         (two.batch_id, 1, True))

    def test_it_may_take_its_time(self):
        """DRAINING changes no deadline: RECEIVED still says 'still at it'."""
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        beta.goodbye("DRAINING")
        beta.acknowledge(delivery, "RECEIVED")
        beta.expect_none("BATCH_TRANSFER", 1.0)
        self.assertFalse(beta.finish(delivery).get("duplicate"))
        self.assert_processed([batch])

    def test_a_draining_source_hears_what_it_is_owed(self):
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        self.alpha.goodbye("DRAINING")
        self.let_the_broker_notice()
        beta.finish(delivery)
        self.assert_processed([batch])

    def test_a_lost_connection_while_draining_is_a_loss(self):
        beta = self.beta()
        batches, _ = self.delivered(beta, 2)
        beta.goodbye("DRAINING")
        self.let_the_broker_notice()
        beta.cut()
        self.let_the_broker_notice()
        again = self.beta()
        first = again.delivery()
        again.expect_none("BATCH_TRANSFER", RETRY_SECONDS * 1.1 + 0.3)
        self.assertEqual((first.attempt, first.redelivered), (1, True))
        self.assertIn(first.batch_id, [batch["metadata"]["batch_id"] for batch in batches])


class GivenBack(Goodbye):
    def assert_given_back(self, reason):
        beta = self.beta()
        batches, deliveries = self.delivered(beta, 3)
        beta.acknowledge(deliveries[0], "RECEIVED")
        begun = time.monotonic()
        beta.goodbye(reason)
        other = self.beta()
        for batch, first in zip(batches, deliveries):
            again = other.delivery(batch)
            self.assertGreaterEqual(time.monotonic() - begun, RETRY_SECONDS - 0.002)
            self.assertEqual((again.attempt, again.redelivered), (1, True))
            self.assertGreater(again.lease, first.lease)
            self.assertEqual(messages.without_delivery(again.body), messages.encode(batch))
        for delivery in list(deliveries):
            self.assert_error(other.answer_to(other.acknowledge(delivery, "PROCESSED")),
                              "INT_DELIVERY_005")

    def test_done_gives_back_what_it_holds_after_retry_delay_ms_at_no_cost(self):
        self.assert_given_back("DONE")

    def test_any_other_reason_does_too(self):
        self.assert_given_back("SHUTDOWN")
        self.assert_given_back("REKEY")

    def test_the_wait_is_retry_delay_ms_at_any_attempt(self):
        broker = self.start_broker(
            'route "alpha-beta" { retry_delay_ms = 300 backoff_multiplier = 20 }')
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = alpha.hand_over()
        beta.reject(beta.delivery(batch))
        self.assertEqual(beta.delivery(batch).attempt, 2)
        begun = time.monotonic()
        beta.goodbye("DONE")
        again = self.module(broker, "BETA").delivery(batch)
        took = time.monotonic() - begun
        self.assertEqual((again.attempt, again.redelivered), (2, True))
        self.assertGreaterEqual(took, 0.298)
        self.assertLess(took, 5.0, "it waited as after a failure")

    def test_the_wait_outlives_a_kill(self):
        beta = self.beta()
        batch, _ = self.delivered(beta)
        begun = time.monotonic()
        beta.goodbye("DONE")
        beta.expect_closed()
        self.broker.restart()
        again = self.beta().delivery(batch)
        self.assertGreaterEqual(time.monotonic() - begun, 0.9 * RETRY_SECONDS)
        self.assertEqual((again.attempt, again.redelivered), (1, True))

    def test_the_connection_ends_in_good_order(self):
        beta = self.beta()
        self.delivered(beta, 2)
        beta.goodbye("DONE")
        beta.expect_closed()

    def test_an_instance_that_comes_back_may_get_what_it_gave_back(self):
        beta = self.beta()
        batch, _ = self.delivered(beta)
        beta.goodbye("DONE")
        beta.expect_closed()
        again = self.module_again(self.broker, beta).delivery(batch)
        self.assertEqual((again.attempt, again.redelivered), (1, True))


class Shutdown(Goodbye):
    def test_what_was_sent_before_arrives_and_nothing_after(self):
        beta = self.beta(100)
        batches = [self.alpha.hand_over(size=20000) for _ in range(40)]
        first = beta.delivery()
        beta.finish(first)
        self.ask_to_stop()
        before = self.read_to_the_end(beta)
        self.assertEqual([m.batch_id for m in before if m.type == "BATCH_TRANSFER"],
                         [batch["metadata"]["batch_id"] for batch in batches[1:]])
        (outcome,) = self.read_to_the_end(self.alpha)
        self.assertEqual((outcome.batch_id, outcome.status), (first.batch_id, "PROCESSED"))
        self.assertEqual(self.broker.wait(), 0)

    def test_it_says_when_to_come_back(self):
        self.ask_to_stop()
        goodbye = self.alpha.expect("GOODBYE")
        self.assertEqual(goodbye["reason"], "SHUTDOWN")
        self.assertGreaterEqual(goodbye["reconnect_delay_ms"], 0)
        self.alpha.close()
        self.assertEqual(self.broker.wait(), 0)

    def test_what_was_acknowledged_in_the_last_moment_holds(self):
        """Whatever was answered before the end is so after the next start."""
        beta = self.beta(50)
        _, deliveries = self.delivered(beta, 30)
        burst = [self.alpha.batch() for _ in range(30)]
        self.alpha.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in burst))
        for delivery in deliveries:
            beta.acknowledge(delivery, "PROCESSED")
        self.ask_to_stop()
        echoed = {m.batch_id for m in self.read_to_the_end(beta)
                  if m.type == "ACKNOWLEDGMENT" and m.status == "PROCESSED"}
        taken = {m.batch_id for m in self.read_to_the_end(self.alpha)
                 if m.type == "ACKNOWLEDGMENT" and m.status == "RECEIVED"}
        self.assertEqual(self.broker.wait(), 0)
        self.broker.start()
        alpha = self.module_again(self.broker, self.alpha)
        for batch in burst:
            answer = alpha.answer_to(alpha.send(batch))
            if batch["metadata"]["batch_id"] in taken:
                self.assert_received(answer, duplicate=True)
        again = self.beta(100)
        for delivery in deliveries:
            if delivery.batch_id in echoed:
                self.assertTrue(again.finish(delivery)["duplicate"])
        seen = {again.delivery(batch).batch_id for batch in burst}
        self.assertEqual(len(seen), 30)
        again.expect_none("BATCH_TRANSFER", where=lambda m: m.batch_id in echoed)


class Reclaimed(Goodbye):
    """Who comes back in time with `holds` goes on under the same lease."""

    more = "ack_timeout_ms = 2400 process_timeout_ms = 2400"

    def stop_and_start(self, *clients):
        self.ask_to_stop()
        for client in clients:
            self.read_to_the_end(client)
        self.assertEqual(self.broker.wait(), 0)
        self.broker.start()
        self.alpha = self.module_again(self.broker, self.alpha)

    def kill_and_start(self, *_):
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)

    def assert_fresh_clock(self, interrupt):
        """Of 2.4 s, 1.2 are over when the connection ends, and 2.4 are left after it."""
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        beta.expect_none("ERROR_NOTIFICATION", 1.2)
        interrupt(self.alpha, beta)
        begun = time.monotonic()
        again = self.module_again(self.broker, beta, holds=[delivery.lease])
        again.told_late(delivery)
        self.assertGreaterEqual(time.monotonic() - begun, 2.398)
        redelivered = again.delivery(batch)
        self.assertEqual((redelivered.attempt, redelivered.redelivered), (2, True))

    def test_holds_has_a_fresh_clock_when_replaced(self):
        self.assert_fresh_clock(lambda *_: None)

    def test_holds_has_a_fresh_clock_after_a_stop(self):
        self.assert_fresh_clock(self.stop_and_start)

    def test_holds_has_a_fresh_clock_after_a_kill(self):
        self.assert_fresh_clock(self.kill_and_start)

    def test_who_holds_it_after_a_kill_works_on_it(self):
        """Whether it had said RECEIVED died with the broker: `holds` says as much."""
        self.broker.stop()
        self.broker = self.start_broker(SETTINGS % "ack_timeout_ms = 300",
                                        reclaim_ms=self.reclaim_ms)
        self.alpha = self.module(self.broker, "ALPHA")
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        beta.acknowledge(delivery, "RECEIVED")
        self.broker.restart()
        again = self.module_again(self.broker, beta, holds=[delivery.lease])
        again.expect_none("ERROR_NOTIFICATION", 0.8)
        self.assertFalse(again.finish(delivery).get("duplicate"))

    def test_replaced_with_and_without_holds(self):
        beta = self.beta()
        _, (kept, dropped) = self.delivered(beta, 2)
        again = self.module_again(self.broker, beta, holds=[kept.lease])
        self.assert_ends_with_goodbye(beta, "REPLACED")
        back = again.delivery()
        self.assertEqual((back.batch_id, back.attempt, back.redelivered),
                         (dropped.batch_id, 1, True))
        self.assertFalse(again.finish(kept).get("duplicate"))
        again.finish(back)
        again.expect_none("BATCH_TRANSFER")

    def test_who_comes_back_too_late_has_lost_it(self):
        beta = self.beta()
        batch, delivery = self.delivered(beta)
        self.stop_and_start(self.alpha, beta)
        other = self.beta()
        other.finish(other.delivery(batch))
        again = self.module_again(self.broker, beta, holds=[delivery.lease])
        self.assert_error(again.answer_to(again.acknowledge(delivery, "PROCESSED")),
                          "INT_DELIVERY_005")

    def test_what_waits_for_its_instance_is_not_judged_by_the_deadline(self):
        """reclaim_ms is longer here than ack_timeout_ms, and no attempt is spent in it."""
        broker = self.start_broker(SETTINGS % "ack_timeout_ms = 300", reclaim_ms=1500)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = alpha.hand_over()
        beta.delivery(batch)
        broker.restart()
        delivery = self.module(broker, "BETA").delivery(batch)
        self.assertEqual((delivery.attempt, delivery.redelivered), (1, True))


class RollingRestart(Goodbye):
    """Restarts in the middle of work: every batch is delivered once, at its first attempt."""

    reclaim_ms = 8000
    COUNT = 60

    def setUp(self):
        super().setUp()
        self.delivered_to = {}
        self.is_killed = False  # then what was given out may have been cut off unread

    def take(self, beta, delivery):
        """Notes a delivery; a second one of the same batch is repeated work."""
        self.assertNotIn(delivery.batch_id, self.delivered_to)
        self.assertEqual(delivery.attempt, 1)
        if not self.is_killed:
            self.assertFalse(delivery.redelivered)
        self.delivered_to[delivery.batch_id] = beta.instance_id

    def work(self, betas, held, leave=0):
        """Each ends all that it holds but so many, and takes what came."""
        for beta in betas:
            beta.barrier()
            while any(message.type == "BATCH_TRANSFER" for message in beta._waiting):
                delivery = beta.delivery()
                self.take(beta, delivery)
                held[beta.instance_id].append(delivery)
            while len(held[beta.instance_id]) > leave:
                self.assertFalse(beta.finish(held[beta.instance_id].pop(0)).get("duplicate"))

    def work_to_the_end(self, betas, held):
        deadline = time.monotonic() + 30
        while len(self.delivered_to) < self.COUNT or any(held.values()):
            self.assertLess(time.monotonic(), deadline, "not all were delivered")
            self.work(betas, held)
        for beta in betas:
            beta.expect_none("BATCH_TRANSFER")

    def come_back(self, clients, held):
        again = []
        for client in clients:
            kept = [delivery.lease for delivery in held[client.instance_id]]
            again.append(self.module_again(self.broker, client, max_in_flight=8, holds=kept))
        return again

    def test_the_broker_is_stopped_and_started_many_times(self):
        batches = [self.alpha.hand_over() for _ in range(self.COUNT)]
        betas = [self.beta(8), self.beta(8)]
        held = {beta.instance_id: [] for beta in betas}
        for _ in range(4):
            self.work(betas, held, leave=5)
            self.ask_to_stop()
            for beta in betas:
                for message in self.read_to_the_end(beta):
                    if message.type == "BATCH_TRANSFER":
                        self.take(beta, message)
                        held[beta.instance_id].append(message)
            self.read_to_the_end(self.alpha)
            self.assertEqual(self.broker.wait(), 0)
            self.broker.start()
            self.alpha = self.module_again(self.broker, self.alpha)
            betas = self.come_back(betas, held)
        self.work_to_the_end(betas, held)
        self.assert_processed(batches)

    def test_the_broker_is_killed_and_started_many_times(self):
        batches = [self.alpha.hand_over() for _ in range(self.COUNT)]
        betas = [self.beta(8), self.beta(8)]
        held = {beta.instance_id: [] for beta in betas}
        for _ in range(4):
            self.work(betas, held, leave=5)
            self.is_killed = True
            self.broker.kill()
            for beta in betas:
                self.read_what_came(beta, held[beta.instance_id])
            self.broker.start()
            self.alpha = self.module_again(self.broker, self.alpha)
            betas = self.come_back(betas, held)
        self.work_to_the_end(betas, held)
        self.assert_processed(batches)

    def read_what_came(self, beta, held):
        """Deliveries that were read until the connection of a killed broker ended."""
        try:
            while True:
                delivery = beta.delivery()
                self.take(beta, delivery)
                held.append(delivery)
        except Closed:
            beta.close()

    def test_the_modules_are_replaced_one_after_the_other(self):
        """Each drains, is done, and one of another name takes its place."""
        batches = [self.alpha.hand_over() for _ in range(self.COUNT)]
        betas = [self.beta(8), self.beta(8)]
        held = {beta.instance_id: [] for beta in betas}
        for place in (0, 1, 0, 1):
            self.work(betas, held, leave=5)
            old = betas[place]
            old.goodbye("DRAINING")
            old.barrier()
            betas[place] = self.beta(8)
            held[betas[place].instance_id] = []
            self.work([old], held)
            old.goodbye("DONE")
            self.assertEqual([m.type for m in old.expect_closed() if m.type == "BATCH_TRANSFER"],
                             [])
        self.work_to_the_end(betas, held)
        self.assert_processed(batches)
