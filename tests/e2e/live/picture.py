"""docs/live.svg: the answers that a witness got while a step ran, second by second, out of what it told of each request.

The picture brings its own background in both colour schemes, so that its text is readable wherever it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

KEY = "picture"  # of what series() returns, in what a step has seen
WIDTH, LEFT, RIGHT = 960, 62, 20
TOP, BARS, GAP, WAITS, BOTTOM = 46, 110, 16, 40, 40
HEIGHT = TOP + BARS + GAP + WAITS + BOTTOM
CLASSES = ("old", "new", "failed")
LABELS = ("answers of the version that was there", "of the new version", "failed")
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
  .title { font-size: 14px; font-weight: 600 }
  .small { fill: #59636e; font-size: 11px }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .mark { stroke: #59636e; stroke-width: 1; stroke-dasharray: 3 3 }
  .old { fill: #0072b2 } .new { fill: #e69f00 } .failed { fill: #d1242f }
  .wait { fill: none; stroke: #59636e; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .mark, .wait { stroke: #9198a1 }
    .old { fill: #2f8fd8 } .failed { fill: #ff6a69 }
  }
"""


@dataclass
class Second:
    old: int = 0
    new: int = 0
    failed: int = 0
    wait: float = 0.0  # the longest of the requests that began in it, in seconds


def seconds_of(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def version(request: dict) -> str:
    """Pods of one version share their names up to the last ending; whoever answers without a name is nobody's."""
    return ((request["answerer"] or {}).get("instance") or "").rpartition("-")[0]


def series(requests: list[dict], marks: list[tuple[float, str]]) -> dict:
    """What is kept of a step. `requests` are the witness's lines; `marks` have the time, as time.time() has it."""
    start = min(seconds_of(request["began"]) for request in requests)
    first = next((version(request) for request in requests if request["result"] == "ok"), "")
    found = [Second() for _ in range(1 + int(max(seconds_of(request["time"]) for request in requests) - start))]
    for request in requests:
        ended = found[int(seconds_of(request["time"]) - start)]
        if request["result"] != "ok":
            ended.failed += 1
        elif version(request) == first:
            ended.old += 1
        else:
            ended.new += 1
        began = found[int(seconds_of(request["began"]) - start)]
        began.wait = max(began.wait, request["seconds"])
    return {
        "seconds": [[second.old, second.new, second.failed, round(second.wait, 3)] for second in found],
        "marks": [[round(at - start, 1), text] for at, text in marks],
    }


def text(x: float, y: float, words: str, css_class: str = "small", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css_class}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css_class: str = "grid") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css_class}"/>'


def round_up(value: float) -> float:
    """The smallest of 1, 2, 5, 10, ... that covers it."""
    size = 0.001
    while True:
        for factor in (1, 2, 5):
            if factor * size >= value:
                return factor * size
        size *= 10


def bars(seconds: list[list[float]], y: float, step: float) -> list[str]:
    top = round_up(max(sum(second[:3]) for second in seconds))
    parts = []
    for value in (0, top / 2, top):
        at = y + BARS - BARS * value / top
        parts += [line(LEFT, at, WIDTH - RIGHT, at), text(LEFT - 6, at + 4, f"{value:g}", anchor="end")]
    for index, second in enumerate(seconds):
        base = y + BARS
        for css_class, count in zip(CLASSES, second[:3]):
            if count:
                height = BARS * count / top
                base -= height
                parts.append(
                    f'<rect x="{LEFT + index * step:.1f}" y="{base:.1f}" width="{max(step - 0.6, 0.6):.1f}" height="{height:.1f}" class="{css_class}"/>'
                )
    return parts


def waits(seconds: list[list[float]], y: float, step: float) -> list[str]:
    top = round_up(max(second[3] for second in seconds) or 0.001)
    points = " ".join(
        f"{LEFT + (index + 0.5) * step:.1f},{y + WAITS - WAITS * second[3] / top:.1f}" for index, second in enumerate(seconds)
    )
    label = f"{top:g} s" if top >= 1 else f"{top * 1000:g} ms"
    return [
        line(LEFT, y + WAITS, WIDTH - RIGHT, y + WAITS),
        line(LEFT, y, WIDTH - RIGHT, y),
        text(LEFT - 6, y + WAITS + 4, "0", anchor="end"),
        text(LEFT - 6, y + 4, label, anchor="end"),
        f'<polyline points="{points}" class="wait"/>',
    ]


def times(count: int, y: float, step: float) -> list[str]:
    every = next(size for size in (5, 10, 20, 30, 60, 120, 300, 600, 1800, 7200) if count / size <= 12)
    return [text(LEFT + at * step, y, f"{at} s", anchor="middle") for at in range(0, count, every)]


def panel(title: str, kept: dict, y: float) -> list[str]:
    seconds = kept["seconds"]
    step = (WIDTH - LEFT - RIGHT) / len(seconds)
    below = y + TOP + BARS + GAP + WAITS
    parts = [text(LEFT, y + 18, title, "title")]
    parts += bars(seconds, y + TOP, step) + waits(seconds, y + TOP + BARS + GAP, step) + times(len(seconds), below + 16, step)
    free = 0.0
    for at, words in kept["marks"]:
        x = LEFT + at * step
        # Above its neighbour's words, if these reach so far.
        top = y + TOP - (4 if x >= free else 16)
        free = x + 8 + 6.2 * len(words)
        parts += [line(x, top - 4, x, below, "mark"), text(x + 4, top, words)]
    return parts


def legend() -> list[str]:
    parts, x = [], float(LEFT)
    for css_class, label in zip(CLASSES, LABELS):
        parts += [f'<rect x="{x:.1f}" y="18" width="11" height="11" rx="2" class="{css_class}"/>', text(x + 16, 28, label)]
        x += 34 + 6.2 * len(label)
    return [*parts, line(x, 23, x + 16, 23, "wait"), text(x + 22, 28, "the longest wait of the requests of a second")]


def svg(panels: list[tuple[str, dict]]) -> str:
    """A panel for each title with what series() has kept."""
    height = 40 + HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="Answers a second by version, failures and the longest wait: {escape("; ".join(title for title, _ in panels))}">',
        f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" class="card"/>',
        *legend(),
    ]
    for index, (title, kept) in enumerate(panels):
        parts += panel(title, kept, 40 + HEIGHT * index)
    return "\n".join([*parts, "</svg>", ""])
