"""test_ordered.py - protocol, section 6: `ordered = true`: one batch at a time for each instance of
the source, in the order of sequence_number; and what order other routes keep."""

import time

from case import Case, messages, summary

ORDERED = ('route "alpha-beta" { ordered = true retry_delay_ms = %d max_retries = 1 '
           'backoff_multiplier = 1.0 %s }\n')


class Ordered(Case):
    def start(self, retry_delay_ms=50, more="", others=""):
        self.broker = self.start_broker(ORDERED % (retry_delay_ms, more) + others,
                                        circuit_failure_threshold=1000)
        self.alpha = self.module(self.broker, "ALPHA", instance_id="one")

    def second_alpha(self):
        return self.module(self.broker, "ALPHA", instance_id="two")

    def beta(self, max_in_flight=10, **more):
        return self.module(self.broker, "BETA", max_in_flight, **more)

    def hand_over(self, alpha, count, **fields):
        return [alpha.hand_over(**fields) for _ in range(count)]

    def let_the_broker_notice(self):
        """What was sent or closed before a whole session took place has been handled."""
        self.module(self.broker, "EPSILON").barrier()

    def assert_comes_alone(self, beta, batch, attempt=1):
        """The delivery of this batch comes, and none beside it; returns it."""
        delivery = beta.delivery()
        self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"],
                         "sequence number %d came" % delivery["metadata"]["sequence_number"])
        self.assertEqual(delivery.attempt, attempt)
        beta.expect_none("BATCH_TRANSFER")
        return delivery

    def assert_come_in_turn(self, beta, batches):
        for batch in batches:
            beta.finish(self.assert_comes_alone(beta, batch))
        beta.expect_none("BATCH_TRANSFER")

    def assert_out_of_order(self, alpha, batch):
        """It is refused, and may be sent again: section 9's row for an ordered route."""
        answer = alpha.answer_to(alpha.send(batch))
        self.assert_refused(answer, "INT_BATCH_004")
        error = answer.error
        self.assertEqual((error["severity"], error["recoverability"], error["scope"],
                          error["retry_eligible"]), ("ERROR", "TRANSIENT", "BATCH", True))

    def assert_taken(self, alpha, batch):
        """It is taken into custody for the first time, without a warning."""
        answer = alpha.answer_to(alpha.send(batch))
        self.assert_received(answer)
        self.assertFalse(answer.get("errors"), summary(answer))


