"""test_log_lines.py - what strangers may write reaches the log as text: reliability C1, C5.

Every string that a stranger, a module or an operator controls is made hostile; each line has to be
one line of its form, in both formats, without a control byte.
"""

import json
import os
import re

from control import Operator
from forgery import DNS, URI, Forger, der_names
from handoff_client import Client
from stranger_case import StrangerCase, authority, figure, messages
from test_tls import weak_context

# What a stranger would write to end a line, begin one, move a cursor, or hide something.
HOSTILE = [
    'x\n2026-01-01T00:00:00.000000Z info operator uid=0 command="stop"',
    "x\r\nx\rx", 'x" level=error event="forged', "x\\", 'x\\" y=z', "a=b c=d", "",
    "\x1b[2J\x1b]0;title\x07", "\x9b31m", "\x7f\x08\x08", "\0x\0", "\t\v\f",
    "\u2028line\u2029paragraph", "\u202egnp.exe", "\u2066isolated\u2069", "\ufeff",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "é" * 300, "x" * 3000,
    '{"json":true}', "%s%n%x$(reboot)`id`",
]
# Bytes that are no UTF-8: wrapped by msgpack as they are.
BROKEN = [b"\xff\xfe", b"\xc0\x8a", b"\xed\xa0\x80", b"\xe2\x80", b"\xf8\x88\x80\x80\x80", b"x\x80"]

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
LINE = re.compile(STAMP + r' (error|warning|info|debug) [^="]+?'
                  r'( [a-z_0-9]+=("([^"\\]|\\["\\]|\\x[0-9a-f]{2})*"|[^ "]+))*')
# Control characters of C0 and C1, and those that turn text around or end lines in some readers.
CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Raw(messages.Raw):
    """A str of these bytes, whatever they are."""

    def __init__(self, data):
        super().__init__(b"\xdb" + len(data).to_bytes(4, "big") + data)


class LogLines(StrangerCase):
    arguments = ()

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker('admin { socket = "admin.sock" }',
                                        arguments=("--log-level", "debug", *self.arguments))
        self.strings = HOSTILE + [Raw(data) for data in BROKEN]

    def assert_line(self, line):
        self.assertEqual(line[-1:], "\n")
        self.assertIsNone(CONTROL.search(line[:-1]), repr(line))
        self.assertIsNotNone(LINE.fullmatch(line[:-1]), line)

    def assert_lines(self, least):
        self.broker.stop()
        self.assertGreater(len(self.broker.lines), least)
        for line in self.broker.lines:
            self.assert_line(line)
        figure("%d lines, all of one form, no control byte", len(self.broker.lines))

    def say(self, client, message):
        try:
            client.send(message)
            client.barrier()
        except (OSError, AssertionError):
            pass                    # the connection may end over it

    def test_words_of_modules(self):
        """In and before a session: each string of the messages that reach the log."""
        for text in self.strings:
            self.pace()
            for hello in (messages.hello("ALPHA", text), messages.hello("ALPHA", "i", client=text),
                          {**messages.hello("ALPHA", "i"),
                           "header": messages.header(text, "HELLO")}):
                client = self.connect(self.broker, "ALPHA")
                self.say(client, hello)
                client.close()
            client = self.module(self.broker, "ALPHA")
            for message in (
                    {"header": messages.header("ALPHA", text)},
                    {"header": messages.header("ALPHA", "X", text)},
                    {"header": messages.header("ALPHA", "X", correlation_id=text)},
                    {"header": messages.header("ALPHA", "X", message_id=text)},
                    {"header": messages.header("ALPHA", "X", protocol_version=text)},
                    messages.batch(metadata={"checksum": text}),
                    messages.batch(metadata={"batch_id": text}),
                    messages.batch(priority=text),
                    {"header": messages.header("ALPHA", "ERROR_NOTIFICATION"),
                     "errors": [messages.error("ALPHA", code=text, error_message=text)],
                     "action_required": "NONE"},
                    messages.backpressure("ALPHA", "DEACTIVATE", text),
                    {**messages.goodbye("ALPHA"), "message": text, "reason": text}):
                self.say(client, message)
            client.close()
        self.assert_lines(200)

    def test_names_in_certificates(self):
        forger = Forger(os.path.join(self.directory, "forger"), authority())
        names = [der_names((URI, data), (DNS, data)) for data in BROKEN + [
            text.encode() for text in HOSTILE if isinstance(text, str)]]
        names += ["URI:spiffe://test/module/nobody"] * len(HOSTILE)
        for number, name in enumerate(names):
            # In a subject, openssl takes no NUL, and at most 64 characters of a common name.
            text = HOSTILE[number % len(HOSTILE)].replace("\0", "")[:64] or "x"
            subject = "/O=%s/CN=%s" % (("\\".join(["", *text]),) * 2)
            certificate = forger.issue("log-%d" % number, subject=subject, subjectAltName=name,
                                       extendedKeyUsage="clientAuth" if number % 2 else None)
            self.pace()
            try:
                client = Client(self.broker.address, certificate, "ALPHA",
                                context=weak_context(certificate))
                client.expect_closed()
                client.close()
            except (OSError, AssertionError):
                pass                # refused in the handshake
        self.assert_lines(len(names))

    def test_words_of_operators(self):
        """Unknown commands, wrong arguments, reasons: an operator's tools may be anybody's."""
        operator = Operator(os.path.join(self.broker.directory, "admin.sock"))
        for text in HOSTILE:
            word = '"%s"' % re.sub(r'([\\"])', r"\\\1", text.replace("\n", " "))
            for line in ("%s", "log-level %s", "explain %s", "halt alpha-beta reason=%s",
                         "halt %s", "--reason %s halt alpha-beta", "dead purge %s"):
                try:
                    operator.ask((line % word).encode("utf-8", "replace") + b"\n")
                except (OSError, EOFError):
                    operator = Operator(os.path.join(self.broker.directory, "admin.sock"))
        operator.close()
        self.assert_lines(5)


class JsonLines(LogLines):
    arguments = ("--log-format", "json")

    def assert_line(self, line):
        self.assertEqual(line[-1:], "\n")
        self.assertIsNone(CONTROL.search(line[:-1]), repr(line))
        document = json.loads(line)
        self.assertRegex(document["ts"], "^%s$" % STAMP)
        self.assertIn(document["level"], ("error", "warning", "info", "debug"))
        self.assertTrue(document["event"])
