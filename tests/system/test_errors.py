"""test_errors.py - protocol, section 9: the form of a refusal, what each code says."""

from case import Case, authority, messages, summary

# severity, recoverability, scopes
TABLE = {
    "INT_PROTOCOL_001": ("ERROR", "PERMANENT", ("MODULE",)),
    "INT_PROTOCOL_002": ("ERROR", "PERMANENT", ("MODULE",)),
    "INT_PROTOCOL_003": ("ERROR", "PERMANENT", ("MODULE",)),
    "INT_PROTOCOL_004": ("ERROR", "PERMANENT", ("MODULE",)),
    "INT_PROTOCOL_005": ("ERROR", "PERMANENT", ("BATCH", "MODULE")),
    "INT_AUTH_001": ("CRITICAL", "PERMANENT", ("MODULE",)),
    "INT_AUTH_002": ("CRITICAL", "PERMANENT", ("MODULE",)),
    "INT_BATCH_001": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_BATCH_002": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_BATCH_003": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_BATCH_004": ("WARNING", "PERMANENT", ("BATCH",)),
    "INT_BATCH_005": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_ROUTE_001": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_ROUTE_002": ("ERROR", "TRANSIENT", ("MODULE",)),
    "INT_DELIVERY_002": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_DELIVERY_004": ("ERROR", "PERMANENT", ("BATCH",)),
    "INT_DELIVERY_005": ("WARNING", "PERMANENT", ("BATCH",)),
}

FIELDS = {"error_id": str, "correlation_id": str, "timestamp": str, "source_module": str,
          "severity": str, "recoverability": str, "scope": str, "error_code": str,
          "error_message": str, "context": dict, "retry_eligible": bool}


