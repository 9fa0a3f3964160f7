"""test_session.py - protocol, section 3: HELLO, WELCOME, GOODBYE, instances that are replaced."""

import signal
import struct
import time

from case import Case, messages, summary
from handoff_client import Closed

DEFAULT_ROUTES = {
    "alpha-beta": ("ALPHA", "BETA", 1000),
    "beta-gamma": ("BETA", "GAMMA", 500),
}


class Hello(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()

    def assert_hello_refused(self, code, field_name=None, actual=None, **changes):
        """A HELLO so changed (None: without that key) is refused and ends the connection."""
        client = self.connect(self.broker, "ALPHA")
        hello = {**messages.hello("ALPHA", "an instance"), **changes}
        client.send({key: value for key, value in hello.items() if value is not None})
        before = self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", code)
        self.assertEqual(before[0]["in_reply_to"], hello["header"]["message_id"])
        if field_name:
            self.assertEqual(before[0].field_name, field_name, summary(before[0]))
        if actual:
            self.assertEqual(before[0].error["context"]["actual_value"], actual)

    def test_a_message_before_hello_ends_the_connection(self):
        for message in (messages.batch(), messages.goodbye("ALPHA"),
                        messages.acknowledgment("ALPHA", messages.new_id(), 1, "RECEIVED")):
            client = self.connect(self.broker, "ALPHA")
            client.send(message)
            before = self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR")
            self.assertEqual(before[-2].code, "INT_PROTOCOL_004", summary(before[-2]))

    def test_a_second_hello_ends_the_connection(self):
        client = self.module(self.broker, "ALPHA")
        client.send(messages.hello("ALPHA", client.instance_id))
        self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_004")

    def test_another_major_version_in_hello_ends_the_connection(self):
        header = messages.header("ALPHA", "HELLO", protocol_version="2.0.0")
        self.assert_hello_refused("INT_PROTOCOL_003", header=header)

    def test_a_later_minor_version_is_welcome(self):
        client = self.connect(self.broker, "ALPHA")
        hello = messages.hello("ALPHA", "x")
        hello["header"]["protocol_version"] = "1.7.3"
        client.send(hello)
        client.expect("WELCOME")

    def test_a_hello_with_a_field_missing_ends_the_connection(self):
        self.assert_hello_refused("INT_PROTOCOL_005", "instance_id", "missing", instance_id=None)
        self.assert_hello_refused("INT_PROTOCOL_005", "max_in_flight", "missing",
                                  max_in_flight=None)

    def test_a_hello_with_a_wrong_field_ends_the_connection(self):
        for field, values in {
            "instance_id": ("", "i" * 65, 5, b"bin"),
            "max_in_flight": (-1, "5", 1.5, True),
            "mailbox": (1, "true"),
            "seen": (-1, "5", 2.0),
            "broker_id": (5, "no uuid"),
            "holds": (5, {}, [0] * 1025),
            "holds.1": ([5, -1], [5, "6"]),
            "client": (5, b"bin"),
        }.items():
            for value in values:
                with self.subTest(field=field, value=str(value)[:40]):
                    self.assert_hello_refused("INT_PROTOCOL_005", field,
                                              **{field.split(".")[0]: value})

    def test_right_values_of_every_shape_are_taken(self):
        for changes in ({"instance_id": "i"}, {"instance_id": "i" * 64}, {"instance_id": "é" * 32},
                        {"max_in_flight": 0}, {"max_in_flight": 2 ** 63 - 1}, {"mailbox": False},
                        {"seen": 0}, {"seen": 5, "broker_id": messages.new_id()},
                        {"holds": []}, {"holds": list(range(1, 1025))}, {"client": "test/1"},
                        {"unknown": {"x": 1}}):
            with self.subTest(changes=str(changes)[:40]):
                client = self.connect(self.broker, "ALPHA")
                client.send({**messages.hello("ALPHA", messages.new_id()), **changes})
                client.expect("WELCOME")

    def test_a_source_module_that_is_not_the_certificates_is_unauthorized(self):
        client = self.connect(self.broker, "ALPHA")
        client.send(messages.hello("BETA", "x"))
        self.assert_ends_with_goodbye(client, "UNAUTHORIZED", "INT_AUTH_002")
        client = self.module(self.broker, "ALPHA")
        client.send(messages.batch("BETA", "GAMMA"))
        before = client.expect_closed()
        self.assertEqual(before[0].code, "INT_AUTH_002", summary(before[0]))
        self.assertEqual(before[-1]["reason"], "UNAUTHORIZED")

    def test_nobody_speaks_as_the_broker(self):
        client = self.module(self.broker, "ALPHA")
        batch = client.batch()
        batch["header"]["source_module"] = "BROKER"
        client.send(batch)
        before = client.expect_closed()
        self.assertEqual(before[0].code, "INT_AUTH_002", summary(before[0]))


class Welcome(Case):
    def test_tells_the_settings_of_the_modules_routes(self):
        broker = self.start_broker()
        for module, names in (("ALPHA", ["alpha-beta"]), ("BETA", ["alpha-beta", "beta-gamma"]),
                              ("GAMMA", ["beta-gamma"]), ("EPSILON", []), ("PHI", [])):
            welcome = self.module(broker, module).welcome
            routes = {route["name"]: route for route in welcome["routes"]}
            self.assertEqual(sorted(routes), names)
            for name, route in routes.items():
                source, target, batch_size = DEFAULT_ROUTES[name]
                self.assertEqual(route, {
                    "name": name, "source_module": source, "target_module": target,
                    "batch_size": batch_size, "flush_timeout_ms": 5000, "ack_timeout_ms": 30000,
                    "process_timeout_ms": 300000, "retry_delay_ms": 1000, "max_retries": 5,
                    "backoff_multiplier": 2.0, "backpressure_active": False,
                    "last_sequence_number": 0})

    def test_tells_settings_of_the_configuration(self):
        broker = self.start_broker(
            'route "alpha-beta" { batch_size = 77 flush_timeout_ms = 78 ack_timeout_ms = 79 '
            'process_timeout_ms = 80 retry_delay_ms = 81 max_retries = 82 '
            'backoff_multiplier = 1.5 }')
        route, = self.module(broker, "ALPHA").welcome["routes"]
        self.assertEqual(
            [route[key] for key in ("batch_size", "flush_timeout_ms", "ack_timeout_ms",
                                    "process_timeout_ms", "retry_delay_ms", "max_retries",
                                    "backoff_multiplier")],
            [77, 78, 79, 80, 81, 82, 1.5])

    def test_tells_of_a_route_that_the_configuration_adds(self):
        broker = self.start_broker('route "phi-alpha" { source = "PHI" target = "ALPHA" }')
        names = [route["name"] for route in self.module(broker, "PHI").welcome["routes"]]
        self.assertEqual(names, ["phi-alpha"])
        names = [route["name"] for route in self.module(broker, "ALPHA").welcome["routes"]]
        self.assertEqual(sorted(names), ["alpha-beta", "phi-alpha"])

    def test_says_who_the_broker_is(self):
        welcome = self.module(self.start_broker(), "ALPHA").welcome
        self.assertRegex(welcome["broker"], r"\S+.*\d+\.\d+")
        self.assertRegex(welcome["broker_id"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertTrue(all(isinstance(feature, str) for feature in welcome["features"]))

    def test_repeats_the_instance_id_and_answers_the_hello(self):
        client = self.connect(self.start_broker(), "ALPHA", instance_id="my instance")
        hello = client.send(messages.hello("ALPHA", "my instance"))
        welcome = client.expect("WELCOME")
        self.assertEqual(welcome["instance_id"], "my instance")
        self.assertEqual(welcome["in_reply_to"], hello["header"]["message_id"])
        self.assertEqual(welcome["header"]["target_module"], "ALPHA")

    def test_grants_max_in_flight_up_to_the_limit(self):
        broker = self.start_broker()
        for asked, granted in ((0, 0), (7, 7), (1024, 1024), (1025, 1024), (2 ** 63 - 1, 1024)):
            self.assertEqual(self.module(broker, "BETA", asked).welcome["max_in_flight"], granted)

    def test_the_limit_of_max_in_flight_can_be_configured(self):
        broker = self.start_broker(max_in_flight_limit=3)
        self.assertEqual(self.module(broker, "BETA", 10).welcome["max_in_flight"], 3)

    def test_broker_id_stays_with_the_store(self):
        broker = self.start_broker()
        broker_id = self.module(broker, "ALPHA").welcome["broker_id"]
        broker.restart()
        self.assertEqual(self.module(broker, "ALPHA").welcome["broker_id"], broker_id)
        other = self.start_broker()
        self.assertNotEqual(self.module(other, "ALPHA").welcome["broker_id"], broker_id)

    def test_tells_the_highest_sequence_number_of_this_instance(self):
        broker = self.start_broker()
        alpha = self.module(broker, "ALPHA")
        for number in (5, 6, 7):
            alpha.hand_over(sequence_number=number)
        other = self.module(broker, "ALPHA")
        other.hand_over(sequence_number=100)
        alpha.goodbye()
        again = self.module_again(broker, alpha)
        self.assertEqual(again.welcome["routes"][0]["last_sequence_number"], 7)
        broker.restart()
        again = self.module_again(broker, alpha)
        self.assertEqual(again.welcome["routes"][0]["last_sequence_number"], 7)


class Goodbye(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 50 }')

    def test_a_second_connection_of_an_instance_replaces_the_first(self):
        first = self.module(self.broker, "ALPHA")
        second = self.module_again(self.broker, first)
        self.assert_ends_with_goodbye(first, "REPLACED")
        second.hand_over()

    def test_the_same_instance_id_of_another_module_replaces_nothing(self):
        alpha = self.module(self.broker, "ALPHA", instance_id="same")
        beta = self.module(self.broker, "BETA", instance_id="same")
        alpha.hand_over()
        beta.delivery()

    def test_many_instances_of_a_module_share_its_deliveries(self):
        alpha = self.module(self.broker, "ALPHA")
        betas = [self.module(self.broker, "BETA", max_in_flight=2) for _ in range(3)]
        for _ in range(6):
            alpha.hand_over()
        leases = {beta.delivery().lease for beta in betas for _ in range(2)}
        self.assertEqual(len(leases), 6)

    def test_sigterm_says_goodbye_shutdown(self):
        client = self.module(self.broker, "ALPHA")
        self.broker.process.send_signal(signal.SIGTERM)
        before = self.assert_ends_with_goodbye(client, "SHUTDOWN")
        self.assertIsInstance(before[-1]["reconnect_delay_ms"], int)
        client.close()
        self.assertEqual(self.broker.wait(), 0)

    def test_a_client_that_says_done_is_let_go(self):
        client = self.module(self.broker, "ALPHA")
        client.goodbye("DONE")
        with self.assertRaises(Closed):
            client.next()

    def given_back(self, reason):
        """A delivery whose instance said GOODBYE, and the one that follows it elsewhere."""
        alpha, first = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        alpha.hand_over()
        delivery = first.delivery()
        first.goodbye(reason)
        second = self.module(self.broker, "BETA")
        again = second.delivery()
        second.finish(again)
        second.goodbye()
        second.expect_closed()
        return delivery, again

    def test_done_gives_back_at_no_cost_of_an_attempt(self):
        first, second = self.given_back("DONE")
        self.assertEqual(second.batch_id, first.batch_id)
        self.assertEqual(second["delivery"]["attempt"], 1)
        self.assertTrue(second["delivery"]["redelivered"])

    def test_any_other_reason_gives_back_too(self):
        for reason in ("SHUTDOWN", "TIMEOUT"):
            first, second = self.given_back(reason)
            self.assertEqual(second["delivery"]["attempt"], 1)
            self.assertGreater(second.lease, first.lease)

    def test_redelivers_under_a_new_lease_after_given_back(self):
        first, second = self.given_back("DONE")
        self.assertGreater(second.lease, first.lease)
        self.assertEqual(messages.without_delivery(second.body),
                         messages.without_delivery(first.body))

    def test_what_was_given_back_is_no_suspect(self):
        alpha, first = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        sent = [alpha.hand_over() for _ in range(3)]
        for batch in sent:
            first.delivery(batch)
        first.goodbye("DONE")
        second = self.module(self.broker, "BETA")
        for batch in sent:
            second.delivery(batch)

    def test_draining_gets_no_more_and_finishes_what_it_holds(self):
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        alpha.hand_over()
        delivery = beta.delivery()
        beta.goodbye("DRAINING")
        self.module(self.broker, "EPSILON").barrier()
        alpha.hand_over()
        beta.finish(delivery)
        beta.expect_none("BATCH_TRANSFER")
        beta.goodbye("DONE")
        self.module(self.broker, "BETA").delivery()

    def test_draining_still_sends_stage_outputs(self):
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        alpha.hand_over()
        delivery = beta.delivery()
        beta.goodbye("DRAINING")
        output = beta.hand_over(completes=[messages.completion(delivery)])
        self.module(self.broker, "GAMMA").delivery(output)

    def test_an_instance_that_left_in_order_leaves_its_unsent_deliveries_to_others(self):
        alpha, first = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA", 1)
        sent = [alpha.hand_over(), alpha.hand_over()]
        first.delivery(sent[0])
        first.goodbye("DONE")
        second = self.module(self.broker, "BETA")
        for batch in sent:
            second.delivery(batch)

    def test_a_goodbye_with_a_wrong_field_is_refused_and_the_connection_goes_on(self):
        alpha = self.module(self.broker, "ALPHA")
        for field, value in (("reason", "TIRED"), ("reason", 5), ("reconnect_delay_ms", -1),
                             ("message", 5)):
            wrong = alpha.send({**messages.goodbye("ALPHA"), field: value})
            self.assert_error(alpha.answer_to(wrong), "INT_PROTOCOL_005", field)
        alpha.hand_over()

    def test_a_connection_is_asked_to_come_anew_before_its_keys_wear_out(self):
        broker = self.start_broker(rekey_records=100)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        held = beta.delivery(alpha.hand_over())
        for _ in range(200):
            beta.send({"header": messages.header("BETA", "BARRIER")})
        goodbye = beta.expect("GOODBYE")
        self.assertEqual(goodbye["reason"], "REKEY")
        beta.close()
        again = self.module_again(broker, beta, holds=[held.lease])
        again.expect_none("BATCH_TRANSFER", 0.5)
        self.assertFalse(again.finish(held).get("duplicate"))

    def test_a_connection_that_is_cut_inside_a_frame_leaves_no_trace(self):
        alpha = self.module(self.broker, "ALPHA")
        batch = alpha.batch(size=5000)
        body = messages.encode(batch)
        for cut in (1, 4, 5, 100, len(body) - 1):
            client = self.module(self.broker, "ALPHA")
            client.send_bytes((struct.pack(">I", len(body)) + body)[:cut])
            client.cut()
        alpha.hand_over(batch)


class EndsWithOutputPending(Case):
    """A connection ends in good order, whatever is still to be written to it."""

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(write_timeout_ms=60000)
        self.alpha = self.module(self.broker, "ALPHA")
        for _ in range(6):
            self.alpha.hand_over(count=1, size=2000000)
        self.beta = self.module(self.broker, "BETA", receive_buffer=4096)
        self.beta.delivery()

    def assert_going_on(self):
        self.alpha.hand_over()
        other = self.module(self.broker, "BETA", 1)
        other.finish(other.delivery())

    def test_sigterm_ends_the_broker_all_the_same(self):
        begun = time.monotonic()
        self.broker.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(), 0)
        self.assertLess(time.monotonic() - begun, 4)

    def test_sigterm_lets_a_reader_read_to_the_end(self):
        self.broker.process.send_signal(signal.SIGTERM)
        before = self.beta.expect_closed()
        self.assertEqual(before[-1]["reason"], "SHUTDOWN")
        self.beta.close()
        self.assertEqual(self.broker.wait(), 0)

    def test_sigterm_under_load_ends_the_broker(self):
        readers = [self.module(self.broker, "BETA", 4) for _ in range(2)]
        for _ in range(8):
            self.alpha.hand_over(size=200000)
        for reader in readers:
            reader.delivery()
        self.alpha.send_bytes(b"".join(
            messages.frame(messages.encode(self.alpha.batch(size=300000))) for _ in range(3)))
        self.broker.process.send_signal(signal.SIGTERM)
        for client in (self.alpha, *readers):
            before = client.expect_closed()
            self.assertEqual(before[-1]["reason"], "SHUTDOWN")
        self.assertEqual(self.broker.wait(), 0)

    def test_sigterm_while_a_retry_comes_due_ends_the_broker(self):
        broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 50 }')
        alpha = self.module(broker, "ALPHA")
        for _ in range(4):
            alpha.hand_over(count=1, size=1500000)
        slow = self.module(broker, "BETA", 4, receive_buffer=4096)
        slow.delivery()
        beta = self.module(broker, "BETA", 6)
        deliveries = [beta.delivery(alpha.hand_over()) for _ in range(4)]
        for delivery in deliveries:
            beta.reject(delivery)
        broker.process.send_signal(signal.SIGTERM)
        beta.expect_closed()
        beta.close()
        self.assertEqual(broker.wait(), 0)

    def test_sigterm_while_instances_say_hello_ends_the_broker(self):
        for count in range(1, 9):
            clients = [self.connect(self.broker, "BETA") for _ in range(count)]
            for client in clients[::2]:
                client.send(messages.hello("BETA", client.instance_id, 4))
            self.broker.process.send_signal(signal.SIGTERM)
            for client in clients[1::2]:
                try:
                    client.send(messages.hello("BETA", client.instance_id, 4))
                except OSError:
                    pass
            self.beta.close()
            self.alpha.close()
            for client in clients:
                client.expect_closed()
                client.close()
            self.assertEqual(self.broker.wait(), 0)
            self.broker.start()

    def test_being_replaced_holds_up_nobody(self):
        again = self.module_again(self.broker, self.beta)
        again.goodbye("DONE")
        self.assert_going_on()

    def test_goodbye_holds_up_nobody(self):
        self.beta.goodbye("DONE")
        self.assert_going_on()

    def test_a_protocol_error_holds_up_nobody(self):
        self.beta.send_body(b"\xc1")
        self.assert_going_on()

    def test_a_cut_connection_holds_up_nobody(self):
        self.beta.cut()
        self.assert_going_on()

    def test_what_is_read_late_is_whole_frames_and_then_the_end(self):
        self.beta.send_body(b"\xc1")
        before = self.beta.expect_closed()
        self.assertEqual(before[-1]["reason"], "PROTOCOL_ERROR")
