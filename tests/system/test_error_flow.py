"""test_error_flow.py - protocol, sections 4, 5, 11: errors kept, passed on, acted on, summed up."""

import os
import re

from broker import ROOT
from case import messages, summary
from ctl import ADMIN, Ctl
from http_look import Looker
from look_case import LookCase


class Flow(LookCase):
    settings = 'route "alpha-beta" { max_retries = 1 retry_delay_ms = 20 }\n'

    def errors(self, *words):
        return self.ctl.ask("errors", *words)["errors"]

    def codes(self, *words):
        return [error["code"] for error in self.errors(*words)]

    def error(self, module="BETA", **more):
        return messages.error(module, **more)


class Upstream(Flow):
    def test_an_error_reaches_the_instance_that_sent_its_batch_as_it_was_written(self):
        other = self.module(self.broker, "ALPHA", 0)
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        error = self.error(code="BETA_DISK", context={"batch_id": delivery.batch_id})
        sent = beta.notify(error, action="INVESTIGATE", target="ALPHA", an_unknown_key=[1])
        told = self.alpha.notified("BETA_DISK")
        self.assertEqual({key: told[key] for key in sent}, sent)
        self.assertIsInstance(told["notice"], int)
        self.assertNotIn("in_reply_to", told)
        other.expect_none("ERROR_NOTIFICATION")
        beta.finish(delivery)

    def test_by_a_dead_letter_and_by_one_that_has_ended(self):
        beta = self.beta()
        for finish in (lambda d: beta.finish(d), lambda d: beta.reject(d, "PERMANENT")):
            batch = self.alpha.hand_over()
            finish(beta.delivery(batch))
            self.module(self.broker, "ALPHA", 0)
            beta.notify(self.error(code="LATE", context={
                "batch_id": batch["metadata"]["batch_id"]}))
            self.alpha.notified("LATE")

    def test_by_its_correlation_id(self):
        other = self.module(self.broker, "ALPHA", 0)
        for client in (self.alpha, other):
            client.hand_over(correlation_id="day of " + client.instance_id)
        beta = self.beta()
        beta.notify(self.error(code="WEATHER", correlation_id="day of a1"))
        self.alpha.notified("WEATHER")
        other.expect_none("ERROR_NOTIFICATION")

    def test_one_that_names_nothing_reaches_one_of_each_source(self):
        other = self.module(self.broker, "ALPHA", 0)
        self.beta().notify(self.error(code="SOMETHING"))
        self.module(self.broker, "EPSILON").barrier()
        heard = [client.heard("ERROR_NOTIFICATION") for client in (self.alpha, other)]
        self.assertEqual(sum(map(len, heard)), 1)

    def test_who_keeps_no_mailbox_gets_it_only_where_nobody_else_is(self):
        self.alpha.close()
        self.let_the_broker_notice()
        probe = self.module(self.broker, "ALPHA", 0, mailbox=False)
        beta = self.beta()
        beta.notify(self.error(code="TO_ONE"))
        probe.notified("TO_ONE")
        alpha = self.module_again(self.broker, self.alpha)
        beta.notify(self.error(code="TO_ANOTHER"))
        alpha.notified("TO_ANOTHER")
        probe.expect_none("ERROR_NOTIFICATION")

    def test_it_waits_for_one_that_is_away_and_outlives_a_kill(self):
        batch = self.alpha.hand_over()
        self.alpha.close()
        beta = self.beta()
        beta.notify(self.error(code="WHILE_AWAY", context={
            "batch_id": batch["metadata"]["batch_id"]}))
        self.broker.restart()
        self.module_again(self.broker, self.alpha).notified("WHILE_AWAY")

    def test_of_a_whole_module_its_targets_hear_as_well(self):
        beta, gamma = self.beta(), self.module(self.broker, "GAMMA")
        beta.notify(self.error(code="ONE_BATCH", scope="BATCH"))
        beta.notify(self.error(code="SOURCE_DOWN", scope="MODULE"))
        told = gamma.notified("SOURCE_DOWN")
        self.assertEqual(told["header"]["source_module"], "BETA")
        self.alpha.notified("SOURCE_DOWN")
        gamma.expect_none("ERROR_NOTIFICATION", where=lambda m: m.code == "ONE_BATCH")

    def test_a_flood_is_counted_and_neither_kept_nor_passed_on(self):
        beta = self.beta()
        for _ in range(300):
            beta.send(messages.notification("BETA", *[self.error(code="FLOOD")] * 10))
        beta.barrier()
        self.assertLess(len(self.errors("--limit", 10000)), 3000)
        self.assertLess(len(self.alpha.heard("ERROR_NOTIFICATION")), 300)
        self.alpha.hand_over()


