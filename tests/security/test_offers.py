"""test_offers.py - what OpenSSL may offer, and what the broker takes: reliability 4.1, A10, B19.

Sessions to resume, secrets shared before, early data, key updates; suites, groups and signatures.
"""

import os
import re
import subprocess

from broker import ROOT, free_port
from s_client import SClient
from stranger_case import PATIENCE_SECONDS, StrangerCase, authority, figure, messages

DEPS = os.environ.get("HANDOFF_TEST_DEPS", os.path.join(ROOT, "build", "deps"))

SUITES = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]
GROUPS = ["X25519", "P-256", "P-384"]
SIGNATURES = {"ECDSA+SHA256", "ECDSA+SHA384", "RSA-PSS+SHA256", "RSA-PSS+SHA384", "RSA-PSS+SHA512",
              # Inside certificates alone.
              "RSA+SHA256", "RSA+SHA384", "RSA+SHA512"}


def frame(message):
    return messages.frame(messages.encode(message))


class OpenSslCase(StrangerCase):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()

    def stranger(self, module, *options, **more):
        client = SClient(self.broker.address, authority().module(module), *options, **more)
        self.addCleanup(client.close)
        return client

    def welcomed(self, module, *options, max_in_flight=10, instance_id="openssl"):
        """One that has said HELLO and been sent WELCOME."""
        client = self.stranger(module, *options)
        client.say(frame(messages.hello(module, instance_id, max_in_flight)))
        self.assertTrue(client.reads(b"WELCOME"), client.output)
        return client

    def is_served(self, *options):
        """Whether HELLO is answered; None where OpenSSL does not know the option."""
        client = self.stranger("ALPHA", *options)
        client.say(frame(messages.hello("ALPHA", "openssl")))
        served = client.reads(b"WELCOME")
        if not served and b"Call to SSL_CONF_cmd" in client.output:
            return None
        client.close()
        return served


class Offers(OpenSslCase):
    def make_session(self):
        """A session with a ticket that allows early data, from a server that is not the broker."""
        path, port = os.path.join(self.directory, "session.pem"), free_port()
        broker = authority().broker()
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", broker.certificate,
             "-key", broker.key, "-tls1_3", "-early_data", "-max_early_data", "16384", "-naccept",
             "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            while b"ACCEPT" not in server.stdout.readline():
                pass
            client = SClient(("127.0.0.1", port), authority().module("ALPHA"), "-sess_out", path)
            server.stdin.write(b"after the ticket\n")
            server.stdin.flush()
            self.assertTrue(client.reads(b"after the ticket"), client.output)
            client.close()
        finally:
            server.kill()
            server.communicate()
        return path

    def offers(self):
        """What may be offered instead of a certificate, or beside it."""
        early = os.path.join(self.directory, "early")
        with open(early, "wb") as file:
            file.write(frame(messages.hello("ALPHA", "early")) + frame(messages.batch()))
        session = self.make_session()
        return {
            "a secret shared before": ["-psk", "0123456789abcdef", "-psk_identity", "alpha"],
            "a ticket": ["-sess_in", session],
            "a ticket and early data": ["-sess_in", session, "-early_data", early],
        }

    def test_none_of_them_stands_for_a_certificate(self):
        for name, options in self.offers().items():
            with self.subTest(offer=name):
                client = self.stranger("ALPHA", *options, certificate=False)
                client.say(frame(messages.hello("ALPHA", "stranger")))
                output = client.ends()
                self.assertNotIn(b"WELCOME", output)
                self.assertNotIn(b"Early data was accepted", output)
        lines = [line for line in self.settled_lines() if "handshake failed" in line]
        self.assertEqual(len(lines), 3, lines)
        for line in lines:
            self.assertRegex(line, "no client certificate|a record is forged")     # the early data
        figure("3 offers instead of a certificate: refused, one line each")

    def test_beside_a_certificate_they_are_passed_over(self):
        """Served by the certificate alone, or refused; what was sent early is never read."""
        for name, options in self.offers().items():
            with self.subTest(offer=name):
                client = self.stranger("ALPHA", *options)
                client.say(frame(messages.hello("ALPHA", "later")))
                client.reads(b"WELCOME")
                self.assertNotIn(b"Reused, TLS", client.output)
                self.assertNotIn(b"Early data was accepted", client.output)
                self.assertNotIn(b"RECEIVED", client.output)
                client.close()
        self.assertFalse([line for line in self.settled_lines() if 'instance="early"' in line])

    def settled_lines(self):
        self.settle(self.broker)
        return self.broker.lines


