"""Panels of the Grafana dashboard as a drawing, from a Prometheus' answers to their queries.

What Grafana does with them is its own; this has the same places, titles, queries, units and legends.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.parse
import urllib.request
from html import escape
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from driver.chart import STYLE, Axis

DASHBOARD = ROOT / "manifests/components/monitoring/dashboard.json"
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8b949e"]
# Of the picture: 24 columns of a dashboard, and rows of 30 px as in Grafana, here a little lower.
COLUMN, ROW, LEFT, GAP = 39, 24, 12, 8
UNITS = {"s": [(1, "s"), (1e-3, "ms"), (1e-6, "µs")], "bytes": [(2**20, "MiB"), (2**10, "KiB")], "reqps": [(1, "/s")]}

Series = tuple[str, list[tuple[float, float]]]


class Prometheus:
    """Asked for the series of a span of time, in seconds since the epoch."""

    def __init__(self, url: str, start: float, end: float, step: float):
        self.url, self.start, self.end, self.step = url, start, end, step

    def series(self, expression: str, legend: str) -> Iterator[Series]:
        # As Grafana sets it: four times the interval of the scrapes.
        text = expression.replace("$namespace", "log-pong").replace("$__rate_interval", f"{4 * self.step:.0f}s")
        query = urllib.parse.urlencode({"query": text, "start": self.start, "end": self.end, "step": self.step})
        with urllib.request.urlopen(f"{self.url}/api/v1/query_range?{query}", timeout=30) as answer:
            found = json.load(answer)["data"]["result"]
        for one in found:
            name = re.sub(r"{{\s*(\w+)\s*}}", lambda m: one["metric"].get(m[1], ""), legend)
            values = [(float(at), float(value)) for at, value in one["values"]]
            yield name.strip(), [(at, value) for at, value in values if value == value]


def written(value: float, unit: str) -> str:
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    scales = UNITS.get(unit, [(1, "")])
    size, name = next((scale for scale in scales if value >= scale[0]), scales[-1] if value else scales[0])
    amount = f"{value / size:,.0f}" if value / size >= 100 else f"{value / size:.3g}"
    return f"{amount} {name}".strip().replace(" /", "/")


def fitting(words: str, width: float, size: float = 6.4) -> str:
    """Without its beginning where there is no room for it: names differ at their end."""
    room = int(width / size)
    return words if len(words) <= room else "…" + words[len(words) - room + 1 :]


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(words)}</text>'


def lines(box: tuple[float, float, float, float], found: list[Series], unit: str, span: Prometheus) -> Iterator[str]:
    left, top, width, height = box
    highest = max((value for _, values in found for _, value in values), default=0) or 1
    axis = Axis([highest], height, logarithmic=False)
    for tick in axis.ticks:
        y = top + height - axis.pixels(tick)
        yield f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield text(left - 5, y + 4, written(tick, unit), "small", "end")
    for index, (_, values) in enumerate(found):
        points, before = [], None
        for at, value in values:
            x = left + width * (at - span.start) / (span.end - span.start)
            move = "L" if before is not None and at - before < 2 * span.step else "M"
            points.append(f"{move}{x:.1f} {top + height - axis.pixels(value):.1f}")
            before = at
        yield f'<path d="{"".join(points)}" class="line" stroke="{COLOURS[index % len(COLOURS)]}"/>'


def legend(x: float, y: float, width: float, found: list[Series]) -> Iterator[str]:
    """As many names as there is room for."""
    end = x + width
    for index, (name, _) in enumerate(found):
        more = len(found) - index
        name = fitting(name, width - 100)
        if x + 20 + 6.4 * len(name) > end - (60 if more > 1 else 0):
            yield text(x, y, f"and {more} more", "small")
            return
        yield f'<rect x="{x:.1f}" y="{y - 6:.1f}" width="10" height="3" fill="{COLOURS[index % len(COLOURS)]}"/>'
        yield text(x + 14, y, name, "small")
        x += 26 + 6.4 * len(name)


def stat(box: tuple[float, float, float, float], found: list[Series], unit: str) -> Iterator[str]:
    left, top, width, height = box
    count = min(len(found), 4)
    for index, (name, values) in enumerate(found[:count]):
        x = left + width * (index + 0.5) / count
        yield text(x, top + height / 2, written(values[-1][1], unit), "stat", "middle")
        yield text(x, top + height / 2 + 20, fitting(name, width / count - 12), "small", "middle")


def panel(one: dict[str, Any], down: int, prometheus: Prometheus) -> Iterator[str]:
    place, unit = one["gridPos"], one["fieldConfig"]["defaults"]["unit"]
    x, y = LEFT + COLUMN * place["x"], ROW * (place["y"] - down) + LEFT
    width, height = COLUMN * place["w"] - GAP, ROW * place["h"] - GAP
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" class="card"/>'
    title = one["title"]
    yield text(x + 10, y + 20, title if len(title) <= 30 else title[:29] + "…", "title")
    found = [series for target in one["targets"] for series in prometheus.series(target["expr"], target["legendFormat"]) if series[1]]
    # The names that there is room for are those of what was most.
    found.sort(key=lambda series: -max(value for _, value in series[1]))
    if not found:
        yield text(x + width / 2, y + height / 2, "No data", "small", "middle")
    elif one["type"] == "stat":
        yield from stat((x, y + 20, width, height - 20), found, unit)
    else:
        yield from lines((x + 58, y + 38, width - 72, height - 72), found, unit, prometheus)
        yield from legend(x + 12, y + height - 10, width - 24, found)


def rows(wanted: tuple[str, ...]) -> list[tuple[int, dict[str, Any]]]:
    """The panels of these rows of the dashboard, each with how much lower they are there."""
    chosen, down, shown, end = [], 0, False, 0
    for one in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        if one["type"] == "row":
            shown = one["title"] in wanted
            down = one["gridPos"]["y"] - end
        if shown:
            chosen.append((down, one))
            end = one["gridPos"]["y"] + one["gridPos"]["h"] - down
    return chosen


def drawing(wanted: tuple[str, ...], prometheus: Prometheus, label: str, footer: str) -> str:
    chosen = rows(wanted)
    height = max((one["gridPos"]["y"] + one["gridPos"]["h"] - down) for down, one in chosen) * ROW + 42
    width = COLUMN * 24 + 2 * LEFT - GAP
    more = ".line { fill: none; stroke-width: 1.5; stroke-linejoin: round } .stat { font-size: 26px }"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}">',
        f"<style>{STYLE}  {more}\n</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6" class="card"/>',
    ]
    for down, one in chosen:
        if one["type"] == "row":
            parts.append(text(LEFT + 4, ROW * (one["gridPos"]["y"] - down) + LEFT + 15, one["title"], "title"))
        else:
            parts += panel(one, down, prometheus)
    return "\n".join([*parts, text(LEFT + 4, height - 14, footer, "small"), "</svg>", ""])
