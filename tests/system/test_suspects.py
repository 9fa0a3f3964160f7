"""test_suspects.py - protocol, section 6: what becomes of a batch whose connection is lost."""

from case import Case, messages, summary

SETTINGS = 'route "alpha-beta" { retry_delay_ms = 60 max_retries = 1 backoff_multiplier = 1.0 }'


class Suspects(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SETTINGS)
        self.alpha = self.module(self.broker, "ALPHA")

    def beta(self, max_in_flight=10):
        return self.module(self.broker, "BETA", max_in_flight)

    def lose(self, count):
        """So many batches, delivered to an instance whose connection is then lost."""
        batches = [self.alpha.hand_over() for _ in range(count)]
        beta = self.beta(count)
        leases = [beta.delivery(batch).lease for batch in batches]
        beta.close()
        self.let_the_broker_notice()
        return batches, leases

    def let_the_broker_notice(self):
        """What was sent or closed before a whole session took place has been handled."""
        self.module(self.broker, "EPSILON").barrier()

    def test_a_lost_connection_costs_no_attempt_the_first_time(self):
        (batch,), (lease,) = self.lose(1)
        delivery = self.beta().delivery(batch)
        self.assertEqual((delivery["delivery"]["attempt"], delivery["delivery"]["redelivered"]),
                         (1, True))
        self.assertGreater(delivery.lease, lease)
        self.assertEqual(messages.without_delivery(delivery.body), messages.encode(batch))

    def test_a_reset_connection_is_a_lost_one(self):
        batch = self.alpha.hand_over()
        beta = self.beta()
        beta.delivery(batch)
        beta.cut()
        self.assertEqual(self.beta().delivery(batch)["delivery"]["attempt"], 1)

    def test_a_connection_ended_for_a_protocol_error_is_a_lost_one(self):
        batch = self.alpha.hand_over()
        beta = self.beta()
        beta.delivery(batch)
        beta.send_body(b"\xc1")
        beta.expect_closed()
        beta.close()
        self.assertEqual(self.beta().delivery(batch)["delivery"]["attempt"], 1)

    def test_the_loss_of_a_suspect_costs_an_attempt(self):
        (batch,), _ = self.lose(1)
        beta = self.beta()
        beta.delivery(batch)
        beta.close()
        self.assertEqual(self.beta().delivery(batch)["delivery"]["attempt"], 2)

    def test_a_batch_that_kills_its_target_becomes_a_dead_letter(self):
        (batch,), _ = self.lose(1)
        for attempt in (1, 2):
            beta = self.beta()
            self.assertEqual(beta.delivery(batch)["delivery"]["attempt"], attempt)
            beta.close()
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.status, "REJECTED")
        self.assertEqual(outcome.code, "INT_DELIVERY_002", summary(outcome))
        self.beta().expect_none("BATCH_TRANSFER")

    def test_no_other_batch_dies_with_the_one_that_kills_its_target(self):
        batches = [self.alpha.hand_over() for _ in range(4)]
        deadly = batches[2]["metadata"]["batch_id"]
        done, deaths = set(), 0
        while deaths < 3 or len(done) < 3:
            beta = self.beta()
            delivery = beta.delivery()
            while delivery.batch_id != deadly:
                if delivery["delivery"]["redelivered"]:
                    beta.finish(delivery)
                    done.add(delivery.batch_id)
                if deaths == 3 and len(done) == 3:
                    break
                delivery = beta.delivery()
            else:
                deaths += 1
            beta.close()
        statuses = {m.batch_id: m.status for m in (self.alpha.outcome() for _ in range(4))}
        self.assertEqual(statuses.pop(deadly), "REJECTED")
        self.assertEqual(sorted(statuses), sorted(done))
        self.assertEqual(set(statuses.values()), {"PROCESSED"})

    def test_one_suspect_at_a_time_is_out(self):
        batches, _ = self.lose(3)
        beta = self.beta()
        seen = []
        for _ in batches:
            delivery = beta.delivery()
            beta.expect_none("BATCH_TRANSFER")
            seen.append(delivery.batch_id)
            beta.finish(delivery)
        self.assertEqual(sorted(seen), sorted(batch["metadata"]["batch_id"] for batch in batches))

    def test_one_suspect_at_a_time_is_out_whatever_the_number_of_instances(self):
        self.lose(3)
        betas = [self.beta() for _ in range(3)]
        for _ in range(3):
            for beta in betas:
                beta.barrier()
            holders = [(beta, m) for beta in betas for m in beta._waiting
                       if m.type == "BATCH_TRANSFER"]
            self.assertEqual(len(holders), 1)
            beta, delivery = holders[0]
            beta.finish(beta.delivery())

    def test_a_suspect_is_out_with_an_instance_that_holds_nothing_else(self):
        (suspect,), _ = self.lose(1)
        beta = self.beta()
        delivery = beta.delivery(suspect)
        other = self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER")
        beta.finish(delivery)
        beta.delivery(other)

    def test_others_go_on_while_a_suspect_is_out(self):
        (suspect,), _ = self.lose(1)
        one = self.beta()
        one.delivery(suspect)
        two = self.beta()
        for _ in range(3):
            batch = self.alpha.hand_over()
            two.finish(two.delivery(batch))

    def test_a_busy_instance_gets_no_new_batches_until_it_can_take_the_suspect(self):
        busy = self.beta(1)
        held = self.alpha.hand_over()
        held = busy.delivery(held)
        doomed = self.beta(1)
        suspect = self.alpha.hand_over()
        doomed.delivery(suspect)
        doomed.close()
        self.let_the_broker_notice()
        later = self.alpha.hand_over()
        busy.finish(held)
        first = busy.delivery()
        self.assertEqual(first.batch_id, suspect["metadata"]["batch_id"])
        busy.expect_none("BATCH_TRANSFER")
        busy.finish(first)
        busy.delivery(later)

    def test_a_suspect_stays_one_over_a_kill(self):
        batches, _ = self.lose(2)
        self.broker.restart()
        beta = self.beta()
        first = beta.delivery()
        beta.expect_none("BATCH_TRANSFER", 0.5)
        beta.close()
        self.let_the_broker_notice()
        beta = self.beta()
        second = [beta.delivery()]
        beta.finish(second[0])
        second.append(beta.delivery())
        attempts = {m.batch_id: m["delivery"]["attempt"] for m in second}
        self.assertEqual(attempts.pop(first.batch_id), 2)
        self.assertEqual(list(attempts.values()), [1])
        self.assertEqual(len(batches), 2)

    def test_a_suspect_that_is_processed_ends_like_any_other(self):
        (batch,), _ = self.lose(1)
        beta = self.beta()
        beta.finish(beta.delivery(batch))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_a_suspect_given_back_in_order_costs_no_attempt(self):
        (batch,), _ = self.lose(1)
        beta = self.beta()
        beta.delivery(batch)
        beta.goodbye("DONE")
        self.assertEqual(self.beta().delivery(batch)["delivery"]["attempt"], 1)

    def test_a_suspect_of_one_target_does_not_hold_up_another(self):
        self.lose(1)
        self.beta().delivery()
        stage = self.module(self.broker, "BETA", 0)
        gamma = self.module(self.broker, "GAMMA")
        for _ in range(3):
            gamma.delivery(stage.hand_over())

    def test_a_delivery_of_which_no_byte_was_handed_over_is_not_held(self):
        batches = [self.alpha.hand_over(count=1, size=2000000) for _ in range(12)]
        beta = self.module(self.broker, "BETA", 12, receive_buffer=4096)
        beta.delivery(batches[0])
        beta.cut()
        again = self.beta(12)
        kinds = []
        for _ in batches:
            delivery = again.delivery(seconds=20)
            kinds.append(delivery["delivery"]["redelivered"])
            again.finish(delivery)
        self.assertIn(True, kinds)
        self.assertIn(False, kinds)
