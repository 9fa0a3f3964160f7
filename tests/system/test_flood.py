"""test_flood.py - protocol, section 11: a route that would bury everything pauses instead."""

from case import Case
from ctl import ADMIN, Ctl


class Flood(Case):
    def start(self, threshold=3, window_ms=60000):
        self.broker = self.start_broker(ADMIN, flood_threshold=threshold,
                                        flood_window_ms=window_ms)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", 1)

    def bury(self, code, count=1):
        for _ in range(count):
            batch = self.alpha.hand_over()
            self.beta.reject(self.beta.delivery(batch), "PERMANENT", code=code)
            self.assertEqual(self.alpha.outcome(batch).status, "REJECTED")

    def goes_on(self):
        delivery = self.beta.delivery(self.alpha.hand_over())
        self.beta.finish(delivery)

    def test_letters_with_one_code_pause_the_route_and_a_person_resumes_it(self):
        self.start()
        self.bury("INT_BETA_031", 3)
        waiting = self.alpha.hand_over()
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.5)
        problem = [p for p in self.ctl.ask("status")["problems"] if p["problem"] == "PAUSED"][0]
        self.assertEqual(problem["route"], "alpha-beta")
        self.assertIn("handoffd", problem["text"])
        self.assertIn("3 dead letters with INT_BETA_031 within 60000 ms", problem["text"])
        self.broker.wait_for_log(r"error .*route paused.*code=\"?INT_BETA_031")
        self.assertEqual(self.ctl.ask("journal")["journal"][0]["who"], "handoffd")
        self.broker.restart()
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", 1)
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.5)
        self.ctl.ask("resume", "alpha-beta")
        self.beta.finish(self.beta.delivery(waiting))
        self.bury("INT_BETA_031", 2)		# the count is afresh
        self.goes_on()

    def test_other_codes_are_counted_apart(self):
        self.start()
        self.bury("INT_BETA_031", 2)
        self.bury("INT_BETA_032", 2)
        self.goes_on()

    def test_what_is_longer_ago_does_not_count(self):
        self.start(window_ms=300)
        self.bury("INT_BETA_031", 2)
        self.beta.listen(0.4)
        self.bury("INT_BETA_031", 2)
        self.goes_on()

    def test_zero_switches_it_off(self):
        self.start(threshold=0)
        self.bury("INT_BETA_031", 5)
        self.goes_on()

    def test_exhausted_ones_count_with_the_targets_code(self):
        self.broker = self.start_broker(
            ADMIN + 'route "alpha-beta" { max_retries = 0 }', flood_threshold=2)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", 1)
        for _ in range(2):
            self.beta.reject(self.beta.delivery(self.alpha.hand_over()), code="INT_BETA_040")
        self.alpha.hand_over()
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.5)
        problem = [p for p in self.ctl.ask("status")["problems"] if p["problem"] == "PAUSED"][0]
        self.assertIn("INT_BETA_040", problem["text"], problem)
