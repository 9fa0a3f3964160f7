"""plots.py - the figures as pictures: bars with their ranges, and how latencies are distributed.

SVG written by hand, one file a picture, that browsers and documents show as it is.
"""

import math
import os
from html import escape

from table import median

WIDTH, LEFT, RIGHT, TOP, LINE = 720, 150, 110, 46, 34
PLOT_HEIGHT, PLOT_BOTTOM = 320, 46
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280")
STYLE = "text { font: 13px sans-serif; fill: #222 } .title { font-size: 15px; font-weight: bold }"


def document(height, title, parts):
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
        % (WIDTH, height, WIDTH, height),
        "<style>%s</style>" % STYLE,
        '<rect width="100%" height="100%" fill="white"/>',
        text(12, 24, title, kind="title"), *parts, "</svg>\n"])


def text(x, y, words, anchor="start", kind=""):
    return ('<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>'
            % (x, y, anchor, ' class="%s"' % kind if kind else "", escape(words)))


def line(x1, y1, x2, y2, colour="#222", width=1.5):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>'
            % (x1, y1, x2, y2, colour, width))


def bars(title, values, decimals):
    """One bar for each name of `values`, at the median, with a whisker from least to most."""
    most = max(max(v) for v in values.values()) or 1
    scale = (WIDTH - LEFT - RIGHT) / most
    parts = []
    for number, (name, all_of) in enumerate(values.items()):
        y = TOP + number * LINE
        low, high, middle = min(all_of), max(all_of), median(all_of)
        parts += [
            text(LEFT - 8, y + 18, name, "end"),
            '<rect x="%d" y="%d" width="%.1f" height="22" fill="%s"/>'
            % (LEFT, y + 3, middle * scale, COLOURS[number % len(COLOURS)]),
            line(LEFT + low * scale, y + 14, LEFT + high * scale, y + 14),
            line(LEFT + low * scale, y + 9, LEFT + low * scale, y + 19),
            line(LEFT + high * scale, y + 9, LEFT + high * scale, y + 19),
            text(LEFT + max(high, middle) * scale + 8, y + 18, "%.*f" % (decimals, middle))]
    return document(TOP + len(values) * LINE + 14, title, parts)


def grid(low, high, x_of):
    """Ticks of a logarithmic scale: 1, 2, 5 and their tens."""
    bottom = TOP + PLOT_HEIGHT
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for tick in (step * 10 ** power for step in (1, 2, 5)):
            if low <= tick <= high:
                yield line(x_of(tick), TOP, x_of(tick), bottom, "#ddd", 1)
                yield text(x_of(tick), bottom + 18, "%g" % tick, "middle")
    for percent in (0, 50, 90, 99, 100):
        y = bottom - PLOT_HEIGHT * percent / 100
        yield line(60, y, WIDTH - 20, y, "#ddd", 1)
        if percent != 99:
            yield text(52, y + 4, "%d %%" % percent, "end")


def distribution(title, curves):
    """Which part of the samples took at most so long: curves of times at equal steps."""
    low = max(1, min(curve[0] for curve in curves.values()))
    high = max(max(curve[:-1]) for curve in curves.values())
    high = max(high, low * 1.1)
    scale = (WIDTH - 80) / math.log(high / low)

    def x_of(us):
        return 60 + scale * math.log(min(max(us, low), high) / low)

    parts = list(grid(low, high, x_of))
    for number, (name, curve) in enumerate(curves.items()):
        steps = len(curve) - 1
        points = " ".join("%.1f,%.1f" % (x_of(us), TOP + PLOT_HEIGHT * (1 - i / steps))
                          for i, us in enumerate(curve))
        colour = COLOURS[number % len(COLOURS)]
        parts += ['<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>'
                  % (points, colour),
                  line(74, TOP + 16 + 20 * number, 98, TOP + 16 + 20 * number, colour, 3),
                  text(104, TOP + 20 + 20 * number, name)]
    return document(TOP + PLOT_HEIGHT + PLOT_BOTTOM, title, parts)


def middle_curve(curves):
    return [median(step) for step in zip(*curves)]


def save(directory, name, picture):
    with open(os.path.join(directory, name + ".svg"), "w") as file:
        file.write(picture)


def draw(results, figures, directory):
    """A picture for each figure, and the distributions where one batch was in flight."""
    os.makedirs(directory, exist_ok=True)
    for workload, figure, name, decimals, _, _ in figures:
        contenders = results.contenders(workload)
        if contenders:
            save(directory, "%s-%s" % (workload.lower(), figure.replace("_", "-")),
                 bars("%s, %s" % (workload, name),
                      {c: list(results.values(workload, c, figure).values())
                       for c in contenders}, decimals))
    if not results.contenders("W3"):
        return
    for figure, name in (("received_us", "RECEIVED"), ("processed_us", "PROCESSED")):
        save(directory, "w3-distribution-" + name.lower(),
             distribution("W3, one in flight: part of the batches %s within so many us" % name,
                          {c: middle_curve(results.values("W3", c, figure).values())
                           for c in results.contenders("W3")}))
