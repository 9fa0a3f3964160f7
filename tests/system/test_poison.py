"""test_poison.py - protocol, section 6: a batch that kills its target is found, and no other dies
with it."""

import threading
import time

from case import Case, summary
from handoff_client import Closed, Silence

MAX_RETRIES = 2
SETTINGS = ('route "alpha-beta" { retry_delay_ms = 30 max_retries = %d backoff_multiplier = 1.0 }'
            % MAX_RETRIES)
PATIENT_SECONDS = 45


class Target(threading.Thread):
    """An instance of BETA that dies of certain batches, with all that it holds, and comes again.

    It takes up to `window` batches before it processes any, so that many are held beside the one
    that kills it. It dies at the moment that it has read it.
    """

    def __init__(self, test, deadly, window):
        super().__init__(daemon=True)
        self.test, self.deadly, self.window = test, deadly, window
        self.trouble = None
        self.start()

    def run(self):
        try:
            while not self.test.is_over.is_set():
                self.live()
        except Exception as problem:  # told by the test, in its own thread
            self.trouble = problem

    def live(self):
        try:
            client = self.test.module(self.test.broker, "BETA", self.window)
        except (OSError, Closed):
            self.test.is_over.wait(0.05)
            return
        try:
            while not self.test.is_over.is_set():
                held = []
                while len(held) < self.window:
                    try:
                        delivery = client.delivery(seconds=0.02)
                    except Silence:
                        break
                    self.test.note(delivery)
                    if delivery.batch_id in self.deadly:
                        return
                    held.append(delivery)
                for delivery in held:
                    client.finish(delivery)
        except (OSError, Closed):
            pass
        finally:
            client.cut()


class Poison(Case):
    settings = SETTINGS

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.settings, circuit_failure_threshold=1000)
        self.alpha = self.module(self.broker, "ALPHA")
        self.is_over = threading.Event()
        self.addCleanup(self.is_over.set)
        self.lock = threading.Lock()
        self.deliveries = {}

    def tearDown(self):
        self.is_over.set()
        super().tearDown()

    def note(self, delivery):
        """A delivery that a target has read; one that it died before reading is nowhere here."""
        with self.lock:
            self.deliveries.setdefault(delivery.batch_id, []).append(
                (delivery.attempt, delivery.redelivered, delivery.lease))

    def hand_over(self, count, deadly):
        """So many batches; returns their ids, and those at the places in `deadly`."""
        ids = [self.alpha.hand_over(count=1)["metadata"]["batch_id"] for _ in range(count)]
        return ids, {ids[place] for place in deadly}

    def outcomes(self, count):
        """The outcomes of all, by batch; each comes once."""
        found = {}
        deadline = time.monotonic() + PATIENT_SECONDS
        while len(found) < count:
            outcome = self.alpha.outcome(seconds=deadline - time.monotonic())
            self.assertNotIn(outcome.batch_id, found, summary(outcome))
            found[outcome.batch_id] = outcome
        return found

    def end(self, targets):
        self.is_over.set()
        for target in targets:
            target.join(20)
            self.assertFalse(target.is_alive())
            self.assertIsNone(target.trouble)

    def assert_only_the_deadly_died(self, ids, deadly, found, most=MAX_RETRIES + 2):
        for batch_id in ids:
            outcome, seen = found[batch_id], self.deliveries[batch_id]
            leases = [lease for _, _, lease in seen]
            self.assertEqual(len(set(leases)), len(leases))
            if batch_id in deadly:
                self.assertEqual((outcome.status, outcome.code), ("REJECTED", "INT_DELIVERY_002"))
                self.assertLessEqual(len(seen), most, seen)
                attempts = [attempt for attempt, _, _ in seen]
                self.assertEqual(attempts[-1], MAX_RETRIES + 1)
                self.assertEqual(attempts, sorted(attempts))
            else:
                self.assertEqual(outcome.status, "PROCESSED", summary(outcome))
                self.assertLessEqual(len(seen), 2, seen)
                self.assertEqual({attempt for attempt, _, _ in seen}, {1}, seen)
                self.assertTrue(len(seen) == 1 or seen[1][1], seen)

    def run_with(self, instances, window, deadly, count=201):
        ids, deadly = self.hand_over(count, deadly)
        targets = [Target(self, deadly, window) for _ in range(instances)]
        found = self.outcomes(count)
        self.end(targets)
        self.assert_only_the_deadly_died(ids, deadly, found)

    def test_one_instance_that_holds_64_beside_it(self):
        self.run_with(1, 64, [100])

    def test_several_instances_that_hold_64_each(self):
        self.run_with(3, 64, [100])

    def test_it_is_the_first_batch_of_all(self):
        self.run_with(3, 64, [0])

    def test_ten_thousand_others_are_not_harmed(self):
        self.broker.stop()
        self.broker = self.start_broker(SETTINGS.replace("{", "{ queue_capacity = 20000"),
                                        circuit_failure_threshold=1000)
        self.alpha = self.module(self.broker, "ALPHA")
        self.run_with(4, 64, [5000], count=10001)

    def test_several_that_kill(self):
        self.run_with(3, 64, [20, 21, 150])

    def test_one_at_a_time(self):
        self.run_with(2, 1, [10], count=40)

    def test_others_that_come_meanwhile_are_served(self):
        ids, deadly = self.hand_over(101, [50])
        targets = [Target(self, deadly, 64) for _ in range(2)]
        more, _ = self.hand_over(100, [])
        found = self.outcomes(201)
        self.end(targets)
        self.assert_only_the_deadly_died(ids + more, deadly, found)

    def test_the_broker_is_killed_meanwhile(self):
        """A crash of the broker costs it no attempt, and may repeat what was out at each."""
        ids, deadly = self.hand_over(81, [40])
        targets = [Target(self, deadly, 64) for _ in range(2)]
        (poison,) = deadly
        kills = 0
        for enough in (1, 2, 3):
            deadline = time.monotonic() + PATIENT_SECONDS / 3
            while len(self.deliveries.get(poison, [])) < enough and time.monotonic() < deadline:
                self.is_over.wait(0.01)
            self.broker.restart()
            kills += 1
        self.alpha = self.module_again(self.broker, self.alpha)
        found = self.outcomes(81)
        self.end(targets)
        self.assertEqual((found[poison].status, found[poison].code),
                         ("REJECTED", "INT_DELIVERY_002"))
        self.assertLessEqual(len(self.deliveries[poison]), MAX_RETRIES + 2 + kills)
        for batch_id in ids:
            if batch_id != poison:
                self.assertEqual(found[batch_id].status, "PROCESSED")
                self.assertEqual({attempt for attempt, _, _ in self.deliveries[batch_id]}, {1})
