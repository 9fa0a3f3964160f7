"""test_slow.py - protocol, section 7: peers that do not read, or write slowly, cost little."""

import contextlib
import time

from case import Case, messages
from handoff_client import PATIENCE_SECONDS, Closed

MB = 1 << 20


class SlowReader(Case):
    """Targets that take deliveries and do not read them."""

    def start(self, write_timeout_ms):
        self.broker = self.start_broker(
            'route "alpha-beta" { retry_delay_ms = 50 queue_capacity_bytes = "384M" }',
            store_size="512M", write_timeout_ms=write_timeout_ms)
        self.alpha = self.module(self.broker, "ALPHA")

    def mute_targets(self, how_many, max_in_flight):
        return [self.module(self.broker, "BETA", max_in_flight, receive_buffer=4096)
                for _ in range(how_many)]

    def hand_over_and_weigh(self, how_many, size=500000):
        """The most memory that the broker took meanwhile, without the store, which is mapped."""
        most = 0
        for _ in range(how_many):
            self.alpha.hand_over(count=1, size=size)
            most = max(most, self.broker.memory("RssAnon"))
        return most

    def test_memory_is_bounded_and_others_are_served(self):
        """200 MB wait for eight that do not read; the second half of it costs nothing more."""
        self.start(write_timeout_ms=60000)
        self.mute_targets(8, 50)
        before = self.hand_over_and_weigh(1)
        half = self.hand_over_and_weigh(200)
        whole = self.hand_over_and_weigh(200)
        gamma, beta = self.module(self.broker, "GAMMA"), self.module(self.broker, "BETA", 0)
        for _ in range(50):
            began = time.monotonic()
            gamma.finish(gamma.delivery(beta.hand_over()))
            self.assertLess(time.monotonic() - began, PATIENCE_SECONDS / 2)
        if not self.broker.is_sanitized():
            self.assertLess(whole - before, 96 * MB)
            self.assertLess(whole - half, 16 * MB)

    def test_another_instance_is_served_while_one_does_not_read(self):
        self.start(write_timeout_ms=60000)
        self.mute_targets(1, 4)
        for _ in range(4):
            self.alpha.hand_over(count=1, size=2000000)
        beta = self.module(self.broker, "BETA", 4)
        for _ in range(50):
            batch = self.alpha.hand_over()
            beta.finish(beta.delivery(batch))
            self.assertEqual(self.alpha.outcome(batch).status, "PROCESSED")

    def test_one_without_progress_is_cut_after_write_timeout_ms(self):
        self.start(write_timeout_ms=800)
        mute, = self.mute_targets(1, 10)
        began = time.monotonic()
        sent = [self.alpha.hand_over(count=1, size=2000000) for _ in range(6)]
        self.broker.wait_for_log(r"(?i)write_timeout|no progress|did not read|not reading|stalled")
        self.assertGreaterEqual(time.monotonic() - began, 0.8)
        with self.assertRaises(Closed):
            while True:
                mute.next()
        # Its batches go back, and none of them has spent an attempt.
        beta = self.module(self.broker, "BETA", 10)
        waiting = {batch["metadata"]["batch_id"]: batch["records"] for batch in sent}
        while waiting:
            delivery = beta.delivery()
            self.assertEqual(delivery["delivery"]["attempt"], 1)
            self.assertTrue(delivery["records"] == waiting.pop(delivery.batch_id))
            beta.finish(delivery)

    def test_one_that_answers_but_does_not_read_is_cut_as_well(self):
        """To send is no progress in reading."""
        self.start(write_timeout_ms=800)
        mute, = self.mute_targets(1, 10)
        for _ in range(6):
            self.alpha.hand_over(count=1, size=2000000)
        question = messages.frame(messages.encode(messages.backpressure("BETA", "DEACTIVATE")))
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        with self.assertRaises(OSError):
            while time.monotonic() < deadline:
                mute.send_bytes(question)
                self.alpha.listen(0.02)         # it says so fifty times a second

    def test_answers_that_nobody_reads_end_at_their_ceiling(self):
        """Long before write_timeout_ms: what is kept for it has an end in bytes too."""
        broker = self.start_broker(write_timeout_ms=600000, max_frame_bytes=65536)
        mute = self.module(broker, "BETA", receive_buffer=4096)
        question = messages.frame(messages.encode(
            messages.backpressure("BETA", "ACTIVATE", "no-such-route")))
        with contextlib.suppress(OSError):      # it may be cut before it has said all
            for _ in range(300):                # 30,000 refusals: 15 MB at the least
                mute.send_bytes(100 * question)
        broker.wait_for_log("does not read its answers")

    def test_one_that_reads_slowly_and_steadily_is_not_cut(self):
        """About 300 kB each second, for twice the timeout and more; then all the rest.

        The system opens a receiver's window in steps: the timeout has to be some of them long.
        """
        self.start(write_timeout_ms=4000)
        slow = self.module(self.broker, "BETA", 1, receive_buffer=65536)
        batch = self.alpha.hand_over(count=1, size=7000000)
        deadline = time.monotonic() + 9
        while time.monotonic() < deadline:
            slow.read_some(16384)
            self.alpha.listen(0.05)
        delivery = slow.delivery(batch)
        self.assertTrue(delivery["records"] == batch["records"])
        slow.finish(delivery)

    def test_one_that_has_nothing_to_read_is_not_cut(self):
        self.start(write_timeout_ms=300)
        idle = self.module(self.broker, "BETA", 1)
        idle.finish(idle.delivery(self.alpha.hand_over()))
        idle.listen(1.0)
        idle.finish(idle.delivery(self.alpha.hand_over()))

    def test_sources_that_do_not_read_their_outcomes_cost_little(self):
        """Each outcome carries 30 kB of errors; none is read, all are owed afterwards."""
        self.start(write_timeout_ms=60000)
        beta = self.module(self.broker, "BETA", 10)
        mute = self.module(self.broker, "ALPHA", receive_buffer=4096)
        before = self.broker.memory("RssAnon")
        batches = []
        for _ in range(400):
            batches.append(mute.send(mute.batch()))
            answer = beta.acknowledge(beta.delivery(), "REJECTED", errors=[
                messages.error("BETA", "PERMANENT", error_message="x" * 30000)])
            beta.answer_to(answer)
        if not self.broker.is_sanitized():
            self.assertLess(self.broker.memory("RssAnon") - before, 24 * MB)
        told = {mute.outcome().batch_id for _ in batches}
        self.assertEqual(told, {batch["metadata"]["batch_id"] for batch in batches})


