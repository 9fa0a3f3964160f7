"""test_mailbox.py - protocol, section 3, the mailbox: what the broker owes beyond a connection."""

import time

from case import Case, messages
from handoff_client import PATIENCE_SECONDS


class Mailbox(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def processed(self, alpha=None):
        """A batch handed over by ALPHA that BETA has processed."""
        batch = (alpha or self.alpha).hand_over()
        self.beta.finish(self.beta.delivery(batch))
        return batch

    def again(self, alpha=None, **hello):
        return self.module_again(self.broker, alpha or self.alpha, **hello)

    def confirm(self, outcome):
        """What a HELLO says to confirm up to this outcome."""
        return {"seen": outcome["notice"], "broker_id": self.alpha.welcome["broker_id"]}

    def test_an_outcome_is_a_numbered_notice_and_no_answer(self):
        batch = self.processed()
        outcome = self.alpha.outcome(batch)
        self.assertIsInstance(outcome["notice"], int)
        self.assertNotIn("in_reply_to", outcome)
        self.assertEqual(outcome["header"]["correlation_id"], batch["header"]["correlation_id"])

    def test_notices_rise(self):
        notices = [self.alpha.outcome(self.processed())["notice"] for _ in range(5)]
        self.assertEqual(notices, sorted(set(notices)))

    def test_what_was_not_seen_is_sent_again_after_the_next_welcome(self):
        batches = [self.processed() for _ in range(3)]
        first = [self.alpha.outcome(batch) for batch in batches]
        again = self.again()
        second = [again.outcome() for _ in batches]
        self.assertEqual([m.batch_id for m in second], [m.batch_id for m in first])
        self.assertEqual([m["notice"] for m in second], [m["notice"] for m in first])

    def test_what_hello_has_seen_is_forgotten(self):
        one, two = self.processed(), self.processed()
        seen = self.alpha.outcome(one)
        self.alpha.outcome(two)
        again = self.again(**self.confirm(seen))
        again.outcome(two)
        again.expect_none("ACKNOWLEDGMENT", where=lambda m: m.batch_id == seen.batch_id)

    def test_what_any_later_message_has_seen_is_forgotten(self):
        for send in (lambda seen: self.alpha.hand_over(seen=seen),
                     lambda seen: self.alpha.send({**messages.goodbye("ALPHA"), "seen": seen})):
            batch = self.processed()
            send(self.alpha.outcome(batch)["notice"])
            self.alpha = self.again()
            self.alpha.expect_none("ACKNOWLEDGMENT", where=lambda m: m.batch_id == batch_id(batch))

    def test_a_seen_of_another_store_does_not_count(self):
        batch = self.processed()
        outcome = self.alpha.outcome(batch)
        again = self.again(seen=outcome["notice"], broker_id=messages.new_id())
        again.outcome(batch)
        again = self.again(seen=outcome["notice"])
        again.outcome(batch)

    def test_a_seen_beyond_what_was_sent_forgets_nothing_else(self):
        first = self.alpha.outcome(self.processed())
        self.alpha.goodbye()
        self.alpha.expect_closed()
        other = self.module(self.broker, "ALPHA")
        away = self.again()
        owed = away.hand_over()
        away.goodbye()
        away.expect_closed()
        self.beta.finish(self.beta.delivery(owed))
        again = self.again(seen=first["notice"] + 1000000,
                           broker_id=other.welcome["broker_id"])
        again.outcome(owed)
        again.outcome(self.processed(again))

    def test_unseen_outcomes_outlive_a_kill(self):
        batch = self.processed()
        outcome = self.alpha.outcome(batch)
        self.broker.restart()
        again = self.again()
        self.assertEqual(again.outcome(batch)["notice"], outcome["notice"])

    def test_seen_outlives_a_kill(self):
        batch = self.processed()
        outcome = self.alpha.outcome(batch)
        self.again(**self.confirm(outcome))
        self.broker.restart()
        again = self.again()
        again.expect_none("ACKNOWLEDGMENT", where=lambda m: m.batch_id == batch_id(batch))

    def test_notices_go_on_rising_after_a_kill(self):
        before = self.alpha.outcome(self.processed())["notice"]
        self.broker.restart()
        self.beta = self.module(self.broker, "BETA")
        again = self.again()
        self.assertGreater(again.outcome(self.processed(again))["notice"], before)

    def test_an_outcome_waits_for_an_instance_that_is_away(self):
        batch = self.alpha.hand_over()
        self.alpha.close()
        self.beta.finish(self.beta.delivery(batch))
        self.assertEqual(self.again().outcome(batch).status, "PROCESSED")

    def test_an_outcome_waits_over_a_kill_for_an_instance_that_is_away(self):
        batch = self.alpha.hand_over()
        self.alpha.close()
        self.beta.finish(self.beta.delivery(batch))
        self.broker.restart()
        self.assertEqual(self.again().outcome(batch).status, "PROCESSED")

    def test_outcomes_go_to_the_instance_that_sent_the_batch(self):
        other = self.module(self.broker, "ALPHA")
        batch = self.processed()
        self.alpha.outcome(batch)
        other.expect_none("ACKNOWLEDGMENT")

    def test_a_repeat_moves_an_outcome_to_come_to_the_instance_that_sent_it_last(self):
        other = self.module(self.broker, "ALPHA")
        batch = self.alpha.hand_over()
        self.assert_received(other.answer_to(other.send(batch)), duplicate=True)
        self.beta.finish(self.beta.delivery(batch))
        other.outcome(batch)
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_a_repeat_moves_an_outcome_that_is_still_owed(self):
        batch = self.alpha.hand_over()
        self.alpha.close()
        self.beta.finish(self.beta.delivery(batch))
        other = self.module(self.broker, "ALPHA")
        other.send(batch)
        other.outcome(batch)
        again = self.again()
        again.expect_none("ACKNOWLEDGMENT")

    def test_a_repeat_after_the_outcome_was_seen_owes_none_again(self):
        batch = self.processed()
        seen = self.alpha.outcome(batch)["notice"]
        answer = self.alpha.answer_to(self.alpha.send({**batch, "seen": seen}))
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))
        self.alpha.expect_none("ACKNOWLEDGMENT", where=lambda m: "notice" in m)

    def test_nothing_is_kept_for_an_instance_without_a_mailbox(self):
        away = self.module(self.broker, "ALPHA", mailbox=False)
        batch = away.hand_over()
        away.close()
        self.beta.finish(self.beta.delivery(batch))
        self.again(away).expect_none("ACKNOWLEDGMENT")

    def test_an_instance_without_a_mailbox_hears_outcomes_while_it_is_connected(self):
        alpha = self.module(self.broker, "ALPHA", mailbox=False)
        self.assertEqual(alpha.outcome(self.processed(alpha)).status, "PROCESSED")

    def test_a_wrong_seen_is_refused(self):
        wrong = self.alpha.send(self.alpha.batch(seen="5"))
        self.assert_refused(self.alpha.answer_to(wrong), "INT_PROTOCOL_005", "seen")

    def test_many_outcomes_are_all_owed(self):
        batches = [self.alpha.hand_over() for _ in range(200)]
        self.alpha.close()
        for _ in batches:
            self.beta.acknowledge(self.beta.delivery(), "PROCESSED")
        self.beta.barrier()
        again = self.again()
        told = [again.outcome().batch_id for _ in batches]
        self.assertEqual(sorted(told), sorted(batch_id(batch) for batch in batches))

    def test_more_outcomes_than_are_told_at_once_follow_by_themselves(self):
        batches = [self.alpha.hand_over() for _ in range(40)]
        self.alpha.close()
        for _ in batches:       # more than a megabyte of outcomes, each with the target's reasons
            self.beta.reject(self.beta.delivery(), "PERMANENT", error_message="x" * 30000)
        again = self.again()
        began = time.monotonic()
        for _ in batches:
            again.outcome()
        self.assertLess(time.monotonic() - began, PATIENCE_SECONDS / 2)


def batch_id(batch):
    return batch["metadata"]["batch_id"]
