"""test_order.py - what leaves when: behind what makes it durable, and no peer's bytes for too long.

As the system calls tell.
"""

import os
import re

from case import Case

BATCHES = 20
BATCH_BYTES = 20000
DURABLE = "openat,close,pwrite64,writev,fdatasync,sendto,recvfrom"
TURNS = "epoll_wait,sendto"
LONG_BYTES = 7 * 1024 * 1024
SHARE_BYTES = 1024 * 1024           # of one peer, a turn; what is gathered to be sent comes to it
GATHERED_BYTES = 256 * 1024


class Order(Case):
    def trace(self, broker, traced):
        """The broker is started under strace, which stays in the background (-D)."""
        path = os.path.join(broker.directory, "traced-handoffd")
        calls = os.path.join(broker.directory, "calls")
        with open(path, "w") as file:
            file.write('#!/bin/sh\nexec strace -f -D -e trace=%s -s 0 -o "%s" "%s" "$@"\n'
                       % (traced, calls, broker.program))
        os.chmod(path, 0o755)
        broker.program = path
        return calls

    def traced_broker(self, traced, **settings):
        """With the file that its calls go to. Who is traced cannot look for leaks."""
        broker = self.new_broker(environment={
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}, **settings)
        calls = self.trace(broker, traced)
        broker.start()
        return broker, calls

    def test_a_long_delivery_leaves_in_shares_and_others_have_their_turns_between(self):
        broker, calls = self.traced_broker(TURNS, store_size="128M", max_frame_bytes="8M",
                                           stage_reserve="16M")
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        alpha.hand_over(count=1, size=LONG_BYTES)
        beta.finish(beta.delivery())
        broker.stop()
        turns = list(self.sent_in_turns(calls))
        self.assertGreater(sum(turns), LONG_BYTES)
        self.assertLess(max(turns), SHARE_BYTES + 2 * GATHERED_BYTES)

    def sent_in_turns(self, path):
        """How many bytes were sent between one look at who is ready and the next."""
        sent = 0
        with open(path) as file:
            for line in file:
                found = re.search(r"(epoll_wait|sendto)\(.*= (\d+)", line)
                if found and found[1] == "sendto":
                    sent += int(found[2])
                elif found:
                    yield sent
                    sent = 0

    def test_no_received_leaves_before_the_log_or_the_flush_and_the_meta_page(self):
        """Protocol.md 6.1."""
        broker, calls = self.traced_broker(DURABLE)
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
