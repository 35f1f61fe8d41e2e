"""The figures to reach, and whether a run reached them."""

import statistics
from dataclasses import dataclass

from . import comparison, plan


@dataclass(frozen=True)
class Figure:
    """A ratio and its bound. `value` is None when a part of it was not measured."""

    name: str
    at_least: bool
    bound: float
    value: float | None
    unit: str = ""
    note: str = ""

    @property
    def written(self) -> str:
        """Of a value so near its bound that two places would hide which side it is on, three."""
        if self.value is None:
            return ""
        digits = 1 if self.value >= 10 else 3 if abs(self.value - self.bound) < 0.005 else 2
        return f"{self.value:.{digits}f}{self.unit}"

    @property
    def to_reach(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}{self.unit}"

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        met = self.value >= self.bound if self.at_least else self.value <= self.bound
        return "met" if met else "**short**"


class Results:
    """Medians by series and number of connections; pairs by comparison; medians by number of replicas."""

    def __init__(self, cells: dict, pairs: dict | None = None, replicas: dict | None = None, left_out: str = ""):
        self._cells = cells
        self.pairs = pairs or {}
        self.replicas = replicas or {}
        self.left_out = left_out  # why there are no pairs

    def get(self, series: plan.Series, connections: int, metric: str):
        return self._cells.get((series.key, connections), {}).get(metric)

    def row(self, series: plan.Series, connections: int) -> dict | None:
        return self._cells.get((series.key, connections))

    def ratio(self, metric: str, above: plan.Series, below: plan.Series, connections: int) -> float | None:
        upper, lower = self.get(above, connections, metric), self.get(below, connections, metric)
        return upper / lower if upper is not None and lower else None


def _throughput(results: Results) -> list:
    ping, koa, on_tmpfs = plan.PING["disk"], plan.KOA_PING["disk"], plan.PING["tmpfs"]
    figures = [
        Figure(f"`/ping` to the Koa peer, {c} connections", True, bound, results.ratio("requests_per_s", ping, koa, c), "×")
        for c, bound in ((64, 25), (256, 35), (1000, 40))
    ]
    for one, where, bounds in ((ping, "data on disk", (0.65, 0.85)), (on_tmpfs, "data on tmpfs", (0.85, 0.90))):
        figures += [
            Figure(f"`/ping` to the floor, {c} connections, {where}", True, bound, results.ratio("requests_per_s", one, plan.FLOOR, c))
            for c, bound in zip((256, 1000), bounds)
        ]
    return figures


def _cost(results: Results) -> list:
    ping = plan.PING["disk"]
    return [
        Figure(
            f"server CPU per request to the floor's, {c} connections", False, 1.3, results.ratio("cpu_s_per_100k", ping, plan.FLOOR, c), "×"
        )
        for c in (64, 256, 1000)
    ]


def _latency(results: Results) -> list:
    ping, koa = plan.PING["disk"], plan.KOA_PING["disk"]
    single = results.get(ping, 1, "requests_per_s")
    database = results.get(plan.PGBENCH["disk"], 1, "requests_per_s")
    return [
        Figure(
            "`/ping` with 1 connection to pgbench with 1 client", True, 0.9, single / database if single is not None and database else None
        ),
        Figure("p99 of the peer's `/ping` to ours, 256 connections", True, 15, results.ratio("p99_ms", koa, ping, 256), "×"),
    ]


def _page(results: Results) -> list:
    figures = [
        Figure(f"page to `/ping`, {c} connections", True, 0.6, results.ratio("requests_per_s", plan.PAGE, plan.PING["disk"], c))
        for c in (64, 256)
    ]
    figures.append(
        Figure(
            "reader CPU per page to pingpong's per ping, 256 connections",
            False,
            1.6,
            results.ratio("cpu_s_per_100k", plan.PAGE, plan.PING["disk"], 256),
            "×",
        )
    )
    for connections, bound in ((64, 12), (256, 50)):
        mixed = results.ratio("requests_per_s", plan.PAGE, plan.KOA_PAGE_MIXED, connections)
        note = f"{mixed:.1f}× to the Koa page on our pingpong" if mixed is not None else ""
        figures.append(
            Figure(
                f"page to the Koa page, {connections} connections",
                True,
                bound,
                results.ratio("requests_per_s", plan.PAGE, plan.KOA_PAGE, connections),
                "×",
                note,
            )
        )
    return figures


def _memory(results: Results) -> list:
    """The worst of all numbers of connections decides; the note tells each."""
    figures = []
    pairs = (("pingpong", plan.KOA_PING["disk"], plan.PING["disk"]), ("reader", plan.KOA_PAGE, plan.PAGE))
    for name, peer, ours in pairs:
        ratios = {c: results.ratio("anonymous_bytes", peer, ours, c) for c in plan.CONNECTIONS}
        known = [ratio for ratio in ratios.values() if ratio is not None]
        figures.append(
            Figure(
                f"the peer's anonymous memory to {name}'s, worst case",
                True,
                10,
                min(known) if len(known) == len(ratios) else None,
                "×",
                ", ".join(f"{c}: {ratio:.1f}×" for c, ratio in ratios.items() if ratio is not None),
            )
        )
    return figures


def _scaling(results: Results) -> list:
    def held(series: plan.Series) -> float | None:
        few, many = (results.get(series, c, "requests_per_s") for c in (256, 1000))
        return many / few if few and many is not None else None

    peer = held(plan.KOA_PING["disk"])
    note = f"the peer's: {peer:.2f}" if peer is not None else ""
    return [Figure("`/ping` at 1000 connections to that at 256", True, 1.0, held(plan.PING["disk"]), "", note)]


def _before(results: Results) -> list:
    """Today's to the version before; the note tells how far the pairs are apart."""

    def figure(name: str, one: comparison.Comparison, metric: str, at_least: bool, bound: float, unit: str) -> Figure:
        ratios = comparison.ratios(results.pairs.get(one.key, []), metric)
        if not ratios:
            return Figure(name, at_least, bound, None, unit, results.left_out)
        return Figure(
            name, at_least, bound, statistics.median(ratios), unit, f"{len(ratios)} pairs: {min(ratios):.3f} to {max(ratios):.3f}"
        )

    page = figure("p50 of the page to the version's before, 1 connection", comparison.PAGE, "p50_ms", False, 1.0, "×")
    return [page] + [
        figure(f"`/ping` to the version's before, {c} connections", one, "requests_per_s", True, 0.97, "")
        for c, one in comparison.PING.items()
    ]


def all_figures(results: Results) -> list:
    parts = (_throughput, _cost, _latency, _page, _memory, _scaling, _before)
    return [figure for part in parts for figure in part(results)]
