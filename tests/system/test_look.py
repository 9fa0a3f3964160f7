"""test_look.py - handoffctl status, routes, clients, batches, shape, journal: what there is."""

import os
import re

from broker import ROOT
from case import messages
from look_case import LookCase

CONTENT = messages.encode([{"record_id": "r", "data": b""}])


class Look(LookCase):
    settings = ('route "alpha-beta" { retry_delay_ms = 60000 max_retry_delay_ms = 60000 '
                'max_retries = 3 queue_capacity = 10 dead_letter_capacity = 5 }')

    def problems(self):
        return {(p["problem"], p["route"]) for p in self.ctl.ask("status")["problems"]}

    def one_of_each(self):
        """Batches by their state: one that is READY, WAITING, ASSIGNED, DEAD, ENDED."""
        beta = self.beta(2)
        names = ("waiting", "dead", "ended", "assigned", "other", "ready")
        batches = {name: self.alpha.hand_over(correlation_id=name) for name in names}
        beta.reject(beta.delivery(batches["waiting"]))
        beta.reject(beta.delivery(batches["dead"]), "PERMANENT", code="BETA_9")
        beta.finish(beta.delivery(batches["ended"]))
        beta.delivery(batches["assigned"])
        beta.delivery(batches["other"])
        self.target = beta
        return batches

    def correlations(self, *words):
        return [b["correlation_id"] for b in self.ctl.ask("batches", *words)["batches"]]


class Status(Look):
    def test_it_says_who_answers_and_what_there_is(self):
        self.one_of_each()
        status = self.ctl.ask("status")
        self.assertEqual(status["broker_id"], self.alpha.welcome["broker_id"])
        self.assertEqual((status["clients_connected"], status["assigned"], status["in_custody"],
                          status["dead"], status["draining"]), (2, 2, 4, 1, False))
        store = status["store"]
        self.assertEqual(store["size_bytes"], 64 << 20)
        self.assertLess(store["free_bytes"], store["size_bytes"])
        self.assertGreater(store["history_bytes"], 0)
        route = {r["name"]: r for r in status["routes"]}["alpha-beta"]
        self.assertEqual([route[name] for name in ("in_custody", "ready", "assigned", "waiting",
                                                   "dead", "sources", "targets")],
                         [4, 1, 2, 1, 1, 1, 1])
        self.assertEqual(status["problems"], [])
        self.assertIn("problems: none", self.ctl.say("status"))

    def test_what_is_wrong(self):
        self.assertEqual(self.problems(), set())
        self.alpha.hand_over()
        self.assertEqual(self.problems(), {("NO_CONSUMER", "alpha-beta")})
        for _ in range(9):
            self.alpha.hand_over()
        self.assertIn(("FULL", "alpha-beta"), self.problems())
        self.ctl.say("pause", "alpha-beta", "--reason", "an upgrade")
        self.ctl.say("drain")
        self.assertIn(("PAUSED", "alpha-beta"), self.problems())
        self.assertIn(("DRAINING", None), self.problems())
        self.assertIn("an upgrade", self.ctl.say("status"))
        self.ctl.say("drain", "--off")
        self.ctl.say("resume", "alpha-beta")
        beta = self.beta()
        for _ in range(4):
            beta.reject(beta.delivery(), "PERMANENT")
        self.assertEqual(self.problems(), {("DEAD_LETTERS", "alpha-beta")})


class Manual(Look):
    """The words of closed lists stand in handoffctl(8), where somebody looks for them."""

    def listed(self, before):
        with open(os.path.join(ROOT, "man", "handoffctl.8")) as file:
            text = file.read().split(before, 1)[1].split("\n.El", 1)[0]
        return {word for line in re.findall(r"^\.It Cm (.+)$", text, re.MULTILINE)
                for word in line.split(" , ")}

    def written(self, name, pattern):
        with open(os.path.join(ROOT, "src", name)) as file:
            return set(re.findall(pattern, file.read()))

    def test_why_a_batch_does_not_move(self):
        reasons = self.listed("The reasons are")
        self.assertEqual(reasons, self.written("core/reason.c", r'\[REASON_\w+\] = "(\w+)"'))
        for reason in reasons - {"NONE"}:
            self.ctl.ask("batches", "--reason-code", reason)

    def test_what_is_wrong(self):
        written = self.written("admin/cmd_status.c", r'"([A-Z_]{4,})"')
        self.assertEqual(self.listed(".It Ic status"), written | {"UNHEALTHY", "DEGRADED"})


