"""test_signals.py - B24: signals that mean nothing do nothing, whenever they come.

The long run is for a build with sanitizers: HANDOFFD=build/san/handoffd HAZARDS=long.
"""

import signal
import time

from case import Case
from ctl import ADMIN

from beside import Load
from rounds import randomness, rounds

HARMLESS = [signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG,
            signal.SIGWINCH]
PER_SECOND = rounds(500, 170)


class Harmless(Case):
    time_limit_seconds = 3600

    def test_signals_at_random_moments_do_no_harm(self):
        random = randomness("signals")
        broker = self.start_broker(ADMIN, store_size="256M", history_size="1M")
        load = Load(broker, rounds(4, 600))
        sent = 0
        while load.is_running():
            broker.process.send_signal(random.choice(HARMLESS))
            sent += 1
            time.sleep(random.expovariate(PER_SECOND))
        figures = load.figures()
        print("%d signals, %d handoffs" % (sent, figures["handoffs"]))
        self.assertGreater(sent, 100)
        self.assertGreater(figures["handoffs"], 100)
        broker.stop()
