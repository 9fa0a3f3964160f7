"""test_credit.py - protocol, section 7: credit, full routes and stores, peers that do not read."""

from case import Case, messages, summary
from handoff_client import Closed


class Credit(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 50 }')
        self.alpha = self.module(self.broker, "ALPHA")

    def test_never_more_than_max_in_flight(self):
        beta = self.module(self.broker, "BETA", 3)
        for _ in range(7):
            self.alpha.hand_over()
        held = [beta.delivery() for _ in range(3)]
        for _ in range(4):
            beta.expect_none("BATCH_TRANSFER")
            beta.finish(held.pop(0))
            held.append(beta.delivery())
        for delivery in held:
            beta.finish(delivery)
        beta.expect_none("BATCH_TRANSFER")

    def test_received_frees_no_credit(self):
        beta = self.module(self.broker, "BETA", 1)
        self.alpha.hand_over()
        self.alpha.hand_over()
        beta.acknowledge(beta.delivery(), "RECEIVED")
        beta.expect_none("BATCH_TRANSFER")

    def test_rejected_frees_credit(self):
        beta = self.module(self.broker, "BETA", 1)
        self.alpha.hand_over()
        second = self.alpha.hand_over()
        beta.reject(beta.delivery(), "PERMANENT")
        beta.delivery(second)

    def test_an_instance_with_no_credit_gets_nothing(self):
        beta = self.module(self.broker, "BETA", 0)
        self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER", 0.2)

    def test_a_batch_ended_over_another_connection_frees_the_holders_credit(self):
        holder, other = self.module(self.broker, "BETA", 1), self.module(self.broker, "BETA", 0)
        self.alpha.hand_over()
        second = self.alpha.hand_over()
        other.finish(holder.delivery())
        holder.delivery(second)

    def test_goes_to_the_instance_with_the_most_free_credit(self):
        small, large = self.module(self.broker, "BETA", 2), self.module(self.broker, "BETA", 6)
        for _ in range(4):
            large.delivery(self.alpha.hand_over())
        small.expect_none("BATCH_TRANSFER")

    def test_goes_not_to_the_one_that_just_failed_it(self):
        failing, other = self.module(self.broker, "BETA", 9), self.module(self.broker, "BETA", 1)
        batch = self.alpha.hand_over()
        failing.reject(failing.delivery(batch))
        other.delivery(batch)

    def test_goes_to_the_one_that_just_failed_it_where_there_is_no_other(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        beta.delivery(batch)

    def test_a_large_window_is_filled(self):
        beta = self.module(self.broker, "BETA", 300)
        for _ in range(320):
            self.alpha.send(self.alpha.batch())
        leases = {beta.delivery().lease for _ in range(300)}
        self.assertEqual(len(leases), 300)
        beta.expect_none("BATCH_TRANSFER")

    def test_a_peer_that_does_not_read_is_disconnected_and_its_batches_go_back(self):
        broker = self.start_broker(write_timeout_ms=400)
        alpha = self.module(broker, "ALPHA")
        sent = [alpha.hand_over(count=1, size=2000000) for _ in range(12)]
        self.module(broker, "BETA", 12, receive_buffer=4096)
        broker.wait_for_log(r"(?i)write_timeout|no progress|did not read|not reading|stalled")
        beta = self.module(broker, "BETA", 12)
        done = set()
        for _ in sent:
            delivery = beta.delivery(seconds=20)
            done.add(delivery.batch_id)
            beta.finish(delivery)
        self.assertEqual(len(done), 12)

    def test_a_peer_that_asks_and_never_reads_is_cut_off_before_it_costs_much(self):
        broker = self.start_broker(write_timeout_ms=400)
        mute = self.module(broker, "ALPHA", receive_buffer=4096)
        before = broker.memory()
        question = messages.frame(messages.encode({"header": messages.header("ALPHA", "BARRIER")}))
        try:
            for _ in range(5000):
                mute.send_bytes(question * 100)
        except OSError:
            pass
        if not broker.is_sanitized():
            self.assertLess(broker.memory() - before, 64 << 20)
        with self.assertRaises(Closed):
            while True:
                mute.next()
        self.module(broker, "ALPHA").hand_over()

    def test_a_peer_that_does_not_read_does_not_hold_up_others(self):
        mute = self.module(self.broker, "BETA", 6, receive_buffer=4096)
        for _ in range(6):
            self.alpha.hand_over(count=1, size=2000000)
        beta = self.module(self.broker, "BETA", 6)
        batch = self.alpha.hand_over()
        beta.finish(beta.delivery(batch))
        mute.close()

    def test_reading_goes_on_while_a_peer_does_not_read(self):
        beta = self.module(self.broker, "BETA", 10, receive_buffer=4096)
        first = self.alpha.hand_over()
        delivery = beta.delivery(first)
        for _ in range(9):
            self.alpha.hand_over(count=1, size=2000000)
        beta.acknowledge(delivery, "PROCESSED")
        self.assertEqual(self.alpha.outcome(first).status, "PROCESSED")


class FullRoute(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            'route "alpha-beta" { queue_capacity = 3 }\n'
            'route "beta-gamma" { queue_capacity = 2 stage_margin = 2 }')
        self.alpha = self.module(self.broker, "ALPHA")

    def assert_full(self, client, message, code):
        """Refused as TRANSIENT, an ERROR_NOTIFICATION that says THROTTLE before it."""
        client.send(message)
        notification, refusal = client.answer_to(message), client.answer_to(message)
        self.assert_error(notification, code)
        self.assertEqual(notification["action_required"], "THROTTLE")
        self.assert_refused(refusal, code)
        error = refusal.error
        self.assertEqual((error["recoverability"], error["retry_eligible"]), ("TRANSIENT", True))

    def test_a_full_route_refuses_and_says_throttle(self):
        for _ in range(3):
            self.alpha.hand_over()
        self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")

    def test_what_a_full_route_refused_leaves_no_trace_and_is_taken_when_there_is_room(self):
        beta = self.module(self.broker, "BETA", 1)
        for _ in range(3):
            self.alpha.hand_over()
        refused = self.alpha.batch()
        self.assert_full(self.alpha, refused, "INT_ROUTE_002")
        beta.finish(beta.delivery())
        self.alpha.hand_over(refused)

    def test_a_repeat_is_recognised_on_a_full_route(self):
        batch = self.alpha.hand_over()
        self.alpha.hand_over()
        self.alpha.hand_over()
        self.assert_received(self.alpha.answer_to(self.alpha.send(batch)), duplicate=True)

    def test_a_full_route_stays_full_over_a_kill(self):
        for _ in range(3):
            self.alpha.hand_over()
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        self.assert_full(alpha, alpha.batch(), "INT_ROUTE_002")

    def test_dead_letters_do_not_count(self):
        beta = self.module(self.broker, "BETA")
        for _ in range(5):
            batch = self.alpha.hand_over()
            beta.reject(beta.delivery(batch), "PERMANENT")
        self.alpha.hand_over()

    def test_batches_that_are_out_count(self):
        beta = self.module(self.broker, "BETA")
        for _ in range(3):
            beta.delivery(self.alpha.hand_over())
        self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")

    def test_one_full_route_does_not_close_another(self):
        for _ in range(3):
            self.alpha.hand_over()
        self.module(self.broker, "BETA").hand_over()

    def test_a_route_is_full_by_bytes_too(self):
        broker = self.start_broker('route "alpha-beta" { queue_capacity_bytes = 100000 }')
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 1)
        alpha.hand_over(count=1, size=60000)
        refused = alpha.batch(count=1, size=60000)
        self.assert_full(alpha, refused, "INT_ROUTE_002")
        alpha.hand_over(count=1, size=1000)
        beta.finish(beta.delivery())
        alpha.hand_over(refused)

    def test_a_stage_may_exceed_the_capacity_by_stage_margin(self):
        beta = self.module(self.broker, "BETA")
        deliveries = [beta.delivery(self.alpha.hand_over()) for _ in range(3)]
        beta.hand_over()
        beta.hand_over()
        self.assert_full(beta, beta.batch(), "INT_ROUTE_002")
        for delivery in deliveries[:2]:
            beta.hand_over(completes=[messages.completion(delivery)])
        refused = beta.batch(completes=[messages.completion(deliveries[2])])
        self.assert_full(beta, refused, "INT_ROUTE_002")
        gamma = self.module(self.broker, "GAMMA")
        for _ in range(4):
            gamma.finish(gamma.delivery())
        beta.hand_over(refused)

    def test_a_stage_refused_for_fullness_spends_no_attempt(self):
        broker = self.start_broker('route "beta-gamma" { queue_capacity = 1 stage_margin = 0 }')
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        delivery = beta.delivery(alpha.hand_over())
        beta.hand_over()
        self.assert_full(beta, beta.batch(completes=[messages.completion(delivery)]),
                         "INT_ROUTE_002")
        beta.expect_none("BATCH_TRANSFER", 0.2)
        beta.goodbye("DONE")
        self.assertEqual(self.module(broker, "BETA").delivery()["delivery"]["attempt"], 1)


