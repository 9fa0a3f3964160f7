"""test_retry.py - protocol, section 6: how long a failed batch waits, how often it is tried, and
what a restart does to either."""

import os
import signal
import time

from case import Case, messages, summary
from handoff_client import Silence

# What a busy machine may add to a wait.
SLACK = 1.5 * float(os.environ.get("HANDOFF_TEST_PATIENCE", "1"))
LONG = 20


class Retry(Case):
    def start(self, settings, max_in_flight=10):
        self.broker = self.start_broker('route "alpha-beta" { %s }' % settings,
                                        circuit_failure_threshold=1000)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", max_in_flight)

    def restart(self):
        """Killed and started; both modules come back, BETA's instance holding nothing."""
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)
        self.beta = self.module_again(self.broker, self.beta)

    def fail_once(self, batch, delivery, recoverability="TRANSIENT", **fields):
        """Rejects it; returns the next delivery and how long that took, at least the wait."""
        begun = time.monotonic()
        self.beta.reject(delivery, recoverability, **fields)
        again = self.beta.delivery(batch, seconds=LONG)
        return again, time.monotonic() - begun

    def assert_wait(self, took, milliseconds):
        """At least the wait, in the broker's milliseconds; at most a tenth and slack above it."""
        self.assertGreaterEqual(took, milliseconds / 1000 - 0.002)
        self.assertLessEqual(took, milliseconds / 1000 * 1.1 + SLACK)

    def assert_dead(self, batch, *codes):
        outcome = self.alpha.outcome(batch, seconds=LONG)
        self.assertEqual(outcome.status, "REJECTED", summary(outcome))
        self.assertEqual([error["error_code"] for error in outcome["errors"]], list(codes))
        return outcome


class Waits(Retry):
    def test_each_wait_is_longer_by_the_multiplier(self):
        self.start("retry_delay_ms = 150 backoff_multiplier = 3.0 max_retries = 9")
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        for attempt, wait in ((2, 150), (3, 450), (4, 1350), (5, 4050)):
            delivery, took = self.fail_once(batch, delivery)
            self.assertEqual(delivery.attempt, attempt)
            self.assert_wait(took, wait)

    def test_no_wait_is_longer_than_max_retry_delay_ms(self):
        self.start("retry_delay_ms = 100 backoff_multiplier = 100 max_retry_delay_ms = 600 "
                   "max_retries = 9")
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        for wait in (100, 600, 600, 600):
            delivery, took = self.fail_once(batch, delivery)
            self.assert_wait(took, wait)

    def test_a_wait_that_no_number_holds_is_max_retry_delay_ms(self):
        self.start("retry_delay_ms = 50 backoff_multiplier = 100 max_retry_delay_ms = 50 "
                   "max_retries = 1000")
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        for attempt in range(2, 42):
            delivery, took = self.fail_once(batch, delivery)
            self.assertEqual(delivery.attempt, attempt)
            self.assert_wait(took, 50)

    def test_the_defaults(self):
        self.start("")
        told = {route["name"]: route for route in self.beta.welcome["routes"]}["alpha-beta"]
        self.assertEqual((told["retry_delay_ms"], told["backoff_multiplier"], told["max_retries"]),
                         (1000, 2.0, 5))
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        for wait in (1000, 2000, 4000):
            delivery, took = self.fail_once(batch, delivery)
            self.assert_wait(took, wait)

    def test_what_fails_together_comes_back_spread_out(self):
        """Up to a tenth is added, never subtracted."""
        self.start("retry_delay_ms = 2000", max_in_flight=60)
        batches = [self.alpha.hand_over() for _ in range(60)]
        deliveries = [self.beta.delivery(batch) for batch in batches]
        begun = {}
        for delivery in deliveries:
            begun[delivery.batch_id] = time.monotonic()
            self.beta.acknowledge(delivery, "REJECTED", errors=[messages.error("BETA")])
        took = []
        for _ in batches:
            again = self.beta.delivery(seconds=LONG)
            took.append(time.monotonic() - begun[again.batch_id])
        for one in took:
            self.assert_wait(one, 2000)
        self.assertGreater(max(took) - min(took), 0.05)

    def test_a_wait_is_counted_from_the_failure_on(self):
        """Not from the delivery that failed, which may be long ago."""
        self.start("retry_delay_ms = 1000")
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        self.beta.expect_none("BATCH_TRANSFER", 1.2)
        _, took = self.fail_once(batch, delivery)
        self.assert_wait(took, 1000)

    def test_each_batch_has_its_own_count(self):
        self.start("retry_delay_ms = 300 backoff_multiplier = 4.0")
        old = self.alpha.hand_over()
        delivery = self.beta.delivery(old)
        delivery, _ = self.fail_once(old, delivery)
        young = self.alpha.hand_over()
        first = self.beta.delivery(young)
        begun = time.monotonic()
        self.beta.reject(delivery)
        self.beta.reject(first)
        again = self.beta.delivery()
        self.assertEqual((again.batch_id, again.attempt), (first.batch_id, 2))
        self.assert_wait(time.monotonic() - begun, 300)
        again = self.beta.delivery()
        self.assertEqual((again.batch_id, again.attempt), (delivery.batch_id, 3))
        self.assert_wait(time.monotonic() - begun, 1200)

    def test_what_is_due_while_the_target_is_full_waits_for_it(self):
        self.start("retry_delay_ms = 100", max_in_flight=1)
        sent = [self.alpha.hand_over()["metadata"]["batch_id"] for _ in range(6)]
        done = []
        while len(done) < len(sent):
            delivery = self.beta.delivery()
            if delivery.attempt == 1:
                self.beta.reject(delivery)
                continue
            self.assertEqual(delivery.attempt, 2)
            self.beta.expect_none("BATCH_TRANSFER", 0.2)
            done.append(delivery.batch_id)
            self.beta.finish(delivery)
        self.assertEqual(sorted(done), sorted(sent))
        self.beta.expect_none("BATCH_TRANSFER", 0.3)


