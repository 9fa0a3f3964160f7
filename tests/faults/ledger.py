"""ledger.py - what was promised to the modules of a life, and the verdicts on what they hear.

It believes what came over the wire alone. A promise that is broken raises at once.
"""

import messages
from handoff_client import summary


class Broken(AssertionError):
    """A verdict that has to be empty is not."""


class Refused(Exception):
    """An answer that says no to what was right: for a moment, or so it has to be."""


class Sent:
    """A batch as it was first sent; what a stage made it from."""

    def __init__(self, module, message, body, is_right):
        self.module = module
        self.message = message
        self.body = body
        self.is_right = is_right
        self.inputs = [entry["batch_id"] for entry in message.get("completes") or []]
        self.is_acked = False
        self.is_ended = False       # nobody may hear of it again, but as a repeat's answer
        self.is_dead = False


class Ledger:
    def __init__(self):
        self.batches = {}           # batch_id -> Sent

    def send(self, module, message, is_right=True):
        """To be called before the batch is sent for the first time; its bytes."""
        body = messages.encode(message)
        self.batches[message["metadata"]["batch_id"]] = Sent(module, message, body, is_right)
        return body

    def open_ones(self):
        """Those that still have to end: all right ones, acknowledged or not."""
        return [batch for batch in self.batches.values() if batch.is_right and not batch.is_ended]

    def ended_ones(self):
        return [batch for batch in self.batches.values() if batch.is_ended]

    def forget(self):
        self.batches.clear()

    def hear(self, module, message):
        """Everything that a module reads passes here."""
        if message.type == "BATCH_TRANSFER":
            self._hear_delivery(message)
        elif message.type == "ACKNOWLEDGMENT" and message.batch_id in self.batches:
            batch = self.batches[message.batch_id]
            if "notice" in message or batch.module != module:
                self._hear_end(batch, message)
            else:
                self._hear_answer(batch, message)

    def _hear_delivery(self, message):
        batch = self.batches.get(message.batch_id)
        if batch is None or not batch.is_right:
            raise Broken("invented: " + summary(message))
        if messages.without_delivery(message.body) != batch.body:
            raise Broken("delivered with other bytes: " + summary(message))
        if batch.is_ended:
            raise Broken("resurrected: " + summary(message))

    def _hear_end(self, batch, message):
        """An echo to the target, or the source's outcome."""
        if message.status == "PROCESSED":
            batch.is_ended, batch.is_dead = True, False

    def _hear_answer(self, batch, message):
        duplicate = bool(message.get("duplicate"))
        if message.status == "REJECTED" and not duplicate:
            if batch.is_acked:
                raise Broken("acknowledged, then refused: " + summary(message))
            return
        if not batch.is_right:
            raise Broken("false RECEIVED: " + summary(message))
        if batch.is_acked and not duplicate:
            raise Broken("lost: acknowledged, then new: " + summary(message))
        batch.is_acked = True
        batch.is_dead = message.status == "REJECTED"
        if message.status == "PROCESSED":
            batch.is_ended = True
        for batch_id in batch.inputs:
            self.batches[batch_id].is_ended = True
