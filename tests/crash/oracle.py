"""oracle.py - judges, from the actors' logs and what the admin socket lists, the broker's promise.

It knows nothing of the broker but its protocol. The sets are those of ids:

    S sent      A acked: RECEIVED was read, or a later state     D delivered     E effects at sinks
    P PROCESSED confirmed to the target     N PROCESSED told to the source
    Q dead letters and I in custody, as listed at the end        X purged by the operator
    L letters of rejected records, which the broker has made and the operator has redriven

S \\ A may end anywhere, for the source cannot know: that is not judged.
"""

import collections

from counts import conservation
from table import Verdict


class Listing:
    """What the admin socket lists at the end: letters as exported (with the digest of the frame,
    and their record_ids), batches in custody, confirmations that are awaited. And how many attempts
    a batch has by the configuration."""

    def __init__(self, letters=(), batches=(), awaited=(), attempts=4):
        self.letters = list(letters)
        self.batches = batches
        self.awaited = awaited
        self.attempts = attempts


class History:
    """The events of all actors, sorted by kind. `logs`: actor name -> its events in order."""

    def __init__(self, logs, listing):
        self.logs = logs
        self.listing = listing
        self.events = collections.defaultdict(list)
        for name, events in logs.items():
            for event in events:
                self.events[event["event"]].append({**event, "actor": name})
        self.sent = self.ids("sent")
        self.acked = self.ids("acked")
        self.confirmed = self.ids("ended")                                          # P
        self.told = {e["batch_id"] for e in self.outcomes() if e["status"] == "PROCESSED"}  # N
        self.dead = {e["batch_id"] for e in listing.letters if e["kind"] == "batch"}
        self.derived_dead = {e["batch_id"] for e in listing.letters if e["kind"] == "records"}
        self.in_custody = {e["batch_id"] for e in listing.batches}
        self.purged = {e["batch_id"] for e in self.events["purge"] if e["kind"] != "partial"}
        self.redriven = {e["batch_id"] for e in self.events["redriven"] if e["kind"] == "records"}
        self.processed = self.confirmed | self.told

    def ids(self, *kinds):
        return {event["batch_id"] for kind in kinds for event in self.events[kind]}

    def outcomes(self):
        """What sources were told of the end; also by the answer to a repeat."""
        return self.events["outcome"] + [e for e in self.events["acked"]
                                         if e["status"] != "RECEIVED"]

    def repeats(self):
        """Of batches that another than their sender has repeated: their outcomes may move."""
        sender = {e["batch_id"]: e["actor"] for e in self.events["sent"] if not e["expected"]}
        moved = {e["batch_id"] for e in self.events["repeated"]
                 if e["actor"] != sender.get(e["batch_id"])}
        return [e for e in self.events["repeated"] if e["batch_id"] in moved]

    def answers(self):
        """All that targets have said PROCESSED to, or made an output of: Held.story()."""
        for event in self.events["asked"]:
            yield event
        for event in self.events["sent"]:
            for answer in event["inputs"]:
                yield {**answer, "at": event["at"]}

    def on_route(self, route):
        return {e["batch_id"] for e in self.events["sent"] if e["route"] == route}


def judge(logs, listing):
    h = History(logs, listing)
    return [
        Verdict("lost", "RECEIVED, and neither ended, dead, purged nor in custody", lost(h)),
        Verdict("stuck", "in custody after the quiet period", h.in_custody),
        Verdict("not live", "RECEIVED, and not ended within the bound", not_live(h)),
        Verdict("invented", "delivered or dead, and never sent so", invented(h)),
        Verdict("double PROCESSED", "ended under two leases, or told twice without a repeat",
                double_processed(h)),
        Verdict("double effect", "with more than one effect", double_effect(h)),
        Verdict("resurrected", "delivered under a newer lease than it was ended with",
                resurrected(h)),
        Verdict("both", "in two of ended, dead and in custody", both(h)),
        Verdict("false RECEIVED", "RECEIVED for a wrong checksum, count, identity or content",
                false_received(h)),
        Verdict("conservation", "counters that differ: among each other, from a walk, from outside",
                conservation(h)),
        Verdict("torn stage", "ended by an output that has no effect, or by two that have",
                torn_stage(h)),
        Verdict("false PROCESSED", "told PROCESSED, and no target has said so", h.told - {
            answer["batch_id"] for answer in h.answers()}),
        Verdict("records lost", "rejected records without a letter", records_lost(h)),
        Verdict("unjust letter", "a dead letter that no rejection explains", unjust_letter(h)),
        Verdict("untold", "ended or dead, and its source was not told so", untold(h)),
        Verdict("told too often", "more outcomes than repeats and redrives explain",
                told_too_often(h)),
        Verdict("told again", "what was told after a WELCOME that had it as seen", told_again(h)),
        Verdict("lease reused", "one lease on two deliveries", lease_reused(h)),
        Verdict("overcharged", "more attempts than failures explain", overcharged(h)),
        Verdict("wrongly refused", "right, and refused for good", wrongly_refused(h)),
        Verdict("unanswered", "sent, and without an answer at the end", unanswered(h)),
        Verdict("unheard", "confirmed records of which the source never heard", unheard(h)),
        Verdict("still awaited", "confirmed in full, and still listed as awaited",
                still_awaited(h)),
        Verdict("unwarned", "errors told and durable, of which the batch's source never heard",
                unwarned(h)),
        Verdict("made up", "errors that a source heard, and nobody has told",
                {e for event in h.events["warned"] for e in event["errors"]} -
                {event["error_id"] for event in h.events["complained"]}),
        Verdict("out of step", "circuits told to have been in another state than was told before",
                out_of_step(h)),
        Verdict("slow stop", "stops that took longer than allowed", slow_stop(h)),
        Verdict("confused", "messages that nobody may expect",
                [event["message"] for event in h.events["confused"]]),
    ]


