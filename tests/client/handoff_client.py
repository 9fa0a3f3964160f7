"""handoff_client.py - a module's side of the protocol, for tests.

Written from the protocol's text alone. It keeps no rule by itself: what to say, and when, is the
caller's choice, so that every rule can be broken on purpose. Reading has a deadline throughout.
"""

import os
import socket
import ssl
import struct
import time

import messages

# How long an answer may take before a test fails; sanitizers are slow, so a factor can stretch it.
PATIENCE_SECONDS = 8.0 * float(os.environ.get("HANDOFF_TEST_PATIENCE", "1"))


class Silence(AssertionError):
    """What was expected did not come in time."""


class Closed(AssertionError):
    """The connection ended while something was expected."""


class Message(dict):
    """A message that was read: its map, and the bytes of its body."""

    def __init__(self, body):
        super().__init__(messages.decode(body))
        self.body = body

    @property
    def type(self):
        return self["header"]["message_type"]

    @property
    def status(self):
        return self["payload"]["status"]

    @property
    def batch_id(self):
        for place in ("payload", "metadata"):
            if place in self:
                return self[place]["batch_id"]
        return self["batch_id"]

    @property
    def lease(self):
        return self["delivery"]["lease"]

    @property
    def attempt(self):
        return self["delivery"]["attempt"]

    @property
    def redelivered(self):
        return self["delivery"]["redelivered"]

    @property
    def error(self):
        """The first error of those it carries."""
        return self["errors"][0]

    @property
    def code(self):
        return self.error["error_code"]

    @property
    def field_name(self):
        return self.error["context"].get("field_name")


