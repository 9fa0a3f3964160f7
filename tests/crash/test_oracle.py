#!/usr/bin/python3
"""test_oracle.py - shows that the oracle can fail: a story without fault, and one a verdict."""

import unittest

import counts
import oracle


def story():
    """Batches a and b become output o, which the sink applies; c is dead; the rejected record of d
    is letter r; w is wrong. All is told, all is counted. The stage has told error e of d, and f,
    which nothing that is durable follows."""
    return {
        "source": [
            {"event": "connected", "at": 0, "seen": 0},
            sent("a", 1), sent("b", 1), sent("c", 1), sent("d", 1),
            sent("w", 1, expected="INT_BATCH_001"),
            acked("a", 2), acked("b", 2), acked("c", 2), acked("d", 2),
            {"event": "refused", "at": 2, "batch_id": "w", "message_id": "w",
             "code": "INT_BATCH_001"},
            outcome("a", 6, 1), outcome("b", 6, 2), outcome("b", 6, 2),
            outcome("c", 6, 3, "REJECTED"), outcome("d", 6, 4), warned("e", 6, 5),
        ],
        "echo": [
            {"event": "connected", "at": 0, "seen": 0},
            {"event": "repeated", "at": 3, "batch_id": "a", "message_id": "a"},
            acked("a", 4, duplicate=True),
        ],
        "stage": [
            {"event": "connected", "at": 0, "seen": 0},
            delivered("a", 3, 1),
            {"event": "rejected", "at": 3, "batch_id": "a", "permanent": False},
            delivered("b", 3, 2),
            delivered("a", 3, 3, attempt=2),
            delivered("c", 3, 4),
            {"event": "rejected", "at": 3, "batch_id": "c", "permanent": True},
            delivered("d", 3, 5, records=["d-0", "d-1"]),
            complained("d", 4, "e"),
            asked("d", 4, 5, rejected=["d-0"]),
            ended("d", 5, 5),
            sent("z", 4, inputs=[answer("b", 1)]),
            {"event": "refused", "at": 4, "batch_id": "z", "message_id": "z",
             "code": "INT_BATCH_005"},
            sent("o", 4, inputs=[answer("a", 3), answer("b", 2)]),
            complained("a", 5, "f"),
            acked("o", 5), ended("a", 5, 3), ended("b", 5, 2),
            outcome("o", 7, 5),
            {"event": "confirmation", "at": 8, "batch_id": "o", "notice": 6, "records": ["o-0"]},
        ],
        "sink": [
            {"event": "connected", "at": 0, "seen": 0},
            delivered("o", 6, 6),
            {"event": "effect", "at": 6, "batch_id": "o"},
            asked("o", 6, 6), ended("o", 7, 6),
            {"event": "confirmed", "at": 8, "batch_id": "o", "records": ["o-0"]},
        ],
        "referee": [audit(1.5, received=(3, 0)), audit(9)],
    }


def listing():
    return oracle.Listing(letters=[
        {"batch_id": "c", "route": "alpha-beta", "kind": "batch", "parent": None,
         "code": "INT_DELIVERY_004", "digest": "C", "records": ["c-0"]},
        {"batch_id": "r", "route": "alpha-beta", "kind": "records", "parent": "d",
         "code": "INT_DELIVERY_004", "digest": "R", "records": ["d-0"]}])


def sent(batch_id, at, expected=None, inputs=()):
    return {"event": "sent", "at": at, "batch_id": batch_id, "message_id": batch_id,
            "digest": batch_id.upper(), "expected": expected, "inputs": list(inputs),
            "route": "beta-gamma" if inputs else "alpha-beta"}


def acked(batch_id, at, status="RECEIVED", duplicate=False):
    return {"event": "acked", "at": at, "batch_id": batch_id, "message_id": batch_id,
            "status": status, "duplicate": duplicate}


def outcome(batch_id, at, notice, status="PROCESSED"):
    return {"event": "outcome", "at": at, "batch_id": batch_id, "status": status,
            "notice": notice}


def delivered(batch_id, at, lease, attempt=1, digest=None, records=None):
    return {"event": "delivered", "at": at, "batch_id": batch_id, "lease": lease,
            "attempt": attempt, "digest": digest or batch_id.upper(),
            "records": records or [batch_id + "-0"]}


def answer(batch_id, lease, rejected=(), named=True):
    return {"batch_id": batch_id, "lease": lease, "rejected": list(rejected), "named": named}


def asked(batch_id, at, lease, rejected=(), named=True):
    return {"event": "asked", "at": at, **answer(batch_id, lease, rejected, named)}


def ended(batch_id, at, lease):
    return {"event": "ended", "at": at, "batch_id": batch_id, "lease": lease}


