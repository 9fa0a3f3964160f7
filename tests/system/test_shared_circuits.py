"""test_shared_circuits.py - protocol, section 11: what modules depend on together, and tell each
other of through the broker."""

from case import Case, summary
from ctl import ADMIN, Ctl

GEO = """
circuit "geo-api" {
    modules = {"BETA", "GAMMA"}
    error_codes = {"INT_BETA_010", "INT_GAMMA_010"}
    destinations = {"lake"}
}
"""


class Shared(Case):
    def start(self, threshold=3, reset_ms=60000):
        self.broker = self.start_broker(ADMIN + GEO, circuit_failure_threshold=threshold,
                                        circuit_reset_timeout_ms=reset_ms)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")
        self.gamma = self.module(self.broker, "GAMMA")

    def changes(self, client, *states):
        for before, after in zip(states, states[1:]):
            told = client.expect("CIRCUIT_STATE_CHANGE")
            self.assertEqual((told["circuit_id"], told["previous_state"], told["new_state"]),
                             ("geo-api", before, after), summary(told))
            self.assertEqual(told["affected_modules"], ["BETA", "GAMMA"])

    def open(self):
        for _ in range(3):
            self.beta.complain(code="INT_BETA_010")
        self.changes(self.beta, "CLOSED", "OPEN")
        self.changes(self.gamma, "CLOSED", "OPEN")

    def none_changed(self):
        for client in (self.beta, self.gamma):
            client.barrier()
            client.expect_none("CIRCUIT_STATE_CHANGE")

    def handed_on(self):
        """A batch that GAMMA holds."""
        self.beta.hand_over()
        return self.gamma.delivery()

    def row(self):
        return [row for row in self.ctl.ask("circuits")["circuits"]
                if row["circuit_id"] == "geo-api"][0]


class Failures(Shared):
    def test_of_several_modules_open_it_and_only_they_are_told(self):
        self.start()
        self.beta.complain(code="INT_BETA_010")
        self.beta.reject(self.beta.delivery(self.alpha.hand_over()), code="INT_BETA_010")
        self.gamma.complain(code="INT_GAMMA_010")
        self.changes(self.beta, "CLOSED", "OPEN")
        self.changes(self.gamma, "CLOSED", "OPEN")
        self.alpha.barrier()
        self.alpha.expect_none("CIRCUIT_STATE_CHANGE")

    def test_an_error_beside_processed_counts(self):
        self.start(threshold=1)
        delivery = self.beta.delivery(self.alpha.hand_over())
        self.beta.acknowledge(delivery, "PROCESSED", errors=[self.transient("INT_BETA_010")])
        self.changes(self.beta, "CLOSED", "OPEN")

    def test_other_codes_permanent_ones_and_other_modules_count_nothing(self):
        self.start(threshold=1)
        self.beta.complain(code="INT_BETA_011")
        self.beta.complain("PERMANENT", code="INT_BETA_010")
        self.alpha.complain(code="INT_BETA_010")
        self.beta.reject(self.beta.delivery(self.alpha.hand_over()), "PERMANENT",
                         code="INT_BETA_010")
        self.none_changed()

    def test_records_that_failed_at_a_destination_count_once_a_message(self):
        self.start(threshold=2)
        self.gamma.confirm(self.handed_on(), status="FAILED", destination_id="lake")
        self.gamma.confirm(self.handed_on(), status="FAILED", destination_id="river")
        self.none_changed()
        self.gamma.confirm(self.handed_on(), status="FAILED", destination_id="lake")
        self.changes(self.gamma, "CLOSED", "OPEN")

    def test_what_is_delivered_there_resets_and_closes(self):
        self.start()
        for _ in range(2):
            self.gamma.complain(code="INT_GAMMA_010")
        self.gamma.confirm(self.handed_on(), destination_id="lake")
        for _ in range(2):
            self.gamma.complain(code="INT_GAMMA_010")
        self.none_changed()
        self.gamma.complain(code="INT_GAMMA_010")
        self.changes(self.gamma, "CLOSED", "OPEN")
        self.gamma.confirm(self.handed_on(), destination_id="lake")
        self.changes(self.gamma, "OPEN", "CLOSED")

    def transient(self, code):
        from messages import error
        return error("BETA", "TRANSIENT", code=code)


class Open(Shared):
    def test_nothing_is_stopped(self):
        self.start()
        self.open()
        self.beta.finish(self.beta.delivery(self.alpha.hand_over()))
        self.gamma.finish(self.handed_on())

    def test_it_outlives_a_kill_and_is_told_to_who_comes(self):
        self.start()
        self.open()
        self.broker.restart()
        self.gamma = self.module(self.broker, "GAMMA")
        self.changes(self.gamma, "CLOSED", "OPEN")

    def test_without_news_it_closes_after_two_timeouts(self):
        self.start(reset_ms=300)
        self.open()
        self.changes(self.gamma, "OPEN", "HALF_OPEN", "CLOSED")

    def test_a_failure_while_half_open_opens_it_again(self):
        self.start(reset_ms=1000)
        self.open()
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        self.beta.complain(code="INT_BETA_010")
        self.changes(self.beta, "HALF_OPEN", "OPEN")
        self.assertEqual(self.row()["trips"], 2)

    def test_a_person_sees_opens_and_closes_it(self):
        self.start()
        self.assertEqual((self.row()["of"], self.row()["state"]), ("shared", "CLOSED"))
        self.ctl.ask("circuits", "open", "geo-api", "--reason", "it moves")
        self.changes(self.gamma, "CLOSED", "OPEN")
        self.assertEqual(self.row()["reason"], "it moves")
        self.assertIn(("CIRCUIT_OPEN", "geo-api"),
                      [(p["problem"], p["route"]) for p in self.ctl.ask("status")["problems"]])
        self.gamma.confirm(self.handed_on(), destination_id="lake")	# does not close it
        self.ctl.ask("circuits", "close", "geo-api")
        self.changes(self.gamma, "OPEN", "CLOSED")

    def test_one_that_is_not_there_is_refused(self):
        self.start()
        done = self.ctl.run("circuits", "open", "geo-apy")
        self.assertNotEqual(done.status, 0, done)
        self.assertIn("geo-api", done.errors)
