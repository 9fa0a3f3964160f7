"""test_rights.py - who may say what, to whom, in whose name: reliability A9 and C5.

Five identities, each with five names in the header, five targets and all message types; each cell
passes or is refused as the table here says, and each refused one leaves one line in the log.
"""

import time

from handoff_client import Client, tls_context
from stranger_case import PATIENCE_SECONDS, SCALE, StrangerCase, authority, figure, messages

MODULES = ["ALPHA", "BETA", "GAMMA", "EPSILON", "PHI"]
ROUTES = {("ALPHA", "BETA"): "alpha-beta", ("BETA", "GAMMA"): "beta-gamma"}
TYPES = ["HELLO", "WELCOME", "GOODBYE", "BATCH_TRANSFER", "ACKNOWLEDGMENT",
         "DELIVERY_CONFIRMATION", "BACKPRESSURE", "ERROR_NOTIFICATION", "CIRCUIT_STATE_CHANGE",
         "HEALTH_CHECK_REQUEST", "HEALTH_CHECK_RESPONSE", "CACHE_ACCESS_REQUEST",
         "CACHE_ACCESS_RESPONSE", "CACHE_WARM_UP_REQUEST", "JOB_CONTROL_REQUEST",
         "JOB_STATUS_UPDATE", "DEPENDENCY_SIGNAL", "SCHEDULE_NOTIFICATION"]

# What each may say for itself; the route in it is always alpha-beta, the confirmed batch always
# one of beta-gamma. Anybody may leave, tell of errors, and ask for and tell of health.
ALWAYS = {"GOODBYE", "ERROR_NOTIFICATION", "HEALTH_CHECK_REQUEST", "HEALTH_CHECK_RESPONSE"}
ALONE = {"ACKNOWLEDGMENT": "BETA", "BACKPRESSURE": "BETA", "DELIVERY_CONFIRMATION": "GAMMA"}
REFUSED_WITH = {"ACKNOWLEDGMENT": "INT_DELIVERY_005", "BACKPRESSURE": "INT_ROUTE_001",
                "DELIVERY_CONFIRMATION": "INT_PROTOCOL_005", "BATCH_TRANSFER": "INT_ROUTE_001"}
# Accepted in silence.
SILENT = {"BACKPRESSURE", "ERROR_NOTIFICATION", "DELIVERY_CONFIRMATION", "HEALTH_CHECK_RESPONSE"}


def refusal_of(identity, source, target, message_type):
    """The code that this cell is refused with, None where it passes."""
    if source != identity:
        return "INT_AUTH_002"
    if message_type in ALWAYS or ALONE.get(message_type) == identity:
        return None
    if message_type == "BATCH_TRANSFER" and (source, target) in ROUTES:
        return None
    return REFUSED_WITH.get(message_type, "INT_PROTOCOL_004")


