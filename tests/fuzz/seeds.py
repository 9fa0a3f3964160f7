"""seeds.py - first inputs that need no encoder of ours, and the words of the protocol.

The frames here are those of the independent Python client. What long runs have learned of the
targets for which that takes long stands in corpus/TARGET.zip.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "client"))

import messages  # pylint: disable=wrong-import-position

CONFIGURATIONS = [
    'listen = "127.0.0.1:7420"\ntls { ca = "ca" certificate = "c" key = "k" }\n'
    'store { path = "data" size = "1G" }\n',
    'listen = "[::1]:0"\ntls { ca = "/a" certificate = "/c" key = "/k" }\nstore { path = "/d" }\n'
    'module "ALPHA" { identity = { "URI:spiffe://o/x", "DNS:a.example", "CN:alpha" } }\n'
    'route "alpha-beta" { source = "ALPHA" target = "BETA" batch_size = 10 ordered = true }\n'
    'route "x-y" { source = "X" target = "Y" max_retries = 0 backoff_multiplier = 1.5 }\n'
    'admin { socket = "s" operators = { "root", "0" } readers = {} }\n',
    'http { listen = "127.0.0.1:7421" }\nreclaim = "5s"\nmax_frame_bytes = "8M"\n'
    'backpressure_high_watermark = 0.9 # comment\n/* more */\n// and more\n',
    'listen = "${HOME}"\ninclude("/etc/passwd")\n',
]

HTTP = [
    b"GET /metrics HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
    b"HEAD http://h/ready?a=b HTTP/1.0\nContent-Length: 0\n\nmore",
    b"POST / HTTP/1.1\r\nhost:\th\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET " + 1100 * b"/" + b" HTTP/1.1\r\n", 30 * (b"A: " + 300 * b"x" + b"\r\n"),
]

# Batches that target_admin.c has made have ids that begin so.
ONE = "ba"
REQUESTS = [
    "status", "json status", "help", "help dead", "json help --words", "limits", "json limits",
    "clients --all", "json clients", "routes", "routes alpha-beta", "json routes",
    "batches --route alpha-beta", "json batches --state READY --limit 2", "batches --code X",
    "dead list", "json dead list --route alpha-beta --limit 3 --all", "dead list --code INT_BATCH_001",
    "dead group --by code", "json dead group --by code,route", "dead show " + ONE,
    "json dead show " + ONE + " --records", "explain " + ONE, "json explain " + ONE + " --record",
    "journal", "json journal --limit 2", "audit", "audit --quick", "json audit", "confirmations",
    "confirmations --route beta-gamma --state AWAITED", "shape", "json shape --by reason", "version",
    "log-level", "log-level debug", "reason \"because\" hold " + ONE, "reason x release " + ONE,
    "reason x hold --route alpha-beta --all", "yes reason x dead purge --all",
    'yes reason "it \\"is\\" so" dead purge ' + ONE, "reason x dead redrive --all",
    "reason x dead redrive --code INT_BATCH_001 --dry-run", "reason x retry --all",
    "reason x pause alpha-beta", "reason x resume alpha-beta", "reason x kick ALPHA/alpha-1",
    "reason x drain", "drain --off", "dead export --all", "json dead export " + ONE,
    "dead import", "dead import-part gAA=", "dead import-part --errors kA==", "dead import-end",
    "dead import-done", "reason x confirmations settle " + ONE,
]

# What target_session.c makes of two bytes: who and what, and how. Numbers are those of act().
HELLO, SEND, REPEAT, STAGE, RECEIVED, PROCESSED, REJECTED, CONFIRM, PRESS, GOODBYE, LEAVE, DEAF, \
    RAW, CONNECT, PERSON, TURN = range(16)
ALPHA, ALPHA_2, BETA, BETA_2, GAMMA, GAMMA_2 = range(6)
DIE_BEFORE, DIE_AFTER, DIE, RESTART, STRANGER = range(5)
HOLD, RELEASE, RETRY, REDRIVE, PURGE = (16 * n for n in range(5))


def does(peer, what, how=0, *more):
    return bytes([what << 4 | peer * 2, how, *more])


def broker(how):
    return bytes([15, how])


TURN_NOW, LATER = does(0, TURN), does(0, TURN, 200)
ALL_CONNECT = b"".join(does(peer, HELLO) for peer in range(6)) + TURN_NOW
ONE_OUT = ALL_CONNECT + does(ALPHA, SEND, 2) + TURN_NOW
CONVERSATIONS = [
    ONE_OUT + does(BETA, RECEIVED) + does(BETA, PROCESSED) + TURN_NOW,
    ONE_OUT + does(BETA, PROCESSED) + TURN_NOW + does(ALPHA, REPEAT, 0) + TURN_NOW +
    broker(DIE) + does(ALPHA_2, HELLO) + does(ALPHA_2, REPEAT, 0) + TURN_NOW,
    ONE_OUT + does(BETA, REJECTED, 1) + TURN_NOW + does(ALPHA, REPEAT, 0) + TURN_NOW,
    ONE_OUT + does(BETA, STAGE, 0) + TURN_NOW + does(GAMMA, PROCESSED) + TURN_NOW +
    does(GAMMA, CONFIRM, 1, 0) + does(GAMMA, CONFIRM, 1, 3) + TURN_NOW + LATER,
    ONE_OUT + does(BETA, REJECTED, 1) + TURN_NOW + does(0, PERSON, REDRIVE, 0) + TURN_NOW,
    ONE_OUT + does(BETA, REJECTED, 0) + TURN_NOW + LATER + does(BETA, REJECTED, 0) + LATER,
    ONE_OUT + does(BETA, LEAVE, 1) + TURN_NOW + does(BETA, HELLO, 2) + TURN_NOW + LATER,
    ONE_OUT + does(BETA, STAGE, 0) + broker(DIE_BEFORE) + does(BETA, HELLO, 2) + TURN_NOW +
    does(BETA, STAGE, 0) + TURN_NOW,
    ONE_OUT + does(BETA, STAGE, 0) + broker(DIE_AFTER) + does(BETA, HELLO, 2) + TURN_NOW +
    does(BETA, STAGE, 0) + does(BETA, REPEAT, 2) + TURN_NOW,
    ALL_CONNECT + does(ALPHA, SEND, 1) + broker(DIE_AFTER) + does(ALPHA, HELLO) +
    does(ALPHA, REPEAT, 0) + does(ALPHA, REPEAT, 1) + TURN_NOW,
    ONE_OUT + does(BETA, PROCESSED, 8) + TURN_NOW + broker(RESTART) + ALL_CONNECT,
    ONE_OUT + does(0, PERSON, HOLD, 0) + does(BETA, GOODBYE) + TURN_NOW +
    does(0, PERSON, RELEASE, 0) + TURN_NOW,
    ONE_OUT + does(BETA, REJECTED, 1) + TURN_NOW + does(0, PERSON, PURGE, 0) +
    does(ALPHA, REPEAT, 1) + TURN_NOW + broker(DIE),
    ALL_CONNECT + does(BETA, PRESS, 1) + does(ALPHA, DEAF, 1) +
    b"".join(does(ALPHA, SEND, n) for n in range(6)) + TURN_NOW + does(BETA, PRESS, 0) + TURN_NOW +
    does(ALPHA, DEAF, 0) + LATER + broker(STRANGER),
    ONE_OUT + does(ALPHA, RAW, 1, 3) + b"\x81\xa1x" + does(ALPHA_2, RAW, 0, 4) + b"\0\0\1\0" +
    TURN_NOW + does(GAMMA, CONNECT) + does(GAMMA, HELLO) + TURN_NOW,
]

LINES = [
    b'\x00{"record_id": "r-1", "total": 1.5, "list": [1, -2, null, true, "\\u00e9\\ud83d\\ude00"]}',
    b'\x00{"priority": "CRITICAL", "a": {"b": {"c": []}}, "n": 18446744073709551615}',
    b"\x01\x83\xa9record_id\xa3r-1\xa1f\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa1b\xc4\x02xy",
    b'\x02{"handoff_dead_letter": 1, "batch_id": "0192f03c-551e-40aa-8001-000000000000", '
    b'"code": "INT_DELIVERY_004", "attempts": 2, "redrives": 0, "received_at": '
    b'"2026-01-01T00:00:00.000000Z", "errors": "kA==", "frame": "gA=="}',
    b'\x04plain "quoted" \\ \x1b[31m\r\n\x00 \xc3\xa9 \xe2\x80\xa8 \xff ' + b"\xc3\xa9" * 80,
]


def checked(text):
    """A line of a ledger: the text, and its CRC-32C."""
    crc = 0xffffffff
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return b"%s %08x\n" % (text, crc ^ 0xffffffff)


JOURNAL = b"".join(map(checked, [
    b"handoff-journal 1", b"run 0192f03c-551e-40aa-8001-000000000000", b"module ALPHA",
    b"target BETA", b"instance alpha-1", b"id-field record_id", b"wait processed",
    b"batch 0192f03c-551e-40aa-8001-000000000001 0 10 2 2 1 " + b"ab" * 32, b"received 0",
    b"processed 0",
]))
LINES.append(b"\x03" + JOURNAL)


def put(corpus, target, name, data):
    directory = os.path.join(corpus, target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def pack(directory, target):
    """The files of a directory as corpus/TARGET.zip, the same bytes for the same files."""
    path = os.path.join(HERE, "corpus", target + ".zip")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number, name in enumerate(sorted(os.listdir(directory))):
            with open(os.path.join(directory, name), "rb") as file:
                archive.writestr(zipfile.ZipInfo("%d" % number), file.read(),
                                 zipfile.ZIP_DEFLATED)
    return os.path.getsize(path)


def unpack(corpus):
    directory = os.path.join(HERE, "corpus")
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        target = name.removesuffix(".zip")
        with zipfile.ZipFile(os.path.join(directory, name)) as archive:
            for number in archive.namelist():
                put(corpus, target, "kept-" + number, archive.read(number))


def client_frames():
    """One of each that the Python client sends."""
    batch_id = messages.new_id()
    error = messages.error("BETA", context={"record_id": "r-1"})
    bodies = [
        messages.hello("ALPHA", "alpha-1", holds=[1, 2]),
        messages.batch(), messages.batch("BETA", "GAMMA", priority="CRITICAL"),
        messages.acknowledgment("BETA", batch_id, 1, "RECEIVED"),
        messages.acknowledgment("BETA", batch_id, 1, "REJECTED", 0, 3, [error]),
        messages.backpressure("BETA", "ACTIVATE", "alpha-beta", 3, 100),
        messages.confirmation("GAMMA", batch_id, [messages.delivery_result("r-1")]),
        messages.goodbye("ALPHA"),
    ]
    return b"".join(messages.frame(messages.encode(body)) for body in bodies)


def words():
    """Every name of the protocol, as libFuzzer's dictionary: keys, enums, codes, settings."""
    found = set()
    for directory, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            if name.endswith(".c"):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    found.update(re.findall(r'"([A-Za-z_][A-Za-z0-9_:/.-]{1,30})"', file.read()))
    return "".join('"%s"\n' % word for word in sorted(found))


