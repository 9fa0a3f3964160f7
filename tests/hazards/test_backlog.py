"""test_backlog.py - a broker with a long way to go: it starts (B21), serves (B12) and stops (B22).

The store is filled by build/fill, through the core, and lies in memory where there is room: what is
measured here is the broker's work, not a disk's.
"""

import os
import shutil
import signal
import statistics
import tempfile
import time

from case import Case
from ctl import ADMIN, Ctl
from handoff_client import PATIENCE_SECONDS

from beside import Load, Repeated, fill
from rounds import randomness, rounds

MB = 1 << 20
# Of each 64 that fill makes, 16 end, 4 become dead letters, 44 are left.
FILLED = rounds(100_000, 1_500_000)
LEFT = FILLED * 43 // 64
MEBIBYTES = rounds(512, 4096)
SETTINGS = ADMIN + '''
route "alpha-beta" { queue_capacity = 2000000 dead_letter_capacity = 1000000 }
'''
# The bounds of reliability.md, for a machine that does nothing else.
PATIENCE = PATIENCE_SECONDS / 8
READY_SECONDS = 2 * PATIENCE
FRESH_SECONDS = 2 * PATIENCE
STOP_SECONDS = 3 * PATIENCE


def room():
    """A place for a store: in memory, unless there is too little of it."""
    shm = "/dev/shm"
    if os.path.isdir(shm) and shutil.disk_usage(shm).free > 2 * MEBIBYTES * MB:
        return shm
    return None


class Backlog(Case):
    time_limit_seconds = 7200

    def setUp(self):
        super().setUp()
        self.store = tempfile.mkdtemp(prefix="handoff-backlog-", dir=room())
        self.addCleanup(shutil.rmtree, self.store, ignore_errors=True)
        fill(self.store, MEBIBYTES, FILLED)
        self.broker = self.new_broker(SETTINGS, environment={"STORE_PATH": self.store},
                                      store_size="%dM" % MEBIBYTES, max_in_flight_limit=1024,
                                      backpressure_high_watermark=1)
        self.ctl = Ctl(self.broker)

    def in_custody(self):
        return self.ctl.ask("status")["in_custody"]

    def ready(self):
        return self.ctl.ask("status")["routes"][0]["ready"]

    def timed_start(self):
        """Seconds until it is ready."""
        began = time.monotonic()
        self.broker.start()
        return time.monotonic() - began

    def test_with_a_backlog_it_starts_stops_and_serves_fresh_batches(self):
        """One after the other, as to fill a store takes the most time of it."""
        self.starts_soon_and_small()
        self.broker.stop()
        self.sigterm_under_full_load_ends_it_in_time_and_loses_nothing()
        self.fresh_batches_are_served_beside_it()

    def starts_soon_and_small(self):
        seconds = self.timed_start()
        self.assertLess(seconds, READY_SECONDS)
        self.assertGreater(self.in_custody(), LEFT)
        own = self.broker.memory("RssAnon")
        print("%d in custody: ready in %.0f ms, %.1f MB of its own"
              % (self.in_custody(), 1000 * seconds, own / MB))
        if not self.broker.is_sanitized():
            self.assertLess(own, 8 * MB + 120 * LEFT)

    # Fresh batches

    def until_processed(self, source, **fields):
        """How long from sending a batch until its source hears that it was processed."""
        began = time.monotonic()
        source.outcome(source.hand_over(**fields))
        return time.monotonic() - began

    def until_delivered(self, source, target):
        began = time.monotonic()
        delivery = target.delivery(source.hand_over())
        seconds = time.monotonic() - began
        target.finish(delivery)
        return seconds

    def fresh_batches_are_served_beside_it(self):
        """All of it is due at once, and a target takes as much as it may."""
        before = self.ready()
        load = Load(self.broker, 3600, in_flight=512)
        gamma, beta = self.module(self.broker, "GAMMA"), self.module(self.broker, "BETA", 0)
        alpha = self.module(self.broker, "ALPHA")
        times = {"another route": [], "CRITICAL": []}
        while self.ready() > max(before // 4, 1024):    # of the load's own up to 512
            self.assertTrue(load.is_running(), load)
            times["another route"].append(self.until_delivered(beta, gamma))
            times["CRITICAL"].append(self.until_processed(alpha, priority="CRITICAL"))
        load.end()
        drained = before - self.ready()
        self.assertGreater(drained, before // 50, "the backlog did not drain meanwhile")
        for name, took in times.items():
            p99 = statistics.quantiles(took, n=100)[98]
            print("%s: p50 %.0f ms, p99 %.0f ms of %d, while %d left"
                  % (name, 1000 * statistics.median(took), 1000 * p99, len(took), drained))
            self.assertLess(p99, FRESH_SECONDS, name)

    # Stopping

    def received(self):
        """Batches that were ever taken into custody on the route."""
        return self.ctl.ask("routes", "alpha-beta")["counters"]["received_total"]

    def hand_over_all_the_time(self, source, counts):
        """One batch after the other; RECEIVED ones are counted."""
        batch = source.send(source.batch())
        counts["sent"] += 1
        try:
            answer = source.answer_to(batch)
        except (AssertionError, OSError):
            return
        if answer.type == "ACKNOWLEDGMENT" and answer.status == "RECEIVED":
            counts["received"] += 1

    def sigterm_under_full_load_ends_it_in_time_and_loses_nothing(self):
        random = randomness("sigterm")
        longest = 0
        for _ in range(rounds(6, 200)):
            self.broker.start()
            before = self.received()
            load = Load(self.broker, 60, in_flight=256)
            source = self.module(self.broker, "ALPHA")
            counts = {"sent": 0, "received": 0}
            sender = Repeated(lambda: self.hand_over_all_the_time(source, counts))
            self.broker.wait_for_log("session opened .*module=BETA", since_start=True)
            time.sleep(random.uniform(0.05, 0.3))
            began = time.monotonic()
            self.broker.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.broker.wait(), 0, self.broker.log()[-2000:])
            longest = max(longest, time.monotonic() - began)
            try:
                sender.stop()
            except (AssertionError, OSError):
                pass                    # it was told GOODBYE
            load.end()
            self.broker.start()
            after = self.received()
            self.broker.stop()
            self.assertGreaterEqual(after - before, counts["received"])
            self.assertGreater(counts["received"], 0)
        print("longest stop %.0f ms" % (1000 * longest))
        self.assertLess(longest, STOP_SECONDS)
        self.broker.start()
        self.ctl.say("audit")
