"""test_clock.py - protocol, section 6: waits and deadlines when the broker stands still for some
seconds, and when its wall clock jumps, while it runs and between two runs.

The jumps are made by preload/wall_clock.c, under the broker alone.
"""

import mmap
import os
import shlex
import signal
import struct
import subprocess
import tempfile
import time

from case import Case
from broker import Broker
from certificates import Authority
from ctl import ADMIN, Ctl

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "preload")
HOUR = 3600
YEAR = 365 * 24 * HOUR
JUMPS = {"ten years on": 10 * YEAR, "ten years back": -10 * YEAR, "an hour back": -HOUR}
STALL_SECONDS = 5.0


class Preload:
    """A library under the programs that run with `environment`, and what it shares with us."""

    def __init__(self, directory, name):
        library = os.path.join(directory, name + ".so")
        if not os.path.exists(library):
            compiler = shlex.split(os.environ.get("CC", "cc"))
            subprocess.run([*compiler, "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1",
                            "-shared", "-fPIC", "-o", library,
                            os.path.join(PRELOAD, name + ".c")], check=True)
        descriptor, path = tempfile.mkstemp(prefix=name + "-", dir=directory)
        with open(descriptor, "r+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            self.shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {
            "LD_PRELOAD": library, name.upper(): path,
            # A sanitizer's runtime insists on coming first.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class SlowDisk(Preload):
    """Flushes of the programs that run with `environment` take so long."""

    def __init__(self, directory):
        super().__init__(directory, "slow_disk")

    def delay(self, seconds):
        self.shared[0:8] = struct.pack("=q", int(1000 * seconds))


class WallClock(Preload):
    """The wall clock of the programs that run with `environment`."""

    def __init__(self, directory):
        super().__init__(directory, "wall_clock")

    def shift(self, seconds):
        self.shared[0:8] = struct.pack("=q", seconds)

    @property
    def readings(self):
        return struct.unpack("=Q", self.shared[8:16])[0]


class Jumps(Case):
    """Waits of 3 s: half and twice of that can be told apart on a busy machine."""

    WAIT_SECONDS = 3.0
    settings = ('route "alpha-beta" { retry_delay_ms = 3000 backoff_multiplier = 1.0 '
                'ack_timeout_ms = 3000 }')

    def setUp(self):
        super().setUp()
        self.clock = WallClock(self.directory)
        # Certificates that are valid before and after every jump: from 15 years ago on.
        self.clock.shift(-15 * YEAR)
        self.authority = Authority(os.path.join(self.directory, "authority"), days=30 * 365,
                                   environment=self.clock.environment)
        for module in ("alpha", "beta"):
            self.authority.module(module)
        self.authority.broker()
        self.clock.shift(0)
        directory = os.path.join(self.directory, "broker")
        os.mkdir(directory)
        self.broker = Broker(directory, self.authority, self.settings,
                             environment=self.clock.environment, outcome_retention="1h",
                             dedupe_minimum="1h", circuit_failure_threshold=1000)
        self.brokers.append(self.broker)
        self.readings = self.clock.readings
        self.broker.start()
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA")

    def connect(self, broker, module, credentials=None, **more):
        return super().connect(broker, module, credentials or self.authority.module(module),
                               **more)

    def tearDown(self):
        super().tearDown()
        self.assertGreater(self.clock.readings, self.readings, "the broker has another wall clock")

    def restart(self, shift):
        """Killed, and started with another wall clock; both modules come back."""
        self.broker.kill()
        self.clock.shift(shift)
        self.broker.start()
        self.alpha = self.module_again(self.broker, self.alpha)
        self.beta = self.module_again(self.broker, self.beta)

    def stop_and_start(self, shift):
        self.broker.process.send_signal(signal.SIGTERM)
        for client in (self.alpha, self.beta):
            client.expect_closed()
            client.close()
        self.assertEqual(self.broker.wait(), 0)
        self.clock.shift(shift)
        self.broker.start()
        self.alpha = self.module_again(self.broker, self.alpha)
        self.beta = self.module_again(self.broker, self.beta)

    def assert_comes_between(self, batch, earliest, latest):
        """The next delivery of the batch comes between two times of time.monotonic()."""
        again = self.beta.delivery(batch, seconds=latest - time.monotonic())
        now = time.monotonic()
        self.assertGreaterEqual(now, earliest, "%.3f s too early" % (earliest - now))
        self.assertEqual((again.attempt, again.redelivered), (2, True))
        self.beta.finish(again)
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")


class JumpWhileRunning(Jumps):
    def assert_wait_stands(self, jump):
        batch = self.alpha.hand_over()
        first = self.beta.delivery(batch)
        begun = time.monotonic()
        self.beta.reject(first)
        self.clock.shift(jump)
        self.beta.expect_none("BATCH_TRANSFER", 0.5)
        self.assert_comes_between(batch, begun + self.WAIT_SECONDS - 0.002,
                                  begun + 2 * self.WAIT_SECONDS)

    def test_a_wait_stands_when_the_clock_jumps_ten_years_on(self):
        self.assert_wait_stands(JUMPS["ten years on"])

    def test_a_wait_stands_when_the_clock_jumps_ten_years_back(self):
        self.assert_wait_stands(JUMPS["ten years back"])

    def test_a_wait_stands_when_the_clock_jumps_an_hour_back(self):
        self.assert_wait_stands(JUMPS["an hour back"])

    def test_a_wait_that_begins_after_a_jump_is_as_long(self):
        self.clock.shift(10 * YEAR)
        self.alpha.barrier()
        self.assert_wait_stands(0)

    def assert_deadline_stands(self, jump):
        begun = time.monotonic()
        delivery = self.beta.delivery(self.alpha.hand_over())
        self.clock.shift(jump)
        self.beta.told_late(delivery, seconds=2 * self.WAIT_SECONDS)
        self.assertGreaterEqual(time.monotonic() - begun, self.WAIT_SECONDS - 0.002)

    def test_a_deadline_stands_when_the_clock_jumps_on(self):
        self.assert_deadline_stands(JUMPS["ten years on"])

    def test_a_deadline_stands_when_the_clock_jumps_back(self):
        self.assert_deadline_stands(JUMPS["ten years back"])

    def test_connections_stay_and_batches_go_through(self):
        for jump in (*JUMPS.values(), 0):
            self.clock.shift(jump)
            batch = self.alpha.hand_over()
            self.beta.finish(self.beta.delivery(batch))
            self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")
        for client in (self.alpha, self.beta):
            client.expect_none("GOODBYE", 0.5)
        batch = self.module(self.broker, "ALPHA").hand_over()
        self.assertEqual(self.beta.delivery(batch).attempt, 1)

    def test_what_is_remembered_of_a_batch_stays_when_the_clock_jumps(self):
        batch = self.alpha.hand_over()
        self.beta.finish(self.beta.delivery(batch))
        notice = self.alpha.outcome(batch)["notice"]
        for jump in (*JUMPS.values(), 0):
            self.clock.shift(jump)
            other = self.alpha.hand_over(self.alpha.batch(seen=notice))
            self.beta.finish(self.beta.delivery(other))
            self.beta.expect_none("BATCH_TRANSFER", 0.3)
            answer = self.alpha.answer_to(self.alpha.send(batch))
            self.assertEqual((answer.status, answer.get("duplicate")), ("PROCESSED", True))


class JumpBetweenRuns(Jumps):
    def assert_wait_outlives(self, jump, restart):
        batch = self.alpha.hand_over()
        first = self.beta.delivery(batch)
        begun = time.monotonic()
        self.beta.reject(first)
        restart(jump)
        # What the broker was away may count, or not.
        self.assert_comes_between(batch, begun + self.WAIT_SECONDS / 2,
                                  time.monotonic() + 2 * self.WAIT_SECONDS)

    def test_a_wait_outlives_a_kill_and_ten_years(self):
        self.assert_wait_outlives(JUMPS["ten years on"], self.restart)

    def test_a_wait_outlives_a_kill_and_ten_years_back(self):
        self.assert_wait_outlives(JUMPS["ten years back"], self.restart)

    def test_a_wait_outlives_a_kill_and_an_hour_back(self):
        self.assert_wait_outlives(JUMPS["an hour back"], self.restart)

    def test_a_wait_outlives_an_orderly_stop_and_ten_years(self):
        self.assert_wait_outlives(JUMPS["ten years on"], self.stop_and_start)

    def test_a_wait_outlives_an_orderly_stop_and_ten_years_back(self):
        self.assert_wait_outlives(JUMPS["ten years back"], self.stop_and_start)

    def test_a_wait_stands_after_years_that_came_and_went(self):
        """A clock that was wrong for one run leaves nothing behind."""
        self.restart(10 * YEAR)
        self.assert_wait_outlives(0, self.restart)

    def test_a_deadline_after_a_jump_is_as_long(self):
        for jump in (10 * YEAR, -10 * YEAR):
            self.restart(jump)
            begun = time.monotonic()
            delivery = self.beta.delivery(self.alpha.hand_over())
            self.beta.told_late(delivery, seconds=2 * self.WAIT_SECONDS)
            self.assertGreaterEqual(time.monotonic() - begun, self.WAIT_SECONDS - 0.002)
            self.beta.finish(delivery)

    def test_an_outcome_is_remembered_over_a_jump(self):
        """outcome_retention is an hour, and no hour has passed."""
        batch = self.alpha.hand_over()
        self.beta.finish(self.beta.delivery(batch))
        notice = self.alpha.outcome(batch)["notice"]
        self.alpha.hand_over(self.alpha.batch(seen=notice))
        self.beta.finish(self.beta.delivery())
        for jump in (10 * YEAR, -10 * YEAR, 0):
            self.restart(jump)
            other = self.alpha.hand_over()
            self.beta.finish(self.beta.delivery(other))
            self.beta.expect_none("BATCH_TRANSFER", 0.5)
            answer = self.alpha.answer_to(self.alpha.send(batch))
            self.assertEqual((answer.status, answer.get("duplicate")), ("PROCESSED", True))


class Stall(Case):
    """The broker is stopped for longer than any deadline here, and then goes on."""

    def start(self, settings, **more):
        self.broker = self.start_broker('route "alpha-beta" { %s }' % settings,
                                        circuit_failure_threshold=1000, **more)
        self.alpha, self.beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")

    def tearDown(self):
        for broker in self.brokers:
            if broker.is_running():
                broker.process.send_signal(signal.SIGCONT)
        super().tearDown()

    def stall(self, meanwhile=None):
        """Stops the broker; returns the moment when it goes on."""
        self.broker.process.send_signal(signal.SIGSTOP)
        if meanwhile:
            meanwhile()
        time.sleep(STALL_SECONDS)  # nothing happens that could be waited for
        resumed = time.monotonic()
        self.broker.process.send_signal(signal.SIGCONT)
        return resumed

    def assert_nobody_was_judged(self, *deliveries):
        """All are still the instance's: it ends them, and nothing has come back."""
        for delivery in deliveries:
            self.assertFalse(self.beta.finish(delivery).get("duplicate"))
            self.assertEqual(self.alpha.outcome().status, "PROCESSED")
        self.beta.expect_none("ERROR_NOTIFICATION", where=lambda m: m.code == "INT_DELIVERY_001")
        self.beta.expect_none("BATCH_TRANSFER", 1.0)

    def delivered(self, count):
        return [self.beta.delivery(self.alpha.hand_over()) for _ in range(count)]

    def test_what_is_answered_right_after_it_was_in_time(self):
        self.start("ack_timeout_ms = 2000 retry_delay_ms = 50")
        deliveries = self.delivered(3)
        self.stall()
        for delivery in deliveries:
            self.beta.acknowledge(delivery, "RECEIVED")
        self.assert_nobody_was_judged(*deliveries)

    def test_what_was_left_of_a_deadline_is_left_after_it(self):
        self.start("ack_timeout_ms = 2000 retry_delay_ms = 50")
        deliveries = self.delivered(3)
        self.stall()
        self.beta.expect_none("ERROR_NOTIFICATION", 0.5,
                              where=lambda m: m.code == "INT_DELIVERY_001")
        self.assert_nobody_was_judged(*deliveries)

    def test_what_was_answered_meanwhile_was_in_time(self):
        self.start("ack_timeout_ms = 2000 retry_delay_ms = 50")
        deliveries = self.delivered(3)

        def answer():
            for delivery in deliveries:
                self.beta.acknowledge(delivery, "RECEIVED")
        self.stall(answer)
        self.assert_nobody_was_judged(*deliveries)

    def test_a_process_deadline_is_not_held_against_the_target(self):
        self.start("process_timeout_ms = 2000 retry_delay_ms = 50")
        deliveries = self.delivered(3)
        for delivery in deliveries:
            self.beta.acknowledge(delivery, "RECEIVED")
        self.beta.barrier()
        self.stall()
        self.assert_nobody_was_judged(*deliveries)

    def test_who_stays_mute_is_judged_after_it(self):
        self.start("ack_timeout_ms = 2000 retry_delay_ms = 50")
        (delivery,) = self.delivered(1)
        resumed = self.stall()
        self.beta.told_late(delivery)
        self.assertGreaterEqual(time.monotonic() - resumed, 1.0)

    def test_a_wait_is_not_shorter_for_it_nor_longer_than_it(self):
        self.start("retry_delay_ms = 3000")
        (delivery,) = self.delivered(1)
        begun = time.monotonic()
        self.beta.reject(delivery)
        resumed = self.stall()
        again = self.beta.delivery(seconds=10)
        self.assertGreaterEqual(time.monotonic() - begun, 2.998)
        self.assertLessEqual(time.monotonic() - resumed, 2 * 3.0)
        self.assertEqual(again.attempt, 2)

    def test_an_instance_that_comes_back_right_after_it_was_in_time(self):
        self.start("retry_delay_ms = 50", reclaim_ms=2000)
        (delivery,) = self.delivered(1)
        self.broker.restart()
        self.stall()
        self.beta = self.module_again(self.broker, self.beta, holds=[delivery.lease])
        self.alpha = self.module_again(self.broker, self.alpha)
        self.assert_nobody_was_judged(delivery)

    def test_connections_outlive_it(self):
        self.start("retry_delay_ms = 50", write_timeout_ms=1000)
        self.stall()
        for client in (self.alpha, self.beta):
            client.barrier()
            client.expect_none("GOODBYE")
        self.assert_nobody_was_judged(*self.delivered(1))


class SlowFlush(Case):
    """A flush that takes some seconds is our own stall, and no deadline's time."""

    def setUp(self):
        super().setUp()
        self.disk = SlowDisk(self.directory)
        self.broker = self.start_broker(ADMIN +
                                        'route "alpha-beta" { ack_timeout_ms = 2000 }',
                                        write_timeout_ms=1000, environment=self.disk.environment)
        self.alpha, self.beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")

    def hand_over_slowly(self, size):
        self.disk.delay(STALL_SECONDS)
        begun = time.monotonic()
        batch = self.alpha.send(self.alpha.batch(size=size))
        self.alpha.send(batch)          # a repeat: its answer promises the same
        for _ in range(2):
            answer = self.alpha.answer_to(batch, seconds=4 * STALL_SECONDS)
            self.assertEqual(answer.status, "RECEIVED")
            self.assertGreaterEqual(time.monotonic() - begun, STALL_SECONDS)
        return batch

    def test_answers_of_a_turn_that_is_written_aside_wait_and_nobody_is_cut_for_it(self):
        batch = self.hand_over_slowly(40000)
        self.disk.delay(0)
        self.beta.finish(self.beta.delivery(batch))
        self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_an_operator_is_told_nothing_that_may_be_lost(self):
        ctl = Ctl(self.broker)
        self.disk.delay(STALL_SECONDS)
        begun = time.monotonic()
        batch = self.alpha.send(self.alpha.batch(size=40000))
        while not ctl.ask("batches")["batches"]:
            pass
        self.assertGreaterEqual(time.monotonic() - begun, STALL_SECONDS)
        self.disk.delay(0)
        self.assertEqual(self.alpha.answer_to(batch).status, "RECEIVED")

    def test_what_is_answered_right_after_it_was_in_time(self):
        deliveries = [self.beta.delivery(self.alpha.hand_over()) for _ in range(3)]
        self.hand_over_slowly(3000)
        self.disk.delay(0)
        for delivery in deliveries:
            self.assertFalse(self.beta.finish(delivery).get("duplicate"))
            self.assertEqual(self.alpha.outcome(delivery).status, "PROCESSED")
        self.beta.expect_none("ERROR_NOTIFICATION", 0.5,
                              where=lambda m: m.code == "INT_DELIVERY_001")
