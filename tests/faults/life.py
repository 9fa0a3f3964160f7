"""life.py - a broker whose calls can fail, three modules and an operator; rest, and verdicts.

A life goes on over many experiments: a broker that a fault ended is started again on the same
store, a connection that a fault ended is made again, and after each experiment all that was sent is
brought to its end. Then every counter of the store has to balance.
"""

import json
import os
import re
import subprocess
import time

import handoff_client
from broker import SANITIZER_REPORT, Broker
from control import Operator
from handoff_client import Client, Closed, Silence, tls_context
from ledger import Broken, Ledger, Refused
from points import FLUSHES

PATIENCE = float(os.environ.get("HANDOFF_TEST_PATIENCE", "1"))
HANG_SECONDS = 5 * PATIENCE
EXIT_SECONDS = 1 * PATIENCE
MODULES = ("ALPHA", "BETA", "GAMMA")
SETTINGS = """
sandbox = false
admin { socket = "admin.sock" }
route "alpha-beta" { retry_delay_ms = 1 max_retries = 1000 backoff_multiplier = 1.0 }
route "beta-gamma" { retry_delay_ms = 1 max_retries = 1000 backoff_multiplier = 1.0 }
"""
TOP_LEVEL = {"reclaim_ms": 1, "circuit_failure_threshold": 1000000, "max_handshake_rate": 100000,
             "max_address_handshake_rate": 100000}

# The ends that a fault may bring, by exit status, and what the broker says then: handoffd(8).
ENDS = {
    1: r"no randomness|mbedTLS cannot start",
    71: r"cannot listen|could not go on",
    74: r"store failed|store not opened|recovery not committed",
    78: r"handoffd: ",
    -6: r"out of memory|gave no random bytes|\(libev\)|libgcrypt|Fatal error: Cannot allocate",
}


class Module(Client):
    """A module whose reading ends at the life's limit, and whose ledger hears all it reads."""

    def __init__(self, life, name):
        self.life = life
        self.seen = 0
        self.held = {}              # batch_id -> a delivery that was not answered yet
        super().__init__(life.broker.address, life.credentials(name), name, "the-" + name.lower(),
                         context=life.contexts[name])

    def _read(self, deadline, what):
        message = super()._read(min(deadline, self.life.limit), what)
        self.life.ledger.hear(self.module, message)
        self.seen = max(self.seen, message.get("notice") or 0)
        if message.type == "BATCH_TRANSFER":
            self.held[message.batch_id] = message
        elif message.type == "ACKNOWLEDGMENT" and message.status == "PROCESSED":
            self.held.pop(message.batch_id, None)
        return message

    def finish_all(self):
        """Says PROCESSED to all that has come, or was left unanswered before."""
        self.listen(0.005)
        for delivery in list(self.held.values()):
            self.answer_to(self.acknowledge(delivery, "PROCESSED"))
            if self.held.get(delivery.batch_id) is delivery:    # not one that came meanwhile
                del self.held[delivery.batch_id]

    def forget_unread(self):
        """What nobody asked for: outcomes of experiments that are over."""
        self._waiting.clear()


