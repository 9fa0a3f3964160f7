"""test_deadlines.py - protocol, section 6: deadlines of a delivery, and answers that come late.

A wait's lower bound is strict: it is measured from before the broker can have begun it. Its upper
bound is what a busy machine may need.
"""

import socket
import time

from case import Case, messages, summary

ROUTE = ('route "alpha-beta" { ack_timeout_ms = %d process_timeout_ms = %d retry_delay_ms = %d '
         'max_retries = %d backoff_multiplier = 1.0 }')
NEVER = 3600000


class Deadlines(Case):
    """ALPHA and BETA on a route whose deadlines a test sets."""

    def start(self, ack_timeout_ms=1000, process_timeout_ms=NEVER, retry_delay_ms=50, max_retries=3,
              more="", **top_level):
        self.ack_timeout = ack_timeout_ms / 1000
        self.process_timeout = process_timeout_ms / 1000
        self.retry_delay = retry_delay_ms / 1000
        self.broker = self.start_broker(
            ROUTE % (ack_timeout_ms, process_timeout_ms, retry_delay_ms, max_retries) + more,
            circuit_failure_threshold=1000, **top_level)
        self.alpha = self.module(self.broker, "ALPHA")

    def beta(self, max_in_flight=10, **more):
        return self.module(self.broker, "BETA", max_in_flight, **more)

    def assert_none_late(self, client, seconds):
        client.expect_none("ERROR_NOTIFICATION", seconds,
                           where=lambda m: m.code == "INT_DELIVERY_001")

    def assert_since(self, begun, seconds):
        """So many seconds are over; the broker counts in milliseconds."""
        self.assertGreaterEqual(time.monotonic() - begun, seconds - 0.002)

    def assert_stale(self, client, message):
        self.assert_error(client.answer_to(message), "INT_DELIVERY_005")


