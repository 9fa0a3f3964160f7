"""special.py - what only this broker is asked: named workloads of run.

    history      W1 with five million batches in the history, beside W1 with none
    connections  1000 instances, each of which sends 10 batches/s; memory of an idle one
    bulk         small batches while another module sends frames of 8 MiB without pause
    drained      W1 after a backlog of 4 GiB has drained, beside W1 on the same store before
    growth       what one handoff costs when routes, modules, instances, backlog, history grow
                 100-fold: operations on the store, and processor time
    start        a million batches in custody: from the start of the process to the first delivery
    backlog      a million batches in custody: the broker's own memory
"""

import contextlib
import os
import shutil
import subprocess
import time

from broker import ROOT
from contenders import Handoff
from load import finish_client, start_client
from table import median
from workloads import MIDDLE, SMALL, WHOLE, flow, numbers

FILL = os.path.join(ROOT, "build", "fill")
MIB = 1024 * 1024
BATCH_BYTES = 1500          # on disk, of one that fill makes, with its entries in all tables
SIDE = 'route "side" { source = "GAMMA" target = "EPSILON" queue_capacity = 100000000 }\n'


def filled(directory, authority, count, what, **options):
    """A broker on a store with so many batches in custody, or in its history."""
    mib = max(4096, count * BATCH_BYTES * 2 // MIB)
    handoff = Handoff(directory, authority, store_mib=mib, history_size="%dM" % (mib // 2),
                      **options)
    begun = time.monotonic()
    if count:
        subprocess.run([FILL, os.path.join(directory, "data"), str(mib), str(count), what],
                       stdout=subprocess.DEVNULL, check=True)
        print("  %d batches in %s, made in %.0f s" % (count, what, time.monotonic() - begun),
              flush=True)
    return handoff


def tell_ratio(name, befores, afters, asked):
    """Rates before and after, a pair of each round."""
    print("  %s: %.0f/s, before %.0f/s: %.2f of it (asked for: %s)"
          % (name, median(afters), median(befores),
             ratio((befores, afters)), asked))


def rate(handoff, seconds):
    return flow(handoff, seconds, SMALL, 256)["per_second"]


def history(directory, authority, options):
    count = 50_000_000 if options.long else 5_000_000
    fresh = Handoff(os.path.join(directory, "fresh"), authority).start()
    old = filled(os.path.join(directory, "old"), authority, count, "history").start()
    pairs = [(rate(fresh, options.seconds), rate(old, options.seconds))
             for _ in range(options.rounds)]
    fresh.stop()
    old.stop()
    tell_ratio("W1 with %d batches of history" % count, *zip(*pairs), "1.5 of a peer's W1")


def connections(directory, authority, options):
    handoff = Handoff(directory, authority).start()
    found = numbers(handoff.load(bytes=SMALL, in_flight=1024, connections=1000, rate=10,
                                 seconds=max(10, options.seconds)))
    handoff.stop()
    print("  1000 instances, 10 batches/s each: RECEIVED p50 %.1f ms, p99 %.1f ms (asked for: under"
          " 20), p99.9 %.1f ms; broker %.2f of a core" % (
              found["received_p50_us"] / 1000, found["received_p99_us"] / 1000,
              found["received_p999_us"] / 1000, found["broker_cpu"]))
    print("  an idle connection: %.1f KB of memory (asked for: at most 64)" % found["idle_kb"])


def bulk(directory, authority, options):
    handoff = Handoff(directory, authority, settings=SIDE, store_mib=8192).start()
    paced = {"bytes": SMALL, "in_flight": 1024, "connections": 1, "rate": 500,
             "seconds": options.seconds}
    alone = numbers(handoff.load(**paced))
    large = start_client(handoff.address, handoff.pid, authority, source="GAMMA",
                         target="EPSILON", bytes=8 * MIB - 64 * 1024, window=2, in_flight=4,
                         seconds=options.seconds + 2)
    beside = numbers(handoff.load(**paced))
    heavy = numbers(finish_client(large))
    handoff.stop()
    print("  small batches, 500/s: RECEIVED p99 %.1f ms, alone; %.1f ms beside frames of 8 MiB at"
          " %.0f MB/s (asked for: under 25)"
          % (alone["received_p99_us"] / 1000, beside["received_p99_us"] / 1000,
             heavy["mb_per_second"]))


def drained(directory, authority, options):
    backlog, pairs = 4096 * MIB, []
    for number in range(options.rounds):
        place = os.path.join(directory, str(number))
        handoff = Handoff(place, authority, store_mib=16384).start()
        before = rate(handoff, options.seconds)
        handoff.load(phase="publish", bytes=WHOLE, window=16, in_flight=16,
                     handoffs=backlog // WHOLE)
        handoff.load(phase="drain", bytes=WHOLE, in_flight=64, handoffs=backlog // WHOLE)
        pairs.append((before, rate(handoff, options.seconds)))
        handoff.stop()
        shutil.rmtree(place)
    tell_ratio("W1 after 4 GiB have drained", *zip(*pairs), "at least 0.9")


# --- growth -------------------------------------------------------------------------------------

def declared_modules(count):
    return "".join('module "M%d" { }\n' % i for i in range(count))


def declared_routes(count):
    side = int(count ** 0.5) + 1
    pairs = [(a, b) for a in range(side) for b in range(side) if a != b]
    return declared_modules(side) + "".join(
        'route "r%d" { source = "M%d" target = "M%d" }\n' % (i, a, b)
        for i, (a, b) in enumerate(pairs[:count]))


@contextlib.contextmanager
def idle_instances(handoff, authority, count):
    """So many of another module are connected."""
    idle = start_client(handoff.address, handoff.pid, authority, source="GAMMA", target="EPSILON",
                        bytes=SMALL, in_flight=1, connections=count, rate=0, seconds=600)
    idle.stdout.readline()          # all of them are there
    try:
        yield
    finally:
        idle.kill()
        idle.communicate()


@contextlib.contextmanager
def nothing_else(*_):
    yield


def with_side(directory, authority, _):
    return Handoff(directory, authority, settings=SIDE)


def with_backlog(directory, authority, count):
    handoff = with_side(directory, authority, count).start()
    handoff.load(source="GAMMA", target="EPSILON", phase="publish", bytes=SMALL, window=256,
                 in_flight=256, handoffs=count)
    handoff.stop()
    return handoff


# The five modules that are always there and 59 more are all that can be declared.
# what grows: from, to, the broker, and what there is beside it while it is measured
GROWTH = {
    "routes": (2, 200, lambda d, a, n: Handoff(d, a, settings=declared_routes(n)), nothing_else),
    "modules": (1, 59, lambda d, a, n: Handoff(d, a, settings=declared_modules(n)), nothing_else),
    "instances": (10, 1000, with_side, idle_instances),
    "backlog": (2000, 200_000, with_backlog, nothing_else),
    "history": (10_000, 1_000_000, lambda d, a, n: filled(d, a, n, "history"), nothing_else),
}
HANDOFFS = 40000
OPERATIONS_OF_A_COMMIT = 6          # BUDGET.md


def life(handoff, authority, beside, count, handoffs):
    """What a life of the broker counts, and the processor time of a handoff in it."""
    handoff.start()
    with beside(handoff, authority, count):
        found = numbers(handoff.load(bytes=SMALL, window=64, in_flight=256, handoffs=handoffs))
    return {**handoff.stop(), "us": found["broker_us"]}


def cost(directory, authority, make, beside, count):
    """Of one handoff: operations on the store, without those of each commit; microseconds.

    How many batches share a commit depends on the disk, so a commit's own operations are left out;
    and what a life with a single handoff counts is subtracted.
    """
    handoff = make(directory, authority, count)
    one, all_of = (life(handoff, authority, beside, count, n) for n in (1, HANDOFFS + 1))
    shutil.rmtree(directory)
    own = {key: all_of[key] - one[key] for key in ("operations", "commits")}
    return ((own["operations"] - OPERATIONS_OF_A_COMMIT * own["commits"]) / HANDOFFS, all_of["us"])


def growth(directory, authority, options):
    for name, (few, many, make, beside) in GROWTH.items():
        rounds = [[cost(os.path.join(directory, name), authority, make, beside, count)
                   for count in (few, many)] for _ in range(options.rounds)]
        operations, us = ([[pair[i] for pair in pairs] for pairs in zip(*rounds)] for i in (0, 1))
        print("  %-9s %5d to %7d: operations x %.2f (%.2f to %.2f), processor x %.2f (%.1f to"
              " %.1f us)" % (name, few, many, ratio(operations), *map(median, operations),
                             ratio(us), *map(median, us)), flush=True)


def ratio(pair):
    """Of the second to the first, each a list over the rounds."""
    return median([after / before for before, after in zip(*pair)])


# --- a large backlog ------------------------------------------------------------------------------

def start(directory, authority, options):
    count = 10_000_000 if options.long else 1_000_000
    handoff = filled(directory, authority, count, "custody")
    times = []
    for _ in range(options.rounds):
        begun_us = time.monotonic_ns() // 1000
        handoff.broker.spawn()
        found = handoff.load(phase="drain", bytes=SMALL, in_flight=16, handoffs=1)
        times.append((float(found["first_us"]) - begun_us) / 1000)
        handoff.kill()
    print("  %d in custody: first delivery after %.0f ms [%.0f..%.0f] (asked for: under 200)"
          % (count, median(times), min(times), max(times)))


def backlog(directory, authority, options):
    count = 10_000_000 if options.long else 1_000_000
    handoff = filled(directory, authority, count, "custody").start()
    handoff.load(phase="publish", bytes=MIDDLE, window=256, in_flight=256, handoffs=20000)
    found = numbers(handoff.load(phase="drain", bytes=MIDDLE, in_flight=1024, handoffs=20000))
    handoff.stop()
    print("  %d in custody, 20000 in and out: %.1f MB of its own (asked for: at most 16)"
          % (count, found["broker_own_kb"] / 1000))


SPECIAL = {"history": history, "connections": connections, "bulk": bulk, "drained": drained,
           "growth": growth, "start": start, "backlog": backlog}
