"""test_recv.py - handoff recv: what stands in the file, and what may stand in it."""

import os

import msgpack

import messages
from tool_case import Tools, as_multiset, lines_of, read_records, some_records

SMALL = 'route "alpha-beta" { batch_size = 10 retry_delay_ms = 20 }'


class Recv(Tools):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker(SMALL)
        self.output = self.path("out")

    def recv(self, *arguments):
        return self.start(self.broker, "BETA", "recv", "--output", self.output, *arguments)

    def recv_refused(self, status, words):
        receiving = self.recv()
        self.assertEqual(receiving.wait(), status, receiving.said())
        self.assertIn(words, receiving.said())

    def test_says_processed_when_the_records_are_written(self):
        receiving = self.recv()
        self.assert_status(self.send(self.broker, lines_of(some_records(25)), "--wait", "processed"),
                           0)
        self.assertEqual(as_multiset(read_records(self.output)), as_multiset(some_records(25)))
        self.assertEqual(receiving.terminate(), 0, receiving.said())

    def test_appends_to_what_is_there(self):
        self.write("out", '{"mine":1}\n')
        for start in (0, 10):
            self.assert_status(self.send(self.broker, lines_of(some_records(20)[start:start + 10])), 0)
            self.assertEqual(self.recv("--count", 10).wait(), 0)
        self.assertEqual(read_records(self.output), [{"mine": 1}, *some_records(20)])

    def test_ends_when_idle(self):
        self.assert_status(self.send(self.broker, lines_of(some_records(5))), 0)
        self.assertEqual(self.recv("--idle", 200).wait(), 0)
        self.assertEqual(read_records(self.output), some_records(5))

    def test_cuts_off_what_was_not_finished(self):
        self.assert_status(self.send(self.broker, lines_of(some_records(5))), 0)
        self.assertEqual(self.recv("--count", 5).wait(), 0)
        with open(self.output, "a") as file:
            file.write('{"half a rec')
        receiving = self.recv("--idle", 50)
        self.assertEqual(receiving.wait(), 0)
        self.assertIn("cut off 12 bytes", receiving.said())
        self.assertEqual(read_records(self.output), some_records(5))

    def test_knows_a_batch_that_comes_again(self):
        """Written, and then killed before PROCESSED was said: the broker delivers it again."""
        self.assert_status(self.send(self.broker, lines_of(some_records(5))), 0)
        beta = self.module(self.broker, "BETA")
        delivery = beta.delivery()
        beta.goodbye("SHUTDOWN")
        with open(self.output, "w") as file:
            file.write(lines_of(some_records(5)))
        write_ledger(self.output + ".state", [
            "handoff-recv 1", "instance test", "length 0",
            "group %d 1700000000 %s/alpha-beta" % (os.path.getsize(self.output),
                                                   delivery.batch_id)])
        receiving = self.recv("--verbose", "--idle", 1000)
        self.assertEqual(receiving.wait(), 0, receiving.said())
        self.assertIn("is written already", receiving.said())
        self.assertEqual(read_records(self.output), some_records(5))
        self.module(self.broker, "BETA").expect_none("BATCH_TRANSFER", seconds=0.1)

    def test_refuses_files_that_are_not_as_it_left_them(self):
        self.assert_status(self.send(self.broker, lines_of(some_records(5))), 0)
        self.assertEqual(self.recv("--count", 5).wait(), 0)
        with open(self.output, "r+") as file:
            file.truncate(20)
        self.recv_refused(65, "has 20 bytes")
        os.remove(self.output + ".state")
        self.recv_refused(65, "does not end with an end of line")
        self.write("out.state", "something else\n")
        self.recv_refused(65, "no file of mine")
        self.output = "/dev/null"
        self.recv_refused(73, "not a file")
        self.output = self.path("none/out")
        self.recv_refused(73, "none/out")

    def test_is_alone_with_its_file(self):
        first = self.recv("--verbose")
        self.wait_until_connected(first)
        self.recv_refused(75, "in use")

    def test_sets_aside_what_json_cannot_say(self):
        alpha = self.module(self.broker, "ALPHA")
        poison = alpha.hand_over(count=1, content=messages.encode(
            [{"record_id": "a", "data": msgpack.ExtType(1, b"x")}]))
        good = alpha.hand_over(count=1, content=messages.encode([{"record_id": "b"}]))
        receiving = self.recv("--count", 1)
        outcome = alpha.outcome(poison)
        self.assertEqual((outcome.status, outcome["errors"][1]["error_code"]),
                         ("REJECTED", "RECV_JSON_001"))
        self.assertEqual(alpha.outcome(good).status, "PROCESSED")
        self.assertEqual(receiving.wait(), 0, receiving.said())
        self.assertEqual(read_records(self.output), [{"record_id": "b"}])


def write_ledger(path, lines):
    with open(path, "w") as file:
        for line in lines:
            file.write("%s %08x\n" % (line, crc32c(line.encode())))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
