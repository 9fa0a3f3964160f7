"""test_custody.py - protocol, section 6: custody, its two ends, outcomes, retries, late answers."""

import os
import time

from case import Case, messages, summary

RETRY_MS = 60
QUICK = 'route "alpha-beta" { retry_delay_ms = %d max_retries = 2 backoff_multiplier = 1.0 }'


class Custody(Case):
    settings = QUICK % RETRY_MS
    top_level = {}

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.settings, **self.top_level)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def delivered(self, **fields):
        """A batch that ALPHA handed over, and its first delivery to BETA."""
        batch = self.alpha.hand_over(**fields)
        return batch, self.beta.delivery(batch)

    def assert_outcome(self, batch, status, *codes):
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.status, status, summary(outcome))
        self.assertEqual([error["error_code"] for error in outcome.get("errors") or []],
                         list(codes))
        return outcome


class Durable(Custody):
    def test_received_outlives_a_kill(self):
        self.beta.close()
        sent = [self.alpha.hand_over(size=size) for size in (10, 100000, 2000000)]
        self.broker.kill()
        self.broker.start()
        beta = self.module(self.broker, "BETA")
        for batch in sent:
            self.assertEqual(messages.without_delivery(beta.delivery(batch).body),
                             messages.encode(batch))

    def test_received_outlives_a_kill_in_the_same_instant(self):
        self.beta.close()
        for _ in range(5):
            alpha = self.module(self.broker, "ALPHA")
            batches = [alpha.batch() for _ in range(20)]
            alpha.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in batches))
            self.assert_received(alpha.answer_to(batches[7]))
            self.broker.restart()
            again = self.module_again(self.broker, alpha)
            for batch in batches[:8]:
                self.assert_received(again.answer_to(again.send(batch)), duplicate=True)

    def test_processed_outlives_a_kill(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.5)
        self.alpha = self.module_again(self.broker, self.alpha)
        self.assert_outcome(batch, "PROCESSED")

    def test_custody_outlives_an_orderly_stop(self):
        batch = self.alpha.hand_over()
        for client in self.clients:
            client.close()
        self.broker.stop()
        self.broker.start()
        self.module(self.broker, "BETA").delivery(batch)


