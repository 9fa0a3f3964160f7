"""order.py - nothing leaves before it is durable: reads a trace and counts what left too early.

Two counts. One knows what was promised: of each batch that was answered RECEIVED the first write
that has its payload is looked up: a synced write of the redo log; or one of LMDB's, and the sync
and the synced write of its meta page that follow. The send() that carried RECEIVED has to come
after it. The other knows nothing: whenever anything leaves, all that was written before has been
synced.
"""

import re

from witness import CREATE, SEND, START, SYNC, WRITE, WRITE_SYNCED, read_trace

UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def durable_from(trace, ids):
    """For each id the place of the synced write that makes its payload durable."""
    durable, written, synced = {}, [], []
    for place, kind, _, _, data in read_trace(trace):
        found = ids.intersection(UUID.findall(data)) if kind in (WRITE, WRITE_SYNCED) else ()
        if kind == WRITE:
            written += found
            ids -= found
        elif kind == SYNC:
            synced += written
            written = []
        elif kind == WRITE_SYNCED:
            durable.update((batch_id.decode(), place) for batch_id in (*found, *synced))
            ids.difference_update(found)
            synced = []
    return durable


def turns_logged(trace):
    """How many turns were written to the redo log, and how many checkpoints came between two."""
    log, turns, amid, waiting = None, 0, 0, None
    for _, kind, file, _, data in read_trace(trace):
        if kind == START:
            waiting = None              # nothing of this life was logged yet
        elif kind == CREATE and data == b"custody.redo":
            log = file
        elif kind == WRITE_SYNCED and file == log:
            turns += 1
            amid += waiting or 0
            waiting = 0
        elif kind == WRITE_SYNCED and waiting is not None:
            waiting += 1
    return turns, amid


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
