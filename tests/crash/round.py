"""round.py - one round of the crash test: a broker with a fresh store, its modules, a referee, a verdict.

Sources, their echo, stages, sinks and an operator work while the referee ends one life of the broker
after the other. Then no new work comes, until nothing is in custody; all leave; the admin socket
lists what is left; and the oracle judges.
"""

import base64
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time

import actor
import actors
import oracle
from actor import messages
from broker import Broker
from certificates import Authority
from ctl import ADMIN, Ctl
from person import Person
from referee import Failure, Referee

# Backoff and reclaim are short, so that what a kill leaves behind is quiet soon: the bound of
# liveness. Named in the verdict "not live".
REST_SECONDS = 40 * actor.PATIENCE_SECONDS / 8
ROUTE = """route "%%s" { retry_delay_ms = 20 max_retries = %d backoff_multiplier = 1.0
    confirm_timeout_ms = 3600000 }
""" % actors.MAX_RETRIES
SETTINGS = ADMIN + ROUTE % "alpha-beta" + ROUTE % "beta-gamma"
CAST = (("source-1", actors.Source), ("source-2", actors.Source), ("echo", actors.Echo),
        ("stage-1", actors.Stage), ("stage-2", actors.Stage), ("sink-1", actors.Sink),
        ("sink-2", actors.Sink))
COUNTED = (("connected", "connections made by the modules"),
           ("sent", "batches sent, by sources and stages"),
           ("repeated", "batches repeated"),
           ("acked", "answers that speak of custody"),
           ("refused", "refusals, all of them expected or judged below"),
           ("delivered", "deliveries to stages and sinks"),
           ("rejected", "rejected by their target"),
           ("effect", "effects at the sinks"),
           ("confirmed", "batches confirmed in full"),
           ("redriven", "dead letters redriven"),
           ("purged", "dead letters purged"),
           ("died", "modules lost with what they held"),
           ("audit", "audits, at each start"))


class Round:
    def __init__(self, kills, seed):
        self.kills = kills
        self.seed = seed
        self.deaths = seed % 2 == 1     # in the other half every attempt has to be explained
        self.failure = None
        self.listing = None
        self.verdicts = []
        self.rows = []                  # (name, number, meaning)
        self.points = {}                # named point -> deaths at it

    def play(self):
        self.directory = tempfile.mkdtemp(prefix="handoff-crash-")
        logs = self.path("logs")
        for directory in (logs, self.path("logs/effects"), self.path("logs/echo"),
                          self.path("broker")):
            os.mkdir(directory)
        authority = Authority(self.path("authority"))
        for _, role in CAST:
            authority.module(role.module)
        self.broker = Broker(self.path("broker"), authority, SETTINGS, store_size="256M")
        phase = multiprocessing.Value("i", actor.WORK)
        scene = actor.Scene(self.broker, authority, logs, self.seed, self.deaths, phase)
        self.processes = []
        began = time.monotonic()
        try:
            self.run(scene, Referee(self.broker, logs, random.Random(self.seed)))
        except (Failure, AssertionError, OSError) as problem:
            self.failure = str(problem) or repr(problem)
        finally:
            for process in self.processes:
                process.kill()
            if self.broker.is_running():
                self.broker.kill()
        self.rows.append(("seconds", round(time.monotonic() - began), "that it took"))
        self.keep_or_remove()
        return self

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, scene, referee):
        referee.die_while_created()
        self.start_modules(scene)
        while referee.kills < self.kills:
            referee.live_once()
        referee.start()
        scene.phase.value = actor.SETTLE
        referee.wait_until_quiet(REST_SECONDS)
        scene.phase.value = actor.LEAVE
        self.join(scene)
        referee.audit()
        self.listing = self.list()
        self.broker.stop()
        referee.finish()
        self.failure = self.broker.trouble()
        self.judge(referee)

    def start_modules(self, scene):
        for name, role in CAST + (("person", None),):
            one = role(name, scene) if role else Person(scene)
            self.processes.append(multiprocessing.Process(target=one.run, name=name))
            self.processes[-1].start()

    def join(self, scene):
        deadline = time.monotonic() + REST_SECONDS / 2
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))
        scene.phase.value = actor.GO
        for process in self.processes:
            process.join(10)
            if process.exitcode != 0:
                raise Failure("%s ended with %s" % (process.name, process.exitcode))

    def list(self):
        ctl = Ctl(self.broker)
        letters = [letter_of(json.loads(line)) for line in
                   ctl.run("dead", "export", "--all").output.splitlines()]
        batches = [batch for batch in ctl.ask("batches")["batches"] if batch["state"] != "DEAD"]
        awaited = json.loads(ctl.run("--json", "confirmations").text)["confirmations"]
        return oracle.Listing(letters, batches, awaited, actors.MAX_RETRIES + 1)

    # What came of it

    def judge(self, referee):
        logs = read_logs(self.path("logs"))
        self.verdicts = oracle.judge(logs, self.listing)
        self.points = dict(referee.points)
        kinds = [event["event"] for events in logs.values() for event in events]
        self.rows = [("kills", referee.kills, "of the broker, by SIGKILL")]
        self.rows += [("", number, how) for how, number in sorted(referee.counts.items())]
        self.rows += [(name, kinds.count(name), meaning) for name, meaning in COUNTED]
        self.rows.append(("dead", len(self.listing.letters), "letters left at the end"))

    def is_clean(self):
        return not self.failure and not any(len(verdict) for verdict in self.verdicts)

    def keep_or_remove(self):
        if self.is_clean():
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        with open(self.path("listing.json"), "w") as file:
            json.dump(vars(self.listing) if self.listing else None, file, indent=1)
        with open(self.path("broker.log"), "w") as file:
            file.write(self.broker.log())

    def complaints(self):
        if not self.is_clean():
            yield "seed %d, logs in %s" % (self.seed, self.directory)
        if self.failure:
            yield "failed: %s" % self.failure[:2000]
        for verdict in self.verdicts:
            if len(verdict):
                yield "%s: %s" % (verdict.name, ", ".join(verdict.culprits[:5]))


def letter_of(line):
    """An exported letter, as the oracle wants it."""
    body = base64.b64decode(line["frame"])
    return {"batch_id": line["batch_id"], "route": line["route"], "kind": line["kind"],
            "parent": line.get("parent"), "code": line["code"],
            "digest": hashlib.sha256(body).hexdigest(),
            "records": messages.record_ids(messages.decode(body))}


def read_logs(directory):
    logs = {}
    for name in os.listdir(directory):
        if name.endswith(".log"):
            with open(os.path.join(directory, name)) as file:
                logs[name[:-4]] = [json.loads(line) for line in file]
    return logs