class Acted(Flow):
    top_level = {"throttle_timeout_ms": 60000}

    def test_throttle_presses_the_sources_until_none(self):
        beta, other = self.beta(), self.beta(instance_id="b2")
        beta.notify(self.error(code="HOT"), action="THROTTLE")
        signal = self.alpha.pressure("ACTIVATE", "alpha-beta")
        self.assertGreater(signal["recommended_delay_ms"], 0)
        self.assertIn("THROTTLED", [p["problem"] for p in self.ctl.ask("status")["problems"]])
        other.notify(self.error(code="ANOTHER"))
        beta.send(messages.notification("BETA", seen=0))
        beta.barrier()
        self.alpha.expect_none("BACKPRESSURE")
        beta.notify(self.error(code="COOL"))
        self.alpha.pressure("DEACTIVATE", "alpha-beta")

    def test_of_several_that_say_throttle_each_has_to_say_none(self):
        beta, other = self.beta(), self.beta(instance_id="b2")
        for client in (beta, other):
            client.notify(self.error(code="HOT"), action="THROTTLE")
        self.alpha.pressure("ACTIVATE", "alpha-beta")
        other.notify(self.error(code="COOL"))
        self.alpha.barrier()
        self.alpha.expect_none("BACKPRESSURE")
        beta.notify(self.error(code="COOL"))
        self.alpha.pressure("DEACTIVATE", "alpha-beta")

    def test_halt_stops_all_routes_to_the_module_until_a_person_says_why(self):
        beta, other = self.beta(), self.module(self.broker, "ALPHA", 0)
        beta.notify(self.error(code="ON_FIRE", error_message="smoke\x1b[2J"), action="HALT")
        for client in (self.alpha, other):
            self.assertEqual(client.notified("ON_FIRE")["action_required"], "HALT")
        batch = self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)
        beta = self.beta()
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assert_state(batch, "READY", "ROUTE_HALTED")
        problems = {p["problem"]: p["text"] for p in self.ctl.ask("status")["problems"]}
        self.assertRegex(problems["HALTED"], r"module BETA/b1.*ON_FIRE: smoke")
        self.assertIn("--reason", self.ctl.say("resume", "alpha-beta", status=2))
        self.ctl.ask("resume", "alpha-beta", "--reason", "the fire is out")
        beta.finish(beta.delivery(batch))
        last = self.ctl.ask("journal", "--limit", 1)["journal"][0]
        self.assertIn("the fire is out", last["text"])

    def test_halt_for_the_whole_pipeline_stops_every_route(self):
        beta, gamma = self.beta(), self.module(self.broker, "GAMMA")
        gamma.notify(self.error(code="FLOOD", scope="PIPELINE"), action="HALT")
        beta.notified("FLOOD")
        batch = self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assert_state(batch, "READY", "ROUTE_HALTED")
        for route in ("alpha-beta", "beta-gamma"):
            self.ctl.ask("resume", route, "--reason", "dry again")
        beta.finish(beta.delivery(batch))

    def test_halt_outranks_a_pause_by_a_person(self):
        self.ctl.ask("pause", "alpha-beta")
        beta = self.beta()
        beta.notify(self.error(code="ON_FIRE"), action="HALT")
        self.ctl.say("resume", "alpha-beta", status=2)

    def test_critical_and_investigate_are_alerts_until_acknowledged(self):
        beta = self.beta()
        beta.notify(self.error(code="BROKEN", severity="CRITICAL", scope="PIPELINE"))
        beta.notify(self.error(code="STRANGE"), action="INVESTIGATE")
        beta.notify(self.error(code="USUAL"))
        self.broker.wait_for_log("alert .*code=\"BROKEN\"")
        self.assertEqual(self.codes("--alerts"), ["STRANGE", "BROKEN"])
        self.assertEqual(self.codes("--investigate"), ["STRANGE"])
        self.assertIn("ALERTS", [p["problem"] for p in self.ctl.ask("status")["problems"]])
        self.broker.restart()
        strange = self.errors("--investigate")[0]["number"]
        for wrong in ("STRANGE", 0):
            self.ctl.say("errors", "acknowledge", strange, wrong, status=2)
        self.assertEqual(self.codes("--investigate"), ["STRANGE"])
        self.ctl.ask("errors", "acknowledge", strange, "--reason", "looked at")
        self.ctl.say("errors", "acknowledge", strange, status=1)
        self.assertEqual(self.codes("--alerts"), ["BROKEN"])
        self.assertEqual(self.ctl.ask("errors", "acknowledge", "--all")["acknowledged"], 1)
        self.assertNotIn("ALERTS", [p["problem"] for p in self.ctl.ask("status")["problems"]])
        self.assertEqual(len(self.errors()), 3)

    def test_investigate_without_an_error_is_an_alert_as_well(self):
        self.beta().notify(action="INVESTIGATE")
        self.assertEqual(self.alpha.expect("ERROR_NOTIFICATION")["action_required"], "INVESTIGATE")
        alert = self.errors("--alerts")[0]
        self.assertEqual((alert["module"], alert["code"], alert["message"]),
                         ("BETA", None, "INVESTIGATE, without an error"))
        problems = {p["problem"]: p["text"] for p in self.ctl.ask("status")["problems"]}
        self.assertIn("the newest one of BETA", problems["ALERTS"])
        self.ctl.ask("errors", "acknowledge", alert["number"])
        self.assertEqual(self.errors("--alerts"), [])

    def test_a_batch_goes_on_while_a_pipeline_error_is_critical(self):
        beta = self.beta()
        beta.notify(self.error(code="BROKEN", severity="CRITICAL", scope="PIPELINE"))
        beta.finish(beta.delivery(self.alpha.hand_over()))


