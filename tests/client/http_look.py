"""http_look.py - the broker looked at by HTTP: bytes in, bytes out, and a strict reader of the text
format of Prometheus, version 0.0.4."""

import json
import re
import socket

from broker import free_port
from handoff_client import PATIENCE_SECONDS

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)" % NAME)
LABELS = re.compile(r"%s(?:,%s)*" % (LABEL, LABEL))
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


class Response:
    def __init__(self, data):
        head, separator, self.body = data.partition(b"\r\n\r\n")
        assert separator, "no whole answer: %r" % data[:200]
        lines = head.decode("ascii").split("\r\n")
        version, status, self.words = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        self.status = int(status)
        self.header = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in self.header, "%s twice" % name
            self.header[name.lower()] = value

    def json(self):
        return json.loads(self.body)


class Page:
    """Families by name, and samples: page["name", {"label": "value"}]."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.types, self.helps, self.samples = {}, {}, {}
        self._family = None
        for line in text[:-1].split("\n"):
            self._read(line)

    def _read(self, line):
        if line.startswith("# HELP "):
            name, text = line[len("# HELP "):].split(" ", 1)
            assert name not in self.helps, "%s is there twice" % name
            assert text
            self.helps[name] = text
            self._family = name
        elif line.startswith("# TYPE "):
            name, kind = line[len("# TYPE "):].split(" ")
            assert name == self._family and name not in self.types, line
            self.types[name] = kind
        else:
            self._sample(line)

    def _sample(self, line):
        match = SAMPLE.fullmatch(line)
        assert match, "no sample: %r" % line
        name, labels, value = match.groups()
        kind = self.types[self._family]
        assert name in [self._family + suffix for suffix in SUFFIXES.get(kind, ("",))], \
            "%s stands among those of %s" % (name, self._family)
        assert labels is None or LABELS.fullmatch(labels), line
        pairs = re.findall(LABEL, labels or "")
        key = name, tuple(sorted(pairs))
        assert len(dict(pairs)) == len(pairs) and key not in self.samples, "%s twice" % line
        self.samples[key] = float(value)

    def __getitem__(self, key):
        name, labels = key if isinstance(key, tuple) else (key, {})
        return self.samples[name, tuple(sorted(labels.items()))]

    def all(self, name):
        """The samples of a name: labels, as a dictionary, and value."""
        return [(dict(labels), value) for (of, labels), value in self.samples.items() if of == name]


class Looker:
    """`settings` are for the broker's configuration, before it starts."""

    def __init__(self):
        self.port = free_port()
        self.settings = 'http { listen = "127.0.0.1:%d" }\n' % self.port

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)

    def ask(self, data, seconds=PATIENCE_SECONDS):
        """Sends these bytes and reads to the end of the connection."""
        with self.connect() as peer:
            peer.settimeout(seconds)
            peer.sendall(data)
            return read_response(peer)

    def get(self, path, method="GET", more=""):
        return self.ask(("%s %s HTTP/1.1\r\nHost: broker\r\n%s\r\n" % (method, path, more)).encode())

    def page(self):
        response = self.get("/metrics")
        assert response.status == 200, response.status
        return Page(response.body.decode())


def read_response(peer):
    data = b""
    while True:
        piece = peer.recv(65536)
        if not piece:
            return Response(data)
        data += piece
