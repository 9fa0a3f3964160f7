"""table.py - the figures of several rounds: medians, ranges, ratios; for people and as CSV."""

import csv


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class Results:
    """Figures of each round, by workload and contender."""

    def __init__(self):
        self.rounds = {}

    def add(self, workload, contender, number, figures):
        self.rounds.setdefault((workload, contender), {})[number] = figures

    def contenders(self, workload):
        return [contender for known, contender in self.rounds if known == workload]

    def values(self, workload, contender, figure):
        """Of all rounds, by round."""
        return {number: figures[figure]
                for number, figures in self.rounds.get((workload, contender), {}).items()}

    def ratio(self, workload, ours, theirs, figure):
        """The median of the ratios within each round: what disturbed a round disturbed both."""
        own, other = (self.values(workload, name, figure) for name in (ours, theirs))
        ratios = [own[number] / other[number] for number in own if other.get(number)]
        return median(ratios) if ratios else None


def absolute(values, decimals):
    def text(value):
        return "%.*f" % (decimals, value)
    return "%s [%s..%s]" % (text(median(values)), text(min(values)), text(max(values)))


def rows(results, figures, ours):
    """A line of the table for each figure that was measured."""
    for workload, figure, name, decimals, asked, is_most in figures:
        contenders = results.contenders(workload)
        if ours not in contenders:
            continue
        for contender in contenders:
            values = list(results.values(workload, contender, figure).values())
            ratio = None if contender == ours else results.ratio(workload, ours, contender, figure)
            yield (workload, name, contender, absolute(values, decimals),
                   "" if ratio is None else "%.2f" % ratio,
                   "" if ratio is None or asked is None else
                   "%s %g: %s" % ("at most" if is_most else "at least", asked,
                                  "yes" if (ratio <= asked) == is_most or ratio == asked
                                  else "NO"))


HEAD = ("workload", "figure", "contender", "median [min..max]", "ratio", "asked for")


def show(results, figures, ours):
    """The ratio stands in the peer's line: ours to that peer's."""
    lines = [HEAD, *rows(results, figures, ours)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def write_csv(results, path):
    """Every single figure: workload, contender, round, figure, value."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("workload", "contender", "round", "figure", "value"))
        for (workload, contender), by_round in results.rounds.items():
            for number, figures in by_round.items():
                for figure, value in figures.items():
                    if not isinstance(value, list):
                        out.writerow((workload, contender, number, figure, "%.6g" % value))