class Routes(Look):
    def test_all_of_them(self):
        self.one_of_each()
        routes = {r["name"]: r for r in self.ctl.ask("routes")["routes"]}
        self.assertEqual(set(routes), {"alpha-beta", "beta-gamma"})
        route = routes["alpha-beta"]
        self.assertEqual([route[name] for name in (
            "source", "target", "state", "depth", "ready", "assigned", "waiting", "held",
            "suspects", "dead", "sources", "targets")],
            ["ALPHA", "BETA", "open", 4, 1, 2, 1, 0, 0, 1, 1, 1])
        self.assertGreater(route["bytes"], 0)
        self.assertGreaterEqual(route["oldest_age_ms"], 0)
        self.assertIsNone(routes["beta-gamma"]["oldest_age_ms"])

    def test_their_states(self):
        def state():
            return self.ctl.ask("routes", "alpha-beta")["state"]

        self.assertEqual(state(), "open")
        for expected, count in (("pressed", 8), ("full", 2)):
            for _ in range(count):
                self.alpha.hand_over()
            self.assertEqual(state(), expected)
        self.ctl.say("pause", "alpha-beta", "--reason", "an upgrade")
        route = self.ctl.ask("routes", "alpha-beta")
        self.assertEqual((route["state"], route["paused"]["reason"]), ("paused", "an upgrade"))
        self.assertIn("uid", route["paused"]["by"])

    def test_one_with_its_settings_and_counters(self):
        self.one_of_each()
        route = self.ctl.ask("routes", "alpha-beta")
        self.assertEqual((route["settings"]["max_retries"], route["settings"]["retry_delay_ms"],
                          route["settings"]["queue_capacity"], route["settings"]["ordered"]),
                         (3, 60000, 10, False))
        counters = route["counters"]
        self.assertEqual((counters["received_total"], counters["processed_total"],
                          counters["dead"], counters["ready_normal"]), (6, 1, 1, 1))

    def test_the_back_off_is_written_out(self):
        self.broker.stop()
        self.broker.configure('admin { socket = "admin.sock" }\nroute "alpha-beta" { max_retries = '
                              '6 retry_delay_ms = 1000 backoff_multiplier = 2.0 '
                              'max_retry_delay_ms = 10000 }')
        self.broker.start()
        self.assertEqual(self.ctl.ask("routes", "alpha-beta")["settings"]["backoff_ms"],
                         [1000, 2000, 4000, 8000, 10000])
        self.assertRegex(self.ctl.say("routes", "alpha-beta"), r"- 4s\n\s+- 8s\n\s+- 10s")

    def test_one_that_there_is_not(self):
        self.assertIn('"alpha-beta"', self.ctl.say("routes", "alpha-bet", status=2))


class Clients(Look):
    def test_those_that_are_connected_and_those_that_were(self):
        batches = self.one_of_each()
        gone = self.beta(instance_id="b2")
        gone.close()
        self.let_the_broker_notice()
        clients = {c["instance"]: c for c in self.ctl.ask("clients")["clients"]}
        self.assertNotIn("BETA/b2", clients)
        beta = clients["BETA/b1"]
        self.assertEqual((beta["state"], beta["held"], beta["max_in_flight"],
                          beta["oldest_batch_id"]),
                         ("connected", 2, 2, batches["assigned"]["metadata"]["batch_id"]))
        self.assertRegex(beta["oldest_since"], r"^2\d{3}-.*Z$")
        self.assertEqual((clients["ALPHA/a1"]["held"], clients["ALPHA/a1"]["in_custody"],
                          clients["ALPHA/a1"]["oldest_batch_id"]), (0, 4, None))
        everybody = {c["instance"]: c for c in self.ctl.ask("clients", "--all")["clients"]}
        self.assertEqual((everybody["BETA/b2"]["state"], everybody["BETA/b2"]["max_in_flight"]),
                         ("away", None))

    def test_one_that_asked_for_a_pause(self):
        self.beta().press("ACTIVATE")
        clients = {c["instance"]: c["state"] for c in self.ctl.ask("clients")["clients"]}
        self.assertEqual(clients["BETA/b1"], "paused")

    def test_notices_that_are_owed(self):
        beta = self.beta()
        batch = self.alpha.hand_over()
        beta.finish(beta.delivery(batch))
        clients = {c["instance"]: c for c in self.ctl.ask("clients")["clients"]}
        self.assertEqual((clients["ALPHA/a1"]["owed_notices"], clients["BETA/b1"]["owed_notices"]),
                         (True, False))


class Batches(Look):
    def test_all_in_the_order_of_route_state_and_custody(self):
        batches = self.one_of_each()
        listed = self.ctl.ask("batches")["batches"]
        self.assertEqual([(b["correlation_id"], b["state"], b["reason"]) for b in listed],
                         [("ready", "READY", "NO_CREDIT"), ("assigned", "ASSIGNED", "ASSIGNED"),
                          ("other", "ASSIGNED", "ASSIGNED"), ("waiting", "WAITING", "BACKOFF"),
                          ("dead", "DEAD", "DEAD")])
        self.assertEqual(listed[0]["batch_id"], batches["ready"]["metadata"]["batch_id"])
        self.assertEqual((listed[4]["code"], listed[4]["holder"], listed[4]["source"]),
                         ("BETA_9", "BETA/b1", "ALPHA/a1"))

    def test_those_that_are_asked_for(self):
        batches = self.one_of_each()
        self.ctl.say("hold", batches["ready"]["metadata"]["batch_id"])
        for words, expected in (
                (["--state", "waiting"], ["waiting"]),
                (["--state", "DEAD"], ["dead"]),
                (["--reason-code", "assigned"], ["assigned", "other"]),
                (["--held"], ["ready"]),
                (["--suspect"], []),
                (["--code", "BETA_"], ["dead"]),
                (["--code", "INT_DELIVERY_004"], ["dead"]),
                (["--instance", "ALPHA/a", "--limit", "2"], ["ready", "assigned"]),
                (["--holder", "b1"], ["assigned", "other", "waiting", "dead"]),
                (["--holder", "b2"], []),
                (["--correlation", "wait"], ["waiting"]),
                (["--route", "beta-gamma"], []),
                (["--older", "10m"], []),
                (["--younger", "2h", "--state", "dead"], ["dead"])):
            self.assertEqual(self.correlations(*words), expected, words)

    def test_words_that_are_none(self):
        for words in (["--state", "HAPPY"], ["--reason-code", "BECAUSE"], ["--older", "long"],
                      ["--limit", "0"], ["--limit", "many"], ["--route", "no-such"], ["extra"]):
            self.ctl.say("batches", *words, status=2)


