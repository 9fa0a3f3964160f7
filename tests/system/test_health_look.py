"""test_health_look.py - health as operators see it, and as libhandoff and handoff know it."""

import json
import os
import signal
import time

from case import authority, messages
from ctl import ADMIN, Ctl
from health_case import QUICK, SLOW, Health
from program import Program
from tool_case import Tools


class AnOperatorAsks(Health):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(
            ADMIN + 'route "alpha-beta" { process_timeout_ms = 2000 retry_delay_ms = 20 }', **QUICK)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA", instance_id="a1")

    def until_healthy(self):
        """Answers as ALPHA until nothing is wrong; what the operator is told."""
        deadline = time.monotonic() + 20
        while True:
            self.alpha.barrier()
            self.answer_all(self.alpha)
            answer = self.ctl.run("--json", "health")
            if answer.status == 0:
                return json.loads(answer.output)
            self.assertLess(time.monotonic(), deadline, answer)

    def test_the_exit_status_is_the_verdict_and_goes_to_standard_output(self):
        health = self.until_healthy()
        self.assertEqual((health["status"], health["pipeline"]["status"], health["reasons"],
                          health["instances"]), ("HEALTHY", "HEALTHY", [], []))
        batch = self.alpha.hand_over()
        self.answer_all(self.alpha)
        answer = self.ctl.run("health")
        while answer.status == 2:       # on a machine that is too busy to answer in time
            self.alpha.barrier()
            self.answer_all(self.alpha)
            answer = self.ctl.run("health")
        self.assertEqual((answer.status, answer.errors), (1, ""), answer)
        self.assertRegex(answer.output, r"(?m)^status +DEGRADED$")
        self.assertRegex(answer.output, r"DEGRADED +module BETA +0 connected: batches wait")
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(batch))

    def test_a_module_that_was_stopped_is_named(self):
        health = self.ctl.until(lambda h: h["status"] == "UNHEALTHY", "health")
        self.assertEqual([(i["instance"], i["status"], i["message"]) for i in health["instances"]],
                         [("ALPHA/a1", "UNHEALTHY", "does not answer")])
        self.assertIn(("UNHEALTHY", "module ALPHA"), [(r["status"], r["component"])
                                                      for r in health["reasons"]])
        self.assertEqual(self.ctl.run("health").status, 2)
        problems = [(p["problem"], p["text"]) for p in self.ctl.ask("status")["problems"]]
        self.assertEqual(problems, [("UNHEALTHY", "ALPHA/a1 does not answer")])
        client, = self.ctl.ask("clients")["clients"]
        self.assertEqual((client["instance"], client["health"]), ("ALPHA/a1", "UNHEALTHY"))

    def test_open_circuits(self):
        self.until_healthy()
        for circuit, status, why in (("alpha-beta", 1, "a circuit is open"),
                                     ("beta-gamma", 2, "several circuits are open")):
            self.ctl.say("circuits", "open", circuit)
            self.alpha.barrier()
            self.answer_all(self.alpha)
            answer = self.ctl.run("--json", "health")
            pipeline = json.loads(answer.output)["pipeline"]
            self.assertEqual((answer.status, pipeline["circuits_open"], pipeline["message"]),
                             (status, status, why), answer)

    def test_the_depth_of_a_buffer_comes_from_checks_or_from_back_pressure(self):
        def depth():
            health = json.loads(self.ctl.run("--json", "health").output)
            return {m["module"]: m["buffer_depth"] for m in health["modules"]}["BETA"]

        beta = self.module(self.broker, "BETA")
        self.assertIsNone(depth())
        beta.press("ACTIVATE", depth=9)
        self.assertEqual(depth(), 9)
        for message, expected in (("17", 17), ("many", None), ("0", 0)):
            beta.tell(messages.health_response("BETA", components=[
                messages.component("output_buffer", message=message)]))
            self.assertEqual(depth(), expected)
        beta.press("DEACTIVATE", depth=3)
        self.assertEqual(depth(), 0)
        other = self.module(self.broker, "BETA")
        other.tell(messages.health_response("BETA", components=[
            messages.component("output_buffer", message="5")]))
        self.assertEqual(depth(), 5)

    def stuck(self):
        problems = self.ctl.ask("status")["problems"]
        return [p["text"] for p in problems if p["problem"] == "STUCK"]

    def test_one_that_loses_its_batch_by_the_deadline_again_and_again_is_stuck(self):
        beta = self.module(self.broker, "BETA", 1, instance_id="b1")
        beta.listen(2.2)        # idle for longer than process_timeout_ms, which is no crime
        batch = self.alpha.hand_over()
        beta.acknowledge(beta.delivery(batch), "RECEIVED")
        beta.barrier()
        self.assertEqual(self.stuck(), [])
        again = beta.delivery(batch, seconds=30)
        self.assertEqual(len(self.stuck()), 1)
        beta.finish(again)
        self.assertEqual(self.stuck(), [])

    def test_a_consumer_that_ends_nothing_is_named_though_it_answers(self):
        beta = self.module(self.broker, "BETA", 1, instance_id="b1")
        beta.finish(beta.delivery(self.alpha.hand_over()))
        delivery = beta.delivery(self.alpha.hand_over())
        deadline = time.monotonic() + 30
        while True:     # 'still at it', over and over
            beta.acknowledge(delivery, "RECEIVED")
            beta.barrier()
            self.answer_all(beta)
            stuck = self.stuck()
            if stuck:
                break
            self.assertLess(time.monotonic(), deadline)
        self.assertRegex(stuck[0], r"^BETA/b1 holds 1 batches and has ended none for \d")
        row, = [i for i in json.loads(self.ctl.run("--json", "health").output)["instances"]
                if i["instance"] == "BETA/b1"]
        self.assertEqual((row["held"], row["message"]), (1, "holds batches and ends none"))
        self.assertLess(row["last_progress"], row["oldest_since"])
        beta.finish(delivery)
        self.assertEqual(self.stuck(), [])


