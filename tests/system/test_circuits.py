"""test_circuits.py - protocol, section 11: a target that fails is left alone for a while, at no cost
to what waits for it."""

import time

from case import Case, authority, summary
from ctl import ADMIN, Ctl
from program import Program

QUICK = "retry_delay_ms = 300 backoff_multiplier = 1.0 max_retries = 2"


class Circuits(Case):
    def start(self, settings=QUICK, max_in_flight=10, threshold=3, reset_ms=400, **more):
        self.broker = self.start_broker(ADMIN + 'route "alpha-beta" { %s }' % settings,
                                        circuit_failure_threshold=threshold,
                                        circuit_reset_timeout_ms=reset_ms, **more)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", max_in_flight)

    def changes(self, client, *states):
        """The states that the circuit takes, one after the other, as this client is told."""
        for before, after in zip(states, states[1:]):
            told = client.expect("CIRCUIT_STATE_CHANGE")
            self.assertEqual((told["circuit_id"], told["previous_state"], told["new_state"]),
                             ("alpha-beta", before, after), summary(told))
            self.assertEqual(sorted(told["affected_modules"]), ["ALPHA", "BETA"])

    def open(self, count=3):
        """So many batches fail, one after the other: the circuit opens with the last of them."""
        batches = [self.alpha.hand_over() for _ in range(count)]
        for batch in batches:
            self.beta.reject(self.beta.delivery(batch))
        self.changes(self.beta, "CLOSED", "OPEN")
        return batches


class Opening(Circuits):
    def test_failures_of_two_batches_open_it_and_both_sides_are_told(self):
        self.start(reset_ms=60000)
        self.open()
        self.changes(self.alpha, "CLOSED", "OPEN")

    def test_one_batch_alone_opens_nothing(self):
        self.start()
        batch = self.alpha.hand_over()
        for _ in range(3):
            self.beta.reject(self.beta.delivery(batch))
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.code, "INT_DELIVERY_002", summary(outcome))
        self.beta.expect_none("CIRCUIT_STATE_CHANGE")

    def test_a_permanent_rejection_counts_nothing(self):
        self.start()
        for _ in range(5):
            self.beta.reject(self.beta.delivery(self.alpha.hand_over()), "PERMANENT")
        self.beta.barrier()
        self.beta.expect_none("CIRCUIT_STATE_CHANGE")

    def test_a_success_between_them_resets(self):
        self.start()
        for _ in range(3):
            for _ in range(2):
                self.beta.reject(self.beta.delivery(self.alpha.hand_over(), 5), "TRANSIENT")
            for _ in range(2):
                self.beta.finish(self.beta.delivery())
        self.beta.barrier()
        self.beta.expect_none("CIRCUIT_STATE_CHANGE")

    def test_a_lost_connection_counts_once_however_much_it_held(self):
        self.start(threshold=2, reset_ms=60000)
        for _ in range(4):
            self.beta.delivery(self.alpha.hand_over())
        self.beta.cut()
        self.beta = self.module(self.broker, "BETA")
        delivery = self.beta.delivery()		# a suspect, alone: the circuit is still closed
        self.beta.reject(delivery)
        self.changes(self.beta, "CLOSED", "OPEN")

    def test_deadlines_count(self):
        self.start(QUICK + " ack_timeout_ms = 100", reset_ms=60000)
        for _ in range(3):
            self.alpha.hand_over()
        self.changes(self.beta, "CLOSED", "OPEN")

    def test_what_is_out_may_still_be_answered_and_closes_it(self):
        self.start(reset_ms=60000)
        held = self.beta.delivery(self.alpha.hand_over())
        self.open()
        self.beta.finish(held)
        self.changes(self.beta, "OPEN", "CLOSED")


