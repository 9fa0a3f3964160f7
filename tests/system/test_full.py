"""test_full.py - protocol, section 7: full routes and a full store refuse in words, and drain."""

import time

from case import Case, messages, summary
from messages import completion

# How soon a batch is taken once there is room (the promise; sanitizers stretch it).
SOON_SECONDS = 1.0


class Full(Case):
    def refusal(self, client, message):
        """Sends a batch; the refusal for fullness (THROTTLE before it), or None: it was taken."""
        client.send(message)
        answer = client.answer_to(message)
        if answer.type == "ACKNOWLEDGMENT":
            self.assert_received(answer)
            for _ in message.get("completes") or []:
                self.assertEqual(client.answer_to(message).status, "PROCESSED")
            return None
        refusal = client.answer_to(message)
        self.assert_error(answer, refusal.code)
        self.assertEqual(answer["action_required"], "THROTTLE", summary(answer))
        self.assert_refused(refusal, refusal.code)
        error = refusal.error
        self.assertEqual((error["recoverability"], error["retry_eligible"]), ("TRANSIENT", True))
        return refusal

    def assert_full(self, client, message, code):
        refusal = self.refusal(client, message)
        self.assertIsNotNone(refusal, "taken, though there is no room")
        self.assertEqual(refusal.code, code, summary(refusal))
        return message

    def assert_soon_taken(self, client, message):
        """There is room: it is taken within a second, however often it has to be sent."""
        began = time.monotonic()
        while self.refusal(client, message):
            self.assertLess(time.monotonic() - began, SOON_SECONDS)


class FullRoute(Full):
    settings = ('route "alpha-beta" { queue_capacity = 4 retry_delay_ms = 50 }\n'
                'route "beta-gamma" { queue_capacity = 2 stage_margin = 2 }')

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.settings)
        self.alpha = self.module(self.broker, "ALPHA")

    def fill(self):
        return [self.alpha.hand_over() for _ in range(4)]

    def test_what_was_refused_leaves_no_trace(self):
        taken = self.fill()
        refused = self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
        self.assert_full(self.alpha, refused, "INT_ROUTE_002")
        beta = self.module(self.broker, "BETA")
        for batch in taken:
            beta.finish(beta.delivery(batch))
            self.alpha.outcome(batch)
        beta.expect_none("BATCH_TRANSFER")
        self.alpha.expect_none("ACKNOWLEDGMENT")
        other = messages.batch("ALPHA", "BETA", refused["metadata"]["sequence_number"],
                               batch_id=refused["metadata"]["batch_id"], count=7)
        answer = self.alpha.answer_to(self.alpha.send(other))
        self.assert_received(answer)            # other content, and no gap, so no warning
        self.assertFalse(answer.get("errors"), summary(answer))
        self.assertEqual(beta.delivery(other)["records"], other["records"])

    def test_what_was_refused_leaves_no_trace_over_a_kill(self):
        taken = self.fill()
        refused = self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        last = next(r for r in alpha.welcome["routes"] if r["name"] == "alpha-beta")
        self.assertEqual(last["last_sequence_number"], taken[-1]["metadata"]["sequence_number"])
        beta = self.module(self.broker, "BETA", 1)
        beta.finish(beta.delivery(taken[0]))
        self.assert_soon_taken(alpha, refused)

    def test_acknowledgments_are_taken_all_the_same(self):
        beta = self.module(self.broker, "BETA")
        first, second, third, _ = [beta.delivery(batch) for batch in self.fill()]
        self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
        beta.acknowledge(first, "RECEIVED")
        beta.reject(second)
        again = beta.delivery()
        self.assertEqual((again.batch_id, again["delivery"]["attempt"]), (second.batch_id, 2))
        self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
        beta.reject(third, "PERMANENT")
        self.assertIsNone(self.refusal(self.alpha, self.alpha.batch()))
        self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
        beta.finish(first)
        beta.finish(again)

    def test_it_takes_again_within_a_second_of_having_room(self):
        self.fill()
        beta = self.module(self.broker, "BETA", 2)
        for _ in range(20):
            refused = self.assert_full(self.alpha, self.alpha.batch(), "INT_ROUTE_002")
            beta.finish(beta.delivery())
            self.assert_soon_taken(self.alpha, refused)

    def test_every_instance_is_refused_and_the_refusals_answer_their_batches(self):
        self.fill()
        other = self.module(self.broker, "ALPHA")
        batches = [client.batch() for client in (self.alpha, other) for _ in range(5)]
        for client, own in ((self.alpha, batches[:5]), (other, batches[5:])):
            client.send_bytes(b"".join(messages.frame(messages.encode(b)) for b in own))
            for batch in own:
                self.assert_error(client.answer_to(batch), "INT_ROUTE_002")
                refusal = client.answer_to(batch)
                self.assert_refused(refusal, "INT_ROUTE_002")
                self.assertEqual(refusal.batch_id, batch["metadata"]["batch_id"])


