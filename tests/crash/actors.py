"""actors.py - the modules of the crash test: sources, their echo, stages and sinks, each a process.

What a target does with a delivery is drawn by chance: it rejects some for now and some for good,
rejects single records of some, and is lost with what it holds now and then. A few batches are
rejected until their attempts are used up.
"""

import hashlib
import os
import time
import zlib

from actor import LEAVE, WORK, Actor, Sent, messages

MAX_RETRIES = 3


# --- ALPHA ----------------------------------------------------------------------------------------

def spoil(message, how):
    """Makes a right batch wrong in one way; the code that it has to be refused with."""
    if how == "checksum":
        message["metadata"]["checksum"] = "0" * 64
        return "INT_BATCH_001"
    if how == "count":
        message["metadata"]["record_count"] += 1
        return "INT_BATCH_002"
    message["header"]["source_module"] = "GAMMA"
    return "INT_AUTH_002"


class Source(Actor):
    """Hands over batches, most of them small; a few are wrong, and a few frames are cut in two.

    Some it also lays where the echo finds them, which sends the same bytes from its own connection.
    """

    module = "ALPHA"
    window = 24
    most_awaited = 100

    def work(self):
        if self.phase() != WORK:
            self.ask_again()
            return
        for _ in range(6):
            if len(self.unanswered) >= self.window or len(self.awaited) >= self.most_awaited:
                return
            self.hand_over()

    def hand_over(self):
        size = self.chance.choice((20,) * 60 + (2000,) * 20 + (60000,) * 3 + (800000,))
        message = messages.batch(sequence_number=self.next_number(), size=size,
                                 count=self.chance.randrange(1, 4), **self.choose_seen())
        expected = None
        if self.chance.random() < 0.01:
            expected = spoil(message, self.chance.choice(("checksum", "count", "identity")))
        sent = Sent(message, expected)
        if self.chance.random() < 0.002:
            self.send_a_part(sent)      # and if that fails, the batch was never sent, by nobody
        if not expected and size <= 2000 and self.chance.random() < 0.15:
            self.lay_out(sent)
        self.send_batch(sent, "alpha-beta")

    def lay_out(self, sent):
        path = os.path.join(self.scene.directory, "echo", sent.message_id)
        with open(path + ".new", "wb") as file:
            file.write(sent.body)
        os.rename(path + ".new", path)

    def send_a_part(self, sent):
        """The connection ends within a frame: that leaves no trace, and the whole may follow."""
        frame = messages.frame(sent.body)
        self.client.send_bytes(frame[:self.chance.randrange(1, len(frame))])
        self.client.close()

    def ask_again(self):
        """Of a batch whose outcome went to another, a repeat is answered with its state."""
        if self.awaited and not self.unanswered and self.is_silent():
            for sent in list(self.awaited.values()):
                self.unanswered[sent.message_id] = sent
            self.repeat()


class Echo(Actor):
    """Repeats what sources send, from a connection of its own; and the same id with other content.

    Some it repeats once more later, when it may have ended.
    """

    module = "ALPHA"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.later = []             # bodies

    def work(self):
        if self.later and self.chance.random() < 0.3:
            self.echo(self.later.pop(0))
        directory = os.path.join(self.scene.directory, "echo")
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if not name.endswith(".new"):
                with open(path, "rb") as file:
                    body = file.read()
                os.unlink(path)
                self.later.append(body)
                self.echo(body)

    def echo(self, body):
        sent = Sent(messages.decode(body))
        if self.phase() != WORK or sent.message_id in self.unanswered:
            return
        self.log.add("repeated", batch_id=sent.batch_id, message_id=sent.message_id)
        self.unanswered[sent.message_id] = sent
        self.client.send_body(sent.body)

    def hear_answer(self, message, sent):
        super().hear_answer(message, sent)
        is_taken = self.awaited.pop(sent.batch_id, None)
        if is_taken and self.chance.random() < 0.1:
            forged = messages.batch(batch_id=sent.batch_id, count=1, size=7,
                                    sequence_number=self.next_number())
            self.send_batch(Sent(forged, "INT_BATCH_003"), "alpha-beta")


# --- targets --------------------------------------------------------------------------------------