def complained(batch_id, at, error_id):
    return {"event": "complained", "at": at, "batch_id": batch_id, "error_id": error_id}


def warned(error_id, at, notice):
    return {"event": "warned", "at": at, "notice": notice, "errors": [error_id]}


def count(route, received, processed, dead, derived):
    return {"route": route, "received": received, "imported": 0, "processed": processed,
            "dead": dead, "purged": 0, "in_custody": received - processed - dead,
            "derived": derived, "derived_ended": 0, "derived_dead": derived,
            "derived_purged": 0, "derived_in_custody": 0, "walk": "agrees"}


def audit(at, received=None):
    """All of it, or so many of each route, and nothing ended yet."""
    if received:
        routes = [count(route, number, 0, 0, 0)
                  for route, number in zip(counts.ROUTES, received)]
    else:
        routes = [count("alpha-beta", 4, 3, 1, 1), count("beta-gamma", 1, 1, 0, 0)]
    return {"event": "audit", "before": at, "after": at + 0.1, "at": at + 0.1, "code": 0,
            "routes": routes}


class Oracle(unittest.TestCase):
    def setUp(self):
        self.logs = story()
        self.listing = listing()

    def found(self):
        return {verdict.name: verdict.culprits
                for verdict in oracle.judge(self.logs, self.listing) if len(verdict)}

    def assert_found(self, only=True, **expected):
        """These verdicts have these culprits, and no others but the broker's own count."""
        expected = {name.replace("_", " "): found for name, found in expected.items()}
        found = self.found()
        if "conservation" not in expected:
            found.pop("conservation", None)
        if not only:
            found = {name: found.get(name) for name in expected}
        self.assertEqual(found, expected)

    def add(self, actor, *events):
        self.logs.setdefault(actor, []).extend(events)

    def take(self, actor, event, **fields):
        """Takes such events away."""
        self.logs[actor] = [e for e in self.logs[actor] if e["event"] != event or
                            any(e.get(key) != value for key, value in fields.items())]

    def letter(self, batch_id, kind="batch", code="INT_DELIVERY_004", route="alpha-beta", **more):
        self.listing.letters.append({
            "batch_id": batch_id, "route": route, "kind": kind, "code": code, "parent": None,
            "digest": batch_id.upper(), "records": [batch_id + "-0"], **more})

    def test_finds_nothing_in_a_story_without_fault(self):
        self.assertEqual(self.found(), {})


class WhereItIs(Oracle):
    def vanish(self):
        self.add("source", sent("v", 1), acked("v", 2))

    def test_a_batch_lost(self):
        self.vanish()
        self.assert_found(lost=["v"], not_live=["v"])

    def test_a_dead_letter_lost(self):
        del self.listing.letters[0]
        self.assert_found(lost=["c"], not_live=["c"])

    def test_a_batch_purged_is_not_lost(self):
        self.vanish()
        self.add("person", {"event": "purge", "at": 5, "batch_id": "v", "kind": "batch"})
        self.assert_found()

    def test_letters_of_records_lost_after_they_were_redriven(self):
        self.add("person", *({"event": event, "at": 5, "batch_id": "r", "kind": "records",
                              "parent": "d"} for event in ("redrive", "redriven")))
        self.assert_found()
        del self.listing.letters[1]
        self.assert_found(lost=["r"])

    def test_a_batch_stuck(self):
        self.vanish()
        self.listing.batches = [{"batch_id": "v"}]
        self.assert_found(stuck=["v"], not_live=["v"])

    def test_a_batch_in_two_places(self):
        self.letter("a", code="INT_DELIVERY_004")
        self.add("source", outcome("a", 6, 1, "REJECTED"))
        self.assert_found(only=False, both=["a"])
        self.listing.batches = [{"batch_id": "c"}]
        self.assert_found(only=False, both=["a", "c"])

    def test_deliveries_invented(self):
        self.add("sink", delivered("y", 9, 11), delivered("w", 9, 12),
                 delivered("b", 4, 1.5, digest="X"))
        self.assert_found(invented=["b", "w", "y"])

    def test_dead_letters_altered(self):
        self.listing.letters[0]["digest"] = "X"
        self.listing.letters[1]["records"] = ["d-1"]
        self.assert_found(invented=["c", "r"])

    def test_a_batch_resurrected(self):
        self.add("sink", delivered("o", 9, 7))
        self.assert_found(resurrected=["o"])


