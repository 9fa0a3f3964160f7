"""test_flow.py - protocol, section 7: BACKPRESSURE, to a route's sources and from its targets."""

import time

from case import Case, messages, summary

ROUTE = "alpha-beta"
CAPACITY = 10


def setting(client, route=ROUTE):
    """What WELCOME told this client of a route."""
    return next(r for r in client.welcome["routes"] if r["name"] == route)


class Flow(Case):
    """A route for ten batches; its sources are told at 8 and more, and again below 5."""

    settings = 'route "alpha-beta" { queue_capacity = %d retry_delay_ms = 50 }' % CAPACITY
    top_level = {"backpressure_high_watermark": 0.8, "backpressure_low_watermark": 0.5}

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(self.settings, **self.top_level)
        self.alpha = self.module(self.broker, "ALPHA")

    def fill(self, how_many, **fields):
        return [self.alpha.hand_over(**fields) for _ in range(how_many)]

    def drain(self, beta, how_many):
        for _ in range(how_many):
            beta.finish(beta.delivery())

    def signals(self, client):
        """What this client has been told up to now and not been asked for yet."""
        return [(m["signal_type"], m["route"]) for m in client.heard("BACKPRESSURE")]


class Watermarks(Flow):
    def test_nobody_is_told_below_the_high_one(self):
        self.fill(7)
        self.assertEqual(self.signals(self.alpha), [])

    def test_the_source_is_told_at_the_high_one(self):
        self.fill(8)
        signal = self.alpha.pressure("ACTIVATE")
        header = signal["header"]
        self.assertEqual((header["source_module"], header["message_type"]),
                         ("BROKER", "BACKPRESSURE"))
        self.assertIn(header["target_module"], ("ALPHA", "ALL"))
        self.assertEqual((signal["route"], signal["current_queue_depth"]), (ROUTE, 8))
        self.assertIsInstance(signal["recommended_delay_ms"], int)
        self.assertGreater(signal["recommended_delay_ms"], 0)
        self.assertNotIn("notice", signal)

    def test_and_again_below_the_low_one(self):
        beta = self.module(self.broker, "BETA", 1)
        self.fill(8)
        self.alpha.pressure("ACTIVATE")
        self.drain(beta, 3)
        self.assertEqual(self.signals(self.alpha), [])
        self.drain(beta, 1)
        signal = self.alpha.pressure("DEACTIVATE")
        self.assertEqual((signal["route"], signal["current_queue_depth"]), (ROUTE, 4))
        self.assertIsInstance(signal["recommended_delay_ms"], int)

    def test_once_each_while_it_stays(self):
        beta = self.module(self.broker, "BETA", 1)
        self.fill(10)
        refused = self.alpha.send(self.alpha.batch())
        self.alpha.answer_to(refused)
        self.assert_refused(self.alpha.answer_to(refused), "INT_ROUTE_002")
        self.drain(beta, 4)
        self.fill(4)
        self.drain(beta, 5)
        self.alpha.pressure("ACTIVATE")
        self.assertEqual(self.signals(self.alpha), [])
        self.drain(beta, 5)
        self.alpha.pressure("DEACTIVATE")
        self.fill(7)
        self.assertEqual(self.signals(self.alpha), [])

    def test_each_time_it_is_crossed(self):
        beta = self.module(self.broker, "BETA", 1)
        for _ in range(5):
            self.fill(8)
            self.alpha.pressure("ACTIVATE")
            self.drain(beta, 8)
            self.alpha.pressure("DEACTIVATE")
        self.assertEqual(self.signals(self.alpha), [])

    def test_every_instance_of_the_source_is_told_and_nobody_else(self):
        others = [self.module(self.broker, "ALPHA") for _ in range(3)]
        strangers = [self.module(self.broker, name, 0) for name in ("BETA", "GAMMA", "PHI")]
        beta = self.module(self.broker, "BETA", 1)
        self.fill(8)
        for client in [self.alpha, *others]:
            client.pressure("ACTIVATE")
        self.drain(beta, 8)
        for client in [self.alpha, *others]:
            client.pressure("DEACTIVATE")
        for client in [self.alpha, *others, *strangers, beta]:
            self.assertEqual(self.signals(client), [], client.module)

    def test_bytes_count_too(self):
        broker = self.start_broker('route "alpha-beta" { queue_capacity_bytes = 1000000 }',
                                   **self.top_level)
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 1)
        self.fill(1, count=1, size=500000)
        self.assertEqual(self.signals(self.alpha), [])
        self.fill(1, count=1, size=350000)
        self.assertEqual(self.alpha.pressure("ACTIVATE", ROUTE)["current_queue_depth"], 2)
        self.drain(beta, 1)
        self.assertEqual(self.alpha.pressure("DEACTIVATE", ROUTE)["current_queue_depth"], 1)

    def test_the_fuller_of_the_two_counts(self):
        broker = self.start_broker(
            'route "alpha-beta" { queue_capacity = 10 queue_capacity_bytes = 1000000 }',
            **self.top_level)
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 1)
        self.fill(1, count=1, size=900000)
        self.alpha.pressure("ACTIVATE")
        self.fill(7)
        self.drain(beta, 1)         # few bytes are left, yet seven batches
        self.assertEqual(self.signals(self.alpha), [])
        self.drain(beta, 2)
        self.assertEqual(self.signals(self.alpha), [])
        self.drain(beta, 1)
        self.alpha.pressure("DEACTIVATE")

    def test_batches_that_are_out_count(self):
        beta = self.module(self.broker, "BETA", 10)
        for batch in self.fill(8):
            beta.delivery(batch)
        self.alpha.pressure("ACTIVATE")

    def test_dead_letters_do_not_count(self):
        beta = self.module(self.broker, "BETA", 1)
        self.fill(8)
        self.alpha.pressure("ACTIVATE")
        for _ in range(4):
            beta.reject(beta.delivery(), "PERMANENT")
        self.assertEqual(self.alpha.pressure("DEACTIVATE")["current_queue_depth"], 4)

    def test_each_route_by_itself(self):
        broker = self.start_broker('route "beta-gamma" { queue_capacity = 5 }', **self.top_level)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        for _ in range(4):
            beta.hand_over()
        signal = beta.pressure("ACTIVATE")
        self.assertEqual((signal["route"], signal["current_queue_depth"]), ("beta-gamma", 4))
        self.assertEqual(self.signals(alpha), [])

    def test_a_route_for_one_batch(self):
        broker = self.start_broker('route "alpha-beta" { queue_capacity = 1 }', **self.top_level)
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 1)
        for _ in range(3):
            self.fill(1)
            self.assertEqual(self.alpha.pressure("ACTIVATE")["current_queue_depth"], 1)
            self.drain(beta, 1)
            self.assertEqual(self.alpha.pressure("DEACTIVATE")["current_queue_depth"], 0)

    def test_other_watermarks(self):
        broker = self.start_broker(self.settings, backpressure_high_watermark=0.3,
                                   backpressure_low_watermark=0.2)
        self.alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 1)
        self.fill(2)
        self.assertEqual(self.signals(self.alpha), [])
        self.fill(1)
        self.assertEqual(self.alpha.pressure("ACTIVATE")["current_queue_depth"], 3)
        self.drain(beta, 1)
        self.assertEqual(self.signals(self.alpha), [])
        self.drain(beta, 1)
        self.assertEqual(self.alpha.pressure("DEACTIVATE")["current_queue_depth"], 1)