def tls_context(credentials, alpn=("handoff/1",), newest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(credentials.ca)
    if credentials.certificate:
        context.load_cert_chain(credentials.certificate, credentials.key)
    context.maximum_version = newest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Client:
    """One connection of one instance of a module."""

    def __init__(self, address, credentials, module, instance_id=None, alpn=("handoff/1",),
                 context=None, session=None, receive_buffer=None):
        """Connects and shakes hands; says nothing."""
        self.module = module
        self.instance_id = instance_id or messages.new_id()
        self.sequence_numbers = {}
        self.welcome = None
        self._bytes = bytearray()
        self.checks = []
        self._waiting = []
        self._at_end = None
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.settimeout(PATIENCE_SECONDS)
            if receive_buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = context or tls_context(credentials, alpn)
            self.socket = context.wrap_socket(plain, server_hostname="localhost", session=session)
        except BaseException:
            plain.close()
            raise

    # Sending

    def send_bytes(self, data):
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.sendall(data)

    def send_body(self, body):
        """One frame with this body, whatever it is."""
        self.send_bytes(messages.frame(body))

    def send(self, message):
        """Encodes and sends a message; returns it."""
        self.send_body(messages.encode(message))
        return message

    def hello(self, max_in_flight=10, **more):
        """Says HELLO, reads WELCOME, and returns it."""
        self.send(messages.hello(self.module, self.instance_id, max_in_flight, **more))
        self.welcome = self.expect("WELCOME")
        return self.welcome

    def goodbye(self, reason="DONE"):
        return self.send(messages.goodbye(self.module, reason))

    def batch(self, target=None, **fields):
        """A batch from this module to its usual target, with the next sequence number there."""
        target = target or {"ALPHA": "BETA", "BETA": "GAMMA"}[self.module]
        number = self.sequence_numbers.get(target, 0) + 1
        number = self.sequence_numbers[target] = fields.pop("sequence_number", number)
        return messages.batch(self.module, target, sequence_number=number, **fields)

    def hand_over(self, message=None, **fields):
        """Sends a batch, expects that it is taken into custody for the first time; returns it.

        Expects the echoes for the batches that it completes, too.
        """
        message = self.send(message or self.batch(**fields))
        answer = self.answer_to(message)
        if answer.type != "ACKNOWLEDGMENT" or answer.status != "RECEIVED":
            raise AssertionError("not taken into custody: %s" % summary(answer))
        if answer.get("duplicate"):
            raise AssertionError("taken for a repeat: %s" % summary(answer))
        for _ in message.get("completes") or []:
            echo = self.answer_to(message)
            if echo.status != "PROCESSED":
                raise AssertionError("a completed batch was not echoed: %s" % summary(echo))
        return message

    def acknowledge(self, delivery, status, accepted=None, rejected=None, **more):
        """Acknowledges a delivery, with counts that add up unless others are given."""
        count = delivery["metadata"]["record_count"]
        if accepted is None:
            accepted = 0 if status == "REJECTED" else count
        if rejected is None:
            rejected = count - accepted
        more.setdefault("lease", delivery["delivery"]["lease"])
        more.setdefault("correlation_id", delivery["header"]["correlation_id"])
        return self.send(messages.acknowledgment(
            self.module, delivery["metadata"]["batch_id"], status=status, accepted=accepted,
            rejected=rejected, **more))

    def finish(self, delivery):
        """Says PROCESSED and expects the echo; returns it."""
        echo = self.answer_to(self.acknowledge(delivery, "PROCESSED"))
        if echo.type != "ACKNOWLEDGMENT" or echo.status != "PROCESSED":
            raise AssertionError("PROCESSED not echoed: %s" % summary(echo))
        return echo

    def reject(self, delivery, recoverability="TRANSIENT", **fields):
        """Says REJECTED with one error and expects the echo; returns it."""
        echo = self.answer_to(self.acknowledge(
            delivery, "REJECTED", errors=[messages.error(self.module, recoverability, **fields)]))
        if echo.type != "ACKNOWLEDGMENT" or echo.status != "REJECTED":
            raise AssertionError("REJECTED not echoed: %s" % summary(echo))
        return echo

    def tell(self, message):
        """Sends what is answered only when it is refused; expects that it is not. Returns it."""
        self.send(message)
        self.barrier()
        asked = message["header"]["message_id"]
        for answer in self._waiting:
            if answer.get("in_reply_to") == asked and answer.type == "ERROR_NOTIFICATION":
                raise AssertionError("refused: %s" % summary(answer))
        return message

    def press(self, signal_type, route=None, **more):
        """A target's BACKPRESSURE."""
        return self.tell(messages.backpressure(self.module, signal_type, route, **more))

    def complain(self, recoverability="TRANSIENT", **fields):
        """An ERROR_NOTIFICATION with one error."""
        return self.tell(messages.error_notification(
            self.module, [messages.error(self.module, recoverability, **fields)]))

    def confirm(self, delivery, record_ids=None, status="DELIVERED",
                destination_id="a-destination", **more):
        """A DELIVERY_CONFIRMATION of these records of a delivery, or of all of them."""
        if record_ids is None:
            record_ids = messages.record_ids(delivery)
        more.setdefault("correlation_id", delivery["header"]["correlation_id"])
        return self.tell(messages.confirmation(
            self.module, delivery["metadata"]["batch_id"],
            [messages.delivery_result(record_id, status, destination_id)
             for record_id in record_ids], **more))

    def ask_health(self, check_type="DETAILED"):
        """Asks the broker how it does; returns its answer."""
        answer = self.answer_to(self.send(messages.health_request(self.module, check_type)))
        if answer.type != "HEALTH_CHECK_RESPONSE":
            raise AssertionError("no answer to a health check: %s" % summary(answer))
        return answer

    def answer_check(self, check, status="HEALTHY", components=(), **more):
        """Says how this module does: an answer to the broker's question."""
        return self.tell(messages.health_response(
            self.module, status, components, in_reply_to=check["header"]["message_id"], **more))

    # Reading

    def next(self, seconds=PATIENCE_SECONDS):
        """The next message, whatever it is."""
        if self._waiting:
            return self._waiting.pop(0)
        return self._read(time.monotonic() + seconds, "a message")

    def check(self, seconds=PATIENCE_SECONDS):
        """The broker's next HEALTH_CHECK_REQUEST. They come unasked, and no other reading shows
        them."""
        deadline = time.monotonic() + seconds
        while not self.checks:
            message = self._read_any(deadline, "a health check")
            (self.checks if message.type == "HEALTH_CHECK_REQUEST" else self._waiting).append(
                message)
        return self.checks.pop(0)

    def expect(self, message_type, seconds=PATIENCE_SECONDS, where=None):
        """The first message of this type (and for which `where` is true); others stay for later."""
        what = message_type if where is None else message_type + " of a kind"
        return self._find(lambda m: m.type == message_type and (where is None or where(m)),
                          seconds, what)

    def answer_to(self, message, seconds=PATIENCE_SECONDS):
        """The first message with `in_reply_to` this one."""
        asked = message["header"]["message_id"]
        return self._find(lambda m: m.get("in_reply_to") == asked, seconds, "an answer")

    def delivery(self, batch=None, seconds=PATIENCE_SECONDS):
        """The next delivery (of this batch, when one is given)."""
        batch_id = batch and batch["metadata"]["batch_id"]
        return self.expect("BATCH_TRANSFER", seconds,
                           lambda m: batch_id is None or m.batch_id == batch_id)

    def outcome(self, batch=None, seconds=PATIENCE_SECONDS):
        """The next outcome from the mailbox (of this batch, when one is given)."""
        batch_id = batch and batch["metadata"]["batch_id"]
        return self.expect("ACKNOWLEDGMENT", seconds,
                           lambda m: "notice" in m and batch_id in (None, m.batch_id))

    def pressure(self, signal_type, route=None, seconds=PATIENCE_SECONDS):
        """The next BACKPRESSURE, which has to be this signal; others on the route fail."""
        signal = self.expect("BACKPRESSURE", seconds,
                             lambda m: route is None or m["route"] == route)
        if signal["signal_type"] != signal_type:
            raise AssertionError("expected %s: %s" % (signal_type, summary(signal)))
        return signal

    def listen(self, seconds):
        """Reads for so long, as one that is slow to act does; what comes stays for later."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._waiting.append(self._read(deadline, "anything"))
            except Silence:
                return

    def read_some(self, count):
        """Takes at most so many bytes of what has come, as one that reads slowly does."""
        self.socket.settimeout(PATIENCE_SECONDS)
        data = self.socket.recv(count)
        if not data:
            raise Closed("connection over (end), expected more bytes")
        self._bytes += data

    def heard(self, message_type, where=None):
        """All such messages that have come, and come until a barrier; they are taken."""
        self.barrier()
        found = [m for m in self._waiting if m.type == message_type and (not where or where(m))]
        self._waiting = [m for m in self._waiting if not any(m is one for one in found)]
        return found

    def told_late(self, delivery, seconds=PATIENCE_SECONDS):
        """The broker's word that a deadline of this batch has passed: INT_DELIVERY_001."""
        return self.expect("ERROR_NOTIFICATION", seconds,
                           lambda m: m.code == "INT_DELIVERY_001"
                           and m.error["context"].get("batch_id") == delivery.batch_id)

    def barrier(self):
        """Waits until the broker has answered something that was sent after all before.

        The question is a message of no known type, which is refused and ends nothing.
        """
        question = {"header": messages.header(self.module, "BARRIER")}
        self.answer_to(self.send(question))

    def expect_none(self, message_type, seconds=0.0, where=None):
        """No such message has come, nor comes until a barrier and so many seconds are over."""
        self.barrier()
        deadline = time.monotonic() + seconds
        while seconds > 0:
            try:
                self._waiting.append(self._read(deadline, message_type))
            except Silence:
                break
        for message in self._waiting:
            if message.type == message_type and (where is None or where(message)):
                raise AssertionError("unexpected: %s" % summary(message))

    def expect_closed(self, seconds=PATIENCE_SECONDS):
        """The broker ends the connection in good order; returns the messages before the end."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self._waiting.append(self._read(deadline, "the end of the connection"))
        except Closed:
            if self._at_end != "end":
                raise AssertionError("the connection was cut: %s" % self._at_end)
        before, self._waiting = self._waiting, []
        return before

    def _find(self, is_it, seconds, what):
        for i, message in enumerate(self._waiting):
            if is_it(message):
                return self._waiting.pop(i)
        deadline = time.monotonic() + seconds
        while True:
            message = self._read(deadline, what)
            if is_it(message):
                return message
            self._waiting.append(message)

    def _read(self, deadline, what):
        while True:
            message = self._read_any(deadline, what)
            if message.type != "HEALTH_CHECK_REQUEST":
                return message
            self.checks.append(message)

    def _read_any(self, deadline, what):
        while True:
            message = self._take_frame()
            if message is not None:
                return message
            if self._at_end:
                raise Closed("connection over (%s), expected %s; unread: %s"
                             % (self._at_end, what, self._unread()))
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise Silence("expected %s; unread: %s" % (what, self._unread()))
            self.socket.settimeout(remaining)
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError as problem:
                self._at_end = str(problem) or repr(problem)
                continue
            if data:
                self._bytes += data
            else:
                self._at_end = "end"

    def _take_frame(self):
        if len(self._bytes) < 4:
            return None
        length = struct.unpack(">I", self._bytes[:4])[0]
        if len(self._bytes) < 4 + length:
            return None
        body = bytes(self._bytes[4:4 + length])
        del self._bytes[:4 + length]
        return Message(body)

    def _unread(self):
        return [summary(message) for message in self._waiting] or "nothing"

    # Ending

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    def close(self):
        """Ends the connection without a word: for the broker, a loss."""
        self.socket.close()

    def cut(self):
        """Resets the connection, as a machine does that lost its state."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def summary(message):
    """One line on a message, for people."""
    words = [message["header"]["message_type"]]
    if "payload" in message:
        words.append(message["payload"]["status"])
    if "reason" in message:
        words.append(message["reason"])
    words += ["%s=%s" % (key, message[key])
              for key in ("signal_type", "route", "current_queue_depth", "duplicate", "notice")
              if key in message]
    if "delivery" in message:
        words.append("attempt=%(attempt)s lease=%(lease)s" % message["delivery"])
    for error in message.get("errors") or []:
        words.append("%s(%s: %s)" % (error["error_code"],
                                     (error.get("context") or {}).get("field_name"),
                                     error["error_message"]))
    return " ".join(words)
