"""test_batch.py - protocol, section 5: what a batch must be, how it is judged, its delivery."""

import msgpack

from case import Case, messages, summary


class Batch(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.alpha = self.module(self.broker, "ALPHA")

    def answer(self, message):
        return self.alpha.answer_to(self.alpha.send(message))


class Received(Batch):
    def test_is_answered_with_received_in_the_brokers_name(self):
        batch = self.alpha.batch(count=4)
        answer = self.answer(batch)
        self.assert_received(answer)
        self.assertEqual(answer["header"]["source_module"], "BROKER")
        self.assertEqual(answer["header"]["correlation_id"], batch["header"]["correlation_id"])
        self.assertEqual(answer["route"], "alpha-beta")

    def test_received_counts_every_record_as_accepted(self):
        batch = self.alpha.batch(count=4)
        payload = self.answer(batch)["payload"]
        self.assertEqual(
            (payload["batch_id"], payload["records_accepted"], payload["records_rejected"]),
            (batch["metadata"]["batch_id"], 4, 0))
        self.assertIsInstance(payload["processing_duration_ms"], int)

    def test_received_is_no_notice(self):
        self.assertNotIn("notice", self.answer(self.alpha.batch()))

    def test_the_targets_received_is_not_passed_on(self):
        beta = self.module(self.broker, "BETA")
        self.alpha.hand_over()
        beta.acknowledge(beta.delivery(), "RECEIVED")
        beta.barrier()
        self.alpha.expect_none("ACKNOWLEDGMENT")

    def test_a_route_of_the_configuration_requires_no_summary(self):
        broker = self.start_broker('route "phi-gamma" { source = "PHI" target = "GAMMA" }')
        phi, gamma = self.module(broker, "PHI"), self.module(broker, "GAMMA")
        batch = phi.hand_over(target="GAMMA")
        self.assertEqual(gamma.delivery(batch)["delivery"]["route"], "phi-gamma")


class Form(Batch):
    def test_every_field_is_needed(self):
        batch = self.alpha.batch()
        for parent in ("metadata", "validation_summary"):
            for field in batch[parent]:
                if field == "batch_id":
                    continue
                with self.subTest(field=field):
                    wrong = self.alpha.batch()
                    del wrong[parent][field]
                    self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005",
                                        parent + "." + field, actual="missing")
        for field in ("records", "validation_summary"):
            wrong = self.alpha.batch()
            del wrong[field]
            self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005", field, actual="missing")

    def test_without_a_readable_batch_id_it_is_an_error_notification(self):
        for wrong, field in (({"metadata": None}, "metadata"), ({}, "metadata.batch_id")):
            batch = self.alpha.batch()
            del batch["metadata"]["batch_id"]
            batch.update(wrong)
            if batch["metadata"] is None:
                del batch["metadata"]
            self.assert_error(self.answer(batch), "INT_PROTOCOL_005", field, actual="missing")

    def test_beta_gamma_requires_both_of_its_summaries(self):
        beta = self.module(self.broker, "BETA")
        for summary_name in ("transformation_summary", "quality_summary"):
            for field in (None, *messages.SUMMARIES["BETA", "GAMMA"][summary_name]):
                with self.subTest(summary=summary_name, field=field):
                    wrong = beta.batch()
                    if field:
                        wrong[summary_name] = dict(wrong[summary_name])
                        del wrong[summary_name][field]
                    else:
                        del wrong[summary_name]
                    path = summary_name + ("." + field if field else "")
                    self.assert_refused(beta.answer_to(beta.send(wrong)), "INT_PROTOCOL_005",
                                        path, actual="missing")
        beta.hand_over()

    def test_a_key_named_delivery_is_refused(self):
        for value in ({"lease": 1}, None):
            wrong = self.alpha.batch(delivery=value)
            self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005", "delivery")

    def test_the_error_summary_is_checked(self):
        right = {"upstream_errors": 2, "error_breakdown": {"A_1": 2},
                 "affected_record_ids": ["a", "b"]}
        self.alpha.hand_over(error_summary=right)
        for field, value in (("upstream_errors", -1), ("upstream_errors", "2"),
                             ("error_breakdown", []), ("error_breakdown", 5),
                             ("affected_record_ids", {}), ("affected_record_ids", "a")):
            with self.subTest(field=field, value=value):
                wrong = self.alpha.batch(error_summary={**right, field: value})
                self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005",
                                    "error_summary." + field)
        wrong = self.alpha.batch(error_summary={**right, "affected_record_ids": ["a", 5]})
        self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005",
                            "error_summary.affected_record_ids.1")

    def test_the_connection_goes_on_after_a_refused_batch(self):
        wrong = self.alpha.batch()
        del wrong["records"]
        self.answer(wrong)
        self.alpha.hand_over()

    def test_a_batch_has_at_least_one_record(self):
        wrong = self.alpha.batch(content=b"\x90", count=0)
        answer = self.answer(wrong)
        self.assertEqual(answer.status, "REJECTED", summary(answer))
        self.assertIn(answer.code, ("INT_PROTOCOL_005", "INT_BATCH_002"))


