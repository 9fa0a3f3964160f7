"""test_frame.py - protocol, section 2: frames, MessagePack, types of fields, the header."""

import random
import re
import struct
import time

import msgpack

from case import Case, messages, summary
from messages import Pairs, Raw, encode, map_head


def nested(levels):
    """The bytes of so many lists, one in the other, the innermost empty."""
    return b"\x91" * (levels - 1) + b"\x90"


class Length(Case):
    def test_welcome_tells_the_longest_frame(self):
        self.assertEqual(self.module(self.start_broker(), "ALPHA").welcome["max_frame_bytes"],
                         8 * 1024 * 1024)

    def test_refuses_a_longer_length_before_a_byte_of_the_body(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send_bytes(struct.pack(">I", 8 * 1024 * 1024 + 1))
        self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_002")

    def test_refuses_the_greatest_length(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send_bytes(b"\xff\xff\xff\xff")
        self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_002")

    def test_takes_and_delivers_a_frame_of_exactly_the_limit(self):
        broker = self.start_broker()
        alpha = self.module(broker, "ALPHA")
        batch = alpha.batch(count=1, size=8 * 1024 * 1024 - 2000)
        missing = 8 * 1024 * 1024 - len(encode(batch))
        batch = alpha.batch(count=1, size=8 * 1024 * 1024 - 2000 + missing)
        self.assertEqual(len(encode(batch)), 8 * 1024 * 1024)
        alpha.hand_over(batch)
        delivery = self.module(broker, "BETA").delivery(batch)
        self.assertEqual(messages.without_delivery(delivery.body), encode(batch))

    def test_the_limit_can_be_configured(self):
        broker = self.start_broker(max_frame_bytes=65536)
        alpha = self.module(broker, "ALPHA")
        self.assertEqual(alpha.welcome["max_frame_bytes"], 65536)
        batch = alpha.batch()
        batch["padding"] = b"x" * 300
        batch["padding"] += b"x" * (65536 - len(encode(batch)))
        self.assertEqual(len(encode(batch)), 65536)
        alpha.hand_over(batch)
        alpha.send_bytes(struct.pack(">I", 65537))
        self.assert_ends_with_goodbye(alpha, "PROTOCOL_ERROR", "INT_PROTOCOL_002")

    def hello_of(self, client, size):
        hello = messages.hello("ALPHA", client.instance_id, padding=b"x" * 1000)
        hello["padding"] = b"x" * (1000 + size - len(encode(hello)))
        self.assertEqual(len(encode(hello)), size)
        return hello

    def test_takes_16384_bytes_before_welcome(self):
        client = self.connect(self.start_broker(), "ALPHA")
        client.send(self.hello_of(client, 16384))
        client.expect("WELCOME")

    def test_refuses_more_than_16384_bytes_before_welcome(self):
        client = self.connect(self.start_broker(), "ALPHA")
        client.send(self.hello_of(client, 16385))
        self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_002")

    def test_memory_grows_with_bytes_received_not_with_bytes_announced(self):
        broker = self.start_broker()
        clients = [self.module(broker, "ALPHA") for _ in range(40)]
        before = broker.memory("VmData")
        for client in clients:
            client.send_bytes(struct.pack(">I", 8 * 1024 * 1024) + b"\x88\xa6header")
        self.module(broker, "ALPHA").barrier()
        self.assertLess(broker.memory("VmData") - before, 40 << 20)

    def test_where_no_header_was_read_the_answer_stands_for_itself(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send_bytes(b"\xff\xff\xff\xff")
        refusal = client.expect("ERROR_NOTIFICATION")
        self.assertNotIn("in_reply_to", refusal)
        self.assertEqual(refusal["header"]["correlation_id"], refusal["header"]["message_id"])


class Body(Case):
    def test_ends_the_connection_over_what_is_no_map(self):
        broker = self.start_broker()
        whole = encode(messages.batch())
        for name, body in (("empty", b""), ("nil", b"\xc0"), ("a list", b"\x93\x01\x02\x03"),
                           ("an integer", b"\x07"), ("a string", b"\xa3abc"),
                           ("the byte never used", b"\xc1"),
                           ("never used, inside", b"\x81\xa1x\xc1"),
                           ("cut off", whole[:-1]), ("one byte more", whole + b"\xc0"),
                           ("two maps", whole + whole),
                           ("a count beyond the body", b"\xdf\xff\xff\xff\xff"),
                           ("a length beyond the body", b"\x81\xa1x\xc6\xff\xff\xff\xff")):
            with self.subTest(body=name):
                client = self.module(broker, "ALPHA")
                client.send_body(body)
                before = self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR")
                self.assertEqual(before[-2].code, "INT_PROTOCOL_001", summary(before[-2]))

    def test_another_connection_does_not_notice(self):
        broker = self.start_broker()
        alpha, other = self.module(broker, "ALPHA"), self.module(broker, "ALPHA")
        other.send_body(b"\xc1")
        other.expect_closed()
        alpha.hand_over()

    def test_the_first_key_is_header(self):
        client = self.module(self.start_broker(), "ALPHA")
        fields = client.batch()
        header = fields.pop("header")
        client.send({**fields, "header": header})
        self.assert_refused_somehow(client, "INT_PROTOCOL_005", "header")

    def test_an_empty_map_lacks_its_header(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send({})
        refusal = client.expect("ERROR_NOTIFICATION")
        self.assert_error(refusal, "INT_PROTOCOL_005", "header", actual="missing")
        client.hand_over()

    def test_keys_are_strings(self):
        client = self.module(self.start_broker(), "ALPHA")
        for key in (5, None, b"bin", Raw(b"\x91\x01")):
            with self.subTest(key=key):
                client.send(Pairs([*client.batch().items(), (key, 1)]))
                self.assert_refused_somehow(client, "INT_PROTOCOL_005")
        client.hand_over()

    def test_no_key_comes_twice(self):
        client = self.module(self.start_broker(), "ALPHA")
        batch = client.batch()
        pairs = list(batch.items())
        inside = dict(batch)
        inside["metadata"] = Pairs([*batch["metadata"].items(), ("checksum", "0" * 64)])
        summaries = dict(batch)
        summaries["validation_summary"] = Pairs(
            [*batch["validation_summary"].items(), ("records_failed", 1)])
        for message, field in ((Pairs(pairs + [("records", b"")]), "records"),
                               (Pairs(pairs + [("new", 1), ("new", 2)]), "new"),
                               (inside, "metadata.checksum"),
                               (summaries, "validation_summary.records_failed")):
            with self.subTest(field=field):
                client.send(message)
                self.assert_refused_somehow(client, "INT_PROTOCOL_005", field)
        header = Pairs([*batch["header"].items(), ("source_module", "ALPHA")])
        client.send({**batch, "header": header})
        self.assert_refused_somehow(client, "INT_PROTOCOL_005", "header.source_module")
        client.hand_over(batch)

    def assert_refused_somehow(self, client, code, field=None):
        """As the refusal of a batch, or of a message in which no batch could be recognised."""
        refusal = client.next()
        self.assertIn(refusal.type, ("ACKNOWLEDGMENT", "ERROR_NOTIFICATION"), summary(refusal))
        self.assertEqual(refusal.code, code, summary(refusal))
        if field:
            self.assertEqual(refusal.field_name, field, summary(refusal))

    def test_takes_nesting_to_level_64_and_refuses_65(self):
        broker = self.start_broker()
        client, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = client.hand_over(client.batch(unknown=Raw(nested(63))))
        self.assertEqual(messages.without_delivery(beta.delivery(batch).body), encode(batch))
        deep = client.send(client.batch(unknown=Raw(nested(64))))
        self.assert_refused_somehow(client, "INT_PROTOCOL_005")
        client.hand_over(dict(deep, unknown=1))

    def test_refuses_very_deep_nesting(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send(client.batch(unknown=Raw(nested(1000000))))
        self.assert_refused_somehow(client, "INT_PROTOCOL_005")
        client.hand_over()

    def test_records_have_a_nesting_count_of_their_own(self):
        client = self.module(self.start_broker(), "ALPHA")
        record = b"\x82" + encode("record_id") + encode("1") + encode("deep")
        client.hand_over(content=b"\x91" + record + nested(62), count=1)
        client.send(client.batch(content=b"\x91" + record + nested(63), count=1))
        refusal = client.next()
        self.assertEqual(refusal.status, "REJECTED")
        self.assertIn(refusal.code, ("INT_PROTOCOL_005", "INT_BATCH_002"))

    def test_values_of_unknown_keys_are_walked_and_not_judged(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        for value in (Raw(b"\xa2\xff\xfe"), Raw(b"\xd4\x05\x00"), Raw(b"\xcf" + b"\xff" * 8), -5,
                      Raw(b"\x82\x01\x02\x01\x02"), Raw(b"\xcb\x7f\xf8" + b"\0" * 6),
                      Raw(b"\xcd\x00\x01"), Raw(b"\xda\x00\x01a"), None, {"header": []}):
            with self.subTest(value=value):
                batch = alpha.hand_over(alpha.batch(unknown=value))
                delivery = beta.delivery()
                self.assertEqual(messages.without_delivery(delivery.body), encode(batch))
                beta.finish(delivery)

    def test_what_random_changes_make_of_a_frame_stops_nothing(self):
        broker = self.start_broker()
        chance = random.Random(20261120)
        bystander = self.module(broker, "ALPHA")
        for _ in range(40):
            client = self.module(broker, "ALPHA")
            for _ in range(10):
                body = bytearray(encode(client.batch(completes=[messages.payload("x", "y")])))
                for _ in range(chance.randrange(1, 6)):
                    body[chance.randrange(len(body))] = chance.randrange(256)
                try:
                    client.send_body(bytes(body))
                except OSError:
                    break
            try:
                client.barrier()
            except (OSError, AssertionError):
                pass
            client.close()
        bystander.hand_over()


class Delivered(Case):
    """The frame is the source's own bytes, the count one higher, one key appended (section 5)."""

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def assert_delivered_unchanged(self, head, rest, *expected_heads):
        self.alpha.send_body(head + rest)
        self.assert_received(self.alpha.next())
        delivery = self.beta.delivery()
        appended = encode("delivery") + encode(delivery["delivery"])
        expected_head = delivery.body[:-len(rest + appended)]
        self.assertIn(expected_head, expected_heads)
        self.assertTrue(delivery.body[len(expected_head):].startswith(rest))
        self.assertEqual(delivery.body[len(expected_head) + len(rest):], appended)
        self.beta.finish(delivery)

    def parts(self, keys):
        """The pairs of a batch, encoded, with unknown keys to make so many in all."""
        batch = self.alpha.batch()
        for i in range(keys - len(batch)):
            batch["unknown_%d" % i] = i
        self.assertEqual(len(batch), keys)
        return encode(batch)[len(map_head(keys)):]

    def test_a_map_of_14_keys_becomes_one_of_15(self):
        self.assert_delivered_unchanged(b"\x8e", self.parts(14), b"\x8f")

    def test_a_map_of_15_keys_becomes_one_of_16_with_a_longer_head(self):
        self.assert_delivered_unchanged(b"\x8f", self.parts(15), b"\xde\x00\x10")

    def test_a_map_of_16_keys_becomes_one_of_17(self):
        self.assert_delivered_unchanged(b"\xde\x00\x10", self.parts(16), b"\xde\x00\x11")

    def test_a_frame_of_very_many_keys_is_judged_at_once(self):
        begun = time.monotonic()
        self.alpha.send_body(b"\xde\xff\xff" + self.parts(65535))
        answer = self.alpha.next()
        self.assertLess(time.monotonic() - begun, 3)
        if answer.status == "REJECTED":
            self.assert_refused(answer, "INT_PROTOCOL_005")
            self.assertTrue(answer.error["context"].get("expected_value"), answer.error)
        self.alpha.hand_over()

    def test_longer_forms_than_needed_are_passed_on_as_they_are(self):
        rest = self.parts(8) + encode("id") + b"\xcf" + b"\0" * 7 + b"\x05"
        self.assert_delivered_unchanged(b"\x89", rest, b"\x8a")

    def test_a_head_longer_than_needed_may_stay_so_or_be_shortened(self):
        self.assert_delivered_unchanged(b"\xde\x00\x08", self.parts(8),
                                        b"\xde\x00\x09", b"\x89")

    def test_the_longest_head_may_stay_so_or_be_shortened(self):
        self.assert_delivered_unchanged(b"\xdf\x00\x00\x00\x08", self.parts(8),
                                        b"\xdf\x00\x00\x00\x09", b"\x89")

    def test_keys_after_header_stand_in_any_order(self):
        batch = self.alpha.batch()
        pairs = list(batch.items())
        rest = b"".join(encode(k) + encode(v) for k, v in pairs[:1] + pairs[:0:-1])
        self.assert_delivered_unchanged(map_head(len(pairs)), rest, map_head(len(pairs) + 1))

    def test_unknown_keys_inside_are_passed_on(self):
        batch = self.alpha.batch(changes={"traceparent": "00-abc"}, metadata={"colour": [1, {}]})
        batch["validation_summary"] = {**batch["validation_summary"], "note": None}
        body = encode(batch)
        self.assert_delivered_unchanged(body[:1], body[1:], bytes([body[0] + 1]))


class Header(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.alpha = self.module(self.broker, "ALPHA")

    def refusal(self, **changes):
        """What comes back for a batch whose header is changed so; None leaves a key out."""
        batch = self.alpha.batch()
        header = {**batch["header"], **changes}
        batch["header"] = {key: value for key, value in header.items() if value is not None}
        self.alpha.send(batch)
        return self.alpha.next()

    def test_every_header_field_is_needed(self):
        for field in messages.header("ALPHA", "BATCH_TRANSFER"):
            with self.subTest(field=field):
                refusal = self.refusal(**{field: None})
                self.assertEqual(refusal.code, "INT_PROTOCOL_005", summary(refusal))
                self.assertEqual(refusal.field_name, "header." + field)
                self.assertEqual(refusal.error["context"]["actual_value"], "missing")

    def test_header_fields_of_a_wrong_type_or_value_are_refused(self):
        for field, values in {
            "message_id": (5, "", "abc", "not-a-uuid-but-thirty-six-long-----", b"x" * 36,
                           messages.new_id().replace("-", ""), messages.new_id()[:-1] + "g"),
            "correlation_id": (5, "", "c" * 129, Raw(b"\xa2\xff\xfe"), b"bin", ["x"]),
            "source_module": (5, b"ALPHA"),
            "target_module": (5, b"BETA", "beta", "NOBODY"),
            "message_type": (5, b"BATCH_TRANSFER"),
            "timestamp": (5, "", "yesterday", "2026-11-20", "2026-11-20T08:15:30",
                          "2026-11-20T08:15:30+00:00", "2026-11-20 08:15:30Z",
                          "2026-02-30T08:15:30Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                          "2026-11-20T24:00:00Z", "2026-11-20T08:60:00Z", "2026-00-20T08:00:00Z",
                          "2026-11-20T08:15:30.1234567890Z", "2026-11-20T08:15:30.Z"),
            "protocol_version": (1, "", "one", "1", "1.0", b"1.0.0"),
        }.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    refusal = self.refusal(**{field: value})
                    self.assertIn("errors", refusal, summary(refusal))
                    self.assertEqual(refusal.code, "INT_PROTOCOL_005", summary(refusal))
                    self.assertEqual(refusal.field_name, "header." + field)
        self.alpha.hand_over()

    def test_right_values_of_every_shape_are_taken(self):
        for field, values in {
            "message_id": ("00000000-0000-0000-0000-000000000000",
                           "FFFFFFFF-FFFF-7FFF-8FFF-FFFFFFFFFFFF"),
            "correlation_id": ("c", "c" * 128, "é" * 64),
            "timestamp": ("2026-11-20T08:15:30Z", "2026-11-20T08:15:30.1Z",
                          "2026-11-20T08:15:30.123456789Z", "2024-02-29T23:59:59.999999Z"),
            "protocol_version": ("1.0.0", "1.0.1", "1.99.0", "1.2.3-rc.1+build.5"),
        }.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    answer = self.refusal(**{field: value})
                    self.assert_received(answer)

    def test_a_message_id_is_answered_in_lower_case(self):
        answer = self.refusal(message_id="ABCDEF00-1111-4222-8333-ABCDEFABCDEF")
        self.assertEqual(answer["in_reply_to"], "abcdef00-1111-4222-8333-abcdefabcdef")

    def test_a_header_that_is_no_map_is_refused(self):
        for value in (None, 5, [], "header"):
            with self.subTest(value=value):
                self.alpha.send({**self.alpha.batch(), "header": value})
                self.assert_error(self.alpha.next(), "INT_PROTOCOL_005", "header")

    def test_another_major_version_is_refused_and_the_connection_goes_on(self):
        for version in ("2.0.0", "0.9.0"):
            refusal = self.refusal(protocol_version=version)
            self.assertEqual(refusal.code, "INT_PROTOCOL_003", summary(refusal))
        self.alpha.hand_over()

    def test_the_brokers_answer_has_a_whole_header(self):
        batch = self.alpha.send(self.alpha.batch())
        answer = self.alpha.answer_to(batch)
        header = answer["header"]
        self.assertEqual(list(answer)[0], "header")
        self.assertRegex(header["message_id"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(header["correlation_id"], batch["header"]["correlation_id"])
        self.assertEqual(header["source_module"], "BROKER")
        self.assertEqual(header["target_module"], "ALPHA")
        self.assertEqual(header["message_type"], "ACKNOWLEDGMENT")
        self.assertRegex(header["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(header["protocol_version"], "1.0.0")
        self.assertEqual(answer["in_reply_to"], batch["header"]["message_id"])

    def test_every_message_of_the_broker_has_an_id_of_its_own(self):
        ids = {self.alpha.welcome["header"]["message_id"]}
        for _ in range(20):
            ids.add(self.alpha.answer_to(self.alpha.send(self.alpha.batch()))
                    ["header"]["message_id"])
        self.assertEqual(len(ids), 21)

    def test_optional_means_absent_or_nil(self):
        self.alpha.hand_over(self.alpha.batch(priority=None, error_summary=None, completes=None))
        hello = self.connect(self.broker, "ALPHA")
        hello.hello(mailbox=None, seen=None, broker_id=None, holds=None, client=None)

    def test_a_required_field_that_is_nil_is_refused(self):
        self.alpha.send({**self.alpha.batch(), "records": None})
        self.assert_refused(self.alpha.next(), "INT_PROTOCOL_005", "records")


class Types(Case):
    """The types of fields, tried in BATCH_TRANSFER on alpha-beta."""

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.alpha = self.module(self.broker, "ALPHA")

    def changed(self, path, value):
        batch = self.alpha.batch()
        *parents, last = path.split(".")
        place = batch
        for parent in parents:
            place[parent] = dict(place[parent])
            place = place[parent]
        place[last] = value
        return batch

    def assert_all_refused(self, path, *values):
        for value in values:
            with self.subTest(path=path, value=value):
                answer = self.alpha.answer_to(self.alpha.send(self.changed(path, value)))
                self.assert_refused(answer, "INT_PROTOCOL_005", path)
                self.assertIn("expected_value", answer.error["context"])
                self.assertIn("actual_value", answer.error["context"])

    def assert_all_taken(self, path, *values):
        for value in values:
            with self.subTest(path=path, value=value):
                self.assert_received(
                    self.alpha.answer_to(self.alpha.send(self.changed(path, value))))

    def test_an_integer_is_none_below_zero_and_none_beyond_2_to_the_63(self):
        for path in ("metadata.sequence_number", "validation_summary.records_passed"):
            self.assert_all_refused(path, -1, 5.0, "5", True, 2 ** 63, 2 ** 64 - 1, [], b"5")
        self.assert_all_taken("validation_summary.records_passed", 0, 2 ** 63 - 1,
                              Raw(b"\xcf" + b"\0" * 8), Raw(b"\xd3" + b"\0" * 7 + b"\x05"))

    def test_a_float_is_any_number(self):
        path = "validation_summary.average_quality_score"
        self.assert_all_taken(path, 0.5, 1, -1, 2 ** 64 - 1, Raw(b"\xca\x3f\x00\x00\x00"))
        self.assert_all_refused(path, "0.5", None, True, [])

    def test_bytes_are_bin(self):
        self.assert_all_refused("records", "text", 5, [], {}, Raw(b"\xd4\x05\x00"))

    def test_a_string_is_utf_8(self):
        self.assert_all_refused("metadata.checksum", b"0" * 64, 5, Raw(b"\xa2\xff\xfe"))

    def test_an_enum_is_one_of_its_names(self):
        self.assert_all_taken("priority", "NORMAL", "CRITICAL")
        self.assert_all_refused("priority", "HIGH", "normal", "", 0, b"NORMAL")

    def test_a_datetime_is_a_real_date_in_utc(self):
        self.assert_all_refused("metadata.created_at", 5, "2026-02-30T00:00:00Z",
                                "2026-11-20T08:15:30", "2026-11-20T08:15:30.0000000000Z",
                                b"2026-11-20T08:15:30Z")
        self.assert_all_taken("metadata.created_at", "2026-11-20T08:15:30Z",
                              "2026-11-20T08:15:30.123456789Z")

    def test_a_uuid_is_a_string_of_36(self):
        self.assert_all_unreadable("metadata.batch_id", 5, "", "x" * 36, "0" * 36, b"0" * 36,
                                   messages.new_id() + "0", None)

    def assert_all_unreadable(self, path, *values):
        """Refused, and not for a batch: its `batch_id` cannot be read."""
        for value in values:
            with self.subTest(value=value):
                answer = self.alpha.answer_to(self.alpha.send(self.changed(path, value)))
                self.assert_error(answer, "INT_PROTOCOL_005", path)

    def test_a_list_and_a_map_are_of_that_kind(self):
        self.assert_all_unreadable("metadata", 5, [], "x")
        self.assert_all_refused("completes", 5, {}, "x")
        self.assert_all_refused("validation_summary", 5, [], "x")

    def test_what_was_expected_and_found_is_said_in_words(self):
        answer = self.alpha.answer_to(
            self.alpha.send(self.changed("metadata.sequence_number", "5")))
        context = answer.error["context"]
        self.assertTrue(re.search("integer", context["expected_value"]), context)
        self.assertTrue(context["actual_value"], context)
        self.assertTrue(answer.error["error_message"], answer.error)

    def test_what_was_found_is_cut_to_a_bearable_length(self):
        answer = self.alpha.answer_to(self.alpha.send(self.changed("priority", "P" * 1000000)))
        self.assertLess(len(answer.body), 4096)

    def test_msgpack_of_another_encoder_is_understood(self):
        batch = self.alpha.batch()
        body = msgpack.Packer(use_bin_type=True, use_single_float=True).pack(batch)
        self.alpha.send_body(body)
        self.assert_received(self.alpha.next())