class Ends(Custody):
    def test_processed_is_told_to_the_source_with_the_targets_counts(self):
        batch, delivery = self.delivered(count=5)
        errors = [messages.error("BETA", "PERMANENT", "RECORD",
                                 context={"record_id": record["record_id"]})
                  for record in messages.records(5, 16, batch["metadata"]["batch_id"][:8])[:2]]
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 3, 2, errors=errors))
        payload = self.alpha.outcome(batch)["payload"]
        self.assertEqual((payload["status"], payload["records_accepted"],
                          payload["records_rejected"]), ("PROCESSED", 3, 2))

    def test_an_outcome_comes_in_the_brokers_name_and_names_the_route(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        outcome = self.alpha.outcome(batch)
        self.assertEqual((outcome["header"]["source_module"], outcome["header"]["target_module"],
                          outcome["route"]), ("BROKER", "ALPHA", "alpha-beta"))

    def test_processed_is_echoed_to_the_target(self):
        batch, delivery = self.delivered()
        message = self.beta.acknowledge(delivery, "PROCESSED")
        echo = self.beta.answer_to(message)
        self.assertEqual((echo.type, echo.status, echo.batch_id, bool(echo.get("duplicate"))),
                         ("ACKNOWLEDGMENT", "PROCESSED", batch["metadata"]["batch_id"], False))
        self.assertEqual(echo["header"]["source_module"], "BROKER")
        self.assertEqual(echo["header"]["correlation_id"], batch["header"]["correlation_id"])

    def test_a_repeated_processed_is_echoed_again_as_a_duplicate(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        self.assertTrue(self.beta.finish(delivery)["duplicate"])
        self.assert_outcome(batch, "PROCESSED")
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_a_repeated_processed_is_echoed_again_after_a_kill(self):
        _, delivery = self.delivered()
        self.beta.finish(delivery)
        self.broker.restart()
        self.assertTrue(self.module(self.broker, "BETA").finish(delivery)["duplicate"])

    def test_a_repeated_rejected_is_echoed_again_as_a_duplicate(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT")
        self.assertTrue(self.beta.reject(delivery, "PERMANENT")["duplicate"])
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004", "TEST_001")
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_processed_needs_no_received_before_it(self):
        batch, delivery = self.delivered()
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_received_and_then_processed_ends_it_once(self):
        batch, delivery = self.delivered()
        self.beta.acknowledge(delivery, "RECEIVED")
        self.beta.acknowledge(delivery, "RECEIVED")
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")
        self.alpha.expect_none("ACKNOWLEDGMENT")
        self.beta.expect_none("BATCH_TRANSFER")

    def test_a_permanent_rejection_is_a_dead_letter_at_once(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT", code="BETA_BAD_007")
        outcome = self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004", "BETA_BAD_007")
        self.assertEqual(outcome["errors"][0]["source_module"], "BROKER")
        self.assertEqual(outcome["errors"][1]["source_module"], "BETA")
        self.beta.expect_none("BATCH_TRANSFER", 3 * RETRY_MS / 1000)

    def test_a_rejected_outcome_counts_every_record_as_rejected(self):
        batch, delivery = self.delivered(count=5)
        self.beta.reject(delivery, "PERMANENT")
        payload = self.alpha.outcome(batch)["payload"]
        self.assertEqual((payload["records_accepted"], payload["records_rejected"]), (0, 5))

    def test_a_dead_letter_is_not_delivered_after_a_kill(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT")
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.5)
        self.alpha = self.module_again(self.broker, self.alpha)
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004", "TEST_001")


class Retry(Custody):
    def test_a_transient_rejection_is_retried_with_the_same_bytes_under_a_new_lease(self):
        batch, first = self.delivered()
        self.beta.reject(first)
        second = self.beta.delivery(batch)
        self.assertEqual((second["delivery"]["attempt"], second["delivery"]["redelivered"]),
                         (2, True))
        self.assertGreater(second.lease, first.lease)
        self.assertEqual(second["delivery"]["received_at"], first["delivery"]["received_at"])
        self.assertEqual(messages.without_delivery(second.body), messages.encode(batch))

    def test_a_retry_waits_retry_delay_ms(self):
        batch, first = self.delivered()
        self.beta.reject(first)
        rejected = time.monotonic()
        self.beta.delivery(batch)
        self.assertGreaterEqual(time.monotonic() - rejected, RETRY_MS / 1000 - 0.02)

    def test_the_source_hears_nothing_of_a_retry(self):
        batch, first = self.delivered()
        self.beta.reject(first)
        self.beta.finish(self.beta.delivery(batch))
        self.assert_outcome(batch, "PROCESSED")
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_what_is_retried_and_what_is_not(self):
        batch_wide = ("BATCH", "MODULE", "PIPELINE")
        cases = [([("TRANSIENT", scope)], True) for scope in ("RECORD", *batch_wide)]
        cases += [([("PERMANENT", scope)], False) for scope in ("RECORD", *batch_wide)]
        cases += [([("TRANSIENT", "BATCH"), ("PERMANENT", scope)], False) for scope in batch_wide]
        cases += [([("TRANSIENT", "BATCH"), ("PERMANENT", "RECORD")], True),
                  ([("UNKNOWN", "BATCH")], True), ([("UNKNOWN", "BATCH", False)], False),
                  ([("UNKNOWN", "BATCH", False), ("TRANSIENT", "BATCH")], True),
                  ([("PERMANENT", "BATCH", True)], False), ([], False)]
        for kinds, is_retried in cases:
            with self.subTest(errors=kinds):
                batch, delivery = self.delivered(count=1)
                errors = []
                for recoverability, scope, *eligible in kinds:
                    changes = {"retry_eligible": eligible[0]} if eligible else {}
                    context = {"record_id": batch["metadata"]["batch_id"][:8] + "-0"}
                    errors.append(messages.error("BETA", recoverability, scope, context=context,
                                                 **changes))
                self.beta.answer_to(self.beta.acknowledge(delivery, "REJECTED", errors=errors))
                if is_retried:
                    self.beta.finish(self.beta.delivery(batch))
                    self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
                else:
                    self.assertEqual(self.alpha.outcome(batch).status, "REJECTED")

    def test_a_rejection_without_errors_is_a_dead_letter(self):
        batch, delivery = self.delivered()
        self.beta.answer_to(self.beta.acknowledge(delivery, "REJECTED"))
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004")

    def test_after_max_retries_it_is_a_dead_letter(self):
        batch = self.alpha.hand_over()
        for attempt in (1, 2, 3):
            delivery = self.beta.delivery(batch)
            self.assertEqual(delivery["delivery"]["attempt"], attempt)
            self.beta.reject(delivery, code="BETA_TIRED_%d" % attempt)
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_002", "BETA_TIRED_3")
        self.beta.expect_none("BATCH_TRANSFER", 3 * RETRY_MS / 1000)

    def test_attempts_outlive_a_kill(self):
        batch, first = self.delivered()
        self.beta.reject(first)
        second = self.beta.delivery(batch)
        self.beta.reject(second)
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)
        beta = self.module(self.broker, "BETA")
        third = beta.delivery(batch)
        self.assertEqual(third["delivery"]["attempt"], 3)
        beta.reject(third)
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_002", "TEST_001")

    def test_a_kill_costs_no_attempt(self):
        batch, first = self.delivered()
        for _ in range(3):
            self.broker.restart()
            beta = self.module(self.broker, "BETA")
            delivery = beta.delivery(batch)
            self.assertEqual((delivery["delivery"]["attempt"], delivery["delivery"]["redelivered"]),
                             (1, True))

    def test_waiting_for_a_target_that_is_away_costs_no_attempt(self):
        self.beta.goodbye()
        batch = self.alpha.hand_over()
        self.broker.restart()
        delivery = self.module(self.broker, "BETA").delivery(batch)["delivery"]
        self.assertEqual((delivery["attempt"], delivery["redelivered"]), (1, False))

    def test_a_route_without_retries_gives_up_at_the_first_failure(self):
        broker = self.start_broker('route "alpha-beta" { max_retries = 0 }')
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_002", "TEST_001")


class RetryLater(Custody):
    settings = QUICK % 500

    def test_a_wait_outlives_a_kill(self):
        batch, first = self.delivered()
        self.beta.reject(first)
        rejected = time.monotonic()
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        self.assertEqual(beta.delivery(batch)["delivery"]["attempt"], 2)
        self.assertGreaterEqual(time.monotonic() - rejected, 0.4)

    def test_others_go_on_while_one_waits(self):
        waiting, delivery = self.delivered()
        self.beta.reject(delivery)
        _, other = self.delivered()
        self.beta.finish(other)
        self.beta.expect_none("BATCH_TRANSFER")
        self.beta.delivery(waiting)


class Leases(Custody):
    settings = QUICK % 60000
    top_level = {"reclaim_ms": 60000}

    def assert_stale(self, client, message):
        self.assert_error(client.answer_to(message), "INT_DELIVERY_005")

    def test_any_connection_of_the_module_may_end_the_batch(self):
        batch, delivery = self.delivered()
        other = self.module(self.broker, "BETA", 0)
        self.assertFalse(other.finish(delivery).get("duplicate"))
        self.assert_outcome(batch, "PROCESSED")

    def test_another_module_may_not(self):
        batch, delivery = self.delivered()
        for stranger in (self.module(self.broker, "GAMMA"), self.alpha):
            answer = stranger.answer_to(stranger.acknowledge(delivery, "PROCESSED"))
            self.assertEqual(answer.type, "ERROR_NOTIFICATION", summary(answer))
            self.assertIn(answer.code, ("INT_DELIVERY_005", "INT_AUTH_003"))
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_a_lease_of_another_batch_ends_nothing(self):
        one, first = self.delivered()
        two, second = self.delivered()
        self.assert_stale(self.beta, self.beta.acknowledge(first, "PROCESSED", lease=second.lease))
        self.beta.finish(first)
        self.beta.finish(second)
        self.assert_outcome(one, "PROCESSED")
        self.assert_outcome(two, "PROCESSED")

    def test_an_unknown_lease_or_batch_is_answered_and_changes_nothing(self):
        batch, delivery = self.delivered()
        for lease in (0, delivery.lease + 1, 2 ** 63 - 1):
            for status in ("RECEIVED", "PROCESSED", "REJECTED"):
                self.assert_stale(self.beta, self.beta.acknowledge(delivery, status, lease=lease))
        self.assert_stale(self.beta, self.beta.send(messages.acknowledgment(
            "BETA", messages.new_id(), delivery.lease, "PROCESSED", 3)))
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_a_late_processed_with_the_current_lease_counts_after_a_lost_connection(self):
        batch, delivery = self.delivered()
        self.beta.close()
        late = self.module(self.broker, "BETA", 0)
        self.assertFalse(late.finish(delivery).get("duplicate"))
        self.assert_outcome(batch, "PROCESSED")

    def test_a_late_rejected_with_the_current_lease_counts_after_a_lost_connection(self):
        batch, delivery = self.delivered()
        self.beta.close()
        late = self.module(self.broker, "BETA", 0)
        late.reject(delivery, "PERMANENT")
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004", "TEST_001")

    def test_a_late_answer_with_the_current_lease_counts_after_given_back(self):
        batch, delivery = self.delivered()
        self.beta.goodbye("DONE")
        self.beta.expect_closed()
        self.module(self.broker, "BETA", 0).finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_a_late_answer_with_the_current_lease_counts_after_a_kill(self):
        batch, delivery = self.delivered()
        self.broker.restart()
        self.module(self.broker, "BETA", 0).finish(delivery)
        self.alpha = self.module_again(self.broker, self.alpha)
        self.assert_outcome(batch, "PROCESSED")

    def test_a_late_answer_is_the_end_and_nothing_is_delivered_again(self):
        _, delivery = self.delivered()
        self.broker.restart()
        late = self.module(self.broker, "BETA", 0)
        late.finish(delivery)
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER")

    def test_a_late_received_does_not_count(self):
        _, delivery = self.delivered()
        self.beta.close()
        late = self.module(self.broker, "BETA", 0)
        self.assert_stale(late, late.acknowledge(delivery, "RECEIVED"))
        late.finish(delivery)

    def test_a_lease_is_stale_once_the_batch_has_ended_under_another(self):
        broker = self.start_broker(QUICK % RETRY_MS)
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = self.alpha.hand_over()
        first = beta.delivery(batch)
        beta.reject(first)
        second = beta.delivery(batch)
        for status in ("RECEIVED", "PROCESSED", "REJECTED"):
            self.assert_stale(beta, beta.acknowledge(first, status))
        beta.finish(second)
        for status in ("RECEIVED", "PROCESSED"):
            self.assert_stale(beta, beta.acknowledge(first, status))
        self.assert_outcome(batch, "PROCESSED")
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_a_stale_processed_stores_no_second_end_after_a_dead_letter(self):
        batch, delivery = self.delivered()
        self.beta.reject(delivery, "PERMANENT")
        answer = self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED"))
        self.assert_error(answer, "INT_DELIVERY_005")
        self.assert_outcome(batch, "REJECTED", "INT_DELIVERY_004", "TEST_001")
        self.alpha.expect_none("ACKNOWLEDGMENT")


class Acknowledgment(Custody):
    def assert_refused_ack(self, delivery, field_name, status="PROCESSED", **fields):
        message = self.beta.acknowledge(delivery, status, **fields)
        self.assert_error(self.beta.answer_to(message), "INT_PROTOCOL_005", field_name)

    def test_counts_that_do_not_add_up_are_refused_and_the_batch_stays_assigned(self):
        batch, delivery = self.delivered(count=5)
        for accepted, rejected in ((4, 0), (5, 1), (0, 0), (6, 0), (2 ** 62, 2 ** 62)):
            message = self.beta.acknowledge(delivery, "PROCESSED", accepted, rejected)
            answer = self.beta.answer_to(message)
            self.assert_error(answer, "INT_PROTOCOL_005")
            self.assertRegex(answer.field_name, r"^payload\.records_(accepted|rejected)$")
        self.beta.expect_none("BATCH_TRANSFER", 3 * RETRY_MS / 1000)
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_every_field_is_needed_and_of_its_type(self):
        batch, delivery = self.delivered()
        right = messages.acknowledgment("BETA", batch["metadata"]["batch_id"], delivery.lease,
                                        "PROCESSED", 3)
        for path, values in {
            "payload": (None, 5, []),
            "payload.batch_id": (None, 5, "x"),
            "payload.status": (None, 5, "DONE", "processed"),
            "payload.records_accepted": (None, -1, "3", 3.0),
            "payload.records_rejected": (None, -1, "0"),
            "payload.processing_duration_ms": (None, -1, "5"),
            "lease": (None, -1, "5", 1.0),
            "errors": (5, {}, "x"),
            "errors.0": ([5], [[]]),
        }.items():
            for value in values:
                with self.subTest(path=path, value=value):
                    wrong = {**right, "header": messages.header("BETA", "ACKNOWLEDGMENT"),
                             "payload": dict(right["payload"])}
                    first, _, last = path.partition(".")
                    place, key = ((wrong, first) if not last or last == "0"
                                  else (wrong["payload"], last))
                    if value is None:
                        del place[key]
                    else:
                        place[key] = value
                    answer = self.beta.answer_to(self.beta.send(wrong))
                    self.assert_error(answer, "INT_PROTOCOL_005", path,
                                      "missing" if value is None else None)
        self.beta.finish(delivery)

    def test_every_field_of_its_errors_is_needed_and_of_its_type(self):
        batch, delivery = self.delivered()
        right = messages.error("BETA")
        for field in right:
            wrong = {key: value for key, value in right.items() if key != field}
            with self.subTest(missing=field):
                self.assert_refused_ack(delivery, "errors.1." + field, "REJECTED",
                                        errors=[right, wrong])
        for field, value in (("error_id", 5), ("error_id", "x"), ("timestamp", "x"),
                             ("source_module", 5), ("severity", "BAD"),
                             ("recoverability", "MAYBE"), ("scope", "WORLD"), ("error_code", 5),
                             ("error_message", b"x"), ("context", 5), ("retry_eligible", 1),
                             ("context.record_id", 5), ("context.upstream_errors", "x"),
                             ("context.upstream_errors.0", [5])):
            with self.subTest(field=field, value=value):
                first, _, inner = field.partition(".")
                wrong = {**right, first: {inner.split(".")[0]: value} if inner else value}
                self.assert_refused_ack(delivery, "errors.0." + field, "REJECTED", errors=[wrong])
        self.beta.finish(delivery)
        self.assert_outcome(batch, "PROCESSED")

    def test_the_errors_reach_the_source_as_the_target_wrote_them(self):
        batch, delivery = self.delivered()
        error = messages.error("BETA", "PERMANENT", code="BETA_X_1", error_message="näh \n\t\"x\"",
                               context={"field_name": "a.b", "expected_value": "1",
                                        "actual_value": "2", "upstream_errors": ["u"]})
        self.beta.answer_to(self.beta.acknowledge(delivery, "REJECTED", errors=[error]))
        told = self.alpha.outcome(batch)["errors"][1]
        self.assertEqual({key: told[key] for key in error if key != "context"},
                         {key: error[key] for key in error if key != "context"})
        self.assertEqual({key: value for key, value in told["context"].items()
                          if value is not None}, error["context"])


class RecordErrors(Custody):
    def assert_record_errors(self, record_ids, field_name):
        batch, delivery = self.delivered(count=3)
        errors = []
        for record_id in record_ids:
            context = {} if record_id is None else {
                "record_id": record_id.replace("#", batch["metadata"]["batch_id"][:8] + "-")}
            errors.append(messages.error("BETA", "PERMANENT", "RECORD", context=context))
        message = self.beta.acknowledge(delivery, "PROCESSED", 1, 2, errors=errors)
        answer = self.beta.answer_to(message)
        self.assert_error(answer, "INT_PROTOCOL_005", field_name)
        self.beta.finish(delivery)

    def test_a_record_error_without_a_record_id_is_refused(self):
        self.assert_record_errors(["#0", None], "errors.1.context.record_id")

    def test_a_record_named_twice_is_refused(self):
        self.assert_record_errors(["#0", "#0"], "errors.1.context.record_id")

    def test_a_record_that_is_not_in_the_batch_is_refused(self):
        self.assert_record_errors(["#0", "#3"], "errors.1.context.record_id")


class History(Case):
    """What is kept of batches that have ended has a budget of its own."""

    def start(self, **settings):
        self.broker = self.start_broker(history_size="64K", **settings)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", 100)

    def end_window(self, seen=None):
        """Hands over 64 batches; those that are taken are processed, and their outcomes read.

        Returns them, the highest notice, and the answer to the first that was refused, or None.
        """
        confirm = {} if seen is None else {"seen": seen}
        window = [self.alpha.batch(count=1, size=1, **confirm) for _ in range(64)]
        self.alpha.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in window))
        taken, refusal = [], None
        for batch in window:
            answer = self.alpha.answer_to(batch)
            if answer.type == "ERROR_NOTIFICATION":
                answer = self.alpha.answer_to(batch)
            if answer.status == "RECEIVED":
                taken.append(batch)
            else:
                refusal = refusal or answer
        said = [self.beta.acknowledge(self.beta.delivery(), "PROCESSED") for _ in taken]
        for message in said:
            self.assertEqual(self.beta.answer_to(message).status, "PROCESSED")
        notices = [self.alpha.outcome(batch)["notice"] for batch in taken]
        return taken, max(notices, default=seen), refusal

    def repeat(self, batch):
        answer = self.alpha.answer_to(self.alpha.send(batch))
        if answer.type == "ERROR_NOTIFICATION":
            answer = self.alpha.answer_to(batch)
        return answer

    def test_what_was_confirmed_goes_first_and_oldest_first(self):
        self.start()
        done, seen = [], 0
        for _ in range(25):
            taken, seen, refusal = self.end_window(seen)
            self.assertIsNone(refusal, refusal and summary(refusal))
            done += taken
        self.assert_received(self.repeat(done[0]), duplicate=False)
        answer = self.repeat(done[-65])
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))

    def fill_with_unconfirmed(self):
        done, refusal = [], None
        while refusal is None:
            taken, _, refusal = self.end_window()
            done += taken
            self.assertLess(len(done), 2000, "2000 unconfirmed outcomes in 64K of history")
        return done, refusal

    def test_intake_closes_for_who_does_not_confirm_when_the_budget_is_full(self):
        self.start()
        done, refusal = self.fill_with_unconfirmed()
        self.assertEqual((refusal.status, refusal.error["recoverability"]),
                         ("REJECTED", "TRANSIENT"), summary(refusal))
        answer = self.repeat(done[0])
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))

    def test_intake_opens_again_for_who_confirms(self):
        self.start()
        self.fill_with_unconfirmed()
        batch = self.alpha.batch(seen=2 ** 62)
        self.alpha.send(batch)
        self.assert_received(self.alpha.next())

    def test_what_was_not_confirmed_stays_at_least_dedupe_minimum(self):
        self.start(dedupe_minimum="400ms")
        begun = time.monotonic()
        (first, *_), _, _ = self.end_window()
        while self.repeat(first).get("duplicate"):
            self.end_window()
            self.assertLess(time.monotonic() - begun, 40, "it is never forgotten")
        self.assertGreater(time.monotonic() - begun, 0.35)


