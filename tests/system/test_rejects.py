"""test_rejects.py - protocol, sections 6, 8 and 11: records rejected one by one, dead letters."""

from case import Case, messages, summary
from messages import completion


class Rejects(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            'route "alpha-beta" { retry_delay_ms = 50 max_retries = 1 backoff_multiplier = 1.0 }')
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def delivered(self, count=3):
        batch = self.alpha.hand_over(count=count)
        return batch, self.beta.delivery(batch)

    def record_errors(self, *record_ids):
        return [messages.error("BETA", "PERMANENT", "RECORD", code="BETA_R_%d" % i,
                               context={"record_id": record_id})
                for i, record_id in enumerate(record_ids)]

    def assert_counts(self, message, accepted, rejected):
        payload = message["payload"]
        self.assertEqual((payload["records_accepted"], payload["records_rejected"]),
                         (accepted, rejected), summary(message))

    def assert_same_errors(self, told, sent):
        self.assertEqual([(e["error_id"], e["error_code"], e["scope"], e["source_module"],
                           e["context"]["record_id"]) for e in told],
                         [(e["error_id"], e["error_code"], e["scope"], e["source_module"],
                           e["context"]["record_id"]) for e in sent])

    def assert_stays_assigned(self, batch, delivery):
        """Nothing has ended: under its lease the batch can be finished as if nothing had been."""
        self.beta.expect_none("BATCH_TRANSFER", 0.15)
        self.alpha.expect_none("ACKNOWLEDGMENT")
        self.assertFalse(self.beta.finish(delivery).get("duplicate"))
        self.assert_counts(self.alpha.outcome(batch), 3, 0)


class Processed(Rejects):
    def test_the_source_is_told_the_counts_and_the_errors(self):
        batch, delivery = self.delivered(count=5)
        ids = messages.record_ids(delivery)
        errors = self.record_errors(ids[1], ids[3])
        echo = self.beta.answer_to(
            self.beta.acknowledge(delivery, "PROCESSED", 3, 2, errors=errors))
        self.assertEqual(echo.status, "PROCESSED", summary(echo))
        self.assert_counts(echo, 3, 2)
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.status, "PROCESSED", summary(outcome))
        self.assert_counts(outcome, 3, 2)
        self.assert_same_errors(outcome["errors"], errors)

    def test_it_is_told_over_a_kill(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(messages.record_ids(delivery)[2])
        self.alpha.close()
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=errors))
        self.broker.restart()
        outcome = self.module_again(self.broker, self.alpha).outcome(batch)
        self.assert_counts(outcome, 2, 1)
        self.assert_same_errors(outcome["errors"], errors)

    def test_all_records_can_be_rejected(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(*messages.record_ids(delivery))
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 0, 3, errors=errors))
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.status, "PROCESSED")
        self.assert_counts(outcome, 0, 3)
        self.assertEqual(len(outcome["errors"]), 3)

    def test_fewer_errors_than_rejected_records_are_processed_all_the_same(self):
        for errors in ([], [0]):
            batch, delivery = self.delivered()
            ids = messages.record_ids(delivery)
            echo = self.beta.answer_to(self.beta.acknowledge(
                delivery, "PROCESSED", 1, 2, errors=self.record_errors(*(ids[i] for i in errors))))
            self.assertEqual(echo.status, "PROCESSED", summary(echo))
            outcome = self.alpha.outcome(batch)
            self.assertEqual(outcome.status, "PROCESSED", summary(outcome))
            self.assert_counts(outcome, 1, 2)
        self.beta.expect_none("BATCH_TRANSFER", 0.15)

    def test_a_transient_record_error_is_no_reason_to_deliver_again(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(messages.record_ids(delivery)[0])
        errors[0].update(recoverability="TRANSIENT", retry_eligible=True)
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=errors))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.beta.expect_none("BATCH_TRANSFER", 0.15)

    def test_its_letter_is_not_delivered_by_itself(self):
        """What is kept of the rejected records waits for an operator, over a kill too."""
        _, delivery = self.delivered()
        errors = self.record_errors(messages.record_ids(delivery)[0])
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=errors))
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.3)

    def test_a_repeat_of_the_batch_is_answered_with_processed(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(messages.record_ids(delivery)[0])
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=errors))
        answer = self.alpha.answer_to(self.alpha.send(batch))
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))
        self.assert_counts(answer, 2, 1)

    def test_a_repeat_of_the_acknowledgment_ends_it_once(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(messages.record_ids(delivery)[0])
        for duplicate in (False, True):
            echo = self.beta.answer_to(
                self.beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=errors))
            self.assertEqual((echo.status, bool(echo.get("duplicate"))), ("PROCESSED", duplicate))
        self.alpha.outcome(batch)
        self.alpha.expect_none("ACKNOWLEDGMENT")


