"""stages.py - the life of a broker in stages; in each, one experiment after the other.

An experiment arms the plan, does what the stage is, and judges how it ended: "went on", or by which
defined end. It raises Broken where a verdict is not empty. A stage is over at the first N whose
call was not reached.
"""

import os
import shutil
import time

import script
from handoff_client import Closed, Silence
from ledger import Refused
from life import HANG_SECONDS, MODULES, PATIENCE, Broken, Life
from plan import AT_LOCK, AT_ONCE

# What lasts is lifted after so long, and the broker has to recover.
LASTING_SECONDS = 0.3 * PATIENCE
# So many experiments that the broker survived, and it is started again from its store.
SURVIVALS = 25

# In mbedTLS 3.6 the callers of this free their transform, and not what is in it, when no memory
# can be had for a cipher.
LEAK = "mbedtls_ssl_tls13_populate_transform"
LEAK_BLOCKS = 3


class Stage:
    """One worker's experiments of one stage, in a directory of its own."""

    kinds = ()
    chunk = 40                      # experiments of one kind that follow each other

    def __init__(self, directory, authority, plan):
        self.directory = directory
        self.authority = authority
        self.plan = plan
        self.life = None

    def begin(self):
        """Makes ready for experiments."""

    def experiment(self, point):
        """How it ended."""
        raise NotImplementedError

    def end(self):
        """Judges what can be judged at the end only."""

    def log(self):
        return self.life.log()


class Start(Stage):
    """A start on no store, or on one with work in it: refused in words, or ready."""

    kinds = ("open", "fopen", "read", "pread", "mmap", "ftruncate", "posix_fallocate", "fcntl",
             "flock", "pwrite", "dsync", "redo", "writev", "log", "fsync", "fdatasync", "socket",
             "epoll_ctl", "memory", "getrandom", "clock")
    begins = AT_ONCE

    def begin(self):
        self.life = Life(self.directory, self.authority, self.plan)
        self.store = os.path.join(self.directory, "data")
        self.prepare()

    def prepare(self):
        self.expected = []

    def put_store(self):
        shutil.rmtree(self.store, ignore_errors=True)

    def experiment(self, point):
        self.put_store()
        self.plan.arm(point, self.begins)
        how = self.try_to_start()
        self.plan.disarm()
        if how != "went on" and not self.expected and not os.path.exists(self.store):
            return how              # as if it had never been started
        self.life.start()
        self.life.be_patient()
        code, answer = self.life.ask("audit")
        found = sorted(batch["batch_id"] for batch in self.life.ask("batches")[1]["batches"])
        if code != 0 or not answer["balances"] or found != self.expected:
            raise Broken("after the fault the store has %s, %s" % (found, answer))
        if self.life.stop() != 0:
            raise Broken("the broker did not stop in order")
        return how

    def try_to_start(self):
        broker = self.life.broker
        broker.spawn()
        if not self.is_ready():
            return self.life.check_end()
        broker.process.terminate()
        return "went on" if broker.wait(HANG_SECONDS) == 0 else self.life.check_end()

    def is_ready(self):
        """Whether an operator is answered, who asks again and again: what lasts is lifted."""
        began = time.monotonic()
        while not self.life.has_ended(0.001):
            if os.path.exists(os.path.join(self.directory, "admin.sock")) and self.answers():
                return True
            if time.monotonic() > began + LASTING_SECONDS:
                self.plan.disarm()
            if time.monotonic() > began + HANG_SECONDS:
                raise Broken("neither ready nor ended")
        return False

    def answers(self):
        self.life.be_patient(LASTING_SECONDS)
        try:
            return self.life.ask("version")[0] == 0
        except (OSError, EOFError, Refused):
            return False
        finally:
            self.life.forget_operator()

    def end(self):
        self.life.kill()


class Restart(Start):
    """The same with a store in which batches wait, one is dead and one has ended: its broker was
    killed, and the redo log has most of it.

    From the store's lock on: what comes before has been seen to.
    """

    begins = AT_LOCK

    def prepare(self):
        life = self.life
        life.start()
        life.be_patient()
        batches = [script.hand_over(life) for _ in range(6)]
        script.finish(life, "BETA", batches[0])
        target = life.module("BETA")
        target.reject(target.delivery(batches[1]), "PERMANENT")
        life.kill()
        self.expected = sorted(batch["metadata"]["batch_id"] for batch in batches[1:])
        self.kept = self.store + ".kept"
        os.rename(self.store, self.kept)

    def put_store(self):
        """A sparse copy: a store is as large as it will ever be, and nearly empty."""
        shutil.rmtree(self.store, ignore_errors=True)
        os.mkdir(self.store, 0o700)
        for name in ("custody.mdb", "custody.mdb-lock", "custody.redo"):
            copy_sparse(os.path.join(self.kept, name), os.path.join(self.store, name))


class Emptied(Restart):
    """The same of a broker that was stopped, whose redo log a person has emptied."""

    kinds = ("open", "pread", "pwrite", "dsync", "redo", "writev", "fsync", "fdatasync")

    def prepare(self):
        super().prepare()
        os.rename(self.kept, self.store)
        self.life.start()
        self.life.stop()
        os.rename(self.store, self.kept)
        os.truncate(os.path.join(self.kept, "custody.redo"), 0)


def copy_sparse(source, target):
    with open(source, "rb") as old, open(target, "wb") as new:
        size = os.fstat(old.fileno()).st_size
        while chunk := old.read(65536):
            if chunk.count(0) == len(chunk):
                new.seek(len(chunk), os.SEEK_CUR)
            else:
                new.write(chunk)
        new.truncate(size)


