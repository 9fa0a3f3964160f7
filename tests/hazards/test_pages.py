"""test_pages.py - B3: nobody who looks pins pages. B4: large values that come and go fit."""

import os
import shutil
import subprocess
import tempfile

from case import Case
from ctl import ADMIN, Ctl

from beside import BUILD, Load, Repeated
import lmdb_file
from rounds import SEED, rounds

CHURN = os.path.join(BUILD, "churn")
QUESTIONS = (("batches",), ("journal",), ("dead", "list"), ("shape",), ("clients", "--all"),
             ("status",), ("explain", "nobody"), ("audit",))


class Readers(Case):
    """A reader that outlives its turn keeps all pages that are freed after it."""

    time_limit_seconds = 4000

    def test_who_lists_under_load_pins_nothing(self):
        broker = self.start_broker(ADMIN, history_size="256K", outcome_retention="1s",
                                   dedupe_minimum="0s", store_size="256M")
        path = os.path.join(broker.directory, "data", "custody.mdb")
        ctl = Ctl(broker)
        # Something to list, which takes several turns.
        beta = self.module(broker, "BETA", 0)
        for _ in range(500):
            beta.send(beta.batch())
        beta.barrier()
        asked = iter(QUESTIONS * 10 ** 6)
        askers = [Repeated(lambda: ctl.run(*next(asked))) for _ in range(2)]
        Load(broker, rounds(4, 60), size=4000).figures()
        warm = lmdb_file.last_page(path)
        load = Load(broker, rounds(6, 3000), size=4000)
        figures = load.figures()
        questions = sum(asker.stop() for asker in askers)
        grown = lmdb_file.last_page(path) - warm
        print("%d handoffs, %d questions: %d pages, and %d more"
              % (figures["handoffs"], questions, warm, grown))
        self.assertGreater(questions, 10)
        # What one more large turn may need; a pinned reader costs pages by the thousand.
        self.assertLess(grown, 64)


class Churn(Case):
    time_limit_seconds = 36000

    def churn(self, transactions, live_mib, most_kib):
        """In memory where it can be: what is counted is pages and processor time."""
        shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
        store = tempfile.mkdtemp(prefix="handoff-churn-", dir=shm)
        self.addCleanup(shutil.rmtree, store, ignore_errors=True)
        done = subprocess.run(
            [CHURN, store, str(SEED), str(transactions), str(live_mib), str(most_kib)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print("up to %d KiB: %s" % (most_kib, done.stdout))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_values_of_all_sizes_leave_the_file_near_what_lives_in_it(self):
        self.churn(rounds(3000, 1_000_000), 64, 354)

    def test_the_largest_values_too_where_they_are_a_small_part_of_the_store(self):
        self.churn(rounds(400, 20_000), 384, 8192)
