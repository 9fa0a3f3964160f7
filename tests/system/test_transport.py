"""test_transport.py - protocol, section 1: TCP, TLS 1.3, who may connect, how a connection ends."""

import re
import socket
import ssl
import time

from case import Case, authority, messages
from handoff_client import PATIENCE_SECONDS, Closed, tls_context


class Transport(Case):
    def test_speaks_tls_1_3(self):
        client = self.module(self.start_broker(), "ALPHA")
        self.assertEqual(client.socket.version(), "TLSv1.3")

    def test_refuses_tls_1_2(self):
        broker = self.start_broker()
        context = tls_context(authority().module("ALPHA"), newest=ssl.TLSVersion.TLSv1_2)
        with self.assertRaises(ssl.SSLError):
            self.connect(broker, "ALPHA", context=context)
        self.module(broker, "ALPHA")

    def test_resumes_no_session(self):
        broker = self.start_broker()
        context = tls_context(authority().module("ALPHA"))
        first = self.connect(broker, "ALPHA", context=context)
        first.hello()
        session = first.socket.session
        self.assertFalse(session is not None and session.has_ticket)
        if session is not None:
            again = self.connect(broker, "ALPHA", context=context, session=session)
            again.hello()
            self.assertFalse(again.socket.session_reused)

    def test_agrees_on_the_alpn_name_handoff_1(self):
        broker = self.start_broker()
        for offered in (["handoff/1"], ["handoff/2", "handoff/1"]):
            client = self.connect(broker, "ALPHA", alpn=offered)
            self.assertEqual(client.socket.selected_alpn_protocol(), "handoff/1")
            client.hello()

    def test_serves_a_client_that_offers_no_alpn(self):
        client = self.connect(self.start_broker(), "ALPHA", alpn=None)
        client.hello()
        self.assertIsNone(client.socket.selected_alpn_protocol())

    def test_refuses_other_alpn_names_in_the_handshake(self):
        broker = self.start_broker()
        with self.assertRaises(OSError):
            self.connect(broker, "ALPHA", alpn=["handoff/2", "http/1.1"])
        self.module(broker, "ALPHA")

    def test_shows_a_certificate_that_its_clients_can_verify(self):
        client = self.connect(self.start_broker(), "ALPHA")
        names = client.socket.getpeercert()["subjectAltName"]
        self.assertIn(("DNS", "localhost"), names)

    def test_survives_connections_that_are_not_tls(self):
        broker = self.start_broker()
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100,
                     messages.frame(messages.encode(messages.hello("ALPHA", "plain")))):
            with socket.create_connection(broker.address) as plain:
                plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                plain.settimeout(8)
                try:
                    while plain.recv(4096):
                        pass
                except ConnectionError:
                    pass
        self.module(broker, "ALPHA")

    def test_keeps_tcp_keepalive_on(self):
        broker = self.start_broker()
        client = self.module(broker, "ALPHA")
        client.barrier()
        ports = ":%04X" % broker.address[1], ":%04X" % client.local_port
        deadline = time.monotonic() + PATIENCE_SECONDS
        timer = None
        while timer != "02" and time.monotonic() < deadline:
            with open("/proc/net/tcp") as table:
                rows = [line.split() for line in table.readlines()[1:]]
            timer, = [row[5].split(":")[0] for row in rows
                      if row[1].endswith(ports[0]) and row[2].endswith(ports[1])]
            time.sleep(0.01)
        self.assertEqual(timer, "02", "the broker's end has no keepalive timer running")

    def test_ends_a_silent_handshake_and_a_silent_session_after_5_s(self):
        broker = self.start_broker()
        begun = time.monotonic()
        mute = socket.create_connection(broker.address)
        self.addCleanup(mute.close)
        client = self.connect(broker, "ALPHA")
        client.expect_closed()
        mute.settimeout(8)
        try:
            self.assertEqual(mute.recv(100), b"")
        except ConnectionError:
            pass
        passed = time.monotonic() - begun
        self.assertGreater(passed, 4.5)
        self.assertLess(passed, 7.0)

    def test_many_silent_connections_do_not_keep_a_client_out(self):
        broker = self.start_broker()
        for _ in range(300):
            mute = socket.create_connection(broker.address)
            self.addCleanup(mute.close)
        self.module(broker, "ALPHA").hand_over()

    def test_a_module_has_so_many_connections_and_another_is_unharmed(self):
        broker = self.start_broker(max_module_connections=2)
        first, second = self.module(broker, "ALPHA"), self.module(broker, "ALPHA")
        self.assert_refused_connection(lambda: self.connect(broker, "ALPHA"))
        self.module(broker, "BETA").barrier()
        first.hand_over()
        second.goodbye()
        second.expect_closed()
        self.module(broker, "ALPHA").hand_over()

    def test_the_broker_has_so_many_connections_in_all(self):
        broker = self.start_broker(max_connections=2)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        self.assert_refused_connection(lambda: self.connect(broker, "GAMMA"))
        alpha.hand_over()
        beta.delivery()

    def test_a_slow_handshake_holds_up_nobody(self):
        broker = self.start_broker()
        slow = socket.create_connection(broker.address)
        self.addCleanup(slow.close)
        slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        alpha = self.module(broker, "ALPHA")
        begun = time.monotonic()
        for _ in range(20):
            alpha.hand_over()
        self.assertLess(time.monotonic() - begun, 2)

    def test_last_frames_are_read_though_the_client_goes_on_sending(self):
        client = self.module(self.start_broker(), "ALPHA")
        client.send_body(b"\xc1")
        for _ in range(64):
            try:
                client.send_bytes(b"\xc1" * 16384)
            except OSError:
                break
        self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_001")

    def test_a_frame_in_many_pieces_is_one_frame(self):
        client = self.module(self.start_broker(), "ALPHA")
        message = client.batch()
        data = messages.frame(messages.encode(message))
        for i in range(0, len(data), 7):
            client.send_bytes(data[i:i + 7])
        self.assert_received(client.answer_to(message))

    def test_many_frames_in_one_piece_are_all_answered(self):
        client = self.module(self.start_broker(), "ALPHA")
        batches = [client.batch() for _ in range(50)]
        client.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in batches))
        for batch in batches:
            self.assert_received(client.answer_to(batch))

    def test_answers_come_in_the_order_of_the_questions(self):
        client = self.module(self.start_broker(), "ALPHA")
        batches = [client.batch(size=size) for size in (10, 70000, 10, 70000, 10)]
        client.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in batches))
        answers = [client.next()["in_reply_to"] for _ in batches]
        self.assertEqual(answers, [b["header"]["message_id"] for b in batches])

    def test_large_deliveries_to_a_slow_reader_arrive_whole(self):
        broker = self.start_broker()
        alpha = self.module(broker, "ALPHA")
        sent = [alpha.hand_over(size=400000) for _ in range(6)]
        beta = self.module(broker, "BETA", receive_buffer=4096)
        for batch in sent:
            delivery = beta.delivery(batch)
            self.assertEqual(delivery["records"], batch["records"])
            beta.finish(delivery)


