"""test_single.py - A15: one broker a store, whoever starts at once. A16: a broker never forks."""

import os
import re
import subprocess

from broker import Broker
from case import Case, authority
from rounds import rounds

AT_ONCE = 50


class OneBroker(Case):
    time_limit_seconds = 3600

    def contenders(self):
        """Brokers with ports of their own, and one store."""
        store = os.path.join(self.directory, "store")
        for number in range(AT_ONCE):
            directory = os.path.join(self.directory, "contender-%d" % number)
            os.mkdir(directory)
            broker = Broker(directory, authority(), environment={"STORE_PATH": store})
            self.brokers.append(broker)
        return self.brokers

    def outcome(self, broker):
        """Waits until it serves (None), or has ended (its status)."""
        try:
            broker.wait_for_log(r"\bready\b", since_start=True)
            return None
        except AssertionError:
            return broker.wait()

    def test_of_fifty_that_start_at_once_exactly_one_serves(self):
        """Killed each time, so that the next fifty find its lock, its store and nothing else."""
        contenders = self.contenders()
        kept = []
        for _ in range(rounds(4, 100)):
            for broker in contenders:
                broker.spawn()
            statuses = {broker: self.outcome(broker) for broker in contenders}
            serving = [broker for broker, status in statuses.items() if status is None]
            self.assertEqual(len(serving), 1)
            for broker, status in statuses.items():
                if status is not None:
                    self.assertEqual(status, 78, broker.log())
                    self.assertIn("another broker serves the store", broker.lines[-1])
            kept.append(self.module(serving[0], "ALPHA", instance_id="the source").hand_over())
            serving[0].kill()
        broker = contenders[0].start()
        beta = self.module(broker, "BETA")
        for batch in kept:
            beta.finish(beta.delivery(batch))


class NoFork(Case):
    def test_the_program_knows_no_way_to_fork(self):
        """That seccomp kills one that does is tried by tests/unit/server/test_sandbox.c. The one
        thread is made before that."""
        symbols = subprocess.run(["nm", "-D", "--undefined-only", Broker.program], text=True,
                                 stdout=subprocess.PIPE, check=True).stdout
        if "__asan_init" in symbols:
            self.skipTest("a sanitizer forks for its report")
        self.assertIn("accept4@", symbols)
        self.assertFalse(re.findall(
            r"\b(?:v?fork|clone|daemon|system|popen|posix_spawnp?|exec\w+|dlopen)@.*",
            symbols))