class Counts(Retry):
    QUICK = "retry_delay_ms = 50 backoff_multiplier = 1.0 max_retries = %d"

    def test_max_retries_of_two_are_three_deliveries(self):
        self.start(self.QUICK % 2)
        batch = self.alpha.hand_over()
        for attempt in (1, 2, 3):
            delivery = self.beta.delivery(batch)
            self.assertEqual(delivery.attempt, attempt)
            self.beta.reject(delivery, code="BETA_TIRED_%d" % attempt)
        outcome = self.assert_dead(batch, "INT_DELIVERY_002", "BETA_TIRED_3")
        first = outcome["errors"][0]
        self.assertEqual((first["severity"], first["recoverability"], first["scope"],
                          first["source_module"], first["context"]["batch_id"]),
                         ("ERROR", "PERMANENT", "BATCH", "BROKER", batch["metadata"]["batch_id"]))
        self.beta.expect_none("BATCH_TRANSFER", 0.3)

    def test_deadlines_and_rejections_are_counted_together(self):
        self.start("ack_timeout_ms = 1200 " + self.QUICK % 2)
        batch = self.alpha.hand_over()
        self.beta.told_late(self.beta.delivery(batch))
        self.beta.reject(self.beta.delivery(batch))
        third = self.beta.delivery(batch)
        self.assertEqual(third.attempt, 3)
        self.beta.told_late(third)
        outcome = self.alpha.outcome(batch)
        self.assertEqual((outcome.status, outcome.code), ("REJECTED", "INT_DELIVERY_002"))

    def test_every_error_of_the_last_rejection_is_told(self):
        self.start(self.QUICK % 0)
        batch = self.alpha.hand_over()
        self.beta.answer_to(self.beta.acknowledge(self.beta.delivery(batch), "REJECTED", errors=[
            messages.error("BETA", "TRANSIENT", code="BETA_%d" % i) for i in range(3)]))
        self.assert_dead(batch, "INT_DELIVERY_002", "BETA_0", "BETA_1", "BETA_2")

    def test_a_permanent_rejection_ends_it_at_any_attempt(self):
        self.start(self.QUICK % 5)
        batch = self.alpha.hand_over()
        delivery, _ = self.fail_once(batch, self.beta.delivery(batch))
        self.beta.reject(delivery, "PERMANENT", code="BETA_NEVER")
        self.assert_dead(batch, "INT_DELIVERY_004", "BETA_NEVER")
        self.beta.expect_none("BATCH_TRANSFER", 0.3)

    def test_unknown_is_retried_as_often_as_transient(self):
        self.start(self.QUICK % 2)
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)
        for attempt in (2, 3):
            delivery, _ = self.fail_once(batch, delivery, "UNKNOWN")
            self.assertEqual(delivery.attempt, attempt)
        self.beta.reject(delivery, "UNKNOWN")
        self.assert_dead(batch, "INT_DELIVERY_002", "TEST_001")

    def test_unknown_that_is_not_eligible_is_dead_at_once(self):
        self.start(self.QUICK % 2)
        batch = self.alpha.hand_over()
        self.beta.reject(self.beta.delivery(batch), "UNKNOWN", retry_eligible=False)
        self.assert_dead(batch, "INT_DELIVERY_004", "TEST_001")

    def test_one_permanent_error_outweighs_the_others(self):
        self.start(self.QUICK % 2)
        batch = self.alpha.hand_over()
        self.beta.answer_to(self.beta.acknowledge(self.beta.delivery(batch), "REJECTED", errors=[
            messages.error("BETA", "TRANSIENT", code="BETA_1"),
            messages.error("BETA", "UNKNOWN", code="BETA_2"),
            messages.error("BETA", "PERMANENT", code="BETA_3", retry_eligible=True)]))
        self.assert_dead(batch, "INT_DELIVERY_004", "BETA_1", "BETA_2", "BETA_3")

    def test_waiting_for_a_target_that_is_away_costs_none(self):
        self.start(self.QUICK % 2)
        batch = self.alpha.hand_over()
        self.beta.reject(self.beta.delivery(batch))
        self.beta.goodbye("DONE")
        self.beta.expect_closed()
        self.module(self.broker, "EPSILON").expect_none("BATCH_TRANSFER", 1.0)
        delivery = self.module(self.broker, "BETA").delivery(batch)
        self.assertEqual((delivery.attempt, delivery.redelivered), (2, True))

    def test_given_back_in_order_many_times_costs_none(self):
        self.start(self.QUICK % 1)
        batch = self.alpha.hand_over()
        leases = []
        for _ in range(5):
            delivery = self.beta.delivery(batch)
            self.assertEqual((delivery.attempt, delivery.redelivered), (1, bool(leases)))
            leases.append(delivery.lease)
            self.beta.goodbye("DONE")
            self.beta = self.module(self.broker, "BETA")
        self.assertEqual(leases, sorted(set(leases)))