class Open(Circuits):
    def test_nothing_is_delivered_and_sources_are_served(self):
        self.start(reset_ms=60000)
        self.open()
        for _ in range(5):
            self.alpha.hand_over()
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.5)

    def test_it_costs_no_attempt(self):
        self.start(reset_ms=150, max_in_flight=1)
        batches = self.open()
        for _ in range(12):			# max_retries is 2
            self.changes(self.beta, "OPEN", "HALF_OPEN")
            self.beta.reject(self.beta.delivery())
            self.changes(self.beta, "HALF_OPEN", "OPEN")
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        self.beta.finish(self.beta.delivery())
        self.changes(self.beta, "HALF_OPEN", "CLOSED")
        for _ in batches[1:]:
            delivery = self.beta.delivery()
            self.assertEqual(delivery.attempt, 2, summary(delivery))
            self.assertTrue(delivery.redelivered)
            self.beta.finish(delivery)
        for batch in batches:
            self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_it_outlives_a_kill(self):
        self.start(reset_ms=60000)
        self.open()
        self.broker.restart()
        self.beta = self.module(self.broker, "BETA")
        self.changes(self.beta, "CLOSED", "OPEN")	# told to who comes
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.5)

    def test_a_failure_of_what_was_out_costs_no_attempt(self):
        self.start(reset_ms=300)
        batch = self.alpha.hand_over()
        held = self.beta.delivery(batch)
        self.open()
        self.beta.reject(held)
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        seen = []
        while batch["metadata"]["batch_id"] not in [d.batch_id for d in seen]:
            seen.append(self.beta.delivery())
            self.beta.finish(seen[-1])
        self.assertEqual(seen[-1].attempt, 1, summary(seen[-1]))
        self.assertTrue(seen[-1].redelivered)


class Special(Circuits):
    def test_a_redriven_batch_waits_while_it_is_open(self):
        self.start(reset_ms=1500)
        batch = self.alpha.hand_over()
        self.beta.reject(self.beta.delivery(batch), "PERMANENT")
        self.alpha.outcome(batch)
        self.open()
        Ctl(self.broker).ask("dead", "redrive", batch["metadata"]["batch_id"])
        self.beta.expect_none("BATCH_TRANSFER", seconds=0.3)
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        seen = []
        while batch["metadata"]["batch_id"] not in seen:
            delivery = self.beta.delivery()
            self.beta.finish(delivery)
            seen.append(delivery.batch_id)

    def test_a_module_with_a_route_to_itself_is_told_once(self):
        self.broker = self.start_broker(
            'route "loop" { source = "PHI" target = "PHI" %s }' % QUICK,
            circuit_failure_threshold=2, circuit_reset_timeout_ms=60000)
        phi = self.module(self.broker, "PHI")
        for _ in range(2):
            phi.reject(phi.delivery(phi.hand_over(target="PHI")))
        told = phi.expect("CIRCUIT_STATE_CHANGE")
        self.assertEqual((told["circuit_id"], told["affected_modules"]), ("loop", ["PHI"]))
        phi.barrier()
        phi.expect_none("CIRCUIT_STATE_CHANGE")


class HalfOpen(Circuits):
    def test_one_probe_at_a_time_another_each_time(self):
        self.start(reset_ms=150)
        self.open()
        probes = []
        for _ in range(3):
            self.changes(self.beta, "OPEN", "HALF_OPEN")
            probes.append(self.beta.delivery())
            self.beta.expect_none("BATCH_TRANSFER", seconds=0.1)
            self.beta.reject(probes[-1])
            self.changes(self.beta, "HALF_OPEN", "OPEN")
        self.assertEqual(len({probe.batch_id for probe in probes}), 3)

    def test_a_probe_that_succeeds_closes_it_and_the_others_follow(self):
        self.start()
        batches = self.open()
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        for n in range(len(batches)):
            self.beta.finish(self.beta.delivery())
            if n == 0:
                self.changes(self.beta, "HALF_OPEN", "CLOSED")

    def test_a_probe_that_is_rejected_for_good_says_nothing_of_the_target(self):
        self.start()
        batches = self.open()
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        self.beta.reject(self.beta.delivery(), "PERMANENT")
        for _ in batches[1:]:
            self.beta.finish(self.beta.delivery())
        self.changes(self.beta, "HALF_OPEN", "CLOSED")

    def test_it_waits_for_circuit_reset_timeout_ms(self):
        self.start(reset_ms=1000)
        begun = time.monotonic()
        self.open()
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        self.assertGreaterEqual(time.monotonic() - begun, 0.99)


