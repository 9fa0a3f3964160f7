"""script.py - what is done while a call fails: the same conversation each time, with new batches.

Twenty batches and what can become of them: taken one by one and together, repeated, refused,
retried, dead, redriven, staged, confirmed, listed. Silence and lost connections are the caller's.
"""

import messages
from handoff_client import summary
from ledger import Refused


def expect(answer, status):
    """The answer, if it says so; what is refused for a moment may be, while something fails."""
    if answer.type != "ACKNOWLEDGMENT" or answer.status != status:
        raise Refused(summary(answer))
    return answer


def send(life, module, message, is_right=True):
    life.module(module).send_body(life.ledger.send(module, message, is_right))
    return message


def hand_over(life, module="ALPHA", **fields):
    source = life.module(module)
    message = send(life, module, source.batch(seen=source.seen, **fields))
    expect(source.answer_to(message), "RECEIVED")
    return message


def run(life):
    """All of it; raises what a client raises when something is not answered."""
    # the last one is more than the redo log takes: a checkpoint ends its turn
    batches = [hand_over(life, size=100000 if i == 5 else 16) for i in range(6)]
    take_together(life, batches, 11)
    repeat_and_refuse(life, batches[0])
    retry(life, batches[0])
    die_and_come_back(life, batches[1])
    stage(life, batches[2:4])
    look(life)
    for batch in batches[4:]:
        finish(life, "BETA", batch)
    for batch in batches:
        life.module("ALPHA").outcome(batch)


def take_together(life, batches, count):
    source = life.module("ALPHA")
    # the first one makes the turn so long that another thread writes it to the redo log
    together = [send(life, "ALPHA", source.batch(size=20000 if i == 0 else 16))
                for i in range(count)]
    for batch in together:
        expect(source.answer_to(batch), "RECEIVED")
    batches += together


def repeat_and_refuse(life, batch):
    source = life.module("ALPHA")
    source.send(batch)
    expect(source.answer_to(batch), "RECEIVED")
    wrong = source.batch()
    wrong["metadata"]["checksum"] = "0" * 64
    expect(source.answer_to(send(life, "ALPHA", wrong, is_right=False)), "REJECTED")


def finish(life, module, batch):
    target = life.module(module)
    delivery = target.delivery(batch)
    expect(target.answer_to(target.acknowledge(delivery, "PROCESSED")), "PROCESSED")
    return delivery


def reject(target, delivery, recoverability):
    error = messages.error(target.module, recoverability)
    expect(target.answer_to(target.acknowledge(delivery, "REJECTED", errors=[error])), "REJECTED")


def retry(life, batch):
    target = life.module("BETA")
    delivery = target.delivery(batch)
    target.acknowledge(delivery, "RECEIVED")
    life.ask("status")
    reject(target, delivery, "TRANSIENT")
    finish(life, "BETA", batch)


def die_and_come_back(life, batch):
    target = life.module("BETA")
    reject(target, target.delivery(batch), "PERMANENT")
    life.ask("dead list")
    life.ask("dead redrive " + batch["metadata"]["batch_id"])
    finish(life, "BETA", batch)


def stage(life, inputs):
    target = life.module("BETA")
    deliveries = [target.delivery(batch) for batch in inputs]
    output = hand_over(life, "BETA", content=deliveries[0]["records"],
                       count=deliveries[0]["metadata"]["record_count"],
                       completes=[messages.completion(delivery) for delivery in deliveries])
    for _ in inputs:
        expect(target.answer_to(output), "PROCESSED")
    life.module("GAMMA").confirm(finish(life, "GAMMA", output))
    target.outcome(output)


def look(life):
    for line in ("batches", "clients", "routes"):
        life.ask(line)
