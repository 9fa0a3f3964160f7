"""test_reclaim.py - protocol, section 6: what an instance held waits for it over a replaced
connection and over a restart of the broker; `holds` keeps it."""

import signal
import time

from case import Case, messages

RECLAIM_MS = 700
SETTINGS = 'route "alpha-beta" { retry_delay_ms = 50 }'


class Reclaim(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SETTINGS, reclaim_ms=RECLAIM_MS)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def delivered(self):
        batch = self.alpha.hand_over()
        return batch, self.beta.delivery(batch)

    def restart(self):
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)

    def stop_and_start(self):
        self.broker.process.send_signal(signal.SIGTERM)
        for client in self.clients:
            client.expect_closed()
            client.close()
        self.assertEqual(self.broker.wait(), 0)
        self.broker.start()
        self.alpha = self.module_again(self.broker, self.alpha)

    def assert_still_held(self, beta, batch, delivery):
        """The instance still holds the batch under its lease: RECEIVED counts, nothing comes."""
        beta.acknowledge(delivery, "RECEIVED")
        beta.expect_none("ERROR_NOTIFICATION", RECLAIM_MS / 1000 + 0.3,
                         where=lambda m: m.code == "INT_DELIVERY_005")
        beta.expect_none("BATCH_TRANSFER")
        self.assertFalse(beta.finish(delivery).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_what_is_named_in_holds_stays_assigned_when_replaced(self):
        batch, delivery = self.delivered()
        again = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        self.assert_still_held(again, batch, delivery)

    def test_what_is_named_in_holds_stays_assigned_over_a_kill(self):
        batch, delivery = self.delivered()
        self.restart()
        again = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        self.assert_still_held(again, batch, delivery)

    def test_what_is_named_in_holds_stays_assigned_over_an_orderly_restart(self):
        batch, delivery = self.delivered()
        self.stop_and_start()
        again = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        self.assert_still_held(again, batch, delivery)

    def test_what_is_not_named_goes_back_at_no_cost(self):
        for interrupt in (lambda: None, self.restart):
            kept, dropped = self.delivered(), self.delivered()
            interrupt()
            self.beta = self.module_again(self.broker, self.beta, holds=[kept[1].lease])
            again = self.beta.delivery()
            self.assertEqual(again.batch_id, dropped[1].batch_id)
            self.assertEqual((again["delivery"]["attempt"], again["delivery"]["redelivered"]),
                             (1, True))
            self.assertGreater(again.lease, dropped[1].lease)
            self.beta.finish(again)
            self.beta.finish(kept[1])

    def test_without_holds_everything_goes_back(self):
        first, second = self.delivered(), self.delivered()
        self.restart()
        again = self.module_again(self.broker, self.beta)
        back = {again.delivery().batch_id for _ in range(2)}
        self.assertEqual(back, {first[1].batch_id, second[1].batch_id})

    def test_what_comes_back_after_a_kill_is_no_suspect(self):
        sent = [self.delivered()[0] for _ in range(3)]
        self.restart()
        again = self.module_again(self.broker, self.beta)
        for batch in sent:
            again.delivery(batch)

    def test_what_comes_back_after_being_replaced_is_no_suspect(self):
        sent = [self.delivered()[0] for _ in range(3)]
        again = self.module_again(self.broker, self.beta)
        for batch in sent:
            again.delivery(batch)

    def test_batches_wait_reclaim_ms_for_their_instance_and_go_to_another_then(self):
        batch, first = self.delivered()
        self.broker.kill()
        self.broker.start()
        ready = time.monotonic()
        other = self.module(self.broker, "BETA")
        delivery = other.delivery(batch)
        self.assertGreaterEqual(time.monotonic() - ready, RECLAIM_MS / 1000 - 0.2)
        self.assertEqual((delivery["delivery"]["attempt"], delivery["delivery"]["redelivered"]),
                         (1, True))
        self.assertGreater(delivery.lease, first.lease)

    def test_another_instance_gets_new_batches_meanwhile(self):
        _, first = self.delivered()
        self.restart()
        other = self.module(self.broker, "BETA")
        fresh = self.alpha.hand_over()
        self.assertEqual(other.delivery().batch_id, fresh["metadata"]["batch_id"])
        self.assertEqual(other.delivery().batch_id, first.batch_id)

    def test_another_instance_cannot_claim_with_holds(self):
        batch, delivery = self.delivered()
        self.restart()
        other = self.module(self.broker, "BETA", 0, holds=[delivery.lease])
        answer = other.answer_to(other.acknowledge(delivery, "RECEIVED"))
        self.assert_error(answer, "INT_DELIVERY_005")
        again = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        self.assert_still_held(again, batch, delivery)

    def test_a_lease_in_holds_that_is_not_current_is_ignored(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        held, current = self.delivered()
        again = self.module_again(self.broker, self.beta,
                                  holds=[delivery.lease, 2 ** 62, current.lease, 0])
        self.assert_still_held(again, held, current)
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_what_is_held_counts_against_max_in_flight(self):
        batch, delivery = self.delivered()
        again = self.module_again(self.broker, self.beta, max_in_flight=1,
                                  holds=[delivery.lease])
        later = self.alpha.hand_over()
        again.expect_none("BATCH_TRANSFER")
        again.finish(delivery)
        again.delivery(later)

    def test_a_stage_finishes_over_a_kill_what_it_held(self):
        _, delivery = self.delivered()
        self.restart()
        again = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        output = again.hand_over(completes=[messages.completion(delivery)])
        self.module(self.broker, "GAMMA").delivery(output)

    def test_a_batch_of_an_instance_that_never_comes_back_waits_for_nobody_twice(self):
        batch, _ = self.delivered()
        self.restart()
        other = self.module(self.broker, "BETA")
        delivery = other.delivery(batch)
        self.restart()
        again = self.module_again(self.broker, other, holds=[delivery.lease])
        self.assert_still_held(again, batch, delivery)
