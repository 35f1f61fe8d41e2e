"""Faults by setting: they are seen where they should be, and never in the count."""

from __future__ import annotations

import signal
import time

import pytest

from harness.http import Connection, get, metrics
from harness.process import BUILD, eventually
from programs import (
    PATIENCE,
    Database,
    Program,
    in_threads,
    log_lines,
    pingpong as make_pingpong,
    reader as make_reader,
    run_sanitized,
    settings_of,
)

FAULTS = {
    name: "true" if accepted == "true or false" else "1"
    for name, (_, accepted, _) in settings_of("pingpong").items()
    if name.startswith("FAULT_")
}
COUNTED = {"pingpong": "/ping", "reader": "/log-output"}


def with_faults(daemon: Program, ready: str = "/livez", **faults: object) -> Program:
    """A second one of the kind, beside the good one."""
    env = {**daemon.env, "FAULTS": "allowed", "DRAIN_MS": "0", **{name: str(value) for name, value in faults.items()}}
    env.pop("PORT", None)
    return (make_pingpong if daemon.name == "pingpong" else make_reader)(env, ready=ready)


def processor_seconds(program: Program) -> float:
    return metrics(program.port)["process_cpu_seconds_total"]


def test_both_daemons_have_the_same_faults() -> None:
    rows = [{name: row for name, row in settings_of(program).items() if name.startswith("FAULT")} for program in ("pingpong", "reader")]
    assert rows[0] == rows[1] and len(FAULTS) == 7


@pytest.mark.parametrize("program", ["pingpong", "reader"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_is_not_allowed_stops_the_start(program: str, name: str) -> None:
    for allowed in ({}, {"FAULTS": "forbidden"}):
        done = run_sanitized([BUILD / program], {name: FAULTS[name], "PORT": 0, **allowed}, timeout=20)
        assert done.returncode == 1
        line = next(line for line in log_lines(done.stderr) if line["level"] == "error")
        assert (line["setting"], line["value"]) == (name, FAULTS[name])
        assert line["accepted"] == "nothing, unless FAULTS=allowed"


def test_faults_that_are_allowed_are_warned_of(daemon: Program) -> None:
    with with_faults(daemon, **{**FAULTS, "FAULT_CRASH_AFTER_MS": 3600000}) as faulty:
        warned = {
            line["setting"]: line["value"]
            for line in log_lines(faulty.stderr())
            if line["level"] == "warning" and line["message"] == "a fault on purpose"
        }
        assert warned == {**FAULTS, "FAULT_CRASH_AFTER_MS": "3600000"}


def test_a_daemon_without_faults_has_no_metrics_of_them(daemon: Program) -> None:
    assert not [name for name in metrics(daemon.port) if name.startswith("faults_")]


def test_an_error_comes_before_counting_and_says_so(daemon: Program, database: Database) -> None:
    with with_faults(daemon, FAULT_ERROR_SHARE=1) as faulty:
        for _ in range(5):
            answer = get(faulty.port, COUNTED[daemon.name])
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"].endswith("this ping was not counted")
        assert get(faulty.port, "/livez").status == 200
        assert metrics(faulty.port)['faults_injected_total{fault="error"}'] == 5
    assert database.count() == 0


def test_a_share_of_errors_is_about_that_share_and_the_rest_counts(daemon: Program, database: Database) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_ERROR_SHARE="0.2") as faulty, Connection(faulty.port) as connection:
        answers = [connection.request("GET", COUNTED[daemon.name]).status for _ in range(500)]
        failed = answers.count(503)
        # Five standard deviations: one run in a million is outside.
        assert abs(failed - 100) < 45
        assert answers.count(200) == 500 - failed == database.count()
        assert metrics(faulty.port)['faults_injected_total{fault="error"}'] == failed


def test_a_delayed_request_takes_its_time_and_counts_once(daemon: Program, database: Database) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_DELAY_MS=1000) as faulty:
        started = time.monotonic()
        answers = in_threads(20, lambda _: get(faulty.port, COUNTED[daemon.name]).status)
        took = time.monotonic() - started
        assert answers == [200] * 20 and database.count() == 20
        # Together, not one after the other.
        assert 1.0 <= took < 15
        assert metrics(faulty.port)['faults_injected_total{fault="delay"}'] == 20


def test_a_share_of_zero_delays_nothing(daemon: Program) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_DELAY_MS=10000, FAULT_DELAY_SHARE=0) as faulty:
        assert get(faulty.port, COUNTED[daemon.name], timeout=8).status == 200
        assert metrics(faulty.port)['faults_injected_total{fault="delay"}'] == 0


def test_those_who_leave_during_a_delay_are_counted_at_most_once(daemon: Program, database: Database) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_DELAY_MS=500) as faulty:
        for _ in range(10):
            with Connection(faulty.port) as connection:
                connection.send_request("GET", COUNTED[daemon.name])
        eventually(lambda: metrics(faulty.port)['faults_injected_total{fault="delay"}'] == 10, 10, "ten are delayed")
        assert get(faulty.port, COUNTED[daemon.name]).status == 200
        assert 1 <= database.count() <= 11


def test_a_drain_answers_what_is_delayed(daemon: Program) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_DELAY_MS=700) as faulty, Connection(faulty.port) as connection:
        connection.send_request("GET", COUNTED[daemon.name])
        eventually(lambda: metrics(faulty.port)['faults_injected_total{fault="delay"}'] == 1, 10, "it is delayed")
        faulty.signal(signal.SIGTERM)
        assert connection.read_response().status == 200
        assert faulty.wait(20) == 0


def test_readiness_fails_where_told_and_requests_do_not(daemon: Program) -> None:
    with with_faults(daemon, FAULT_NOT_READY="true") as faulty:
        assert get(faulty.port, "/healthz").status == 500
        assert get(faulty.port, "/livez").status == 200
        eventually(lambda: get(faulty.port, COUNTED[daemon.name]).status == 200, 10, "it answers all the same")
        assert metrics(faulty.port)['faults_injected_total{fault="not_ready"}'] == 1


def test_the_processor_burns_and_requests_are_answered(daemon: Program) -> None:
    with with_faults(daemon, ready="/healthz", FAULT_CPU_SHARE="0.3") as faulty:
        first, started = processor_seconds(faulty), time.monotonic()
        eventually(lambda: processor_seconds(faulty) > first + 0.3, 30 * PATIENCE, "0.3 s are burnt")
        # Never more than the share, whatever else the machine does; answering takes some as well.
        assert processor_seconds(faulty) - first < 0.3 * (time.monotonic() - started) + 0.5
        assert get(faulty.port, COUNTED[daemon.name]).status == 200


def test_memory_leaks_at_the_rate_that_is_set(daemon: Program) -> None:
    with with_faults(daemon, FAULT_LEAK_BYTES_PER_S=20_000_000) as faulty:
        before = metrics(faulty.port)["process_resident_memory_bytes"]
        eventually(lambda: metrics(faulty.port)["faults_leaked_bytes"] > 20_000_000, 30 * PATIENCE, "it leaks")
        assert metrics(faulty.port)["process_resident_memory_bytes"] > before + 10_000_000


def test_it_crashes_when_told_to(daemon: Program) -> None:
    with with_faults(daemon, FAULT_CRASH_AFTER_MS=300) as faulty:
        assert faulty.wait(30) == -signal.SIGABRT
        assert log_lines(faulty.stderr())[-1]["message"] == "a fault on purpose: crashing"