class Life:
    """All of it in `directory`, with faults by `plan`."""

    def __init__(self, directory, authority, plan, **top_level):
        self.authority = authority
        self.plan = plan
        self.contexts = {name: tls_context(self.credentials(name)) for name in MODULES}
        self.broker = Broker(directory, authority, SETTINGS, environment=plan.environment,
                             **{**TOP_LEVEL, **top_level})
        self.ledger = Ledger()
        self.modules = {}
        self.operator = None
        self.limit = None
        self.be_patient()

    def credentials(self, name):
        return self.authority.module(name)

    def be_patient(self, seconds=HANG_SECONDS):
        """Whoever reads gives up after so long, from now on."""
        self.limit = time.monotonic() + seconds
        handoff_client.PATIENCE_SECONDS = seconds

    # The broker

    def is_alive(self):
        """Asked on a new connection. One that has ended is given its second by check_end()."""
        self.forget_operator()
        self.be_patient()
        try:
            return self.ask("version")[0] == 0
        except (OSError, EOFError):
            return False

    def start(self):
        self.broker.start()

    def log(self):
        """What the broker has said since its latest start."""
        return "".join(self.broker.lines[self.broker._seen:])

    def has_ended(self, seconds=0.0):
        try:
            self.broker.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def check_end(self):
        """The broker has ended by a fault: by one of the defined ends, and soon. How, in words."""
        status = self.broker.wait(EXIT_SECONDS)
        late = time.monotonic() - self.plan.fired_ms / 1000
        if SANITIZER_REPORT.search(self.log()):
            raise Broken("a sanitizer reported")
        if not self.plan.fired:
            raise Broken("ended with status %d before anything failed" % status)
        is_defined = status in ENDS and re.search(ENDS[status], self.log())
        if not is_defined and status in (2, -6, -11) and self.is_in_a_library():
            return "ended in a library"
        if not is_defined:
            raise Broken("ended with status %d, which is no defined end" % status)
        # While another thread writes to the redo log, what earlier turns owe may leave; what is
        # told too early is found to be lost, at the next start.
        if self.plan.point.kind not in FLUSHES:
            pass        # what failed first need not be what ended it
        elif late > EXIT_SECONDS:
            raise Broken("ended with status %d, %.1f s after the fault" % (status, late))
        elif status == 74 and self.plan.sent_after and self.plan.point.kind != "redo":
            raise Broken("%d bytes were sent after the store had failed" % self.plan.sent_after)
        return "ended by SIGABRT" if status == -6 else "ended, status %d" % status

    def is_in_a_library(self):
        """libConfuse and glibc's list of users, before anybody is served: handoffd(8)."""
        return "ready" not in self.log() and re.match(r"libc\.|libconfuse\.", self.plan.caller())

    def stop(self):
        """In good order, its modules leaving as they are told; exit status 0."""
        self.be_patient()
        self.broker.expected_to_end = True
        self.broker.process.terminate()
        for module in self.modules.values():
            try:
                while True:
                    module.next()
            except (OSError, Closed, Silence):
                module.close()
        self.modules.clear()
        self.forget_operator()
        return self.broker.wait(HANG_SECONDS)

    def kill(self):
        for module in self.modules.values():
            module.close()
        self.modules.clear()
        self.forget_operator()
        if self.broker.is_running():
            self.broker.kill()

    # Connections

    def module(self, name):
        """The connection of this module; made when there is none."""
        if name not in self.modules:
            module = Module(self, name)
            try:
                module.hello(max_in_flight=100)
            except BaseException:
                module.close()
                raise
            self.modules[name] = module
        return self.modules[name]

    def forget(self, name):
        module = self.modules.pop(name, None)
        if module:
            module.close()

    def forget_operator(self):
        if self.operator:
            self.operator.close()
        self.operator = None

    def ask(self, line):
        """An operator's command; its JSON document."""
        if not self.operator:
            self.operator = Operator(os.path.join(self.broker.directory, "admin.sock"))
        self.operator.socket.settimeout(max(0.01, self.limit - time.monotonic()))
        try:
            code, body = self.operator.ask("json yes " + line)
        except (OSError, EOFError):
            self.forget_operator()
            raise
        if code == 70:              # what there was of an answer: a step of it got no memory
            raise Refused(line)
        return code, json.loads(body)

    # Rest

    def come_to_rest(self):
        """Brings all that was sent to its end, on the connections that are left and new ones."""
        self.be_patient()
        while True:
            try:
                while self.ledger.open_ones():
                    self._repeat_open_ones()
                    for name in ("BETA", "GAMMA"):
                        self.module(name).finish_all()
                self.audit()
                return
            except (OSError, EOFError, Closed) as problem:
                self._make_again(problem)

    def _make_again(self, problem):
        """A connection was lost, to the fault or its consequences: which, is not known."""
        if self.has_ended():
            raise Broken("ended while it came to rest")
        if time.monotonic() > self.limit:
            raise Broken("no rest: %r; open: %s" % (problem, self._open_ids()))
        for name in list(self.modules):
            self.forget(name)
        self.forget_operator()

    def _open_ids(self):
        return [batch.message["metadata"]["batch_id"] for batch in self.ledger.open_ones()]

    def _repeat_open_ones(self):
        for batch in self.ledger.open_ones():
            if time.monotonic() > self.limit:
                raise Broken("stuck: %s" % self._open_ids())
            source = self.module(batch.module)
            source.send_body(batch.body)
            answer = source.answer_to(batch.message)
            if answer.status != "REJECTED":
                continue
            if batch.is_dead:
                self.ask("dead redrive --all")
            elif batch.inputs and answer.code == "INT_BATCH_005":
                del self.ledger.batches[batch.message["metadata"]["batch_id"]]
            else:
                raise Broken("refused: %s" % answer.code)

    def audit(self):
        """Nothing in custody, and every batch accounted for."""
        code, answer = self.ask("audit")
        if code != 0 or not answer["balances"] or not answer["complete"]:
            raise Broken("the audit does not balance: %s" % answer)
        left = {route["route"]: route["in_custody"] + route["dead"] for route in answer["routes"]}
        if any(left.values()):
            raise Broken("something is left: %s" % left)

    def check_memory_of_ends(self):
        """Each batch that has ended is known to have, whoever asks, as after a restart."""
        self.be_patient()
        ended = self.ledger.ended_ones()
        for batch in ended:
            self.module(batch.module).send_body(batch.body)
        for batch in ended:
            answer = self.module(batch.module).answer_to(batch.message)
            if answer.status != "PROCESSED" or not answer.get("duplicate"):
                raise Broken("forgotten: %s" % batch.message["metadata"]["batch_id"])
        self.ledger.forget()