class OneAtATime(Ordered):
    def test_one_batch_is_out_at_a_time_in_order(self):
        self.start()
        beta = self.beta()
        self.assert_come_in_turn(beta, self.hand_over(self.alpha, 5))

    def test_what_waited_for_the_target_comes_in_order(self):
        self.start()
        batches = [self.alpha.hand_over(size=size) for size in (9, 90000, 1, 40000, 2)]
        self.assert_come_in_turn(self.beta(), batches)

    def test_one_is_out_whatever_the_number_of_instances(self):
        self.start()
        betas = [self.beta() for _ in range(3)]
        for batch in self.hand_over(self.alpha, 6):
            for beta in betas:
                beta.barrier()
            out = [(beta, message) for beta in betas for message in beta._waiting
                   if message.type == "BATCH_TRANSFER"]
            self.assertEqual([message.batch_id for _, message in out],
                             [batch["metadata"]["batch_id"]])
            out[0][0].finish(out[0][0].delivery())

    def test_received_ends_no_turn(self):
        self.start()
        beta = self.beta()
        first, second = self.hand_over(self.alpha, 2)
        delivery = self.assert_comes_alone(beta, first)
        beta.acknowledge(delivery, "RECEIVED")
        beta.expect_none("BATCH_TRANSFER", 0.2)
        beta.finish(delivery)
        self.assert_comes_alone(beta, second)

    def test_a_stage_ends_a_turn(self):
        self.start()
        beta = self.beta()
        first, second = self.hand_over(self.alpha, 2)
        delivery = self.assert_comes_alone(beta, first)
        beta.hand_over(completes=[messages.completion(delivery)])
        self.assert_comes_alone(beta, second)

    def test_two_instances_of_the_source_do_not_wait_for_each_other(self):
        self.start()
        other = self.second_alpha()
        ones, twos = self.hand_over(self.alpha, 3), self.hand_over(other, 3)
        beta = self.beta()
        held = beta.delivery(ones[0])
        for batch in twos:
            delivery = beta.delivery()
            self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])
            beta.expect_none("BATCH_TRANSFER")
            beta.finish(delivery)
        beta.finish(held)
        self.assert_come_in_turn(beta, ones[1:])

    def test_many_of_many_instances_come_in_the_order_of_each(self):
        self.start()
        sources = [self.module(self.broker, "ALPHA") for _ in range(4)]
        betas = [self.beta(5) for _ in range(3)]
        place = {}
        for source in sources:
            batches = [source.batch() for _ in range(25)]
            place.update((batch["metadata"]["batch_id"], (source, i))
                         for i, batch in enumerate(batches))
            source.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in batches))
        following = {source: 0 for source in sources}
        deadline = time.monotonic() + 40
        while sum(following.values()) < 100:
            self.assertLess(time.monotonic(), deadline)
            for beta in betas:
                beta.barrier()
                held = [m for m in beta._waiting if m.type == "BATCH_TRANSFER"]
                for delivery in held:
                    source, number = place[delivery.batch_id]
                    self.assertEqual(number, following[source])
                    beta.finish(beta.delivery(
                        {"metadata": {"batch_id": delivery.batch_id}}))
                    following[source] += 1

    def test_another_route_of_the_same_source_is_not_held_up(self):
        self.start(others='route "alpha-gamma" { source = "ALPHA" target = "GAMMA" }')
        beta, gamma = self.beta(), self.module(self.broker, "GAMMA")
        self.hand_over(self.alpha, 2)
        beta.delivery()
        for _ in range(3):
            gamma.delivery(self.alpha.hand_over(target="GAMMA"))

    def test_critical_does_not_overtake(self):
        self.start()
        batches = [self.alpha.hand_over(priority=priority)
                   for priority in ("NORMAL", "NORMAL", "CRITICAL", "NORMAL", "CRITICAL")]
        self.assert_come_in_turn(self.beta(), batches)

    def test_critical_of_one_instance_does_not_overtake_its_own(self):
        """That of another instance may."""
        self.start()
        other = self.second_alpha()
        normal = self.alpha.hand_over()
        slow, critical = other.hand_over(), other.hand_over(priority="CRITICAL")
        beta = self.beta(1)
        order = []
        for _ in range(3):
            order.append(beta.delivery())
            beta.finish(order[-1])
        ids = [delivery.batch_id for delivery in order]
        self.assertLess(ids.index(slow["metadata"]["batch_id"]),
                        ids.index(critical["metadata"]["batch_id"]))
        self.assertIn(normal["metadata"]["batch_id"], ids)

    def test_outcomes_are_told_in_order(self):
        self.start()
        beta = self.beta()
        batches = self.hand_over(self.alpha, 4)
        self.assert_come_in_turn(beta, batches)
        self.assertEqual([self.alpha.outcome().batch_id for _ in batches],
                         [batch["metadata"]["batch_id"] for batch in batches])


