"""The parts of the benchmark that turn measurements into claims."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver import chart, figures, load, plan, report  # noqa: E402
from driver.errors import BenchError  # noqa: E402

WRK = """\
Running 2s test @ http://127.0.0.1:1/ping
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms    2.00ms  30.00ms   95.00%
    Req/Sec    50.00k     1.00k   52.00k    80.00%
  Latency Distribution
     50%  950.00us
     75%    1.10ms
     90%    2.00ms
     99%    1.25s
  1000 requests in 2.00s, 1.00MB read
"""
TROUBLE = WRK + """\
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 100
Requests/sec:    500.00
"""
FACTS = {
    "date": "today", "machine": "m", "system": "s", "data": "ext4", "pingpong": "p", "reader": "r", "floor": "f",
    "PostgreSQL": "g", "peer": "k", "wrk": "w", "load_before": 0.0, "stolen": 0.0, "rounds": 1, "seconds": 1,
    "warmup": 0, "timeout": 10, "sync": {"disk": {"p50_ms": 0.5, "p99_ms": 1.0}},
}


def cell(rate: float, **others) -> dict:
    sample = load.Sample(requests=int(rate), requests_per_s=rate, elapsed_s=1.0, **others)
    return plan.medians([sample])


def full_results(ours: float, peer: float) -> figures.Results:
    cells = {}
    for series in plan.all_series(["disk", "tmpfs"]):
        rate = peer if "koa" in series.key else ours
        for connections in series.connections:
            cells[series.key, connections] = cell(
                rate, p50_ms=1.0, p99_ms=1e4 / rate, cpu_s=0.5, load_cpu_s=0.5, anonymous_bytes=int(1e12 / rate))
    return figures.Results(cells)


def test_wrk_units_are_told_apart():
    sample = load.parse_wrk(WRK)
    assert (sample.p50_ms, sample.p99_ms) == pytest.approx((0.95, 1250))
    assert (sample.requests, sample.requests_per_s, sample.errors) == (1000, 500, 0)


def test_wrk_errors_are_no_throughput():
    sample = load.parse_wrk(TROUBLE)
    assert (sample.requests, sample.requests_per_s, sample.errors) == (900, 450, 110)


def test_output_without_latencies_is_refused():
    with pytest.raises(BenchError):
        load.parse_wrk("  1000 requests in 2.00s, 1.00MB read\n")


@pytest.mark.parametrize("counted, accepted", [(999, False), (1000, True), (1128, True), (1129, False)])
def test_every_answer_must_have_been_counted(counted, accepted):
    sample = load.parse_wrk(WRK)
    if accepted:
        plan._check_counted(plan.PING["disk"], sample, 64, counted)
    else:
        with pytest.raises(BenchError):
            plan._check_counted(plan.PING["disk"], sample, 64, counted)


def test_medians_take_the_middle_round_and_all_errors():
    rounds = [load.Sample(100, rate, errors=1, cpu_s=cpu, load_cpu_s=0, elapsed_s=1)
              for rate, cpu in ((30, 3), (10, 1), (20, 2))]
    middle = plan.medians(rounds)
    assert (middle["requests_per_s"], middle["lowest"], middle["highest"]) == (20, 10, 30)
    assert (middle["errors"], middle["cpu_s_per_100k"], middle["anonymous_bytes"]) == (3, 2000, None)


def test_each_program_is_measured_in_each_round():
    series = plan.all_series(["disk", "tmpfs"])
    todo = list(plan.schedule(series, 3))
    assert len(todo) == len({(n, c, one.key) for n, c, one in todo}) == 3 * sum(len(one.connections) for one in series)


@pytest.mark.parametrize("at_least, bound, value, verdict", [
    (True, 25, 25.0, "met"), (True, 25, 24.99, "**short**"),
    (False, 1.3, 1.3, "met"), (False, 1.3, 1.31, "**short**"), (True, 25, None, "not measured"),
])
def test_verdicts(at_least, bound, value, verdict):
    assert figures.Figure("f", at_least, bound, value).verdict == verdict


def test_a_fast_pair_meets_the_ratios_to_the_peer_and_a_slow_one_does_not():
    def verdicts(results):
        return {figure.name: figure.verdict for figure in figures.all_figures(results) if "eer" in figure.name}

    assert set(verdicts(full_results(50_000, 1_000)).values()) == {"met"}
    assert set(verdicts(full_results(1_000, 1_000)).values()) == {"**short**"}


def test_nothing_measured_claims_nothing():
    empty = figures.Results({})
    assert {figure.verdict for figure in figures.all_figures(empty)} == {"not measured"}
    ElementTree.fromstring(chart.svg(empty, FACTS))
    assert "not measured" in report.markdown(empty, FACTS)


@pytest.mark.parametrize("value, text", [
    (123456.7, "123,457"), (12.345, "12.3"), (0.0951, "0.0951"), (1.0, "1.00"), (0, "0"), (None, "")])
def test_numbers_keep_three_digits(value, text):
    assert report._number(value) == text


def test_the_chart_is_valid_and_shows_the_values():
    picture = chart.svg(full_results(50_000, 1_000), FACTS)
    ElementTree.fromstring(picture)
    assert ">50k<" in picture and ">1.0k<" in picture
