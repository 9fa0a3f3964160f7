"""look_case.py - what the tests of the looking commands share: a broker with an operator."""

import os

from case import Case
from ctl import ADMIN, Ctl


def damage(broker, marker):
    """Turns a byte of what the stopped broker stored, wherever it stands."""
    found = 0
    for directory, _, names in os.walk(os.path.join(broker.directory, "data")):
        for name in names:
            with open(os.path.join(directory, name), "r+b") as file:
                content = file.read()
                place = content.find(marker)
                while place >= 0:
                    file.seek(place + 5)
                    file.write(b"#")
                    found += 1
                    place = content.find(marker, place + 1)
    assert found > 0, "nothing to damage"


class LookCase(Case):
    settings = ""
    top_level = {}

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(ADMIN + self.settings, **self.top_level)
        self.ctl = Ctl(self.broker)
        self.alpha = self.module(self.broker, "ALPHA", 0, instance_id="a1")

    def beta(self, max_in_flight=10, instance_id="b1"):
        return self.module(self.broker, "BETA", max_in_flight, instance_id=instance_id)

    def explain(self, batch, *more):
        """The story of a batch, whose states programs and people have to be told alike."""
        batch_id = batch if isinstance(batch, str) else batch["metadata"]["batch_id"]
        story = self.ctl.ask("explain", batch_id, *more)
        self.assertEqual(story["batch_id"], batch_id)
        text = self.ctl.say("explain", batch_id, *more)
        for name in ("state", "reason"):
            if name in story:
                self.assertRegex(text, r"(?m)^%s +%s$" % (name, story[name]))
        self.assertRegex(text, r"(?m)^next +\S")
        for command in story.get("do", []):
            self.assertIn("  - %s\n" % command, text)
        return story

    def assert_state(self, batch, state, reason):
        story = self.explain(batch)
        self.assertEqual((story["state"], story["reason"]), (state, reason), story)
        return story

    def events(self, story):
        return [line["event"] for line in story["story"]]

    def event(self, story, name):
        """The last line of the story with this event."""
        return [line for line in story["story"] if line["event"] == name][-1]

    def let_the_broker_notice(self):
        """What was sent or closed before a whole session took place has been handled."""
        self.module(self.broker, "EPSILON").barrier()