class Flooded(Flow):
    top_level = {"max_error_rate": 10}

    def test_a_flood_hides_no_alert(self):
        usual = [self.error(code="USUAL")] * 20
        self.beta().notify(*usual, self.error(code="BROKEN", severity="CRITICAL"), *usual)
        self.assertEqual(self.codes("--alerts"), ["BROKEN"])
        self.assertEqual(len(self.errors()), 11)


class ThrottleDecays(Flow):
    top_level = {"throttle_timeout_ms": 300}

    def test_by_itself(self):
        self.beta().notify(self.error(code="HOT"), action="THROTTLE")
        self.alpha.pressure("ACTIVATE", "alpha-beta")
        self.alpha.pressure("DEACTIVATE", "alpha-beta")


class Summaries(Flow):
    def reject_records(self, client, delivery, ids, **more):
        errors = [messages.error(client.module, "PERMANENT", "RECORD", context={"record_id": i},
                                 **more) for i in ids]
        return client.answer_to(client.acknowledge(delivery, "REJECTED", errors=errors))

    def test_a_delivery_without_errors_has_none(self):
        beta = self.beta()
        delivery = beta.delivery(self.alpha.hand_over())
        self.assertNotIn("error_summary", delivery["delivery"])

    def test_the_next_stage_hears_what_was_said_under_its_correlation_id(self):
        beta, gamma = self.beta(), self.module(self.broker, "GAMMA")
        batch = self.alpha.hand_over(correlation_id="day 1")
        delivery = beta.delivery(batch)
        ids = messages.record_ids(batch)
        errors = [messages.error("BETA", "PERMANENT", "RECORD", code="UNMAPPED",
                                 context={"record_id": i}) for i in ids[:2]]
        beta.answer_to(beta.acknowledge(delivery, "PROCESSED", accepted=1, rejected=2,
                                        errors=errors))
        beta.notify(self.error(scope="RECORD", code="DULL", correlation_id="day 1",
                               context={"record_id": "x-9"}))
        beta.notify(self.error(scope="BATCH", code="OTHER", correlation_id="day 1"))
        own = {"upstream_errors": 1, "error_breakdown": {"MINE": 1}, "affected_record_ids": ["m"]}
        beta.hand_over(target="GAMMA", correlation_id="day 1", error_summary=own)
        stranger = beta.hand_over(target="GAMMA", correlation_id="day 2")
        got = gamma.delivery()
        self.assertEqual(got["error_summary"], own)
        self.assertEqual(got["delivery"]["error_summary"], {
            "upstream_errors": 3, "error_breakdown": {"UNMAPPED": 2, "DULL": 1},
            "affected_record_ids": ids[:2] + ["x-9"]})
        self.assertNotIn("error_summary", gamma.delivery(stranger)["delivery"])

    def test_it_has_a_ceiling_and_true_counts_after_a_kill(self):
        beta = self.beta()
        for n in range(3):
            beta.notify(*[self.error(
                scope="RECORD", code="C%d" % (i % 100), correlation_id="big",
                context={"record_id": "%03d-%s" % (n * 300 + i, "x" * 200)}) for i in range(300)])
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)
        beta = self.beta()
        self.alpha.hand_over(correlation_id="big")
        told = beta.delivery()["delivery"]["error_summary"]
        self.assertEqual(told["upstream_errors"], 900)
        self.assertEqual(sum(told["error_breakdown"].values()), 900)
        self.assertEqual(len(told["error_breakdown"]), 65)
        self.assertEqual(told["error_breakdown"]["other"], 9 * 36)
        self.assertGreater(len(told["affected_record_ids"]), 150)
        self.assertLess(len(messages.encode(told)), 48 * 1024)


