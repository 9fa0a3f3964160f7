"""slopes.py - does it grow? A line through what was measured again and again, and its doubt."""

import math


class Line:
    """The line through points (x, y) by least squares: `slope`, and the slope's standard error."""

    def __init__(self, points):
        n = len(points)
        middle_x = sum(x for x, _ in points) / n
        self.mean = sum(y for _, y in points) / n
        spread = sum((x - middle_x) ** 2 for x, _ in points)
        self.slope = sum((x - middle_x) * (y - self.mean) for x, y in points) / spread
        rest = sum((y - self.mean - self.slope * (x - middle_x)) ** 2 for x, y in points)
        self.doubt = math.sqrt(rest / (n - 2) / spread)


class Series:
    """One figure over time. It `grows` when its line, less three times its doubt, rises by more
    than is allowed: so much an hour, or so much in all where the run is too short to tell."""

    def __init__(self, name, unit, per_hour, in_all=0):
        self.name, self.unit = name, unit
        self.per_hour, self.in_all = per_hour, in_all
        self.points = []

    def add(self, seconds, value):
        self.points.append((seconds, value))

    def judge(self, allowed_share=0):
        """Leaves out the first third, in which it warms up; a line for people, and the verdict."""
        points = self.points[len(self.points) // 3:]
        line = Line(points)
        seconds = points[-1][0] - points[0][0]
        rise, doubt = line.slope * seconds, line.doubt * seconds
        allowed = max(self.per_hour * seconds / 3600, self.in_all, allowed_share * line.mean)
        grows = rise - 3 * doubt > allowed
        text = "%-12s mean %10.1f %-5s rise %+9.2f +- %.2f in %.0f s, allowed %.2f%s" % (
            self.name, line.mean, self.unit, rise, doubt, seconds, allowed,
            ": GROWS" if grows else "")
        return text, grows