class InBetween(Flow):
    def test_welcome_says_whether_it_is_active(self):
        beta = self.module(self.broker, "BETA", 1)
        self.assertIs(setting(self.alpha)["backpressure_active"], False)
        self.fill(8)
        late = self.module(self.broker, "ALPHA")
        self.assertIs(setting(late)["backpressure_active"], True)
        self.drain(beta, 4)
        self.assertIs(setting(self.module(self.broker, "ALPHA"))["backpressure_active"], False)

    def test_one_that_was_told_in_welcome_hears_only_the_end(self):
        beta = self.module(self.broker, "BETA", 1)
        self.fill(8)
        late = self.module(self.broker, "ALPHA")
        self.assertEqual(self.signals(late), [])
        self.drain(beta, 4)
        late.pressure("DEACTIVATE")
        self.assertEqual(self.signals(late), [])

    def test_it_stays_active_over_a_kill(self):
        self.fill(8)
        self.broker.restart()
        alpha = self.module_again(self.broker, self.alpha)
        self.assertIs(setting(alpha)["backpressure_active"], True)
        self.drain(self.module(self.broker, "BETA", 1), 4)
        alpha.pressure("DEACTIVATE")


class DrainRate(Case):
    def test_the_delay_is_longer_for_a_slower_target(self):
        """BETA drains ten batches while GAMMA drains one: ALPHA is to wait longer for GAMMA."""
        broker = self.start_broker(
            'route "alpha-beta" { queue_capacity = 10 }\n'
            'route "alpha-gamma" { source = "ALPHA" target = "GAMMA" queue_capacity = 10 }')
        alpha = self.module(broker, "ALPHA")
        fast, slow = self.module(broker, "BETA"), self.module(broker, "GAMMA")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for _ in range(10):
                fast.finish(fast.delivery(alpha.hand_over()))
            slow.finish(slow.delivery(alpha.hand_over(target="GAMMA")))
        for _ in range(8):
            alpha.hand_over()
            alpha.hand_over(target="GAMMA")
        delays = [alpha.pressure("ACTIVATE", route)["recommended_delay_ms"]
                  for route in ("alpha-beta", "alpha-gamma")]
        self.assertGreater(delays[1], delays[0])