class Held:
    """A delivery, and what its target makes of it."""

    def __init__(self, message, rejected=(), named=True):
        self.message = message
        self.batch_id = message.batch_id
        self.lease = message.lease
        self.rejected = list(rejected)      # record_ids
        self.named = named                  # whether the errors say which
        self.count = message["metadata"]["record_count"]

    def errors(self, module):
        return [messages.error(module, "PERMANENT", "RECORD", context={"record_id": record_id})
                for record_id in (self.rejected if self.named else ())]

    def story(self):
        return {"batch_id": self.batch_id, "lease": self.lease, "rejected": self.rejected,
                "named": self.named}


class Target(Actor):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = {}              # lease -> Held, not worked on
        self.finishing = {}         # lease -> Held, PROCESSED was said or is to be
        self.asked = {}             # message_id of a PROCESSED -> lease
        self.outages = zlib.crc32(self.module.encode())

    def has_work(self):
        return super().has_work() or bool(self.held or self.finishing)

    def die(self):
        super().die()
        self.held.clear()
        self.finishing.clear()

    def choose_holds(self):
        self.asked.clear()
        if self.chance.random() < 0.15:
            self.held.clear()
            self.finishing.clear()
        return [*self.held, *self.finishing]

    def repeat(self):
        super().repeat()
        for held in list(self.finishing.values()):
            self.say_processed(held)

    def hear_delivery(self, message):
        delivery = message["delivery"]
        body = messages.without_delivery(message.body)
        self.log.add("delivered", batch_id=message.batch_id, lease=message.lease,
                     attempt=message.attempt, module=self.module, route=delivery["route"],
                     digest=hashlib.sha256(body).hexdigest(), records=messages.record_ids(message))
        self.may_die()
        if self.phase() == WORK and self.chance.random() < 0.03:
            self.complain(message)
        rejection = self.choose_rejection(message)
        if rejection:
            self.log.add("rejected", batch_id=message.batch_id, permanent=rejection == "PERMANENT")
            self.client.acknowledge(message, "REJECTED",
                                    errors=[messages.error(self.module, rejection)])
            self.may_die()
        else:
            self.take(Held(message, *self.choose_records(message)))

    def complain(self, message):
        """An error of the batch, which its source has to hear, and which decides nothing."""
        error = messages.error(self.module, severity="WARNING",
                               context={"batch_id": message.batch_id})
        self.log.add("complained", batch_id=message.batch_id, error_id=error["error_id"])
        self.client.send(messages.error_notification(self.module, [error]))

    def has_outage(self):
        """Now and then nothing works in the whole module, for half a second: circuits open."""
        half_seconds = int(2 * time.monotonic())
        return self.phase() == WORK and zlib.crc32(b"%d" % half_seconds, self.outages) % 12 == 0

    def choose_rejection(self, message):
        if self.phase() == LEAVE:
            return None
        if self.has_outage():
            return "TRANSIENT"
        is_stubborn = zlib.crc32(message.batch_id.encode()) % 100 == 0
        if is_stubborn and message.attempt <= MAX_RETRIES + 1:
            return "TRANSIENT"
        draw = self.chance.random()
        return "PERMANENT" if draw < 0.01 else "TRANSIENT" if draw < 0.03 else None

    def choose_records(self, message):
        """The records to be rejected, and whether the errors name them."""
        draw = self.chance.random()
        ids = messages.record_ids(message)
        if draw > 0.05 or len(ids) < 2:
            return (), True
        return self.chance.sample(ids, self.chance.randrange(1, len(ids))), draw > 0.02

    def say_processed(self, held):
        self.log.add("asked", **held.story())
        rejected = len(held.rejected)
        message = self.client.acknowledge(held.message, "PROCESSED", held.count - rejected,
                                          rejected, errors=held.errors(self.module))
        self.asked[message["header"]["message_id"]] = held.lease
        self.may_die()

    def finish(self, held):
        self.finishing[held.lease] = held
        self.say_processed(held)

    def hear_echo(self, message):
        """PROCESSED is durable; so is REJECTED, which ends nothing here."""
        held = self.finishing.pop(self.asked.pop(message["in_reply_to"], None), None)
        if held and message.status == "PROCESSED":
            self.log.add("ended", batch_id=held.batch_id, lease=held.lease)
            self.ended(held)

    def ended(self, held):
        pass

    def hear_stale(self, message):
        self.finishing.pop(self.asked.pop(message.get("in_reply_to"), None), None)