class Sequence(Ordered):
    def test_a_gap_is_refused_and_leaves_no_trace(self):
        self.start()
        first, second, third = (self.alpha.batch() for _ in range(3))
        self.assert_taken(self.alpha, first)
        self.assert_out_of_order(self.alpha, third)
        self.assert_out_of_order(self.alpha, third)
        self.assert_taken(self.alpha, second)
        self.assert_taken(self.alpha, third)
        self.assert_come_in_turn(self.beta(), [first, second, third])

    def test_a_gap_in_one_burst_is_refused_to_its_end(self):
        self.start()
        batches = [self.alpha.batch() for _ in range(6)]
        burst = batches[:2] + batches[3:]
        self.alpha.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in burst))
        statuses = [self.alpha.answer_to(batch).status for batch in burst]
        self.assertEqual(statuses, ["RECEIVED"] * 2 + ["REJECTED"] * 3)
        for batch in batches[2:]:
            self.assert_taken(self.alpha, batch)
        self.assert_come_in_turn(self.beta(), batches)

    def test_a_fall_is_refused_and_leaves_no_trace(self):
        self.start()
        first, second = self.hand_over(self.alpha, 2)
        fallen = self.alpha.batch(sequence_number=2)
        for number in (2, 1, 0):
            self.assert_out_of_order(self.alpha, self.alpha.batch(sequence_number=number))
        self.assert_out_of_order(self.alpha, fallen)
        fallen["metadata"]["sequence_number"] = 3
        self.assert_taken(self.alpha, fallen)
        self.assert_come_in_turn(self.beta(), [first, second, fallen])

    def test_a_repeat_is_recognised_and_is_no_fall(self):
        self.start()
        first, second = self.hand_over(self.alpha, 2)
        for batch in (first, second):
            answer = self.alpha.answer_to(self.alpha.send(batch))
            self.assert_received(answer, duplicate=True)
            self.assertFalse(answer.get("errors"), summary(answer))
        third = self.alpha.hand_over()
        self.assert_come_in_turn(self.beta(), [first, second, third])

    def test_a_series_begins_with_whatever_it_begins(self):
        self.start()
        batches = [self.alpha.batch(sequence_number=number) for number in (41, 42)]
        for batch in batches:
            self.assert_taken(self.alpha, batch)
        self.assert_out_of_order(self.alpha, self.alpha.batch(sequence_number=44))
        self.assert_come_in_turn(self.beta(), batches)

    def test_each_instance_has_a_series_of_its_own(self):
        self.start()
        other = self.second_alpha()
        self.assert_taken(self.alpha, self.alpha.batch(sequence_number=5))
        self.assert_taken(other, other.batch(sequence_number=70))
        self.assert_taken(self.alpha, self.alpha.batch(sequence_number=6))
        self.assert_out_of_order(other, other.batch(sequence_number=7))
        self.assert_taken(other, other.batch(sequence_number=71))

    def test_what_was_refused_for_another_reason_does_not_count(self):
        self.start()
        self.assert_taken(self.alpha, self.alpha.batch(sequence_number=1))
        wrong = self.alpha.batch(sequence_number=2, metadata={"checksum": "0" * 64})
        self.assert_refused(self.alpha.answer_to(self.alpha.send(wrong)), "INT_BATCH_001")
        self.assert_out_of_order(self.alpha, self.alpha.batch(sequence_number=3))
        self.assert_taken(self.alpha, self.alpha.batch(sequence_number=2))

    def test_the_series_goes_on_after_a_kill(self):
        self.start()
        self.hand_over(self.alpha, 3)
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        told = {route["name"]: route for route in alpha.welcome["routes"]}["alpha-beta"]
        self.assertEqual(told["last_sequence_number"], 3)
        self.assert_out_of_order(alpha, alpha.batch(sequence_number=5))
        self.assert_out_of_order(alpha, alpha.batch(sequence_number=3))
        self.assert_taken(alpha, alpha.batch(sequence_number=4))

    def test_the_series_goes_on_after_all_of_it_has_ended(self):
        self.start()
        self.assert_come_in_turn(self.beta(), self.hand_over(self.alpha, 2))
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        self.assert_out_of_order(alpha, alpha.batch(sequence_number=4))
        self.assert_taken(alpha, alpha.batch(sequence_number=3))

    def test_a_full_route_leaves_no_gap(self):
        self.start(more="queue_capacity = 2")
        beta = self.beta(1)
        batches = self.hand_over(self.alpha, 2)
        refused = self.alpha.batch()
        self.alpha.send(refused)
        self.assert_error(self.alpha.answer_to(refused), "INT_ROUTE_002")
        self.assert_refused(self.alpha.answer_to(refused), "INT_ROUTE_002")
        beta.finish(beta.delivery(batches[0]))
        self.assert_taken(self.alpha, refused)
        self.assert_come_in_turn(beta, [batches[1], refused])

    def test_a_stage_out_of_order_ends_nothing(self):
        """Section 8: both, or neither."""
        self.start(others='route "beta-gamma" { ordered = true }')
        beta, gamma = self.beta(), self.module(self.broker, "GAMMA")
        first, second = self.hand_over(self.alpha, 2)
        one = beta.delivery(first)
        outputs = [beta.batch() for _ in range(3)]
        self.assert_taken(beta, outputs[0])
        outputs[1]["completes"] = [messages.completion(one)]
        outputs[2]["completes"] = [messages.completion(one)]
        self.assert_out_of_order(beta, outputs[2])
        beta.expect_none("BATCH_TRANSFER")
        self.alpha.expect_none("ACKNOWLEDGMENT", where=lambda m: "notice" in m)
        beta.hand_over(outputs[1])
        beta.delivery(second)
        for output in outputs[:2]:
            gamma.finish(gamma.delivery(output))

    def test_another_route_takes_a_gap_with_a_warning(self):
        self.start()
        beta = self.module(self.broker, "BETA", 0)
        beta.hand_over(sequence_number=1)
        answer = beta.answer_to(beta.send(beta.batch(sequence_number=3)))
        self.assert_received(answer)
        self.assertEqual((answer.code, answer.error["severity"]), ("INT_BATCH_004", "WARNING"))


