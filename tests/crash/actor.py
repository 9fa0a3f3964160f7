"""actor.py - what all modules of the crash test have in common: log, connection, mailbox.

An actor lives on while the broker is killed: it connects again, repeats what was not answered, and
names in HELLO what it holds. All that it does and hears it writes to a log of its own, a JSON
object a line, from which the oracle judges; and that is on the disk before anything that follows
from it leaves the actor.
"""

import hashlib
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "client"))

import messages  # noqa: E402
from handoff_client import PATIENCE_SECONDS, Client, Closed, Silence, summary  # noqa: E402

LULL_SECONDS = 0.02
SILENCE_SECONDS = PATIENCE_SECONDS / 16     # who has heard nothing for so long has heard all

# The phases of a round: all work; no new work, until nothing is in custody; all leave; in any case.
WORK, SETTLE, LEAVE, GO = range(4)

FULL = ("INT_ROUTE_002", "INT_STORE_001")
EXPECTED = ("GOODBYE", "BACKPRESSURE", "HEALTH_CHECK_REQUEST")


class Died(Exception):
    """The actor plays dead: its connection is cut, and it has forgotten what it held."""


class Log:
    def __init__(self, path):
        self.file = open(path, "a")
        self.is_dirty = False

    def add(self, event, **fields):
        self.file.write(json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n")
        self.is_dirty = True

    def sync(self):
        if self.is_dirty:
            self.file.flush()
            os.fdatasync(self.file.fileno())
            self.is_dirty = False


class LoggingClient(Client):
    """Sends nothing before the log is on the disk."""

    def __init__(self, log, *arguments):
        self.log = log
        super().__init__(*arguments)

    def send_bytes(self, data):
        self.log.sync()
        super().send_bytes(data)


class Sent:
    """A batch as it was sent, with its bytes; `expected` is the code that has to refuse it."""

    def __init__(self, message, expected=None, inputs=()):
        self.message_id = message["header"]["message_id"]
        self.batch_id = message["metadata"]["batch_id"]
        self.body = messages.encode(message)
        self.expected = expected
        self.inputs = inputs        # what a stage made it from: Held


class Scene:
    """What a round has in common: where, who, and in which phase it is."""

    def __init__(self, broker, authority, directory, seed, deaths, phase):
        self.address = broker.address
        self.admin_socket = os.path.join(broker.directory, "admin.sock")
        self.authority = authority
        self.directory = directory  # of the logs; not the broker's
        self.seed = seed
        self.deaths = deaths        # whether modules die, too
        self.phase = phase          # shared by all processes


class Actor:
    module = None
    max_in_flight = 0

    def __init__(self, name, scene):
        self.name = name
        self.scene = scene
        self.chance = random.Random("%s %s" % (scene.seed, name))
        self.seen = 0
        self.broker_id = None
        self.client = None
        self.heard_at = 0
        self.unanswered = {}        # message_id -> Sent
        self.awaited = {}           # batch_id -> Sent, in custody: its outcome is still to come
        self.sequence_number = 0

    def run(self):
        self.log = Log(os.path.join(self.scene.directory, self.name + ".log"))
        while not self.is_finished():
            try:
                self.connect()
                self.repeat()
                while not self.is_finished():
                    self.work()
                    self.listen()
            except Died:
                self.die()
            except (OSError, Closed, Silence):
                pass
            finally:
                if self.client:
                    self.client.close()
                    self.client = None
            time.sleep(self.chance.uniform(0.005, 0.05))
        self.log.sync()

    def phase(self):
        return self.scene.phase.value

    def is_finished(self):
        return self.phase() == GO or (self.phase() == LEAVE and not self.has_work()
                                      and self.is_silent())

    def is_silent(self):
        return time.monotonic() > self.heard_at + SILENCE_SECONDS

    def has_work(self):
        return bool(self.unanswered or self.awaited)

    def may_die(self):
        """One of the moments at which a module may be lost with all it holds."""
        if self.scene.deaths and self.phase() == WORK and self.chance.random() < 0.002:
            raise Died

    def die(self):
        self.log.add("died", module=self.module)
        for sent in self.unanswered.values():
            self.log.add("forgotten", batch_id=sent.batch_id, message_id=sent.message_id)
        self.unanswered.clear()

    # The connection

    def connect(self):
        self.client = LoggingClient(self.log, self.scene.address,
                                    self.scene.authority.module(self.module), self.module,
                                    self.name)
        confirmed = self.seen
        hello = {"seen": confirmed, "broker_id": self.broker_id} if self.broker_id else {}
        self.client.hello(self.max_in_flight, holds=self.choose_holds(), **hello)
        self.broker_id = self.client.welcome["broker_id"]
        self.heard_at = time.monotonic()
        self.log.add("connected", seen=confirmed)

    def choose_holds(self):
        return []

    def repeat(self):
        """Sends again, byte for byte, what was not answered."""
        for sent in list(self.unanswered.values()):
            self.log.add("repeated", batch_id=sent.batch_id, message_id=sent.message_id)
            self.client.send_body(sent.body)

    def send_batch(self, sent, route):
        digest = hashlib.sha256(sent.body).hexdigest()
        self.log.add("sent", batch_id=sent.batch_id, message_id=sent.message_id, digest=digest,
                     route=route, expected=sent.expected,
                     inputs=[held.story() for held in sent.inputs])
        self.unanswered[sent.message_id] = sent
        self.client.send_body(sent.body)

    def choose_seen(self):
        """Not each time: so outcomes stay unconfirmed for a while, and repeats move them."""
        return {"seen": self.seen} if self.chance.random() < 0.2 else {}

    def next_number(self):
        self.sequence_number += 1
        return self.sequence_number

    # What comes

    def listen(self):
        """Reads what has come, and a little longer when nothing has."""
        seconds = LULL_SECONDS
        try:
            while True:
                self.hear(self.client.next(seconds))
                self.heard_at = time.monotonic()
                seconds = 0
        except Silence:
            pass

    def hear(self, message):
        if "notice" in message:
            self.seen = max(self.seen, message["notice"])
        if message.type == "ACKNOWLEDGMENT" and "notice" in message:
            self.hear_outcome(message)
        elif message.type == "ACKNOWLEDGMENT" and message.get("in_reply_to") in self.unanswered:
            self.hear_answer(message, self.unanswered[message["in_reply_to"]])
        elif message.type == "ACKNOWLEDGMENT":
            self.hear_echo(message)
        elif message.type == "BATCH_TRANSFER":
            self.hear_delivery(message)
        elif message.type == "DELIVERY_CONFIRMATION":
            self.hear_confirmation(message)
        elif message.type == "ERROR_NOTIFICATION" and "notice" in message:
            self.log.add("warned", notice=message["notice"],
                         errors=[error["error_id"] for error in message["errors"]])
        elif message.type == "ERROR_NOTIFICATION":
            self.hear_error(message)
        elif message.type == "CIRCUIT_STATE_CHANGE":
            self.log.add("circuit", circuit_id=message["circuit_id"],
                         before=message["previous_state"], after=message["new_state"])
        elif message.type not in EXPECTED:
            self.log.add("confused", message=summary(message))

    def hear_outcome(self, message):
        self.awaited.pop(message.batch_id, None)
        self.log.add("outcome", batch_id=message.batch_id, status=message.status,
                     notice=message["notice"])

    def hear_answer(self, message, sent):
        """RECEIVED or, of a repeat, the state it has reached; or this message is refused."""
        code = message.code if message.status == "REJECTED" else ""
        if code in FULL:
            self.client.send_body(sent.body)
            return
        del self.unanswered[sent.message_id]
        if code and not code.startswith("INT_DELIVERY_") and code != "INT_STORE_002":
            self.log.add("refused", batch_id=sent.batch_id, message_id=sent.message_id, code=code)
            return
        self.log.add("acked", batch_id=sent.batch_id, message_id=sent.message_id,
                     status=message.status, duplicate=bool(message.get("duplicate")))
        if message.status == "RECEIVED":
            self.awaited[sent.batch_id] = sent
        else:
            self.awaited.pop(sent.batch_id, None)
        for held in sent.inputs:
            self.log.add("ended", batch_id=held.batch_id, lease=held.lease)

    def hear_error(self, message):
        if message.code == "INT_DELIVERY_005":
            self.hear_stale(message)
        elif message.code == "INT_DELIVERY_001":
            self.log.add("late", batch_id=message.error["context"]["batch_id"])
        elif message.code not in FULL:
            self.log.add("confused", message=summary(message))

    def hear_confused(self, message):
        self.log.add("confused", message=summary(message))

    hear_delivery = hear_echo = hear_stale = hear_confirmation = hear_confused
