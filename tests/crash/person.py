"""person.py - the operator of the crash test: looks at dead letters, redrives some, purges some.

What he is about to do is on the disk before he asks for it; and what he was told, after it: an
answer is a promise, too.
"""

import json
import os
import random
import time

from actor import SETTLE, WORK, Log
from control import Operator


class Person:
    def __init__(self, name, scene):
        self.name = name
        self.scene = scene
        self.chance = random.Random("%s %s" % (scene.seed, name))

    def run(self):
        self.log = Log(os.path.join(self.scene.directory, self.name + ".log"))
        while self.scene.phase.value == WORK:
            self.visit(self.work)
            time.sleep(self.chance.uniform(0.01, 0.1))
        while self.scene.phase.value == SETTLE and not self.visit(self.let_go):
            time.sleep(0.05)
        self.log.sync()

    def visit(self, do):
        """Does something at the operator's socket; whether it came to its end."""
        try:
            operator = Operator(self.scene.admin_socket)
        except OSError:
            return False
        try:
            do(operator)
            return True
        except (OSError, EOFError):
            return False
        finally:
            operator.close()

    def work(self, operator):
        letters = self.ask(operator, "dead list --limit 200")[1]["letters"]
        self.chance.shuffle(letters)
        for letter in letters[:4]:
            self.decide(operator, letter)
        if self.chance.random() < 0.2:
            self.ask(operator, "hold --state WAITING --max 5")
        self.let_go(operator)

    def let_go(self, operator):
        """Nothing may stay held when he is gone."""
        self.ask(operator, "release --all")
        self.ask(operator, "retry --all --max 5")

    def ask(self, operator, command):
        self.log.sync()
        code, body = operator.ask('json yes reason "crash test" ' + command)
        return code, json.loads(body)

    def decide(self, operator, letter):
        """Sources repeat what they sent: the id of a letter of theirs is not to be forgotten."""
        draw = self.chance.random()
        is_purgeable = letter["route"] != "alpha-beta" or letter["kind"] != "batch"
        if letter["kind"] != "partial" and draw < 0.5:
            self.change(operator, "redrive", "redriven", letter)
        elif is_purgeable and draw > 0.8:
            self.change(operator, "purge", "purged", letter)

    def change(self, operator, verb, done, letter):
        name = "--route %(route)s %(batch_id)s" % letter
        code, shown = self.ask(operator, "dead show " + name)
        if code != 0:
            return
        story = {"batch_id": letter["batch_id"], "route": letter["route"],
                 "kind": letter["kind"], "parent": shown["parent_batch_id"]}
        self.log.add(verb, **story)
        code, answer = self.ask(operator, "dead %s %s" % (verb, name))
        if code == 0 and answer[done] == 1:
            self.log.add(done, **story)
