"""test_repeats.py - ids sent again, together, with other contents, by others: reliability A7, A8.

Two sources over four connections each, every id sent one to five times in random order, the broker
killed in between: each batch is in custody once, every repeat is told so.
"""

import os
import random
import threading
import time

from handoff_client import Silence
from stranger_case import (ADMIN, PATIENCE_SECONDS, Closed, Ctl, StrangerCase, figure, messages,
                           scaled)

CONNECTIONS = 4
WINDOW = 32
KILLS = 4
SEED = int(os.environ.get("HANDOFF_TEST_SEED", time.time_ns() % 1000000))
LARGE = ('route "alpha-beta" { queue_capacity = 1000000 }\n'
         'route "beta-gamma" { queue_capacity = 1000000 confirm = false }\n' + ADMIN)


class Sender(threading.Thread):
    """One connection of a source, made again when the broker dies; what it sent is sent again."""

    def __init__(self, case, broker, module, batches):
        super().__init__(daemon=True)
        self.case, self.broker, self.module = case, broker, module
        self.todo = batches
        self.fresh = []             # ids that were taken for the first time, as the broker says
        self.repeats = 0
        self.wrong = []
        self.instance_id = messages.new_id()
        self.deadline = time.monotonic() + 4 * PATIENCE_SECONDS + len(batches) / 50

    def run(self):
        waiting = []
        while (self.todo or waiting) and not self.wrong:
            try:
                client = self.case.module(self.broker, self.module, 0,
                                          instance_id=self.instance_id)
                self.todo, waiting = waiting + self.todo, []
                self.send_all(client, waiting)
            except (OSError, Closed, Silence) as problem:
                if time.monotonic() > self.deadline:
                    self.wrong.append("too slow: %r" % problem)

    def send_all(self, client, waiting):
        while self.todo or waiting:
            if self.todo and len(waiting) < WINDOW:
                waiting.append(self.todo.pop(0))
                # The same batch, in a message of its own.
                client.send({**waiting[-1], "header": {**waiting[-1]["header"],
                                                       "message_id": messages.new_id()}})
                continue
            answer = client.expect("ACKNOWLEDGMENT", where=lambda m: "notice" not in m)
            if answer.batch_id != waiting[0]["metadata"]["batch_id"]:
                self.wrong.append("out of order")
            elif answer.status != "RECEIVED":
                self.wrong.append(answer)
            elif answer.get("duplicate"):
                self.repeats += 1
            else:
                self.fresh.append(answer.batch_id)
            waiting.pop(0)


