"""plan.py - the memory shared with faults.so: which call fails, and what came of it."""

import errno
import mmap
import os
import re
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FOREVER = 2 ** 62

with open(os.path.join(HERE, "faults.h")) as header:
    _text = header.read()
KINDS = re.findall(r"\bX\((\w+)\)", _text[_text.index("#define KINDS"):])
EFFECTS = {name: -number for number, name in
           enumerate(("short count", "one byte", "ahead", "behind", "frozen"), 1)}

_FIELDS = ("armed", "kind", "first", "most", "error", "delay_ms", "fired", "fired_ms",
           "sent_after", "blocks")
_CALLER = slice(8 * len(_FIELDS), 8 * len(_FIELDS) + 32)
STACK_DEPTH = int(re.search(r"STACK_DEPTH (\d+)", _text).group(1))
_CALLS = _CALLER.stop + 8 * STACK_DEPTH
AT_ONCE, AT_LOCK = 1, 2


def number_of(error):
    """An errno by its name, or one of the shim's own effects."""
    return EFFECTS.get(error) or getattr(errno, error)


class Point:
    """One experiment: the N-th call of a kind fails so, once or from then on."""

    def __init__(self, kind, first, error, forever):
        self.kind = kind
        self.first = first
        self.error = error
        self.forever = forever

    def __str__(self):
        return "%s %d %s%s" % (self.kind, self.first, self.error,
                               " from then on" if self.forever else "")


class Plan:
    """A file of its own in `directory`; programs run with `environment` share it."""

    def __init__(self, directory, library):
        descriptor, path = tempfile.mkstemp(prefix="plan-", dir=directory)
        with open(descriptor, "r+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            self.shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {
            "LD_PRELOAD": library, "FAULTS": path,
            # A sanitizer's runtime insists on coming first.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        self.point = None
        self.disarm()

    def _set(self, field, value):
        struct.pack_into("=q", self.shared, 8 * _FIELDS.index(field), value)

    def __getattr__(self, field):
        if field not in _FIELDS:
            raise AttributeError(field)
        return struct.unpack_from("=q", self.shared, 8 * _FIELDS.index(field))[0]

    def calls(self, kind):
        """So many calls of this kind since it was armed."""
        return struct.unpack_from("=q", self.shared, _CALLS + 8 * KINDS.index(kind))[0]

    def caller(self):
        """Whose call was the first to fail: a library's file, or the program's."""
        return self.shared[_CALLER].rstrip(b"\0").decode()

    def functions(self, program):
        """The program's functions on the way to the first call that failed, innermost first."""
        places = [place for place in struct.unpack_from("=%dq" % STACK_DEPTH, self.shared,
                                                        _CALLER.stop) if place]
        done = subprocess.run(["addr2line", "-f", "-e", program, *map(hex, places)],
                              capture_output=True, text=True)
        return done.stdout.splitlines()[::2] if places else []

    def arm(self, point=None, when=AT_ONCE):
        """Counts from now on, or from the store's lock on; with a point, calls will fail."""
        self.disarm()
        self.point = point
        self.shared[_CALLER.start:_CALLS] = bytes(_CALLS - _CALLER.start)
        for i in range(len(KINDS)):
            struct.pack_into("=q", self.shared, _CALLS + 8 * i, 0)
        for field in ("fired", "fired_ms", "sent_after"):
            self._set(field, 0)
        if point:
            self._set("first", point.first)
            self._set("most", FOREVER if point.forever else 1)
            self._set("error", number_of(point.error))
            self._set("kind", KINDS.index(point.kind))
        self._set("armed", when)

    def disarm(self):
        """No more fails, and no more is counted."""
        self._set("armed", 0)
        self._set("kind", -1)

    def delay_flushes(self, seconds):
        self._set("delay_ms", int(1000 * seconds))
