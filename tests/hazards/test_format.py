"""test_format.py - A17: a store of another format, or what is no store, is refused in words."""

import os
import struct

from case import Case

import lmdb_file

FORMAT = 5
MAGIC = b"handoff\n"


def format_record(number):
    return MAGIC + struct.pack("<I", number)


class Format(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()
        alpha = self.module(self.broker, "ALPHA")
        self.batches = [alpha.hand_over() for _ in range(5)]
        self.broker.stop()
        self.path = os.path.join(self.broker.directory, "data", "custody.mdb")

    def assert_refused(self, words):
        """The start ends with 78 after a sentence with these words."""
        self.broker.spawn()
        status = self.broker.wait()
        self.assertRegex(self.broker.lines[-1], "^handoffd: .*" + words)
        self.assertEqual(status, 78, self.broker.log())

    def assert_all_is_there(self):
        self.broker.start()
        beta = self.module(self.broker, "BETA")
        for batch in self.batches:
            beta.finish(beta.delivery(batch))

    def test_a_newer_format_is_refused_and_nothing_is_changed(self):
        newer = format_record(FORMAT + 1)
        self.assertGreater(lmdb_file.replace(self.path, format_record(FORMAT), newer), 0)
        self.assert_refused("format 6, this broker knows format 5: .*newer")
        lmdb_file.replace(self.path, newer, format_record(FORMAT))
        self.assert_all_is_there()

    def test_another_lmdb_is_refused_and_nothing_is_changed(self):
        """1 is that of LMDB 0.9; 2 that of 1.0; 999 that of its development."""
        for version in (2, 999):
            was = lmdb_file.set_version(self.path, version)
            self.assert_refused("another version of LMDB")
            lmdb_file.set_version(self.path, was)
        self.assert_all_is_there()

    def test_an_lmdb_file_that_is_no_store_is_refused(self):
        self.assertGreater(lmdb_file.replace(self.path, MAGIC, b"handofX\n"), 0)
        self.assert_refused("no handoff store")

    def test_what_is_no_lmdb_file_is_refused_and_left_alone(self):
        content = b"SQLite format 3\0" + os.urandom(65536)
        with open(self.path, "wb") as file:
            file.write(content)
        self.assert_refused("no store|not a store")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
