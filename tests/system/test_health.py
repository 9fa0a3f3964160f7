"""test_health.py - health checks: the broker asks its modules, answers them, and judges.

What is asked, and how the verdicts come about: protocol, sections 4 and 11.
"""

import os
import signal
import time

from case import messages
from health_case import QUICK, SLOW, TIMEOUT_MS, Health
from test_clock import WallClock


class TheBrokerAnswers(Health):
    def test_liveness_and_readiness(self):
        alpha = self.module(self.start_broker(**SLOW), "ALPHA")
        live = alpha.ask_health("LIVENESS")
        self.assertEqual((live["status"], self.statuses(live)), ("HEALTHY", {"broker": "HEALTHY"}))
        self.assertNotIn("pipeline", live)
        ready = alpha.ask_health("READINESS")
        self.assertEqual(self.statuses(ready), dict.fromkeys(("recovery", "store", "broker"),
                                                             "HEALTHY"))
        self.assertEqual(ready["status"], "HEALTHY")
        self.assertEqual(ready["header"]["source_module"], "BROKER")

    def test_uptime_begins_with_the_broker(self):
        alpha = self.module(self.start_broker(**SLOW), "ALPHA")
        self.assertLess(alpha.ask_health("LIVENESS")["uptime_seconds"], 60)

    def test_details_name_each_part(self):
        broker = self.start_broker('module "DELTA" { }\n'
                                   'route "delta-beta" { source = "DELTA" target = "BETA" }', **SLOW)
        answer = self.module(broker, "ALPHA").ask_health()
        self.assertEqual(answer["status"], "HEALTHY", answer)
        self.assertEqual(set(self.components(answer)), {
            "recovery", "store", "broker", "disk", "loop", "tls", "certificates",
            "route alpha-beta", "route beta-gamma", "route delta-beta", "module ALPHA",
            "module BETA", "module GAMMA", "module DELTA", "module EPSILON", "module PHI"})
        self.assertEqual(set(self.statuses(answer).values()), {"HEALTHY"})
        pipeline = answer["pipeline"]
        self.assertEqual((pipeline["overall_status"], pipeline["active_circuits_open"],
                          pipeline["error_rate_1m"]), ("HEALTHY", 0, 0.0))
        self.assertEqual(pipeline["module_statuses"]["ALPHA"]["connected_instances"], 1)
        beta = pipeline["module_statuses"]["BETA"]
        self.assertEqual((beta["connected_instances"], beta["last_seen"], beta["checks"]),
                         (0, None, []))

    def test_a_check_type_that_is_none_is_refused(self):
        alpha = self.module(self.start_broker(**SLOW), "ALPHA")
        question = alpha.send(messages.health_request("ALPHA", "EVERYTHING"))
        self.assert_error(alpha.answer_to(question), "INT_PROTOCOL_005", "check_type")

    def test_a_module_that_is_away_counts_only_while_batches_wait_for_it(self):
        alpha = self.module(self.start_broker(**SLOW), "ALPHA")
        self.assertEqual(self.module_health("BETA", alpha)["status"], "HEALTHY")
        batch = alpha.hand_over()
        answer = alpha.ask_health()
        self.assertEqual((answer["status"], self.statuses(answer)["module BETA"],
                          answer["pipeline"]["overall_status"]), ("DEGRADED",) * 3)
        self.assertIn("no instance takes deliveries",
                      self.components(answer)["module BETA"]["message"])
        beta = self.module(self.brokers[0], "BETA", 0)  # is there, and takes nothing
        self.assertEqual(self.module_health("BETA", alpha)["status"], "DEGRADED")
        beta = self.module_again(self.brokers[0], beta)
        beta.finish(beta.delivery(batch))
        self.assertEqual(alpha.ask_health()["status"], "HEALTHY")
        beta.close()

    def test_errors_and_throughput_of_a_minute(self):
        broker = self.start_broker('route "alpha-beta" { retry_delay_ms = 600000 '
                                   'max_retry_delay_ms = 600000 }', **SLOW)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        records = 0
        for _ in range(4):
            batch = alpha.hand_over()
            records += batch["metadata"]["record_count"]
            beta.finish(beta.delivery(batch))
        pipeline = alpha.ask_health()["pipeline"]
        self.assertEqual((pipeline["overall_status"], pipeline["error_rate_1m"]), ("HEALTHY", 0.0))
        self.assertAlmostEqual(pipeline["throughput_records_per_second"], records / 60)
        beta.reject(beta.delivery(alpha.hand_over()))
        answer = alpha.ask_health()
        self.assertAlmostEqual(answer["pipeline"]["error_rate_1m"], 0.2)
        self.assertEqual((answer["status"], answer["pipeline"]["overall_status"]),
                         ("DEGRADED", "DEGRADED"))

    def test_certificates_that_end_soon(self):
        clock = WallClock(self.directory)
        clock.shift(25 * 24 * 3600)  # of the 30 days that those of the tests last
        broker = self.start_broker(environment=clock.environment, **SLOW)
        answer = self.module(broker, "ALPHA").ask_health()
        self.assertEqual({name for name, status in self.statuses(answer).items()
                          if status != "HEALTHY"}, {"certificates"})
        self.assertRegex(self.components(answer)["certificates"]["message"],
                         "^tls.(ca|certificate) expires in 4 days$")
        self.assertEqual(answer["status"], "DEGRADED")

    def test_a_full_route(self):
        broker = self.start_broker('route "alpha-beta" { queue_capacity = 1 }', **SLOW)
        alpha = self.module(broker, "ALPHA")
        alpha.hand_over()
        route = self.components(alpha.ask_health())["route alpha-beta"]
        self.assertEqual(route["status"], "DEGRADED")
        self.assertIn("full", route["message"])