class Route(Batch):
    def test_a_pair_without_a_route_is_refused(self):
        for target in ("GAMMA", "EPSILON", "PHI", "ALPHA", "ALL"):
            with self.subTest(target=target):
                wrong = messages.batch("ALPHA", target)
                self.assert_refused(self.answer(wrong), "INT_ROUTE_001")

    def test_a_route_leads_one_way(self):
        beta = self.module(self.broker, "BETA")
        wrong = beta.send(messages.batch("BETA", "ALPHA"))
        self.assert_refused(beta.answer_to(wrong), "INT_ROUTE_001")

    def test_the_route_is_judged_before_the_checksum(self):
        wrong = messages.batch("ALPHA", "GAMMA", metadata={"checksum": "0" * 64})
        self.assert_refused(self.answer(wrong), "INT_ROUTE_001")

    def test_the_form_is_judged_before_the_checksum(self):
        wrong = self.alpha.batch(metadata={"checksum": "0" * 64}, priority="HIGH")
        self.assert_refused(self.answer(wrong), "INT_PROTOCOL_005", "priority")


class Content(Batch):
    def test_a_checksum_that_differs_is_refused_with_both(self):
        wrong = self.alpha.batch(metadata={"checksum": "0" * 64})
        answer = self.answer(wrong)
        self.assert_refused(answer, "INT_BATCH_001")
        found = {answer.error["context"]["expected_value"],
                 answer.error["context"]["actual_value"]}
        self.assertEqual(found, {"0" * 64, messages.checksum(wrong["records"])})
        self.assertEqual(answer.error["context"]["batch_id"], wrong["metadata"]["batch_id"])

    def test_a_checksum_is_lower_case_hex(self):
        batch = self.alpha.batch()
        right = batch["metadata"]["checksum"]
        for value in (right.upper(), right[:-1], right + "0", "", "g" * 64):
            with self.subTest(value=value):
                wrong = self.alpha.batch()
                wrong["metadata"]["checksum"] = value
                answer = self.answer(wrong)
                self.assertEqual(answer.status, "REJECTED", summary(answer))
                self.assertIn(answer.code, ("INT_PROTOCOL_005", "INT_BATCH_001"))

    def test_a_record_count_that_differs_is_refused(self):
        for count in (2, 4, 0, 2 ** 63 - 1):
            content = msgpack.packb(messages.records(3))
            answer = self.answer(self.alpha.batch(content=content, count=count))
            self.assertEqual(answer.status, "REJECTED")
            self.assertIn(answer.code,
                          ("INT_BATCH_002", "INT_PROTOCOL_005") if count == 0
                          else ("INT_BATCH_002",), summary(answer))

    def test_records_that_are_no_well_formed_list_are_refused(self):
        whole = msgpack.packb(messages.records(1))
        for name, content in (("empty", b""), ("a map", b"\x81\xa1a\x01"), ("an integer", b"\x01"),
                              ("nil", b"\xc0"), ("cut off", whole[:-1]),
                              ("something after it", whole + b"\xc0"),
                              ("two lists", whole + whole), ("the byte never used", b"\x91\xc1"),
                              ("a count beyond its bytes", b"\xdd\xff\xff\xff\xff"),
                              ("a length beyond its bytes", b"\x91\xc6\xff\xff\xff\xff")):
            with self.subTest(content=name):
                self.assert_refused(self.answer(self.alpha.batch(content=content, count=1)),
                                    "INT_BATCH_002")

    def test_records_are_not_looked_into(self):
        for content in (b"\x91\x05", b"\x91\xa2\xff\xfe", b"\x91\x80", b"\x91\xd4\x05\x00"):
            with self.subTest(content=content):
                self.alpha.hand_over(content=content, count=1)

    def test_longer_forms_of_the_list_are_lists(self):
        self.alpha.hand_over(content=b"\xdc\x00\x01\x80", count=1)
        self.alpha.hand_over(content=b"\xdd\x00\x00\x00\x01\x80", count=1)

    def test_a_batch_of_many_records_is_taken(self):
        self.alpha.hand_over(count=100000, size=1)

    def test_a_refused_batch_leaves_no_trace(self):
        batch = self.alpha.batch()
        wrong = {**batch, "metadata": {**batch["metadata"], "checksum": "0" * 64}}
        self.assert_refused(self.answer(wrong), "INT_BATCH_001")
        self.assert_received(self.answer(batch))
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(batch))
        beta.expect_none("BATCH_TRANSFER")