class Once(Oracle):
    def test_ended_under_two_leases(self):
        self.add("stage", ended("b", 9, 1))
        self.assert_found(double_PROCESSED=["b"])

    def test_told_processed_twice(self):
        self.add("source", outcome("b", 9, 9))
        self.assert_found(double_PROCESSED=["b"], told_too_often=["b"])

    def test_told_twice_because_another_repeated_it(self):
        self.add("echo", outcome("a", 9, 9))
        self.assert_found()

    def test_a_repeat_of_its_own_sender_moves_no_outcome(self):
        self.add("source", {"event": "repeated", "at": 3, "batch_id": "b", "message_id": "b"},
                 outcome("b", 9, 9))
        self.assert_found(double_PROCESSED=["b"], told_too_often=["b"])

    def test_told_twice_because_it_was_redriven(self):
        self.add("source", outcome("c", 9, 9, "REJECTED"))
        self.assert_found(told_too_often=["c"])
        self.add("person", {"event": "redrive", "at": 7, "batch_id": "c", "kind": "batch",
                            "parent": None})
        self.assert_found()

    def test_two_effects(self):
        self.add("sink", {"event": "effect", "at": 9, "batch_id": "o"})
        self.assert_found(double_effect=["o"])

    def test_two_outputs_of_one_input(self):
        self.add("sink", {"event": "effect", "at": 9, "batch_id": "z"})
        self.assert_found(torn_stage=["b"])

    def test_inputs_ended_and_no_output(self):
        self.take("sink", "effect")
        self.assert_found(torn_stage=["a", "b"])

    def test_inputs_of_an_output_that_is_dead_are_whole(self):
        for event in ("effect", "asked", "ended", "confirmed"):
            self.take("sink", event)
        self.take("stage", "outcome")
        self.add("stage", outcome("o", 7, 5, "REJECTED"))
        self.add("sink", {"event": "rejected", "at": 6, "batch_id": "o", "permanent": True})
        self.letter("o", route="beta-gamma")
        self.assert_found()


class Told(Oracle):
    def test_a_false_received(self):
        self.take("source", "refused")
        self.add("source", acked("w", 2))
        self.assert_found(only=False, false_RECEIVED=["w"])

    def test_a_false_processed(self):
        self.take("stage", "asked", batch_id="d")
        self.take("stage", "ended", batch_id="d")
        self.assert_found(only=False, false_PROCESSED=["d"])

    def test_an_outcome_untold(self):
        self.take("source", "outcome", batch_id="b")
        self.take("source", "outcome", batch_id="c")
        self.assert_found(untold=["b", "c"])

    def test_a_repeat_that_is_answered_with_the_end_is_told(self):
        self.take("source", "outcome", batch_id="b")
        self.add("source", acked("b", 9, status="PROCESSED", duplicate=True))
        self.assert_found()

    def test_told_again_after_it_was_seen(self):
        self.add("source", {"event": "connected", "at": 8, "seen": 4}, outcome("b", 9, 2))
        self.assert_found(told_again=["source 2"])

    def test_an_error_of_which_the_source_never_heard(self):
        self.take("source", "warned")
        self.assert_found(unwarned=["e"])

    def test_an_error_that_is_gone_with_its_connection(self):
        self.add("stage", complained("a", 9, "g"), {"event": "connected", "at": 9, "seen": 0},
                 asked("b", 9, 2), ended("b", 9, 2))
        self.assert_found()

    def test_an_error_that_nobody_has_told(self):
        self.add("source", warned("x", 9, 6))
        self.assert_found(made_up=["x"])

    def test_an_error_told_again_after_it_was_seen(self):
        self.add("source", {"event": "connected", "at": 8, "seen": 5}, warned("e", 9, 5))
        self.assert_found(told_again=["source 5"])

    def test_a_circuit_whose_change_was_left_out(self):
        opened, tried, closed = ({"event": "circuit", "at": 9, "circuit_id": "x", "before": before,
                                  "after": after} for before, after in (
            ("CLOSED", "OPEN"), ("OPEN", "HALF_OPEN"), ("HALF_OPEN", "CLOSED")))
        self.add("sink", opened, tried, closed, opened)
        self.assert_found()
        self.add("sink", closed)
        self.assert_found(out_of_step=["sink x"])

    def test_a_batch_wrongly_refused(self):
        self.add("source", {"event": "refused", "at": 2, "batch_id": "a", "message_id": "a",
                            "code": "INT_BATCH_005"})
        self.assert_found(wrongly_refused=["a INT_BATCH_005"])

    def test_a_wrong_batch_refused_for_another_reason(self):
        self.logs["source"] = [{**e, "code": "INT_BATCH_002"} if e["event"] == "refused" else e
                               for e in self.logs["source"]]
        self.assert_found(wrongly_refused=["w INT_BATCH_002"])

    def test_what_was_never_answered(self):
        self.add("source", sent("u", 1))
        self.assert_found(unanswered=["u"])
        self.add("source", {"event": "forgotten", "at": 2, "batch_id": "u", "message_id": "u"})
        self.assert_found()

    def test_a_confirmation_unheard(self):
        self.take("stage", "confirmation")
        self.assert_found(unheard=["o"])

    def test_a_confirmation_forgotten(self):
        self.listing.awaited = [{"batch_id": "o"}]
        self.assert_found(still_awaited=["o"])

    def test_messages_that_nobody_may_expect(self):
        self.add("source", {"event": "confused", "at": 1, "message": "x"})
        self.assert_found(confused=["x"])