class Trouble(Ordered):
    def test_a_retried_batch_blocks_those_behind_it_and_no_others(self):
        self.start(retry_delay_ms=1500)
        other = self.second_alpha()
        ones, twos = self.hand_over(self.alpha, 3), self.hand_over(other, 3)
        beta = self.beta()
        first = beta.delivery(ones[0])
        begun = time.monotonic()
        beta.reject(first)
        for batch in twos:
            delivery = beta.delivery()
            self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])
            beta.finish(delivery)
        beta.finish(self.assert_comes_alone(beta, ones[0], attempt=2))
        self.assertGreaterEqual(time.monotonic() - begun, 1.498)
        self.assert_come_in_turn(beta, ones[1:])

    def test_a_batch_that_fails_at_another_target_keeps_its_place(self):
        self.start()
        busy, idle = self.beta(9), self.beta(1)
        first, second = self.hand_over(self.alpha, 2)
        busy.reject(self.assert_comes_alone(busy, first))
        again = self.assert_comes_alone(idle, first, attempt=2)
        busy.expect_none("BATCH_TRANSFER")
        idle.finish(again)
        busy.delivery(second)

    def test_a_deadline_keeps_the_turn(self):
        self.start(retry_delay_ms=500, more="ack_timeout_ms = 1200")
        beta = self.beta()
        first, second = self.hand_over(self.alpha, 2)
        delivery = beta.delivery(first)
        beta.told_late(delivery)
        again = self.assert_comes_alone(beta, first, attempt=2)
        beta.finish(again)
        self.assert_comes_alone(beta, second)

    def test_a_late_processed_ends_the_turn(self):
        self.start(retry_delay_ms=3600000, more="ack_timeout_ms = 500")
        beta = self.beta()
        first, second = self.hand_over(self.alpha, 2)
        delivery = beta.delivery(first)
        beta.told_late(delivery)
        beta.expect_none("BATCH_TRANSFER", 0.3)
        beta.finish(delivery)
        beta.delivery(second)

    def test_a_dead_letter_ends_its_turn(self):
        self.start()
        beta = self.beta()
        batches = self.hand_over(self.alpha, 3)
        beta.reject(self.assert_comes_alone(beta, batches[0]), "PERMANENT")
        beta.reject(self.assert_comes_alone(beta, batches[1]))
        beta.reject(self.assert_comes_alone(beta, batches[1], attempt=2))
        beta.finish(self.assert_comes_alone(beta, batches[2]))
        self.assertEqual([self.alpha.outcome(batch).status for batch in batches],
                         ["REJECTED", "REJECTED", "PROCESSED"])
        self.assert_taken(self.alpha, self.alpha.batch())

    def test_a_batch_given_back_in_order_keeps_its_turn(self):
        self.start()
        beta = self.beta()
        batches = self.hand_over(self.alpha, 3)
        self.assert_comes_alone(beta, batches[0])
        beta.goodbye("DONE")
        again = self.beta()
        self.assert_come_in_turn(again, batches)

    def test_a_suspect_keeps_its_turn(self):
        self.start()
        other = self.second_alpha()
        ones, twos = self.hand_over(self.alpha, 3), self.hand_over(other, 3)
        doomed = self.beta()
        doomed.delivery(ones[0])
        doomed.delivery(twos[0])
        doomed.expect_none("BATCH_TRANSFER")
        doomed.cut()
        self.let_the_broker_notice()
        beta = self.beta()
        came = []
        for _ in range(6):
            came.append(beta.delivery())
            beta.finish(came[-1])
        for batches in (ones, twos):
            wanted = [batch["metadata"]["batch_id"] for batch in batches]
            self.assertEqual([m.batch_id for m in came if m.batch_id in wanted], wanted)
        self.assertEqual({m.attempt for m in came}, {1})

    def test_a_batch_that_kills_its_target_ends_its_turn_when_it_is_dead(self):
        self.start()
        batches = self.hand_over(self.alpha, 3)
        for attempt in (1, 1, 2):
            beta = self.beta()
            self.assert_comes_alone(beta, batches[0], attempt)
            beta.cut()
            self.let_the_broker_notice()
        self.assertEqual(self.alpha.outcome(batches[0]).code, "INT_DELIVERY_002")
        self.assert_come_in_turn(self.beta(), batches[1:])

    def test_order_outlives_a_kill(self):
        self.start()
        other = self.second_alpha()
        beta = self.beta(instance_id="worker")
        ones, twos = self.hand_over(self.alpha, 5), self.hand_over(other, 5)
        beta.finish(beta.delivery(ones[0]))
        beta.delivery(ones[1])
        beta.delivery(twos[0])
        self.broker.restart()
        beta = self.beta(instance_id="worker")
        out = [beta.delivery(ones[1]), beta.delivery(twos[0])]
        beta.expect_none("BATCH_TRANSFER")
        for delivery, following in zip(out, (ones[2:], twos[1:])):
            self.assertEqual((delivery.attempt, delivery.redelivered), (1, True))
            beta.finish(delivery)
            for batch in following:
                delivery = beta.delivery()
                self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])
                self.assertEqual((delivery.attempt, delivery.redelivered), (1, False))
                if batch is not following[-1]:
                    beta.expect_none("BATCH_TRANSFER")
                beta.finish(delivery)

    def test_what_is_held_over_a_kill_keeps_its_turn(self):
        self.start()
        beta = self.beta(instance_id="worker")
        first, second = self.hand_over(self.alpha, 2)
        delivery = self.assert_comes_alone(beta, first)
        self.broker.restart()
        beta = self.beta(instance_id="worker", holds=[delivery.lease])
        helper = self.beta(20)
        for client in (beta, helper):
            client.expect_none("BATCH_TRANSFER", 0.5)
        self.assertFalse(beta.finish(delivery).get("duplicate"))
        helper.delivery(second)

    def test_a_turn_that_waits_outlives_a_kill(self):
        self.start(retry_delay_ms=1500)
        beta = self.beta()
        first, second = self.hand_over(self.alpha, 2)
        begun = time.monotonic()
        beta.reject(self.assert_comes_alone(beta, first))
        self.broker.restart()
        beta = self.beta()
        self.assert_comes_alone(beta, first, attempt=2)
        self.assertGreaterEqual(time.monotonic() - begun, 0.9 * 1.5)


class OrdinaryRoute(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 1000 }')
        self.alpha = self.module(self.broker, "ALPHA")

    def test_critical_overtakes_what_waits_and_first_deliveries_keep_the_order_of_custody(self):
        beta = self.module(self.broker, "BETA", 1)
        held = self.alpha.hand_over()
        delivery = beta.delivery(held)
        waiting = [self.alpha.hand_over() for _ in range(3)]
        critical = [self.alpha.hand_over(priority="CRITICAL") for _ in range(2)]
        waiting.append(self.alpha.hand_over(priority="NORMAL"))
        for batch in critical + waiting:
            beta.finish(delivery)
            delivery = beta.delivery()
            self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])

    def test_a_retried_batch_holds_up_nobody(self):
        beta = self.module(self.broker, "BETA")
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        beta.reject(beta.delivery(first))
        beta.finish(beta.delivery(second))
        self.assertEqual(beta.delivery(first).attempt, 2)

    def test_many_of_one_instance_are_out_at_once(self):
        beta = self.module(self.broker, "BETA")
        batches = [self.alpha.hand_over() for _ in range(5)]
        self.assertEqual([beta.delivery().batch_id for _ in batches],
                         [batch["metadata"]["batch_id"] for batch in batches])
