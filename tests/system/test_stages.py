"""test_stages.py - protocol, section 8: one message ends batches and hands over their result."""

from case import Case, messages, summary
from messages import completion


class Stages(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            'route "alpha-beta" { retry_delay_ms = 50 backoff_multiplier = 1.0 }')
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")
        self.gamma = self.module(self.broker, "GAMMA")

    def delivered(self, **fields):
        batch = self.alpha.hand_over(**fields)
        return batch, self.beta.delivery(batch)

    def answer(self, message, client=None):
        client = client or self.beta
        return client.answer_to(client.send(message))

    def assert_not_ended(self, batch, delivery):
        """Neither is the batch over, nor is there an output."""
        self.gamma.expect_none("BATCH_TRANSFER")
        self.alpha.expect_none("ACKNOWLEDGMENT")
        self.assertFalse(self.beta.finish(delivery).get("duplicate"))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")


class Completes(Stages):
    def test_takes_the_output_and_ends_the_inputs(self):
        inputs = [self.delivered() for _ in range(3)]
        output = self.beta.hand_over(completes=[completion(d) for _, d in inputs])
        for batch, _ in inputs:
            outcome = self.alpha.outcome(batch)
            self.assertEqual((outcome.status, outcome["payload"]["records_accepted"]),
                             ("PROCESSED", 3))
        self.assertEqual(messages.without_delivery(self.gamma.delivery(output).body),
                         messages.encode(output))

    def test_echoes_processed_of_each_input_after_the_received_of_the_output(self):
        inputs = [self.delivered()[1] for _ in range(3)]
        output = self.beta.send(self.beta.batch(completes=[completion(d) for d in inputs]))
        received = self.beta.next()
        self.assert_received(received)
        self.assertEqual(received.batch_id, output["metadata"]["batch_id"])
        echoes = [self.beta.next() for _ in inputs]
        self.assertEqual([(m.type, m.status) for m in echoes],
                         [("ACKNOWLEDGMENT", "PROCESSED")] * 3)
        self.assertEqual(sorted(m.batch_id for m in echoes), sorted(d.batch_id for d in inputs))
        self.assertEqual({m["in_reply_to"] for m in echoes}, {output["header"]["message_id"]})

    def test_ends_many_inputs_in_one_step(self):
        stage = self.module(self.broker, "BETA", 300)
        self.beta.goodbye("DONE")
        self.beta.expect_closed()
        inputs = [self.alpha.hand_over() for _ in range(300)]
        deliveries = [stage.delivery() for _ in inputs]
        output = stage.hand_over(completes=[completion(d) for d in deliveries])
        ended = {self.alpha.outcome().batch_id for _ in inputs}
        self.assertEqual(ended, {d.batch_id for d in deliveries})
        self.gamma.finish(self.gamma.delivery(output))

    def test_frees_the_credit_of_the_inputs(self):
        stage = self.module(self.broker, "BETA", 1)
        self.beta.goodbye("DONE")
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        delivery = stage.delivery(first)
        stage.hand_over(completes=[completion(delivery)])
        stage.delivery(second)

    def test_the_stages_own_counts_are_told_to_the_source(self):
        batch, delivery = self.delivered(count=5)
        self.beta.hand_over(completes=[completion(delivery, records_accepted=4,
                                                  records_rejected=1)])
        payload = self.alpha.outcome(batch)["payload"]
        self.assertEqual((payload["records_accepted"], payload["records_rejected"]), (4, 1))

    def test_an_input_may_be_ended_over_another_connection_of_the_module(self):
        batch, delivery = self.delivered()
        other = self.module(self.broker, "BETA", 0)
        other.hand_over(completes=[completion(delivery)])
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_a_lease_is_current_until_the_batch_is_delivered_again(self):
        batch, delivery = self.delivered()
        self.beta.close()
        late = self.module(self.broker, "BETA", 0)
        output = late.hand_over(completes=[completion(delivery)])
        self.gamma.delivery(output)
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_an_empty_list_is_none(self):
        self.gamma.delivery(self.beta.hand_over(completes=[]))

    def test_the_output_carries_completes_on_to_its_target(self):
        _, delivery = self.delivered()
        output = self.beta.hand_over(completes=[completion(delivery)])
        self.assertEqual(self.gamma.delivery(output)["completes"], output["completes"])

    def test_a_stage_without_output_just_says_processed(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.gamma.expect_none("BATCH_TRANSFER")

    def test_a_stage_with_several_outputs_names_its_input_on_the_last(self):
        batch, delivery = self.delivered()
        outputs = [self.beta.hand_over() for _ in range(2)]
        self.assert_received(self.answer(outputs[0]), duplicate=True)
        outputs.append(self.beta.hand_over(completes=[completion(delivery)]))
        for output in outputs:
            self.gamma.finish(self.gamma.delivery(output))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_the_stage_hears_the_outcome_of_its_output(self):
        _, delivery = self.delivered()
        output = self.beta.hand_over(completes=[completion(delivery)])
        self.gamma.finish(self.gamma.delivery(output))
        self.assertEqual(self.beta.outcome(output).status, "PROCESSED")


class Refused(Stages):
    def test_a_lease_that_is_not_current_refuses_both(self):
        one, first = self.delivered()
        two, second = self.delivered()
        wrong = self.beta.batch(completes=[completion(first),
                                           completion(second, lease=second.lease + 100)])
        self.assert_refused(self.answer(wrong), "INT_BATCH_005")
        self.assert_not_ended(one, first)
        self.assert_not_ended(two, second)

    def test_a_stage_that_was_replaced_drops_its_output(self):
        batch, first = self.delivered()
        self.beta.close()
        self.beta = self.module(self.broker, "BETA")
        second = self.beta.delivery(batch)
        slow = self.module(self.broker, "BETA", 0)
        wrong = slow.batch(completes=[completion(first)])
        self.assert_refused(self.answer(wrong, slow), "INT_BATCH_005")
        output = self.beta.hand_over(completes=[completion(second)])
        self.gamma.delivery(output)
        self.assert_refused(self.answer(wrong, slow), "INT_BATCH_005")
        self.gamma.expect_none("BATCH_TRANSFER")

    def test_an_input_that_has_ended_refuses_the_output(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        wrong = self.beta.batch(completes=[completion(delivery)])
        self.assert_refused(self.answer(wrong), "INT_BATCH_005")
        self.gamma.expect_none("BATCH_TRANSFER")

    def test_a_lease_of_another_module_refuses_the_output(self):
        output = self.beta.hand_over()
        theirs = self.gamma.delivery(output)
        wrong = self.beta.batch(completes=[completion(theirs)])
        self.assert_refused(self.answer(wrong), "INT_BATCH_005")
        self.gamma.finish(theirs)

    def test_a_refused_output_leaves_no_trace(self):
        batch, delivery = self.delivered()
        right = self.beta.batch(completes=[completion(delivery)])
        wrong = {**right, "completes": [completion(delivery, lease=delivery.lease + 100)]}
        self.assert_refused(self.answer(wrong), "INT_BATCH_005")
        self.beta.hand_over(right)

    def assert_field_refused(self, field_name, *completes):
        wrong = self.beta.batch(completes=list(completes))
        self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005", field_name)

    def test_each_lease_is_listed_once(self):
        batch, delivery = self.delivered()
        self.assert_field_refused("completes.1.lease", completion(delivery), completion(delivery))
        self.assert_not_ended(batch, delivery)

    def test_its_status_is_processed(self):
        batch, delivery = self.delivered()
        for status in ("RECEIVED", "REJECTED"):
            self.assert_field_refused("completes.0.status", completion(delivery, status=status))
        self.assert_not_ended(batch, delivery)

    def test_its_counts_add_up(self):
        batch, delivery = self.delivered(count=5)
        for accepted, rejected in ((4, 0), (5, 1), (0, 0)):
            wrong = self.beta.batch(completes=[completion(
                delivery, records_accepted=accepted, records_rejected=rejected)])
            answer = self.answer(wrong)
            self.assert_refused(answer, "INT_PROTOCOL_005")
            self.assertRegex(answer.field_name, r"^completes\.0\.records_(accepted|rejected)$")
        self.assert_not_ended(batch, delivery)

    def test_every_field_is_needed_and_of_its_type(self):
        batch, delivery = self.delivered()
        right = completion(delivery)
        for field in right:
            missing = {key: value for key, value in right.items() if key != field}
            with self.subTest(missing=field):
                self.assert_field_refused("completes.0." + field, missing)
        for field, value in (("batch_id", "x"), ("status", "DONE"), ("status", 5), ("lease", -1),
                             ("lease", "1"), ("records_accepted", "3"), ("errors", 5)):
            with self.subTest(field=field, value=value):
                self.assert_field_refused("completes.1." + field, right, {**right, field: value})
        self.assert_field_refused("completes.0", 5)
        wrong = messages.error("BETA")
        del wrong["severity"]
        self.assert_field_refused("completes.0.errors.0.severity", {**right, "errors": [wrong]})
        self.assert_not_ended(batch, delivery)

    def test_the_checksum_is_judged_before_completes(self):
        batch, delivery = self.delivered()
        wrong = self.beta.batch(metadata={"checksum": "0" * 64},
                                completes=[completion(delivery, lease=delivery.lease + 100)])
        self.assert_refused(self.answer(wrong), "INT_BATCH_001")
        self.assert_not_ended(batch, delivery)


class Repeats(Stages):
    def setUp(self):
        super().setUp()
        self.batch, self.input = self.delivered()
        self.output = self.beta.hand_over(completes=[completion(self.input)])

    def test_a_repeat_is_a_duplicate_though_its_leases_are_spent(self):
        self.assert_received(self.answer(self.output), duplicate=True)
        self.gamma.finish(self.gamma.delivery(self.output))
        answer = self.answer(self.output)
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))
        self.gamma.expect_none("BATCH_TRANSFER")

    def test_a_repeat_is_a_duplicate_after_a_kill(self):
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        self.assert_received(self.answer(self.output, beta), duplicate=True)
        gamma = self.module(self.broker, "GAMMA")
        gamma.finish(gamma.delivery(self.output))
        answer = self.answer(self.output, beta)
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))

    def test_another_set_in_completes_is_other_content(self):
        _, delivery = self.delivered()
        for other in ([], [completion(delivery)], [completion(self.input), completion(delivery)],
                      [completion(self.input, lease=self.input.lease + 1)]):
            self.assert_refused(self.answer({**self.output, "completes": other}), "INT_BATCH_003")
        self.beta.finish(delivery)

    def test_the_same_set_in_another_order_is_the_same(self):
        first, second = self.delivered()[1], self.delivered()[1]
        output = self.beta.hand_over(completes=[completion(first), completion(second)])
        turned = {**output, "completes": [completion(second), completion(first)]}
        self.assert_received(self.answer(turned), duplicate=True)

    def test_completes_on_a_repeat_of_a_plain_batch_is_other_content(self):
        plain = self.beta.hand_over()
        _, delivery = self.delivered()
        self.assert_refused(self.answer({**plain, "completes": [completion(delivery)]}),
                            "INT_BATCH_003")
        self.beta.finish(delivery)