class OverRestarts(Retry):
    def test_no_attempt_is_lost_or_repeated_over_kills_while_it_waits(self):
        self.start("retry_delay_ms = 400 backoff_multiplier = 1.5 max_retries = 3")
        batch = self.alpha.hand_over()
        for attempt in (1, 2, 3, 4):
            delivery = self.beta.delivery(batch, seconds=LONG)
            self.assertEqual((delivery.attempt, delivery.redelivered), (attempt, attempt > 1))
            begun = time.monotonic()
            self.beta.reject(delivery, code="BETA_TIRED_%d" % attempt)
            self.restart()
            if attempt < 4:
                again = self.beta.delivery(batch, seconds=LONG)
                self.assertGreaterEqual(time.monotonic() - begun,
                                        0.9 * 0.4 * 1.5 ** (attempt - 1))
                self.assertEqual(again.attempt, attempt + 1)
                self.beta._waiting.insert(0, again)
        self.assert_dead(batch, "INT_DELIVERY_002", "BETA_TIRED_4")
        self.beta.expect_none("BATCH_TRANSFER", 0.5)

    def test_a_wait_goes_on_after_a_kill_and_does_not_begin_anew(self):
        self.start("retry_delay_ms = 3000 max_retries = 3")
        batch = self.alpha.hand_over()
        begun = time.monotonic()
        self.beta.reject(self.beta.delivery(batch))
        for _ in range(3):
            self.beta.expect_none("BATCH_TRANSFER", 0.6)
            self.restart()
        self.assertEqual(self.beta.delivery(batch).attempt, 2)
        took = time.monotonic() - begun
        self.assertGreaterEqual(took, 0.9 * 3.0)
        self.assertLessEqual(took, 3.3 + SLACK)

    def test_kills_while_it_is_out_cost_none(self):
        self.start("retry_delay_ms = 50 max_retries = 1")
        batch = self.alpha.hand_over()
        delivery, _ = self.fail_once(batch, self.beta.delivery(batch))
        for _ in range(4):
            self.assertEqual((delivery.attempt, delivery.redelivered), (2, True))
            self.restart()
            lease, delivery = delivery.lease, self.beta.delivery(batch)
            self.assertGreater(delivery.lease, lease)
        self.beta.reject(delivery)
        self.assert_dead(batch, "INT_DELIVERY_002", "TEST_001")

    def test_orderly_stops_while_it_is_out_cost_none(self):
        self.start("retry_delay_ms = 50 max_retries = 1")
        batch = self.alpha.hand_over()
        delivery, _ = self.fail_once(batch, self.beta.delivery(batch))
        for _ in range(3):
            self.broker.process.send_signal(signal.SIGTERM)
            for client in (self.alpha, self.beta):
                client.expect_closed()
                client.close()
            self.assertEqual(self.broker.wait(), 0)
            self.broker.start()
            self.alpha = self.module_again(self.broker, self.alpha)
            self.beta = self.module_again(self.broker, self.beta)
            delivery = self.beta.delivery(batch)
            self.assertEqual((delivery.attempt, delivery.redelivered), (2, True))
            self.beta.goodbye("DONE")
            self.beta.expect_closed()
            self.beta = self.module_again(self.broker, self.beta)
            self.assertEqual(self.beta.delivery(batch).attempt, 2)

    def test_an_attempt_that_was_sent_was_counted_before(self):
        """Killed at any moment after a delivery was read, its attempt is not given out lower."""
        self.start("retry_delay_ms = 50 backoff_multiplier = 1.0 max_retries = 100")
        self.beta = self.module_again(self.broker, self.beta)
        highest = {batch["metadata"]["batch_id"]: 0 for batch in
                   (self.alpha.hand_over() for _ in range(5))}
        rejected = dict(highest)
        for _ in range(6):
            deadline = time.monotonic() + 0.3
            while time.monotonic() < deadline:
                try:
                    delivery = self.beta.delivery(seconds=deadline - time.monotonic())
                except Silence:
                    break
                self.assertGreaterEqual(delivery.attempt, highest[delivery.batch_id])
                self.assertGreater(delivery.attempt, rejected[delivery.batch_id])
                highest[delivery.batch_id] = delivery.attempt
                self.beta.reject(delivery)
                rejected[delivery.batch_id] = delivery.attempt
            self.restart()
        self.assertGreater(min(highest.values()), 3)

    def test_many_waits_outlive_a_kill(self):
        self.start("retry_delay_ms = 1500 max_retries = 3", max_in_flight=100)
        batches = [self.alpha.hand_over() for _ in range(100)]
        begun = time.monotonic()
        for batch in batches:
            self.beta.acknowledge(self.beta.delivery(batch), "REJECTED",
                                  errors=[messages.error("BETA")])
        self.beta.barrier()
        self.broker.restart()
        self.beta = self.module(self.broker, "BETA", 100)
        seen = set()
        for _ in batches:
            again = self.beta.delivery(seconds=LONG)
            self.assertGreaterEqual(time.monotonic() - begun, 0.9 * 1.5)
            self.assertEqual(again.attempt, 2)
            seen.add(again.batch_id)
        self.assertEqual(len(seen), len(batches))
