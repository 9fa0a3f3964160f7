"""test_floods.py - many strangers, slow ones and greedy ones, with others served beside them.

Reliability B5, B6, B7, B8, B10, B17, B18. The load comes from processes of its own where it is
heavy. The figures are for reading: thresholds are wide, because machines for tests are shared.
"""

import os
import resource
import subprocess
import sys
import threading
import time
import unittest

from handoff_client import Client, Silence, tls_context
from load import client_hello
from stranger_case import (ADMIN, PATIENCE_SECONDS, SCALE, Closed, Ctl, StrangerCase, authority,
                           connect_plain, figure, messages, percentile, raise_descriptors, scaled)

HERE = os.path.dirname(os.path.abspath(__file__))
MB = 1 << 20


class FloodCase(StrangerCase):
    def setUp(self):
        super().setUp()
        raise_descriptors()

    def start_load(self, kind, broker, seconds, *files):
        load = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "load.py"), kind, str(broker.address[1]),
             str(seconds), *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(load.communicate)
        self.addCleanup(load.kill)
        return load

    def end_load(self, load):
        """What it did, as a number."""
        said = load.communicate(timeout=4 * PATIENCE_SECONDS)[0]
        self.assertEqual(load.returncode, 0, said)
        return int(said.split()[1])

    def many_modules(self, broker, module, count, max_in_flight=0, **more):
        """So many connections of one module; as many handshakes a second as the broker allows."""
        context, made = tls_context(authority().module(module)), []
        while len(made) < count:
            try:
                client = Client(broker.address, None, module, context=context, **more)
                client.hello(max_in_flight)
            except (OSError, Closed):
                time.sleep(0.05)        # over the rate: it is refused, and comes again
                continue
            made.append(client)
            self.clients.append(client)
        return made

    def time_all(self, sources, target, seconds):
        """Each source hands over one batch after the other for so long, and one target finishes
        them all; every time from a batch to the word that it was PROCESSED."""
        times, problems, stop = [], [], threading.Event()

        def hand_over(client):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                client.outcome(client.hand_over(count=1))
                times.append(time.monotonic() - began)

        def finish():
            while not stop.is_set():
                try:
                    target.finish(target.delivery(seconds=0.2))
                except Silence:
                    continue

        def work(what, *arguments):
            try:
                what(*arguments)
            except (OSError, AssertionError) as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(hand_over, one)) for one in sources]
        last = threading.Thread(target=work, args=(finish,))
        for thread in (last, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        last.join()
        self.assertFalse(problems)
        return times


class Hellos(FloodCase):
    """Anybody can send a ClientHello, and it costs us a millisecond."""

    SOURCES = 8
    SECONDS = 3
    RATE = 500 if SCALE > 1 else 50     # the default, or one that every machine reaches

    def test_established_sessions_are_served_and_a_newcomer_gets_in(self):
        broker = self.start_broker(ADMIN, max_handshake_rate=self.RATE)
        sources = self.many_modules(broker, "ALPHA", self.SOURCES)
        target = self.module(broker, "BETA", 100)
        before = self.time_all(sources, target, self.SECONDS)
        memory, processor = broker.memory("RssAnon"), self.processor_seconds(broker)
        load = self.start_load("hellos", broker, self.SECONDS + 1)
        broker.wait_for_log("connection refused .*reason=total_rate")
        during = self.time_all(sources, target, self.SECONDS)
        grown = broker.memory("RssAnon") - memory
        used = self.processor_seconds(broker) - processor
        sent = self.end_load(load)
        self.many_modules(broker, "GAMMA", 1)
        self.assertGreater(len(during), len(before) / 40)
        self.assertLess(percentile(during, 99), PATIENCE_SECONDS / 2)
        if not broker.is_sanitized():
            self.assertLess(grown, 32 * MB)
        figure("%d ClientHellos in %d s, %d a second let in, beside %d sources: handovers "
               "%d -> %d, p99 %.0f -> %.0f ms, memory +%.1f MB, processor %.1f s", sent,
               self.SECONDS + 1, self.RATE, self.SOURCES, len(before), len(during),
               1000 * percentile(before, 99),
               1000 * percentile(during, 99), grown / MB, used)

    def test_timers_are_in_time_at_100_percent(self):
        """Without a limit of handshakes it has no idle moment; retries come all the same."""
        delay = 0.2
        broker = self.start_broker(
            'route "alpha-beta" { retry_delay_ms = %d backoff_multiplier = 1 max_retries = 1000 }'
            % (1000 * delay), max_handshake_rate=100000, max_handshakes=1000,
            circuit_failure_threshold=1000000)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 100)
        for _ in range(3):              # few, so that none waits here for another
            alpha.hand_over(count=1)
        before = self.lateness(beta, delay, lambda late: len(late) < 20)
        load = self.start_load("hellos", broker, self.SECONDS)
        processor, began = self.processor_seconds(broker), time.monotonic()
        during = self.lateness(beta, delay, lambda _: load.poll() is None)
        busy = (self.processor_seconds(broker) - processor) / (time.monotonic() - began)
        sent = self.end_load(load)
        self.assertLess(percentile(during, 99), PATIENCE_SECONDS / 2)
        figure("%d ClientHellos, processor %.0f %%: %d timers, lateness p50 %.0f -> %.0f ms, "
               "p99 %.0f -> %.0f ms", sent, 100 * busy, len(during),
               1000 * percentile(before, 50), 1000 * percentile(during, 50),
               1000 * percentile(before, 99), 1000 * percentile(during, 99))

    def lateness(self, beta, delay, goes_on):
        """Rejects what comes, and tells by how much later than its delay it came again."""
        late, rejected = [], {}
        while goes_on(late):
            delivery = beta.delivery()
            if delivery.batch_id in rejected:
                waited = time.monotonic() - rejected[delivery.batch_id]
                late.append(max(0, waited - 1.1 * delay))
            beta.reject(delivery)
            rejected[delivery.batch_id] = time.monotonic()
        return late


