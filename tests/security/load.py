#!/usr/bin/python3
"""load.py - a stranger or a bulk peer in its own process: load.py KIND PORT SECONDS [FILE...]

    hellos  opens connections and sends a ClientHello on each, as fast as it can
    bulk    hands over batches of a megabyte as ALPHA and finishes them as BETA; the files are the
            authority's, and certificate and key of each

Bounded in time and number. Prints what it did as one line: "KIND COUNT in SECONDS".
"""

import collections
import os
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "client"))

import messages  # noqa: E402
from certificates import Credentials  # noqa: E402
from handoff_client import Client  # noqa: E402

MOST = 200000               # connections, or batches
OPEN_AT_A_TIME = 600        # so many are left open before the oldest is closed
BULK_BYTES = 1 << 20
BULK_WINDOW = 4


def client_hello():
    """The bytes that a client of today begins with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def hellos(address, end):
    data, count, opened = client_hello(), 0, collections.deque()
    while time.monotonic() < end and count < MOST:
        one = socket.socket()
        one.settimeout(1)
        try:
            one.connect(address)
            one.sendall(data)
            count += 1
        except OSError:
            pass                # refused: that is what limits are for
        opened.append(one)
        if len(opened) > OPEN_AT_A_TIME:
            opened.popleft().close()
    return count


def bulk(address, end, ca, *files):
    alpha = Client(address, Credentials(ca, *files[:2]), "ALPHA")
    beta = Client(address, Credentials(ca, *files[2:]), "BETA")
    alpha.hello(0)
    beta.hello(BULK_WINDOW)
    content = messages.encode(messages.records(1, BULK_BYTES))
    count = pending = 0
    while time.monotonic() < end and count < MOST:
        while pending < BULK_WINDOW:
            alpha.send(messages.batch(content=content, count=1, sequence_number=count + pending))
            pending += 1
        beta.finish(beta.delivery())
        alpha.next()                # RECEIVED, and the outcome, in whatever order
        alpha.next()
        pending -= 1
        count += 1
    return count


def main():
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    os.nice(5)                  # strangers have machines of their own: the broker's is not theirs
    began = time.monotonic()
    count = {"hellos": hellos, "bulk": bulk}[kind](("127.0.0.1", port), began + seconds,
                                                   *sys.argv[4:])
    print("%s %d in %.1f" % (kind, count, time.monotonic() - began))


if __name__ == "__main__":
    main()