class TheLibraryAnswers(Health):
    """Programs written with libhandoff, in clib/."""

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker('route "alpha-beta" { batch_size = 5 }', **QUICK)
        self.observer = self.module(self.broker, "PHI")

    def run_program(self, module, *command, **more):
        program = Program(self.broker.address, authority().module(module), command, **more)
        self.addCleanup(program.kill)
        return program

    def until(self, module, is_it):
        """Asks until this module's health is so."""
        deadline = time.monotonic() + 30
        while True:
            health = self.module_health(module, self.observer)
            self.answer_all(self.observer)
            if is_it(health):
                return health
            self.assertLess(time.monotonic(), deadline, health)

    def checks(self, health):
        return {c["component_name"]: (c["status"], c["message"]) for c in health["checks"]}

    def test_by_itself_with_the_depth_of_its_outbox(self):
        self.run_program("ALPHA", "source", 50, "stay", instance="s1")
        health = self.until("ALPHA", lambda h: "output_buffer" in self.checks(h))
        self.assertEqual(self.checks(health), {"s1": ("HEALTHY", "connected"),
                                               "output_buffer": ("HEALTHY", "0")})

    def test_batches_that_are_not_received_are_its_depth(self):
        # The first batch fills the route, the others are refused for now and stay in the outbox.
        self.broker.stop()
        self.broker.configure('route "alpha-beta" { batch_size = 1 queue_capacity = 1 }', **QUICK)
        self.broker.start()
        self.observer = self.module(self.broker, "PHI")
        self.run_program("ALPHA", "source", 4)
        self.until("ALPHA", lambda h: self.checks(h).get("output_buffer") == ("HEALTHY", "3"))

    def test_what_the_caller_holds_back_is_added(self):
        self.run_program("ALPHA", "health", "ALPHA", "output_buffer", 0, 7)
        self.until("ALPHA", lambda h: self.checks(h).get("output_buffer") == ("HEALTHY", "7"))

    def test_with_what_the_caller_says_of_its_parts(self):
        program = self.run_program("GAMMA", "health", "GAMMA", "database", 1, "slow: ä",
                                   "disk", 0, "", instance="g1")
        health = self.until("GAMMA", lambda h: "database" in self.checks(h))
        self.assertEqual((health["status"], self.checks(health)), ("DEGRADED", {
            "g1": ("DEGRADED", "says so itself"), "output_buffer": ("HEALTHY", "0"),
            "database": ("DEGRADED", "slow: ä"), "disk": ("HEALTHY", "")}))
        program.wait_for_count("health", 1)
        status, pipeline_bytes = program.said("health")[0].split()
        self.assertEqual(status, "HEALTHY")     # nobody had been asked yet
        self.assertGreater(int(pipeline_bytes), 100)
        self.assertIn("store HEALTHY", program.said("component"))

    def test_a_process_that_is_stopped_is_unhealthy_until_it_goes_on(self):
        program = self.run_program("ALPHA", "source", 5, "stay", instance="s1")
        self.until("ALPHA", lambda h: "output_buffer" in self.checks(h))
        os.kill(program.process.pid, signal.SIGSTOP)
        health = self.until("ALPHA", lambda h: h["status"] == "UNHEALTHY")
        self.assertEqual(self.checks(health)["s1"], ("UNHEALTHY", "does not answer"))
        self.assertEqual(health["connected_instances"], 1)      # it was not cut off
        os.kill(program.process.pid, signal.SIGCONT)
        self.until("ALPHA", lambda h: h["status"] == "HEALTHY")
        self.assertEqual(program.said("state"), ["connecting ", "connected "])