class TheBrokerAsks(Health):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(**QUICK)
        self.alpha = self.module(self.broker, "ALPHA")

    def test_each_instance_is_asked_again_and_again(self):
        for _ in range(3):
            check = self.alpha.check()
            self.assertEqual((check["check_type"], check["header"]["source_module"],
                              check["header"]["target_module"]), ("DETAILED", "BROKER", "ALPHA"))
            self.alpha.answer_check(check)

    def test_asking_and_answering_costs_no_commit(self):
        beta = self.module(self.broker, "BETA")
        for _ in range(10):
            for client in (self.alpha, beta):
                client.send(messages.health_response(client.module, in_reply_to=client.check()[
                    "header"]["message_id"]))
        self.broker.stop()
        self.broker.wait_for_log(r"stopped commits=[1-9] ")

    def test_what_a_module_says_of_itself_is_passed_on(self):
        beta = self.module(self.broker, "BETA", instance_id="b1")
        beta.answer_check(beta.check(), "DEGRADED", [
            messages.component("cache", "DEGRADED", "cold"), messages.component("output_buffer",
                                                                               message="17")])
        health = self.module_health("BETA", self.alpha)
        checks = {c["component_name"]: (c["status"], c["message"]) for c in health["checks"]}
        self.assertEqual((health["status"], checks), ("DEGRADED", {
            "b1": ("DEGRADED", "says so itself"), "cache": ("DEGRADED", "cold"),
            "output_buffer": ("HEALTHY", "17")}))
        beta.answer_check(beta.check())
        self.wait_for(self.alpha, "BETA", "HEALTHY")

    def test_an_answer_may_come_unasked(self):
        self.alpha.tell(messages.health_response("ALPHA", "UNHEALTHY"))
        self.assertEqual(self.module_health("ALPHA", self.alpha)["status"], "UNHEALTHY")

    def test_an_answer_as_long_as_a_frame_keeps_its_first_components(self):
        text = "ä" * 2000
        self.alpha.tell(messages.health_response("ALPHA", components=[
            messages.component("part %d %s" % (n, text), message=text) for n in range(200)]))
        checks = self.module_health("ALPHA", self.alpha)["checks"]
        self.assertEqual(len(checks), 32)
        self.assertEqual(checks[1]["component_name"], ("part 0 " + text)[:43])
        self.assertEqual(checks[1]["message"], "ä" * 127)

    def test_one_that_does_not_answer_but_works_is_degraded_and_not_cut_off(self):
        beta = self.module(self.broker, "BETA", instance_id="mute")
        deadline = time.monotonic() + 10 * TIMEOUT_MS / 1000
        seen = set()
        while time.monotonic() < deadline:
            beta.finish(beta.delivery(self.alpha.hand_over()))
            self.answer_all(self.alpha)
            health = self.module_health("BETA", self.alpha)
            seen.add((health["status"], health["checks"][0]["message"]))
        self.assertIn(("DEGRADED", "does not answer health checks"), seen)
        self.assertLessEqual({status for status, _ in seen}, {"HEALTHY", "DEGRADED"}, seen)
        self.broker.wait_for_log('does not answer health checks.*instance="mute"')

    def test_one_that_says_nothing_at_all_is_unhealthy_until_it_answers(self):
        beta = self.module(self.broker, "BETA", instance_id="still")
        health = self.wait_for(self.alpha, "BETA", "UNHEALTHY")
        self.assertEqual([c["component_name"] for c in health["checks"]], ["still"])
        self.assertEqual(self.alpha.ask_health()["pipeline"]["overall_status"], "UNHEALTHY")
        self.broker.wait_for_log('does not answer health checks.*instance="still"')
        beta.barrier()  # it has only been silent
        self.assertEqual(self.module_health("BETA", self.alpha)["status"], "DEGRADED")
        beta.answer_check(beta.check())
        self.wait_for(self.alpha, "BETA", "HEALTHY")
        self.broker.wait_for_log('answers health checks again.*instance="still"')

    def test_one_of_two_instances_makes_the_module_degraded(self):
        good = self.module(self.broker, "BETA", instance_id="good")
        self.module(self.broker, "BETA", instance_id="bad")
        deadline = time.monotonic() + 20
        while True:
            self.answer_all(good, self.alpha)
            good.barrier()
            health = self.module_health("BETA", self.alpha)
            statuses = {c["component_name"]: c["status"] for c in health["checks"]}
            if statuses["bad"] == "UNHEALTHY" and statuses["good"] == "HEALTHY":
                break
            self.assertLess(time.monotonic(), deadline, health)
        self.assertEqual((health["status"], health["connected_instances"]), ("DEGRADED", 2))
        self.assertEqual(health["checks"][0]["component_name"], "bad")  # the trouble first

    def test_the_judgement_ends_with_the_connection(self):
        beta = self.module(self.broker, "BETA")
        self.wait_for(self.alpha, "BETA", "UNHEALTHY")
        beta.goodbye()
        beta.expect_closed()
        health = self.wait_for(self.alpha, "BETA", "HEALTHY")
        self.assertEqual((health["connected_instances"], health["checks"]), (0, []))
        self.assertIsNotNone(health["last_seen"])

    def test_a_broker_that_was_stopped_holds_it_against_nobody(self):
        alpha = self.alpha
        alpha.answer_check(alpha.check())
        check = alpha.check()
        os.kill(self.broker.process.pid, signal.SIGSTOP)
        time.sleep(4 * TIMEOUT_MS / 1000)  # as long as it takes to be late
        os.kill(self.broker.process.pid, signal.SIGCONT)
        self.assertEqual(self.module_health("ALPHA", alpha)["status"], "HEALTHY")
        alpha.answer_check(check)