class Rejected(Oracle):
    def test_records_without_a_letter(self):
        del self.listing.letters[1]
        self.assert_found(records_lost=["d"])

    def test_records_that_nobody_named_and_no_whole_letter(self):
        self.take("stage", "asked", batch_id="d")
        self.add("stage", asked("d", 4, 5, rejected=["d-0"], named=False))
        self.assert_found(records_lost=["d"])
        self.letter("d", "partial")
        self.assert_found()

    def test_dead_for_no_reason(self):
        self.take("stage", "rejected", batch_id="c")
        self.assert_found(unjust_letter=["c INT_DELIVERY_004"])

    def test_dead_before_its_attempts_are_used_up(self):
        self.listing.letters[0]["code"] = "INT_DELIVERY_002"
        self.assert_found(unjust_letter=["c INT_DELIVERY_002"])
        self.add("stage", *3 * [{"event": "rejected", "at": 3, "batch_id": "c",
                                 "permanent": False}])
        self.assert_found()

    def test_dead_because_its_record_was_damaged(self):
        self.listing.letters[0]["code"] = "INT_STORE_002"
        self.assert_found(unjust_letter=["c INT_STORE_002"])

    def test_a_lease_reused(self):
        self.add("sink", delivered("o", 9, 6))
        self.assert_found(lease_reused=["6"])

    def test_an_attempt_overcharged(self):
        self.logs["sink"].insert(1, delivered("o", 5, 5.5, attempt=2))
        self.assert_found(overcharged=["o"])
        self.add("sink", {"event": "died", "at": 5, "module": "GAMMA"})
        self.assert_found()


class Counted(Oracle):
    def change(self, n, **counts):
        """Changes the n-th audit's count of alpha-beta."""
        self.logs["referee"][n]["routes"][0].update(counts)

    def assert_miscounted(self, text):
        found = self.found()
        self.assertEqual(list(found), ["conservation"])
        self.assertIn(text, "\n".join(found["conservation"]))

    def test_sums_that_differ(self):
        self.change(1, in_custody=1)
        self.assert_miscounted("does not balance")

    def test_letters_of_records_that_differ(self):
        self.change(1, derived=2)
        self.assert_miscounted("does not balance")

    def test_a_walk_that_differs(self):
        self.change(0, walk="differs", differences=["ready"])
        self.assert_miscounted("a walk finds something else")

    def test_less_received_than_was_acknowledged(self):
        self.logs["referee"].insert(1, audit(3, received=(3, 0)))
        self.assert_miscounted("received 3, and 4 to 5")

    def test_more_received_than_was_sent(self):
        self.logs["referee"][0] = audit(0.5, received=(3, 0))
        self.assert_miscounted("received 3, and 0 to 0")

    def test_less_than_at_the_start_before(self):
        self.logs["referee"].insert(1, audit(1.8, received=(2, 0)))
        self.assert_miscounted("received 2, and 3 to 5")

    def test_more_processed_than_targets_have_said(self):
        self.change(0, processed=1, in_custody=2)
        self.assert_miscounted("processed 1, and 0 to 0")

    def test_more_purged_than_the_operator_has_asked_for(self):
        self.change(0, purged=1, in_custody=2)
        self.assert_miscounted("purged 1, and 0 to 0")

    def test_at_the_end_another_number_than_outside(self):
        self.change(1, received=5, in_custody=1)
        self.assert_miscounted("received 5 at the end, and 4 seen")

    def test_letters_that_are_counted_and_not_listed(self):
        self.change(1, processed=2, dead=2)
        self.assert_miscounted("dead 2 at the end, and 1 seen")

    def test_a_broker_that_was_never_asked(self):
        del self.logs["referee"]
        self.assert_miscounted("never asked")

    def test_a_stop_that_took_too_long(self):
        self.add("referee", {"event": "stopped", "at": 9, "seconds": 5, "allowed": 4})
        self.assert_found(slow_stop=["5.0 s"])


if __name__ == "__main__":
    unittest.main()