class Refused(Rejects):
    def assert_refused_end(self, delivery, accepted, rejected, errors, field_name=None):
        answer = self.beta.answer_to(
            self.beta.acknowledge(delivery, "PROCESSED", accepted, rejected, errors=errors))
        self.assert_error(answer, "INT_PROTOCOL_005", field_name)
        return answer

    def test_counts_that_do_not_add_up(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(*messages.record_ids(delivery)[:2])
        for accepted, rejected in ((2, 2), (0, 2), (3, 2), (1, 1)):
            answer = self.assert_refused_end(delivery, accepted, rejected, errors)
            self.assertRegex(answer.field_name, r"^payload\.records_(accepted|rejected)$")
        self.assert_stays_assigned(batch, delivery)

    def test_a_record_that_is_named_twice(self):
        batch, delivery = self.delivered()
        first = messages.record_ids(delivery)[0]
        self.assert_refused_end(delivery, 1, 2, self.record_errors(first, first),
                                "errors.1.context.record_id")
        self.assert_stays_assigned(batch, delivery)

    def test_a_record_that_is_not_in_the_batch(self):
        batch, delivery = self.delivered()
        ids = messages.record_ids(delivery)
        for wrong in ("nobody", "", ids[0][:-1], ids[0] + "0", ids[0].upper() + "x"):
            self.assert_refused_end(delivery, 1, 2, self.record_errors(ids[0], wrong),
                                    "errors.1.context.record_id")
        self.assert_stays_assigned(batch, delivery)

    def test_a_record_error_that_names_none(self):
        batch, delivery = self.delivered()
        nameless = messages.error("BETA", "PERMANENT", "RECORD")
        self.assert_refused_end(delivery, 2, 1, [nameless], "errors.0.context.record_id")
        self.assert_stays_assigned(batch, delivery)

    def test_so_is_the_stage_that_says_it_in_completes(self):
        gamma = self.module(self.broker, "GAMMA")
        batch, delivery = self.delivered()
        first = messages.record_ids(delivery)[0]
        for wrong in (first, "nobody"):
            message = self.beta.batch(completes=[completion(
                delivery, records_accepted=1, records_rejected=2,
                errors=self.record_errors(first, wrong))])
            self.assert_refused(self.beta.answer_to(self.beta.send(message)), "INT_PROTOCOL_005",
                                "completes.0.errors.1.context.record_id")
        gamma.expect_none("BATCH_TRANSFER")
        self.assert_stays_assigned(batch, delivery)


class InAStage(Rejects):
    def test_the_source_of_each_input_is_told_the_counts_and_the_errors(self):
        (one, first), (two, second) = self.delivered(), self.delivered()
        errors = self.record_errors(*messages.record_ids(first)[:2])
        self.beta.hand_over(completes=[
            completion(first, records_accepted=1, records_rejected=2, errors=errors),
            completion(second)])
        outcome = self.alpha.outcome(one)
        self.assertEqual(outcome.status, "PROCESSED")
        self.assert_counts(outcome, 1, 2)
        self.assert_same_errors(outcome["errors"], errors)
        whole = self.alpha.outcome(two)
        self.assert_counts(whole, 3, 0)
        self.assertFalse(whole.get("errors"))


class DeadLetters(Rejects):
    def codes(self, message):
        return [error["error_code"] for error in message["errors"]]

    def repeated(self, batch, alpha=None):
        alpha = alpha or self.alpha
        answer = alpha.answer_to(alpha.send(batch))
        self.assertEqual((answer.type, answer.status, answer.get("duplicate")),
                         ("ACKNOWLEDGMENT", "REJECTED", True), summary(answer))
        self.assert_counts(answer, 0, batch["metadata"]["record_count"])
        return answer

    def test_a_repeat_of_one_that_was_rejected_is_answered_with_its_errors(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT", code="BETA_BAD")
        outcome = self.alpha.outcome(batch)
        self.assertEqual(self.codes(outcome), ["INT_DELIVERY_004", "BETA_BAD"])
        self.assertEqual(self.codes(self.repeated(batch)), self.codes(outcome))
        self.beta.expect_none("BATCH_TRANSFER", 0.15)

    def test_a_repeat_of_one_whose_retries_are_exhausted_is_answered_with_its_errors(self):
        batch = self.alpha.hand_over()
        for code in ("BETA_ONCE", "BETA_TWICE"):
            self.beta.reject(self.beta.delivery(batch), "TRANSIENT", code=code)
        outcome = self.alpha.outcome(batch)
        self.assertEqual(self.codes(outcome), ["INT_DELIVERY_002", "BETA_TWICE"])
        self.assertEqual(self.codes(self.repeated(batch)), self.codes(outcome))

    def test_a_repeat_is_answered_so_after_a_kill_and_from_another_instance(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT", code="BETA_BAD")
        self.broker.restart()
        other = self.module(self.broker, "ALPHA")
        for _ in range(3):
            self.assertEqual(self.codes(self.repeated(batch, other)),
                             ["INT_DELIVERY_004", "BETA_BAD"])
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.15)

    def test_other_content_under_its_id_is_refused(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT")
        other = messages.batch(batch_id=batch["metadata"]["batch_id"], count=4)
        self.assert_refused(self.alpha.answer_to(self.alpha.send(other)), "INT_BATCH_003")
        self.repeated(batch)

    def test_the_targets_record_errors_are_in_the_outcome(self):
        batch, delivery = self.delivered()
        errors = self.record_errors(*messages.record_ids(delivery)[:2])
        self.beta.answer_to(self.beta.acknowledge(delivery, "REJECTED", errors=errors))
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome["errors"][0]["error_code"], "INT_DELIVERY_004")
        self.assert_same_errors(outcome["errors"][1:], errors)
        self.assert_same_errors(self.repeated(batch)["errors"][1:], errors)

    def test_the_route_goes_on(self):
        """Many dead letters hold nobody up, and what came between them is processed."""
        good = []
        for i in range(30):
            batch, delivery = self.delivered()
            if i % 3:
                self.beta.reject(delivery, "PERMANENT")
            else:
                self.beta.finish(delivery)
                good.append(batch)
        for batch in good:
            self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.assertEqual(len(self.alpha.heard("ACKNOWLEDGMENT")), 20)
