"""soaking.py - a broker under load and faults for a while, and what may not grow meanwhile.

ALPHA and BETA are the load client. PHI and EPSILON are what goes wrong: they die with batches, send
halves and nonsense, reject, come again. BETA and GAMMA measure: one batch at a time.
"""

import os
import socket
import statistics
import time

import messages
from ctl import ADMIN, Ctl
from handoff_client import Silence, tls_context

from beside import Load, Repeated
import lmdb_file
from slopes import Series

SETTINGS = ADMIN + '''
route "phi-epsilon" {
    source = "PHI" target = "EPSILON" retry_delay_ms = 20 max_retries = 2
}
route "beta-gamma" { confirm = false }
'''
TOP_LEVEL = {"store_size": "64M", "history_size": "256K", "outcome_retention": "1s",
             "dedupe_minimum": "0s", "max_module_instances": 50}
SAMPLE_SECONDS = 1.0
FAULTS_PER_SECOND = 10
MB = 1 << 20


class Trouble:
    """Does one thing after the other that a broker should survive without a trace."""

    def __init__(self, case, broker, random):
        self.case, self.broker, self.random = case, broker, random
        self.ctl = Ctl(broker)
        self.done = {}
        self.seen = 0

    def once(self):
        time.sleep(self.random.expovariate(FAULTS_PER_SECOND))
        what = self.random.choice([
            self.half_a_frame, self.no_tls, self.half_a_handshake, self.nonsense,
            self.dies_with_a_batch, self.rejected_for_good, self.rejected_for_now,
            self.looks_around, self.half_a_question, self.a_signal])
        what()
        self.done[what.__name__] = self.done.get(what.__name__, 0) + 1

    def source(self):
        return self.module("PHI", 0, seen=self.seen, broker_id=self.broker_id())

    def broker_id(self):
        return self.ctl.ask("status")["broker_id"]

    def module(self, name, max_in_flight, **more):
        """A connection of one of few instances: each that there ever was is remembered."""
        instance = "%s-%d" % (name.lower(), self.random.randrange(3))
        client = self.case.module(self.broker, name, max_in_flight, instance_id=instance, **more)
        self.case.clients.remove(client)
        return client

    def fill_once(self):
        """The most that ever waits at a time, so that pages for it need not be found later."""
        phi = self.source()
        for _ in range(8):
            phi.hand_over(phi.batch("EPSILON", size=20000))
        self.catch_up()
        self.hear(phi)

    def half_a_frame(self):
        phi = self.source()
        frame = messages.frame(messages.encode(phi.batch("EPSILON", size=5000)))
        phi.send_bytes(frame[:self.random.randrange(len(frame))])
        self.random.choice([phi.cut, phi.close])()

    def no_tls(self):
        with socket.create_connection(self.broker.address) as plain:
            plain.sendall(self.random.randbytes(self.random.randrange(1, 600)))

    def half_a_handshake(self):
        plain = socket.create_connection(self.broker.address)
        with tls_context(self.broker.credentials).wrap_socket(
                plain, server_hostname="localhost", do_handshake_on_connect=False) as secured:
            secured.setblocking(False)
            try:
                secured.do_handshake()
            except OSError:
                pass

    def nonsense(self):
        phi = self.source()
        phi.send_body(self.random.randbytes(self.random.randrange(1, 2000)))
        phi.close()

    def handed_over(self):
        """A batch at its target: both sides, and the delivery."""
        phi, epsilon = self.source(), self.module("EPSILON", 1)
        phi.hand_over(phi.batch("EPSILON", size=self.random.randrange(100, 3000)))
        return phi, epsilon, epsilon.delivery()

    def dies_with_a_batch(self):
        """One to three targets do: it may become a dead letter. The next takes all there is."""
        phi, epsilon, _ = self.handed_over()
        for _ in range(self.random.randrange(3)):
            epsilon.cut()
            epsilon = self.module("EPSILON", 1)
        epsilon.close()
        self.catch_up()
        self.hear(phi)

    def catch_up(self):
        epsilon = self.module("EPSILON", 10)
        try:
            while True:
                epsilon.finish(epsilon.delivery(seconds=0.2))
        except Silence:
            epsilon.close()

    def rejected_for_now(self):
        phi, epsilon, delivery = self.handed_over()
        epsilon.reject(delivery, "TRANSIENT")
        again = epsilon.delivery()
        epsilon.finish(again)
        epsilon.close()
        self.hear(phi)

    def rejected_for_good(self):
        phi, epsilon, delivery = self.handed_over()
        epsilon.reject(delivery, "PERMANENT")
        epsilon.close()
        self.hear(phi)
        self.ctl.say("dead", "purge", "--all", "--yes", "--reason", "a soak")

    def hear(self, phi):
        """The source hears what it is owed, and its next connection confirms it. Nothing where
        the batch was another's: what a target got may have waited since one before died with it."""
        phi.listen(0.05)
        for outcome in phi.heard("ACKNOWLEDGMENT", lambda message: "notice" in message):
            self.seen = max(self.seen, outcome["notice"])
        phi.close()

    def looks_around(self):
        self.ctl.run(*self.random.choice([
            ("status",), ("routes",), ("clients", "--all"), ("batches",), ("journal",),
            ("shape",), ("dead", "list"), ("audit",)]))

    def half_a_question(self):
        with socket.socket(socket.AF_UNIX) as operator:
            operator.connect(self.ctl.socket)
            operator.sendall(b'["stat')

    def a_signal(self):
        self.broker.process.send_signal(self.random.choice([1, 13, 17, 18, 23, 28]))


