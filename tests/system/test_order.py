"""test_order.py - RECEIVED leaves after what makes it durable, as the system calls tell."""

import os
import re

from case import Case

BATCHES = 20
BATCH_BYTES = 20000
TRACED = "openat,close,pwrite64,writev,fdatasync,sendto,recvfrom"


class Order(Case):
    def trace(self, broker):
        """The broker is started under strace, which stays in the background (-D)."""
        path = os.path.join(broker.directory, "traced-handoffd")
        calls = os.path.join(broker.directory, "calls")
        with open(path, "w") as file:
            file.write('#!/bin/sh\nexec strace -f -D -e trace=%s -s 0 -o "%s" "%s" "$@"\n'
                       % (TRACED, calls, broker.program))
        os.chmod(path, 0o755)
        broker.program = path
        return calls

    def test_no_received_leaves_before_the_log_or_the_flush_and_the_meta_page(self):
        """Protocol.md 6.1."""
        # who is traced cannot look for leaks
        broker = self.new_broker(environment={
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        calls = self.trace(broker)
        broker.start()
        alpha = self.module(broker, "ALPHA")
        for _ in range(BATCHES):
            alpha.hand_over(size=BATCH_BYTES)
        broker.stop()
        answers = list(self.answers(calls))
        self.assertEqual(len(answers), BATCHES)
        for done in answers:
            self.assertRegex(done, "^log$|pages.*flush.*meta$")

    def answers(self, path):
        """What was done to the store between the bytes of a batch and the next that was sent."""
        synced, taken, done = {}, 0, []
        with open(path) as file:
            lines = file.readlines()
        for line in lines:
            found = re.match(r"(?:\d+ +)?(\w+)\((\w+).*= (-?\d+)", line)
            if not found:
                continue
            call, handle, result = found[1], found[2], int(found[3])
            if call == "openat" and "O_DSYNC" in line:
                synced[str(result)] = "log" if "custody.redo" in line else "meta"
            elif call == "close":
                synced.pop(handle, None)
            elif call == "recvfrom" and result > 0:
                taken += result
                done = []
            elif call == "fdatasync":
                done.append("flush")
            elif call in ("pwrite64", "writev"):
                done.append(synced.get(handle, "pages"))
            elif call == "sendto":
                if taken > BATCH_BYTES:
                    yield " ".join(done)
                taken, done = 0, []
