"""Today's version beside the one before views travelled together: the load goes to and fro between the two."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

from . import history, plan
from .load import Sample

# In each round. The second pair begins with the other one.
PAIRS = 2
SLICE_SECONDS = 2  # or as long as a measurement, if that is less
WARMUP_SECONDS = 1


@dataclass(frozen=True)
class Comparison:
    key: str
    now: plan.Series
    before: plan.Series
    connections: int


PING_BEFORE = plan.Series("pingpong-before-disk", "`/ping` before", "disk", counter=history.PINGPONG)
PAGE_BEFORE = plan.Series("page-before-disk", "page before", "disk", "/log-output", history.PINGPONG, history.READER)
PING = {c: Comparison(f"ping-{c}", plan.PING["disk"], PING_BEFORE, c) for c in (64, 256, 1000)}
PAGE = Comparison("page-1", plan.PAGE, PAGE_BEFORE, 1)
ALL = [PAGE, *PING.values()]


def alternate(one: object, other: object, number: int, measured: Callable) -> list[tuple]:
    """Pairs of what was measured of one and of the other; every second pair begins with the other."""
    pairs = []
    for i in range(number):
        order = (one, other) if i % 2 == 0 else (other, one)
        samples = {id(each): measured(each) for each in order}
        pairs.append((samples[id(one)], samples[id(other)]))
    return pairs


def measure(bench: plan.Bench, one: Comparison) -> list[tuple[Sample, Sample]]:
    """Pairs of today's and the other's. Both run all the time; the one that is not asked does nothing."""
    seconds = min(SLICE_SECONDS, bench.seconds)
    with ExitStack() as stack:
        now, before = (bench.start(stack, series) for series in (one.now, one.before))
        for running in (now, before):
            running.warm_up(one.connections, WARMUP_SECONDS)
        return alternate(now, before, PAIRS, lambda running: running.measure(one.connections, seconds))


def ratios(pairs: list, metric: str) -> list[float]:
    """Today's to the other's, of each pair."""
    both = [(getattr(now, metric), getattr(before, metric)) for now, before in pairs]
    return [now / before for now, before in both if now is not None and before]