class Identity(Case):
    def issue(self, name, **fields):
        return authority().issue("%s-%s" % (self.id().split(".")[-1], name), **fields)

    def assert_welcomed(self, broker, module, credentials):
        welcome = self.connect(broker, module, credentials).hello()
        self.assertEqual(welcome["header"]["target_module"], module)

    def assert_unmapped(self, broker, module, credentials):
        """Refused with INT_AUTH_001, and logged."""
        client = self.connect(broker, module, credentials)
        try:
            client.send(messages.hello(module, client.instance_id))
        except OSError:
            pass
        before = self.assert_ends_with_goodbye(client, "UNAUTHORIZED", "INT_AUTH_001")
        self.assertNotIn("WELCOME", [message.type for message in before])
        broker.wait_for_log(r"(?i)INT_AUTH_001|certificate|identity")

    def test_refuses_a_client_without_a_certificate(self):
        broker = self.start_broker()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority().ca)
        self.assert_refused_connection(lambda: self.connect(broker, "ALPHA", context=context))

    def test_refuses_a_certificate_of_another_authority(self):
        broker = self.start_broker()
        stranger = type(authority())(self.directory + "/stranger").module("ALPHA")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority().ca)
        context.load_cert_chain(stranger.certificate, stranger.key)
        self.assert_refused_connection(lambda: self.connect(broker, "ALPHA", context=context))

    def test_refuses_an_expired_certificate(self):
        broker = self.start_broker()
        expired = self.issue("expired", uris=["spiffe://test/module/alpha"], days=-1)
        self.assert_refused_connection(lambda: self.connect(broker, "ALPHA", expired))

    def test_refuses_a_certificate_without_client_auth(self):
        broker = self.start_broker()
        for name, usage in (("server", "serverAuth"), ("none", None)):
            with self.subTest(usage=usage):
                wrong = self.issue(name, uris=["spiffe://test/module/alpha"], usage=usage)
                self.assert_refused_connection(lambda: self.connect(broker, "ALPHA", wrong))

    def test_takes_the_module_from_the_uri_upper_cased(self):
        broker = self.start_broker()
        for i, uri in enumerate(("spiffe://test/module/gamma", "spiffe://test/module/Gamma",
                                 "spiffe://another.domain/module/gamma")):
            with self.subTest(uri=uri):
                self.assert_welcomed(broker, "GAMMA", self.issue(str(i), uris=[uri]))

    def test_the_common_name_alone_is_no_identity(self):
        broker = self.start_broker()
        self.assert_unmapped(broker, "ALPHA", self.issue("cn", cn="ALPHA"))

    def test_refuses_a_uri_of_another_form(self):
        broker = self.start_broker()
        for i, uri in enumerate(("spiffe://test/modules/alpha", "spiffe://test/alpha",
                                 "spiffe://test/module/alpha/extra", "https://test/module/alpha",
                                 "spiffe://test/module/")):
            with self.subTest(uri=uri):
                self.assert_unmapped(broker, "ALPHA", self.issue(str(i), uris=[uri]))

    def test_refuses_a_module_that_is_not_declared(self):
        broker = self.start_broker()
        self.assert_unmapped(broker, "OMEGA",
                             self.issue("omega", uris=["spiffe://test/module/omega"]))

    def test_refuses_two_module_uris(self):
        broker = self.start_broker()
        two = self.issue("two", uris=["spiffe://test/module/alpha", "spiffe://test/module/beta"])
        self.assert_unmapped(broker, "ALPHA", two)

    def test_another_uri_beside_the_module_uri_does_no_harm(self):
        broker = self.start_broker()
        both = self.issue("both", uris=["https://example.test/x", "spiffe://test/module/alpha"])
        self.assert_welcomed(broker, "ALPHA", both)

    def test_configuration_declares_more_modules(self):
        broker = self.start_broker('module "DELTA_2" { }')
        delta = self.issue("delta", uris=["spiffe://test/module/delta_2"])
        self.assert_welcomed(broker, "DELTA_2", delta)

    def test_configuration_maps_a_uri_a_dns_name_and_a_common_name(self):
        broker = self.start_broker(
            'module "ALPHA" { identity = { "URI:spiffe://other/x", "DNS:alpha.example" } }\n'
            'module "BETA" { identity = { "CN:the beta" } }')
        self.assert_welcomed(broker, "ALPHA", self.issue("uri", uris=["spiffe://other/x"]))
        self.assert_welcomed(broker, "ALPHA", self.issue("dns", dns=["alpha.example"]))
        self.assert_welcomed(broker, "BETA", self.issue("cn", cn="the beta"))
        self.assert_unmapped(broker, "ALPHA", self.issue("near", dns=["alpha.example.org"]))

    def test_a_mapped_module_keeps_its_own_uri(self):
        broker = self.start_broker('module "ALPHA" { identity = { "CN:alpha" } }')
        self.assert_welcomed(broker, "ALPHA", authority().module("ALPHA"))

    def test_an_established_session_is_untouched_by_refused_ones(self):
        broker = self.start_broker()
        alpha = self.module(broker, "ALPHA")
        self.assert_unmapped(broker, "ALPHA", self.issue("cn", cn="nobody"))
        alpha.hand_over()

    def test_is_connected_when_it_has_read_welcome(self):
        broker = self.start_broker()
        stranger = type(authority())(self.directory + "/stranger").module("ALPHA")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority().ca)
        context.load_cert_chain(stranger.certificate, stranger.key)
        try:
            client = self.connect(broker, "ALPHA", context=context)
            with self.assertRaises((Closed, OSError)):
                client.hello()
        except OSError:
            pass
        self.assertFalse([line for line in broker.lines if re.search("ALPHA.*welcom", line)])
