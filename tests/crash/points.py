"""points.py - the named points at which the broker can be made to kill itself: base/failpoint.h.

Each with what a death there cuts in two, and the most passages to wait for: the one at which the
broker dies is drawn below it. A point that is passed once a start, once a stop, has 1. Each start
has a checkpoint behind what it does again of the redo log: the first passage of commit.before and
commit.after is that one; the later ones come when the log is full.
"""

# While a store is made; some of them also while one is opened.
CREATE = {
    "create.locked": ("the directory and its lock, and the file", 1),
    "create.opened": ("LMDB's file, and its full length", 1),
    "create.allocated": ("the length, and its sync", 1),
    "create.redo": ("the store's file, and its redo log", 1),
    "create.format": ("the tables and the format record, and their commit", 1),
    "create.done": ("a store, and its first use", 1),
}
START = {
    "create.locked": CREATE["create.locked"],
    "redo.again": ("the turns in the redo log, done again one by one", 4),
    "recover.before": ("recovery, and its commit", 1),
    "recover.after": ("the commit of recovery, and service", 1),
}
WORK = {
    "redo.before": ("all that a turn has done, and its write to the redo log", 40),
    "redo.after": ("that write, and the first byte that tells of it", 40),
    "redo.heard": ("a turn that another thread has written, and what it owes", 4),
    "commit.before": ("turns that the redo log has, and their checkpoint", 3),
    "commit.after": ("the checkpoint, and the redo log that begins anew", 3),
    "intake.before": ("a batch in its child transaction, and that one's end", 40),
    "intake.after": ("a batch taken in, and the commit", 40),
    "insert.middle": ("payload, and queue and identity", 40),
    "send.before": ("the commit, and a peer's bytes", 80),
    "send.after": ("one peer's bytes, and the next one's", 80),
    "settle.middle": ("what modules are told, and what operators are told", 40),
    "stage.middle": ("a stage's output, and the end of its inputs", 20),
    "end.middle": ("a batch out of the queue, and its row of history", 20),
    "bury.middle": ("a batch out of the queue, and its dead letter", 2),
    "bury.letter": ("a dead letter, and its outcome", 2),
    "partly.middle": ("the letter of a whole batch, and its end", 1),
    "letter.middle": ("the rejected records, and their letter", 1),
    "redrive.middle": ("a letter that is gone, and its place in the queue", 1),
    "purge.middle": ("a letter that is gone, and its payload", 1),
    "retell.middle": ("an outcome, and its move to who repeated the batch", 1),
    "confirm.middle": ("what was confirmed, and what the source hears of it", 4),
}
STOP = {
    "stop.begun": ("a closed door, and GOODBYE", 1),
    "stop.told": ("GOODBYE, and its bytes", 1),
    "stop.finish": ("the last turn, and the end", 1),
}