class Atomic(Stages):
    def test_a_kill_leaves_both_steps_or_neither(self):
        """The output is sent, the broker killed at once: what is known of both must agree."""
        for _ in range(8):
            batch, delivery = self.delivered()
            output = self.beta.send(self.beta.batch(completes=[completion(delivery)]))
            self.broker.restart()
            self.alpha = self.module_again(self.broker, self.alpha)
            self.beta = self.module_again(self.broker, self.beta, holds=[delivery.lease])
            self.gamma = self.module(self.broker, "GAMMA")
            before = self.alpha.answer_to(self.alpha.send(batch))
            if before.status == "PROCESSED":
                self.gamma.finish(self.gamma.delivery(output))
            else:
                self.gamma.expect_none("BATCH_TRANSFER")
                self.beta.hand_over(output)
                self.gamma.finish(self.gamma.delivery(output))
            self.gamma.expect_none("BATCH_TRANSFER")
            answer = self.answer(output)
            self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True),
                             summary(answer))

    def test_received_of_an_output_means_that_its_inputs_have_ended_durably(self):
        batch, delivery = self.delivered()
        output = self.beta.hand_over(completes=[completion(delivery)])
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.5)
        alpha = self.module_again(self.broker, self.alpha)
        self.assertEqual(alpha.outcome(batch).status, "PROCESSED")
        self.module(self.broker, "GAMMA").delivery(output)