class StageMargin(Full):
    """BETA's outputs go to a full route, and GAMMA is away or slow."""

    def start(self, settings, **top_level):
        self.broker = self.start_broker(settings, **top_level)
        self.alpha = self.module(self.broker, "ALPHA")
        self.beta = self.module(self.broker, "BETA", 20)

    def inputs(self, how_many, **fields):
        return [self.beta.delivery(self.alpha.hand_over(**fields)) for _ in range(how_many)]

    def stage(self, inputs, **fields):
        return self.beta.batch(completes=[completion(one) for one in inputs], **fields)

    def test_by_count_and_again_when_there_is_room(self):
        self.start('route "beta-gamma" { queue_capacity = 2 stage_margin = 3 }')
        inputs = self.inputs(6)
        self.beta.hand_over()
        self.beta.hand_over()
        for one in inputs[:3]:
            self.assertIsNone(self.refusal(self.beta, self.stage([one])))
        self.assert_full(self.beta, self.stage(inputs[3:4]), "INT_ROUTE_002")
        self.assert_full(self.beta, self.stage(inputs[3:]), "INT_ROUTE_002")
        gamma = self.module(self.broker, "GAMMA", 1)
        gamma.finish(gamma.delivery())
        self.assert_soon_taken(self.beta, self.stage(inputs[3:]))
        self.assert_full(self.beta, self.beta.batch(), "INT_ROUTE_002")

    def test_in_bytes_by_one_frame(self):
        self.start('route "beta-gamma" { queue_capacity_bytes = 100000 }', max_frame_bytes="64K")
        inputs = self.inputs(2)
        self.beta.hand_over(count=1, size=60000)
        self.beta.hand_over(count=1, size=30000)
        self.assert_full(self.beta, self.beta.batch(count=1, size=60000), "INT_ROUTE_002")
        self.beta.hand_over(self.stage(inputs[:1], count=1, size=60000))
        refused = self.stage(inputs[1:], count=1, size=60000)
        self.assert_full(self.beta, refused, "INT_ROUTE_002")
        gamma = self.module(self.broker, "GAMMA", 1)
        gamma.finish(gamma.delivery())
        self.assert_soon_taken(self.beta, refused)

    def test_in_bytes_by_what_it_ends_too(self):
        self.start('route "beta-gamma" { queue_capacity_bytes = 100000 }', max_frame_bytes="64K")
        small, = self.inputs(1)
        large, = self.inputs(1, count=1, size=60000)
        self.beta.hand_over(count=1, size=60000)
        self.beta.hand_over(count=1, size=30000)
        self.beta.hand_over(self.stage([small], count=1, size=60000))
        self.beta.hand_over(self.stage([large], count=1, size=60000))

    def test_a_refused_stage_restarts_the_process_clock_and_costs_no_attempt(self):
        """Another batch, taken at the same time and not named, comes to its deadline meanwhile."""
        self.start('route "alpha-beta" { process_timeout_ms = 1000 retry_delay_ms = 50 }\n'
                   'route "beta-gamma" { queue_capacity = 1 stage_margin = 0 }')
        named, other = self.inputs(2)
        for delivery in (named, other):
            self.beta.acknowledge(delivery, "RECEIVED")
        self.beta.hand_over()
        stage = self.stage([named])
        again = []
        deadline = time.monotonic() + 10
        while not again:
            self.assertLess(time.monotonic(), deadline, "the other batch has no deadline")
            self.assert_full(self.beta, stage, "INT_ROUTE_002")
            self.beta.listen(0.2)       # at work
            again = self.beta.heard("BATCH_TRANSFER")
        self.assertEqual([m.batch_id for m in again], [other.batch_id])
        self.assertEqual(again[0]["delivery"]["attempt"], 2)
        gamma = self.module(self.broker, "GAMMA", 1)
        gamma.finish(gamma.delivery())
        self.assert_soon_taken(self.beta, stage)
        lost = self.beta.heard("ERROR_NOTIFICATION", lambda m: m.code == "INT_DELIVERY_001")
        self.assertEqual(len(lost), 1, [summary(m) for m in lost])
        self.assertFalse(self.beta.heard("BATCH_TRANSFER",
                                         lambda m: m.batch_id == named.batch_id))


