"""round.py - a round: a broker with a fresh store, its modules, a referee who kills it, a verdict.

Sources, their echo, stages, sinks and an operator work while the referee ends one life of the
broker after the other. Then no new work comes, until nothing is in custody; all leave; the admin
socket lists what is left; and the oracle judges.
"""

import base64
import hashlib
import json
import multiprocessing
import os

import actor
import actors
import oracle
from actor import messages
from broker import Broker
from ctl import ADMIN, Ctl
from person import Person
from play import REST_SECONDS, Failure, Play
from referee import Referee

ROUTE = """route "%%s" { retry_delay_ms = 20 max_retries = %d backoff_multiplier = 1.0
    confirm_timeout_ms = 3600000 }
""" % actors.MAX_RETRIES
CIRCUITS = "circuit_failure_threshold = 3\ncircuit_reset_timeout_ms = 100\n"
SETTINGS = CIRCUITS + ADMIN + ROUTE % "alpha-beta" + ROUTE % "beta-gamma"
CAST = (("source-1", actors.Source), ("source-2", actors.Source), ("echo", actors.Echo),
        ("stage-1", actors.Stage), ("stage-2", actors.Stage), ("sink-1", actors.Sink),
        ("sink-2", actors.Sink), ("person", Person))
COUNTED = (("connected", "connections made by the modules"),
           ("sent", "batches sent, by sources and stages"),
           ("repeated", "batches repeated"),
           ("acked", "answers that speak of custody"),
           ("refused", "refusals, each judged below"),
           ("delivered", "deliveries to stages and sinks"),
           ("rejected", "deliveries rejected"),
           ("effect", "effects at the sinks"),
           ("confirmed", "batches confirmed in full"),
           ("circuit", "changes of circuits that modules heard"),
           ("complained", "errors told by targets"),
           ("warned", "messages with errors that sources heard"),
           ("redriven", "dead letters redriven"),
           ("purged", "dead letters purged"),
           ("died", "modules lost with what they held"),
           ("audit", "audits, one at each start that came so far"))


class Round(Play):
    command = "tests/crash/run"

    def __init__(self, kills, seed):
        super().__init__(kills, seed)
        self.deaths = seed % 2 == 1     # in the other half every attempt has to be explained
        self.processes = []

    def play_in(self, authority):
        for name in ("logs", "logs/effects", "logs/echo"):
            os.mkdir(self.path(name))
        for module in ("ALPHA", "BETA", "GAMMA"):
            authority.module(module)
        # as small as a store may be: its redo log is full after 256 turns
        self.broker = Broker(self.path("broker"), authority, SETTINGS, store_size="64M")
        phase = multiprocessing.Value("i", actor.WORK)
        scene = actor.Scene(self.broker, authority, self.path("logs"), self.seed, self.deaths,
                            phase)
        referee = Referee(self.broker, self.path("logs"), self.chance)
        referee.die_while_created()
        self.start_modules(scene)
        while referee.kills < self.kills:
            referee.live_once()
        referee.die_at_the_rest()
        listing = self.come_to_rest(scene, referee)
        self.failure = self.broker.trouble()
        self.judge(referee, listing)

    def start_modules(self, scene):
        for name, role in CAST:
            process = multiprocessing.Process(target=role(name, scene).run, name=name)
            process.start()
            self.processes.append(process)

    def come_to_rest(self, scene, referee):
        """All is delivered, all is told, all leave; what the admin socket lists then."""
        referee.start()
        scene.phase.value = actor.SETTLE
        referee.wait_until_quiet(REST_SECONDS)
        scene.phase.value = actor.LEAVE
        for process in self.processes:
            process.join(REST_SECONDS)
        scene.phase.value = actor.GO
        for process in self.processes:
            process.join(10)
            if process.exitcode != 0:
                raise Failure("%s ended with %s" % (process.name, process.exitcode))
        referee.audit()
        listing = self.list()
        self.broker.stop()
        referee.log.sync()
        return listing

    def list(self):
        ctl = Ctl(self.broker)
        letters = [letter_of(json.loads(line)) for line in
                   ctl.run("dead", "export", "--all").output.splitlines()]
        batches = [batch for batch in ctl.ask("batches")["batches"] if batch["state"] != "DEAD"]
        awaited = json.loads(ctl.run("--json", "confirmations").text)["confirmations"]
        listing = oracle.Listing(letters, batches, awaited, actors.MAX_RETRIES + 1)
        with open(self.path("listing.json"), "w") as file:
            json.dump(vars(listing), file, indent=1)
        return listing

    def judge(self, referee, listing):
        logs = read_logs(self.path("logs"))
        self.verdicts = oracle.judge(logs, listing)
        self.points = dict(referee.points)
        kinds = [event["event"] for events in logs.values() for event in events]
        self.rows = [("kills", referee.kills, "of the broker, by SIGKILL")]
        self.rows += [("", number, how) for how, number in sorted(referee.counts.items())]
        self.rows += [(name, kinds.count(name), meaning) for name, meaning in COUNTED]
        self.rows.append(("dead", len(listing.letters), "letters left at the end"))

    def end_all(self):
        for process in self.processes:
            process.kill()
        super().end_all()


def letter_of(line):
    """An exported letter, as the oracle wants it."""
    body = base64.b64decode(line["frame"])
    return {"batch_id": line["batch_id"], "route": line["route"], "kind": line["kind"],
            "parent": line["parent"], "code": line["code"],
            "digest": hashlib.sha256(body).hexdigest(),
            "records": messages.record_ids(messages.decode(body))}


def read_logs(directory):
    logs = {}
    for name in os.listdir(directory):
        if name.endswith(".log"):
            with open(os.path.join(directory, name)) as file:
                logs[name[:-4]] = [json.loads(line) for line in file]
    return logs