class KeyUpdate(OpenSslCase):
    """A peer that updates its keys, which mbedTLS cannot follow: a clean end, and nothing lost."""

    def assert_ended(self, client):
        self.assertIn(b"alert unexpected message", client.ends())

    def test_of_a_target_gives_back_what_it_holds(self):
        alpha = self.module(self.broker, "ALPHA")
        for update in (b"K\n", b"k\n"):
            target = self.welcomed("BETA")
            batch = alpha.hand_over()
            self.assertTrue(target.reads(batch["metadata"]["batch_id"].encode()))
            target.say(update)
            self.assert_ended(target)
            beta = self.module(self.broker, "BETA")
            beta.finish(beta.delivery(batch))
            beta.goodbye()
            beta.expect_closed()
        self.assertEqual(sum("KeyUpdate" in line for line in self.broker.lines), 2)

    def test_of_a_source_loses_nothing_it_was_told_is_received(self):
        source = self.welcomed("ALPHA")
        sent = [messages.batch(sequence_number=i + 1) for i in range(20)]
        source.say(b"".join(map(frame, sent)))
        self.assertTrue(source.reads(b"RECEIVED"))
        source.say(b"K\n")
        self.assert_ended(source)
        told = re.findall(rb"batch_id\xd9\$([0-9a-f-]{36})[^$]{0,40}RECEIVED", source.output)
        self.assertTrue(told, source.output)
        beta, alpha = self.module(self.broker, "BETA", 50), self.module(self.broker, "ALPHA")
        for batch in sent:
            alpha.send(batch)
        repeats = {batch["metadata"]["batch_id"] for batch in sent
                   if alpha.answer_to(batch).get("duplicate")}
        self.assertLessEqual({batch_id.decode() for batch_id in told}, repeats)
        for batch in sent:
            beta.finish(beta.delivery(batch))


class Scan(OpenSslCase):
    def test_the_suites_are_those_of_the_list(self):
        known = SUITES + ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
        self.assertEqual([suite for suite in known if self.is_served("-ciphersuites", suite)],
                         SUITES)

    def test_the_groups_are_those_of_the_list(self):
        known = GROUPS + ["P-521", "X448", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144",
                          "ffdhe8192", "brainpoolP256r1tls13", "X25519MLKEM768",
                          "SecP256r1MLKEM768"]
        served = {group: self.is_served("-groups", group) for group in known}
        self.assertEqual([group for group in known if served[group]], GROUPS)
        figure("scan: %d groups, of which %d are served and %d OpenSSL does not know here",
               len(known), len(GROUPS), list(served.values()).count(None))

    def test_the_signatures_asked_of_clients_are_those_of_the_list(self):
        client = self.welcomed("ALPHA")
        asked = re.search(rb"\nRequested Signature Algorithms: (\S+)", client.output)
        self.assertEqual(set(asked.group(1).decode().split(":")), SIGNATURES)

    def test_the_server_signs_with_nothing_weaker(self):
        for offered in ("RSA-PSS+SHA256", "RSA+SHA1", "ECDSA+SHA1", "RSA+SHA256", "ed25519"):
            self.assertFalse(self.is_served("-sigalgs", offered), offered)
        self.assertTrue(self.is_served("-sigalgs", "ECDSA+SHA256"))


class Compiled(StrangerCase):
    """What is not there cannot be switched on by mistake."""

    ABSENT = {
        "mbedtls_ssl_handshake_client_step": "TLS 1.2",
        "mbedtls_ssl_handshake_server_step": "TLS 1.2",
        "mbedtls_ssl_derive_keys": "TLS 1.2",
        "mbedtls_ssl_conf_session_tickets": "tickets",
        "mbedtls_ssl_ticket_write": "tickets",
        "mbedtls_ssl_conf_new_session_tickets": "tickets",
        "mbedtls_ssl_cache_get": "sessions kept",
        "mbedtls_ssl_conf_psk": "secrets shared before",
        "mbedtls_ssl_set_hs_psk": "secrets shared before",
        "mbedtls_ssl_conf_early_data": "early data",
        "mbedtls_ssl_read_early_data": "early data",
        "mbedtls_ssl_renegotiate": "renegotiation",
        "mbedtls_debug_print_msg": "debugging",
        "mbedtls_ssl_conf_dtls_cookies": "DTLS",
    }

    def symbols(self, path):
        done = subprocess.run(["nm", path], capture_output=True, text=True, check=True,
                              timeout=PATIENCE_SECONDS)
        return {line.split()[-1] for line in done.stdout.splitlines()
                if len(line.split()) == 3 and line.split()[1] in "Tt"}

    def test_old_and_optional_parts_of_tls_are_not_in_the_library(self):
        library = self.symbols(os.path.join(DEPS, "lib", "libmbedtls.a"))
        self.assertIn("mbedtls_ssl_tls13_handshake_server_step", library)
        self.assertEqual([name for name in self.ABSENT if name in library], [])

    def test_nor_in_the_broker(self):
        broker = self.symbols(self.new_broker().program)
        self.assertIn("mbedtls_ssl_tls13_handshake_server_step", broker)
        self.assertEqual([name for name in self.ABSENT if name in broker], [])