class Store(Full):
    """A store of 64M, whose routes have no bound of their own that would come first."""

    ROUTES = ('route "alpha-beta" { queue_capacity_bytes = "1G" retry_delay_ms = 20 }\n'
              'route "beta-gamma" { queue_capacity_bytes = "1G" }')

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.ROUTES, circuit_failure_threshold=1000000)
        self.alpha = self.module(self.broker, "ALPHA")
        self.held = {}

    def fill(self, *sizes, count=1):
        """Hands over batches of records of each size until one is refused; returns that one."""
        for size in sizes:
            for _ in range((64 << 20) // size + 1):
                batch = self.alpha.batch(count=count, size=size)
                refusal = self.refusal(self.alpha, batch)
                if refusal:
                    self.assertEqual(refusal.code, "INT_STORE_001", summary(refusal))
                    break
                self.held[batch["metadata"]["batch_id"]] = batch["records"]
            else:
                self.fail("a store of 64M takes %d times %d bytes" % ((64 << 20) // size, size))
        return batch

    def drain(self, beta, leave=0):
        """Processes what is held, and sees that it is what was handed over."""
        while len(self.held) > leave:
            delivery = beta.delivery()
            self.assertTrue(delivery["records"] == self.held.pop(delivery.batch_id))
            beta.finish(delivery)

    def drain_with(self, beta, delivery):
        """As drain, beginning with a delivery that is out already."""
        self.assertTrue(delivery["records"] == self.held.pop(delivery.batch_id))
        beta.finish(delivery)
        self.drain(beta)

    def read_outcomes(self):
        """Reads what ALPHA has been told, and confirms it."""
        outcomes = self.alpha.heard("ACKNOWLEDGMENT", lambda m: "notice" in m)
        if outcomes:
            question = {"header": messages.header("ALPHA", "BARRIER"),
                        "seen": max(m["notice"] for m in outcomes)}
            self.alpha.answer_to(self.alpha.send(question))
        return outcomes


class FullStore(Store):
    def test_it_refuses_until_nothing_more_fits_and_drains_completely(self):
        refused = self.fill(4000000, 1000000, 100000, 20000)
        taken = len(self.held)
        self.assertGreater(sum(map(len, self.held.values())), 16 << 20)
        beta = self.module(self.broker, "BETA", 4)
        self.drain(beta)
        for _ in range(taken):
            self.assertEqual(self.alpha.outcome().status, "PROCESSED")
        self.assert_soon_taken(self.alpha, refused)
        self.assertEqual(beta.delivery(refused)["records"], refused["records"])

    def test_a_full_store_takes_again_within_a_second_of_having_room(self):
        beta = self.module(self.broker, "BETA", 1)
        refused = self.fill(1000000)
        for _ in range(20):
            self.drain(beta, leave=len(self.held) - 2)
            self.assert_soon_taken(self.alpha, refused)
            self.held[refused["metadata"]["batch_id"]] = refused["records"]
            refused = self.fill(1000000)

    def test_twenty_times_filled_and_drained(self):
        filled = []
        for _ in range(20):
            refused = self.fill(4000000, 1000000)
            filled.append(sum(map(len, self.held.values())))
            beta = self.module(self.broker, "BETA", 4)
            self.drain(beta)
            beta.goodbye()
            beta.expect_closed()
            self.read_outcomes()
            self.assert_soon_taken(self.alpha, refused)
            self.held[refused["metadata"]["batch_id"]] = refused["records"]
        # Nothing seeps away, neither room nor what is free.
        self.assertGreater(min(filled[10:]), 0.9 * min(filled[:10]), filled)
        self.assertTrue(self.broker.is_running())

    def test_stages_work_against_a_full_store(self):
        """GAMMA is away, nothing more fits: each output takes what its input frees."""
        beta = self.module(self.broker, "BETA", 4)
        refused = self.fill(4000000, 1000000, 100000)
        self.assert_full(beta, beta.batch(count=1, size=1000000), "INT_STORE_001")
        outputs = []
        for _ in range(len(self.held)):
            delivery = beta.delivery()
            outputs.append(beta.hand_over(content=delivery["records"], count=1,
                                          completes=[completion(delivery)]))
        gamma = self.module(self.broker, "GAMMA", 4)
        for output in outputs:
            delivery = gamma.delivery(output)
            self.assertTrue(delivery["records"] == output["records"])
            gamma.finish(delivery)
        self.assert_soon_taken(self.alpha, refused)

    def test_retries_go_on_against_a_full_store(self):
        self.fill(1000000, 20000)
        beta = self.module(self.broker, "BETA", 1)
        delivery = beta.delivery()
        for _ in range(4):
            beta.acknowledge(delivery, "RECEIVED")
            beta.reject(delivery, error_message="x" * 20000, code="BETA_LATER")
            delivery = beta.delivery(seconds=30)
        self.drain_with(beta, delivery)

    def test_record_rejects_are_taken_against_a_full_store(self):
        """Two of three records of each batch are rejected: they are kept somewhere, too."""
        self.fill(100000, 10000, count=3)
        beta = self.module(self.broker, "BETA", 10)
        for _ in self.held:
            delivery = beta.delivery()
            errors = [messages.error("BETA", "PERMANENT", "RECORD", context={"record_id": one})
                      for one in messages.record_ids(delivery)[:2]]
            echo = beta.answer_to(
                beta.acknowledge(delivery, "PROCESSED", 1, 2, errors=errors))
            self.assertEqual((echo.type, echo.get("payload", {}).get("status")),
                             ("ACKNOWLEDGMENT", "PROCESSED"), summary(echo))
        for _ in self.held:
            outcome = self.alpha.outcome()
            self.assertEqual((outcome.status, outcome["payload"]["records_rejected"]),
                             ("PROCESSED", 2))

    def test_confirmations_are_taken_against_a_full_store(self):
        """Each record of what the store held at GAMMA's is confirmed by itself."""
        beta, gamma = self.module(self.broker, "BETA", 10), self.module(self.broker, "GAMMA", 10)
        deliveries = [gamma.delivery(beta.hand_over(count=20)) for _ in range(10)]
        for delivery in deliveries:
            gamma.finish(delivery)
        beta.goodbye()
        self.fill(4000000, 1000000, 20000)
        for delivery in deliveries:
            for record_id in messages.record_ids(delivery):
                gamma.confirm(delivery, [record_id])
        beta = self.module_again(self.broker, beta, max_in_flight=0)
        for _ in range(10 * 20):
            beta.expect("DELIVERY_CONFIRMATION")
        self.drain(self.module(self.broker, "BETA", 10))

    def test_new_instances_are_welcome_while_the_store_is_full(self):
        self.fill(4000000, 1000000, 20000)
        for i in range(200):
            name = ("ALPHA", "BETA", "GAMMA")[i % 3]
            client = self.module(self.broker, name, 0, instance_id="%03d" % i + "x" * 61)
            client.goodbye()
            client.expect_closed()
        self.drain(self.module(self.broker, "BETA", 4))

    def test_what_a_full_store_refused_leaves_no_trace(self):
        refused = self.fill(4000000, 1000000)
        self.broker.restart()
        self.alpha = self.module_again(self.broker, self.alpha)
        self.assert_full(self.alpha, refused, "INT_STORE_001")
        beta = self.module(self.broker, "BETA", 4)
        self.drain(beta)
        beta.expect_none("BATCH_TRANSFER")
        self.assertIsNone(self.refusal(self.alpha, refused))

    def test_killed_while_full_it_recovers_and_drains(self):
        for _ in range(3):
            self.fill(4000000, 1000000, 100000)
            self.broker.restart()
            self.alpha = self.module_again(self.broker, self.alpha)
            beta = self.module(self.broker, "BETA", 1)
            self.drain(beta, leave=len(self.held) - 3)
            beta.goodbye()
        self.drain(self.module(self.broker, "BETA", 4))
        self.assertTrue(self.broker.is_running())

    def test_killed_while_it_drains_from_full_it_goes_on(self):
        """What was echoed has ended; what was not is delivered again, and nothing else."""
        self.fill(4000000, 1000000, 100000)
        while self.held:
            beta = self.module(self.broker, "BETA", 4)
            self.drain(beta, leave=max(0, len(self.held) - 5))
            if self.held:
                beta.acknowledge(beta.delivery(), "PROCESSED")
            self.broker.restart()
            self.alpha = self.module_again(self.broker, self.alpha)
            done = {m.batch_id for m in self.read_outcomes()}
            for batch_id in done & self.held.keys():    # what the kill came after
                del self.held[batch_id]
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.5)


class LongErrors(Store):
    """Nothing more fits, and the target says as much of each batch as the batch holds."""

    ERROR_SIZE = 20000

    def setUp(self):
        super().setUp()
        self.fill(20000)
        self.beta = self.module(self.broker, "BETA", 10)

    def errors(self, recoverability, scope="BATCH", **context):
        return [messages.error("BETA", recoverability, scope, context=context,
                               error_message="x" * self.ERROR_SIZE)]

    def end(self, status, errors_of, **counts):
        """Ends every batch so; each is echoed, and its outcome told."""
        for _ in self.held:
            delivery = self.beta.delivery()
            self.assertTrue(delivery["records"] == self.held[delivery.batch_id])
            echo = self.beta.answer_to(self.beta.acknowledge(
                delivery, status, errors=errors_of(delivery), **counts))
            self.assertEqual((echo.type, echo.get("payload", {}).get("status")),
                             ("ACKNOWLEDGMENT", status), summary(echo))
        told = set()
        while len(told) < len(self.held):
            outcome = self.alpha.outcome()
            self.assertEqual(outcome.status, status, summary(outcome))
            told.add(outcome.batch_id)
        self.assertEqual(told, set(self.held))
        self.broker.restart()
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", 0.3)

    def test_permanent_rejections_are_taken(self):
        self.end("REJECTED", lambda _: self.errors("PERMANENT"))

    def test_processed_with_record_errors_is_taken(self):
        self.end("PROCESSED", lambda delivery: self.errors(
            "PERMANENT", "RECORD", record_id=messages.record_ids(delivery)[0]),
            accepted=0, rejected=1)

    def test_transient_rejections_are_taken(self):
        """Each is rejected once, and processed when it comes again."""
        rejected, total = set(), len(self.held)
        while self.held:
            delivery = self.beta.delivery()
            if delivery.batch_id in rejected:
                self.drain_one(delivery)
            else:
                rejected.add(delivery.batch_id)
                echo = self.beta.answer_to(self.beta.acknowledge(
                    delivery, "REJECTED", errors=self.errors("TRANSIENT")))
                self.assertEqual(echo.type, "ACKNOWLEDGMENT", summary(echo))
        self.assertEqual(len(rejected), total)

    def drain_one(self, delivery):
        self.assertTrue(delivery["records"] == self.held.pop(delivery.batch_id))
        self.beta.finish(delivery)


class DeadLetters(Store):
    def test_small_batches_with_long_errors_close_intake_and_no_more(self):
        """Dead letters fill what they may; then batches are refused or still taken, in words, and
        what another route holds goes its way."""
        alpha, beta = self.alpha, self.module(self.broker, "BETA", 10)
        gamma = self.module(self.broker, "GAMMA")
        held = gamma.delivery(beta.hand_over())
        error = messages.error("BETA", "PERMANENT", error_message="x" * 30000)
        dead, seen = None, 0
        for _ in range(4000):
            batch = alpha.batch(seen=seen)
            refusal = self.refusal(alpha, batch)
            if refusal:
                self.assertEqual(refusal.code, "INT_STORE_001", summary(refusal))
                break
            dead = batch
            beta.answer_to(beta.acknowledge(beta.delivery(batch), "REJECTED", errors=[error]))
            seen = alpha.outcome(batch)["notice"]
        else:
            self.fail("a store of 64M takes 4000 times 30 kB")
        gamma.finish(held)
        answer = alpha.answer_to(alpha.send(dead))
        self.assertEqual((answer.status, answer.code), ("REJECTED", "INT_DELIVERY_004"))
        self.broker.restart()
        alpha = self.module_again(self.broker, alpha)
        answer = alpha.answer_to(alpha.send(dead))
        self.assertEqual((answer.status, answer.get("duplicate")), ("REJECTED", True))
