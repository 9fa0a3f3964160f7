"""workloads.py - what a broker does while its writes are recorded: one function a workload.

Each gets a directory, the authority, and what lie the recorder is to plant, and returns the
Recording, ended. Small: it is the images between two syncs that are many.
"""

import random

from witness import Recording, messages

# Retries are not what is looked at; what is rejected here is rejected for good.
SETTINGS = 'route "alpha-beta" { queue_capacity = 50000 }\n'
# A turn with such a batch is longer than the redo log takes, a quarter of it: a checkpoint ends it.
LARGE_BATCH = 100000


def first_start(directory, authority, plant=""):
    """The store is made, once more opened, and made larger."""
    r = Recording(directory, authority, SETTINGS, plant)
    r.broker.start()
    r.hand_over(r.module("ALPHA"))
    r.stop()
    r.broker.start()
    r.hand_over(r.module("ALPHA"))
    r.stop()
    r.broker.configure('sandbox = false\nadmin { socket = "admin.sock" }\n' + SETTINGS, "80M")
    r.broker.start()
    r.hand_over(r.module("ALPHA"))
    r.stop()
    return r


def steady_state(directory, authority, plant="", batches=100):
    """One batch after the other, from the source to PROCESSED: the redo log, 256 pages, is full
    once at least."""
    r = Recording(directory, authority, SETTINGS, plant)
    r.broker.start()
    alpha, beta = r.module("ALPHA"), r.module("BETA")
    waiting = [r.hand_over(alpha, size=size) for size in (10, 5000)]
    for batch in waiting:
        beta.delivery(batch)
    for n in range(batches):
        batch = r.hand_over(alpha, size=LARGE_BATCH if n in (5, 10) else
                            (10, 300, 1500, 6000)[n % 4])
        r.finish(beta, beta.delivery(batch))
    r.stop()
    return r


def group_commit(directory, authority, plant="", groups=3, size=100):
    """A hundred batches in one turn."""
    r = Recording(directory, authority, SETTINGS, plant)
    r.broker.start()
    alpha = r.module("ALPHA")
    batches = []
    for _ in range(groups):
        group = [alpha.batch() for _ in range(size)]
        asked = r.now()
        for batch in group:
            r.offer(alpha, batch).asked = asked
        for batch in group:
            r.hear(alpha, batch)
        batches += group
    beta = r.module("BETA")
    deliveries = [beta.delivery(batch) for batch in batches]
    asked = r.now()
    answers = [beta.acknowledge(delivery, "PROCESSED") for delivery in deliveries]
    for delivery, answer in zip(deliveries, answers):
        r.stories[delivery.batch_id].step("ended", asked, beta.answer_to(answer).left)
    r.stop()
    return r


def dead_letters(directory, authority, plant="", batches=12):
    """Rejected for good; some are tried again, some are forgotten by a person's hand."""
    r = Recording(directory, authority, SETTINGS, plant)
    r.broker.start()
    alpha, beta = r.module("ALPHA"), r.module("BETA")
    letters = [r.hand_over(alpha, size=100 + 700 * (n % 3)) for n in range(batches)]
    for batch in letters:
        r.reject(beta, beta.delivery(batch))
    third = batches // 3
    for batch in letters[:third]:
        r.operate("queued", [batch], "dead", "redrive", batch["metadata"]["batch_id"])
    for batch in letters[:third]:
        r.finish(beta, beta.delivery(batch))
    for batch in letters[third:2 * third]:
        r.operate("absent", [batch], "dead", "purge", "--yes", batch["metadata"]["batch_id"])
    r.stop()
    return r


def atomic_stage(directory, authority, plant="", stages=8):
    """Three batches end and their result is handed over, in one step."""
    r = Recording(directory, authority, SETTINGS, plant)
    r.broker.start()
    alpha, beta, gamma = r.module("ALPHA"), r.module("BETA"), r.module("GAMMA")
    for n in range(stages):
        inputs = [r.hand_over(alpha) for _ in range(3)]
        output = r.complete(beta, [beta.delivery(batch) for batch in inputs],
                            size=LARGE_BATCH if n % 4 == 3 else 100)
        r.finish(gamma, gamma.delivery(output))
    r.stop()
    return r


def history(directory, authority, plant="", batches=60):
    """More has ended than history may keep: the oldest is forgotten."""
    r = Recording(directory, authority, SETTINGS, plant, history_size="64K", dedupe_minimum="1ms")
    r.broker.start()
    alpha, beta = r.module("ALPHA"), r.module("BETA")
    for _ in range(batches):
        batch = r.hand_over(alpha)
        r.finish(beta, beta.delivery(batch))
        notice = alpha.outcome(batch)["notice"]
        r.stories[batch["metadata"]["batch_id"]].step("absent", r.now())
        alpha.send(alpha_seen(alpha, notice))
    r.stop()
    return r