class Stage(Target):
    """Makes one batch out of one to three, under an id of its own, and ends those in the same step.

    The id is random: if the broker took an output twice, or one of a stage that was replaced, two
    outputs would tell of the same input at the sink.
    """

    module = "BETA"
    max_in_flight = 12

    def choose_holds(self):
        promised = [held.lease for sent in self.unanswered.values() for held in sent.inputs]
        return super().choose_holds() + promised

    def take(self, held):
        self.held[held.lease] = held
        if self.chance.random() < 0.3:
            self.client.acknowledge(held.message, "RECEIVED")

    def work(self):
        while self.held and self.chance.random() < 0.8:
            leases = self.chance.sample(sorted(self.held),
                                        min(len(self.held), self.chance.randrange(1, 4)))
            inputs = [self.held.pop(lease) for lease in leases]
            if len(inputs) == 1 and self.chance.random() < 0.05:
                self.finish(inputs[0])      # an output that is empty
            else:
                self.send_output(inputs)

    def send_output(self, inputs):
        first = inputs[0].message
        completes = [messages.completion(held.message,
                                         records_accepted=held.count - len(held.rejected),
                                         records_rejected=len(held.rejected),
                                         errors=held.errors(self.module)) for held in inputs]
        message = messages.batch("BETA", "GAMMA", self.next_number(), first["records"],
                                 count=inputs[0].count, completes=completes,
                                 **self.choose_seen())
        self.send_batch(Sent(message, inputs=inputs), "beta-gamma")
        self.may_die()

    def hear_answer(self, message, sent):
        """Of a refused output one lease is no longer current: the other inputs are still held."""
        super().hear_answer(message, sent)
        if message.status == "REJECTED" and message.code == "INT_BATCH_005":
            stale = int(message.field_name.split(".")[1])
            self.held.update((held.lease, held) for number, held in enumerate(sent.inputs)
                             if number != stale)

    def hear_confirmation(self, message):
        self.log.add("confirmation", batch_id=message.batch_id, notice=message["notice"],
                     records=[result["record_id"] for result in message["delivery_results"]])


class Sink(Target):
    """Applies each batch once, by its id, says PROCESSED, and confirms some, in two parts."""

    module = "GAMMA"
    max_in_flight = 16

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.unconfirmed = {}       # lease -> Held, to be confirmed
        self.barriers = {}          # message_id of what follows a confirmation -> lease

    def has_work(self):
        return super().has_work() or bool(self.unconfirmed)

    def die(self):
        super().die()
        self.unconfirmed.clear()

    def take(self, held):
        self.held[held.lease] = held
        self.apply(held.message)
        self.may_die()

    def apply(self, message):
        """The effect: a file for the batch, which can be made once, whatever sink makes it."""
        path = os.path.join(self.scene.directory, "effects", message.batch_id)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        self.log.add("effect", batch_id=message.batch_id)
        self.log.sync()

    def work(self):
        for lease, held in list(self.held.items()):
            if self.chance.random() < 0.7:
                self.finish(self.held.pop(lease))

    def repeat(self):
        super().repeat()
        for held in self.unconfirmed.values():
            self.confirm(held)

    def ended(self, held):
        if self.chance.random() < 0.3:
            self.unconfirmed[held.lease] = held
            self.confirm(held)

    def confirm(self, held):
        """What follows is no message, and refused: then all before it is durable."""
        ids = [i for i in messages.record_ids(held.message) if i not in held.rejected]
        half = len(ids) // 2
        for part in (ids[:half], ids[half:]):
            if part:
                self.client.send(messages.confirmation(
                    self.module, held.batch_id, [messages.delivery_result(i) for i in part],
                    correlation_id=held.message["header"]["correlation_id"]))
        barrier = self.client.send({"header": messages.header(self.module, "BARRIER")})
        self.barriers[barrier["header"]["message_id"]] = held.lease

    def hear_error(self, message):
        lease = self.barriers.pop(message.get("in_reply_to"), None)
        if lease is None:
            super().hear_error(message)
        elif lease in self.unconfirmed:
            held = self.unconfirmed.pop(lease)
            self.log.add("confirmed", batch_id=held.batch_id, records=[
                i for i in messages.record_ids(held.message) if i not in held.rejected])