# --- where every batch is -------------------------------------------------------------------------

def lost(h):
    """Of a letter of records no source hears: there it is enough that its target took it."""
    derived = h.redriven - {answer["batch_id"] for answer in h.answers()}
    return ((h.acked | derived) - h.processed - h.dead - h.derived_dead - h.in_custody
            - h.purged)


def not_live(h):
    return h.acked - h.processed - h.dead - h.purged


def both(h):
    return ((h.processed & h.dead) | (h.processed & h.in_custody) |
            ((h.dead | h.derived_dead) & h.in_custody))


def invented(h):
    sent = {(e["batch_id"], e["digest"]) for e in h.events["sent"] if not e["expected"]}
    rejected = rejected_records(h)
    for event in h.events["delivered"] + h.listing.letters:
        if event["batch_id"] in h.sent:
            if (event["batch_id"], event["digest"]) not in sent:
                yield event["batch_id"]
        elif tuple(event["records"]) not in rejected:
            yield event["batch_id"]


def rejected_records(h):
    """What letters of records may hold: the rejected ones of one PROCESSED."""
    return {tuple(sorted(answer["rejected"])) for answer in h.answers() if answer["rejected"]}


def resurrected(h):
    """Ended with the newest lease that was confirmed; a later delivery has a higher one."""
    ended = {}
    for event in h.events["ended"]:
        ended[event["batch_id"]] = max(event["lease"], ended.get(event["batch_id"], 0))
    return [event["batch_id"] for event in h.events["delivered"]
            if event["lease"] > ended.get(event["batch_id"], event["lease"])]


def double_processed(h):
    leases, notices = collections.defaultdict(set), collections.defaultdict(set)
    for event in h.events["ended"]:
        leases[event["batch_id"]].add(event["lease"])
    for event in h.events["outcome"]:
        if event["status"] == "PROCESSED":
            notices[event["batch_id"]].add(event["notice"])
    repeated = {e["batch_id"] for e in h.repeats()}
    return ([batch_id for batch_id, ended in leases.items() if len(ended) > 1] +
            [batch_id for batch_id, told in notices.items()
             if len(told) > 1 and batch_id not in repeated])


def double_effect(h):
    effects = collections.Counter(event["batch_id"] for event in h.events["effect"])
    return [batch_id for batch_id, count in effects.items() if count > 1]


def torn_stage(h):
    """An input that has ended is told of by one output with an effect; or by one that is dead or
    purged; or it was ended without an output."""
    effects, gone = h.ids("effect"), h.dead | h.purged
    outputs = collections.defaultdict(set)
    for event in h.events["sent"]:
        for answer in event["inputs"]:
            outputs[answer["batch_id"]].add(event["batch_id"])
    without_output = h.ids("asked")
    for batch_id in h.processed - without_output:
        if not outputs[batch_id] & (effects | gone):
            yield batch_id
    for batch_id, its in outputs.items():
        if len(its & effects) > 1:
            yield batch_id


def records_lost(h):
    """PROCESSED with rejected records, confirmed: a letter has them, or the whole batch."""
    whole = {e["batch_id"] for e in h.listing.letters + h.events["purge"]
             if e["kind"] == "partial"}
    parents = {e["parent"] for e in h.listing.letters + h.events["purge"]
               + h.events["redrive"] if e["kind"] == "records"}
    leases = {(e["batch_id"], e["lease"]) for e in h.events["ended"]}
    for answer in h.answers():
        if answer["rejected"] and (answer["batch_id"], answer["lease"]) in leases:
            if answer["batch_id"] not in (parents if answer["named"] else whole):
                yield answer["batch_id"]


