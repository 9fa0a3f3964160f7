#!/usr/bin/python3
"""second_opinion.py - does Python's msgpack judge as our validator does?

second_opinion.py --verdicts PROGRAM [--corpus DIR] [--inputs N] [--seed S]

PROGRAM (fuzz-verdicts) says of each input "ok", "truncated", "reserved" or "deep", and how long the
first item is. Python decodes the same bytes. Inputs are the corpus and N generated ones: items, and
items that are cut, changed and mixed.

Where the two may differ: "deep" (our level 65; Python's is 1024); of bytes with two faults, which one
is told; and an ext of 2^32-1 bytes, whose length and type Python's adds up in 32 bits, to 0.
"""

import argparse
import os
import random
import struct
import subprocess
import sys

import msgpack

BATCH = 20000
LONGEST_EXT = b"\xc9\xff\xff\xff\xff"


def verdict(data):
    """What Python says: the verdict, and the size of the first item."""
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 24)
    unpacker.feed(data)
    try:
        unpacker.skip()
        return "ok", unpacker.tell()
    except msgpack.OutOfData:
        return "truncated", 0
    except msgpack.StackError:
        return "deep", 0
    except ValueError:
        return "reserved", 0


def item(rng, depth):
    """A random item, with heads that are longer than they need be."""
    kind = rng.randrange(10 if depth else 7)
    if kind == 0:
        return bytes([rng.randrange(256)])
    if kind == 1:
        return bytes([0xca + rng.randrange(10)]) + rng.randbytes(8)
    if kind == 2:
        return bytes([0xd4 + rng.randrange(5)]) + rng.randbytes(1 + (1 << rng.randrange(5)))
    if kind in (3, 4, 5):
        content = rng.randbytes(rng.randrange(40))
        return length(rng, rng.choice((0xc4, 0xd9)), len(content)) + content
    if kind == 6:
        content = rng.randbytes(rng.randrange(20))
        return length(rng, 0xc7, len(content)) + rng.randbytes(1) + content
    count = rng.randrange(5)
    items = b"".join(item(rng, depth - 1) for _ in range(count * (2 if kind == 9 else 1)))
    if rng.random() < 0.5:
        return bytes([(0x80 if kind == 9 else 0x90) + count]) + items
    head = 0xde if kind == 9 else 0xdc
    return struct.pack(">BH", head, count) + items if rng.random() < 0.5 else \
        struct.pack(">BI", head + 1, count) + items


def length(rng, first, count):
    """A head of 8, 16 or 32 bits of length."""
    width = rng.randrange(3)
    return bytes([first + width]) + struct.pack((">B", ">H", ">I")[width], count)


def spoiled(rng, data):
    """Cut, with some bytes changed, or with more behind it."""
    data = bytearray(data)
    for _ in range(rng.randrange(3)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data) + 1):]
    return bytes(data)


def generate(rng, count):
    for _ in range(count):
        data = item(rng, rng.choice((0, 1, 2, 3, 5)))
        if rng.random() < 0.02:
            data = b"\x91" * rng.randrange(60, 70) + data
        yield spoiled(rng, data)


def corpus_files(directory):
    for name in sorted(os.listdir(directory)) if directory else []:
        with open(os.path.join(directory, name), "rb") as file:
            yield file.read()


def ours(program, inputs):
    stdin = b"".join(struct.pack(">I", len(data)) + data for data in inputs)
    output = subprocess.run([program], input=stdin, stdout=subprocess.PIPE, check=True).stdout
    return [(name, int(size)) for name, size in (line.split() for line in output.decode().split(
        "\n") if line)]


def compare(program, inputs):
    """How many inputs were judged in two ways."""
    bad = 0
    for data, (name, size) in zip(inputs, ours(program, inputs), strict=True):
        there = verdict(data)
        if name == "deep" and there[0] == "ok" or there == (name, size):
            continue
        if {name, there[0]} <= {"truncated", "reserved"} or LONGEST_EXT in data:
            continue
        bad += 1
        print("%s: ours %s %d, Python's %s %d" % (data.hex(), name, size, *there))
    return bad


def batches(inputs):
    batch = []
    for data in inputs:
        batch.append(data)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--verdicts", required=True)
    parser.add_argument("--corpus")
    parser.add_argument("--inputs", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total = bad = 0
    rng = random.Random(options.seed)
    for source in (corpus_files(options.corpus), generate(rng, options.inputs)):
        for batch in batches(source):
            total += len(batch)
            bad += compare(options.verdicts, batch)
    print("second opinion: %d inputs, %d judged otherwise (seed %d)" % (total, bad, options.seed))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