class Paused(Flow):
    """A target's own BACKPRESSURE."""

    settings = Flow.settings + """
        route "alpha-gamma" { source = "ALPHA" target = "GAMMA" queue_capacity = 10 }"""

    def test_an_instance_that_paused_gets_nothing_and_the_others_go_on(self):
        large, small = self.module(self.broker, "BETA", 50), self.module(self.broker, "BETA", 5)
        large.press("ACTIVATE", ROUTE)
        for _ in range(3):
            small.delivery(self.alpha.hand_over())
        large.expect_none("BATCH_TRANSFER")
        self.assertEqual(self.signals(self.alpha), [])

    def test_deactivate_resumes(self):
        large, small = self.module(self.broker, "BETA", 50), self.module(self.broker, "BETA", 5)
        large.press("ACTIVATE", ROUTE)
        small.delivery(self.alpha.hand_over())
        large.press("DEACTIVATE", ROUTE)
        large.delivery(self.alpha.hand_over())

    def test_what_waited_is_delivered_when_it_resumes(self):
        beta = self.module(self.broker, "BETA")
        beta.press("ACTIVATE", ROUTE)
        waiting = self.fill(3)
        beta.expect_none("BATCH_TRANSFER", 0.2)
        beta.press("DEACTIVATE", ROUTE)
        for batch in waiting:
            delivery = beta.delivery()
            self.assertEqual(delivery.batch_id, batch["metadata"]["batch_id"])
            self.assertEqual(delivery["delivery"]["attempt"], 1)
            beta.finish(delivery)

    def test_what_it_holds_it_may_finish(self):
        beta = self.module(self.broker, "BETA")
        first, second = self.fill(2)
        deliveries = [beta.delivery(first), beta.delivery(second)]
        beta.press("ACTIVATE")
        beta.finish(deliveries[0])
        self.assertEqual(self.alpha.outcome(first).status, "PROCESSED")
        beta.reject(deliveries[1])      # its retry waits for DEACTIVATE
        beta.expect_none("BATCH_TRANSFER", 0.3)
        beta.press("DEACTIVATE")
        again = beta.delivery(second)
        self.assertEqual(again["delivery"]["attempt"], 2)
        beta.finish(again)

    def test_a_route_that_is_named_alone_pauses(self):
        beta, gamma = self.module(self.broker, "BETA", 0), self.module(self.broker, "GAMMA")
        gamma.press("ACTIVATE", "beta-gamma")
        waiting = beta.hand_over()
        gamma.delivery(self.alpha.hand_over(target="GAMMA"))
        gamma.expect_none("BATCH_TRANSFER")
        gamma.press("DEACTIVATE", "beta-gamma")
        gamma.delivery(waiting)

    def test_without_a_route_all_pause(self):
        beta, gamma = self.module(self.broker, "BETA", 0), self.module(self.broker, "GAMMA")
        gamma.press("ACTIVATE")
        one, two = beta.hand_over(), self.alpha.hand_over(target="GAMMA")
        gamma.expect_none("BATCH_TRANSFER", 0.2)
        gamma.press("DEACTIVATE")
        gamma.delivery(one)
        gamma.delivery(two)

    def test_the_sources_are_told_when_all_instances_paused(self):
        others = self.module(self.broker, "ALPHA")
        betas = [self.module(self.broker, "BETA") for _ in range(3)]
        for beta in betas[:2]:
            beta.press("ACTIVATE", ROUTE)
        self.assertEqual(self.signals(self.alpha), [])
        betas[2].press("ACTIVATE", ROUTE)
        for alpha in (self.alpha, others):
            signal = alpha.pressure("ACTIVATE")
            self.assertEqual((signal["route"], signal["current_queue_depth"]), (ROUTE, 0))
        self.assertIs(setting(self.module(self.broker, "ALPHA"))["backpressure_active"], True)
        betas[0].press("DEACTIVATE", ROUTE)
        for alpha in (self.alpha, others):
            alpha.pressure("DEACTIVATE")
            self.assertEqual(self.signals(alpha), [])

    def test_without_a_route_the_sources_of_all_its_routes_are_told(self):
        beta, gamma = self.module(self.broker, "BETA"), self.module(self.broker, "GAMMA")
        for signal_type in ("ACTIVATE", "DEACTIVATE"):
            gamma.press(signal_type)
            self.assertEqual(self.alpha.pressure(signal_type)["route"], "alpha-gamma")
            self.assertEqual(beta.pressure(signal_type)["route"], "beta-gamma")
        self.assertEqual(self.signals(self.alpha) + self.signals(beta), [])

    def test_a_repeated_signal_says_nothing_new(self):
        beta = self.module(self.broker, "BETA")
        for signal_type in ("ACTIVATE", "DEACTIVATE"):
            for _ in range(3):
                beta.press(signal_type, ROUTE)
            self.alpha.pressure(signal_type)
            self.assertEqual(self.signals(self.alpha), [])

    def test_the_sources_are_told_once_though_the_route_fills_as_well(self):
        beta = self.module(self.broker, "BETA", 1)
        beta.press("ACTIVATE", ROUTE)
        self.alpha.pressure("ACTIVATE")
        self.fill(9)
        self.assertEqual(self.signals(self.alpha), [])
        beta.press("DEACTIVATE", ROUTE)
        self.assertEqual(self.signals(self.alpha), [])      # it is still too full
        self.drain(beta, 5)
        self.alpha.pressure("DEACTIVATE")

    def test_a_paused_route_is_served_until_it_is_full(self):
        self.module(self.broker, "BETA").press("ACTIVATE", ROUTE)
        self.fill(CAPACITY)
        refused = self.alpha.send(self.alpha.batch())
        self.assert_error(self.alpha.answer_to(refused), "INT_ROUTE_002")

    def test_one_that_comes_back_is_not_paused(self):
        beta = self.module(self.broker, "BETA")
        beta.press("ACTIVATE")
        self.alpha.pressure("ACTIVATE", ROUTE)
        batch = self.alpha.hand_over()
        again = self.module_again(self.broker, beta)
        self.alpha.pressure("DEACTIVATE", ROUTE)
        again.finish(again.delivery(batch))

    def test_one_that_comes_back_after_a_kill_is_not_paused(self):
        beta = self.module(self.broker, "BETA")
        beta.press("ACTIVATE")
        batch = self.alpha.hand_over()
        self.broker.restart()
        again = self.module_again(self.broker, beta)
        again.finish(again.delivery(batch))

    def test_an_instance_that_connects_while_the_others_are_paused_is_served(self):
        beta = self.module(self.broker, "BETA", 50)
        beta.press("ACTIVATE", ROUTE)
        self.alpha.pressure("ACTIVATE")
        batch = self.alpha.hand_over()
        other = self.module(self.broker, "BETA", 1)
        other.finish(other.delivery(batch))
        self.alpha.pressure("DEACTIVATE")
        beta.expect_none("BATCH_TRANSFER")

    def test_when_the_only_one_that_was_not_paused_goes_the_sources_are_told(self):
        paused, other = self.module(self.broker, "BETA"), self.module(self.broker, "BETA")
        paused.press("ACTIVATE", ROUTE)
        self.assertEqual(self.signals(self.alpha), [])
        other.goodbye()
        other.expect_closed()
        self.alpha.pressure("ACTIVATE")