class Rights(StrangerCase):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.contexts = {name: tls_context(authority().module(name)) for name in MODULES}
        self.alpha, self.beta, self.gamma = (
            self.module(self.broker, name, 1000) for name in ("ALPHA", "BETA", "GAMMA"))
        self.held = self.beta.delivery(self.alpha.hand_over())
        self.output = self.gamma.delivery(self.beta.hand_over())
        self.refused_cells = 0
        self.refused = 0            # messages, and so lines that are due: barriers as well
        self.refused_batches = 0
        self.taken = []             # batches that passed

    def join(self, identity):
        client = Client(self.broker.address, None, identity, context=self.contexts[identity])
        self.clients.append(client)
        client.hello(0)
        return client

    def leave(self, client):
        self.clients.remove(client)
        client.close()

    def message(self, identity, source, target, message_type):
        """A right message but for who says it to whom."""
        header = messages.header(source, message_type, target)
        if message_type == "HELLO":
            return {**messages.hello(source, "again"), "header": header}
        if message_type == "GOODBYE":
            return {**messages.goodbye(source), "header": header}
        if message_type == "BATCH_TRANSFER":
            return {**messages.batch(source, target, **messages.SUMMARIES["ALPHA", "BETA"]),
                    **messages.SUMMARIES["BETA", "GAMMA"], "header": header}
        if message_type == "ACKNOWLEDGMENT":
            delivery = self.held
            if refusal_of(identity, source, target, message_type) is None:
                delivery = self.beta.delivery(self.alpha.hand_over())
            return {**messages.acknowledgment(source, delivery.batch_id, delivery.lease,
                                              "PROCESSED", 3), "header": header}
        if message_type == "DELIVERY_CONFIRMATION":
            return {**messages.confirmation(
                source, self.output.batch_id, [messages.delivery_result(record)
                                               for record in messages.record_ids(self.output)]),
                    "header": header}
        if message_type == "BACKPRESSURE":
            return {**messages.backpressure(source, "DEACTIVATE", "alpha-beta"), "header": header}
        if message_type == "ERROR_NOTIFICATION":
            return {"header": header, "errors": [messages.error(source)], "action_required": "NONE"}
        if message_type == "HEALTH_CHECK_REQUEST":
            return {**messages.health_request(source), "header": header}
        if message_type == "HEALTH_CHECK_RESPONSE":
            return {**messages.health_response(source), "header": header}
        return {"header": header}

    def try_cell(self, client, source, target, message_type):
        """Says it; whether the connection goes on."""
        due = refusal_of(client.module, source, target, message_type)
        where = "%s as %s to %s: %s" % (client.module, source, target, message_type)
        message = client.send(self.message(client.module, source, target, message_type))
        if due:
            answer = client.answer_to(message)
            self.assertEqual(answer.code, due, where)
            self.refused_cells += 1
            if message_type == "BATCH_TRANSFER" and due != "INT_AUTH_002":
                self.refused_batches += 1
            else:
                self.refused += 1
        elif message_type in SILENT:
            client.tell(message)
            self.refused += 1       # the barrier in it is a message that is refused
        elif message_type == "HEALTH_CHECK_REQUEST":
            client.expect("HEALTH_CHECK_RESPONSE")
        elif message_type != "GOODBYE":
            answer = client.answer_to(message)
            status = "RECEIVED" if message_type == "BATCH_TRANSFER" else "PROCESSED"
            self.assertEqual((answer.type, answer.status), ("ACKNOWLEDGMENT", status), where)
            self.taken += [message] if status == "RECEIVED" else []
        if due == "INT_AUTH_002":
            self.assert_ends_with_goodbye(client, "UNAUTHORIZED")
        elif message_type == "HELLO":
            self.assert_ends_with_goodbye(client, "PROTOCOL_ERROR")
        elif message_type == "GOODBYE":
            client.expect_closed()
        else:
            return True
        return False

    def cells(self, identity):
        """All; but in another's name, unless in a long run, each type to one target in turn."""
        for source in MODULES:
            for number, message_type in enumerate(TYPES):
                targets = MODULES
                if source != identity and SCALE <= 1:
                    targets = [MODULES[(number + MODULES.index(source)) % len(MODULES)]]
                for target in targets:
                    yield source, target, message_type

    def try_all(self, identity):
        cells, client = 0, None
        for source, target, message_type in self.cells(identity):
            client = client or self.join(identity)
            cells += 1
            if not self.try_cell(client, source, target, message_type):
                self.leave(client)
                client = None
        for source in ("BROKER", "ALL", "OMEGA"):
            self.try_stranger(identity, source)
        self.assert_as_the_table_says(cells)

    def try_stranger(self, identity, source):
        """Names that are nobody's: refused as well."""
        client = self.join(identity)
        message = client.send(self.message(identity, source, "BETA", "GOODBYE"))
        self.assertIn(client.answer_to(message).code, ("INT_AUTH_002", "INT_PROTOCOL_005"))
        self.refused += 1

    def assert_as_the_table_says(self, cells):
        """Only what passed is in custody, what is held still is, and each refusal has its line."""
        due = {batch["metadata"]["batch_id"] for batch in self.taken}
        target = {"ALPHA": self.beta, "BETA": self.gamma}
        for batch in self.taken:
            delivery = target[batch["header"]["source_module"]].delivery(batch)
            due.discard(delivery.batch_id)
        self.assertFalse(due)
        for client in (self.beta, self.gamma):
            client.expect_none("BATCH_TRANSFER")
            self.refused += 1
        self.beta.finish(self.held)
        lines = self.count_refusals()
        self.assertEqual(lines, (self.refused, self.refused_batches))
        figure("%d cells: %d refused with one line each, the others passed", cells,
               self.refused_cells)

    def count_refusals(self):
        """Those that were held back are told a second later, though nothing else happens."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            counts = (self.count_lines(self.broker, "message refused"),
                      self.count_lines(self.broker, "batch refused"))
            if counts == (self.refused, self.refused_batches) or time.monotonic() > deadline:
                return counts
            time.sleep(0.05)

    def test_alpha(self):
        self.try_all("ALPHA")

    def test_beta(self):
        self.try_all("BETA")

    def test_gamma(self):
        self.try_all("GAMMA")

    def test_epsilon(self):
        self.try_all("EPSILON")

    def test_phi(self):
        self.try_all("PHI")

    def test_the_first_word_is_judged_as_well(self):
        """HELLO in another's name opens no session."""
        for identity in MODULES:
            for source in MODULES:
                if source == identity:
                    continue
                client = Client(self.broker.address, None, identity,
                                context=self.contexts[identity])
                self.clients.append(client)
                client.send(messages.hello(source, "first"))
                self.assert_ends_with_goodbye(client, "UNAUTHORIZED", "INT_AUTH_002")
        self.settle(self.broker)
        self.assertFalse([line for line in self.broker.lines if 'instance="first"' in line])

    def test_a_current_lease_serves_every_instance_of_its_module_and_no_other(self):
        """Protocol, section 6: PROCESSED from wherever the module is, refused from elsewhere."""
        for identity in MODULES:
            if identity != "BETA":
                client = self.join(identity)
                answer = client.answer_to(client.acknowledge(self.held, "PROCESSED"))
                self.assert_error(answer, "INT_DELIVERY_005")
        self.join("BETA").finish(self.held)
        self.assertEqual(self.alpha.outcome().status, "PROCESSED")