class Repeat(Batch):
    def test_a_repeat_in_custody_is_a_duplicate_and_stored_no_second_time(self):
        batch = self.alpha.hand_over()
        self.assert_received(self.answer(batch), duplicate=True)
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(batch))
        beta.expect_none("BATCH_TRANSFER")

    def test_a_repeat_while_it_is_delivered_is_a_duplicate(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        self.assert_received(self.answer(batch), duplicate=True)
        beta.finish(delivery)

    def test_a_repeat_in_the_same_breath_is_a_duplicate(self):
        batch = self.alpha.batch()
        self.alpha.send_bytes(messages.frame(messages.encode(batch)) * 3)
        answers = [self.alpha.answer_to(batch) for _ in range(3)]
        self.assertEqual([bool(a.get("duplicate")) for a in answers], [False, True, True])
        self.assertEqual({a.status for a in answers}, {"RECEIVED"})

    def test_a_repeat_from_another_instance_is_a_duplicate(self):
        batch = self.alpha.hand_over()
        other = self.module(self.broker, "ALPHA")
        self.assert_received(other.answer_to(other.send(batch)), duplicate=True)

    def test_batch_ids_are_compared_without_case(self):
        batch = self.alpha.hand_over()
        shouted = {**batch, "metadata": {**batch["metadata"],
                                         "batch_id": batch["metadata"]["batch_id"].upper()}}
        answer = self.answer(shouted)
        self.assert_received(answer, duplicate=True)
        self.assertEqual(answer.batch_id, batch["metadata"]["batch_id"])

    def test_a_repeat_after_processed_is_answered_with_processed(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.finish(beta.delivery(batch))
        answer = self.answer(batch)
        self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))
        beta.expect_none("BATCH_TRANSFER")

    def test_a_repeat_of_a_dead_letter_is_answered_with_rejected(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch), "PERMANENT")
        answer = self.answer(batch)
        self.assertEqual((answer.status, answer["duplicate"]), ("REJECTED", True))
        self.assertEqual(answer.code, "INT_DELIVERY_004")
        beta.expect_none("BATCH_TRANSFER")

    def test_repeats_are_recognised_after_a_kill(self):
        beta = self.module(self.broker, "BETA")
        held, done, dead = [self.alpha.hand_over() for _ in range(3)]
        beta.delivery(held)
        beta.finish(beta.delivery(done))
        beta.reject(beta.delivery(dead), "PERMANENT")
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        for batch, status in ((held, "RECEIVED"), (done, "PROCESSED"), (dead, "REJECTED")):
            answer = alpha.answer_to(alpha.send(batch))
            self.assertEqual((answer.status, answer["duplicate"]), (status, True))

    def test_other_content_under_a_known_id_is_refused(self):
        beta = self.module(self.broker, "BETA")
        held, done, dead = [self.alpha.hand_over() for _ in range(3)]
        beta.delivery(held)
        beta.finish(beta.delivery(done))
        beta.reject(beta.delivery(dead), "PERMANENT")
        for batch in (held, done, dead):
            other = self.alpha.batch(batch_id=batch["metadata"]["batch_id"], size=17)
            self.assert_refused(self.answer(other), "INT_BATCH_003")
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        for batch in (held, done, dead):
            other = alpha.batch(batch_id=batch["metadata"]["batch_id"], size=17)
            self.assert_refused(alpha.answer_to(alpha.send(other)), "INT_BATCH_003")

    def test_a_known_id_is_judged_before_the_checksum(self):
        batch = self.alpha.hand_over()
        wrong = self.alpha.batch(batch_id=batch["metadata"]["batch_id"],
                                 metadata={"checksum": "0" * 64})
        self.assert_refused(self.answer(wrong), "INT_BATCH_003")

    def test_the_same_id_on_another_route_is_another_batch(self):
        beta, gamma = self.module(self.broker, "BETA"), self.module(self.broker, "GAMMA")
        batch = self.alpha.hand_over()
        other = beta.hand_over(batch_id=batch["metadata"]["batch_id"])
        gamma.finish(gamma.delivery(other))
        beta.finish(beta.delivery(batch))