class Handshake(Stage):
    """A module connects and says HELLO: it is welcome, or its connection ends, and no more."""

    kinds = ("accept4", "recv", "send", "epoll_wait", "epoll_ctl", "memory", "getrandom", "log",
             "clock", "monotonic")
    chunk = 400

    def begin(self):
        self.life = Life(self.directory, self.authority, self.plan)
        self.start()

    def start(self):
        """Blocks of memory are counted when all that is made once has been made."""
        self.life.start()
        self.is_sanitized = self.life.broker.is_sanitized()
        self.life.be_patient()
        for _ in range(2):
            self.life.module("ALPHA")
            self.life.forget("ALPHA")
            self.life.is_alive()
            self.life.forget_operator()
            self.blocks = self.settled_blocks()

    def settled_blocks(self):
        """What is left when the broker has seen that all connections are gone."""
        blocks, since = self.plan.blocks, time.monotonic()
        while time.monotonic() < since + 0.05 * PATIENCE:
            if self.plan.blocks != blocks:
                blocks, since = self.plan.blocks, time.monotonic()
            time.sleep(0.002)
        return blocks

    def experiment(self, point):
        life = self.life
        life.be_patient(LASTING_SECONDS if point and point.forever else HANG_SECONDS)
        self.plan.arm(point)
        trouble = None
        try:
            life.module("ALPHA")
        except (TimeoutError, Silence) as silence:
            if not point.forever:
                raise Broken("silence: %s" % silence) from None
            trouble = silence
        except (OSError, Closed) as loss:
            trouble = loss
        self.plan.disarm()
        life.forget("ALPHA")
        if trouble and not life.is_alive():
            how = life.check_end()
            life.kill()
            self.start()
            return how
        life.forget_operator()
        if self.has_leaked():
            return "went on, disturbed; mbedTLS leaked"
        return "went on, disturbed" if trouble else "went on"

    def has_leaked(self):
        """Not at all; or no more than mbedTLS does, which has its reason."""
        deadline = time.monotonic() + HANG_SECONDS / 5
        while self.plan.blocks > self.blocks and not self.is_sanitized:
            if time.monotonic() > deadline:
                leaked = self.plan.blocks - self.blocks
                functions = self.plan.functions(self.life.broker.program)
                if leaked > LEAK_BLOCKS or LEAK not in functions:
                    raise Broken("%d blocks of memory leaked" % leaked)
                self.blocks = self.plan.blocks
                return True
            time.sleep(0.0005)
        return False

    def end(self):
        self.life.kill()


class Work(Stage):
    """The script, on connections that are there."""

    kinds = ("pwrite", "dsync", "redo", "writev", "fdatasync", "recv", "send", "epoll_wait",
             "memory", "log", "clock", "monotonic")

    def begin(self):
        """One life without a fault shows what is left of memory at the end of any."""
        self.life = Life(self.directory, self.authority, self.plan)
        self.survived = []
        self.blocks = None
        self.life.start()
        self.is_sanitized = self.life.broker.is_sanitized()
        self.connect()
        script.run(self.life)
        self.stop_and_count()
        self.life.ledger.forget()
        self.life.start()

    def connect(self):
        self.life.be_patient()
        for name in MODULES:
            self.life.module(name)

    def experiment(self, point):
        life = self.life
        self.connect()
        for module in life.modules.values():
            module.forget_unread()
        life.be_patient(LASTING_SECONDS if point and point.forever else HANG_SECONDS)
        self.plan.arm(point)
        trouble = None
        try:
            script.run(life)
        except (Silence, TimeoutError) as silence:
            if not point.forever:
                raise Broken("silence: %s" % silence) from None
            trouble = silence
        except (OSError, EOFError, Closed, Refused) as loss:
            trouble = loss
        self.plan.disarm()
        if trouble and not life.is_alive():
            how = life.check_end()
            life.kill()
            life.start()
            self.survived.clear()
        else:
            how = "went on" if not trouble else "went on, disturbed"
            self.survived.append(str(point))
        life.come_to_rest()
        if len(self.survived) >= SURVIVALS:
            self.start_again()
        return how

    def start_again(self):
        """Stopped, which shows what leaked, or killed; what has ended is known all the same."""
        if len(self.life.ledger.ended_ones()) % 2:
            self.life.kill()
        else:
            self.stop_and_count()
        self.life.start()
        self.life.check_memory_of_ends()
        self.survived.clear()

    def stop_and_count(self):
        """What the broker leaves when it ends in order is the same each time, to the block.

        A sanitizer has blocks of its own, and looks for leaks itself.
        """
        if self.life.stop() != 0:
            raise Broken("the broker did not stop in order; survived: %s" % self.survived)
        if self.blocks is None:
            self.blocks = self.plan.blocks
        if self.plan.blocks > self.blocks and not self.is_sanitized:
            raise Broken("%d blocks of memory leaked by: %s"
                         % (self.plan.blocks - self.blocks, self.survived))

    def end(self):
        self.start_again()
        self.life.stop()


class Stop(Stage):
    """SIGTERM, with modules that leave as they are told and a batch that waits."""

    kinds = ("read", "pwrite", "dsync", "redo", "writev", "fdatasync", "recv", "send",
             "epoll_wait", "epoll_ctl", "memory", "log", "clock", "monotonic")

    def begin(self):
        self.life = Life(self.directory, self.authority, self.plan)
        self.life.start()

    def experiment(self, point):
        life = self.life
        life.be_patient()
        for name in MODULES:
            life.module(name)
        script.hand_over(life)
        self.plan.arm(point)
        how = "went on" if life.stop() == 0 else life.check_end()
        self.plan.disarm()
        life.start()
        life.come_to_rest()
        return how

    def end(self):
        self.life.kill()


STAGES = {stage.__name__.lower(): stage
          for stage in (Start, Restart, Emptied, Handshake, Work, Stop)}