class Slow(FloodCase):
    def test_a_thousand_slow_handshakes_are_all_closed_in_time(self):
        """One byte of a ClientHello at a time; a pair and a newcomer are served meanwhile."""
        count, limit = scaled(1000), 5.0
        broker = self.start_broker(ADMIN)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        data = client_hello()
        memory = broker.memory("RssAnon")
        opened, ages, times, grown = {}, [], [], 0
        newcomer = None
        while len(ages) < count:
            for _ in range(min(20, count - len(ages) - len(opened))):
                try:
                    opened[connect_plain(broker.address)] = time.monotonic(), [0]
                except OSError:
                    break           # over the rate of all: others next time
            for one, (began, at) in list(opened.items()):
                one.setblocking(False)
                try:
                    one.send(data[at[0]:at[0] + 1])
                    at[0] += 1
                    if one.recv(100) != b"":
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                ages.append(time.monotonic() - began)
                opened.pop(one)
                one.close()
            began = time.monotonic()
            beta.finish(beta.delivery(alpha.hand_over(count=1)))
            times.append(time.monotonic() - began)
            grown = max(grown, broker.memory("RssAnon") - memory)
            if not newcomer and len(ages) > count / 2:
                newcomer, = self.many_modules(broker, "GAMMA", 1)
        self.assertLess(max(ages), limit + PATIENCE_SECONDS / 4)
        if not broker.is_sanitized():
            self.assertLess(grown, 32 * MB)
        figure("%d slow handshakes: all closed, the last after %.1f s; handovers p99 %.0f ms, "
               "memory +%.1f MB", count, max(ages), 1000 * percentile(times, 99), grown / MB)

    def test_many_frames_that_never_end_are_cut_in_time(self):
        count, limit = min(scaled(100), 900), 10.0
        broker = self.start_broker(ADMIN)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        frame = messages.frame(messages.encode(alpha.batch(size=5000)))
        slow = self.many_modules(broker, "PHI", count)
        began, sent, times, ends = time.monotonic(), 0, [], []
        while slow:
            for client in list(slow):
                try:
                    client.send_bytes(frame[sent:sent + 1])
                    client.listen(0.0001)
                except (Closed, OSError):
                    ends.append(time.monotonic() - began)
                    slow.remove(client)
            sent += 1
            turn = time.monotonic()
            beta.finish(beta.delivery(alpha.hand_over(count=1)))
            times.append(time.monotonic() - turn)
            time.sleep(max(0, began + sent * 0.5 - time.monotonic()))   # the strangers' pace
        self.assertGreater(min(ends), limit - 1)
        self.assertLess(max(ends), limit + PATIENCE_SECONDS)
        figure("%d frames a byte at a time: cut after %.1f to %.1f s; handovers p99 %.0f ms", count,
               min(ends), max(ends), 1000 * percentile(times, 99))


