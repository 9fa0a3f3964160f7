"""test_library_report.py - libhandoff's handoff_report(): errors that answer nothing."""

from case import authority, messages
from look_case import LookCase
from program import Program

NONE, THROTTLE, HALT, INVESTIGATE = range(4)
RECORD, BATCH, MODULE, _PIPELINE = range(4)


class LibraryReport(LookCase):
    def report(self, action, *errors):
        words = [word for error in errors for word in error]
        program = Program(self.broker.address, authority().module("BETA"),
                          ("report", "BETA", action, *words))
        self.addCleanup(program.kill)
        program.wait_for_count("reported", 1)
        self.assertEqual(len(program.said("reported")), 1, program.lines)
        return program

    def assert_reported(self, program, result="0"):
        self.assertEqual(program.said("reported"), [result])

    def test_an_error_reaches_who_sent_its_batch(self):
        other = self.module(self.broker, "ALPHA", 0)
        batch_id = self.alpha.hand_over()["metadata"]["batch_id"]
        self.assert_reported(self.report(NONE, ("BAD_RECORD", RECORD, batch_id)))
        told = self.alpha.notified("BAD_RECORD")
        (error,) = told["errors"]
        self.assertEqual(error["context"], {"record_id": "r-1", "batch_id": batch_id})
        self.assertEqual((error["scope"], error["source_module"]), ("RECORD", "BETA"))
        self.assertTrue(error["correlation_id"])
        self.assertEqual(told["action_required"], "NONE")
        other.expect_none("ERROR_NOTIFICATION")

    def test_several_of_no_batch_reach_one_source_and_the_targets(self):
        gamma = self.module(self.broker, "GAMMA")
        self.assert_reported(self.report(NONE, ("ONE", MODULE, "-"), ("TWO", BATCH, "-")))
        for client in (self.alpha, gamma):
            errors = client.notified("ONE")["errors"]
            self.assertEqual([(e["error_code"], e["correlation_id"]) for e in errors],
                             [("ONE", "a day"), ("TWO", "a day")])

    def test_throttle_slows_the_sources(self):
        self.assert_reported(self.report(THROTTLE, ("HOT", BATCH, "-")))
        self.alpha.pressure("ACTIVATE", "alpha-beta")

    def test_halt_without_an_error_stops_the_routes(self):
        self.assert_reported(self.report(HALT))
        self.assertEqual(self.alpha.expect("ERROR_NOTIFICATION")["action_required"], "HALT")
        self.assertIn("HALTED", [p["problem"] for p in self.ctl.ask("status")["problems"]])

    def test_investigate_is_an_alert(self):
        self.assert_reported(self.report(INVESTIGATE, ("ODD", BATCH, "-")))
        self.alpha.notified("ODD")
        self.assertEqual([e["code"] for e in self.ctl.ask("errors", "--alerts")["errors"]], ["ODD"])

    def test_what_is_wrong_is_not_said(self):
        for action, errors in ((NONE, ()), (4, ()), (NONE, (("ODD", BATCH, "no-uuid"),)),
                               (NONE, (("ODD", 4, "-"),))):
            self.assert_reported(self.report(action, *errors), "invalid argument")
        self.alpha.expect_none("ERROR_NOTIFICATION")

    def test_what_is_told_says_of_what(self):
        told = self.report(NONE, ("MINE", BATCH, "-"))
        batch_id = messages.new_id()
        self.module(self.broker, "GAMMA").notify(messages.error(
            "GAMMA", code="THEIRS", correlation_id="a night", context={"batch_id": batch_id}))
        told.wait_for_count("errors", 1)
        self.assertEqual(told.said("errors"), ["THEIRS %s a night 0" % batch_id])