class Aged(Flow):
    top_level = {"outcome_retention": 400, "dedupe_minimum": 100}

    def test_errors_go_when_their_time_is_over_and_alerts_do_not(self):
        self.beta().notify(self.error(code="OLD"), action="INVESTIGATE")
        self.assertEqual(self.codes(), ["OLD"])
        self.ctl.until(lambda answer: not answer["errors"], "errors")
        self.assertEqual(self.codes("--alerts"), ["OLD"])


class OutOfRoom(Flow):
    top_level = {"history_size": 65536}

    def test_the_oldest_go_for_room_and_new_batches_come_in(self):
        self.alpha.close()
        self.module_again(self.broker, self.alpha, mailbox=False).close()
        beta = self.beta()
        for n in range(200):
            beta.notify(self.error(code="N%d" % n, correlation_id="x" * 100))
        codes = self.codes("--limit", 1000)
        self.assertEqual(codes[0], "N199")
        self.assertLess(len(codes), 150)
        self.assertEqual(codes, ["N%d" % n for n in range(199, 199 - len(codes), -1)])
        self.module_again(self.broker, self.alpha).hand_over()


class Kept(Flow):
    def test_a_dead_letter_is_linked_to_what_it_comes_from(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        sent = [messages.error("BETA", "TRANSIENT", code="ONCE"),
                messages.error("BETA", "TRANSIENT", code="TWICE")]
        for error in sent:
            delivery = beta.delivery(batch)
            beta.answer_to(beta.acknowledge(delivery, "REJECTED", errors=[error]))
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.code, "INT_DELIVERY_002", summary(outcome))
        self.assertEqual(outcome.error["context"]["upstream_errors"],
                         [sent[1]["error_id"], sent[0]["error_id"]])
        self.broker.restart()
        again = self.module_again(self.broker, self.alpha).outcome(batch)
        self.assertEqual(again["errors"], outcome["errors"])
        listed = self.errors("--batch", batch["metadata"]["batch_id"])
        self.assertEqual([e["code"] for e in listed], ["INT_DELIVERY_002", "TWICE", "ONCE"])
        self.assertEqual([e["module"] for e in listed], ["BROKER", "BETA", "BETA"])
        shown = self.ctl.ask("errors", "show", listed[0]["number"])
        self.assertEqual(shown["upstream_errors"], outcome.error["context"]["upstream_errors"])
        self.assertEqual((shown["error_id"], shown["route"]),
                         (outcome.error["error_id"], "alpha-beta"))

    def test_filters(self):
        beta = self.beta()
        beta.notify(self.error(code="A", correlation_id="day 1", severity="WARNING"))
        beta.notify(self.error(code="A", correlation_id="day 2"), self.error(code="AB"))
        self.alpha.notify(messages.error("ALPHA", code="A", scope="RECORD",
                                         context={"record_id": "r\x07"}))
        codes = self.codes
        self.assertEqual(codes(), ["A", "AB", "A", "A"])
        self.assertEqual(codes("--code", "A", "--module", "beta"), ["A", "A"])
        self.assertEqual(codes("--correlation", "day 2"), ["A"])
        self.assertEqual(codes("--severity", "warning"), ["A"])
        self.assertEqual(codes("--limit", 2), ["A", "AB"])
        self.assertEqual(len(codes("--since", "1h")), 4)
        self.assertNotIn("\x07", self.ctl.say("errors"))
        for wrong in (("--severity", "bad"), ("--batch", "x"), ("--since", "soon")):
            self.ctl.say("errors", *wrong, status=2)
        self.ctl.say("errors", "show", 999, status=1)

    def test_a_late_answer_and_a_deadline_are_errors_of_the_broker(self):
        looker = Looker()
        broker = self.start_broker(ADMIN + looker.settings + 'route "alpha-beta" { '
                                   'ack_timeout_ms = 100 retry_delay_ms = 20 max_retries = 0 }')
        ctl = Ctl(broker)
        alpha, beta = self.module(broker, "ALPHA", 0), self.module(broker, "BETA")
        batch = alpha.hand_over()
        delivery = beta.delivery(batch)
        alpha.outcome(batch)
        beta.send(messages.acknowledgment("BETA", delivery.batch_id, delivery.lease + 9,
                                          "PROCESSED", 3))
        beta.barrier()
        listed = ctl.ask("errors", "--batch", delivery.batch_id)["errors"]
        self.assertEqual([e["code"] for e in listed],
                         ["INT_DELIVERY_005", "INT_DELIVERY_002", "INT_DELIVERY_001"])
        page = looker.page()
        for code, severity in (("001", "WARNING"), ("002", "ERROR"), ("005", "WARNING")):
            self.assertEqual(page["integration_errors_total", {
                "code": "INT_DELIVERY_" + code, "severity": severity}], 1, code)

    def test_help_explains_every_code(self):
        with open(os.path.join(ROOT, "man", "handoff-protocol.7")) as page:
            codes = re.findall(r"(?m)^\.It Li (INT_\w+)", page.read())
        self.assertEqual(len(codes), 23)
        for code in codes:
            told = self.ctl.ask("help", code.lower())
            self.assertEqual(told["code"], code)
            self.assertGreater(len(told["meaning"]), 20)
            self.assertGreater(len(told["do"]), 20)
        self.assertRegex(self.ctl.say("help", "INT_ROUTE_002"), r"(?m)^do +The source waits")
