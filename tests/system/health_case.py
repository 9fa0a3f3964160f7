"""health_case.py - what the tests of health checks share: settings, and a module that looks on."""

import time

from case import Case

INTERVAL_MS, TIMEOUT_MS = 100, 300
QUICK = {"health_check_interval_ms": INTERVAL_MS, "health_check_timeout_ms": TIMEOUT_MS}
# A check that has just been answered is followed by the next one after this time.
SLOW = {"health_check_interval_ms": 600000, "health_check_timeout_ms": 600000}


class Health(Case):
    def components(self, answer):
        return {c["component_name"]: c for c in answer["checks"]}

    def statuses(self, answer):
        return {name: c["status"] for name, c in self.components(answer).items()}

    def module_health(self, module, observer):
        return observer.ask_health()["pipeline"]["module_statuses"][module]

    def wait_for(self, observer, module, status, seconds=10.0):
        """Asks until the module has this status, while the observer itself answers; its health."""
        deadline = time.monotonic() + seconds
        while True:
            health = self.module_health(module, observer)
            self.answer_all(observer)
            if health["status"] == status:
                return health
            self.assertLess(time.monotonic(), deadline, health)

    def answer_all(self, *clients):
        for client in clients:
            while client.checks:
                client.answer_check(client.checks.pop(0))
