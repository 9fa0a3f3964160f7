"""test_explain.py - handoffctl explain: a batch in every state, found by whatever is known of it."""

import os
import re
import time

from case import messages
from look_case import LookCase, damage

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Ready(LookCase):
    settings = 'route "alpha-beta" { retry_delay_ms = 50 }'

    def test_nobody_is_there_to_take_it(self):
        batch = self.alpha.hand_over(count=4)
        story = self.assert_state(batch, "READY", "NO_CONSUMER")
        self.assertIn("BETA", story["next"])
        self.assertEqual((story["route"], story["source"], story["records"], story["priority"],
                          story["sequence_number"], story["correlation_id"], story["attempts"]),
                         ("alpha-beta", "ALPHA/a1", 4, "NORMAL", 1,
                          batch["header"]["correlation_id"], 0))
        self.assertGreater(story["bytes"], 100)
        self.assertEqual(self.events(story), ["received"])
        self.assertEqual(story["story"][0]["at"], story["received"])
        self.assertIn("handoffctl hold " + story["batch_id"], story["do"])

    def test_all_hold_as_much_as_they_take_and_others_go_first(self):
        beta = self.beta(1)
        out, first, second, third = [self.alpha.hand_over() for _ in range(4)]
        beta.delivery(out)
        self.assert_state(first, "READY", "NO_CREDIT")
        self.assertIn("1 others", self.assert_state(second, "READY", "QUEUED")["next"])
        self.assertIn("2 others", self.assert_state(third, "READY", "QUEUED")["next"])

    def test_the_target_asked_for_a_pause(self):
        beta = self.beta()
        beta.press("ACTIVATE")
        batch = self.alpha.hand_over()
        self.assertIn("BETA", self.assert_state(batch, "READY", "CONSUMER_PAUSED")["next"])

    def test_it_is_suspect_and_waits_for_its_turn(self):
        batches = [self.alpha.hand_over() for _ in range(2)]
        beta = self.beta(2)
        for batch in batches:
            beta.delivery(batch)
        beta.close()
        self.let_the_broker_notice()
        self.beta(2, "b2").delivery(batches[0])
        story = self.assert_state(batches[1], "READY", "SUSPECT")
        self.assertTrue(story["suspect"])
        lost = self.event(story, "lost")
        self.assertEqual((lost["instance"], lost["attempt"]), ("BETA/b1", 1))

    def test_a_person_holds_it(self):
        batch = self.alpha.hand_over()
        self.ctl.say("hold", batch["metadata"]["batch_id"], "--reason", "look at it first")
        story = self.assert_state(batch, "READY", "HELD")
        self.assertIn("look at it first", self.event(story, "held")["text"])
        self.assertIn("handoffctl release " + story["batch_id"], story["do"])
        self.ctl.say("release", story["batch_id"])
        self.assert_state(batch, "READY", "NO_CONSUMER")

    def test_a_person_paused_the_route(self):
        self.ctl.say("pause", "alpha-beta", "--reason", "the target is repaired")
        batch = self.alpha.hand_over()
        story = self.assert_state(batch, "READY", "ROUTE_HALTED")
        self.assertIn("the target is repaired", story["next"])
        self.assertIn("handoffctl resume alpha-beta", story["do"])

    def test_a_person_drains_the_broker(self):
        self.ctl.say("drain")
        batch = self.alpha.hand_over()
        story = self.assert_state(batch, "READY", "DRAINING")
        self.assertIn("handoffctl drain --off", story["do"])


class Ordered(LookCase):
    settings = 'route "alpha-beta" { ordered = true retry_delay_ms = 60000 }'

    def test_another_batch_of_its_source_goes_first(self):
        beta = self.beta()
        first, second = self.alpha.hand_over(), self.alpha.hand_over()
        beta.reject(beta.delivery(first))
        story = self.assert_state(second, "READY", "ORDERED_BEHIND")
        self.assertIn(first["metadata"]["batch_id"], story["next"])
        self.assert_state(first, "WAITING", "BACKOFF")