class Sequence(Batch):
    def warning(self, number, client=None):
        """The code of the warning that a batch with this number is received with, or None."""
        client = client or self.alpha
        answer = client.answer_to(client.send(client.batch(sequence_number=number)))
        self.assert_received(answer)
        errors = answer.get("errors") or []
        self.assertLessEqual(len(errors), 1)
        if errors:
            self.assertEqual((errors[0]["severity"], errors[0]["recoverability"],
                              errors[0]["scope"]), ("WARNING", "PERMANENT", "BATCH"))
        return errors[0]["error_code"] if errors else None

    def test_numbers_that_rise_by_one_are_received_without_a_warning(self):
        self.assertEqual([self.warning(n) for n in (41, 42, 43)], [None] * 3)

    def test_a_number_that_repeats_falls_or_leaves_a_gap_is_received_with_a_warning(self):
        self.assertEqual([self.warning(n) for n in (10, 10, 9, 11, 13, 14)],
                         [None, "INT_BATCH_004", "INT_BATCH_004", None, "INT_BATCH_004", None])

    def test_each_instance_has_a_series_of_its_own(self):
        other = self.module(self.broker, "ALPHA")
        self.assertIsNone(self.warning(5))
        self.assertIsNone(self.warning(900, other))
        self.assertIsNone(self.warning(6))

    def test_each_route_has_a_series_of_its_own(self):
        broker = self.start_broker('route "alpha-gamma" { source = "ALPHA" target = "GAMMA" }')
        alpha = self.module(broker, "ALPHA")
        self.assertIsNone(self.warning(5, alpha))
        answer = alpha.answer_to(alpha.send(alpha.batch("GAMMA", sequence_number=70)))
        self.assertFalse(answer.get("errors"))
        self.assertIsNone(self.warning(6, alpha))

    def test_refused_batches_do_not_count(self):
        self.assertIsNone(self.warning(5))
        wrong = self.alpha.batch(sequence_number=6, metadata={"checksum": "0" * 64})
        self.assert_refused(self.answer(wrong), "INT_BATCH_001")
        self.assertIsNone(self.warning(6))

    def test_repeats_do_not_count(self):
        batch = self.alpha.hand_over(sequence_number=5)
        self.assertIsNone(self.warning(6))
        answer = self.answer(batch)
        self.assert_received(answer, duplicate=True)
        self.assertIsNone(self.warning(7))

    def test_the_series_goes_on_after_a_kill(self):
        self.assertIsNone(self.warning(5))
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        self.assertIsNone(self.warning(6, alpha))
        self.assertEqual(self.warning(8, alpha), "INT_BATCH_004")


class Delivery(Batch):
    def setUp(self):
        super().setUp()
        self.beta = self.module(self.broker, "BETA")

    def test_tells_what_kind_of_delivery_it_is(self):
        batch = self.alpha.hand_over()
        delivery = self.beta.delivery(batch)["delivery"]
        self.assertEqual((delivery["route"], delivery["attempt"], delivery["redelivered"]),
                         ("alpha-beta", 1, False))
        self.assertGreater(delivery["lease"], 0)
        self.assertRegex(delivery["received_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertLessEqual(batch["header"]["timestamp"][:19], delivery["received_at"])

    def test_is_the_sources_own_bytes(self):
        batch = self.alpha.hand_over(unknown=[1, {"x": None}], priority="CRITICAL")
        delivery = self.beta.delivery(batch)
        self.assertEqual(messages.without_delivery(delivery.body), messages.encode(batch))

    def test_keeps_the_header_that_the_source_wrote(self):
        batch = self.alpha.hand_over(changes={"timestamp": "2020-01-01T00:00:00.1Z"})
        self.assertEqual(self.beta.delivery(batch)["header"], batch["header"])

    def test_leases_rise_with_every_delivery(self):
        for _ in range(5):
            self.alpha.hand_over()
        leases = [self.beta.delivery().lease for _ in range(5)]
        self.assertEqual(leases, sorted(set(leases)))

    def test_leases_rise_over_a_kill(self):
        self.alpha.hand_over()
        first = self.beta.delivery().lease
        self.broker.restart()
        self.assertGreater(self.module(self.broker, "BETA").delivery().lease, first)

    def test_comes_in_the_order_of_custody(self):
        self.beta.goodbye()
        sent = [self.alpha.hand_over(size=chance) for chance in (1, 30000, 5, 70000, 2, 9)]
        beta = self.module(self.broker, "BETA")
        self.assertEqual([beta.delivery().batch_id for _ in sent],
                         [batch["metadata"]["batch_id"] for batch in sent])

    def test_critical_comes_before_normal(self):
        self.beta.goodbye()
        normal = [self.alpha.hand_over() for _ in range(2)]
        critical = [self.alpha.hand_over(priority="CRITICAL") for _ in range(2)]
        last = self.alpha.hand_over(priority="NORMAL")
        beta = self.module(self.broker, "BETA")
        self.assertEqual([beta.delivery().batch_id for _ in range(5)],
                         [b["metadata"]["batch_id"] for b in critical + normal + [last]])

    def test_critical_comes_before_normal_after_a_kill(self):
        self.beta.goodbye()
        normal, critical = self.alpha.hand_over(), self.alpha.hand_over(priority="CRITICAL")
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        self.assertEqual([beta.delivery().batch_id for _ in range(2)],
                         [b["metadata"]["batch_id"] for b in (critical, normal)])
