"""test_pieces.py - frames in pieces and in heaps: reliability A13, B15, B23.

What is cut off at any byte changes nothing; what comes in any pieces, or many in one, is whole.
"""

import os
import random
import socket
import ssl
import struct
import time

from handoff_client import PATIENCE_SECONDS, Client, tls_context
from stranger_case import (ADMIN, SCALE, Ctl, StrangerCase, authority, connect_plain, figure,
                           messages, percentile, scaled)

SEED = int(os.environ.get("HANDOFF_TEST_SEED", time.time_ns() % 1000000))


def frame(message):
    return messages.frame(messages.encode(message))


class Ciphertext:
    """A TLS session whose records are the test's to send, however many, in whatever pieces."""

    def __init__(self, address, module):
        self.plain = connect_plain(address)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context(authority().module(module)).wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost")
        self.do(self.tls.do_handshake)
        self.received = b""

    def do(self, what, *arguments):
        while True:
            try:
                result = what(*arguments)
                self.plain.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                data = self.plain.recv(65536)
                if not data:
                    raise AssertionError("the broker closed the connection") from None
                self.incoming.write(data)

    def seal(self, data, record_bytes=16384):
        """The records of this data, each of at most so many bytes of it."""
        for at in range(0, len(data), record_bytes):
            self.tls.write(data[at:at + record_bytes])
        return self.outgoing.read()

    def next(self):
        """The next message."""
        while True:
            if len(self.received) >= 4:
                length = struct.unpack(">I", self.received[:4])[0]
                if len(self.received) >= 4 + length:
                    body, self.received = (self.received[4:4 + length],
                                           self.received[4 + length:])
                    return messages.decode(body)
            self.received += self.do(self.tls.read, 65536)

    def hello(self, module, max_in_flight=10):
        self.plain.sendall(self.seal(frame(messages.hello(module, messages.new_id(),
                                                          max_in_flight))))
        welcome = self.next()
        if welcome["header"]["message_type"] != "WELCOME":
            raise AssertionError("not welcome: %s" % welcome)

    def close(self):
        self.plain.close()


class PiecesCase(StrangerCase):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(ADMIN)
        self.contexts = {name: tls_context(authority().module(name)) for name in ("ALPHA", "BETA")}

    def join(self, module, hello=True):
        client = Client(self.broker.address, None, module, context=self.contexts[module])
        if hello:
            client.hello(0)
        return client

    def audit(self):
        return {one["route"]: one for one in Ctl(self.broker).ask("audit")["routes"]}["alpha-beta"]

    def assert_custody(self, **counts):
        audit = self.audit()
        self.assertEqual({name: audit[name] for name in counts}, counts)
        self.assertEqual(audit["walk"], "agrees")


class Cut(PiecesCase):
    """Closed, or reset, after so many bytes of a frame."""

    def cut(self, module, data, at, hello=True):
        client = self.join(module, hello)
        client.send_bytes(data[:at])
        if at % 2:
            client.cut()
        else:
            client.close()

    def offsets(self, data):
        """Every byte; in a short run every third, and the ends."""
        step = 1 if SCALE > 1 else 3
        return sorted({*range(1, len(data), step), 1, 2, 3, 4, 5, len(data) - 1})

    def test_a_batch_cut_at_any_byte_changes_nothing(self):
        batch = messages.batch(count=1)
        data = frame(batch)
        for at in self.offsets(data):
            self.cut("ALPHA", data, at)
        self.assert_custody(received=0, in_custody=0)
        self.module(self.broker, "ALPHA").hand_over(batch)
        figure("a batch of %d bytes cut at %d places: nothing taken", len(data),
               len(self.offsets(data)))

    def test_an_answer_cut_at_any_byte_changes_nothing(self):
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        delivery = beta.delivery(alpha.hand_over())
        data = frame(messages.acknowledgment("BETA", delivery.batch_id, delivery.lease,
                                             "PROCESSED", 3))
        for at in self.offsets(data):
            self.cut("BETA", data, at)
        self.assert_custody(received=1, in_custody=1, processed=0)
        beta.finish(delivery)
        figure("an acknowledgment of %d bytes cut at %d places: nothing ended", len(data),
               len(self.offsets(data)))

    def test_a_hello_cut_at_any_byte_opens_no_session(self):
        data = frame(messages.hello("ALPHA", "cut", 10))
        for at in self.offsets(data):
            self.cut("ALPHA", data, at, hello=False)
        self.settle(self.broker)
        self.assertFalse([line for line in self.broker.lines
                          if "opened" in line and 'instance="cut"' in line])

    def test_a_record_cut_at_any_byte_changes_nothing(self):
        """The same inside TLS: a whole frame in one record, of which the last bytes never come."""
        data = frame(messages.batch(count=1))
        places = 0
        for at in range(7, len(data), 7 if SCALE > 1 else 61):
            one = Ciphertext(self.broker.address, "ALPHA")
            one.hello("ALPHA", 0)
            one.plain.sendall(one.seal(data)[:at])
            one.close()
            places += 1
        self.assert_custody(received=0, in_custody=0)
        figure("a record cut at %d places: nothing taken", places)


