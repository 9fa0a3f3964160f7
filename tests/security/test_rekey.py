"""test_rekey.py - keys that reach their limit of use: reliability B19.

The limit is set to its least, 100 records: a source and a target are asked to come anew over and
over, with batches sent, held and answered at that moment. Nothing is lost, nothing comes twice.
"""

import threading
import time

from stranger_case import (ADMIN, PATIENCE_SECONDS, Closed, Ctl, StrangerCase, figure, messages,
                           scaled)

WINDOW = 2
RECORDS = 100


class Module(threading.Thread):
    """Comes anew whenever it is asked to, as the same instance."""

    def __init__(self, case, broker, name):
        super().__init__(daemon=True)
        self.case, self.broker, self.name_of_module = case, broker, name
        self.instance_id = messages.new_id()
        self.rekeys = 0
        self.problem = None
        self.stop = False

    def run(self):
        try:
            while not self.stop:
                client = self.case.module(self.broker, self.name_of_module, WINDOW,
                                          self.instance_id, **self.hello())
                try:
                    while not self.stop:
                        self.step(client)
                except Closed:
                    for message in client.expect_closed():
                        self.count_rekey(message)
                    client.close()
        except (AssertionError, OSError, LookupError) as problem:
            self.problem = problem

    def count_rekey(self, message):
        self.rekeys += message.type == "GOODBYE" and message["reason"] == "REKEY"

    def hello(self):
        return {}


class Source(Module):
    def __init__(self, case, broker, batches):
        super().__init__(case, broker, "ALPHA")
        self.todo, self.waiting = batches, []
        self.outcomes = []
        self.seen = None

    def hello(self):
        self.todo, self.waiting = self.waiting + self.todo, []
        return {"seen": self.seen[0], "broker_id": self.seen[1]} if self.seen else {}

    def step(self, client):
        while self.todo and len(self.waiting) < WINDOW:
            self.waiting.append(self.todo.pop(0))
            try:
                client.send(self.waiting[-1])
            except OSError:
                break               # asked to come anew meanwhile: what it was told can be read
        message = client.expect("ACKNOWLEDGMENT")
        if "notice" in message:
            self.seen = message["notice"], client.welcome["broker_id"]
            self.outcomes.append((message.batch_id, message.status))
        else:
            self.waiting = [batch for batch in self.waiting
                            if batch["metadata"]["batch_id"] != message.batch_id]


class Target(Module):
    def __init__(self, case, broker):
        super().__init__(case, broker, "BETA")
        self.held = {}              # deliveries by lease, that are not yet known to have ended
        self.came = []              # batch ids as they were delivered
        self.answered = set()

    def hello(self):
        self.answered = set()
        return {"holds": list(self.held)}

    def step(self, client):
        for lease in set(self.held) - self.answered:
            self.answered.add(lease)
            try:
                client.acknowledge(self.held[lease], "PROCESSED")
            except OSError:
                break
        message = client.next()
        if message.type == "BATCH_TRANSFER":
            self.held[message.lease] = message
            self.came.append(message.batch_id)
        elif message.type == "ACKNOWLEDGMENT":
            self.held = {lease: one for lease, one in self.held.items()
                         if one.batch_id != message.batch_id}
        else:
            self.count_rekey(message)


class Rekey(StrangerCase):
    def test_nothing_is_lost_however_often_keys_wear_out(self):
        count = scaled(1000)
        broker = self.start_broker(
            'route "alpha-beta" { queue_capacity = 1000000 }\n' + ADMIN, rekey_records=RECORDS,
            reclaim_ms=int(1000 * PATIENCE_SECONDS), store_size="%dM" % max(64, count // 50))
        batches = [messages.batch(sequence_number=i + 1, count=1) for i in range(count)]
        source, target = Source(self, broker, list(batches)), Target(self, broker)
        began = time.monotonic()
        source.start()
        target.start()
        deadline = time.monotonic() + 3 * PATIENCE_SECONDS + count / 20
        while len(set(source.outcomes)) < count and time.monotonic() < deadline:
            self.assertIsNone(source.problem)
            self.assertIsNone(target.problem)
            time.sleep(0.02)
        seconds = time.monotonic() - began
        source.stop = target.stop = True
        ids = {batch["metadata"]["batch_id"] for batch in batches}
        self.assertEqual(set(source.outcomes), {(one, "PROCESSED") for one in ids})
        self.assertEqual(len(source.outcomes), count, "an outcome was told twice")
        self.assertEqual(set(target.came), ids)
        self.assertEqual(len(target.came), count, "delivered again, though its holder came back")
        audit, = (one for one in Ctl(broker).ask("audit")["routes"]
                  if one["route"] == "alpha-beta")
        self.assertEqual((audit["received"], audit["processed"], audit["dead"]), (count, count, 0))
        rekeys = source.rekeys + target.rekeys
        self.assertGreater(rekeys, count // RECORDS)
        figure("%d batches over connections of %d records: %d came anew, 0 lost, 0 twice (%.0f s)",
               count, RECORDS, rekeys, seconds)