class Received(Deadlines):
    def test_no_received_in_time_is_told_to_the_instance_and_delivered_again(self):
        self.start()
        beta = self.beta()
        begun = time.monotonic()
        batch = self.alpha.hand_over()
        first = beta.delivery(batch)
        beta.told_late(first)
        self.assert_since(begun, self.ack_timeout)
        second = beta.delivery(batch)
        self.assert_since(begun, self.ack_timeout + self.retry_delay)
        self.assertEqual((second.attempt, second.redelivered), (2, True))
        self.assertGreater(second.lease, first.lease)
        self.assertEqual(messages.without_delivery(second.body), messages.encode(batch))
        beta.finish(second)
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_the_notice_says_what_section_9_says(self):
        self.start()
        beta = self.beta()
        batch = self.alpha.hand_over()
        notice = beta.told_late(beta.delivery(batch))
        error = notice.error
        self.assertEqual(
            (error["severity"], error["recoverability"], error["scope"], error["retry_eligible"],
             error["source_module"]), ("WARNING", "TRANSIENT", "BATCH", True, "BROKER"))
        self.assertEqual(error["context"]["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual((notice["header"]["source_module"], notice["header"]["correlation_id"]),
                         ("BROKER", batch["header"]["correlation_id"]))
        self.assertIn(notice["action_required"], ("NONE", "THROTTLE", "HALT", "INVESTIGATE"))

    def test_the_source_hears_nothing_of_a_deadline(self):
        self.start()
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.told_late(beta.delivery(batch))
        beta.finish(beta.delivery(batch))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        for message_type in ("ACKNOWLEDGMENT", "ERROR_NOTIFICATION"):
            self.alpha.expect_none(message_type, where=lambda m: "in_reply_to" not in m)

    def test_it_goes_to_another_instance_where_there_is_one(self):
        self.start()
        mute, other = self.beta(9), self.beta(1)
        batch = self.alpha.hand_over()
        mute.delivery(batch)
        delivery = other.delivery(batch)
        other.finish(delivery)
        self.assertEqual((delivery.attempt, delivery.redelivered), (2, True))
        mute.expect_none("BATCH_TRANSFER")

    def test_a_mute_target_costs_every_attempt_and_then_it_is_a_dead_letter(self):
        """Section 11 in small: six deadlines and 1 + 2 + 4 + 8 + 16 times the first wait."""
        self.broker = self.start_broker(
            'route "alpha-beta" { ack_timeout_ms = 300 retry_delay_ms = 50 }',
            circuit_failure_threshold=1000)
        self.alpha, beta = self.module(self.broker, "ALPHA"), self.beta()
        begun = time.monotonic()
        batch = self.alpha.hand_over()
        attempts = []
        for _ in range(6):
            delivery = beta.delivery(batch)
            attempts.append(delivery.attempt)
            beta.told_late(delivery)
        outcome = self.alpha.outcome(batch)
        self.assert_since(begun, 6 * 0.3 + 31 * 0.05)
        self.assertEqual(attempts, [1, 2, 3, 4, 5, 6])
        self.assertEqual((outcome.status, outcome.code), ("REJECTED", "INT_DELIVERY_002"))
        self.assertEqual((outcome["payload"]["records_accepted"],
                          outcome["payload"]["records_rejected"]), (0, 3))
        beta.expect_none("BATCH_TRANSFER", 0.3)

    def test_many_deadlines_pass_at_once(self):
        self.start(ack_timeout_ms=1500)
        beta = self.beta(50)
        batches = [self.alpha.hand_over() for _ in range(50)]
        firsts = [beta.delivery(batch) for batch in batches]
        for first in firsts:
            beta.told_late(first)
        for first in firsts:
            again = beta.expect("BATCH_TRANSFER", where=lambda m, i=first.batch_id: m.batch_id == i)
            self.assertEqual((again.attempt, again.redelivered), (2, True))
            self.assertGreater(again.lease, first.lease)
            beta.finish(again)
        self.assertEqual({self.alpha.outcome(batch).status for batch in batches}, {"PROCESSED"})

    def test_what_a_deadline_took_back_is_no_suspect(self):
        self.start()
        beta = self.beta(3)
        batches = [self.alpha.hand_over() for _ in range(3)]
        for batch in batches:
            beta.told_late(beta.delivery(batch))
        for batch in batches:
            again = beta.delivery(batch)
            beta.acknowledge(again, "RECEIVED")
            self.assertEqual(again.attempt, 2)

    def test_an_ended_batch_has_no_deadline(self):
        self.start(ack_timeout_ms=1500, retry_delay_ms=NEVER)
        beta = self.beta()
        beta.finish(beta.delivery(self.alpha.hand_over()))
        beta.reject(beta.delivery(self.alpha.hand_over()), "PERMANENT")
        beta.reject(beta.delivery(self.alpha.hand_over()), "TRANSIENT")
        completed = beta.delivery(self.alpha.hand_over())
        beta.hand_over(completes=[messages.completion(completed)])
        self.assert_none_late(beta, 1.5 * self.ack_timeout)
        beta.expect_none("BATCH_TRANSFER")

    def test_a_deadline_is_the_routes_own(self):
        self.start(more='\nroute "gamma-beta" { source = "GAMMA" target = "BETA" '
                        'ack_timeout_ms = %d }' % NEVER)
        beta = self.beta()
        gamma = self.module(self.broker, "GAMMA")
        patient = beta.delivery(gamma.hand_over(gamma.batch("BETA")))
        hasty = beta.delivery(self.alpha.hand_over())
        beta.told_late(hasty)
        self.assertFalse(beta.finish(patient).get("duplicate"))

    def test_the_broker_keeps_to_the_settings_it_tells_in_welcome(self):
        broker = self.start_broker(environment={
            "ALPHA_BETA_ACK_TIMEOUT_MS": "400", "ALPHA_BETA_RETRY_DELAY_MS": "70",
            "ALPHA_BETA_MAX_RETRIES": "1"})
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        told = {route["name"]: route for route in beta.welcome["routes"]}["alpha-beta"]
        begun = time.monotonic()
        batch = alpha.hand_over()
        for attempt in range(1, 2 + told["max_retries"]):
            delivery = beta.delivery(batch)
            self.assertEqual(delivery.attempt, attempt)
            beta.told_late(delivery)
        self.assertEqual(alpha.outcome(batch).code, "INT_DELIVERY_002")
        self.assert_since(begun, (2 * told["ack_timeout_ms"] + told["retry_delay_ms"]) / 1000)


class Processed(Deadlines):
    def test_received_in_time_gives_it_process_timeout_ms(self):
        self.start(ack_timeout_ms=1200, process_timeout_ms=2000)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        begun = time.monotonic()
        beta.acknowledge(delivery, "RECEIVED")
        beta.told_late(delivery)
        self.assert_since(begun, self.process_timeout)
        again = beta.delivery(batch)
        self.assert_since(begun, self.process_timeout + self.retry_delay)
        self.assertEqual((again.attempt, again.redelivered), (2, True))

    def test_a_shorter_process_timeout_ms_counts_from_received(self):
        self.start(ack_timeout_ms=NEVER, process_timeout_ms=500)
        beta = self.beta()
        delivery = beta.delivery(self.alpha.hand_over())
        self.assert_none_late(beta, 1.0)
        begun = time.monotonic()
        beta.acknowledge(delivery, "RECEIVED")
        beta.told_late(delivery)
        self.assert_since(begun, self.process_timeout)

    def test_a_repeated_received_restarts_the_clock(self):
        self.start(ack_timeout_ms=NEVER, process_timeout_ms=2000)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        for _ in range(7):
            begun = time.monotonic()
            beta.acknowledge(delivery, "RECEIVED")
            self.assert_none_late(beta, 0.5)
        beta.told_late(delivery)
        self.assert_since(begun, self.process_timeout)

    def test_still_at_it_is_no_end_and_the_batch_may_end_after_many(self):
        self.start(ack_timeout_ms=NEVER, process_timeout_ms=2000)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        for _ in range(5):
            beta.acknowledge(delivery, "RECEIVED")
            self.assert_none_late(beta, 0.5)
        self.assertFalse(beta.finish(delivery).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_received_for_one_batch_says_nothing_of_another(self):
        self.start(ack_timeout_ms=1500)
        beta = self.beta()
        one, two = (beta.delivery(self.alpha.hand_over()) for _ in range(2))
        beta.acknowledge(one, "RECEIVED")
        beta.told_late(two)
        self.assert_none_late(beta, 0)
        self.assertFalse(beta.finish(one).get("duplicate"))

    def test_a_redelivery_has_to_be_received_anew(self):
        self.start(ack_timeout_ms=1000, process_timeout_ms=300)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        beta.acknowledge(delivery, "RECEIVED")
        beta.told_late(delivery)
        begun = time.monotonic()
        second = beta.delivery(batch)
        beta.told_late(second)
        self.assert_since(begun, self.ack_timeout)
        self.assertEqual(beta.delivery(batch).attempt, 3)

    def test_a_stage_refused_for_fullness_restarts_the_clock(self):
        """Section 7: it spends no attempt while the route after it is full."""
        self.start(ack_timeout_ms=NEVER, process_timeout_ms=2000,
                   more='\nroute "beta-gamma" { queue_capacity = 1 stage_margin = 0 }')
        beta = self.beta()
        delivery = beta.delivery(self.alpha.hand_over())
        beta.hand_over()
        beta.acknowledge(delivery, "RECEIVED")
        output = beta.batch(completes=[messages.completion(delivery)])
        for _ in range(6):
            begun = time.monotonic()
            beta.send(output)
            self.assert_error(beta.answer_to(output), "INT_ROUTE_002")
            self.assert_refused(beta.answer_to(output), "INT_ROUTE_002")
            self.assert_none_late(beta, 0.5)
        beta.told_late(delivery)
        self.assert_since(begun, self.process_timeout)


class Credit(Deadlines):
    def test_a_deadline_frees_the_credit_it_took(self):
        self.start(retry_delay_ms=NEVER)
        beta = self.beta(1)
        held, following = self.alpha.hand_over(), self.alpha.hand_over()
        first = beta.delivery(held)
        beta.expect_none("BATCH_TRANSFER")
        beta.told_late(first)
        beta.finish(beta.delivery(following))

    def test_a_process_deadline_frees_it_too(self):
        self.start(ack_timeout_ms=NEVER, process_timeout_ms=500, retry_delay_ms=NEVER)
        beta = self.beta(1)
        held, following = self.alpha.hand_over(), self.alpha.hand_over()
        first = beta.delivery(held)
        beta.acknowledge(first, "RECEIVED")
        beta.told_late(first)
        beta.finish(beta.delivery(following))

    def test_it_is_freed_once(self):
        """The late answer of a batch that came back by a deadline gives no credit again."""
        self.start(ack_timeout_ms=1500, retry_delay_ms=NEVER)
        beta = self.beta(1)
        late = beta.delivery(self.alpha.hand_over())
        beta.told_late(late)
        self.alpha.hand_over()
        following = beta.delivery()
        beta.finish(late)
        self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER")
        beta.finish(following)
        beta.delivery()


class LateAnswers(Deadlines):
    def late(self, **settings):
        """A batch whose deadline has passed, long before it is delivered again."""
        self.start(retry_delay_ms=NEVER, **settings)
        self.holder = self.beta()
        batch = self.alpha.hand_over()
        delivery = self.holder.delivery(batch)
        self.holder.told_late(delivery)
        return batch, delivery

    def replaced(self):
        """A batch whose deadline has passed, and its next delivery to another instance."""
        self.start(ack_timeout_ms=1500)
        self.holder, self.other = self.beta(9), self.beta(1)
        batch = self.alpha.hand_over()
        first = self.holder.delivery(batch)
        second = self.other.delivery(batch)
        self.other.acknowledge(second, "RECEIVED")
        self.other.barrier()
        return batch, first, second

    def test_processed_before_the_next_delivery_counts(self):
        self.start(ack_timeout_ms=300, retry_delay_ms=1500)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        beta.told_late(delivery)
        self.assertFalse(beta.finish(delivery).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        beta.expect_none("BATCH_TRANSFER", 2.0)

    def test_processed_from_another_connection_counts_too(self):
        batch, delivery = self.late()
        self.assertFalse(self.beta(0).finish(delivery).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_processed_after_a_deadline_and_a_kill_counts(self):
        batch, delivery = self.late()
        self.broker.restart()
        self.assertFalse(self.beta(0).finish(delivery).get("duplicate"))
        alpha = self.module_again(self.broker, self.alpha)
        self.assertEqual(alpha.outcome(batch).status, "PROCESSED")

    def test_rejected_for_good_before_the_next_delivery_counts(self):
        batch, delivery = self.late()
        self.holder.reject(delivery, "PERMANENT")
        outcome = self.alpha.outcome(batch)
        self.assertEqual([error["error_code"] for error in outcome["errors"]],
                         ["INT_DELIVERY_004", "TEST_001"], summary(outcome))

    def test_a_late_received_is_stale_and_does_not_bring_it_back(self):
        _, delivery = self.late()
        self.assert_stale(self.holder, self.holder.acknowledge(delivery, "RECEIVED"))
        self.holder.finish(delivery)

    def test_a_late_stage_counts_before_the_next_delivery(self):
        batch, delivery = self.late()
        output = self.holder.hand_over(completes=[messages.completion(delivery)])
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.module(self.broker, "GAMMA").delivery(output)

    def test_every_answer_is_stale_after_the_next_delivery(self):
        batch, first, second = self.replaced()
        for status in ("RECEIVED", "PROCESSED", "REJECTED"):
            self.assert_stale(self.holder, self.holder.acknowledge(first, status))
        self.alpha.expect_none("ACKNOWLEDGMENT")
        self.assertFalse(self.other.finish(second).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_a_stage_is_refused_after_the_next_delivery(self):
        _, first, second = self.replaced()
        output = self.holder.batch(completes=[messages.completion(first)])
        self.assert_refused(self.holder.answer_to(self.holder.send(output)), "INT_BATCH_005")
        self.other.hand_over(completes=[messages.completion(second)])
        gamma = self.module(self.broker, "GAMMA")
        gamma.finish(gamma.delivery())
        gamma.expect_none("BATCH_TRANSFER")

    def test_a_late_answer_after_the_end_by_another_changes_nothing(self):
        batch, first, second = self.replaced()
        self.other.finish(second)
        self.assert_stale(self.holder, self.holder.acknowledge(first, "REJECTED", errors=[
            messages.error("BETA", "PERMANENT")]))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.alpha.expect_none("ACKNOWLEDGMENT")


class SlowReader(Deadlines):
    """The clock begins when the last byte was handed over, however long that takes."""

    def setUp(self):
        super().setUp()
        self.start(ack_timeout_ms=1000, write_timeout_ms=60000)
        self.slow = self.beta(receive_buffer=4096)
        self.batch = self.alpha.hand_over(count=1, size=7500000)
        self.watcher = self.beta(1)
        self.watcher.expect_none("BATCH_TRANSFER", 3 * self.ack_timeout)

    def read_it(self):
        self.slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return self.slow.delivery(self.batch, seconds=30)

    def test_a_delivery_not_yet_written_is_not_judged(self):
        delivery = self.read_it()
        self.assertEqual(delivery.attempt, 1)
        self.assertFalse(self.slow.finish(delivery).get("duplicate"))
        self.assert_none_late(self.slow, 0)
        self.watcher.expect_none("BATCH_TRANSFER")

    def test_it_is_judged_once_it_is_written(self):
        begun = time.monotonic()
        delivery = self.read_it()
        self.slow.told_late(delivery)
        self.assert_since(begun, self.ack_timeout)
        self.assertEqual(self.watcher.delivery(self.batch).attempt, 2)
