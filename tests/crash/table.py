"""table.py - what came of rounds, for people: what was done, the verdicts, and what was wrong."""


def print_table(rounds):
    for name, number, meaning in add_up(rounds):
        print("%-16s %8d  %s" % (name, number, meaning))
    for played in rounds:
        for line in played.complaints():
            print(line)


def add_up(rounds):
    """The rows of all of them, each once, in the order of their first coming."""
    sums = {}
    for played in rounds:
        verdicts = [(verdict.name, len(verdict), verdict.meaning) for verdict in played.verdicts]
        for name, number, meaning in played.rows + verdicts:
            sums[name, meaning] = sums.get((name, meaning), 0) + number
    return [(name, number, meaning) for (name, meaning), number in sums.items()]