def alpha_seen(client, notice):
    """Any message does; this one is refused, and its `seen` counts."""
    return {"header": messages.header(client.module, "BARRIER"), "seen": notice}


def killed(directory, authority, plant="", lives=3):
    """Killed with batches out; the next start does again what is in the log, takes them back, and
    is cut as well. In every second life a checkpoint comes before that."""
    r = Recording(directory, authority, SETTINGS, plant)
    for life in range(lives):
        r.broker.start()
        alpha, beta = r.module("ALPHA"), r.module("BETA")
        sizes = (100, LARGE_BATCH if life % 2 else 3000, 100, 6000, 100)
        batches = [r.hand_over(alpha, size=size) for size in sizes]
        for batch in batches:
            beta.delivery(batch)
        r.finish(beta, beta.delivery(r.hand_over(alpha)))
        r.kill()
    r.broker.start()
    r.stop()
    return r


def nearly_full(directory, authority, plant="", kept=20):
    """Filled until the store refuses, drained a little, filled again."""
    r = Recording(directory, authority, 'route "alpha-beta" { queue_capacity_bytes = 60M }\n',
                  plant)
    r.broker.start()
    alpha = r.module("ALPHA")
    taken = []

    def fill(size):
        while True:
            batch = alpha.batch(count=1, size=size)
            r.offer(alpha, batch)
            answer = r.hear(alpha, batch)
            if answer.type != "ACKNOWLEDGMENT":
                return
            taken.append(batch)
    fill(2 << 20)
    fill(60000)
    beta = r.module("BETA", 4)
    for _ in range(6):
        r.finish(beta, beta.delivery())
    fill(300000)
    fill(3000)
    r.stop()
    return r


def many(directory, authority, plant="", batches=10000, seed=0):
    """So many batches, alone and together, while a target takes some of them."""
    r = Recording(directory, authority, SETTINGS, plant)
    chance = random.Random(seed)
    r.broker.start()
    alpha, beta = r.module("ALPHA"), r.module("BETA", 50)
    while batches > 0:
        group = [alpha.batch(size=chance.randrange(800))
                 for _ in range(min(batches, chance.choice((1, 1, 2, 5, 20, 100))))]
        batches -= len(group)
        for batch in group:
            r.offer(alpha, batch)
        for batch in group:
            r.hear(alpha, batch)
        for _ in range(len(group) // 3):
            beta.acknowledge(beta.delivery(), "PROCESSED")
    r.stop()
    return r


def one_batch(directory, authority):
    r = Recording(directory, authority, SETTINGS)
    r.broker.start()
    r.hand_over(r.module("ALPHA"))
    r.stop()
    return r


def a_bit_of_everything(directory, authority):
    """A small store with batches in every state, for rot: some since the latest checkpoint."""
    r = Recording(directory, authority, SETTINGS)
    r.broker.start()
    alpha, beta, gamma = r.module("ALPHA"), r.module("BETA", 12), r.module("GAMMA", 2)
    batches = [r.hand_over(alpha, size=(20, 1500, 3000)[n % 3]) for n in range(20)]
    held = [beta.delivery(batch) for batch in batches[:12]]
    for delivery in held[:3]:
        r.finish(beta, delivery)
    for delivery in held[3:7]:
        r.reject(beta, delivery)
    outputs = [r.complete(beta, held[7:9]), r.complete(beta, held[9:11], size=2500)]
    delivery = gamma.delivery(outputs[0])
    r.finish(gamma, delivery)
    gamma.confirm(delivery, messages.record_ids(delivery)[:1])
    r.ctl.say("pause", "beta-gamma", "--reason", "for a test")
    r.stop()
    r.broker.start()
    alpha, beta = r.module("ALPHA"), r.module("BETA", 30)
    for n in range(10):
        r.hand_over(alpha, size=(20, 1500, 9000)[n % 3])
    for _ in range(3):              # one by one: the circuit is open since those rejections
        r.finish(beta, beta.delivery())
    r.reject(beta, beta.delivery())
    r.complete(beta, [beta.delivery()])
    beta.delivery()
    r.hand_over(alpha)
    r.kill()
    return r


ALL = (first_start, steady_state, group_commit, dead_letters, atomic_stage, history, killed,
       nearly_full)
# Checkpoints that come between two turns that are logged, at least.
LEAST_CHECKPOINTS = {steady_state: 3, atomic_stage: 1, killed: 1}
