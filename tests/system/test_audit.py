"""test_audit.py - handoffctl audit: every batch is accounted for, and a walk of the store agrees."""

import threading

from case import messages
from look_case import LookCase, damage


class Audit(LookCase):
    settings = ('route "alpha-beta" { retry_delay_ms = 60000 max_retries = 3 '
                'queue_capacity = 100000 }')

    def audit(self, *words, status=0):
        answer = self.ctl.ask("audit", *words, status=status)
        return answer, {route["route"]: route for route in answer["routes"]}

    def assert_balances(self, route):
        """The equation, by its own numbers."""
        self.assertTrue(route["balances"], route)
        self.assertEqual(route["received"] + route["imported"],
                         route["processed"] + route["dead"] + route["purged"] +
                         route["in_custody"], route)
        self.assertEqual(route["derived"],
                         route["derived_ended"] + route["derived_dead"] +
                         route["derived_purged"] + route["derived_in_custody"], route)

    def all_kinds(self):
        """Ended, partly ended, waiting, dead, purged, held, assigned, ready."""
        beta = self.beta(1)
        batches = [self.alpha.hand_over(count=3) for _ in range(8)]
        beta.finish(beta.delivery(batches[0]))
        delivery = beta.delivery(batches[1])
        beta.answer_to(beta.acknowledge(delivery, "PROCESSED", 2, 1, errors=[messages.error(
            "BETA", "PERMANENT", "RECORD",
            context={"record_id": messages.record_ids(delivery)[1]})]))
        beta.reject(beta.delivery(batches[2]))
        for batch in batches[3:5]:
            beta.reject(beta.delivery(batch), "PERMANENT")
        beta.delivery(batches[5])
        self.ctl.say("--yes", "dead", "purge", batches[4]["metadata"]["batch_id"])
        self.ctl.say("hold", batches[6]["metadata"]["batch_id"])


class Balanced(Audit):
    def assert_all_kinds(self, route):
        self.assert_balances(route)
        self.assertEqual([route[name] for name in ("received", "processed", "dead", "purged",
                                                   "in_custody", "derived", "derived_dead")],
                         [8, 2, 1, 1, 4, 1, 1])

    def test_whatever_became_of_its_batches(self):
        self.all_kinds()
        answer, routes = self.audit()
        self.assertEqual((answer["balances"], answer["complete"]), (True, True))
        self.assert_all_kinds(routes["alpha-beta"])
        self.assertEqual({route["walk"] for route in routes.values()}, {"agrees"})
        text = self.ctl.say("audit")
        self.assertIn("alpha-beta: received 8 + imported 0 = processed 2 + dead 1 + purged 1 + "
                      "in custody 4", text)
        self.assertIn("a walk of the store finds the same", text)

    def test_after_a_kill(self):
        self.all_kinds()
        self.broker.restart()
        answer, routes = self.audit()
        self.assertTrue(answer["balances"])
        self.assert_all_kinds(routes["alpha-beta"])

    def test_quickly_by_the_counters_alone(self):
        self.all_kinds()
        answer, routes = self.audit("--quick")
        self.assertTrue(answer["balances"])
        self.assert_all_kinds(routes["alpha-beta"])
        self.assertEqual(routes["alpha-beta"]["walk"], "not walked")

    def test_after_a_redrive_of_a_letter_of_rejected_records(self):
        self.all_kinds()
        self.ctl.say("dead", "redrive", "--derived")
        _, routes = self.audit()
        route = routes["alpha-beta"]
        self.assert_balances(route)
        self.assertEqual((route["derived_dead"], route["derived_in_custody"], route["walk"]),
                         (0, 1, "agrees"))


class Unbalanced(Audit):
    def test_a_record_that_cannot_be_read(self):
        correlation = "follows " + messages.new_id()
        self.alpha.hand_over(correlation_id=correlation)
        self.broker.stop()
        damage(self.broker, correlation.encode())
        self.broker.start()
        answer, routes = self.audit(status=1)
        self.assertFalse(answer["balances"])
        route = routes["alpha-beta"]
        self.assert_balances(route)
        self.assertEqual(route["walk"], "differs")
        self.assertTrue(any("cannot be read: 1" in text for text in route["differences"]), route)
        self.assertIn("finds something else", self.ctl.say("audit", status=1))
        self.audit("--quick")

    def test_a_dead_letter_whose_bytes_have_rotted(self):
        mark = "rot-%s" % messages.new_id()
        batch = self.alpha.hand_over(content=messages.encode(messages.records(3, mark=mark)))
        beta = self.beta(1)
        beta.reject(beta.delivery(batch), "PERMANENT")
        self.audit()
        self.broker.stop()
        damage(self.broker, mark.encode())
        self.broker.start()
        _, routes = self.audit(status=1)
        self.assert_balances(routes["alpha-beta"])
        self.assertEqual(routes["alpha-beta"]["differences"], ["payloads that are damaged: 1"])


class Busy(Audit):
    def test_while_batches_come_and_go_what_is_said_is_true(self):
        """A route that changes all the time is judged, or said to be too busy: never wrongly."""
        beta = self.beta(100)
        stop = threading.Event()
        failures = []

        def traffic():
            try:
                while not stop.is_set():
                    self.alpha.hand_over()
                    beta.finish(beta.delivery())
            except Exception as problem:
                failures.append(problem)

        worker = threading.Thread(target=traffic)
        worker.start()
        try:
            for _ in range(20):
                answer = self.ctl.run("--json", "audit")
                self.assertIn(answer.status, (0, 75), str(answer))
        finally:
            stop.set()
            worker.join()
        self.assertEqual(failures, [])
        _, routes = self.audit()
        self.assert_balances(routes["alpha-beta"])
        self.assertEqual(routes["alpha-beta"]["walk"], "agrees")