class FullStore(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            'route "alpha-beta" { queue_capacity_bytes = "1G" }\n'
            'route "beta-gamma" { queue_capacity_bytes = "1G" }')
        self.alpha = self.module(self.broker, "ALPHA")

    def fill(self, alpha, size=1000000):
        """Hands over batches until one is refused; returns those taken and the one refused."""
        taken = []
        while True:
            batch = alpha.send(alpha.batch(count=1, size=size))
            answer = alpha.answer_to(batch)
            if answer.type == "ERROR_NOTIFICATION":
                self.assertEqual(answer["action_required"], "THROTTLE", summary(answer))
                self.assert_error(answer, "INT_STORE_001")
                answer = alpha.answer_to(batch)
            if answer.status == "REJECTED":
                self.assert_refused(answer, "INT_STORE_001")
                self.assertEqual(answer.error["recoverability"], "TRANSIENT")
                return taken, batch
            taken.append(batch)
            self.assertLess(len(taken) * size, 64 << 20, "a store of 64M is never full")

    def test_a_full_store_refuses_and_still_takes_acknowledgments(self):
        taken, refused = self.fill(self.alpha)
        self.assertGreater(len(taken), 10)
        beta = self.module(self.broker, "BETA", 10)
        for batch in taken:
            delivery = beta.delivery()
            self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])
            beta.finish(delivery)
        for batch in taken:
            self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.alpha.hand_over(refused)
        delivery = beta.delivery(refused)
        self.assertEqual(delivery["records"], refused["records"])

    def test_a_store_filled_again_and_again_loses_nothing(self):
        held = {}
        for _ in range(3):
            taken, _ = self.fill(self.alpha, 3000000)
            held.update((batch["metadata"]["batch_id"], batch["records"]) for batch in taken)
            self.broker.restart()
            self.alpha = self.module_again(self.broker, self.alpha)
            beta = self.module(self.broker, "BETA", 1)
            while len(held) > 2:
                delivery = beta.delivery()
                self.assertTrue(delivery["records"] == held.pop(delivery.batch_id))
                beta.finish(delivery)
            beta.goodbye("DONE")

    def test_small_batches_fill_a_store_too(self):
        taken, _ = self.fill(self.alpha, 20000)
        beta = self.module(self.broker, "BETA", 10)
        for _ in range(len(taken) // 2):
            beta.acknowledge(beta.delivery(), "PROCESSED")
        beta.barrier()
        self.alpha.hand_over()

    def test_a_full_store_takes_dead_letters(self):
        taken, _ = self.fill(self.alpha)
        beta = self.module(self.broker, "BETA", 1)
        beta.reject(beta.delivery(taken[0]), "PERMANENT")
        self.assertEqual(self.alpha.outcome(taken[0]).status, "REJECTED")

    def test_a_full_store_outlives_a_kill(self):
        taken, refused = self.fill(self.alpha)
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        again = alpha.send(refused)
        answer = alpha.answer_to(again)
        self.assertEqual(answer.code, "INT_STORE_001")
        beta = self.module(self.broker, "BETA", 10)
        for _ in taken:
            beta.finish(beta.delivery())

    def test_a_full_pipeline_drains_through_its_stage(self):
        beta = self.module(self.broker, "BETA", 4)
        taken, _ = self.fill(self.alpha)
        gamma = self.module(self.broker, "GAMMA", 4)
        for _ in taken:
            delivery = beta.delivery()
            beta.hand_over(content=delivery["records"], count=1,
                           completes=[messages.completion(delivery)])
            gamma.finish(gamma.delivery())