class Greedy(FloodCase):
    @unittest.skipUnless(SCALE > 1, "in short, with eight: tests/system/test_slow.py")
    def test_a_hundred_consumers_that_never_read_cost_a_bounded_memory(self):
        """Each has ten deliveries of 512 KB to come: twice what the system holds for it."""
        consumers, each, size = 100, 10, 1 << 19
        ceiling = 64 * MB + consumers * MB // 2     # frames kept, and what TLS has sealed
        broker = self.start_broker('route "alpha-beta" { queue_capacity_bytes = "1G" }\n' + ADMIN,
                                   store_size="2G", write_timeout_ms=600000)
        self.many_modules(broker, "BETA", consumers, each, receive_buffer=4096)
        alpha = self.module(broker, "ALPHA")
        weights = [broker.memory("RssAnon")]
        for _ in range(4):
            for _ in range(consumers * each // 4):
                alpha.hand_over(count=1, size=size)
            weights.append(broker.memory("RssAnon"))
        if not broker.is_sanitized():
            self.assertLess(weights[-1] - weights[0], ceiling)
        figure("%d that never read, %d MB for them: memory %s MB", consumers,
               consumers * each * size / MB, " ".join("%.1f" % (one / MB) for one in weights))

    def test_announced_lengths_cost_nothing(self):
        """4 GB announced over and over; then 8 MB, which is allowed, by many at a time."""
        broker = self.start_broker(ADMIN)
        context = tls_context(authority().module("ALPHA"))
        self.module(broker, "ALPHA").hand_over()
        memory = None
        for number in range(scaled(100)):
            client = Client(broker.address, None, "ALPHA", context=context)
            if number % 2:
                client.hello(0)
            client.send_bytes(b"\xff\xff\xff\xff" + b"\x80" * 10)
            self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR", "INT_PROTOCOL_002")
            client.close()
            if number == 20:
                memory = broker.memory("RssAnon")
        grown = broker.memory("RssAnon") - memory
        many = self.many_modules(broker, "ALPHA", 50)
        before = broker.memory("VmData")         # also what is asked for, and not yet used
        for client in many:
            client.send_bytes(b"\x00\x7f\xff\xff" + b"\x80" * 10)
        self.module(broker, "BETA").delivery()
        held = broker.memory("VmData") - before
        if not broker.is_sanitized():
            self.assertLess(grown, MB)
            self.assertLess(held, 50 * 80 * 1024 + MB)
        figure("4 GB announced %d times: memory +%.2f MB; 8 MB announced by 50: +%.2f MB",
               scaled(100), grown / MB, held / MB)

    def test_connections_beyond_the_limit_are_told_and_the_others_served(self):
        """The default limit is 4096, reached in a long run; here a lower one."""
        limit = min(4096, scaled(200))
        modules = ["ALPHA", "BETA", "GAMMA", "EPSILON", "PHI"]
        broker = self.start_broker(ADMIN, max_connections=limit)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        memory = broker.memory("RssAnon")
        for number, module in enumerate(modules):
            self.many_modules(broker, module, (limit - 2 + number) // len(modules))
        self.assertEqual(len(self.clients), limit)
        weight = (broker.memory("RssAnon") - memory) / limit
        for module in modules:
            client = self.connect(broker, module)
            self.assert_ends_with_goodbye(client, "KICKED")
        beta.finish(beta.delivery(alpha.hand_over()))
        figure("%d connections, %.1f KB each: one more is told, the others are served", limit,
               weight / 1024)


class Descriptors(FloodCase):
    def test_without_descriptors_it_rests_and_answers_its_operator(self):
        """128 descriptors, 500 clients: no spinning, the operator is answered, others go on."""
        broker = self.start_broker(ADMIN)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (128, 128))
        crowd = [connect_plain(broker.address) for _ in range(500)]
        try:
            broker.wait_for_log("accepting paused")
            began, processor = time.monotonic(), self.processor_seconds(broker)
            asked, times = [], []
            while time.monotonic() < began + 3:
                moment = time.monotonic()
                Ctl(broker).say("version")
                asked.append(time.monotonic() - moment)
                moment = time.monotonic()
                beta.finish(beta.delivery(alpha.hand_over(count=1)))
                times.append(time.monotonic() - moment)
                time.sleep(0.05)
            busy = (self.processor_seconds(broker) - processor) / (time.monotonic() - began)
        finally:
            for one in crowd:
                one.close()
        self.assertLess(busy, 0.5)
        self.assertLess(percentile(asked, 50), PATIENCE_SECONDS / 8)
        self.many_modules(broker, "GAMMA", 1)
        figure("128 descriptors, 500 clients: processor %.0f %%, the operator answered in %.0f ms "
               "(p50), handovers p99 %.0f ms", 100 * busy, 1000 * percentile(asked, 50),
               1000 * percentile(times, 99))


class Bulk(FloodCase):
    def test_small_peers_beside_a_bulk_peer(self):
        """One at full speed, a megabyte a batch; fifty that hand over one small batch at a time."""
        peers, seconds = 50, 5
        route = 'route "phi-gamma" { source = "PHI" target = "GAMMA" }\n'
        broker = self.start_broker(route + ADMIN, store_size="256M")
        small = self.many_modules(broker, "PHI", peers)
        gamma = self.module(broker, "GAMMA", 100)
        quiet = self.time_in_turn(small, gamma, seconds / 2)
        alpha, beta = authority().module("ALPHA"), authority().module("BETA")
        load = self.start_load("bulk", broker, seconds + 1, alpha.ca, alpha.certificate, alpha.key,
                               beta.certificate, beta.key)
        broker.wait_for_log("module=BETA")
        beside = self.time_in_turn(small, gamma, seconds)
        handed = self.end_load(load)
        self.assertGreater(handed, 0)
        self.assertLess(percentile(beside, 99), PATIENCE_SECONDS / 2)
        figure("%d small peers: RECEIVED after p50 %.1f, p99 %.1f ms; beside %d MB of bulk p50 "
               "%.1f, p99 %.1f ms", peers, 1000 * percentile(quiet, 50),
               1000 * percentile(quiet, 99), handed, 1000 * percentile(beside, 50),
               1000 * percentile(beside, 99))

    def time_in_turn(self, small, gamma, seconds):
        """From a batch to its RECEIVED, by one peer after the other."""
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            for client in small:
                message = client.batch(target="GAMMA", count=1)
                began = time.monotonic()
                client.send(message)
                self.assertEqual(client.answer_to(message).status, "RECEIVED")
                times.append(time.monotonic() - began)
                gamma.acknowledge(gamma.delivery(message), "PROCESSED")
        return times