class SlowWriter(Case):
    def assert_cut_while_others_are_served(self, slow, frame, least, most):
        """Writes the frame 1 byte each 100 ms, others at work between; they are cut in time."""
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        began, worst = time.monotonic(), 0
        open_ones, sent = list(slow), 0
        while open_ones:
            elapsed = time.monotonic() - began
            self.assertLess(elapsed, most, "%d are still open" % len(open_ones))
            for client in list(open_ones):
                try:
                    client.send_bytes(frame[sent:sent + 1])
                    client.listen(0.1 / len(slow))
                except (Closed, OSError):
                    self.assertGreater(elapsed, least)
                    open_ones.remove(client)
            sent += 1
            turn = time.monotonic()
            beta.finish(beta.delivery(alpha.hand_over()))
            worst = max(worst, time.monotonic() - turn)
        self.assertLess(worst, PATIENCE_SECONDS / 2)

    def test_a_frame_byte_by_byte_is_cut_at_its_deadline(self):
        self.broker = self.start_broker()
        slow = [self.module(self.broker, "ALPHA") for _ in range(5)]
        frame = messages.frame(messages.encode(slow[0].batch(size=2000)))
        self.assert_cut_while_others_are_served(slow, frame, 5, 20)

    def test_a_hello_byte_by_byte_is_cut_at_its_deadline(self):
        self.broker = self.start_broker(hello_timeout_ms=1500)
        slow = [self.connect(self.broker, "ALPHA") for _ in range(5)]
        frame = messages.frame(messages.encode(messages.hello("ALPHA", "slow", client="x" * 1000)))
        self.assert_cut_while_others_are_served(slow, frame, 1, 15)

    def test_what_it_began_leaves_no_trace(self):
        """A batch that was cut off in the middle is sent whole over another connection."""
        self.broker = self.start_broker()
        slow = self.module(self.broker, "ALPHA")
        batch = slow.batch(size=200000)
        frame = messages.frame(messages.encode(batch))
        slow.send_bytes(frame[:len(frame) // 2])
        slow.cut()
        beta = self.module(self.broker, "BETA")
        again = self.module_again(self.broker, slow)
        again.hand_over(batch)
        self.assertEqual(beta.delivery(batch)["records"], batch["records"])
