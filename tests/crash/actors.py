"""actors.py - the modules of the crash test: sources, stages and sinks, each a process of its own.

An actor lives on while the broker is killed: it connects again, repeats what was not answered, and
names in HELLO what it holds. All that it does and hears it writes to a log of its own, a JSON
object a line, from which the oracle judges; what it is about to send, before it sends it.
"""

import hashlib
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "client"))

import messages  # noqa: E402
from handoff_client import Client, Closed, Silence, summary  # noqa: E402

LULL_SECONDS = 0.02

# The phases of the test: all work; then those at the front leave first, in good order; then all.
WORK, SOURCES_LEAVE, STAGES_LEAVE, SINKS_LEAVE, ALL_LEAVE = range(5)

FULL = ("INT_ROUTE_002", "INT_STORE_001")


def digest(body):
    return hashlib.sha256(body).hexdigest()


class Actor:
    """What sources, stages and sinks have in common: the connection, the log, the mailbox."""

    module = None
    max_in_flight = 0
    leaves_in = None                # the phase in which it leaves when it has nothing to do

    def __init__(self, name, address, credentials, directory, seed, phase):
        self.name = name
        self.address = address
        self.credentials = credentials
        self.directory = directory
        self.chance = random.Random("%s %s" % (seed, name))
        self.phase = phase          # WORK and so on, shared by all
        self.seen = 0
        self.broker_id = None
        self.client = None
        self.connections = 0
        self.unanswered = {}        # batch_id -> the batch as it was sent, with its bytes
        self.awaited = set()        # batches in custody whose outcome is still to come
        self.sequence_number = 0

    def run(self):
        with open(os.path.join(self.directory, self.name + ".log"), "w") as self.log_file:
            while not self.is_finished():
                try:
                    self.connect()
                    self.repeat()
                    while not self.is_finished():
                        self.work()
                        self.listen()
                except (OSError, Closed, Silence):
                    pass
                finally:
                    if self.client:
                        self.client.close()
                        self.client = None
                time.sleep(self.chance.uniform(0.005, 0.05))

    def is_finished(self):
        phase = self.phase.value
        return phase == ALL_LEAVE or (phase >= self.leaves_in and not self.has_work())

    def has_work(self):
        return bool(self.unanswered or self.awaited)

    def log(self, event, **fields):
        self.log_file.write(json.dumps({"event": event, **fields}) + "\n")
        self.log_file.flush()

    def connect(self):
        self.client = Client(self.address, self.credentials, self.module, self.name)
        confirmed = self.seen
        hello = {"seen": confirmed, "broker_id": self.broker_id} if self.broker_id else {}
        self.client.hello(self.max_in_flight, holds=self.choose_holds(), **hello)
        self.broker_id = self.client.welcome["broker_id"]
        self.connections += 1
        self.log("connected", seen=confirmed)

    def choose_holds(self):
        return []

    def repeat(self):
        """Sends again, byte for byte, what was not answered."""
        for batch in list(self.unanswered.values()):
            self.client.send_body(batch["body"])

    def listen(self):
        """Reads what has come, and a little longer when nothing has."""
        seconds = LULL_SECONDS
        try:
            while True:
                self.hear(self.client.next(seconds))
                seconds = 0
        except Silence:
            pass

    def hear(self, message):
        if message.type == "ACKNOWLEDGMENT" and "notice" in message:
            self.hear_outcome(message)
        elif message.type == "ACKNOWLEDGMENT" and message.batch_id in self.unanswered:
            self.hear_answer(message, self.unanswered[message.batch_id])
        elif message.type == "BATCH_TRANSFER":
            self.hear_delivery(message)
        elif message.type == "ACKNOWLEDGMENT":
            self.hear_echo(message)
        elif message.type == "ERROR_NOTIFICATION" and message.code == "INT_DELIVERY_005":
            self.hear_stale(message)
        elif message.type == "ERROR_NOTIFICATION" and message.code in FULL:
            pass
        elif message.type != "GOODBYE":
            self.log("confused", message=summary(message))

    def hear_outcome(self, message):
        self.seen = max(self.seen, message["notice"])
        self.awaited.discard(message.batch_id)
        self.log("outcome", batch_id=message.batch_id, status=message.status,
                 notice=message["notice"])

    def hear_answer(self, message, batch):
        if message.status == "REJECTED" and message.code in FULL:
            self.client.send_body(batch["body"])
            return
        del self.unanswered[message.batch_id]
        if message.status == "REJECTED":
            self.log("refused", batch_id=message.batch_id, code=message.code)
        else:
            self.log("acked", batch_id=message.batch_id, status=message.status,
                     duplicate=bool(message.get("duplicate")))
            if message.status == "RECEIVED":
                self.awaited.add(message.batch_id)

    def hear_delivery(self, message):
        self.log("confused", message="a delivery: " + summary(message))

    hear_echo = hear_stale = hear_delivery

    def next_number(self):
        self.sequence_number += 1
        return self.sequence_number

    def send_batch(self, message, is_right=True, **logged):
        body = messages.encode(message)
        batch_id = message["metadata"]["batch_id"]
        self.log("sent", batch_id=batch_id, digest=digest(body), is_right=is_right, **logged)
        self.unanswered[batch_id] = {"body": body, "message": message}
        self.client.send_body(body)

    def log_delivery(self, message):
        delivery = message["delivery"]
        self.log("delivered", batch_id=message.batch_id, lease=delivery["lease"],
                 attempt=delivery["attempt"], connection=self.connections,
                 digest=digest(messages.without_delivery(message.body)))


