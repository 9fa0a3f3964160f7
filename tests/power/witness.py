"""witness.py - a broker whose writes are recorded, and clients that know what was promised when.

The recorder (recorder.c) is preloaded into the real handoffd. A client here counts the bytes that
the broker sent it, TLS record by TLS record, so that each message it reads is tied to the one
send() in the trace with which it left: what it says was promised at that place, and not later.
"""

import hashlib
import os
import ssl
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "client"))

import messages  # noqa: E402
from broker import HANDOFFD, Broker  # noqa: E402
from ctl import ADMIN, Ctl  # noqa: E402
from handoff_client import Client, tls_context  # noqa: E402

RECORDER = os.path.join(os.path.dirname(HANDOFFD), "power", "recorder.so")

# trace.h
HEAD = struct.Struct("=IIQQ")
(START, MKDIR, CREATE, UNLINK, RENAME, WRITE, WRITE_SYNCED, RESIZE, SYNC, SYNC_DIR, SYNC_PARENT,
 ACCEPT, SEND) = range(13)
NEVER = 2 ** 63


def read_trace(path):
    """Its records: (place, kind, file, at, bytes)."""
    with open(path, "rb") as file:
        place = 0
        while head := file.read(HEAD.size):
            kind, inode, at, size = HEAD.unpack(head)
            yield place, kind, inode, at, file.read(size)
            place += HEAD.size + size


class CountingSocket:
    """TLS over a socket, fed one record at a time; `taken` counts the bytes that the peer sent."""

    def __init__(self, plain, context, server_hostname):
        self.plain = plain
        self.taken = 0
        self._partial = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing,
                                     server_hostname=server_hostname)
        self._until_done(self._tls.do_handshake)

    def _until_done(self, what, *arguments):
        while True:
            try:
                return what(*arguments)
            except ssl.SSLWantReadError:
                self.plain.sendall(self._outgoing.read())
                if not self._feed():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            finally:
                self.plain.sendall(self._outgoing.read())

    def _feed(self):
        """One TLS record from the peer; False at the end."""
        while True:
            missing = 5 - len(self._partial)
            if missing <= 0:
                missing = 5 + struct.unpack(">H", self._partial[3:5])[0] - len(self._partial)
            if missing <= 0 and len(self._partial) >= 5:
                break
            data = self.plain.recv(missing)
            if not data:
                self._incoming.write_eof()
                return False
            self._partial += data
        self.taken += len(self._partial)
        self._incoming.write(bytes(self._partial))
        self._partial.clear()
        return True

    def recv(self, count):
        return self._until_done(self._tls.read, count)

    def sendall(self, data):
        self._until_done(self._tls.write, data)

    def settimeout(self, seconds):
        self.plain.settimeout(seconds)

    def getsockname(self):
        return self.plain.getsockname()

    def close(self):
        self.plain.close()


class CountingContext:
    """Stands for an ssl.SSLContext where a Client makes its socket."""

    def __init__(self, credentials):
        self.context = tls_context(credentials)

    def wrap_socket(self, plain, server_hostname, session):
        del session
        return CountingSocket(plain, self.context, server_hostname)


class Witness(Client):
    def __init__(self, address, credentials, module, **more):
        super().__init__(address, credentials, module, context=CountingContext(credentials), **more)

    def _take_frame(self):
        message = super()._take_frame()
        if message is not None:
            message.left = (self.local_port, self.socket.taken)
        return message


class Story:
    """What may be true of one batch, and from when on it has to be.

    Its steps are in order: a state, the place before which nobody had asked for it, and the place
    where it was promised (a message's `left`, or a place itself).
    """

    def __init__(self, route, batch):
        self.route = route
        self.batch_id = batch["metadata"]["batch_id"]
        self.digest = hashlib.sha256(messages.encode(batch)).hexdigest()
        self.steps = []

    def step(self, state, asked, told=NEVER):
        self.steps.append((state, asked, told))


