"""test_operate.py - hold, release, retry, pause, kick, drain, settle; and who may do that."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from case import Case
from ctl import ADMIN, HANDOFFCTL, Ctl

# A reader who is not the broker's user; no such account is needed.
READER = 4711


class Operate(Case):
    settings = 'route "alpha-beta" { retry_delay_ms = 50 max_retries = 3 }'

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(ADMIN + self.settings)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA")

    def id_of(self, batch):
        return batch["metadata"]["batch_id"]


class Hold(Operate):
    def test_a_batch_that_is_ready(self):
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        self.assertEqual(self.ctl.ask("hold", self.id_of(first))["held"], 1)
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(second))
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assertEqual(self.ctl.ask("release", self.id_of(first))["released"], 1)
        delivery = beta.delivery(first)
        self.assertEqual(delivery["delivery"]["attempt"], 1)
        beta.finish(delivery)

    def test_a_batch_that_is_out(self):
        """Its target may finish it; if it does not, it is not delivered again."""
        beta = self.module(self.broker, "BETA")
        done, failed = self.alpha.hand_over(), self.alpha.hand_over()
        deliveries = beta.delivery(done), beta.delivery(failed)
        self.ctl.ask("hold", self.id_of(done), self.id_of(failed))
        beta.finish(deliveries[0])
        self.assertEqual(self.alpha.outcome(done).status, "PROCESSED")
        beta.reject(deliveries[1], "TRANSIENT")
        beta.expect_none("BATCH_TRANSFER", 0.3)
        self.ctl.ask("release", self.id_of(failed))
        again = beta.delivery(failed)
        self.assertEqual(again["delivery"]["attempt"], 2)
        beta.finish(again)

    def test_a_batch_that_waits(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch), "TRANSIENT")
        self.ctl.ask("hold", "--route", "alpha-beta")
        beta.expect_none("BATCH_TRANSFER", 0.3)
        self.ctl.ask("release", "--all")
        beta.finish(beta.delivery(batch))

    def test_many_by_filter_and_each_once(self):
        for _ in range(400):
            self.alpha.hand_over()
        answer = self.ctl.ask("hold", "--all", "--reason", "they are wrong")
        self.assertEqual((answer["held"], answer["not_held"]), (400, 0))
        self.assertEqual(self.ctl.ask("hold", "--all", status=1)["held"], 0)
        beta = self.module(self.broker, "BETA")
        beta.expect_none("BATCH_TRANSFER", 0.1)
        self.assertEqual(self.ctl.ask("release", "--route", "alpha-beta", "--max", 7)["released"],
                         7)
        for _ in range(7):
            beta.finish(beta.delivery())
        beta.expect_none("BATCH_TRANSFER", 0.1)
        line = self.broker.wait_for_log(r'operator .*command="hold --all"')
        self.assertIn('reason="they are wrong"', line)
        self.assertIn("user=", line)

    def test_what_is_not_in_custody_is_said(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.finish(beta.delivery(batch))
        self.assertIn("not in custody", self.ctl.say("hold", self.id_of(batch), status=1))
        self.assertIn("--all", self.ctl.say("release", status=2))

    def test_twice_is_said(self):
        batch = self.alpha.hand_over()
        self.ctl.ask("hold", self.id_of(batch))
        answer = self.ctl.ask("hold", self.id_of(batch), status=1)
        self.assertEqual(answer["reasons"], [{"count": 1, "reason": "it is held already"}])


class Retry(Operate):
    settings = 'route "alpha-beta" { retry_delay_ms = 3600000 max_retry_delay_ms = 3600000 }'

    def test_a_wait_is_over_at_once(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch), "TRANSIENT")
        self.assertEqual(self.ctl.ask("retry", self.id_of(batch))["retried"], 1)
        again = beta.delivery(batch)
        self.assertEqual(again["delivery"]["attempt"], 2)
        self.assertIn("does not wait", self.ctl.say("retry", self.id_of(batch), status=1))
        beta.finish(again)

    def test_all_that_wait(self):
        beta = self.module(self.broker, "BETA")
        batches = [self.alpha.hand_over() for _ in range(4)]	# a fifth would open the circuit
        for batch in batches:
            beta.reject(beta.delivery(batch), "TRANSIENT")
        self.assertEqual(self.ctl.ask("retry", "--route", "alpha-beta")["retried"], 4)
        for batch in batches:
            beta.finish(beta.delivery(batch))


class Pause(Operate):
    def test_it_outlives_a_kill_and_ends_with_resume(self):
        beta = self.module(self.broker, "BETA")
        self.ctl.ask("pause", "alpha-beta", "--reason", "BETA is being mended")
        batch = self.alpha.hand_over()
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assertIn("paused already", self.ctl.say("pause", "alpha-beta", status=1))
        self.assertEqual(self.ctl.ask("resume", "alpha-beta"),
                         {"route": "alpha-beta", "paused": False})
        beta.finish(beta.delivery(batch))
        self.assertIn("not paused", self.ctl.say("resume", "alpha-beta", status=1))

    def test_other_routes_go_on(self):
        self.ctl.ask("pause", "alpha-beta")
        beta, gamma = self.module(self.broker, "BETA"), self.module(self.broker, "GAMMA")
        gamma.finish(gamma.delivery(beta.hand_over()))

    def test_a_route_that_is_not_there(self):
        self.assertIn('did you mean "alpha-beta"',
                      self.ctl.say("pause", "alfa-beta", status=2))


class Kick(Operate):
    def test_it_costs_no_attempt(self):
        beta = self.module(self.broker, "BETA", instance_id="b1")
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        self.ctl.ask("kick", "BETA/b1", "--reason", "it hangs")
        self.assert_ends_with_goodbye(beta, "KICKED")
        again = self.module_again(self.broker, beta, holds=[delivery["delivery"]["lease"]])
        again.expect_none("BATCH_TRANSFER", 0.1)
        self.assertFalse(again.finish(delivery).get("duplicate"))
        outcome = self.alpha.outcome(batch)
        self.assertEqual(outcome.status, "PROCESSED")
        self.broker.wait_for_log(r'operator .*command="kick BETA/b1" reason="it hangs"')

    def test_who_is_not_there(self):
        self.assertIn("is not connected", self.ctl.say("kick", "BETA/b1", status=1))
        self.assertIn("MODULE/INSTANCE", self.ctl.say("kick", "BETA", status=2))
        self.assertIn("is not connected", self.ctl.say("kick", "OMEGA/b1", status=1))


class Drain(Operate):
    def test_then_a_stop_and_a_start_repeat_no_work(self):
        beta = self.module(self.broker, "BETA", max_in_flight=1)
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        delivery = beta.delivery(first)
        process = self.ctl.start("drain", "--progress")
        self.assertIn("1 out, waits until there is none", process.stdout.readline())
        beta.finish(delivery)
        output, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, output)
        beta.expect_none("BATCH_TRANSFER", 0.1)
        beta.close()
        self.alpha.close()
        self.broker.stop()
        self.broker.start()
        beta = self.module(self.broker, "BETA")
        delivery = beta.delivery()
        self.assertEqual((delivery.batch_id, delivery["delivery"]["attempt"],
                          delivery["delivery"]["redelivered"]), (self.id_of(second), 1, False))
        beta.finish(delivery)
        beta.expect_none("BATCH_TRANSFER", 0.1)

    def test_who_goes_away_leaves_it_draining(self):
        beta = self.module(self.broker, "BETA", max_in_flight=1)
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        delivery = beta.delivery(first)
        process = self.ctl.start("drain", "--progress")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        self.assertIn("the broker goes on draining", output)
        self.assertEqual(process.returncode, 130)
        beta.finish(delivery)
        beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assertEqual(self.ctl.ask("drain", "--off")["draining"], False)
        beta.finish(beta.delivery(second))
        self.assertIn("not draining", self.ctl.say("drain", "--off", status=1))

    def test_a_stop_does_not_wait_for_it(self):
        beta = self.module(self.broker, "BETA")
        beta.delivery(self.alpha.hand_over())
        process = self.ctl.start("drain", "--progress")
        process.stdout.readline()
        for client in (self.alpha, beta):
            client.close()
        self.broker.stop()
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 69)

    def test_somebody_else_may_end_it(self):
        beta = self.module(self.broker, "BETA")
        delivery = beta.delivery(self.alpha.hand_over())
        process = self.ctl.start("drain", "--progress")
        process.stdout.readline()
        self.ctl.ask("drain", "--off")
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 75)
        beta.finish(delivery)


class Settle(Operate):
    settings = 'route "alpha-beta" { confirm = true confirm_timeout_ms = 200 }'

    def test_what_was_reconciled_is_awaited_no_longer(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.finish(beta.delivery(batch))
        beta.expect("ERROR_NOTIFICATION")		# ambiguous: both are told
        answer = self.ctl.ask("confirmations", "settle", self.id_of(batch), "--reason", "asked")
        self.assertEqual(answer, {"settled": self.id_of(batch), "route": "alpha-beta"})
        self.assertIn("not awaited",
                      self.ctl.say("confirmations", "settle", self.id_of(batch), status=1))

    def test_what_is_not_there(self):
        batch = self.alpha.hand_over()
        self.assertIn("not awaited",
                      self.ctl.say("confirmations", "settle", self.id_of(batch), status=1))


@unittest.skipUnless(os.geteuid() == 0, "only root can ask as somebody else")
class Roles(Case):
    def ask_as_reader(self, broker, *words):
        """Of a copy: the checkout may lie where nobody else may look."""
        program = shutil.copy(HANDOFFCTL, self.directory)
        return subprocess.run([program, "--socket", Ctl(broker).socket, *words], user=READER,
                              group=0, extra_groups=[], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def test_a_reader_may_look_and_change_nothing(self):
        broker = self.start_broker(
            'admin { socket = "admin.sock" readers = { %d } }\n' % READER)
        os.chmod(self.directory, 0o711)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", instance_id="b1")
        dead = alpha.hand_over()
        beta.reject(beta.delivery(dead), "PERMANENT")
        alpha.outcome(dead)
        looked = self.ask_as_reader(broker, "--json", "dead", "list")
        self.assertEqual((looked.returncode, len(json.loads(looked.stdout)["letters"])), (0, 1))
        dead_id = dead["metadata"]["batch_id"]
        for words in (
                ("dead", "redrive", dead_id), ("dead", "purge", "--yes", "--all"),
                ("dead", "export", "--all"), ("dead", "import-part", "AAAA"),
                ("dead", "import-end",), ("dead", "import-done",), ("hold", "--all"),
                ("release", "--all"), ("retry", "--all"), ("pause", "alpha-beta"),
                ("resume", "alpha-beta"), ("kick", "BETA/b1"), ("drain",), ("drain", "--off"),
                ("confirmations", "settle", dead_id)):
            answer = self.ask_as_reader(broker, *words)
            self.assertEqual(answer.returncode, 77, (words, answer.stdout))
        letters = Ctl(broker).ask("dead", "list")["letters"]
        self.assertEqual([letter["batch_id"] for letter in letters], [dead_id])
        batch = alpha.hand_over()
        beta.finish(beta.delivery(batch))

    def test_an_import_of_a_reader_ends_at_once(self):
        broker = self.start_broker(
            'admin { socket = "admin.sock" readers = { %d } }\n' % READER)
        os.chmod(self.directory, 0o711)
        file = os.path.join(self.directory, "letters")
        with open(file, "w") as lines:
            for _ in range(3):
                lines.write('{"handoff_dead_letter":1,"frame":"AAAA"}\n')
        os.chmod(file, 0o644)
        answer = self.ask_as_reader(broker, "dead", "import", file)
        self.assertEqual(answer.returncode, 77, answer.stdout)
        self.assertIn(b"imported 0, failed 1", answer.stdout)