class Source(Actor):
    """Hands over batches, most of them small, and a few with a checksum that is wrong."""

    module = "ALPHA"
    leaves_in = SOURCES_LEAVE
    window = 24
    most_awaited = 150

    def work(self):
        for _ in range(6):
            if (self.phase.value != WORK or len(self.unanswered) >= self.window
                    or len(self.awaited) >= self.most_awaited):
                return
            size = self.chance.choice((20,) * 40 + (2000,) * 20 + (60000,) * 3 + (1500000,))
            message = messages.batch(sequence_number=self.next_number(), size=size,
                                     count=self.chance.randrange(1, 4), seen=self.seen)
            is_right = self.chance.random() > 0.01
            if not is_right:
                message["metadata"]["checksum"] = "0" * 64
            self.send_batch(message, is_right)


class Stage(Actor):
    """Makes one batch out of one to three, under an id of its own, and ends those in the same step.

    The id is random: if the broker took an output twice, or one of a stage that was replaced, two
    outputs would tell of the same input at the sink.
    """

    module = "BETA"
    leaves_in = STAGES_LEAVE
    max_in_flight = 12

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = {}              # lease -> delivery, not yet worked on

    def has_work(self):
        return super().has_work() or bool(self.held)

    def choose_holds(self):
        if self.chance.random() < 0.15:
            self.held.clear()
        promised = [entry["lease"] for batch in self.unanswered.values()
                    for entry in batch["message"]["completes"]]
        return list(self.held) + promised

    def hear_delivery(self, message):
        self.log_delivery(message)
        if self.chance.random() < 0.02:
            self.log("rejected", batch_id=message.batch_id)
            self.client.acknowledge(message, "REJECTED", errors=[messages.error(self.module)])
            return
        self.held[message.lease] = message
        if self.chance.random() < 0.3:
            self.client.acknowledge(message, "RECEIVED")

    def work(self):
        while self.held and self.chance.random() < 0.8:
            leases = self.chance.sample(sorted(self.held),
                                        min(len(self.held), self.chance.randrange(1, 4)))
            inputs = [self.held.pop(lease) for lease in leases]
            self.send_batch(
                messages.batch("BETA", "GAMMA", self.next_number(), inputs[0]["records"],
                               count=inputs[0]["metadata"]["record_count"],
                               completes=[messages.completion(d) for d in inputs], seen=self.seen),
                inputs=[[d.batch_id, d.lease] for d in inputs])

    def hear_answer(self, message, batch):
        super().hear_answer(message, batch)
        if message.batch_id not in self.unanswered and message.status != "REJECTED":
            for entry in batch["message"]["completes"]:
                self.log("ended", batch_id=entry["batch_id"], lease=entry["lease"])

    def hear_echo(self, message):
        """PROCESSED of an input follows the RECEIVED of its output; REJECTED ends nothing here."""

    def hear_stale(self, message):
        """A RECEIVED came too late."""


class Sink(Actor):
    """Applies each batch once, by its id, and says PROCESSED."""

    module = "GAMMA"
    leaves_in = SINKS_LEAVE
    max_in_flight = 16

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = {}              # lease -> delivery, applied and perhaps not acknowledged
        self.asked = {}             # message_id of a PROCESSED -> lease

    def has_work(self):
        return bool(self.held)

    def choose_holds(self):
        self.asked.clear()
        if self.chance.random() < 0.15:
            self.held.clear()
        return list(self.held)

    def repeat(self):
        for delivery in list(self.held.values()):
            self.say_processed(delivery)

    def say_processed(self, delivery):
        message = self.client.acknowledge(delivery, "PROCESSED")
        self.asked[message["header"]["message_id"]] = delivery.lease

    def hear_delivery(self, message):
        self.log_delivery(message)
        if self.chance.random() < 0.02:
            self.log("rejected", batch_id=message.batch_id)
            self.client.acknowledge(message, "REJECTED", errors=[messages.error(self.module)])
            return
        self.held[message.lease] = message
        self.apply(message)

    def apply(self, message):
        """The effect: a file for the batch, which can be made once, whatever sink makes it."""
        path = os.path.join(self.directory, "effects", message.batch_id)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            self.log("effect", batch_id=message.batch_id)
        except FileExistsError:
            pass

    def work(self):
        asked = set(self.asked.values())
        for lease, delivery in list(self.held.items()):
            if lease not in asked and self.chance.random() < 0.7:
                self.say_processed(delivery)

    def hear_echo(self, message):
        lease = self.asked.pop(message["in_reply_to"], None)
        if lease is not None and message.status == "PROCESSED":
            del self.held[lease]
            self.log("ended", batch_id=message.batch_id, lease=lease)

    def hear_stale(self, message):
        lease = self.asked.pop(message.get("in_reply_to"), None)
        self.held.pop(lease, None)