class Recording:
    """A broker under the recorder, in a directory of its own, and the stories of its batches."""

    def __init__(self, directory, authority, settings="", plant="", **more):
        self.directory = directory
        self.authority = authority
        self.trace = os.path.join(directory, "trace")
        self.broker = Broker(directory, authority, ADMIN + settings + "\nsandbox = false\n", {
            "LD_PRELOAD": RECORDER, "POWER_TRACE": self.trace, "POWER_PLANT": plant,
            "POWER_STORE": os.path.join(directory, "data")}, **more)
        self.ctl = Ctl(self.broker)
        self.clients = []
        self.stories = {}
        self.stages = []

    def stop(self):
        """The broker stops, and does not wait for its clients."""
        self._close()
        self.broker.stop()

    def kill(self):
        """SIGKILL, once the recorder has noted all sends that clients have read."""
        for client in self.clients:
            client.barrier()
        self.broker.kill()
        self._close()

    def _close(self):
        for client in self.clients:
            client.close()
        self.clients = []

    def module(self, name, max_in_flight=1000, **more):
        client = Witness(self.broker.address, self.authority.module(name), name, **more)
        client.hello(max_in_flight)
        self.clients.append(client)
        return client

    def now(self):
        """The place where the trace goes on."""
        return os.stat(self.trace).st_size

    # What modules do, and what the broker thereby promises

    def offer(self, client, batch):
        """Sends a batch; its story, that has to be continued when the answer has come."""
        story = self.stories.setdefault(batch["metadata"]["batch_id"], Story(
            {"ALPHA": "alpha-beta", "BETA": "beta-gamma"}[client.module], batch))
        story.asked = self.now()
        client.send(batch)
        return story

    def hear(self, client, batch):
        """The answer to a batch that was sent: what it promises. Returns it."""
        answer = client.answer_to(batch)
        story = self.stories[batch["metadata"]["batch_id"]]
        taken = answer.type == "ACKNOWLEDGMENT" and answer.status == "RECEIVED"
        story.step("queued", story.asked, answer.left if taken else NEVER)
        return answer

    def hand_over(self, client, **fields):
        batch = client.batch(**fields)
        self.offer(client, batch)
        answer = self.hear(client, batch)
        if answer.type != "ACKNOWLEDGMENT" or answer.status != "RECEIVED":
            raise AssertionError("not taken: %s" % answer)
        return batch

    def finish(self, client, delivery):
        asked = self.now()
        echo = client.finish(delivery)
        self.stories[delivery.batch_id].step("ended", asked, echo.left)

    def reject(self, client, delivery):
        asked = self.now()
        echo = client.reject(delivery, "PERMANENT")
        self.stories[delivery.batch_id].step("dead", asked, echo.left)

    def complete(self, client, deliveries, **fields):
        """One message ends these and hands over their result: all of it, or nothing."""
        output = client.batch(completes=[messages.completion(d) for d in deliveries], **fields)
        asked = self.offer(client, output).asked
        answer = self.hear(client, output)
        if answer.type != "ACKNOWLEDGMENT" or answer.status != "RECEIVED":
            raise AssertionError("stage not taken: %s" % answer)
        for delivery in deliveries:
            self.stories[delivery.batch_id].step("ended", asked, answer.left)
            client.answer_to(output)
        self.stages.append((output["metadata"]["batch_id"], [d.batch_id for d in deliveries]))
        return output

    def operate(self, state, batches, *words):
        """handoffctl does something to these, after which they are in that state."""
        asked = self.now()
        self.ctl.say(*words)
        for batch in batches:
            self.stories[batch["metadata"]["batch_id"]].step(state, asked, self.now())

    # The end

    def received(self):
        """The stories of what was taken into custody, each with the place where that was said."""
        places = self._places()
        return [(story, places(told)) for story in self.stories.values()
                for state, _, told in story.steps[:1]
                if state == "queued" and isinstance(told, tuple)]

    def write_down(self):
        """The stories as a file that replay.c reads; its name."""
        places = self._places()
        path = os.path.join(self.directory, "stories")
        with open(path, "w") as file:
            for story in self.stories.values():
                file.write("batch %s %s %s\n" % (story.route, story.batch_id, story.digest))
                for state, asked, told in story.steps:
                    told = places(told) if isinstance(told, tuple) else told
                    file.write("step %s %d %d\n" % (state, asked, told))
            for output, inputs in self.stages:
                for batch_id in inputs:
                    file.write("stage %s %s\n" % (output, batch_id))
        return path

    def _places(self):
        """Tells the place in the trace of the send() that took byte `taken` to a peer's port."""
        sends, ports = {}, {}
        for place, kind, file, at, _ in read_trace(self.trace):
            if kind == ACCEPT:
                ports[file] = at
                sends[at] = []
            elif kind == SEND and file in ports:
                row = sends[ports[file]]
                row.append(((row[-1][0] if row else 0) + at, place))

        def find(left):
            port, taken = left
            return next(place for total, place in sends[port] if total >= taken)
        return find
