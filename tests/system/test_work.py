"""test_work.py - handoff work: what a command's end means for the batch, and for the worker."""

import os
import signal

import messages
from tool_case import Tools, as_multiset, lines_of, read_records, read_whole_lines, some_records

QUICK = "".join(
    'route "%s" { batch_size = 10 retry_delay_ms = 20 backoff_multiplier = 1.0 max_retries = 2 }\n'
    % name for name in ("alpha-beta", "beta-gamma"))


class Work(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(QUICK)

    def work(self, command, *arguments, to="GAMMA"):
        to = ["--to", to] if to else []
        return self.start(self.broker, "BETA", "work", *to, "--verbose", "--exec", command,
                          *arguments)

    def outcome_of(self, records, *arguments):
        """Sends the records, and waits until they are PROCESSED or dead letters."""
        return self.send(self.broker, lines_of(records), "--wait", "processed", *arguments)

    def script(self, text):
        """A file name that stands for a command."""
        path = self.write("script", "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path


class Output(Work):
    def test_is_the_next_batch(self):
        self.work("grep -v number.:3")
        self.assert_status(self.outcome_of(some_records(10)), 0)
        self.assertEqual(self.receive(self.broker, 9),
                         [record for record in some_records(10) if record["number"] != 3])

    def test_that_is_empty_ends_the_batch(self):
        worker = self.work("cat >/dev/null")
        self.assert_status(self.outcome_of(some_records(20)), 0)
        self.assertEqual(worker.terminate(), 0, worker.said())
        self.module(self.broker, "GAMMA").expect_none("BATCH_TRANSFER", seconds=0.1)

    def test_is_dropped_where_there_is_no_target(self):
        worker = self.work("tee %s" % self.path("seen"), to=None)
        self.assert_status(self.outcome_of(some_records(10)), 0)
        self.assertEqual(worker.terminate(), 0, worker.said())
        self.assertIn("processed 10 records in 1 batches", worker.said())
        self.assertEqual(read_records(self.path("seen")), some_records(10))

    def test_has_the_correlation_of_its_input_and_derived_ids(self):
        self.work("sed 's/\"record_id\":[^,]*,//'")
        alpha = self.module(self.broker, "ALPHA")
        batch = alpha.hand_over(count=2)
        output = self.module(self.broker, "GAMMA").delivery()
        self.assertEqual(output["header"]["correlation_id"], batch["header"]["correlation_id"])
        batch_id = batch["metadata"]["batch_id"]
        self.assertEqual(output.batch_id[:13], batch_id[:13])
        self.assertEqual([r["record_id"] for r in messages.decode(output["records"])],
                         [batch_id + "-1", batch_id + "-2"])

    def test_larger_than_a_frame_becomes_several_batches(self):
        self.broker.stop()
        self.broker = self.start_broker(QUICK, max_frame_bytes="64K")
        self.work(self.script('while read -r line; do for i in 1 2 3 4 5 6 7 8; do '
                              'printf "{\\"record_id\\":\\"$HANDOFF_BATCH_ID-$i-%d\\",\\"x\\":'
                              '\\"%08000d\\"}\\n" $((n=n+1)) 0; done; done'))
        self.assert_status(self.outcome_of(some_records(10)), 0)
        received = self.receive(self.broker, 80)
        self.assertEqual(len({record["record_id"] for record in received}), 80)

    def test_that_is_no_ndjson_makes_a_dead_letter(self):
        self.work("echo '{\"a\":1}'; echo oops")
        self.assert_status(self.outcome_of(some_records(1)), 1, "line 2, column 1: a record is")
        self.module(self.broker, "GAMMA").expect_none("BATCH_TRANSFER")

    def test_is_told_bytes_in_base64(self):
        self.work("cat")
        self.module(self.broker, "ALPHA").hand_over(
            count=1, content=messages.encode([{"record_id": "a", "data": b"\x00\xff"}]))
        self.assertEqual(self.receive(self.broker, 1), [{"record_id": "a", "data": "AP8="}])


class Status(Work):
    def test_65_makes_a_dead_letter_with_the_last_words(self):
        self.work("echo first >&2; echo 'it is poison' >&2; exit 65")
        sending = self.outcome_of(some_records(1))
        self.assert_status(sending, 1, "dead letter", "status 65: it is poison")

    def test_75_and_all_others_are_tried_again(self):
        self.work(self.script("case $HANDOFF_ATTEMPT in 1) exit 75;; 2) exit 3;; *) cat;; esac"))
        self.assert_status(self.outcome_of(some_records(10)), 0)
        self.assertEqual(self.receive(self.broker, 10), some_records(10))

    def test_death_by_a_signal_is_tried_again(self):
        worker = self.work("[ $HANDOFF_ATTEMPT -gt 1 ] || kill -KILL $$; cat")
        self.assert_status(self.outcome_of(some_records(10)), 0)
        self.assertIn("died by signal 9", worker.said())

    def test_that_never_is_0_ends_after_the_retries(self):
        self.work("exit 1")
        self.assert_status(self.outcome_of(some_records(1)), 1, "INT_DELIVERY_002", "status 1")

    def test_a_command_that_cannot_be_run_stops_the_worker_and_the_batch_goes_back(self):
        worker = self.work("/none/such")
        self.assert_status(self.send(self.broker, lines_of(some_records(10))), 0)
        self.assertEqual(worker.wait(), 69, worker.said())
        self.assertIn("cannot be run (status 127): ", worker.said())
        delivery = self.module(self.broker, "BETA").delivery()
        self.assertEqual(delivery["delivery"]["attempt"], 1)

    def test_only_the_poison_among_batches_is_set_aside(self):
        self.work(self.script("tee $0.$HANDOFF_BATCH_ID; "
                              "! grep -q number.:17, $0.$HANDOFF_BATCH_ID || exit 65"), "--jobs", 2)
        self.assert_status(self.outcome_of(some_records(40)), 1, "status 65")
        self.assertEqual(as_multiset(self.receive(self.broker, 30)), as_multiset(
            [record for record in some_records(40) if record["number"] // 10 != 1]))


class Life(Work):
    def test_the_environment_names_the_batch(self):
        self.work(self.script(
            'printf "{\\"id\\":\\"$HANDOFF_BATCH_ID\\",\\"attempt\\":$HANDOFF_ATTEMPT,\\"lease\\":'
            '$HANDOFF_LEASE,\\"route\\":\\"$HANDOFF_ROUTE\\",\\"correlation\\":'
            '\\"$HANDOFF_CORRELATION_ID\\"}\\n"'))
        batch = self.module(self.broker, "ALPHA").hand_over()
        record = self.receive(self.broker, 1)[0]
        self.assertEqual((record["id"], record["attempt"], record["route"], record["correlation"]),
                         (batch["metadata"]["batch_id"], 1, "alpha-beta",
                          batch["header"]["correlation_id"]))
        self.assertGreater(record["lease"], 0)

    def test_so_many_commands_run_at_once(self):
        """Each waits until all three have begun."""
        self.work(self.script("touch $0.$HANDOFF_BATCH_ID; "
                              "while [ $(ls $0.* | wc -l) -lt 3 ]; do sleep 0.01; done; cat"),
                  "--jobs", 3)
        self.assert_status(self.outcome_of(some_records(30)), 0)

    def test_a_command_need_not_read_its_input(self):
        self.work("echo '{}'")
        self.assert_status(self.outcome_of([{"record_id": str(i), "x": "y" * 30000}
                                            for i in range(30)]), 0)
        self.assertEqual(len(self.receive(self.broker, 3)), 3)

    def test_a_command_may_leave_something_running(self):
        self.work("sleep 100 & cat")
        self.assert_status(self.outcome_of(some_records(1)), 0)

    def test_a_slow_command_keeps_its_batch(self):
        self.broker.stop()
        self.broker = self.start_broker('route "alpha-beta" { ack_timeout_ms = 200 '
                                        "process_timeout_ms = 300 max_retries = 0 }")
        self.work("sleep 1; cat")
        self.assert_status(self.outcome_of(some_records(5)), 0)
        self.assertEqual(self.receive(self.broker, 5), some_records(5))

    def waiting_script(self):
        """Begins, and goes on when the file `go` is there."""
        return self.script("touch %s; while [ ! -e %s ]; do sleep 0.01; done; cat"
                           % (self.path("begun"), self.path("go")))

    def test_sigterm_lets_the_commands_finish(self):
        worker = self.work(self.waiting_script())
        self.assert_status(self.send(self.broker, lines_of(some_records(30))), 0)
        self.wait_until(lambda: os.path.exists(self.path("begun")), "the command has begun")
        worker.process.send_signal(signal.SIGTERM)
        self.assertTrue(worker.is_running())
        self.write("go", "")
        self.assertEqual(worker.wait(), 0, worker.said())
        self.assertEqual(as_multiset(self.receive(self.broker, 10)), as_multiset(some_records(10)))
        delivery = self.module(self.broker, "BETA").delivery()
        self.assertEqual(delivery["delivery"]["attempt"], 1)

    def test_sigterm_lets_an_output_of_several_batches_be_sent(self):
        self.broker.stop()
        self.broker = self.start_broker(QUICK, max_frame_bytes="64K")
        worker = self.work(self.script(
            "touch %s; while [ ! -e %s ]; do sleep 0.01; done\n"
            "for i in $(seq 40); do "
            "printf '{\"record_id\":\"%%s\",\"x\":\"%%08000d\"}\\n' $i 0; done"
            % (self.path("begun"), self.path("go"))))
        self.assert_status(self.send(self.broker, lines_of(some_records(1))), 0)
        self.wait_until(lambda: os.path.exists(self.path("begun")), "the command has begun")
        worker.process.send_signal(signal.SIGTERM)
        self.write("go", "")
        self.assertEqual(worker.wait(), 0, worker.said())
        self.assertEqual(len(self.receive(self.broker, 40)), 40)
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER")

    def test_a_rolling_restart_costs_no_attempt_and_repeats_no_work(self):
        log = self.path("runs")
        command = self.script('echo "$HANDOFF_BATCH_ID $HANDOFF_ATTEMPT" >>%s; sleep 0.01; cat'
                              % log)
        self.assert_status(self.send(self.broker, lines_of(some_records(600))), 0)
        for runs in (10, 25, 40):
            worker = self.work(command, "--jobs", 4)
            self.wait_until(lambda: len(read_whole_lines(log)) >= runs, "some have been run")
            self.assertEqual(worker.terminate(), 0, worker.said())
        self.work(command, "--jobs", 4)
        self.assertEqual(as_multiset(self.receive(self.broker, 600)),
                         as_multiset(some_records(600)))
        runs = [line.decode().split() for line in read_whole_lines(log)]
        self.assertEqual(len({batch for batch, _ in runs}), len(runs))
        self.assertEqual((len(runs), {attempt for _, attempt in runs}), (60, {"1"}))

    def test_a_second_sigterm_ends_at_once(self):
        worker = self.work(self.waiting_script())
        self.assert_status(self.send(self.broker, lines_of(some_records(10))), 0)
        self.wait_until(lambda: os.path.exists(self.path("begun")), "the command has begun")
        worker.process.send_signal(signal.SIGTERM)
        worker.process.send_signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 1, worker.said())
        self.module(self.broker, "BETA").delivery()

    def test_a_worker_that_is_killed_takes_its_commands_along(self):
        worker = self.work("echo $$ >%s; exec sleep 100" % self.path("pid"))
        self.assert_status(self.send(self.broker, lines_of(some_records(1))), 0)
        self.wait_until(lambda: os.path.exists(self.path("pid"))
                        and os.path.getsize(self.path("pid")), "the command has begun")
        worker.kill()
        with open(self.path("pid")) as file:
            pid = int(file.read())
        self.wait_until(lambda: not is_alive(pid), "the command has ended")

    def test_wrong_words_are_told(self):
        for arguments, status, words in ((["--to", "ALPHA", "--exec", "cat"], 78, "no route"),
                                         (["--to", "GAMMA"], 2, "--exec"),
                                         (["--exec", "cat", "--jobs", "0"], 2, "--jobs")):
            worker = self.start(self.broker, "BETA", "work", *arguments)
            self.assertEqual(worker.wait(), status, worker.said())
            self.assertIn(words, worker.said())


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