class Repeats(StrangerCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print("seed: HANDOFF_TEST_SEED=%d" % SEED)

    def interleave(self, batches):
        """Each one to five times, in any order, shared out to the connections."""
        sent = [batch for batch in batches for _ in range(self.random.randint(1, 5))]
        self.random.shuffle(sent)
        return [sent[i::CONNECTIONS] for i in range(CONNECTIONS)], len(sent)

    def start_senders(self, broker, batches, module):
        shares, count = self.interleave(batches)
        senders = [Sender(self, broker, module, share) for share in shares]
        for sender in senders:
            sender.start()
        return senders, count

    def drain(self, broker, module, batches):
        """The target finishes all; each comes once, with the contents first sent."""
        target = self.module(broker, module, 200)
        due = {batch["metadata"]["batch_id"]: batch["records"] for batch in batches}
        while due:
            delivery = target.delivery()
            self.assertEqual(due.pop(delivery.batch_id), delivery["records"])
            target.acknowledge(delivery, "PROCESSED")
        target.expect_none("BATCH_TRANSFER", 0.2)

    def test_each_is_accepted_once(self):
        count = scaled(500)
        ids = [messages.new_id() for _ in range(count)]
        broker = self.start_broker(LARGE, store_size="%dM" % max(64, count // 50))
        batches = {"ALPHA": [messages.batch("ALPHA", "BETA", i + 1, batch_id=one, count=1)
                             for i, one in enumerate(ids)],
                   "BETA": [messages.batch("BETA", "GAMMA", i + 1, batch_id=one, count=1)
                            for i, one in enumerate(ids)]}
        senders, total = [], 0
        for module in batches:
            some, sent = self.start_senders(broker, batches[module], module)
            senders += some
            total += sent
        for kill in range(KILLS):
            due = total * (kill + 1) // (KILLS + 2)
            while sum(len(one.fresh) + one.repeats for one in senders) < due and any(
                    one.is_alive() for one in senders):
                time.sleep(0.002)
            broker.restart()
        for sender in senders:
            sender.join()
            self.assertFalse(sender.wrong)
        for module in batches:
            fresh = [one for sender in senders if sender.module == module for one in sender.fresh]
            self.assertEqual(len(fresh), len(set(fresh)), "accepted twice")
        audit = {one["route"]: one for one in Ctl(broker).ask("audit")["routes"]}
        for route in ("alpha-beta", "beta-gamma"):
            self.assertEqual((audit[route]["received"], audit[route]["in_custody"],
                              audit[route]["walk"]), (count, count, "agrees"))
        self.drain(broker, "BETA", batches["ALPHA"])
        self.drain(broker, "GAMMA", batches["BETA"])
        self.assert_ended(broker, batches)
        figure("%d ids of two sources, %d sends, %d kills: each accepted once, %d told so twice",
               count, total, KILLS, sum(one.repeats for one in senders))

    def assert_ended(self, broker, batches):
        """A repeat after the end is answered with the end."""
        for module, some in batches.items():
            client = self.module(broker, module, 0)
            for batch in some[:50]:
                answer = client.answer_to(client.send(batch))
                self.assertEqual((answer.status, answer["duplicate"]), ("PROCESSED", True))

    def test_other_contents_under_a_known_id_are_refused(self):
        """While it is in custody and after its end; each with a line, and nothing overwritten."""
        broker = self.start_broker(LARGE)
        client = self.module(broker, "ALPHA", 0)
        batches = [client.hand_over(count=1) for _ in range(scaled(200))]
        reused = self.reuse(client, batches)
        self.drain(broker, "BETA", batches)
        reused += self.reuse(client, batches)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.count_lines(broker, "batch refused") < reused and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.count_lines(broker, "batch refused"), reused)
        audit, = (one for one in Ctl(broker).ask("audit")["routes"]
                  if one["route"] == "alpha-beta")
        self.assertEqual((audit["received"], audit["processed"]), (len(batches), len(batches)))
        figure("%d reuses: none received, nothing overwritten, %d lines", reused, reused)

    def reuse(self, client, batches):
        sent = [client.send(messages.batch(batch_id=batch["metadata"]["batch_id"], count=1,
                                           size=17, sequence_number=1)) for batch in batches]
        for message in sent:
            answer = client.answer_to(message)
            self.assertEqual((answer.status, answer.code), ("REJECTED", "INT_BATCH_003"))
        return len(sent)

    def test_another_module_learns_nothing_of_an_id(self):
        """Who has no route is told so, whether the id is known or not; who has one, begins anew."""
        broker = self.start_broker(LARGE)
        batch = self.module(broker, "ALPHA").hand_over()
        batch_id = batch["metadata"]["batch_id"]
        for module in ("PHI", "EPSILON", "GAMMA"):
            client = self.module(broker, module)
            known, unknown = (client.answer_to(client.send(messages.batch(
                module, "BETA", batch_id=one, content=batch["records"])))
                for one in (batch_id, messages.new_id()))
            self.assertEqual((known.code, unknown.code), ("INT_ROUTE_001",) * 2)
            self.assertEqual(known.error["error_message"], unknown.error["error_message"])
        beta = self.module(broker, "BETA")
        self.assert_received(beta.answer_to(beta.send(messages.batch(
            "BETA", "GAMMA", batch_id=batch_id))))
        self.assertEqual(beta.delivery(batch)["records"], batch["records"])