def unjust_letter(h):
    permanent = {e["batch_id"] for e in h.events["rejected"] if e["permanent"]}
    failed = failures(h)
    rejecting = {answer["batch_id"] for answer in h.answers() if answer["rejected"]}
    for letter in h.listing.letters:
        batch_id, code = letter["batch_id"], letter["code"]
        if letter["kind"] == "records":
            just = letter["parent"] in rejecting
        elif letter["kind"] == "partial":
            just = batch_id in rejecting
        elif code == "INT_DELIVERY_004":
            just = batch_id in permanent
        else:
            just = code == "INT_DELIVERY_002" and \
                failed[batch_id] + deaths(h) >= h.listing.attempts
        if not just:
            yield "%s %s" % (batch_id, code)


# --- what sources are told ------------------------------------------------------------------------

def false_received(h):
    wrong = {e["message_id"] for e in h.events["sent"] if e["expected"]}
    return [e["batch_id"] for e in h.events["acked"] if e["message_id"] in wrong]


def untold(h):
    rejected = {e["batch_id"] for e in h.outcomes() if e["status"] == "REJECTED"}
    return ((h.confirmed & h.sent) - h.told) | ((h.dead & h.sent) - rejected)


def told_too_often(h):
    notices = collections.defaultdict(set)
    allowed = collections.Counter(e["batch_id"] for e in h.repeats() + h.events["redrive"])
    for event in h.events["outcome"]:
        notices[event["batch_id"]].add((event["notice"], event["status"]))
    return [batch_id for batch_id, told in notices.items()
            if len(told) > 1 + allowed[batch_id]]


def told_again(h):
    for name, events in h.logs.items():
        confirmed = 0
        for event in events:
            if event["event"] == "connected":
                confirmed = event["seen"]
            elif event.get("notice", confirmed + 1) <= confirmed:
                yield "%s %d" % (name, event["notice"])


def wrongly_refused(h):
    """An output whose lease is no longer current is refused rightly: INT_BATCH_005."""
    expected = {e["message_id"]: e["expected"] or ("INT_BATCH_005" if e["inputs"] else None)
                for e in h.events["sent"]}
    return ["%s %s" % (e["batch_id"], e["code"]) for e in h.events["refused"]
            if e["code"] != expected.get(e["message_id"])]


def unanswered(h):
    answered = {e["message_id"] for kind in ("acked", "refused", "forgotten")
                for e in h.events[kind]}
    return [e["batch_id"] for e in h.events["sent"] if e["message_id"] not in answered]


def unheard(h):
    heard = collections.defaultdict(set)
    for event in h.events["confirmation"]:
        heard[event["batch_id"]].update(event["records"])
    return [e["batch_id"] for e in h.events["confirmed"]
            if e["batch_id"] in h.sent and not heard[e["batch_id"]].issuperset(e["records"])]


def still_awaited(h):
    awaited = {e["batch_id"] for e in h.listing.awaited}
    return h.ids("confirmed") & awaited


def unwarned(h):
    heard = {error for event in h.events["warned"] for error in event["errors"]}
    for events in h.logs.values():
        for event in durable_complaints(events):
            if event["batch_id"] in h.sent and event["error_id"] not in heard:
                yield event["error_id"]


def out_of_step(h):
    """With a new connection all are CLOSED, until another state is told."""
    for name, events in h.logs.items():
        states = {}
        for event in events:
            if event["event"] == "connected":
                states.clear()
            elif event["event"] == "circuit":
                if event["before"] != states.get(event["circuit_id"], "CLOSED"):
                    yield "%s %s" % (name, event["circuit_id"])
                states[event["circuit_id"]] = event["after"]


def durable_complaints(events):
    """Nothing answers to a complaint: but it is durable when something is that was said after it,
    on the same connection."""
    told, told_before = [], {}      # complaints; how many before this lease was spoken of
    for event in events:
        if event["event"] == "connected":
            told, told_before = [], {}
        elif event["event"] == "complained":
            told.append(event)
        elif event["event"] in ("asked", "sent"):
            for answer in event.get("inputs", [event]):
                if answer.get("lease"):
                    told_before[answer["lease"]] = len(told)
        elif event["event"] == "ended":
            yield from told[:told_before.get(event["lease"], 0)]


# --- what targets get -----------------------------------------------------------------------------

def lease_reused(h):
    uses = collections.Counter(event["lease"] for event in h.events["delivered"])
    return [lease for lease, count in uses.items() if count > 1]


def failures(h):
    """What costs a batch an attempt: each is on the disk before the broker can know of it."""
    return collections.Counter(e["batch_id"] for kind in ("rejected", "late")
                               for e in h.events[kind])


def deaths(h):
    """A module that is lost may cost any batch an attempt that it holds for the second time."""
    return len(h.events["died"])


def overcharged(h):
    """Letters of records go on counting where their parent was: they are not judged."""
    failed = failures(h)
    return [event["batch_id"] for event in h.events["delivered"] if event["batch_id"] in h.sent
            and event["attempt"] > 1 + failed[event["batch_id"]] + deaths(h)]


def slow_stop(h):
    return ["%.1f s" % e["seconds"] for e in h.events["stopped"] if e["seconds"] > e["allowed"]]
