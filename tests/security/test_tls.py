"""test_tls.py - who gets through TLS: reliability 4.1 and A10.

Every stranger here does all it can: it completes the handshake as far as its own side goes, says
HELLO and hands over a batch. None may hear a byte, and each leaves one line in the log.
"""

import os
import ssl
import warnings

from forgery import DNS, URI, Forger, der_names
from handoff_client import Client
from stranger_case import StrangerCase, authority, connect_plain, figure, messages


def weak_context(credentials=None, lowest=ssl.TLSVersion.TLSv1, highest=ssl.TLSVersion.TLSv1_3,
                 alpn=("handoff/1",)):
    """A client's context that minds nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority().ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # old versions are what is wanted
        context.minimum_version = lowest
        context.maximum_version = highest
    context.set_alpn_protocols(list(alpn))
    if credentials:
        context.load_cert_chain(credentials.certificate, credentials.key)
    return context


class TlsCase(StrangerCase):
    """One broker, one stranger after the other."""

    def setUp(self):
        super().setUp()
        self.forger = Forger(os.path.join(self.directory, "forger"), authority())
        self.broker = self.start_broker()

    def all_it_can(self, context):
        """What a stranger hears that does everything; its port."""
        plain = connect_plain(self.broker.address)
        port = plain.getsockname()[1]
        heard = b""
        words = b"".join(messages.frame(messages.encode(message)) for message in (
            messages.hello("ALPHA", "stranger"), messages.batch()))
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(words)
                while data := tls.recv(65536):
                    heard += data
        except OSError:
            pass
        finally:
            plain.close()
        return heard, port

    def assert_refused(self, context, reason):
        self.pace()
        heard, port = self.all_it_can(context)
        self.assertEqual(heard, b"")
        self.assert_one_line(self.broker, port, "handshake failed .*" + reason)

    def refuse_all(self, cases):
        for name, context, reason in cases:
            with self.subTest(stranger=name):
                self.assert_refused(context, reason)
        self.assert_nothing_came_of_it()
        figure("%d strangers: all refused, none answered, one line each", len(cases))

    def assert_nothing_came_of_it(self):
        """No session was opened for a stranger, and who may come is served."""
        self.settle(self.broker)
        opened = [line for line in self.broker.lines if "session opened" in line]
        self.assertEqual(len(opened), 1, opened)
        self.module(self.broker, "ALPHA").hand_over()


class Matrix(TlsCase):
    def test_older_versions_are_refused(self):
        alpha = authority().module("ALPHA")
        self.refuse_all([
            (version.name, weak_context(alpha, highest=version), "protocol version")
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1)])

    def test_wrong_certificates_are_refused(self):
        issue, forger = self.forger.issue, self.forger
        other = forger.authority("another authority")
        impostor = forger.authority("impostor", subject="/CN=handoff test authority")
        # What is below: the certificate, and why it is refused.
        strangers = {
            "expired": (issue("expired", start="20190101000000Z", end="20200101000000Z"),
                        "expired"),
            "not yet valid": (issue("future", start="20980101000000Z"), "not yet valid"),
            "wrong authority": (issue("foreign", other), "unknown authority"),
            "authority of the same name": (issue("impostor-leaf", impostor), "unknown authority"),
            "self-signed": (issue("alone", selfsigned=True), "unknown authority"),
            "no extended key usage": (issue("no-usage", extendedKeyUsage=None), "clientAuth"),
            "serverAuth only": (issue("server", extendedKeyUsage="serverAuth"), "clientAuth"),
            "any usage but not this": (issue("any", extendedKeyUsage="anyExtendedKeyUsage"),
                                       "clientAuth"),
            "key usage without signing": (issue("agree", keyUsage="critical,keyAgreement"),
                                          "digitalSignature"),
            "the broker's own": (authority().broker(), "clientAuth"),
            "P-521": (issue("p521", key="P-521"), "no client certificate|too weak"),
            "secp256k1": (issue("k1", key="secp256k1"), "no client certificate|too weak"),
            "Ed25519": (issue("ed", key="Ed25519"), "no client certificate|ECDSA nor RSA"),
            "RSA-1024": (issue("rsa1024", key="RSA-1024"), "too weak"),
            "RSA-2048": (issue("rsa2048", key="RSA-2048"), "too weak"),
            "SHA-1": (issue("sha1", digest="sha1"), "weaker than SHA-256"),
            "an unknown critical extension":
                (issue("critical", **{"1.3.6.1.4.1.55555.1": "critical,DER:05:00"}),
                 "extension"),
        }
        self.refuse_all([(name, weak_context(stranger), reason)
                         for name, (stranger, reason) in strangers.items()]
                        + [("no certificate", weak_context(), "no client certificate")])

    def test_wrong_chains_are_refused(self):
        issue, forger = self.forger.issue, self.forger
        leaf_as_issuer = issue("issuer")
        no_signing = forger.authority("no signing", forger.ca, keyUsage="critical,cRLSign")
        none_below = forger.authority("none below", forger.ca,
                                      basicConstraints="critical,CA:TRUE,pathlen:0")
        one_below = forger.authority("one below", none_below)
        weak = forger.authority("weak", forger.ca)
        weak_below = forger.issue("weak below", weak, digest="sha1")
        expired = forger.issue("expired authority", forger.ca, end="20200102000000Z",
                               extensions={"basicConstraints": "critical,CA:TRUE"})
        deep = [forger.authority("depth 0", forger.ca)]
        for depth in range(1, 10):
            deep.insert(0, forger.authority("depth %d" % depth, deep[0]))
        chain, unknown = forger.chain, "unknown authority"
        chains = {
            "CA:FALSE issuer": (chain(issue("a", leaf_as_issuer), leaf_as_issuer), unknown),
            "issuer may not sign": (chain(issue("b", no_signing), no_signing), unknown),
            "too many below": (chain(issue("c", one_below), one_below, none_below), unknown),
            "SHA-1 below an authority": (chain(weak_below, weak), "weaker than SHA-256"),
            "expired issuer": (chain(issue("d", expired), expired), "authority expired"),
            "four between": (chain(issue("e", deep[6]), *deep[6:]), "too long"),
            "ten between": (chain(issue("f", deep[0]), *deep), "too long"),
            "an issuer that is not shown": (issue("g", deep[-1]), unknown),
        }
        self.refuse_all([(name, weak_context(stranger), reason)
                         for name, (stranger, reason) in chains.items()])

    def test_a_sound_chain_is_served(self):
        """What is refused above is refused for its flaw, and not because of how it was made."""
        middle = self.forger.authority("middle", self.forger.ca)
        for stranger in (self.forger.issue("sound"), self.forger.issue("sound-rsa", key="RSA-3072"),
                         self.forger.issue("sound-384", key="P-384", digest="sha384"),
                         self.forger.chain(self.forger.issue("below", middle), middle)):
            self.connect(self.broker, "ALPHA", context=weak_context(stranger)).hello()

    def test_other_application_protocols_are_refused(self):
        alpha = authority().module("ALPHA")
        self.refuse_all([
            (" ".join(names), weak_context(alpha, alpn=names), "application protocol")
            for names in (["h2"], ["http/1.1"], ["handoff/2"], ["handoff/1 "], ["HANDOFF/1"],
                          ["handoff/2", "h2", "x" * 255])])

    def test_what_is_not_tls_is_refused(self):
        """Bytes of every kind: none of them is answered with more than an alert."""
        strangers = [
            b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\0" * 37,       # SSL 2
            b"\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00" + b"\0" * 39,       # SSL 3
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"\x17\x03\x03\x00\x05hello",                       # data before a handshake
            b"\x16\x03\x01\x40\x01" + b"\0" * 16385,            # longer than a record may be
            b"\x15\x03\x03\x00\x02\x02\x28\x16\x03\x01",        # an alert of its own
            b"\x14\x03\x03\x00\x01\x01" * 64,                   # nothing but ChangeCipherSpec
            messages.frame(messages.encode(messages.hello("ALPHA", "plain"))),
        ]
        for data in strangers:
            with self.subTest(data=data[:12]):
                self.pace()
                heard = b""
                with connect_plain(self.broker.address) as plain:
                    port = plain.getsockname()[1]
                    try:
                        plain.sendall(data)
                        while more := plain.recv(4096):
                            heard += more
                    except OSError:
                        pass
                self.assertLessEqual(len(heard), 7)             # an alert in the clear
                self.assertIn(heard[:1], (b"", b"\x15"))
                self.assert_one_line(self.broker, port, "handshake failed")
        self.assert_nothing_came_of_it()


class Names(TlsCase):
    """A sound certificate with no name, or with a wrong one: refused by name, without WELCOME."""

    NAMES = {
        "none": None,
        "two modules": "URI:spiffe://test/module/alpha,URI:spiffe://test/module/beta",
        "the same module twice": "URI:spiffe://test/module/alpha,URI:spiffe://test/module/ALPHA",
        "a module that is not declared": "URI:spiffe://test/module/omega",
        "the broker": "URI:spiffe://test/module/broker",
        "all": "URI:spiffe://test/module/all",
        "a path below": "URI:spiffe://test/module/alpha/x",
        "a query": "URI:spiffe://test/module/alpha?x",
        "an escape": "URI:spiffe://test/module/%61lpha",
        "no trust domain": "URI:spiffe:///module/alpha",
        "another scheme": "URI:https://test/module/alpha",
        "a DNS name": "DNS:alpha",
        "an address": "email:alpha@test",
        "NUL after it": der_names((URI, b"spiffe://test/module/alpha\0.example")),
        "NUL before it": der_names((URI, b"\0spiffe://test/module/alpha")),
        "a line break": der_names((URI, b"spiffe://test/module/alpha\n")),
        "no ASCII": der_names((URI, "spiffe://test/module/\u0430lpha".encode())),
        "empty": der_names((URI, b"")),
        "64 KB": der_names((URI, b"spiffe://test/module/" + b"a" * 12000)),
        "many": der_names(*[(DNS, b"host-%d.example" % i) for i in range(200)]),
        "a URI beside a broken one": der_names((URI, b"spiffe://test/module/alpha"),
                                               (URI, b"spiffe://test/module/beta\0")),
        "a NUL in a DNS name beside it": der_names((URI, b"spiffe://test/module/alpha"),
                                                   (DNS, b"alpha\0.example")),
    }

    def assert_unauthorized(self, certificate):
        self.pace()
        client = Client(self.broker.address, certificate, "ALPHA",
                        context=weak_context(certificate))
        port = client.local_port
        try:
            client.send(messages.hello("ALPHA", "stranger"))
            client.send(messages.batch())
        except OSError:
            pass
        self.assert_ends_with_goodbye(client, "UNAUTHORIZED", "INT_AUTH_001")
        client.close()
        self.assert_one_line(self.broker, port, "certificate refused .*code=INT_AUTH_001")

    def test_names_that_are_no_modules(self):
        for number, (name, san) in enumerate(self.NAMES.items()):
            with self.subTest(name=name):
                self.assert_unauthorized(
                    self.forger.issue("name-%d" % number, subject="/CN=ALPHA", subjectAltName=san))
        self.assert_nothing_came_of_it()
        figure("%d names of no module: all refused, one line each", len(self.NAMES))

    def test_common_names_are_not_looked_at(self):
        """Neither two of them, nor one with a module's name."""
        subjects = "/CN=ALPHA/CN=BETA", "/CN=spiffe:\\/\\/test\\/module\\/alpha"
        for number, subject in enumerate(subjects):
            self.assert_unauthorized(self.forger.issue("subject-%d" % number, subject=subject,
                                                       subjectAltName=None))

