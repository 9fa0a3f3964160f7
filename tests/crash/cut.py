"""cut.py - a connection that ends within a frame, at every byte of it; and the repeat, taken once.

A half frame is gone with its connection; the same batch on the next one is taken as for the first
time. Now and then the whole comes byte by byte.
"""

import messages
from broker import Broker
from ctl import ADMIN, Ctl
from handoff_client import Client, tls_context
from play import Play
from table import Verdict

BYTEWISE_EACH = 50


class Cut(Play):
    """`kills` is how many frames are cut; from as many as a frame has bytes on, at each of them."""

    command = "tests/crash/run --cut"

    def play_in(self, authority):
        self.broker = Broker(self.path("broker"), authority, ADMIN)
        self.broker.start()
        self.context = tls_context(authority.module("ALPHA"))
        frames = [messages.frame(messages.encode(messages.batch(
            sequence_number=number + 1, count=1, size=1))) for number in range(self.kills)]
        offsets = list(range(1, len(frames[0])))
        self.chance.shuffle(offsets)
        answers = [self.cut_and_repeat(number, frame, offsets[number % len(offsets)])
                   for number, frame in enumerate(frames)]
        route, _ = Ctl(self.broker).ask("audit")["routes"]
        self.broker.stop()
        self.rows = [("frames cut", len(frames), "of %d bytes, at any of them" % len(frames[0]))]
        self.verdicts = [
            Verdict("half frames", "of which something was taken, or the repeat was not",
                    [number for number, answer in enumerate(answers)
                     if answer.status != "RECEIVED" or answer.get("duplicate")]),
            Verdict("miscounted", "batches that the broker counts beside these",
                    range(abs(route["received"] - len(frames))))]

    def cut_and_repeat(self, number, frame, offset):
        """The broker's answer to the whole."""
        client = self.connect()
        client.send_bytes(frame[:offset])
        if number % 2:
            client.close()
        else:
            client.cut()
        client = self.connect()
        for part in pieces(frame, 1 if number % BYTEWISE_EACH == 0 else len(frame)):
            client.send_bytes(part)
        answer = client.expect("ACKNOWLEDGMENT")
        client.close()
        return answer

    def connect(self):
        client = Client(self.broker.address, None, "ALPHA", "cutter", context=self.context)
        client.hello(0)
        return client


def pieces(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]
