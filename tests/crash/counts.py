"""counts.py - the broker's own count, at each start: its sums, a walk, what is known outside."""

import bisect

ROUTES = ("alpha-beta", "beta-gamma")


class Bounds:
    """How many distinct ids had come by a moment."""

    def __init__(self, events):
        first = {}
        for event in events:
            first[event["batch_id"]] = min(event["at"], first.get(event["batch_id"], event["at"]))
        self.times = sorted(first.values())

    def at(self, moment):
        return bisect.bisect_right(self.times, moment)


def conservation(h):
    """At every start: the sums, a walk of the store, and what is known outside before and after.

    What was acknowledged before the broker was asked has to be in its count; what is in its count
    was sent before it had answered. At the end, when all have heard all, both are the same.
    """
    for route in ROUTES:
        ids = h.on_route(route)
        bounds = {}
        for name, least, most in (
                ("received", h.events["acked"], h.events["sent"]),
                ("processed", h.events["ended"] + [e for e in h.outcomes()
                                                   if e["status"] == "PROCESSED"], h.answers()),
                ("purged", [e for e in h.events["purged"] if e["kind"] == "batch"],
                 [e for e in h.events["purge"] if e["kind"] == "batch"])):
            bounds[name] = (Bounds(e for e in least if e["batch_id"] in ids),
                            Bounds(e for e in most if e["batch_id"] in ids))
        yield from ("%s: %s" % (route, fault) for fault in count_faults(h, route, bounds))
        yield from ("%s: %s" % (route, fault) for fault in final_faults(h, route, ids))


def count_faults(h, route, bounds):
    last = {name: 0 for name in bounds}
    for audit in h.events["audit"]:
        count = next(r for r in audit["routes"] if r["route"] == route)
        if not balances(count):
            yield "does not balance: %s" % count
        if count["walk"] == "differs" or audit["code"] not in (0, 75):
            yield "a walk finds something else: %s" % count.get("differences")
        for name, (least, most) in bounds.items():
            lowest = max(least.at(audit["before"]), last[name])
            if not lowest <= count[name] <= most.at(audit["after"]):
                yield "%s %d, and %d to %d seen from outside" % (
                    name, count[name], lowest, most.at(audit["after"]))
            last[name] = count[name]


def balances(count):
    return (count["received"] + count["imported"] == count["processed"] + count["dead"]
            + count["purged"] + count["in_custody"]
            and count["derived"] == count["derived_ended"] + count["derived_dead"]
            + count["derived_purged"] + count["derived_in_custody"])


def final_faults(h, route, ids):
    taken = (h.acked | h.processed | h.ids("outcome", "delivered", "purged") | h.dead
             | h.in_custody) & ids
    if not h.events["audit"]:
        yield "never asked"
        return
    count = next(r for r in h.events["audit"][-1]["routes"] if r["route"] == route)
    for name, expected in (
            ("received", len(taken)),
            ("processed", len(h.processed & ids)),
            ("dead", len(h.dead & ids)),
            ("in_custody", len(h.in_custody & ids)),
            ("derived_dead", sum(e["kind"] != "batch" and e["route"] == route
                                 for e in h.listing.letters))):
        if count[name] != expected:
            yield "%s %d at the end, and %d seen from outside" % (name, count[name], expected)
