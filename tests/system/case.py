"""case.py - what every system test stands on: a directory, brokers, clients, and their end.

Each test has a temporary directory of its own. What it started is stopped after it; a broker that
ended when nobody asked it to, or that a sanitizer complained about, fails the test.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "client"))

import messages  # noqa: E402
from broker import Broker  # noqa: E402
from certificates import Authority  # noqa: E402
from handoff_client import Client, summary  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it

_authority = None


def authority():
    """The authority of this run: the runner makes one for all its workers."""
    global _authority
    if _authority is None:
        directory = os.environ.get("HANDOFF_TEST_AUTHORITY")
        if not directory:
            directory = tempfile.mkdtemp(prefix="handoff-authority-")
            atexit.register(shutil.rmtree, directory, ignore_errors=True)
        _authority = Authority(directory)
    return _authority


class Case(unittest.TestCase):
    longMessage = True

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="handoff-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.brokers = []
        self.clients = []

    def tearDown(self):
        """Stops everything; the brokers' logs are left in self.logs for a failure's report."""
        for client in self.clients:
            client.close()
        troubles = []
        for broker in self.brokers:
            if broker.is_running():
                try:
                    broker.stop()
                except Exception as problem:
                    troubles.append(str(problem))
                    broker.kill()
            if broker.trouble():
                troubles.append(broker.trouble())
        self.logs = [broker.log() for broker in self.brokers]
        self.assertFalse(troubles, "; ".join(troubles))

    # Actors

    def new_broker(self, settings="", **more):
        """A broker that is configured and not started."""
        directory = os.path.join(self.directory, "broker-%d" % len(self.brokers))
        os.mkdir(directory)
        broker = Broker(directory, authority(), settings, **more)
        self.brokers.append(broker)
        return broker

    def start_broker(self, settings="", **more):
        return self.new_broker(settings, **more).start()

    def connect(self, broker, module, credentials=None, **more):
        """A connection that has said nothing yet."""
        client = Client(broker.address, credentials or authority().module(module), module, **more)
        self.clients.append(client)
        return client

    def module(self, broker, module, max_in_flight=10, instance_id=None, receive_buffer=None,
               **hello):
        """A connection that has read its WELCOME."""
        client = self.connect(broker, module, instance_id=instance_id,
                              receive_buffer=receive_buffer)
        client.hello(max_in_flight, **hello)
        return client

    def module_again(self, broker, client, **more):
        """A new connection of the same instance, which goes on counting its batches."""
        again = self.module(broker, client.module, instance_id=client.instance_id, **more)
        again.sequence_numbers = client.sequence_numbers
        return again

    # Expectations

    def assert_received(self, answer, duplicate=False):
        self.assertEqual((answer.type, answer.get("payload", {}).get("status")),
                         ("ACKNOWLEDGMENT", "RECEIVED"), summary(answer))
        self.assertEqual(bool(answer.get("duplicate")), duplicate, summary(answer))

    def assert_refused(self, answer, code, field_name=None, actual=None):
        """A batch refused: ACKNOWLEDGMENT REJECTED with this error."""
        self.assertEqual((answer.type, answer.get("payload", {}).get("status")),
                         ("ACKNOWLEDGMENT", "REJECTED"), summary(answer))
        self._assert_error(answer, code, field_name, actual)

    def assert_error(self, answer, code, field_name=None, actual=None):
        """Another message refused: an ERROR_NOTIFICATION with this error."""
        self.assertEqual(answer.type, "ERROR_NOTIFICATION", summary(answer))
        self._assert_error(answer, code, field_name, actual)

    def _assert_error(self, answer, code, field_name, actual):
        self.assertEqual(answer.code, code, summary(answer))
        if field_name is not None:
            self.assertEqual(answer.field_name, field_name, summary(answer))
        if actual is not None:
            self.assertEqual(answer.error["context"].get("actual_value"), actual, summary(answer))

    def assert_ends_with_goodbye(self, client, reason, code=None):
        """The connection ends: an error with this code where one is due, GOODBYE, the end."""
        before = client.expect_closed()
        lines = [summary(message) for message in before]
        self.assertTrue(before, "the connection ended without a word")
        self.assertEqual((before[-1].type, before[-1].get("reason")), ("GOODBYE", reason), lines)
        if code:
            self.assertGreaterEqual(len(before), 2, lines)
            self.assert_error(before[-2], code)
        return before

    def assert_refused_connection(self, connect):
        """The client never reads WELCOME: the handshake fails, or the connection ends."""
        try:
            client = connect()
        except OSError:
            return
        try:
            client.hello()
        except (OSError, AssertionError):
            return
        self.fail("the client was welcomed")


__all__ = ["Case", "Client", "authority", "messages", "summary"]
