"""oracle.py - judges from the actors' logs whether the broker kept its promise.

It knows nothing of the broker: what was acknowledged must have its effect at the sink once, its
outcome told to the source; nothing may come that was not sent, or again after it has ended.
"""

import collections


class Verdict:
    """A row of the table: a count that must be 0, and examples of what was counted."""

    def __init__(self, name, meaning, culprits):
        self.name = name
        self.meaning = meaning
        self.culprits = sorted(set(map(str, culprits)))

    def __len__(self):
        return len(self.culprits)


class History:
    """The events of all actors, sorted by kind. `logs`: actor name -> its events in order."""

    def __init__(self, logs):
        self.logs = logs
        self.events = collections.defaultdict(list)
        for name, events in logs.items():
            for event in events:
                self.events[event["event"]].append({**event, "actor": name})

    def ids(self, kind):
        return {event["batch_id"] for event in self.events[kind]}

    def inputs_of(self, event):
        """The batches that a stage made this output from; the batch itself for a source's."""
        return [batch_id for batch_id, _ in event.get("inputs", [])]


def judge(logs):
    history = History(logs)
    return [
        Verdict("lost", "RECEIVED, and without an effect at the sink", lost(history)),
        Verdict("doubled", "with more than one effect at the sink", doubled(history)),
        Verdict("untold", "RECEIVED, and no PROCESSED told to who sent it", untold(history)),
        Verdict("told twice", "two outcomes under different notices", told_twice(history)),
        Verdict("told again", "an outcome told after a WELCOME that had it as seen",
                told_again(history)),
        Verdict("invented", "delivered, and never sent so", invented(history)),
        Verdict("resurrected", "delivered under a newer lease than it was ended with",
                resurrected(history)),
        Verdict("ended twice", "PROCESSED accepted under two leases", ended_twice(history)),
        Verdict("lease reused", "one lease on two deliveries", lease_reused(history)),
        Verdict("overcharged", "more attempts than rejections explain", overcharged(history)),
        Verdict("false RECEIVED", "RECEIVED with a wrong checksum", false_received(history)),
        Verdict("wrongly refused", "right, and refused for good", wrongly_refused(history)),
        Verdict("unanswered", "sent, and without an answer at the end", unanswered(history)),
        Verdict("confused", "messages that nobody may expect",
                [event["message"] for event in history.events["confused"]]),
    ]


def effects_of_inputs(history):
    """Source batch -> the outputs with an effect that tell of it, of all that were sent."""
    effects = history.events["effect"]
    applied = collections.Counter(event["batch_id"] for event in effects)
    told = collections.defaultdict(list)
    for event in history.events["sent"]:
        for batch_id in history.inputs_of(event):
            told[batch_id] += [event["batch_id"]] * applied[event["batch_id"]]
    return told


def sent_by_sources(history):
    return {event["batch_id"] for event in history.events["sent"] if "inputs" not in event}


def lost(history):
    told = effects_of_inputs(history)
    effects = history.ids("effect")
    sources = sent_by_sources(history)
    for batch_id in history.ids("acked"):
        if not (told[batch_id] if batch_id in sources else batch_id in effects):
            yield batch_id


def doubled(history):
    return [batch_id for batch_id, outputs in effects_of_inputs(history).items()
            if len(outputs) > 1]


def untold(history):
    """A batch that was answered with PROCESSED at once has been told by that."""
    told = {event["batch_id"] for kind in ("outcome", "acked") for event in history.events[kind]
            if event["status"] == "PROCESSED"}
    return history.ids("acked") - told


def told_twice(history):
    notices = collections.defaultdict(set)
    for event in history.events["outcome"]:
        notices[event["batch_id"]].add((event["notice"], event["status"]))
    return [batch_id for batch_id, told in notices.items() if len(told) > 1]


def told_again(history):
    for name, events in history.logs.items():
        confirmed = 0
        for event in events:
            if event["event"] == "connected":
                confirmed = event["seen"]
            elif event["event"] == "outcome" and event["notice"] <= confirmed:
                yield "%s %d" % (name, event["notice"])


def invented(history):
    sent = {(event["batch_id"], event["digest"]) for event in history.events["sent"]
            if event["is_right"]}
    return [event["batch_id"] for event in history.events["delivered"]
            if (event["batch_id"], event["digest"]) not in sent]


def resurrected(history):
    ended = {event["batch_id"]: event["lease"] for event in history.events["ended"]}
    return [event["batch_id"] for event in history.events["delivered"]
            if event["lease"] > ended.get(event["batch_id"], event["lease"])]


def ended_twice(history):
    leases = collections.defaultdict(set)
    for event in history.events["ended"]:
        leases[event["batch_id"]].add(event["lease"])
    return [batch_id for batch_id, ended in leases.items() if len(ended) > 1]


def lease_reused(history):
    uses = collections.Counter(event["lease"] for event in history.events["delivered"])
    return [lease for lease, count in uses.items() if count > 1]


def overcharged(history):
    rejections = collections.Counter(event["batch_id"] for event in history.events["rejected"])
    return [event["batch_id"] for event in history.events["delivered"]
            if event["attempt"] > 1 + rejections[event["batch_id"]]]


def wrong_ones(history):
    return {event["batch_id"] for event in history.events["sent"] if not event["is_right"]}


def false_received(history):
    return history.ids("acked") & wrong_ones(history)


def wrongly_refused(history):
    """An output whose lease is no longer current is refused rightly: INT_BATCH_005."""
    wrong = wrong_ones(history)
    return ["%s %s" % (event["batch_id"], event["code"]) for event in history.events["refused"]
            if event["code"] != ("INT_BATCH_001" if event["batch_id"] in wrong
                                 else "INT_BATCH_005")]


def unanswered(history):
    return history.ids("sent") - history.ids("acked") - history.ids("refused")