class Refused(Flow):
    def refused(self, message, client=None):
        client = client or self.module(self.broker, "BETA")
        answer = client.answer_to(client.send(message))
        self.assertEqual(answer.type, "ERROR_NOTIFICATION", summary(answer))
        client.delivery(self.alpha.hand_over())         # it has paused nothing
        return answer

    def test_every_field_is_needed_and_of_its_type(self):
        beta = self.module(self.broker, "BETA", 50)
        for field, values in {"signal_type": (None, 5, "PAUSE", "activate"),
                              "current_queue_depth": (None, -1, "5", 1.5),
                              "recommended_delay_ms": (None, -1, "5"),
                              "route": (5, ["alpha-beta"])}.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    wrong = messages.backpressure("BETA", "ACTIVATE", ROUTE)
                    if value is None:
                        del wrong[field]
                    else:
                        wrong[field] = value
                    answer = beta.answer_to(beta.send(wrong))
                    self.assert_error(answer, "INT_PROTOCOL_005", field,
                                      "missing" if value is None else None)
        beta.delivery(self.alpha.hand_over())

    def test_a_route_that_does_not_lead_to_it(self):
        for route in ("no-such-route", "beta-gamma"):
            with self.subTest(route=route):
                answer = self.refused(messages.backpressure("BETA", "ACTIVATE", route))
                self.assertIn(answer.code, ("INT_ROUTE_001", "INT_AUTH_003", "INT_PROTOCOL_005"))
