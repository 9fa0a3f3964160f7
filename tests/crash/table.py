"""table.py - what came of runs, for people: what was done, the verdicts, and what was wrong."""


class Verdict:
    """A row of the table: a count that must be 0, and examples of what was counted."""

    def __init__(self, name, meaning, culprits):
        self.name = name
        self.meaning = meaning
        self.culprits = sorted(set(map(str, culprits)))

    def __len__(self):
        return len(self.culprits)


class Outcome:
    """Of one run. Rows are (name, number, meaning); points, how often it died at a named point."""

    def __init__(self, rows, verdicts, points, complaints):
        self.rows = rows
        self.verdicts = verdicts
        self.points = points
        self.complaints = complaints

    def is_clean(self):
        return not self.complaints


def print_table(outcomes):
    """Rows of the same name and meaning are added up, in the order of their first coming."""
    rows, verdicts = {}, {}
    for outcome in outcomes:
        for name, number, meaning in outcome.rows:
            rows[name, meaning] = rows.get((name, meaning), 0) + number
        for verdict in outcome.verdicts:
            key = verdict.name, verdict.meaning
            verdicts[key] = verdicts.get(key, 0) + len(verdict)
    for (name, meaning), number in [*rows.items(), *verdicts.items()]:
        print("%-16s %8d  %s" % (name, number, meaning))
    for outcome in outcomes:
        for complaint in outcome.complaints:
            print(complaint)
    return list(verdicts.values())