class TheCommandAsks(Tools):
    def health(self, broker, *arguments, module="ALPHA", **variables):
        command = self.start(broker, module, "health", *arguments, **variables)
        command.status = command.wait()
        return command

    def test_the_exit_status_is_the_verdict(self):
        broker = self.start_broker(**SLOW)
        self.assert_status(self.health(broker), 0)
        alpha = self.module(broker, "ALPHA")
        alpha.hand_over()
        degraded = self.health(broker, module="BETA")   # that it asks makes it no consumer
        self.assert_status(degraded, 1)
        self.assertRegex(degraded.output, r"\ADEGRADED\n")
        self.assertRegex(degraded.output, r"module BETA +DEGRADED +1 connected: batches wait")
        self.assert_status(self.health(broker, "--check", "liveness"), 0)
        alpha.tell(messages.health_response("ALPHA", "UNHEALTHY"))
        self.assert_status(self.health(broker, module="PHI"), 2)

    def test_as_json(self):
        broker = self.start_broker(**SLOW)
        answer = json.loads(self.health(broker, "--json").output)
        self.assertEqual((answer["status"], answer["pipeline"]["overall_status"]),
                         ("HEALTHY", "HEALTHY"))
        self.assertIn("store", [c["component_name"] for c in answer["checks"]])
        ready = json.loads(self.health(broker, "--json", "--check", "readiness").output)
        self.assertEqual(set(ready), {"status", "checks", "uptime_seconds"})

    def test_what_is_no_verdict_is_unknown(self):
        broker = self.start_broker(**SLOW)
        self.assert_status(self.health(broker, "--check", "everything"), 3)
        self.assert_status(self.health(broker, "--no-such-option"), 3)
        broker.stop()
        self.assert_status(self.health(broker, "--connect-timeout", 300), 3)

    def test_several_that_ask_at_the_same_time_are_all_answered(self):
        broker = self.start_broker(**SLOW)
        commands = [self.start(broker, "ALPHA", "health", "--connect-timeout", 60000)
                    for _ in range(8)]
        for command in commands:
            command.status = command.wait()
            self.assert_status(command, 0)

    def test_it_takes_nobodys_place(self):
        broker = self.start_broker(**SLOW)
        worker = self.module(broker, "ALPHA", instance_id="worker")
        self.assert_status(self.health(broker, HANDOFF_INSTANCE="worker"), 0)
        worker.hand_over()

    def test_asking_over_and_over_leaves_one_instance_behind(self):
        broker = self.start_broker(ADMIN, **SLOW)
        for _ in range(3):
            self.assert_status(self.health(broker), 0)
        clients = Ctl(broker).ask("clients", "--all")["clients"]
        self.assertEqual(len(clients), 1, clients)