class Suspects(Look):
    def test_they_are_found(self):
        batch = self.alpha.hand_over()
        beta = self.beta()
        beta.delivery(batch)
        beta.close()
        self.let_the_broker_notice()
        listed, = self.ctl.ask("batches", "--suspect")["batches"]
        self.assertEqual((listed["batch_id"], listed["reason"]),
                         (batch["metadata"]["batch_id"], "NO_CONSUMER"))
        self.assertEqual(self.ctl.ask("routes")["routes"][0]["suspects"], 1)


class Many(LookCase):
    settings = 'route "alpha-beta" { queue_capacity = 100000 }'

    def fill(self, count):
        for begin in range(0, count, 250):
            some = [self.alpha.batch(content=CONTENT, count=1,
                                     correlation_id="\x01%06d%s" % (i, "\x01" * 100))
                    for i in range(begin, begin + 250)]
            self.alpha.send_bytes(b"".join(messages.frame(messages.encode(m)) for m in some))
            for message in some:
                self.assert_received(self.alpha.answer_to(message))

    def test_a_long_list_comes_in_pages_and_whole(self):
        self.fill(3000)
        listed = self.ctl.ask("batches")["batches"]
        self.assertEqual([int(b["correlation_id"][1:7]) for b in listed], list(range(3000)))
        self.assertEqual(len(self.ctl.say("batches").splitlines()), 3001)
        self.assertEqual(sum(row["total"] for row in self.ctl.ask("shape")["shape"]), 3000)
        audit = self.ctl.ask("audit")
        self.assertEqual([(r["in_custody"], r["walk"]) for r in audit["routes"]],
                         [(3000, "agrees"), (0, "agrees")])
        found = self.ctl.ask("explain", "\x01002999")
        self.assertEqual(found["batch_id"], listed[2999]["batch_id"])


class Shape(Look):
    def rows(self, *words):
        return {row["by"]: row for row in self.ctl.ask("shape", *words)["shape"]}

    def test_by_reason(self):
        self.one_of_each()
        rows = self.rows()
        self.assertEqual({key: row["total"] for key, row in rows.items()},
                         {"NO_CREDIT": 1, "ASSIGNED": 2, "BACKOFF": 1, "DEAD": 1})
        buckets = [key for key in rows["ASSIGNED"] if key not in ("route", "by", "total")]
        self.assertEqual(buckets, ["%ds" % (5 << n) for n in range(11)] + ["older"])
        for row in rows.values():
            self.assertEqual(sum(row[bucket] for bucket in buckets), row["total"])

    def test_by_code_source_target(self):
        self.one_of_each()
        self.assertEqual({key: row["total"] for key, row in self.rows("--by", "code").items()},
                         {"-": 4, "BETA_9": 1})
        self.assertEqual({key: row["total"] for key, row in self.rows("--by", "source").items()},
                         {"ALPHA/a1": 5})
        self.assertEqual({key: row["total"] for key, row in self.rows("--by", "target").items()},
                         {"BETA/b1": 4, "-": 1})
        self.ctl.say("shape", "--by", "colour", status=2)


class Journal(Look):
    def test_what_persons_did_the_newest_first(self):
        self.assertEqual(self.ctl.ask("journal")["journal"], [])
        batch = self.alpha.hand_over()
        self.ctl.say("hold", batch["metadata"]["batch_id"], "--reason", "first")
        self.ctl.say("pause", "alpha-beta", "--reason", "second")
        self.ctl.say("resume", "alpha-beta", "--reason", "third")
        lines = self.ctl.ask("journal")["journal"]
        self.assertEqual([line["event"] for line in lines], ["resumed", "paused", "held"])
        self.assertEqual([line["route"] for line in lines], ["alpha-beta"] * 3)
        for line, reason in zip(lines, ("third", "second", "first")):
            self.assertIn(reason, line["text"])
            self.assertIn("uid %d" % os.getuid(), line["who"])
        self.assertEqual(lines[2]["batch_id"], batch["metadata"]["batch_id"])
        self.assertEqual(self.ctl.ask("journal", "--limit", "1")["journal"], lines[:1])
