"""test_files.py - modes of files, who may open what, and configurations that do harm.

Reliability 4.1, A20, C2, C4. What an operator got wrong is refused before anything is opened, with
exit status 78, the place and the reason.
"""

import os
import shutil
import socket
import stat
import struct
import subprocess
import threading

from stranger_case import (ADMIN, PATIENCE_SECONDS, Ctl, StrangerCase, authority, figure, scaled)

EX_CONFIG = 78
STRANGER = 54321            # a user that nobody is


class FileCase(StrangerCase):
    def run_broker(self, *arguments, preexec=None):
        """To its end: status, and all that it said. It ends at once, or the test fails."""
        done = subprocess.run([self.broker.program, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.broker.directory, timeout=PATIENCE_SECONDS,
                              preexec_fn=preexec, check=False)
        return done.returncode, done.stdout.decode("utf-8", "backslashreplace")

    def assert_refuses(self, words, *arguments):
        status, said = self.run_broker(*arguments, "--config", self.broker.configuration)
        self.assertEqual(status, EX_CONFIG, said)
        self.assertRegex(said, words)
        return said

    def assert_refused(self, words, broker=None):
        """Neither --check nor a start takes it, and nothing was made."""
        self.broker = broker or self.broker
        said = self.assert_refuses(words, "--check")
        self.assert_refuses(words)
        self.assertFalse(os.path.exists(os.path.join(self.broker.directory, "data")), said)

    def mode(self, *name):
        return stat.S_IMODE(os.lstat(os.path.join(self.broker.directory, *name)).st_mode)

    def own_copies(self, broker):
        """Certificates of its own, in its directory, that a test may spoil."""
        for name in ("ca", "certificate", "key"):
            path = os.path.join(broker.directory, name)
            shutil.copy(getattr(broker.credentials, name), path)
            os.chmod(path, 0o600)
        broker.credentials = type(broker.credentials)("ca", "certificate", "key")
        broker.configure(ADMIN)
        return broker


class Modes(FileCase):
    def test_what_it_makes_is_its_own_whatever_the_umask(self):
        """Also what the environment asks for: nothing is opened wider for a moment."""
        self.broker = self.new_broker(ADMIN)
        old = os.umask(0)
        try:
            self.broker.start()
        finally:
            os.umask(old)
        self.module(self.broker, "ALPHA").hand_over()
        self.assertEqual(self.mode("data"), 0o700)
        self.assertEqual(self.mode("admin.sock"), 0o660)
        files = os.listdir(os.path.join(self.broker.directory, "data"))
        self.assertGreaterEqual(len(files), 2)
        for name in files:
            self.assertEqual(self.mode("data", name), 0o600, name)
        self.broker.stop()
        self.broker.start()
        for name in files:
            self.assertEqual(self.mode("data", name), 0o600, name)

    def test_a_key_that_others_could_use_is_refused(self):
        self.broker = self.own_copies(self.new_broker())
        key = os.path.join(self.broker.directory, "key")
        for mode in (0o640, 0o604, 0o660, 0o620, 0o610, 0o601, 0o644, 0o666, 0o777, 0o440):
            os.chmod(key, mode)
            self.assert_refused(r"tls\.key: .*key has mode %04o, .*chmod 600" % mode)
        for mode in (0o600, 0o400):
            os.chmod(key, mode)
            self.broker.start()
            self.broker.stop()

    def test_a_store_that_others_could_replace_is_refused(self):
        self.broker = self.new_broker()
        place = os.path.join(self.broker.directory, "data")
        os.mkdir(place)
        for mode in (0o770, 0o702, 0o777, 0o1777, 0o2775):
            os.chmod(place, mode)
            self.assert_refuses("may write in the store directory .*chmod go-w")
            self.assertEqual(os.listdir(place), [])
        for mode in (0o755, 0o700):
            os.chmod(place, mode)
            self.broker.start()
            self.broker.stop()

    def test_a_key_that_is_swapped_meanwhile_is_judged_as_it_is_read(self):
        """C4: two names change places all the time; whichever is read is the one that is judged.

        The one that others could read is another's key: to be told that it does not match means
        that it was read, and its mode was not what was looked at.
        """
        self.broker = self.own_copies(self.new_broker())
        key, other = (os.path.join(self.broker.directory, name) for name in ("key", "other"))
        shutil.copy(authority().module("ALPHA").key, other)
        os.chmod(other, 0o644)
        ends, done = {"taken": 0, "mode": 0}, threading.Event()
        swapper = threading.Thread(target=swap, args=(key, other, done), daemon=True)
        swapper.start()
        try:
            for _ in range(scaled(60)):
                status, said = self.run_broker("--check", "--config", self.broker.configuration)
                self.assertNotIn("does not match", said)
                self.assertEqual(status, 0 if "is valid" in said else EX_CONFIG, said)
                ends["taken" if status == 0 else "mode"] += 1
        finally:
            done.set()
            swapper.join()
        self.assertTrue(all(ends.values()), ends)
        figure("a key swapped under %d starts: %d read the good one, %d refused the other",
               sum(ends.values()), ends["taken"], ends["mode"])


def swap(one, other, done):
    """Exchanges two files in one step (renameat2, RENAME_EXCHANGE), over and over."""
    import ctypes
    libc = ctypes.CDLL(None)
    while not done.wait(0.0005):
        libc.renameat2(-100, one.encode(), -100, other.encode(), 2)


class Socket(FileCase):
    def test_one_of_many_that_race_for_it_serves(self):
        """A20: brokers with stores of their own start at once, with one path for their sockets."""
        path = os.path.join(self.directory, "admin.sock")
        for _ in range(scaled(2)):
            racers = [self.new_broker('admin { socket = "%s" }' % path) for _ in range(8)]
            for racer in racers:
                racer.spawn()
            winners = []
            for racer in racers:
                try:
                    racer.wait_for_log(r"\bready\b", since_start=True)
                    winners.append(racer)
                except AssertionError:
                    self.assertEqual(racer.wait(), EX_CONFIG)
                    self.assertRegex(racer.log(), "served by another process|another process holds")
            self.assertEqual(len(winners), 1)
            at_socket = socket.socket(socket.AF_UNIX)
            at_socket.connect(path)
            owner = struct.unpack("3i", at_socket.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]
            at_socket.close()
            self.assertEqual(owner, winners[0].process.pid)
            self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), 0o660)
            winners[0].stop()

    def test_it_is_not_made_where_others_could_replace_it(self):
        self.broker = self.new_broker('admin { socket = "open/admin.sock" }')
        place = os.path.join(self.broker.directory, "open")
        os.mkdir(place)
        os.chmod(place, 0o777)
        self.assert_refuses("everybody can write in its directory")
        self.assertEqual(os.listdir(place), [])

    def test_another_user_is_refused(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.broker = self.start_broker(ADMIN)
        os.chmod(self.directory, 0o755)
        os.chmod(self.broker.directory, 0o755)
        connect = ("import socket, sys; one = socket.socket(socket.AF_UNIX); "
                   "sys.exit(0 if one.connect_ex(sys.argv[1]) == 13 else 1)")
        done = subprocess.run(["python3", "-c", connect, Ctl(self.broker).socket],
                              user=STRANGER, group=STRANGER, extra_groups=[], check=False)
        self.assertEqual(done.returncode, 0)
        Ctl(self.broker).say("version")


# What stands in the file, the line that is told, and what is said of it.
HOSTILE = [
    # Names that are not known, or not there.
    ("colour = red", 1, "unknown option"), ("\nstore { sise = 1G }", 2, "did you mean 'size'"),
    ("include(\"/etc/passwd\")", 1, "unknown option"), ("tls|key = x", 1, "belongs into"),
    ("route x { listen = \"127.0.0.1:1\" }", 1, "top level"), ("LISTEN = x", 1, "unknown option"),
    ("\xa0listen = x", 1, "."), ("__proto__ = 1", 1, "unknown option"),
    # Numbers.
    ("max_connections = 0", 1, "whole number"), ("max_connections = -1", 1, "whole number"),
    ("max_connections = 1e9", 1, "whole number"), ("max_connections = 0x10", 1, "whole number"),
    ("max_connections = 18446744073709551617", 1, "whole number"),
    ("max_connections = '\u0661'", 1, "whole number"),
    ("max_connections = ' 5'", 1, "whole number"),
    ("store { size = 0 }", 1, "size from 64M"), ("store { size = 99999999T }", 1, "size from"),
    ("store { size = -1G }", 1, "size from"), ("max_frame_bytes = 1G", 1, "max_frame_bytes"),
    ("rekey_records = 99999999999", 1, "rekey_records"), ("rekey_records = 0", 1, "rekey_records"),
    ("rekey_age = 0", 1, "rekey_age"), ("handshake_timeout_ms = 0", 1, "handshake_timeout_ms"),
    ("hello_timeout_ms = 100d", 1, "hello_timeout_ms"),
    ("route \"alpha-beta\" { backoff_multiplier = inf }", 1, "a number from"),
    ("route \"alpha-beta\" { backoff_multiplier = nan }", 1, "a number from"),
    # Places.
    ("listen = \"0.0.0.0:99999\"", 1, "numeric address"),
    ("listen = \"localhost:1\"", 1, "numeric address"),
    ("listen = \"127.0.0.1\"", 1, "numeric address"), ("listen = \"\"", 1, "numeric address"),
    ("http { listen = \"0.0.0.0:80\" }", 1, "plain HTTP"), ("tls { key = \"\" }", 1, "text of 1"),
    ("admin { socket = \"%s\" }" % ("x" * 200), 1, "admin.socket|text of 1"),
    ("store { path = \"%s\" }" % ("x" * 5000), 1, "text of 1"),
    # Identities and names that would let somebody in.
    ("module ALPHA { identity = \"*\" }", 1, "must be"),
    ("module ALPHA { identity = \"URI:\" }", 1, "must be"),
    ("module ALPHA { identity = \"URI:spiffe://x/module/beta\" }", 1, "another module"),
    ("module ALPHA { identity = { \"CN:a\", \"CN:a\" } }", 1, "is that of module ALPHA"),
    ("module ALPHA { identity = \"CN:x\" }\nmodule BETA { identity = \"CN:x\" }", 2, "is that of"),
    ("module BROKER { }", 1, "uses this name itself"), ("module ALL { }", 1, "uses this name"),
    ("module \"../x\" { }", 1, "a module's name"), ("module \"A\\nB\" { }", 1, "a module's name"),
    ("route \"../../x\" { }", 1, "a route's name"),
    ("route \"alpha-beta\" { target = GAMMA }", 1, "leads from ALPHA"),
    ("route x { source = ALPHA\ntarget = OMEGA }", 2, "not declared"),
    ("admin { operators = { \"no such user\" } }", 1, "there is no user"),
    ("admin { readers = { 65534 } }", 1, "strangers look like"),
    ("admin { readers = { -1 } }", 1, "there is no user|user"),
    # Form.
    ("max_connections = 5\nmax_connections = 6", 2, "a second time"),
    ("tls { ca = a }\ntls { ca = b }", 2, "a second time"), ("}", 1, "closing brace"),
    ("\"unfinished", 1, "not closed"), ("/* unfinished", 1, "not closed"),
    ("route \"alpha-beta\" {", 1, "not closed"), ("tls { ca = \"\\x00\" }", 1, "the character"),
    ("tls " * 3000, 1, "."), ("{" * 5000, 1, "."), ("a" * 100000 + " = 1", 1, "option"),
    ("max_connections = %n%s%n", 1, "whole number"),
    ("max_connections = \x1b[2J", 1, "whole number"),
]


class Configurations(FileCase):
    def setUp(self):
        super().setUp()
        self.broker = self.new_broker()

    def write(self, text):
        with open(self.broker.configuration, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def test_hostile_ones_are_refused_with_file_line_and_reason(self):
        for text, line, words in HOSTILE:
            with self.subTest(text=text[:60]):
                self.write(text + "\n")
                said = self.assert_refuses(words, "--check")
                self.assertRegex(said, r"(?m)^handoffd: \S*handoffd\.conf:%d: " % line)
                self.assertNotRegex(said, "[\0-\x09\x0b-\x1f\x7f-\x9f]")
                self.assert_refuses(words)
                self.assertFalse(os.path.exists(os.path.join(self.broker.directory, "data")))
        figure("%d hostile configurations: all refused with file, line and reason", len(HOSTILE))

    def test_what_is_no_file_of_text_is_refused(self):
        path = self.broker.configuration
        self.write(b"max_connections\0 = 5")
        self.assert_refused("no text file")
        self.write(b"#" * (2 << 20))
        self.assert_refused("more than")
        os.remove(path)
        self.assert_refused("cannot be opened")
        os.mkfifo(path)
        self.assert_refused("not a regular file")
        os.remove(path)
        os.symlink(path, path)
        self.assert_refused("cannot be opened")
        os.remove(path)
        for place in ("/dev/zero", self.broker.directory):
            os.symlink(place, path)
            self.assert_refused("not a regular file")
            os.remove(path)

    def test_certificates_that_serve_nobody_are_refused(self):
        """Never served without verification, as with an authority's file that is empty."""
        good = self.new_broker()
        alpha = authority().module("ALPHA")
        expired = authority().issue("expired-broker", dns=["localhost"], usage="serverAuth",
                                    days=-1)
        with open(good.credentials.certificate) as file:
            half = file.read()[:300]
        cases = [
            ("ca", b"", "has no certificate"), ("ca", b"# nothing\n", "has no certificate"),
            ("ca", half.encode(), "cannot be read|no certificate"),
            ("ca", alpha.certificate, "no authority's"),
            ("ca", good.credentials.key, "certificate"),
            ("certificate", alpha.certificate, "does not match"),
            ("certificate", b"", "certificate"),
            ("certificate", expired.certificate, "does not match|expired"),
            ("key", alpha.key, "does not match"), ("key", b"", "cannot be read"),
            ("key", good.credentials.certificate, "cannot be read"),
        ]
        for name, content, words in cases:
            with self.subTest(name=name, words=words):
                broker = self.own_copies(self.new_broker())
                path = os.path.join(broker.directory, name)
                if isinstance(content, str):
                    shutil.copyfile(content, path)
                else:
                    with open(path, "wb") as file:
                        file.write(content)
                self.assert_refused(words, broker)
        for name in ("ca", "certificate", "key"):
            for make in (os.mkdir, os.mkfifo, lambda path: os.symlink(path, path),
                         lambda path: os.symlink("/dev/zero", path)):
                broker = self.own_copies(self.new_broker())
                path = os.path.join(broker.directory, name)
                os.remove(path)
                make(path)
                self.assert_refused(r"tls\.%s: " % name, broker)
