"""docs/bench.svg from a run's medians.

The picture brings its own background in both colour schemes, so that its text
is readable wherever it is shown.
"""

import math
from dataclasses import dataclass
from html import escape

from . import plan
from .figures import Results

WIDTH, HEIGHT = 960, 760
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
  .title { font-size: 15px; font-weight: 600 }
  .small { fill: #59636e; font-size: 11px }
  .value { font-size: 11px; stroke: #ffffff; stroke-width: 3px; paint-order: stroke }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .floor { fill: #8b949e } .tmpfs { fill: #56b4e9 } .ours { fill: #0072b2 } .peer { fill: #e69f00 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .tmpfs { fill: #a5d8ff } .ours { fill: #2f8fd8 }
    .value { stroke: #0d1117 }
  }
"""


@dataclass(frozen=True)
class Bars:
    """The bars of one colour in a panel."""

    label: str
    css_class: str
    series: plan.Series


@dataclass(frozen=True)
class Panel:
    title: str
    metric: str
    scale: float
    bars: list
    x: float
    y: float
    width: float
    height: float
    logarithmic: bool = False


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e4:
        return f"{value / 1e3:.0f}k"
    if value >= 1e3:
        return f"{value / 1e3:.1f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _tick_step(top: float) -> float:
    """The roundest step that covers `top` in at most five."""
    magnitude = 10 ** math.floor(math.log10(top / 5))
    return next(step * magnitude for step in (1, 2, 2.5, 5, 10) if step * magnitude * 5 >= top)


class Axis:
    """Maps a value to a height in pixels, and knows where its lines go."""

    def __init__(self, values: list, height: float, logarithmic: bool):
        self.height = height
        self.logarithmic = logarithmic
        if logarithmic:
            self.low = math.floor(math.log10(min(values)) - 0.15)
            self.high = math.ceil(math.log10(max(values)))
            self.ticks = [10.0**power for power in range(self.low, self.high + 1)]
        else:
            step = _tick_step(max(values))
            self.ticks = [step * i for i in range(math.ceil(max(values) / step) + 1)]
            self.top = self.ticks[-1]

    def pixels(self, value: float) -> float:
        if self.logarithmic:
            return self.height * (math.log10(value) - self.low) / max(self.high - self.low, 1)
        return self.height * value / self.top


def _text(x: float, y: float, text: str, css_class: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css_class}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(panel: Panel) -> list:
    parts, x = [], panel.x + 46
    for bars in panel.bars:
        parts.append(f'<rect x="{x:.1f}" y="{panel.y + 14:.1f}" width="11" height="11" rx="2" class="{bars.css_class}"/>')
        parts.append(_text(x + 16, panel.y + 24, bars.label, "small"))
        x += 34 + 6.1 * len(bars.label)
    return parts


def _panel(panel: Panel, results: Results) -> list:
    values = {
        (bars.css_class, c): value / panel.scale
        for bars in panel.bars
        for c in plan.CONNECTIONS
        if (value := results.get(bars.series, c, panel.metric))
    }
    parts = [_text(panel.x, panel.y, panel.title, "title")]
    if not values:
        return parts + [_text(panel.x, panel.y + 40, "not measured", "small")]
    parts += _legend(panel)
    left, top = panel.x + 46, panel.y + 52
    plot_width, plot_height = panel.width - 46, panel.height - 92
    axis = Axis(list(values.values()), plot_height, panel.logarithmic)
    for tick in axis.ticks:
        y = top + plot_height - axis.pixels(tick)
        parts.append(f'<line x1="{left}" x2="{left + plot_width}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(_text(left - 6, y + 4, _short(tick) if tick else "0", "small", "end"))
    group = plot_width / len(plan.CONNECTIONS)
    width = group * 0.84 / len(panel.bars)
    for i, connections in enumerate(plan.CONNECTIONS):
        for j, bars in enumerate(panel.bars):
            if (bars.css_class, connections) not in values:
                continue
            value = values[bars.css_class, connections]
            height = max(axis.pixels(value), 1.0)
            x, y = left + group * (i + 0.08) + width * j, top + plot_height - height
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{height:.1f}" class="{bars.css_class}"/>')
            parts.append(_text(x + (width - 2) / 2, y - 4, _short(value), "value", "middle"))
        parts.append(_text(left + group * (i + 0.5), top + plot_height + 16, f"{connections:,}", "small", "middle"))
    parts.append(_text(left + plot_width / 2, top + plot_height + 32, "connections", "small", "middle"))
    return parts


def _panels() -> list:
    floor = Bars("floor: a constant", "floor", plan.FLOOR)
    on_tmpfs = Bars("pingpong, data on tmpfs", "tmpfs", plan.PING["tmpfs"])
    ours = Bars("pingpong, data on disk", "ours", plan.PING["disk"])
    peer = Bars("Koa + pg, data on disk", "peer", plan.KOA_PING["disk"])
    pair = [Bars("pingpong", "ours", plan.PING["disk"]), Bars("Koa + pg", "peer", plan.KOA_PING["disk"])]
    pages = [Bars("reader", "ours", plan.PAGE), Bars("Koa + axios", "peer", plan.KOA_PAGE)]
    third = 282
    return [
        Panel("/ping: requests per second (more is better)", "requests_per_s", 1, [floor, on_tmpfs, ours, peer], 28, 40, 904, 350),
        Panel("The page: requests per second", "requests_per_s", 1, pages, 28, 432, third, 290),
        Panel("/ping: p99, ms (log scale)", "p99_ms", 1, pair, 28 + 311, 432, third, 290, True),
        Panel("/ping: anonymous MB (log scale)", "anonymous_bytes", 1e6, pair, 28 + 622, 432, third, 290, True),
    ]


def svg(results: Results, facts: dict) -> str:
    footer = (
        f"Median of {facts['rounds']} × {facts['seconds']} s · {facts['machine']} · {facts['date']} · wrk, 1 thread, on the same machine"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-label="Requests per second, latency and memory of pingpong, reader and their peers">',
        f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6" class="card"/>',
    ]
    for panel in _panels():
        parts += _panel(panel, results)
    parts.append(_text(28, HEIGHT - 14, footer, "small"))
    return "\n".join([*parts, "</svg>", ""])
