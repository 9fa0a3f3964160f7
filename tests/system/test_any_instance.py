"""test_any_instance.py - protocol, section 3: what any instance of a module may take."""

from case import Case, messages


class AnyInstance(Case):
    """BETA tells of errors that name no batch: any instance of ALPHA may hear of them."""

    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        self.one = self.alpha("one")

    def alpha(self, name, **hello):
        return self.module(self.broker, "ALPHA", 0, instance_id=name, **hello)

    def tell(self, *codes):
        beta = self.module(self.broker, "BETA")
        for code in codes:
            beta.notify(messages.error("BETA", code=code))
        beta.barrier()

    def leave(self, client):
        client.close()
        self.module(self.broker, "EPSILON").barrier()     # the broker has noticed

    def confirm(self, notice):
        return {"seen": notice, "broker_id": self.one.welcome["broker_id"]}

    def assert_hears_nothing(self, client):
        client.expect_none("ERROR_NOTIFICATION")


class Another(AnyInstance):
    def test_is_there_and_gets_it_when_the_connection_ends(self):
        two = self.alpha("two")
        self.tell("FIRST", "SECOND")
        notice = self.one.notified("SECOND")["notice"]
        self.assert_hears_nothing(two)
        self.leave(self.one)
        told = [two.notified("FIRST"), two.notified("SECOND")]
        self.assertGreater(told[0]["notice"], notice)
        self.assertGreater(told[1]["notice"], told[0]["notice"])
        self.assertEqual(told[0]["header"]["source_module"], "BETA")

    def test_gets_it_no_matter_how_the_connection_ends(self):
        two = self.alpha("two")
        self.tell("ERROR")
        self.one.notified("ERROR")
        self.one.goodbye()
        two.notified("ERROR")

    def test_comes_and_gets_it(self):
        self.tell("ERROR")
        self.leave(self.one)
        self.alpha("two").notified("ERROR")

    def test_gets_what_nobody_was_there_for(self):
        self.leave(self.one)
        self.tell("ERROR")
        two = self.alpha("two")
        two.notified("ERROR")
        self.assert_hears_nothing(self.alpha("one"))

    def test_comes_after_a_kill_and_gets_it(self):
        self.tell("ERROR")
        self.one.notified("ERROR")
        self.broker.restart()
        two = self.alpha("two")
        two.notified("ERROR")
        self.assert_hears_nothing(self.alpha("one"))

    def test_keeps_it_over_a_kill(self):
        two = self.alpha("two")
        self.tell("ERROR")
        self.leave(self.one)
        notice = two.notified("ERROR")["notice"]
        self.broker.restart()
        self.assertEqual(self.alpha("two").notified("ERROR")["notice"], notice)

    def test_passes_it_on_in_its_turn(self):
        two = self.alpha("two")
        self.tell("ERROR")
        self.leave(self.one)
        two.notified("ERROR")
        three = self.alpha("three")
        self.assert_hears_nothing(three)
        self.leave(two)
        three.notified("ERROR")

    def test_is_one_that_stays_and_keeps_a_mailbox(self):
        probe = self.alpha("probe", mailbox=False)
        going = self.alpha("going")
        going.goodbye("DRAINING")
        self.tell("ERROR")
        self.leave(self.one)
        for client in (probe, going):
            self.assert_hears_nothing(client)
        self.alpha("two").notified("ERROR")

    def test_gets_what_one_without_a_mailbox_leaves(self):
        self.leave(self.one)
        probe = self.alpha("probe", mailbox=False)
        self.tell("ERROR")
        probe.notified("ERROR")
        self.leave(probe)
        self.assert_hears_nothing(self.alpha("probe", mailbox=False))
        self.alpha("one").notified("ERROR")

    def test_gets_many_of_them(self):
        count = 90
        two = self.alpha("two")
        self.tell(*("CODE_%d" % n for n in range(count)))
        self.one.notified("CODE_%d" % (count - 1))
        self.leave(self.one)
        codes = [two.expect("ERROR_NOTIFICATION").code for _ in range(count)]
        self.assertEqual(codes, ["CODE_%d" % n for n in range(count)])


class TheSame(AnyInstance):
    def test_returns_first_and_gets_it_again(self):
        self.tell("ERROR")
        notice = self.one.notified("ERROR")["notice"]
        self.leave(self.one)
        again = self.alpha("one")
        two = self.alpha("two")
        self.assertEqual(again.notified("ERROR")["notice"], notice)
        self.assert_hears_nothing(two)

    def test_returns_first_after_a_kill_and_gets_it_again(self):
        self.tell("ERROR")
        notice = self.one.notified("ERROR")["notice"]
        self.broker.restart()
        again = self.alpha("one")
        two = self.alpha("two")
        self.assertEqual(again.notified("ERROR")["notice"], notice)
        self.assert_hears_nothing(two)

    def test_keeps_what_it_has_confirmed_from_the_others(self):
        two = self.alpha("two")
        self.tell("CONFIRMED", "NOT")
        seen = self.one.notified("CONFIRMED")["notice"]
        self.one.send(messages.notification("ALPHA", seen=seen))
        self.one.barrier()
        self.leave(self.one)
        two.notified("NOT")
        self.assert_hears_nothing(two)

    def test_has_confirmed_it_though_the_broker_is_killed(self):
        self.tell("ERROR")
        seen = self.one.notified("ERROR")["notice"]
        self.one.send(messages.notification("ALPHA", seen=seen))
        self.one.barrier()
        self.broker.restart()
        for name in ("two", "one"):
            self.assert_hears_nothing(self.alpha(name))

    def test_confirms_as_it_returns(self):
        self.tell("ERROR")
        seen = self.one.notified("ERROR")["notice"]
        self.leave(self.one)
        again = self.alpha("one", **self.confirm(seen))
        two = self.alpha("two")
        self.leave(again)
        self.assert_hears_nothing(two)

    def test_is_told_no_more_of_what_another_has(self):
        two = self.alpha("two")
        self.tell("ERROR")
        self.leave(self.one)
        two.notified("ERROR")
        self.assert_hears_nothing(self.alpha("one"))


class OfOneInstance(AnyInstance):
    def test_what_is_told_of_its_batch_waits_for_it(self):
        batch = self.one.hand_over()
        beta = self.module(self.broker, "BETA")
        beta.notify(messages.error("BETA", code="OF_A_BATCH", context={
            "batch_id": batch["metadata"]["batch_id"]}))
        beta.barrier()
        two = self.alpha("two")
        self.leave(self.one)
        self.assert_hears_nothing(two)
        self.alpha("one").notified("OF_A_BATCH")

    def test_what_all_were_told_goes_to_nobody_twice(self):
        two = self.alpha("two")
        self.module(self.broker, "BETA").notify(messages.error("BETA", code="STOP"), action="HALT")
        for client in (self.one, two):
            client.notified("STOP")
        self.leave(self.one)
        self.assert_hears_nothing(two)