class Errors(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            'route "alpha-beta" { queue_capacity = 4 max_retries = 0 }')
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def assert_whole(self, answer, code, correlation_id=None):
        """The first error is whole, and says of itself what the table says."""
        error = answer.error
        self.assertEqual(error["error_code"], code, summary(answer))
        for field, kind in FIELDS.items():
            self.assertIsInstance(error.get(field), kind, field)
        severity, recoverability, scopes = TABLE[code]
        self.assertEqual((error["severity"], error["recoverability"]), (severity, recoverability))
        self.assertIn(error["scope"], scopes)
        self.assertEqual(error["source_module"], "BROKER")
        self.assertEqual(error["retry_eligible"], recoverability == "TRANSIENT")
        self.assertRegex(error["error_id"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertRegex(error["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertGreater(len(error["error_message"]), 8)
        if answer.type == "ERROR_NOTIFICATION":
            self.assertIn(answer["action_required"], ("NONE", "THROTTLE", "HALT", "INVESTIGATE"))
        if correlation_id:
            self.assertEqual(answer["header"]["correlation_id"], correlation_id)
            self.assertEqual(error["correlation_id"], correlation_id)

    def refused(self, message, code, client=None):
        client = client or self.alpha
        answer = client.answer_to(client.send(message))
        self.assert_whole(answer, code, message["header"]["correlation_id"])
        return answer

    def test_what_ends_a_connection(self):
        for code, data in (("INT_PROTOCOL_001", b"\0\0\0\1\xc0"),
                           ("INT_PROTOCOL_002", b"\xff\xff\xff\xff")):
            client = self.module(self.broker, "ALPHA")
            client.send_bytes(data)
            self.assert_whole(client.expect("ERROR_NOTIFICATION"), code)
        client = self.module(self.broker, "ALPHA")
        client.send(messages.batch("BETA", "GAMMA"))
        self.assert_whole(client.next(), "INT_AUTH_002")

    def test_protocol_003_another_major_version(self):
        wrong = self.alpha.batch()
        wrong["header"]["protocol_version"] = "3.0.0"
        self.refused(wrong, "INT_PROTOCOL_003")

    def test_protocol_004_a_type_unknown_or_not_for_this_side(self):
        for message_type in ("NO_SUCH_TYPE", "WELCOME", "CIRCUIT_STATE_CHANGE"):
            wrong = {"header": messages.header("ALPHA", message_type)}
            self.assertEqual(self.refused(wrong, "INT_PROTOCOL_004").type, "ERROR_NOTIFICATION")
        self.alpha.hand_over()

    def test_protocol_005_in_a_batch_and_in_another_message(self):
        wrong = self.alpha.batch()
        del wrong["records"]
        self.assertEqual(self.refused(wrong, "INT_PROTOCOL_005").type, "ACKNOWLEDGMENT")
        wrong = messages.goodbye("ALPHA", "NO_REASON")
        self.assertEqual(self.refused(wrong, "INT_PROTOCOL_005").type, "ERROR_NOTIFICATION")

    def test_batch_001_002_and_003(self):
        self.refused(self.alpha.batch(metadata={"checksum": "0" * 64}), "INT_BATCH_001")
        self.refused(self.alpha.batch(content=b"\x91\x80", count=2), "INT_BATCH_002")
        batch = self.alpha.hand_over()
        answer = self.refused(self.alpha.batch(batch_id=batch["metadata"]["batch_id"], size=99),
                              "INT_BATCH_003")
        self.assertEqual(answer.error["context"]["batch_id"], batch["metadata"]["batch_id"])

    def test_batch_004_is_a_warning_beside_received(self):
        self.alpha.hand_over(sequence_number=5)
        batch = self.alpha.send(self.alpha.batch(sequence_number=5))
        answer = self.alpha.answer_to(batch)
        self.assert_received(answer)
        self.assert_whole(answer, "INT_BATCH_004", batch["header"]["correlation_id"])

    def test_batch_005_and_delivery_005(self):
        delivery = self.beta.delivery(self.alpha.hand_over())
        wrong = messages.completion(delivery, lease=delivery.lease + 50)
        self.refused(self.beta.batch(completes=[wrong]), "INT_BATCH_005", self.beta)
        stale = messages.acknowledgment("BETA", delivery.batch_id, delivery.lease + 50,
                                        "PROCESSED", 3)
        answer = self.refused(stale, "INT_DELIVERY_005", self.beta)
        self.assertEqual(answer.type, "ERROR_NOTIFICATION")
        self.assertEqual(answer.error["context"]["batch_id"], delivery.batch_id)

    def test_route_001_and_002(self):
        self.refused(messages.batch("ALPHA", "GAMMA"), "INT_ROUTE_001")
        for _ in range(4):
            self.alpha.hand_over()
        batch = self.alpha.send(self.alpha.batch())
        correlation_id = batch["header"]["correlation_id"]
        self.alpha.expect("BACKPRESSURE")
        notification, refusal = self.alpha.next(), self.alpha.next()
        self.assert_whole(notification, "INT_ROUTE_002", correlation_id)
        self.assert_whole(refusal, "INT_ROUTE_002", correlation_id)

    def test_delivery_002_and_004_stand_first_in_an_outcome(self):
        for recoverability, code in (("TRANSIENT", "INT_DELIVERY_002"),
                                     ("PERMANENT", "INT_DELIVERY_004")):
            batch = self.alpha.hand_over()
            self.beta.reject(self.beta.delivery(batch), recoverability)
            outcome = self.alpha.outcome(batch)
            self.assert_whole(outcome, code, batch["header"]["correlation_id"])
            self.assertEqual(outcome.error["context"]["batch_id"], batch["metadata"]["batch_id"])

    def test_auth_001_a_certificate_that_maps_to_no_module(self):
        nobody = authority().issue("errors-nobody", cn="nobody")
        client = self.connect(self.broker, "ALPHA", nobody)
        try:
            client.send(messages.hello("ALPHA", "x"))
        except OSError:
            pass
        self.assert_whole(client.expect("ERROR_NOTIFICATION"), "INT_AUTH_001")

    def test_a_refused_batch_counts_every_record_as_rejected(self):
        wrong = self.alpha.batch(count=5, metadata={"checksum": "0" * 64})
        payload = self.refused(wrong, "INT_BATCH_001")["payload"]
        self.assertEqual((payload["records_accepted"], payload["records_rejected"]), (0, 5))

    def test_every_error_has_an_id_of_its_own(self):
        ids = {self.refused(self.alpha.batch(metadata={"checksum": "0" * 64}),
                            "INT_BATCH_001").error["error_id"] for _ in range(10)}
        self.assertEqual(len(ids), 10)

    def test_everything_goes_on_after_any_other_refusal(self):
        self.refused(messages.batch("ALPHA", "GAMMA"), "INT_ROUTE_001")
        self.refused({"header": messages.header("ALPHA", "WELCOME")}, "INT_PROTOCOL_004")
        self.alpha.hand_over()


class Told(Case):
    def test_what_a_module_tells_is_logged_and_its_seen_counts(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batch = alpha.hand_over()
        beta.finish(beta.delivery(batch))
        outcome = alpha.outcome(batch)
        alpha.send({"header": messages.header("ALPHA", "ERROR_NOTIFICATION", "BROKER"),
                    "errors": [messages.error("ALPHA", code="ALPHA_SENSOR_007")],
                    "action_required": "NONE", "seen": outcome["notice"]})
        broker.wait_for_log('module told an error .*module=ALPHA code="ALPHA_SENSOR_007"')
        alpha.hand_over()
        again = self.module_again(broker, alpha)
        again.expect_none("ACKNOWLEDGMENT", where=lambda m: m.get("notice") == outcome["notice"])
