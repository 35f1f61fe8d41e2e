"""The parts of the benchmark that turn measurements into claims."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver import chart, comparison, figures, history, load, plan, readme, replicas, report
from driver.errors import BenchError

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
TROUBLE = (
    WRK
    + """\
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 100
Requests/sec:    500.00
"""
)
FACTS = {
    "date": "today",
    "machine": "m",
    "system": "s",
    "data": "ext4",
    "pingpong": "p",
    "reader": "r",
    "floor": "f",
    "PostgreSQL": "g",
    "peer": "k",
    "wrk": "w",
    "load_before": 0.0,
    "stolen": 0.0,
    "left_out": "",
    "rounds": 1,
    "seconds": 1,
    "warmup": 0,
    "timeout": 10,
    "sync": {"disk": {"p50_ms": 0.5, "p99_ms": 1.0}},
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
                rate, p50_ms=1.0, p99_ms=1e4 / rate, cpu_s=0.5, load_cpu_s=0.5, anonymous_bytes=int(1e12 / rate)
            )
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
        plan.check_counted("label", sample, 64, counted)
    else:
        with pytest.raises(BenchError):
            plan.check_counted("label", sample, 64, counted)


def test_medians_take_the_middle_round_and_all_errors():
    rounds = [load.Sample(100, rate, errors=1, cpu_s=cpu, load_cpu_s=0, elapsed_s=1) for rate, cpu in ((30, 3), (10, 1), (20, 2))]
    middle = plan.medians(rounds)
    assert (middle["requests_per_s"], middle["lowest"], middle["highest"]) == (20, 10, 30)
    assert (middle["errors"], middle["cpu_s_per_100k"], middle["anonymous_bytes"]) == (3, 2000, None)


def test_each_program_is_measured_in_each_round():
    series = plan.all_series(["disk", "tmpfs"])
    rounds = [list(plan.schedule(series, number, 3)) for number in range(3)]
    for todo in rounds:
        assert len(todo) == len({(c, one.key) for c, one in todo}) == sum(len(one.connections) for one in series)
    assert len({todo[0][1].key for todo in rounds}) == 3  # each begins with another one


@pytest.mark.parametrize(
    "at_least, bound, value, verdict",
    [
        (True, 25, 25.0, "met"),
        (True, 25, 24.99, "**short**"),
        (False, 1.3, 1.3, "met"),
        (False, 1.3, 1.31, "**short**"),
        (True, 25, None, "not measured"),
    ],
)
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


@pytest.mark.parametrize("value, text", [(123456.7, "123,457"), (12.345, "12.3"), (0.0951, "0.0951"), (1.0, "1.00"), (0, "0"), (None, "")])
def test_numbers_keep_three_digits(value, text):
    assert report._number(value) == text


def test_the_chart_is_valid_and_shows_the_values():
    picture = chart.svg(full_results(50_000, 1_000), FACTS)
    ElementTree.fromstring(picture)
    assert ">50k<" in picture and ">1.0k<" in picture


def pair(now: float, before: float) -> tuple:
    return tuple(load.Sample(1, rate, p50_ms=1e3 / rate, cpu_s=1, load_cpu_s=1, elapsed_s=1) for rate in (now, before))


def before_figures(results: figures.Results) -> dict:
    return {one.name: one for one in figures.all_figures(results) if "before" in one.name}


def test_each_pair_is_compared_by_itself():
    """The machine was slower in the last: the medians of each side alone would say something else."""
    pairs = [pair(100, 100), pair(96, 100), pair(48, 50)]
    compared = before_figures(figures.Results({}, {one.key: pairs for one in comparison.ALL}))
    assert len(compared) == 4
    for name, one in compared.items():
        assert one.value == pytest.approx(1 / 0.96 if "p50" in name else 0.96)
        assert one.verdict == "**short**" and one.note.startswith("3 pairs: ")


def test_what_is_not_in_the_history_is_left_out_with_a_word(monkeypatch, tmp_path):
    monkeypatch.setattr(history, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(history, "COMMIT", "0" * 40)
    left_out = history.prepare()
    assert left_out.startswith("left out: ") and not (tmp_path / "none").exists()
    compared = before_figures(figures.Results({}, left_out=left_out))
    assert {one.verdict for one in compared.values()} == {"not measured"}
    assert left_out in report.markdown(figures.Results({}, left_out=left_out), FACTS)


def test_a_value_beside_its_bound_shows_which_side_it_is_on():
    assert figures.Figure("f", False, 1.0, 1.003, "×").written == "1.003×"
    assert figures.Figure("f", False, 1.0, 1.02, "×").written == "1.02×"


def test_replicas_have_a_table_with_their_medians():
    samples = [replicas.ReplicaSample(*[float(i)] * 7) for i in (10, 30, 20)]
    results = figures.Results({}, replicas={2: replicas.medians(samples)})
    assert "| 2 |" + " 20.0 |" * 7 in report.markdown(results, FACTS)


def test_the_readme_gets_the_figures_and_the_day():
    text = "before\nMedians of 2026-01-02 on 2 cores, and\n\n" + readme.HEADER + "| old | a | b | c |\n\nafter\n"
    facts = FACTS | {"date": "2026-03-04 05:06 UTC"}
    results = full_results(50_000, 1_000)
    changed = readme.rewritten(text, results, facts, 8)
    assert "Medians of 2026-03-04 on 8 cores" in changed and "old" not in changed
    assert changed.count("\n| ") == len(figures.all_figures(results)) + 1 and changed.endswith(" |\n\nafter\n")
    assert readme.rewritten(changed, results, facts, 8) == changed
    with pytest.raises(BenchError):
        readme.rewritten("nothing", results, facts, 8)


def test_the_readme_has_the_places_for_them():
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert readme.rewritten(text, full_results(50_000, 1_000), FACTS | {"date": "2026-03-04 05:06 UTC"}, 8) != text


def test_every_second_pair_begins_with_the_other():
    asked = []
    assert comparison.alternate("a", "b", 3, lambda one: (asked.append(one), one.upper())[1]) == [("A", "B")] * 3
    assert asked == ["a", "b", "b", "a", "a", "b"]