class Damage(Case):
    def damage(self, broker, marker):
        """Turns a byte of what the stopped broker stored; returns how often it was found."""
        found = 0
        for directory, _, names in os.walk(os.path.join(broker.directory, "data")):
            for name in names:
                with open(os.path.join(directory, name), "r+b") as file:
                    content = file.read()
                    place = content.find(marker)
                    while place >= 0:
                        file.seek(place + 5)
                        file.write(b"#")
                        found += 1
                        place = content.find(marker, place + 1)
        return found

    def test_stored_bytes_that_no_longer_match_are_never_delivered(self):
        broker = self.start_broker()
        alpha = self.module(broker, "ALPHA")
        marker = b"these bytes will not stay what they were " + messages.new_id().encode()
        record = {"record_id": "1", "data": marker}
        damaged = alpha.hand_over(content=messages.encode([record]), count=1)
        whole = alpha.hand_over()
        broker.stop()
        self.assertGreater(self.damage(broker, marker), 0)
        broker.start()
        alpha, beta = self.module_again(broker, alpha), self.module(broker, "BETA")
        beta.finish(beta.delivery(whole))
        outcome = alpha.outcome(damaged)
        self.assertEqual((outcome.status, outcome.code), ("REJECTED", "INT_STORE_002"))
        self.assertEqual((outcome.error["severity"], outcome.error["recoverability"],
                          outcome.error["scope"]), ("CRITICAL", "PERMANENT", "BATCH"))
        beta.expect_none("BATCH_TRANSFER", where=lambda m: m.batch_id == outcome.batch_id)
        broker.wait_for_log("INT_STORE_002|(?:does not|no longer) match|damaged|corrupt")

    def assert_goes_on_without(self, broker, alpha, marker, damaged):
        """After damage to a record the broker starts, delivers others, and never that one."""
        self.assertGreater(self.damage(broker, marker), 0)
        broker.start()
        alpha, beta = self.module_again(broker, alpha), self.module(broker, "BETA")
        for _ in range(2):
            whole = alpha.hand_over()
            beta.finish(beta.delivery(whole))
        beta.expect_none("BATCH_TRANSFER", 0.5,
                         where=lambda m: m.batch_id == damaged["metadata"]["batch_id"])
        broker.wait_for_log("does not match its checksum")

    def test_a_damaged_record_that_was_assigned_stops_nobody(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        correlation = "follows " + messages.new_id()
        damaged = alpha.hand_over(correlation_id=correlation)
        beta.delivery(damaged)
        broker.stop()
        self.assert_goes_on_without(broker, alpha, correlation.encode(), damaged)

    def test_a_damaged_record_that_waited_stops_nobody(self):
        broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 200 }\n')
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        correlation = "follows " + messages.new_id()
        damaged = alpha.hand_over(correlation_id=correlation)
        beta.reject(beta.delivery(damaged), "TRANSIENT")
        broker.stop()
        self.assert_goes_on_without(broker, alpha, correlation.encode(), damaged)