CERTIFICATE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 9
-outform DER -subj %s
"""


def certificates(corpus):
    """One for each way to name a bearer, and for names that nobody should have."""
    kinds = {
        "module": ("/CN=alpha", "URI:spiffe://fuzz/module/alpha"),
        "two": ("/CN=x", "URI:spiffe://fuzz/module/alpha,URI:spiffe://fuzz/module/beta"),
        "mapped": ("/CN=gamma", "URI:spiffe://other/x,DNS:alpha.example"),
        "common": ("/CN=gamma", "DNS:nobody.example,IP:127.0.0.1,email:a@b"),
        "names": ("/CN=gamma/CN=alpha/O=x", "DNS:ALPHA.example,URI:SPIFFE://f/module/BETA"),
        "plain": ("/CN=gamma", None),
    }
    with tempfile.TemporaryDirectory() as directory:
        for name, (subject, alternative) in kinds.items():
            path = os.path.join(directory, name)
            command = (CERTIFICATE % subject).split() + ["-out", path]
            if alternative:
                command += ["-addext", "subjectAltName=" + alternative,
                            "-addext", "extendedKeyUsage=clientAuth"]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            with open(path, "rb") as file:
                put(corpus, "identity", name, file.read())


def write(corpus):
    os.makedirs(corpus, exist_ok=True)
    with open(os.path.join(corpus, "words"), "w", encoding="ascii") as file:
        file.write(words())
    put(corpus, "frame", "client", b"\x03\x01" + client_frames())
    for number, text in enumerate(CONFIGURATIONS):
        put(corpus, "config", "configuration-%d" % number, text.encode())
    for number, request in enumerate(HTTP):
        put(corpus, "http", "request-%d" % number, request)
    for number, line in enumerate(LINES):
        put(corpus, "lines", "line-%d" % number, line)
    for number, line in enumerate(REQUESTS):
        put(corpus, "admin", "request-%d" % number, b"\x00" + line.encode() + b"\n")
        put(corpus, "admin", "change-%d" % number, b"\x01" + line.encode() + b"\n")
    for number, conversation in enumerate(CONVERSATIONS):
        put(corpus, "session", "conversation-%d" % number, conversation)
    certificates(corpus)
    unpack(corpus)


if __name__ == "__main__":
    write(sys.argv[1])
