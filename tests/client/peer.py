"""peer.py - the broker's end of a connection, played by a test.

For what a true broker does rarely or never: it answers wrongly, late, or not at all. What to say,
and when, is the test's choice.
"""

import socket
import ssl
import struct

import messages
from handoff_client import PATIENCE_SECONDS, Message

ROUTES = {"alpha-beta": ("ALPHA", "BETA"), "beta-gamma": ("BETA", "GAMMA")}


class Peer:
    """Listens as a broker would, with its certificate."""

    def __init__(self, credentials):
        self.broker_id = messages.new_id()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(credentials.certificate, credentials.key)
        self.context.load_verify_locations(credentials.ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["handoff/1"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_SECONDS)
        self.address = self.listener.getsockname()

    def accept(self):
        """The next connection, that has said nothing."""
        plain, _ = self.listener.accept()
        plain.settimeout(PATIENCE_SECONDS)
        return Conversation(self.context.wrap_socket(plain, server_side=True))

    def welcome(self, **settings):
        """The next connection, that has said HELLO and been sent WELCOME."""
        conversation = self.accept()
        conversation.hello = conversation.expect("HELLO")
        conversation.answer(conversation.hello, "WELCOME", **{
            "broker": "a test",
            "broker_id": self.broker_id,
            "features": [],
            "instance_id": conversation.hello["instance_id"],
            "max_in_flight": conversation.hello["max_in_flight"],
            "max_frame_bytes": 1 << 20,
            "routes": [route(name) for name in ROUTES],
            **settings,
        })
        return conversation

    def close(self):
        self.listener.close()


def route(name, **settings):
    """One of WELCOME's routes, quick in all."""
    source, target = ROUTES[name]
    return {
        "name": name, "source_module": source, "target_module": target, "batch_size": 10,
        "flush_timeout_ms": 50, "ack_timeout_ms": 1000, "process_timeout_ms": 300000,
        "retry_delay_ms": 20, "max_retries": 5, "backoff_multiplier": 2.0,
        "backpressure_active": False, "last_sequence_number": 0, **settings,
    }


class Conversation:
    """One connection, seen from the broker."""

    def __init__(self, tls_socket):
        self.socket = tls_socket
        self.hello = None

    def send(self, message):
        self.socket.sendall(messages.frame(messages.encode(message)))
        return message

    def say(self, message_type, **fields):
        """A message in the broker's own name."""
        return self.send({"header": messages.header("BROKER", message_type, "ALL"), **fields})

    def answer(self, message, message_type, **fields):
        return self.say(message_type, in_reply_to=message["header"]["message_id"], **fields)

    def acknowledge(self, message, status, **more):
        """An answer to a batch, or an echo to an acknowledgment."""
        counts = (0, 1) if status == "REJECTED" else (1, 0)
        return self.answer(message, "ACKNOWLEDGMENT",
                           payload=messages.payload(message.batch_id, status, *counts), **more)

    def deliver(self, batch, lease, **more):
        """Delivers a batch as its source made it."""
        return self.send({**batch, "delivery": {
            "route": "alpha-beta", "attempt": 1, "redelivered": False, "lease": lease,
            "received_at": messages.now(), **more}})

    def next(self):
        """The next message."""
        length = struct.unpack(">I", self._read(4))[0]
        return Message(self._read(length))

    def expect(self, message_type):
        """The next message, which has to be one of this type."""
        message = self.next()
        if message.type != message_type:
            raise AssertionError("expected %s, got %s" % (message_type, message))
        return message

    def _read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise AssertionError("the client closed the connection")
            data += more
        return data

    def cut(self):
        """Ends the connection without a word."""
        self.socket.close()


def broker_error(code, recoverability="PERMANENT", **context):
    return messages.error("BROKER", recoverability, code=code, context=context)