class Assigned(LookCase):
    settings = ('route "alpha-beta" { ack_timeout_ms = 50000 process_timeout_ms = 100000 '
                'max_retries = 2 }')
    top_level = {"reclaim_ms": 60000}

    def test_the_target_has_not_said_received(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        story = self.assert_state(batch, "ASSIGNED", "ASSIGNED")
        self.assertEqual(self.events(story), ["received", "delivered"])
        line = self.event(story, "delivered")
        self.assertEqual((line["instance"], line["lease"], line["attempt"]),
                         ("BETA/b1", delivery.lease, 1))
        self.assertIn("not said RECEIVED", line["text"])
        self.assertIn("attempt 1 of 3", story["next"])
        self.assertTrue(40000 < story["until_in_ms"] <= 50000, story)
        self.assertIn("handoffctl kick BETA/b1", story["do"])

    def test_the_target_works_on_it(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.acknowledge(beta.delivery(batch), "RECEIVED")
        beta.barrier()
        story = self.assert_state(batch, "ASSIGNED", "ASSIGNED")
        self.assertIn("said RECEIVED", self.event(story, "delivered")["text"])
        self.assertIn("PROCESSED", story["next"])
        self.assertTrue(90000 < story["until_in_ms"] <= 100000, story)

    def test_it_waits_for_its_instance_to_come_back(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.delivery(batch)
        self.broker.restart()
        story = self.assert_state(batch, "ASSIGNED", "RECLAIM")
        self.assertIn("BETA/b1", story["next"])
        self.assertTrue(0 < story["until_in_ms"] <= 60000, story)

    def test_what_a_shell_would_take_apart_is_in_no_command(self):
        beta = self.beta(instance_id="b1; reboot")
        batch = self.alpha.hand_over()
        beta.delivery(batch)
        story = self.assert_state(batch, "ASSIGNED", "ASSIGNED")
        self.assertNotIn("reboot", "".join(story["do"]))


class Waiting(LookCase):
    settings = ('route "alpha-beta" { retry_delay_ms = 60000 max_retry_delay_ms = 60000 '
                'max_retries = 3 }')

    def test_it_waits_for_the_next_attempt(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch), code="BETA_031", context={"field_name": "amount"})
        story = self.assert_state(batch, "WAITING", "BACKOFF")
        self.assertEqual(self.events(story), ["received", "rejected"])
        line = self.event(story, "rejected")
        self.assertEqual((line["instance"], line["attempt"]), ("BETA/b1", 1))
        self.assertIn("BETA_031 amount", line["text"])
        self.assertTrue(60000 <= line["wait_ms"] <= 66000, line)
        self.assertTrue(50000 < story["until_in_ms"] <= 66000, story)
        self.assertEqual(story["next"], "attempt 2 of 4 then")
        self.assertIn("handoffctl retry " + story["batch_id"], story["do"])

    def test_a_person_told_it_not_to_wait(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        self.ctl.say("retry", batch["metadata"]["batch_id"])
        delivery = beta.delivery(batch)
        story = self.assert_state(batch, "ASSIGNED", "ASSIGNED")
        self.assertEqual(self.events(story), ["received", "rejected", "retried", "delivered"])
        self.assertEqual(self.event(story, "delivered")["attempt"], 2)
        beta.finish(delivery)

    def test_it_is_held_while_it_waits(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        self.ctl.say("hold", batch["metadata"]["batch_id"])
        self.assert_state(batch, "WAITING", "HELD")


class Dead(LookCase):
    settings = ('route "alpha-beta" { max_retries = 1 retry_delay_ms = 20 ack_timeout_ms = 100 '
                'backoff_multiplier = 1.0 }')

    def dead_letter(self, beta, **fields):
        batch = self.alpha.hand_over(**fields)
        beta.reject(beta.delivery(batch), "PERMANENT", code="BETA_007",
                    context={"field_name": "amount", "expected_value": "a number",
                             "actual_value": "twelve"})
        return batch

    def test_its_target_rejected_it_for_good(self):
        batch = self.dead_letter(self.beta())
        story = self.assert_state(batch, "DEAD", "DEAD")
        self.assertEqual(story["code"], "INT_DELIVERY_004")
        error, = story["errors"]
        self.assertEqual((error["code"], error["recoverability"], error["scope"], error["field"],
                          error["expected"], error["actual"], error["message"]),
                         ("BETA_007", "PERMANENT", "BATCH", "amount", "a number", "twelve",
                          "a test says so"))
        self.assertEqual(self.events(story), ["received", "rejected", "dead"])
        for command in ("show", "redrive", "purge"):
            self.assertIn("handoffctl dead %s %s" % (command, story["batch_id"]), story["do"])

    def test_its_attempts_are_used_up(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        for _ in range(2):
            beta.reject(beta.delivery(batch))
        story = self.assert_state(batch, "DEAD", "DEAD")
        self.assertEqual(story["code"], "INT_DELIVERY_002")
        self.assertEqual(self.events(story).count("rejected"), 2)

    def test_its_target_never_answered(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        for _ in range(2):
            beta.delivery(batch)
        self.ctl.until(lambda story: story["state"] == "DEAD", "explain",
                       batch["metadata"]["batch_id"])
        story = self.assert_state(batch, "DEAD", "DEAD")
        self.assertEqual([line["attempt"] for line in story["story"]
                          if line["event"] == "ack timeout"], [1, 2])

    def test_it_was_redriven(self):
        beta = self.beta()
        batch = self.dead_letter(beta)
        beta.close()
        self.let_the_broker_notice()
        self.ctl.say("dead", "redrive", batch["metadata"]["batch_id"], "--reason", "repaired")
        story = self.assert_state(batch, "READY", "NO_CONSUMER")
        self.assertEqual(story["redrives"], 1)
        self.assertIn("repaired", self.event(story, "redriven")["text"])
        beta = self.beta(instance_id="b2")
        beta.delivery(batch)
        self.assertIn("attempt 1 of 2", self.explain(batch)["next"])

    def test_it_was_purged(self):
        batch = self.dead_letter(self.beta())
        batch_id = batch["metadata"]["batch_id"]
        self.ctl.say("--yes", "dead", "purge", batch_id, "--reason", "of no use")
        story = self.ctl.ask("explain", batch_id[:10])
        self.assertEqual((story["batch_id"], story["state"], story["route"]),
                         (batch_id, "PURGED", "alpha-beta"))
        self.assertIn("of no use", story["why"])
        self.assertIn("uid", story["by"])
        self.assertIn("gone for ever", self.ctl.say("explain", batch_id))

    def test_it_was_imported(self):
        batch = self.dead_letter(self.beta(), correlation_id="order-4711")
        batch_id = batch["metadata"]["batch_id"]
        exported = os.path.join(self.directory, "letters")
        with open(exported, "w") as file:
            file.write(self.ctl.run("dead", "export", batch_id).output)
        self.ctl.say("--yes", "dead", "purge", batch_id)
        self.ctl.say("dead", "import", exported, "--reason", "it was of use")
        story = self.assert_state(batch, "DEAD", "DEAD")
        self.assertIn("it was of use", self.event(story, "imported")["text"])
        self.assertEqual(story["errors"][0]["code"], "BETA_007")
        self.assertEqual(self.ctl.ask("explain", "order-4711")["state"], "DEAD")

    def test_its_stored_bytes_are_damaged(self):
        marker = b"these bytes will not stay what they were " + messages.new_id().encode()
        record = {"record_id": "1", "data": marker}
        batch = self.alpha.hand_over(content=messages.encode([record]), count=1)
        self.broker.stop()
        damage(self.broker, marker)
        self.broker.start()
        self.beta().barrier()
        self.ctl.until(lambda story: story["state"] == "DEAD", "explain",
                       batch["metadata"]["batch_id"])
        story = self.assert_state(batch, "DEAD", "DEAD")
        self.assertEqual(story["code"], "INT_STORE_002")
        self.assertIn("checksum", story["next"])
        self.assertNotIn("redrive", "".join(story["do"]))

    def test_its_record_is_damaged(self):
        correlation = "follows " + messages.new_id()
        batch = self.alpha.hand_over(correlation_id=correlation)
        self.broker.stop()
        damage(self.broker, correlation.encode())
        self.broker.start()
        story = self.ctl.ask("explain", batch["metadata"]["batch_id"])
        self.assertEqual((story["state"], story["code"]), ("DEAD", "INT_STORE_002"))
        self.beta().barrier()
        self.broker.wait_for_log("does not match its checksum")
        story = self.ctl.ask("explain", batch["metadata"]["batch_id"])
        self.assertEqual((story["state"], story["code"]), ("DEAD", "INT_STORE_002"))

    def test_long_errors_are_cut_and_all_are_told(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        errors = [messages.error("BETA", "PERMANENT", code="BETA_%03d" % i,
                                 error_message="\x07" * 900) for i in range(30)]
        beta.answer_to(beta.acknowledge(beta.delivery(batch), "REJECTED", errors=errors))
        story = self.explain(batch)
        self.assertEqual([e["code"] for e in story["errors"]],
                         ["BETA_%03d" % i for i in range(len(story["errors"]))])
        self.assertGreater(len(story["errors"]), 10)
        self.assertLess(len(story["errors"][0]["message"]), 900)


class Rejected(LookCase):
    def process_but_one(self, named):
        beta = self.beta()
        batch = self.alpha.hand_over(count=3)
        delivery = beta.delivery(batch)
        errors = [messages.error("BETA", "PERMANENT", "RECORD", code="BETA_R",
                                 context={"record_id": messages.record_ids(delivery)[1]})]
        beta.answer_to(beta.acknowledge(delivery, "PROCESSED", 2, 1,
                                        errors=errors if named else []))
        return batch

    def test_its_rejected_records_are_a_letter_and_each_names_the_other(self):
        batch = self.process_but_one(named=True)
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertEqual((story["accepted"], story["rejected"]), (2, 1))
        letter_id = self.event(story, "records rejected")["text"]
        letter = self.assert_state(letter_id, "DEAD", "DEAD")
        self.assertEqual((letter["parent"], letter["derived"], letter["records"]),
                         (story["batch_id"], True, 1))
        self.assertEqual(letter["errors"][0]["code"], "BETA_R")

    def test_it_is_kept_whole_when_the_records_are_not_named(self):
        batch = self.process_but_one(named=False)
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertTrue(story["kept_whole"])
        self.assertIn("kept whole", story["next"])
        self.assertIn("handoffctl dead show " + story["batch_id"], story["do"])


class Ended(LookCase):
    settings = ('route "alpha-beta" { confirm = false retry_delay_ms = 20 }\n'
                'route "beta-gamma" { confirm = true confirm_timeout_ms = 60000 }\n'
                'route "alpha-gamma" { source = "ALPHA" target = "GAMMA" confirm = true '
                'confirm_timeout_ms = 100 }')

    def test_it_is_still_in_history(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        delivery = beta.delivery(batch)
        beta.finish(delivery)
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertEqual(self.events(story), ["received", "processed"])
        line = self.event(story, "processed")
        self.assertEqual((line["instance"], line["lease"], line["attempt"]),
                         ("BETA/b1", delivery.lease, 1))
        self.assertEqual((story["accepted"], story["rejected"], story["records"]), (3, 0, 3))
        self.assertIsInstance(story["duration_ms"], int)
        self.assertEqual(story["do"], [])

    def test_after_a_failure_both_are_told(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        beta.finish(beta.delivery(batch))
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertEqual(self.events(story), ["received", "rejected", "processed"])
        self.assertEqual(story["attempts"], 2)

    def test_its_confirmation_is_awaited_and_complete(self):
        source = self.module(self.broker, "BETA", 0)
        gamma = self.module(self.broker, "GAMMA", instance_id="g1")
        batch = source.hand_over(count=3)
        delivery = gamma.delivery(batch)
        gamma.finish(delivery)
        gamma.confirm(delivery, messages.record_ids(delivery)[:2])
        story = self.assert_state(batch, "ENDED", "NONE")
        confirmation = story["confirmation"]
        self.assertEqual((confirmation["state"], confirmation["records"],
                          confirmation["delivered"]), ("AWAITED", 3, 2))
        self.assertIn("2 of 3", story["next"])
        listed, = self.ctl.ask("confirmations")["confirmations"]
        self.assertEqual((listed["batch_id"], listed["state"], listed["route"], listed["holder"]),
                         (story["batch_id"], "AWAITED", "beta-gamma", "GAMMA/g1"))
        gamma.confirm(delivery, messages.record_ids(delivery)[2:], "FAILED")
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertEqual((story["confirmation"]["state"], story["confirmation"]["failed"]),
                         ("COMPLETE", 1))
        self.assertEqual(self.ctl.ask("confirmations")["confirmations"], [])
        self.assertEqual(len(self.ctl.ask("confirmations", "--state", "complete")
                             ["confirmations"]), 1)

    def test_its_confirmation_is_ambiguous(self):
        gamma = self.module(self.broker, "GAMMA")
        batch = self.alpha.hand_over(target="GAMMA")
        gamma.finish(gamma.delivery(batch))
        self.ctl.until(lambda answer: answer["confirmations"], "confirmations", "--state",
                       "ambiguous", "--route", "alpha-gamma")
        story = self.assert_state(batch, "ENDED", "NONE")
        self.assertEqual(story["confirmation"]["state"], "AMBIGUOUS")
        self.assertIn("handoffctl confirmations settle " + story["batch_id"], story["do"])
        self.ctl.say("confirmations", "settle", story["batch_id"])
        self.assertEqual(self.explain(batch)["confirmation"]["state"], "COMPLETE")


class Finding(LookCase):
    settings = 'route "alpha-gamma" { source = "ALPHA" target = "GAMMA" }'

    def test_by_the_beginning_of_each_of_its_ids(self):
        batch = self.alpha.hand_over(correlation_id="order-4711")
        others = [self.alpha.hand_over(correlation_id="other-%d" % i) for i in range(20)]
        batch_id = batch["metadata"]["batch_id"]
        for known in (batch_id, batch_id[:14].upper(), batch["header"]["message_id"],
                      batch["header"]["message_id"][:14], "order-4711", "order"):
            self.assertEqual(self.ctl.ask("explain", known)["batch_id"], batch_id, known)
        self.assertEqual(self.ctl.ask("explain", "other-13")["batch_id"],
                         others[13]["metadata"]["batch_id"])

    def test_by_them_when_it_has_ended(self):
        beta = self.beta()
        batch = self.alpha.hand_over(correlation_id="order-4711")
        beta.finish(beta.delivery(batch))
        for known in ("order-4711", batch["header"]["message_id"]):
            self.assertEqual(self.ctl.ask("explain", known)["state"], "ENDED")

    def test_by_a_record(self):
        self.alpha.hand_over()
        content = messages.encode([{"record_id": "invoice 12", "data": b""}])
        batch = self.alpha.hand_over(content=content, count=1)
        story = self.ctl.ask("explain", "invoice 12", "--record")
        self.assertEqual(story["batch_id"], batch["metadata"]["batch_id"])
        self.ctl.ask("explain", "invoice 1", "--record", status=1)

    def test_several_are_listed_with_what_tells_them_apart(self):
        beta = self.beta()
        first, second = [self.alpha.hand_over(correlation_id="order-%d" % i) for i in range(2)]
        beta.finish(beta.delivery(first))
        answer = self.ctl.ask("explain", "order-", status=1)
        self.assertEqual({(m["batch_id"], m["state"], m["correlation_id"])
                          for m in answer["matches"]},
                         {(first["metadata"]["batch_id"], "ENDED", "order-0"),
                          (second["metadata"]["batch_id"], "ASSIGNED", "order-1")})
        self.assertIn("2 batches match", self.ctl.say("explain", "order-", status=1))

    def test_more_than_can_be_listed(self):
        for i in range(30):
            self.alpha.hand_over(correlation_id="order-%d" % i)
        answer = self.ctl.ask("explain", "order-", status=1)
        self.assertEqual((len(answer["matches"]), answer["more"]), (20, True))

    def test_the_same_id_on_two_routes(self):
        batch = self.alpha.hand_over()
        batch_id = batch["metadata"]["batch_id"]
        self.alpha.hand_over(target="GAMMA", batch_id=batch_id)
        answer = self.ctl.ask("explain", batch_id, status=1)
        self.assertEqual({m["route"] for m in answer["matches"]}, {"alpha-beta", "alpha-gamma"})
        self.assertEqual(self.ctl.ask("explain", batch_id, "--route", "alpha-gamma")["route"],
                         "alpha-gamma")

    def test_what_nobody_knows(self):
        for unknown in ("0123456789", messages.new_id(), "nothing", "x" * 128):
            self.assertIn("nothing is known of", self.ctl.say("explain", unknown, status=1))
        self.assertEqual(self.ctl.ask("explain", "nothing", status=1)["code"], 1)
        self.ctl.say("explain", "x" * 129, status=2)
        self.ctl.say("explain", "", status=2)
        self.ctl.say("explain", status=2)


class Strangers(LookCase):
    """What modules write into their ids never reaches a terminal as it is."""

    NASTY = "a\x1b[2J\x07\u202e\x7f\x9b1m\rb"

    def test_no_control_character_reaches_the_terminal(self):
        alpha = self.module(self.broker, "ALPHA", 0, instance_id="i" + self.NASTY)
        beta = self.module(self.broker, "BETA", 1, instance_id="j" + self.NASTY)
        batches = [alpha.hand_over(correlation_id=self.NASTY + str(i)) for i in range(2)]
        delivery = beta.delivery(batches[0])
        beta.reject(delivery, "PERMANENT", code="C" + self.NASTY, error_message=self.NASTY,
                    context={"field_name": self.NASTY})
        beta.delivery(batches[1])
        looks = [("status",), ("routes",), ("clients", "--all"), ("batches",),
                 ("explain", batches[0]["metadata"]["batch_id"]),
                 ("explain", batches[1]["metadata"]["batch_id"]),
                 ("shape", "--by", "source"), ("shape", "--by", "target"),
                 ("shape", "--by", "code"), ("journal",), ("confirmations",)]
        for words in looks:
            text = self.ctl.say(*words)
            self.assertIsNone(CONTROL.search(text), (words, text))
            self.assertIsNone(CONTROL.search(self.ctl.run("--json", *words).text), words)
        text = self.ctl.say("explain", self.NASTY, status=1)
        self.assertIsNone(CONTROL.search(text), text)
        self.assertEqual(self.ctl.ask("explain", batches[0]["metadata"]["batch_id"])
                         ["correlation_id"], self.NASTY + "0")


class Quick(LookCase):
    """With a backlog; tests/bench/explain measures a million."""

    settings = 'route "alpha-beta" { queue_capacity = 1000000 queue_capacity_bytes = "400M" }'
    SECONDS = 8
    BOUND = 0.4                         # seconds, with the start of a process; patient machines

    def new_broker(self, settings="", **more):
        return super().new_broker(settings, store_size="512M", **more)

    def fill(self):
        """As many batches as can be sent in some seconds; those in the middle."""
        content = messages.encode([{"record_id": "r", "data": b""}])
        begun, sent = time.monotonic(), []
        while time.monotonic() - begun < self.SECONDS:
            some = [self.alpha.batch(content=content, count=1) for _ in range(200)]
            self.alpha.send_bytes(b"".join(messages.frame(messages.encode(m)) for m in some))
            for message in some:
                self.assert_received(self.alpha.answer_to(message))
            sent += some
        return sent

    def test_it_answers_soon_whatever_is_asked(self):
        sent = self.fill()
        self.assertGreater(len(sent), 1000)
        batch = sent[len(sent) // 2]
        patience = float(os.environ.get("HANDOFF_TEST_PATIENCE", "1"))
        for known in (batch["metadata"]["batch_id"], batch["metadata"]["batch_id"][:18],
                      batch["header"]["correlation_id"], batch["header"]["message_id"],
                      batch["header"]["message_id"][:18]):
            begun = time.monotonic()
            story = self.ctl.ask("explain", known)
            took = time.monotonic() - begun
            self.assertEqual(story["batch_id"], batch["metadata"]["batch_id"])
            self.assertLess(took, self.BOUND * patience,
                            "%s among %d took %.3f s" % (known, len(sent), took))