class Probe:
    """One batch after the other over a route of its own; how long each takes."""

    def __init__(self, case, broker):
        self.beta = case.module(broker, "BETA", 0)
        self.gamma = case.module(broker, "GAMMA", 1)
        self.took = []
        self.seen = 0

    def once(self):
        began = time.monotonic()
        self.gamma.finish(self.gamma.delivery(self.beta.hand_over(seen=self.seen)))
        self.took.append(time.monotonic() - began)
        self.seen = self.beta.outcome()["notice"]
        time.sleep(0.01)

    def p99_ms(self):
        """Of those since the last time."""
        took, self.took = self.took, []
        return 1000 * (statistics.quantiles(took, n=100)[98] if len(took) > 1 else sum(took))


def sample(broker, probe):
    directory = "/proc/%d/fd" % broker.process.pid
    return {"memory": broker.memory("RssAnon") / MB, "descriptors": len(os.listdir(directory)),
            "store": lmdb_file.last_page(os.path.join(broker.directory, "data", "custody.mdb")),
            "p99": probe.p99_ms()}


def write_points(path, series):
    with open(path, "w") as file:
        for points in zip(*(one.points for one in series)):
            print("%.1f" % points[0][0], *("%.3f" % value for _, value in points), file=file)


def soak(case, seconds, random, points=None):
    """Returns lines for people, and the names of what grows."""
    broker = case.start_broker(SETTINGS, **TOP_LEVEL)
    series = [Series("memory", "MB", 1, 0.5), Series("descriptors", "", 0, 0.5),
              Series("store", "pages", 0, 16), Series("p99", "ms", 0, 5)]
    # In a short run whatever else the machine does weighs more.
    p99_share = 0.05 if seconds >= 600 else 0.5
    trouble, probe = Trouble(case, broker, random), Probe(case, broker)
    trouble.fill_once()
    load = Load(broker, seconds, size=2000, in_flight=4)
    actors = [Repeated(trouble.once), Repeated(probe.once)]
    began = time.monotonic()
    while load.is_running() and all(actor.is_running() for actor in actors):
        time.sleep(SAMPLE_SECONDS)
        values = sample(broker, probe)
        for one in series:
            one.add(time.monotonic() - began, values[one.name])
    for actor in actors:
        actor.stop()
    figures = load.figures()
    if points:
        write_points(points, series)
    lines = ["%d handoffs, faults: %s" % (figures["handoffs"], ", ".join(
        "%s %d" % item for item in sorted(trouble.done.items())))]
    growing = []
    for one in series:
        text, grows = one.judge(p99_share if one.name == "p99" else 0)
        lines.append(text)
        growing += [one.name] * grows
    broker.stop()
    return lines, growing
