"""test_rings.py - protocol, section 7: modules in a ring, each of whose routes is full, go on."""

import time

from case import Case, messages, summary
from handoff_client import PATIENCE_SECONDS
from messages import completion

CAPACITY = 4
NEXT = {"ALPHA": "BETA", "BETA": "GAMMA", "GAMMA": "ALPHA"}


class Ring(Case):
    """ALPHA to BETA to GAMMA to ALPHA: each a source and a target, on one connection."""

    stage_margin = 0
    max_in_flight = 2

    def setUp(self):
        super().setUp()
        each = "queue_capacity = %d stage_margin = %d retry_delay_ms = 50" % (
            CAPACITY, self.stage_margin)
        self.broker = self.start_broker(
            'route "alpha-beta" { %s }\nroute "beta-gamma" { %s }\n'
            'route "gamma-alpha" { source = "GAMMA" target = "ALPHA" %s }' % (each, each, each))
        self.modules = {name: self.module(self.broker, name, self.max_in_flight) for name in NEXT}

    def fill(self):
        """Every route full, every module with as many deliveries as it takes; those."""
        for name, client in self.modules.items():
            for _ in range(CAPACITY):
                client.hand_over(target=NEXT[name])
            self.assertEqual(self.attempt(client, client.batch(NEXT[name])), "INT_ROUTE_002")
        return {name: [client.delivery() for _ in range(self.max_in_flight)]
                for name, client in self.modules.items()}

    def attempt(self, client, message):
        """Sends a batch; the code that it was refused with, or None where it was taken."""
        answer = client.answer_to(client.send(message))
        if answer.type == "ERROR_NOTIFICATION":
            self.assertEqual(answer["action_required"], "THROTTLE", summary(answer))
            answer = client.answer_to(message)
        if answer.status == "REJECTED":
            return answer.code
        for _ in message.get("completes") or []:
            self.assertEqual(client.answer_to(message).status, "PROCESSED")
        return None

    def stage(self, name, delivery):
        """A module's batch to the next, made from a delivery."""
        return self.modules[name].batch(NEXT[name], completes=[completion(delivery)])

    def assert_drains(self, held):
        """Every module finishes all that it gets, until there is nothing more."""
        for name, client in self.modules.items():
            for delivery in held[name]:
                client.finish(delivery)
            for _ in range(CAPACITY - self.max_in_flight):
                client.finish(client.delivery())
        for client in self.modules.values():
            client.expect_none("BATCH_TRANSFER")
        for name, client in self.modules.items():
            client.hand_over(target=NEXT[name])


class Full(Ring):
    def turn(self, held, turns):
        """BETA, ALPHA and GAMMA in turn hand over what the one after them has made room for."""
        for _ in range(turns):
            for name in ("BETA", "ALPHA", "GAMMA"):
                client = self.modules[name]
                began = time.monotonic()
                stage = self.stage(name, held[name].pop(0))
                while self.attempt(client, stage):
                    self.assertLess(time.monotonic() - began, 1.0, name)
                held[name].append(client.delivery())

    def make_room(self, held):
        """Each is stuck until GAMMA acknowledges one batch."""
        for name, client in self.modules.items():
            self.assertEqual(self.attempt(client, self.stage(name, held[name][0])),
                             "INT_ROUTE_002")
        gamma = self.modules["GAMMA"]
        gamma.finish(held["GAMMA"].pop(0))
        held["GAMMA"].append(gamma.delivery())

    def test_when_one_target_acknowledges_all_make_progress(self):
        held = self.fill()
        self.make_room(held)
        self.turn(held, 30)

    def test_they_drain(self):
        self.assert_drains(self.fill())

    def test_after_a_kill_they_make_progress_too(self):
        held = self.fill()
        self.broker.restart()
        self.modules = {name: self.module_again(
            self.broker, client, max_in_flight=self.max_in_flight,
            holds=[delivery.lease for delivery in held[name]])
            for name, client in self.modules.items()}
        self.make_room(held)
        self.turn(held, 10)

    def test_every_source_is_told_to_slow_down_and_to_go_on(self):
        held = self.fill()
        for name, client in self.modules.items():
            client.pressure("ACTIVATE", "%s-%s" % (name.lower(), NEXT[name].lower()))
        self.assert_drains(held)
        for name, client in self.modules.items():
            client.pressure("DEACTIVATE", "%s-%s" % (name.lower(), NEXT[name].lower()))


class WithMargin(Ring):
    """With a margin nobody has to acknowledge without handing over: the ring turns by itself."""

    stage_margin = 1

    def test_a_full_ring_turns(self):
        held = self.fill()
        for _ in range(30):
            for name, client in self.modules.items():
                self.assertIsNone(self.attempt(client, self.stage(name, held[name].pop(0))), name)
                held[name].append(client.delivery())


class Unread(Ring):
    max_in_flight = CAPACITY

    def test_the_broker_reads_from_modules_that_do_not_read(self):
        """All send more than all sockets take, and read nothing while they send."""
        sent = {}
        began = time.monotonic()
        for name, client in self.modules.items():
            sent[name] = [client.send(client.batch(NEXT[name], count=1, size=1000000))
                          for _ in range(3 * CAPACITY)]
        self.assertLess(time.monotonic() - began, 2 * PATIENCE_SECONDS)
        for name, client in self.modules.items():
            for i, message in enumerate(sent[name]):
                answer = client.answer_to(message)
                if i < CAPACITY:
                    self.assert_received(answer)
                else:
                    self.assert_error(answer, "INT_ROUTE_002")
                    self.assert_refused(client.answer_to(message), "INT_ROUTE_002")
        self.assert_drains({name: [client.delivery() for _ in range(CAPACITY)]
                            for name, client in self.modules.items()})

    def test_acknowledgments_are_read_behind_what_is_not_read(self):
        """BETA has unread deliveries before it and refused batches behind it: what it says of
        the first one it read is heard all the same."""
        alpha, beta = self.modules["ALPHA"], self.modules["BETA"]
        first = alpha.hand_over(target="BETA")
        delivery = beta.delivery(first)
        for _ in range(CAPACITY - 1):
            alpha.hand_over(target="BETA", count=1, size=4000000)
        for _ in range(3 * CAPACITY):
            beta.send(beta.batch("GAMMA", count=1, size=1000000))
        beta.acknowledge(delivery, "PROCESSED")
        self.assertEqual(alpha.outcome(first).status, "PROCESSED")
        self.assertIsNone(self.attempt(alpha, messages.batch("ALPHA", "BETA", 100)))