class Whole(PiecesCase):
    def start_session(self, module="ALPHA"):
        one = Ciphertext(self.broker.address, module)
        self.clients.append(one)
        one.hello(module)
        return one

    def assert_all_received(self, session, batches):
        for batch in batches:
            answer = session.next()
            self.assertEqual((answer["payload"]["status"], answer["payload"]["batch_id"]),
                             ("RECEIVED", batch["metadata"]["batch_id"]))

    def test_a_record_a_byte_is_taken(self):
        session, batch = self.start_session(), messages.batch(count=1)
        session.plain.sendall(session.seal(frame(batch), 1))
        self.assert_all_received(session, [batch])

    def test_a_packet_a_byte_is_taken(self):
        session, batch = self.start_session(), messages.batch(count=1)
        for byte in session.seal(frame(batch)):
            session.plain.sendall(bytes([byte]))
        self.assert_all_received(session, [batch])

    def test_frames_across_records_are_taken(self):
        """Records end in the length, at a frame's last byte, in the next one's first."""
        session = self.start_session()
        for record_bytes in (2, 3, 5, 100, 701, 16383):
            batches = [messages.batch(count=1, size=900) for _ in range(5)]
            session.plain.sendall(session.seal(b"".join(map(frame, batches)), record_bytes))
            self.assert_all_received(session, batches)

    def test_many_frames_in_one_record_are_answered_at_once(self):
        """What TLS has decrypted does not wait for the next byte from the socket."""
        session = self.start_session()
        times = []
        for count in list(range(2, 21)) * scaled(3):
            batches = [messages.batch(count=1) for _ in range(count)]
            records = session.seal(b"".join(map(frame, batches)))
            began = time.monotonic()
            session.plain.sendall(records)
            self.assert_all_received(session, batches)
            times.append(time.monotonic() - began)
        self.assertLess(max(times), PATIENCE_SECONDS / 2)
        figure("2 to 20 frames in a record, %d records: p50 %.1f ms, p99 %.1f ms", len(times),
               1000 * percentile(times, 50), 1000 * percentile(times, 99))

    def test_fifty_of_the_smallest_frames_in_one_record_are_answered(self):
        session = self.start_session()
        body = messages.encode({"header": messages.header("ALPHA", "X")})
        self.assertLess(50 * (4 + len(body)), 16384)
        session.plain.sendall(session.seal(messages.frame(body) * 50))
        for _ in range(50):
            self.assertEqual(session.next()["errors"][0]["error_code"], "INT_PROTOCOL_004")

    def test_deliveries_read_byte_by_byte_are_whole(self):
        batch = self.module(self.broker, "ALPHA").hand_over(count=1, size=20000)
        session = self.start_session("BETA")
        session.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        received = b""
        while batch["records"] not in received:
            received += session.received or session.do(session.tls.read, 1)
            session.received = b""


class Dropped(PiecesCase):
    def test_who_comes_back_after_a_drop_anywhere_is_taken_once(self):
        """B23: somewhere in a batch the connection ends; the batch is sent again over another."""
        rng = random.Random(SEED)
        print("seed: HANDOFF_TEST_SEED=%d" % SEED)
        count, repeats = scaled(60), 0
        context = self.contexts["ALPHA"]
        sent = []
        for number in range(count):
            batch = messages.batch(sequence_number=number + 1, count=1, size=rng.randint(1, 3000))
            data = frame(batch)
            client = self.join("ALPHA")
            client.send_bytes(data[:rng.randint(1, len(data))])
            rng.choice((client.close, client.cut))()
            again = Client(self.broker.address, None, "ALPHA", context=context)
            again.hello(0)
            answer = again.answer_to(again.send(batch))
            self.assertEqual(answer.status, "RECEIVED")
            repeats += bool(answer.get("duplicate"))
            again.close()
            sent.append(batch)
        self.assert_custody(received=count, in_custody=count)
        beta = self.module(self.broker, "BETA", 50)
        for batch in sent:
            beta.finish(beta.delivery(batch))
        figure("%d drops: each batch in custody once, %d had been taken whole", count, repeats)
