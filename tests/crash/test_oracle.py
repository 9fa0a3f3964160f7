#!/usr/bin/python3
"""test_oracle.py - shows that the oracle can fail: a story without fault, and one a verdict."""

import unittest

import oracle


def story():
    """Two batches of a source, one output made from both, its effect, all outcomes told."""
    return {
        "source": [
            {"event": "connected", "seen": 0},
            {"event": "sent", "batch_id": "a", "digest": "A", "is_right": True},
            {"event": "sent", "batch_id": "b", "digest": "B", "is_right": True},
            {"event": "sent", "batch_id": "w", "digest": "W", "is_right": False},
            {"event": "acked", "batch_id": "a", "status": "RECEIVED", "duplicate": False},
            {"event": "acked", "batch_id": "b", "status": "RECEIVED", "duplicate": False},
            {"event": "refused", "batch_id": "w", "code": "INT_BATCH_001"},
            {"event": "outcome", "batch_id": "a", "status": "PROCESSED", "notice": 1},
            {"event": "outcome", "batch_id": "b", "status": "PROCESSED", "notice": 2},
            {"event": "outcome", "batch_id": "b", "status": "PROCESSED", "notice": 2},
        ],
        "stage": [
            {"event": "connected", "seen": 0},
            delivered("a", 1, "A"),
            {"event": "rejected", "batch_id": "a"},
            delivered("b", 2, "B"),
            delivered("a", 3, "A", attempt=2),
            {"event": "sent", "batch_id": "z", "digest": "Z", "is_right": True,
             "inputs": [["b", 1]]},
            {"event": "refused", "batch_id": "z", "code": "INT_BATCH_005"},
            {"event": "sent", "batch_id": "o", "digest": "O", "is_right": True,
             "inputs": [["a", 3], ["b", 2]]},
            {"event": "acked", "batch_id": "o", "status": "RECEIVED", "duplicate": False},
            {"event": "ended", "batch_id": "a", "lease": 3},
            {"event": "ended", "batch_id": "b", "lease": 2},
            {"event": "outcome", "batch_id": "o", "status": "PROCESSED", "notice": 3},
        ],
        "sink": [
            {"event": "connected", "seen": 0},
            delivered("o", 4, "O"),
            {"event": "effect", "batch_id": "o"},
            {"event": "ended", "batch_id": "o", "lease": 4},
        ],
    }


def delivered(batch_id, lease, digest, attempt=1):
    return {"event": "delivered", "batch_id": batch_id, "lease": lease, "digest": digest,
            "attempt": attempt, "connection": 1}


class Oracle(unittest.TestCase):
    def found(self, logs):
        return {verdict.name: verdict.culprits for verdict in oracle.judge(logs) if len(verdict)}

    def assert_found(self, logs, **expected):
        expected = {name.replace("_", " "): found for name, found in expected.items()}
        self.assertEqual(self.found(logs), expected)

    def without(self, actor, event, **fields):
        logs = story()
        logs[actor] = [e for e in logs[actor] if e["event"] != event or
                       any(e.get(key) != value for key, value in fields.items())]
        return logs

    def with_event(self, actor, event, **fields):
        logs = story()
        logs[actor].append({"event": event, **fields})
        return logs

    def test_finds_nothing_in_a_story_without_fault(self):
        self.assert_found(story())

    def test_finds_a_batch_lost(self):
        self.assert_found(self.without("sink", "effect"), lost=["a", "b", "o"])
        logs = self.without("stage", "sent", batch_id="o")
        self.assertIn("a", self.found(logs)["lost"])

    def test_finds_a_batch_doubled_by_a_second_output(self):
        logs = story()
        logs["sink"].append({"event": "effect", "batch_id": "z"})
        self.assert_found(logs, doubled=["b"])

    def test_finds_an_effect_doubled(self):
        self.assert_found(self.with_event("sink", "effect", batch_id="o"), doubled=["a", "b"])

    def test_finds_an_outcome_untold(self):
        self.assert_found(self.without("source", "outcome", batch_id="a"), untold=["a"])
        self.assert_found(self.without("stage", "outcome"), untold=["o"])

    def test_finds_an_outcome_told_twice(self):
        logs = self.with_event("source", "outcome", batch_id="a", status="PROCESSED", notice=9)
        self.assert_found(logs, told_twice=["a"])

    def test_finds_an_outcome_told_again_after_it_was_seen(self):
        logs = story()
        logs["source"] += [{"event": "connected", "seen": 2}, logs["source"][-1]]
        self.assert_found(logs, told_again=["source 2"])

    def test_finds_what_was_invented(self):
        logs = story()
        logs["sink"] += [delivered("y", 8, "Y"), delivered("w", 9, "W"), delivered("b", 2.5, "X")]
        self.assertEqual(self.found(logs)["invented"], ["b", "w", "y"])

    def test_finds_what_was_delivered_after_its_end(self):
        logs = story()
        logs["sink"].append(delivered("o", 5, "O"))
        self.assert_found(logs, resurrected=["o"])

    def test_finds_what_ended_twice(self):
        self.assert_found(self.with_event("sink", "ended", batch_id="o", lease=3.5),
                          ended_twice=["o"], resurrected=["o"])

    def test_finds_a_lease_reused(self):
        logs = story()
        logs["sink"].append(delivered("o", 4, "O"))
        self.assert_found(logs, lease_reused=["4"])

    def test_finds_an_attempt_overcharged(self):
        logs = story()
        logs["sink"].insert(1, delivered("o", 3.5, "O", attempt=2))
        self.assert_found(logs, overcharged=["o"])

    def test_finds_a_false_received(self):
        logs = self.with_event("source", "acked", batch_id="w", status="PROCESSED", duplicate=False)
        self.assertEqual(self.found(logs)["false RECEIVED"], ["w"])

    def test_finds_a_batch_wrongly_refused(self):
        self.assert_found(self.with_event("source", "refused", batch_id="a", code="INT_BATCH_003"),
                          wrongly_refused=["a INT_BATCH_003"])

    def test_finds_what_was_never_answered(self):
        logs = self.with_event("source", "sent", batch_id="c", digest="C", is_right=True)
        self.assert_found(logs, unanswered=["c"])

    def test_finds_messages_that_nobody_may_expect(self):
        self.assert_found(self.with_event("source", "confused", message="x"), confused=["x"])


if __name__ == "__main__":
    unittest.main()
