"""test_confirm.py - protocol, sections 3, 4, 11: DELIVERY_CONFIRMATION, and batches without it."""

from case import Case, messages, summary

LONG = 'confirm_timeout_ms = 60000'


class Confirm(Case):
    """BETA hands over to GAMMA; what it hears of its records comes through its mailbox."""

    settings = 'route "beta-gamma" { retry_delay_ms = 50 %s }' % LONG

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.settings)
        self.source = self.module(self.broker, "BETA", 0)
        self.target = self.module(self.broker, "GAMMA")

    def processed(self, **fields):
        """A batch that the target has processed, of which the source has read so; its delivery."""
        batch = self.source.hand_over(**fields)
        delivery = self.target.delivery(batch)
        self.target.finish(delivery)
        self.source.outcome(batch)
        return batch, delivery

    def source_again(self, **hello):
        self.source = self.module_again(self.broker, self.source, max_in_flight=0, **hello)
        return self.source

    def parts(self):
        """The ids of the records that the source was told of up to now, a list for each part."""
        return [[result["record_id"] for result in m["delivery_results"]]
                for m in self.source.heard("DELIVERY_CONFIRMATION")]

    def warnings(self, client):
        return client.heard("ERROR_NOTIFICATION",
                            lambda m: m.code == "INT_DELIVERY_006")

    def assert_warning(self, client, batch, notice=None):
        """The WARNING that a batch is ambiguous."""
        warning = client.expect("ERROR_NOTIFICATION", where=lambda m: m.code == "INT_DELIVERY_006")
        self.assertEqual(warning.error["severity"], "WARNING", summary(warning))
        self.assertEqual(warning.error["context"]["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual(warning.error["source_module"], "BROKER")
        self.assertEqual(warning["header"]["source_module"], "BROKER")
        self.assertNotIn("in_reply_to", warning)
        if notice is not None:
            self.assertEqual("notice" in warning, notice, summary(warning))
        return warning


class PassedOn(Confirm):
    def test_it_reaches_the_source_as_the_module_wrote_it(self):
        batch, delivery = self.processed()
        sent = self.target.confirm(delivery, target="BETA", an_unknown_key=[1, {"x": None}])
        told = self.source.expect("DELIVERY_CONFIRMATION")
        self.assertEqual(told["header"], sent["header"])
        self.assertEqual(told["header"]["source_module"], "GAMMA")
        self.assertIsInstance(told["notice"], int)
        self.assertNotIn("in_reply_to", told)
        self.assertEqual({key: told[key] for key in sent}, sent)
        self.assertEqual(told.batch_id, batch["metadata"]["batch_id"])

    def test_it_may_be_addressed_to_the_broker(self):
        _, delivery = self.processed()
        sent = self.target.confirm(delivery, target="BROKER")
        self.assertEqual(self.source.expect("DELIVERY_CONFIRMATION")["header"], sent["header"])

    def test_every_status_is_passed_on(self):
        _, delivery = self.processed()
        ids = messages.record_ids(delivery)
        results = [messages.delivery_result(record_id, status, "to-" + status)
                   for record_id, status in zip(ids, ("DELIVERED", "FAILED", "DLQ"))]
        self.target.tell(messages.confirmation("GAMMA", delivery.batch_id, results))
        self.assertEqual(self.source.expect("DELIVERY_CONFIRMATION")["delivery_results"], results)

    def test_each_part_that_is_new_is_passed_on_in_order(self):
        _, delivery = self.processed(count=5)
        ids = messages.record_ids(delivery)
        for part in (ids[:2], ids[2:3], ids[3:]):
            self.target.confirm(delivery, part)
        told = [self.source.expect("DELIVERY_CONFIRMATION") for _ in range(3)]
        self.assertEqual([[r["record_id"] for r in m["delivery_results"]] for m in told],
                         [ids[:2], ids[2:3], ids[3:]])
        notices = [m["notice"] for m in told]
        self.assertEqual(notices, sorted(set(notices)))

    def test_a_part_that_adds_nothing_is_not_passed_on(self):
        _, delivery = self.processed(count=4)
        ids = messages.record_ids(delivery)
        for part in (ids[:2], ids[:2], ids[:1], ids[1:3], ids[1:2], ids[2:], ids, ids):
            self.target.confirm(delivery, part)
        self.target.finish(self.target.delivery(self.source.hand_over()))
        self.assertEqual(self.parts(), [ids[:2], ids[1:3], ids[2:]])

    def test_the_same_message_twice_is_passed_on_once(self):
        _, delivery = self.processed()
        sent = self.target.confirm(delivery)
        self.target.tell(sent)
        self.assertEqual(self.parts(), [messages.record_ids(delivery)])

    def test_repeats_are_recognised_after_a_kill(self):
        _, delivery = self.processed(count=4)
        ids = messages.record_ids(delivery)
        self.target.confirm(delivery, ids[:2])
        seen = self.source.expect("DELIVERY_CONFIRMATION")["notice"]
        self.broker.restart()
        self.source_again(seen=seen, broker_id=self.source.welcome["broker_id"])
        self.target = self.module(self.broker, "GAMMA")
        self.target.confirm(delivery, ids[:2])
        self.target.confirm(delivery, ids[2:])
        self.source.expect("DELIVERY_CONFIRMATION",
                           where=lambda m: m["delivery_results"][0]["record_id"] == ids[2])
        self.assertEqual(self.parts(), [])

    def test_any_instance_of_the_target_may_confirm(self):
        _, delivery = self.processed()
        self.module(self.broker, "GAMMA").confirm(delivery)
        self.assertEqual(self.parts(), [messages.record_ids(delivery)])

    def test_a_batch_of_many_records_in_many_parts(self):
        _, delivery = self.processed(count=1000)
        ids = messages.record_ids(delivery)
        for i in range(0, 1000, 100):
            self.target.confirm(delivery, ids[i:i + 100])
            self.target.confirm(delivery, ids[:i + 50])
        told = [record_id for part in self.parts() for record_id in part]
        self.assertEqual(told, ids)

    def test_nobody_else_is_told(self):
        strangers = [self.module(self.broker, name, 0) for name in ("ALPHA", "BETA", "GAMMA")]
        _, delivery = self.processed()
        self.target.confirm(delivery)
        self.source.expect("DELIVERY_CONFIRMATION")
        for client in [*strangers, self.target]:
            self.assertEqual(client.heard("DELIVERY_CONFIRMATION"), [], client.module)

    def test_on_a_route_that_wants_none_it_is_passed_on_too(self):
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        batch = alpha.hand_over()
        delivery = beta.delivery(batch)
        beta.finish(delivery)
        beta.confirm(delivery)
        self.assertIn("notice", alpha.expect("DELIVERY_CONFIRMATION"))


class ThroughTheMailbox(Confirm):
    def test_it_waits_for_a_source_that_is_away(self):
        _, delivery = self.processed()
        self.source.close()
        self.target.confirm(delivery)
        self.source_again()
        self.source.expect("DELIVERY_CONFIRMATION")

    def test_it_waits_over_a_kill(self):
        _, delivery = self.processed(count=4)
        ids = messages.record_ids(delivery)
        self.source.close()
        self.target.confirm(delivery, ids[:1])
        self.target.confirm(delivery, ids[1:])
        self.broker.restart()
        self.source_again()
        parts = [self.source.expect("DELIVERY_CONFIRMATION") for _ in range(2)]
        self.assertEqual([len(m["delivery_results"]) for m in parts], [1, 3])

    def test_it_comes_again_until_it_was_seen(self):
        _, delivery = self.processed()
        sent = self.target.confirm(delivery)
        first = self.source.expect("DELIVERY_CONFIRMATION")
        second = self.source_again().expect("DELIVERY_CONFIRMATION")
        self.assertEqual((second["notice"], second["header"]), (first["notice"], sent["header"]))
        self.source_again(seen=second["notice"], broker_id=self.source.welcome["broker_id"])
        self.assertEqual(self.parts(), [])
        self.broker.restart()
        self.source_again()
        self.assertEqual(self.parts(), [])

    def test_the_outcome_comes_before_it(self):
        batch = self.source.hand_over()
        delivery = self.target.delivery(batch)
        self.source.close()
        self.target.finish(delivery)
        self.target.confirm(delivery)
        self.source_again()
        confirmed = self.source.expect("DELIVERY_CONFIRMATION")
        self.assertLess(self.source.outcome(batch)["notice"], confirmed["notice"])

    def test_nothing_is_kept_for_a_source_without_a_mailbox(self):
        away = self.module(self.broker, "BETA", 0, mailbox=False)
        batch = away.hand_over()
        delivery = self.target.delivery(batch)
        self.target.finish(delivery)
        away.close()
        self.target.confirm(delivery)
        self.source = away
        self.source_again()
        self.assertEqual(self.parts(), [])


class Refused(Confirm):
    def refused(self, client=None, **changes):
        client = client or self.target
        message = messages.confirmation(
            client.module, messages.new_id(), [messages.delivery_result("r-1")])
        message.update(changes)
        return client.answer_to(client.send(message))

    def test_an_unknown_batch(self):
        self.assert_error(self.refused(), "INT_PROTOCOL_005", "batch_id")

    def test_a_batch_of_another_target(self):
        """ALPHA's batch went to BETA: GAMMA cannot speak of it, nor BETA of the one it sent."""
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        delivery = beta.delivery(alpha.hand_over())
        beta.finish(delivery)
        self.assert_error(self.refused(batch_id=delivery.batch_id), "INT_PROTOCOL_005", "batch_id")
        _, theirs = self.processed()
        self.assert_error(self.refused(self.source, batch_id=theirs.batch_id),
                          "INT_PROTOCOL_005", "batch_id")
        self.assertEqual(self.parts() + alpha.heard("DELIVERY_CONFIRMATION"), [])

    def test_every_field_is_needed_and_of_its_type(self):
        _, delivery = self.processed()
        right = messages.delivery_result(messages.record_ids(delivery)[0])
        for field, values in {"batch_id": (None, 5, "x"),
                              "delivery_results": (None, 5, {})}.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    message = messages.confirmation("GAMMA", delivery.batch_id, [right])
                    message[field] = value
                    if value is None:
                        del message[field]
                    answer = self.target.answer_to(self.target.send(message))
                    self.assert_error(answer, "INT_PROTOCOL_005", field,
                                      "missing" if value is None else None)
        for field, values in {"record_id": (None, 5), "destination_id": (None, 5),
                              "status": (None, 5, "SENT", "delivered"),
                              "delivery_timestamp": (None, 5, "yesterday")}.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    wrong = {**right, field: value}
                    if value is None:
                        del wrong[field]
                    self.assert_error(
                        self.refused(batch_id=delivery.batch_id, delivery_results=[right, wrong]),
                        "INT_PROTOCOL_005", "delivery_results.1." + field)
        self.assertEqual(self.parts(), [])      # also of the right one beside the wrong one
        self.target.confirm(delivery)
        self.source.expect("DELIVERY_CONFIRMATION")


class Ambiguous(Confirm):
    settings = ('route "beta-gamma" { confirm_timeout_ms = 1000 }\n'
                'route "alpha-beta" { confirm_timeout_ms = 100 }')

    def test_without_a_confirmation_both_sides_are_warned(self):
        batch, _ = self.processed()
        self.assert_warning(self.source, batch, notice=True)
        self.assert_warning(self.target, batch)

    def test_with_a_part_of_it_too(self):
        batch, delivery = self.processed(count=3)
        self.target.confirm(delivery, messages.record_ids(delivery)[:2])
        self.assert_warning(self.source, batch, notice=True)
        self.assert_warning(self.target, batch)
        self.assertEqual(self.parts(), [messages.record_ids(delivery)[:2]])

    def test_whatever_it_says_of_the_records_a_complete_one_makes_no_warning(self):
        """Three batches are confirmed; of one that came after them, and is not, both are warned."""
        _, delivery = self.processed()
        self.target.confirm(delivery)
        _, delivery = self.processed(count=3)
        for record_id in messages.record_ids(delivery):
            self.target.confirm(delivery, [record_id])
        _, delivery = self.processed(count=3)
        for record_id, status in zip(messages.record_ids(delivery), ("DELIVERED", "FAILED", "DLQ")):
            self.target.confirm(delivery, [record_id], status)
        batch, _ = self.processed()
        for client in (self.source, self.target):
            self.assert_warning(client, batch)
            self.assertEqual(self.warnings(client), [])

    def test_each_batch_is_warned_of_once(self):
        batches = [self.processed()[0] for _ in range(5)]
        ids = sorted(batch["metadata"]["batch_id"] for batch in batches)
        for client in (self.source, self.target):
            warned = []
            while len(warned) < 5:      # one warning may carry the errors of several batches
                warning = client.expect("ERROR_NOTIFICATION",
                                        where=lambda m: m.code == "INT_DELIVERY_006")
                warned += [error["context"]["batch_id"] for error in warning["errors"]]
            self.assertEqual(sorted(warned), ids)
        self.assert_warning(self.target, self.processed()[0])       # a whole timeout later
        self.assertEqual(self.warnings(self.target), [])

    def test_the_warning_waits_for_a_source_that_is_away(self):
        batch, _ = self.processed()
        self.source.close()
        self.assert_warning(self.target, batch)
        self.source_again()
        warning = self.assert_warning(self.source, batch, notice=True)
        self.source_again(seen=warning["notice"], broker_id=self.source.welcome["broker_id"])
        self.assertEqual(self.warnings(self.source), [])

    def test_the_wait_outlives_a_kill(self):
        batch, delivery = self.processed(count=3)
        self.target.confirm(delivery, messages.record_ids(delivery)[:2])
        self.broker.restart()
        self.target = self.module(self.broker, "GAMMA")
        self.source_again()
        self.assert_warning(self.source, batch, notice=True)

    def test_a_complete_confirmation_outlives_a_kill(self):
        _, confirmed = self.processed()
        self.target.confirm(confirmed)
        batch, _ = self.processed()
        self.broker.restart()
        self.source_again()
        self.assert_warning(self.source, batch)
        self.assertEqual(self.warnings(self.source), [])

    def test_a_batch_that_is_not_processed_is_not_waited_for(self):
        self.target.reject(self.target.delivery(self.source.hand_over()), "PERMANENT")
        held = self.target.delivery(self.source.hand_over())
        batch, _ = self.processed()
        for client in (self.source, self.target):
            self.assert_warning(client, batch)
            self.assertEqual(self.warnings(client), [])
        self.target.finish(held)

    def test_a_route_without_confirm_makes_no_warning(self):
        """alpha-beta has a shorter timeout, and comes first: its warning would be there by then."""
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        beta.finish(beta.delivery(alpha.hand_over()))
        batch, _ = self.processed()
        self.assert_warning(self.source, batch)
        for client in (alpha, beta):
            self.assertEqual(self.warnings(client), [], client.module)

    def test_any_route_can_want_it(self):
        broker = self.start_broker(
            'route "alpha-beta" { confirm = true confirm_timeout_ms = 300 }\n'
            'route "beta-gamma" { confirm = false confirm_timeout_ms = 100 }')
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        gamma = self.module(broker, "GAMMA")
        gamma.finish(gamma.delivery(beta.hand_over()))
        batch = alpha.hand_over()
        beta.finish(beta.delivery(batch))
        self.assert_warning(alpha, batch, notice=True)
        self.assert_warning(beta, batch)
        self.assertEqual(self.warnings(beta) + self.warnings(gamma), [])
