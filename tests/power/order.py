"""order.py - nothing leaves before it is durable: reads a trace and counts what left too early.

Two counts. One knows what was promised: of each batch that was answered RECEIVED the first write
that has its payload is looked up, and the sync and the synced write of LMDB's meta page that follow
it; the send() that carried RECEIVED has to come after them. The other knows nothing: whenever
anything leaves, all that was written before has been synced.
"""

import re

from witness import SEND, SYNC, WRITE, WRITE_SYNCED, read_trace

UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def durable_from(trace, ids):
    """For each id the place of the synced meta write that makes its payload durable."""
    durable, written, synced = {}, [], []
    for place, kind, _, _, data in read_trace(trace):
        if kind == WRITE:
            for match in UUID.findall(data):
                if match in ids:
                    ids.remove(match)
                    written.append(match.decode())
        elif kind == SYNC:
            synced += written
            written = []
        elif kind == WRITE_SYNCED:
            durable.update((batch_id, place) for batch_id in synced)
            synced = []
    return durable


def inversions(recording):
    """Batches whose RECEIVED left before they were durable; and how many were looked at."""
    told = {story.batch_id: place for story, place in recording.received()}
    durable = durable_from(recording.trace, {batch_id.encode() for batch_id in told})
    return [batch_id for batch_id, place in told.items()
            if place < durable.get(batch_id, 2 ** 63)], len(told)


def early_sends(trace):
    """How often something left while something written was not synced; of how many sends."""
    early = sends = 0
    waiting = {}
    for _, kind, file, at, data in read_trace(trace):
        if kind == WRITE:
            waiting.setdefault(file, set()).add(at)
        elif kind == SYNC:
            waiting.pop(file, None)
        elif kind == SEND:
            sends += 1
            early += any(waiting.values())
    return early, sends