class Sources(Circuits):
    def test_a_source_that_comes_is_told_what_is_open(self):
        self.start(reset_ms=60000)
        self.open()
        other = self.module(self.broker, "ALPHA")
        self.changes(other, "CLOSED", "OPEN")

    def test_who_has_nothing_to_do_with_it_is_not_told(self):
        self.start(reset_ms=60000)
        gamma = self.module(self.broker, "GAMMA")
        self.open()
        gamma.barrier()
        gamma.expect_none("CIRCUIT_STATE_CHANGE")


class Library(Circuits):
    def test_a_program_is_told_of_each_change_and_of_what_is_open_when_it_comes(self):
        self.start(reset_ms=60000)
        early = self.run_program()
        early.wait_for_count("state", 2)	# connecting, connected
        self.open()
        late = self.run_program()
        late.wait_for_count("circuit", 1)
        Ctl(self.broker).ask("circuits", "close", "alpha-beta")
        for program in (early, late):
            program.wait_for_count("circuit", 2)
            self.assertEqual(program.said("circuit"),
                             ["alpha-beta CLOSED OPEN", "alpha-beta OPEN CLOSED"])

    def run_program(self):
        program = Program(self.broker.address, authority().module("ALPHA"), ["health", "ALPHA"])
        self.addCleanup(program.kill)
        return program


class Operators(Circuits):
    def start(self, **more):
        super().start(**more)
        self.ctl = Ctl(self.broker)

    def circuit(self):
        return self.ctl.ask("circuits")["circuits"][0]

    def test_it_is_listed_and_explained(self):
        self.start(reset_ms=60000)
        batches = self.open()
        row = self.circuit()
        self.assertEqual((row["circuit_id"], row["state"], row["failures"], row["trips"]),
                         ("alpha-beta", "OPEN", 3, 1))
        told = self.ctl.ask("explain", batches[0]["metadata"]["batch_id"])
        self.assertIn(told["reason"], ("CIRCUIT_OPEN", "BACKOFF"))
        self.assertIn("CIRCUIT_OPEN", [p["problem"] for p in self.ctl.ask("status")["problems"]])
        self.assertEqual((row["opened_by"], row["reason"]), (None, None))

    def test_what_waits_is_told_that_a_batch_is_tried_then_and_now(self):
        self.start(reset_ms=60000)
        self.open()
        waiting = self.alpha.hand_over()["metadata"]["batch_id"]
        told = self.ctl.ask("explain", waiting)
        self.assertIn("left alone until then: one batch is tried", told["next"])
        self.assertIn("until", told)
        self.ctl.ask("circuits", "open", "alpha-beta", "--reason", "BETA moves")
        told = self.ctl.ask("explain", waiting)
        self.assertRegex(told["next"], "^nothing, until circuit alpha-beta is closed: "
                                       ".* opened it: BETA moves$")
        self.assertNotIn("until", told)

    def test_what_waits_is_told_of_a_probe_that_is_out(self):
        self.start(reset_ms=150)
        self.open()
        self.alpha.hand_over()
        self.changes(self.beta, "OPEN", "HALF_OPEN")
        probe = self.beta.delivery().batch_id
        waiting = self.alpha.hand_over()["metadata"]["batch_id"]
        self.assertNotEqual(probe, waiting)
        self.assertIn("another batch is being tried", self.ctl.ask("explain", waiting)["next"])

    def test_a_person_opens_and_closes_it(self):
        self.start()
        self.ctl.ask("circuits", "open", "alpha-beta", "--reason", "BETA moves")
        self.changes(self.beta, "CLOSED", "OPEN")
        self.alpha.hand_over()
        self.beta.expect_none("BATCH_TRANSFER", seconds=1.0)	# circuit_reset_timeout_ms is 400
        self.broker.restart()
        self.beta = self.module(self.broker, "BETA")
        self.changes(self.beta, "CLOSED", "OPEN")
        self.assertEqual(self.circuit()["reason"], "BETA moves")
        self.ctl.ask("circuits", "close", "alpha-beta")
        self.changes(self.beta, "OPEN", "CLOSED")
        self.beta.finish(self.beta.delivery())

    def test_one_that_failed_is_closed_by_hand(self):
        self.start(reset_ms=60000)
        self.open()
        self.ctl.ask("circuits", "close", "alpha-beta")
        self.changes(self.beta, "OPEN", "CLOSED")
        for _ in range(3):
            self.beta.finish(self.beta.delivery())
        self.assertEqual(self.circuit()["state"], "CLOSED")
