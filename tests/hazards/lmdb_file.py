"""lmdb_file.py - what stands in the two meta pages of a store's file.

Read and written as bytes, beside a broker or without one: LMDB's own code is what is under test.
"""

import os
import struct

PAGE_HEADER = 16
# magic, version, address, map size, two trees of 48 bytes each, last page, transaction
META = struct.Struct("<IIQQ96sQQ")


def _metas(file):
    page_size = 4096
    for number in range(2):
        yield number * page_size + PAGE_HEADER


def last_page(path):
    """The highest page that was ever in use: it rises where nothing free is found, and never falls.
    """
    with open(path, "rb") as file:
        metas = [META.unpack(os.pread(file.fileno(), META.size, at)) for at in _metas(file)]
    return max(metas, key=lambda meta: meta[6])[5]


def set_version(path, version):
    """As if another LMDB had written the file. Returns the version that it had."""
    with open(path, "r+b") as file:
        for at in _metas(file):
            was = struct.unpack("<I", os.pread(file.fileno(), 4, at + 4))[0]
            os.pwrite(file.fileno(), struct.pack("<I", version), at + 4)
    return was


def replace(path, old, new):
    """Puts `new` in the place of each `old`, which has the same length; how many there were."""
    assert len(old) == len(new)
    count = 0
    with open(path, "r+b") as file:
        content = file.read()
        at = content.find(old)
        while at >= 0:
            os.pwrite(file.fileno(), new, at)
            count += 1
            at = content.find(old, at + 1)
    return count
