"""test_dead.py - handoffctl dead: letters listed, grouped, shown, redriven, purged, moved."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import msgpack

from case import Case, messages
from ctl import ADMIN, HANDOFFCTL, Ctl

QUICK = "retry_delay_ms = 50 max_retries = 1 backoff_multiplier = 1.0"


class Letters(Case):
    settings = 'route "alpha-beta" { %s }' % QUICK

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(ADMIN + self.settings)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA", max_in_flight=100)
        self.beta = self.module(self.broker, "BETA", max_in_flight=100)

    def tearDown(self):
        """After whatever was done, every batch is accounted for."""
        try:
            if self.broker.is_running():
                self.assertFalse([word for word in ("differs", "damaged")
                                  if word in self.ctl.say("audit")])
        finally:
            super().tearDown()

    def die(self, code="BETA_BAD", **fields):
        """A batch that its target rejects for good; returns it."""
        batch = self.alpha.hand_over(**fields)
        self.beta.reject(self.beta.delivery(batch), "PERMANENT", code=code)
        self.assertEqual(self.alpha.outcome(batch).status, "REJECTED")
        return batch

    def die_many(self, count, **fields):
        return [self.die(**fields) for _ in range(count)]

    def reject_records(self, *positions, count=4):
        """A batch of which these records are rejected; returns it and their errors."""
        batch = self.alpha.hand_over(count=count)
        delivery = self.beta.delivery(batch)
        ids = messages.record_ids(delivery)
        errors = [messages.error("BETA", "PERMANENT", "RECORD", code="BETA_R",
                                 context={"record_id": ids[i]}) for i in positions]
        self.beta.answer_to(self.beta.acknowledge(
            delivery, "PROCESSED", count - len(positions), len(positions), errors=errors))
        self.alpha.outcome(batch)
        return batch

    def letters(self, *filters):
        answer = self.ctl.run("--json", "dead", "list", "--limit", 100000, *filters)
        self.assertIn(answer.status, (0, 1), answer)
        return json.loads(answer.output or answer.errors)["letters"]

    def letter_ids(self, *filters):
        return sorted(letter["batch_id"] for letter in self.letters(*filters))

    def ids(self, batches):
        return sorted(batch["metadata"]["batch_id"] for batch in batches)


class Look(Letters):
    def test_a_list_says_what_is_dead_and_why(self):
        batch = self.die(code="BETA_NO")
        letter, = self.letters()
        self.assertEqual(
            (letter["batch_id"], letter["route"], letter["kind"], letter["target_code"],
             letter["attempts"], letter["records"]),
            (batch["metadata"]["batch_id"], "alpha-beta", "batch", "BETA_NO", 1, 3))
        self.assertIn(letter["batch_id"], self.ctl.say("dead", "list"))

    def test_a_list_ends_at_its_limit_and_says_so(self):
        self.die_many(3)
        answer = self.ctl.ask("dead", "list", "--limit", 2)
        self.assertEqual((len(answer["letters"]), answer["more"]), (2, True))
        self.assertIn("there are more than these 2", self.ctl.say("dead", "list", "--limit", 2))

    def test_filters_choose(self):
        first, second = self.die(code="BETA_ONE"), self.die(code="BETA_TWO")
        self.assertEqual(self.letter_ids("--code", "BETA_TWO"), self.ids([second]))
        self.assertEqual(self.letter_ids("--route", "beta-gamma"), [])
        self.assertEqual(self.letter_ids("--older", "1h"), [])
        self.assertEqual(self.letter_ids("--younger", "1h"), self.ids([first, second]))
        self.assertEqual(self.letter_ids("--correlation", first["header"]["correlation_id"]),
                         self.ids([first]))
        self.assertEqual(self.letter_ids("--derived"), [])
        self.assertIn("did you mean \"alpha-beta\"?",
                      self.ctl.say("dead", "list", "--route", "alpha-bet", status=2))
        self.assertIn("--older takes a time",
                      self.ctl.say("dead", "list", "--older", "soon", status=2))

    def test_groups_count(self):
        self.die_many(3, code="BETA_ONE")
        self.die(code="BETA_TWO")
        groups = self.ctl.ask("dead", "group", "--by", "code")["groups"]
        self.assertEqual([(g["code"], g["count"], g["route"]) for g in groups],
                         [("BETA_ONE", 3, None), ("BETA_TWO", 1, None)])
        self.assertLess(groups[0]["oldest_at"], groups[0]["newest_at"])
        groups = self.ctl.ask("dead", "group", "--by", "route")["groups"]
        self.assertEqual([(g["route"], g["count"]) for g in groups], [("alpha-beta", 4)])
        self.ctl.say("dead", "group", "--by", "colour", status=2)

    def test_one_is_shown_by_the_beginning_of_its_id(self):
        batch = self.die(code="BETA_NO")
        batch_id = batch["metadata"]["batch_id"]
        shown = self.ctl.ask("dead", "show", batch_id[:8], "--records")
        self.assertEqual((shown["batch_id"], shown["message_id"], shown["correlation_id"]),
                         (batch_id, batch["header"]["message_id"],
                          batch["header"]["correlation_id"]))
        self.assertEqual(shown["checksum"], batch["metadata"]["checksum"])
        self.assertEqual([e["code"] for e in shown["errors"]], ["BETA_NO"])
        self.assertEqual(shown["record_ids"], messages.record_ids(batch))
        self.assertEqual((shown["damaged"], shown["more_record_ids"]), (False, False))
        self.assertEqual([line["event"] for line in shown["journal"]], ["rejected"])
        self.assertIn("BETA_NO", self.ctl.say("dead", "show", batch_id))

    def test_what_is_no_letter_is_said(self):
        batch = self.alpha.hand_over()
        self.assertIn("is no dead letter",
                      self.ctl.say("dead", "show", batch["metadata"]["batch_id"], status=1))
        self.beta.finish(self.beta.delivery(batch))
        self.assertIn("is no dead letter: it has ended",
                      self.ctl.say("dead", "redrive", batch["metadata"]["batch_id"], status=1))
        self.assertIn("there is no dead letter",
                      self.ctl.say("dead", "show", messages.new_id(), status=1))
        self.assertIn("no batch_id", self.ctl.say("dead", "show", "zebra", status=1))

    def test_a_letter_that_outlives_the_memory_of_its_end_is_found(self):
        """A partial letter has no identity of its own; history forgets its batch."""
        batch = self.alpha.hand_over(count=4)
        delivery = self.beta.delivery(batch)
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 3, 1))
        outcome = self.alpha.outcome(batch)
        self.alpha.send(messages.goodbye("ALPHA", seen=outcome["notice"]))
        self.alpha.expect_closed()
        self.broker.kill()
        self.broker.configure(ADMIN + self.settings, outcome_retention="100ms",
                              dedupe_minimum="100ms")
        self.broker.start()
        batch_id = batch["metadata"]["batch_id"]
        self.ctl.until(lambda answer: "error" in answer, "explain", batch_id)
        shown = self.ctl.ask("dead", "show", batch_id[:13])
        self.assertEqual((shown["batch_id"], shown["kind"]), (batch_id, "partial"))
        self.assertEqual(self.ctl.ask("dead", "redrive", batch_id)["redriven"], 1)
        self.assertEqual(self.module(self.broker, "BETA").delivery(batch)["records"],
                         batch["records"])

    def test_two_with_the_same_beginning_are_asked_about(self):
        common = messages.new_id()[:-4]
        for end in ("0001", "0002"):
            self.die(batch_id=common + end)
        text = self.ctl.say("dead", "purge", "--yes", common, status=1)
        self.assertIn(common + "0001", text)
        self.assertIn(common + "0002", text)
        self.assertEqual(len(self.letters()), 2)

    def test_the_history_of_attempts_is_shown(self):
        batch = self.alpha.hand_over()
        for _ in range(2):
            self.beta.reject(self.beta.delivery(batch), "TRANSIENT")
        self.alpha.outcome(batch)
        shown = self.ctl.ask("dead", "show", batch["metadata"]["batch_id"])
        self.assertEqual(shown["attempts"], 2)
        self.assertEqual(shown["code"], "INT_DELIVERY_002")
        events = [(line["event"], line["attempt"]) for line in shown["journal"]]
        self.assertIn(("rejected", 1), events)
        self.assertEqual(events, sorted(events, key=lambda event: event[1]))


class Redrive(Letters):
    def test_by_id_it_goes_on_as_a_further_delivery(self):
        """Attempt and lease rise, the retry budget is new, the source hears of it again."""
        batch = self.alpha.hand_over()
        for _ in range(2):
            last = self.beta.delivery(batch)
            self.beta.reject(last, "TRANSIENT")
        self.assertEqual(self.alpha.outcome(batch).status, "REJECTED")
        answer = self.ctl.ask("dead", "redrive", batch["metadata"]["batch_id"])
        self.assertEqual((answer["redriven"], answer["not_redriven"]), (1, 0))
        for attempt in (3, 4):		# one retry, as in the beginning
            delivery = self.beta.delivery(batch)
            self.assertEqual(delivery["delivery"]["attempt"], attempt)
            self.assertTrue(delivery["delivery"]["redelivered"])
            self.assertGreater(delivery["delivery"]["lease"], last["delivery"]["lease"])
            last = delivery
            self.beta.reject(delivery, "TRANSIENT")
        self.assertEqual(self.alpha.outcome(batch).status, "REJECTED")
        self.ctl.ask("dead", "redrive", batch["metadata"]["batch_id"])
        self.beta.finish(self.beta.delivery(batch))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        self.assertEqual(self.letters(), [])

    def test_what_dies_again_meanwhile_is_not_tried_twice(self):
        batches = self.die_many(5)
        process = self.ctl.start("--json", "dead", "redrive", "--all", "--rate", 10)
        for _ in batches:
            self.beta.reject(self.beta.delivery(), "PERMANENT")
        output, _ = process.communicate(timeout=30)
        self.assertEqual(json.loads(output)["redriven"], 5, output)
        self.beta.expect_none("BATCH_TRANSFER", 0.3)
        self.assertEqual(self.letter_ids(), self.ids(batches))

    def test_by_filter_at_a_rate(self):
        wanted, _ = self.die_many(10, code="BETA_ONE"), self.die(code="BETA_TWO")
        began = time.monotonic()
        answer = self.ctl.ask("dead", "redrive", "--code", "BETA_ONE", "--rate", 20)
        self.assertEqual(answer["redriven"], 10)
        # The burst of the beginning is two.
        self.assertGreater(time.monotonic() - began, 0.35)
        deliveries = [self.beta.delivery() for _ in wanted]
        self.assertEqual(sorted(d.batch_id for d in deliveries), self.ids(wanted))
        self.beta.expect_none("BATCH_TRANSFER")

    def test_at_most_so_many(self):
        self.die_many(4)
        self.assertEqual(self.ctl.ask("dead", "redrive", "--all", "--max", 3)["redriven"], 3)
        self.assertEqual(len(self.letters()), 1)

    def test_cancelled_in_the_middle_nothing_is_lost(self):
        batches = self.die_many(40)
        process = self.ctl.start("dead", "redrive", "--all", "--rate", 20)
        first = [self.beta.delivery() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        self.assertIn("ended in the middle", output)
        self.assertEqual(process.returncode, 130)
        self.ctl.ask("version")		# a turn has passed, in which it saw the end
        rest = self.letter_ids()
        self.assertGreater(len(rest), 10)
        self.beta.barrier()
        done = first + self.beta.heard("BATCH_TRANSFER")
        self.assertEqual(len(done) + len(rest), len(batches))
        self.assertEqual(sorted([d.batch_id for d in done] + rest), self.ids(batches))
        for delivery in done:
            self.beta.finish(delivery)
        self.beta.expect_none("BATCH_TRANSFER", 0.2)
        self.assertEqual(self.letter_ids(), rest)

    def test_killed_in_the_middle_nothing_is_lost(self):
        batches = self.die_many(40)
        process = self.ctl.start("dead", "redrive", "--all", "--rate", 20)
        for _ in range(5):
            self.beta.delivery()
        self.beta.close()
        self.broker.restart()
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 69)
        rest = self.letter_ids()
        self.assertGreater(len(rest), 10)
        beta = self.module(self.broker, "BETA", max_in_flight=100)
        done = []
        while len(done) + len(rest) < len(batches):
            done.append(beta.delivery())	# one by one, if their loss was seen: suspects
            beta.finish(done[-1])
        self.assertEqual(sorted([d.batch_id for d in done] + rest), self.ids(batches))
        self.assertEqual(self.ctl.ask("dead", "redrive", "--all")["redriven"], len(rest))

    def test_who_cancelled_and_how_far_it_came_is_in_the_journal(self):
        self.die_many(30)
        process = self.ctl.start("--reason", "BETA is back", "dead", "redrive", "--all",
                                 "--rate", 20)
        for _ in range(3):
            self.beta.delivery()
        process.kill()
        process.communicate(timeout=30)
        lines = self.ctl.until(lambda answer: answer["journal"], "journal")["journal"]
        self.assertEqual(len(lines), 1, lines)
        done = 30 - len(self.letters())
        self.assertRegex(json.dumps(lines[0]), r"redriven %d, not 0, ended in the middle" % done)
        self.assertIn("BETA is back", json.dumps(lines[0]))
        self.assertIn("(uid %d)" % os.geteuid(), json.dumps(lines[0]))

    def test_a_client_that_only_says_no_more_is_served_to_the_end(self):
        self.die_many(10)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.ctl.socket)
            client.sendall(b"json dead redrive --all --rate 50\n")
            client.shutdown(socket.SHUT_WR)
            answer = client.makefile("rb").read().split(b"\n")
        self.assertEqual(json.loads(answer[0])["redriven"], 10)
        self.assertEqual(answer[1], b".0")

    def test_many_go_over_turns(self):
        self.die_many(300)
        answer = self.ctl.ask("dead", "redrive", "--all")
        self.assertEqual((answer["redriven"], answer["not_redriven"]), (300, 0))
        self.assertEqual(self.letters(), [])

    def test_nothing_named_is_refused(self):
        self.die()
        self.assertIn("--all", self.ctl.say("dead", "redrive", status=2))
        self.ctl.say("dead", "redrive", "--all", "--route", "alpha-beta", status=2)
        self.ctl.say("dead", "redrive", "--all", "--rate", "0", status=2)
        self.assertEqual(len(self.letters()), 1)
        self.assertEqual(
            self.ctl.ask("dead", "redrive", "--route", "beta-gamma", status=1)["redriven"], 0)

    def test_an_unknown_id_among_them_changes_nothing(self):
        batch = self.die()
        self.assertIn("nothing was changed",
                      self.ctl.say("dead", "redrive", batch["metadata"]["batch_id"],
                                   messages.new_id(), status=1))
        self.assertEqual(len(self.letters()), 1)

    def test_it_outlives_a_kill(self):
        batch = self.die()
        self.beta.close()
        self.ctl.ask("dead", "redrive", "--all")
        self.broker.restart()
        beta = self.module(self.broker, "BETA")
        delivery = beta.delivery(batch)
        self.assertEqual(delivery["delivery"]["attempt"], 2)
        beta.finish(delivery)


class FullRoute(Letters):
    settings = 'route "alpha-beta" { %s queue_capacity = 4 }' % QUICK

    def test_a_redrive_waits_for_room_and_goes_on(self):
        batches = self.die_many(10)
        process = self.ctl.start("dead", "redrive", "--all", "--progress")
        line = process.stdout.readline()
        self.assertIn("waits for room on route alpha-beta (redriven 4 so far)", line)
        for _ in batches:
            self.beta.finish(self.beta.delivery())
        output, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, output)
        self.assertRegex(output, r"(?m)^redriven +10$")
        self.assertEqual(self.letters(), [])

    def test_cancelled_while_it_waits(self):
        batches = self.die_many(6)
        process = self.ctl.start("dead", "redrive", "--all", "--progress")
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=30)
        deliveries = [self.beta.delivery() for _ in range(4)]
        for delivery in deliveries:
            self.beta.finish(delivery)
        self.beta.expect_none("BATCH_TRANSFER", 0.4)
        self.assertEqual(sorted([d.batch_id for d in deliveries] + self.letter_ids()),
                         self.ids(batches))


class Ordered(Letters):
    settings = 'route "alpha-beta" { %s ordered = true }' % QUICK

    def test_a_redriven_batch_goes_last(self):
        first = self.die()
        second, third = self.alpha.hand_over(), self.alpha.hand_over()
        self.ctl.ask("dead", "redrive", first["metadata"]["batch_id"])
        order = []
        for _ in range(3):
            delivery = self.beta.delivery()
            order.append(delivery.batch_id)
            self.beta.finish(delivery)
        self.assertEqual(order, [b["metadata"]["batch_id"] for b in (second, third, first)])


class Records(Letters):
    def test_a_letter_has_exactly_the_rejected_records(self):
        batch = self.reject_records(1, 3, count=5)
        letter, = self.letters()
        self.assertEqual((letter["kind"], letter["records"]), ("records", 2))
        self.assertNotEqual(letter["batch_id"], batch["metadata"]["batch_id"])
        shown = self.ctl.ask("dead", "show", letter["batch_id"], "--records")
        self.assertEqual(shown["parent_batch_id"], batch["metadata"]["batch_id"])
        ids = messages.record_ids(batch)
        self.assertEqual(shown["record_ids"], [ids[1], ids[3]])
        self.ctl.ask("dead", "redrive", letter["batch_id"])
        delivery = self.beta.delivery()
        self.assertEqual(delivery.batch_id, letter["batch_id"])
        self.assertEqual(delivery["metadata"]["record_count"], 2)
        self.assertEqual(hashlib.sha256(delivery["records"]).hexdigest(),
                         delivery["metadata"]["checksum"])
        sent = msgpack.unpackb(batch["records"])
        self.assertEqual(msgpack.unpackb(delivery["records"]), [sent[1], sent[3]])
        self.beta.finish(delivery)
        self.assertEqual(self.letters(), [])

    def test_a_letter_of_records_that_ends_in_part_is_kept_whole(self):
        """It says so: its end would else look like one more rejection, to be redriven."""
        self.reject_records(1, 2)
        letter, = self.letters("--derived")
        self.ctl.ask("dead", "redrive", letter["batch_id"])
        self.beta.answer_to(self.beta.acknowledge(self.beta.delivery(), "PROCESSED", 1, 1))
        again, = self.letters("--derived")
        self.assertEqual((letter["kind"], again["kind"], again["batch_id"]),
                         ("records", "partial", letter["batch_id"]))
        shown = self.ctl.ask("dead", "show", again["batch_id"])
        self.assertEqual((shown["kind"], bool(shown["parent_batch_id"])), ("partial", True))

    def test_a_partial_letter_is_the_whole_batch(self):
        """Rejected records that nobody names: the batch is kept beside its end."""
        batch = self.alpha.hand_over(count=4)
        delivery = self.beta.delivery(batch)
        self.beta.answer_to(self.beta.acknowledge(delivery, "PROCESSED", 3, 1))
        self.alpha.outcome(batch)
        letter, = self.letters("--derived")
        self.assertEqual((letter["kind"], letter["batch_id"]),
                         ("partial", batch["metadata"]["batch_id"]))
        self.ctl.ask("dead", "redrive", letter["batch_id"])
        again = self.beta.delivery(batch)
        self.assertEqual(again["records"], batch["records"])
        self.beta.finish(again)
        self.assertEqual(self.letters(), [])


class Purge(Letters):
    def test_it_says_how_many_and_asks(self):
        self.die_many(3)
        text = self.ctl.say("dead", "purge", "--all", status=2)
        self.assertIn("3 dead letters would be gone for ever", text)
        self.assertEqual(len(self.letters()), 3)
        self.assertEqual(self.ctl.ask("dead", "purge", "--all", "--yes")["purged"], 3)
        self.assertEqual(self.letters(), [])
        self.broker.restart()
        self.assertEqual(self.letters(), [])

    def test_one_by_id(self):
        first, second = self.die_many(2)
        first_id = first["metadata"]["batch_id"]
        self.assertIn("1 dead letter would be gone for ever",
                      self.ctl.say("dead", "purge", first_id, status=2))
        self.ctl.ask("dead", "purge", first_id, "--yes")
        self.assertEqual(self.letter_ids(), self.ids([second]))

    def test_nothing_to_purge(self):
        self.assertIn("nothing is selected", self.ctl.say("dead", "purge", "--all", status=1))


class Capacity(Letters):
    settings = 'route "alpha-beta" { %s dead_letter_capacity = 20 }' % QUICK

    def test_beyond_its_share_new_batches_are_refused_and_nothing_is_lost(self):
        """reliability.md B26"""
        extra = self.alpha.hand_over()
        delivery = self.beta.delivery(extra)
        dead = self.die_many(20)
        batch = self.alpha.send(self.alpha.batch())
        answer = self.alpha.answer_to(batch)
        if answer.type != "ACKNOWLEDGMENT":
            answer = self.alpha.answer_to(batch)
        self.assert_refused(answer, "INT_ROUTE_002")
        context = answer.error["context"]
        self.assertIn("redrive or purge (handoffctl dead)", context["expected_value"])
        self.assertIn("20 letters", context["actual_value"])
        # The 21st: what was in custody may still die.
        self.beta.reject(delivery, "PERMANENT")
        self.assertEqual(self.alpha.outcome(extra).status, "REJECTED")
        self.assertEqual(self.letter_ids(), self.ids(dead + [extra]))
        # Others are not concerned.
        gamma = self.module(self.broker, "GAMMA")
        gamma.finish(gamma.delivery(self.beta.hand_over()))
        self.ctl.ask("dead", "purge", "--all", "--yes")
        self.beta.finish(self.beta.delivery(self.alpha.hand_over(batch)))


class FullStore(Letters):
    settings = 'route "alpha-beta" { %s dead_letter_capacity_bytes = "1G" }' % QUICK

    def offer(self, batch):
        answer = self.alpha.answer_to(self.alpha.send(batch))
        return answer if answer.type == "ACKNOWLEDGMENT" else self.alpha.answer_to(batch)

    def test_letters_that_fill_the_store_can_be_purged(self):
        """reliability.md B1: what makes room needs none of its own."""
        count = 0
        while True:
            batch = self.alpha.batch(count=1, size=3 * 1024 * 1024)
            answer = self.offer(batch)
            if answer.status == "REJECTED":
                break
            count += 1
            self.beta.reject(self.beta.delivery(batch), "PERMANENT")
        self.assert_refused(answer, "INT_STORE_001")
        self.assertGreater(count, 5)
        self.assertEqual(self.ctl.ask("dead", "redrive", "--all", "--max", 2)["redriven"], 2)
        for _ in range(2):
            self.beta.reject(self.beta.delivery(), "PERMANENT")
        self.assertEqual(self.ctl.ask("dead", "purge", "--all", "--yes")["purged"], count)
        began = time.monotonic()
        while self.offer(batch).status == "REJECTED":	# freed pages count two commits later
            self.assertLess(time.monotonic() - began, 1.0)
        self.beta.finish(self.beta.delivery(batch))


class Corrupt(Letters):
    def damage(self, marker):
        found = 0
        for directory, _, names in os.walk(os.path.join(self.broker.directory, "data")):
            for name in names:
                with open(os.path.join(directory, name), "r+b") as file:
                    content = file.read()
                    for place in re.finditer(re.escape(marker), content):
                        file.seek(place.start() + 5)
                        file.write(b"#")
                        found += 1
        return found

    def test_a_damaged_letter_is_not_redriven(self):
        marker = b"these bytes will not stay what they were " + messages.new_id().encode()
        content = messages.encode([{"record_id": "1", "data": marker}])
        damaged, whole = self.die(content=content, count=1), self.die()
        self.broker.stop()
        self.assertGreater(self.damage(marker), 0)
        self.broker.start()
        answer = self.ctl.ask("dead", "redrive", "--all", status=1)
        self.assertEqual((answer["redriven"], answer["not_redriven"]), (1, 1))
        self.assertIn("checksum", answer["reasons"][0]["reason"])
        self.assertEqual(self.letter_ids(), self.ids([damaged]))
        self.assertTrue(
            self.ctl.ask("dead", "show", damaged["metadata"]["batch_id"])["damaged"])
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(whole))
        beta.expect_none("BATCH_TRANSFER", 0.2)
        # It can be taken away to look at, and is not taken back.
        file = os.path.join(self.directory, "letters")
        self.ctl.say("dead", "export", "--all", "--output", file)
        self.ctl.ask("dead", "purge", "--all", "--yes")
        answer = self.ctl.ask("dead", "import", file, status=1)
        self.assertEqual((answer["imported"], answer["failed"]), (0, 1))
        self.assertIn("checksum", answer["failures"][0]["error"])


class Move(Letters):
    def export(self, *words):
        file = os.path.join(self.directory, "letters")
        self.ctl.say("dead", "export", *words, "--output", file)
        with open(file) as lines:
            return file, [json.loads(line) for line in lines]

    def test_exported_purged_and_imported_it_is_the_same(self):
        sizes = (16, 200000, 3)
        batches = [self.die(size=size, code="BETA_%d" % size) for size in sizes]
        before = self.letters()
        file, letters = self.export("--all")
        self.assertEqual(sorted(letter["batch_id"] for letter in letters), self.ids(batches))
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertIn("known", self.ctl.say("dead", "import", file, status=1))
        self.ctl.ask("dead", "purge", "--all", "--yes")
        answer = self.ctl.ask("dead", "import", file)
        self.assertEqual((answer["imported"], answer["failed"]), (3, 0))
        _, again = self.export("--all")
        for old, new in zip(letters, again):
            for changed in ("dead_at", "source"):
                old.pop(changed), new.pop(changed)
            self.assertEqual(old, new)
        for old, new in zip(before, self.letters()):
            self.assertEqual({**old, "dead_at": 0}, {**new, "dead_at": 0})
        self.broker.restart()
        self.ctl.ask("dead", "redrive", "--all")
        beta = self.module(self.broker, "BETA")
        for batch in batches:
            delivery = beta.delivery(batch)
            self.assertEqual((delivery["records"], delivery["header"]["message_id"]),
                             (batch["records"], batch["header"]["message_id"]))
            beta.finish(delivery)

    def test_a_letter_of_records_keeps_its_parent(self):
        batch = self.reject_records(0)
        file, (letter,) = self.export("--derived")
        self.assertEqual(letter["parent"], batch["metadata"]["batch_id"])
        self.ctl.ask("dead", "purge", "--all", "--yes")
        self.ctl.ask("dead", "import", file)
        shown = self.ctl.ask("dead", "show", letter["batch_id"])
        self.assertEqual((shown["parent_batch_id"], shown["kind"]),
                         (batch["metadata"]["batch_id"], "records"))

    def test_another_broker_takes_it(self):
        batch = self.die()
        file, _ = self.export(batch["metadata"]["batch_id"])
        other = self.start_broker(ADMIN)
        self.assertEqual(Ctl(other).ask("dead", "import", file)["imported"], 1)
        Ctl(other).ask("dead", "redrive", "--all")
        beta = self.module(other, "BETA")
        self.assertEqual(beta.delivery(batch)["records"], batch["records"])

    def test_what_is_damaged_is_refused_and_the_rest_is_taken(self):
        batches = self.die_many(3)
        file, letters = self.export("--all")
        self.ctl.ask("dead", "purge", "--all", "--yes")
        frame = letters[1]["frame"]
        bad = [
            ("{", "no JSON object"),
            ('{"some":"thing"}', "no dead letter"),
            (json.dumps({**letters[0], "frame": "!!!!"}), "base64"),
            (json.dumps({**letters[0], "frame": ""}), "no frame"),
            (json.dumps({**letters[0], "frame": frame[:400]}), "damaged"),
            (json.dumps({**letters[0], "errors": frame[:40]}), "errors"),
            (json.dumps({**letters[0], "code": "INT_NOTHING_001"}), "error code"),
            (json.dumps({**letters[0], "cut": True}), "cut"),
        ]
        with open(file, "w") as lines:
            for line, _ in bad:
                lines.write(line + "\n")
            for letter in letters:
                lines.write(json.dumps(letter) + "\n")
        answer = self.ctl.ask("dead", "import", file, status=1)
        self.assertEqual((answer["imported"], answer["failed"]), (3, len(bad)))
        for failure, (_, word) in zip(answer["failures"], bad):
            self.assertIn(word, failure["error"])
        self.assertEqual(self.letter_ids(), self.ids(batches))

    def test_a_route_that_is_not_there(self):
        self.die()
        file, _ = self.export("--all")
        other = self.start_broker(
            ADMIN + 'route "beta-gamma" { source = BETA target = GAMMA }', arguments=())
        answer = Ctl(other).run("--json", "dead", "import", file)
        self.assertIn(answer.status, (0, 1), answer)

    def test_nothing_to_export(self):
        self.assertIn("no such dead letters", self.ctl.say("dead", "export", "--all", status=1))
        self.assertIn("--all", self.ctl.say("dead", "export", status=2))

    def test_it_goes_to_standard_output_and_comes_from_standard_input(self):
        batch = self.die()
        text = self.ctl.say("dead", "export", "--all")
        line = json.loads(text)
        self.assertEqual(line["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual(line["errors_decoded"][0]["code"], "BETA_BAD")
        self.ctl.ask("dead", "purge", "--all", "--yes")
        done = subprocess.run([HANDOFFCTL, "--socket", self.ctl.socket, "dead", "import"],
                              input=text.encode(), stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout, b"imported 1, failed 0\n")
        self.assertEqual(self.letter_ids(), self.ids([batch]))

    def test_the_largest_letter_goes_both_ways(self):
        """A frame of nearly max_frame_bytes, whose line is larger than all output buffers."""
        batch = self.die(count=1, size=8 * 1024 * 1024 - 4096)
        file, (letter,) = self.export("--all")
        self.assertGreater(len(letter["frame"]), 11 * 1000 * 1000)
        self.ctl.ask("dead", "purge", "--all", "--yes")
        self.assertEqual(self.ctl.ask("dead", "import", file)["imported"], 1)
        self.ctl.ask("dead", "redrive", "--all")
        self.assertEqual(self.beta.delivery(batch)["records"], batch["records"])

    def test_too_large_a_letter_is_refused_and_the_next_is_taken(self):
        self.die()
        file, (letter,) = self.export("--all")
        self.ctl.ask("dead", "purge", "--all", "--yes")
        with open(file, "w") as lines:
            lines.write(json.dumps({**letter, "frame": "AAAA" * (3 * 1024 * 1024)}) + "\n")
            lines.write(json.dumps(letter) + "\n")
        answer = self.ctl.ask("dead", "import", file, status=1)
        self.assertEqual((answer["imported"], answer["failed"]), (1, 1))
        self.assertIn("max_frame_bytes", answer["failures"][0]["error"])

    def test_a_letter_that_goes_away_meanwhile_is_cut(self):
        """The reader stands still in the middle of it; the import says no to what there is."""
        self.die(count=1, size=4 * 1024 * 1024)
        file = os.path.join(self.directory, "letters")
        with socket.socket(socket.AF_UNIX) as reader, open(file, "wb") as lines:
            reader.connect(self.ctl.socket)
            reader.sendall(b"dead export --all\n")
            answer = reader.makefile("rb")
            beginning = answer.read(1000)
            self.ctl.ask("dead", "purge", "--all", "--yes")
            lines.write(beginning + answer.readline())
            self.assertEqual(answer.readline(), b".1\n")
        answer = self.ctl.ask("dead", "import", file, status=1)
        self.assertIn("cut", answer["failures"][0]["error"])
