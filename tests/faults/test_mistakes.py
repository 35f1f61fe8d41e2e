"""The scenarios against services that make a mistake: a scenario that held against them would show
nothing about pingpong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import bed  # noqa: E402
from harness.postgres import Cluster  # noqa: E402
from proxy import Action, Point  # noqa: E402
from scenario import Result  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def violations(monkeypatch, cluster: Cluster, mistake: str, replicas: int, fault, proxied: bool = False) -> str:
    """What the bed says about the naive service after that fault."""
    monkeypatch.setattr(bed, "PROGRAM", ["/usr/bin/python3", HERE / "naive.py"])
    result = Result(mistake, mistake, replicas)
    with bed.Bed(cluster, result, proxied=proxied, env={"NAIVE": mistake}, connections=16, probed=False) as service:
        fault(service)
    return "\n".join(line for line in result.violations if " logged: " not in line)


def nothing(service: bed.Bed) -> None:
    service.load.wait_acknowledged(50)


def lose_an_answer(service: bed.Bed) -> None:
    service.recovered(service.proxy.arm(Point.AFTER_COMMIT, Action.RESET).wait(5), more=20)


def kill(service: bed.Bed) -> None:
    name, victim = next(iter(service.replicas.items()))
    victim.kill()
    service.load.remove(name)
    service.replicas.pop(name).discard()
    fresh = service.start_replica()
    service.load.add(fresh, service.replicas[fresh].port)
    service.load.wait_acknowledged(50)


def test_honest_about_what_it_does_not_know(monkeypatch, cluster) -> None:
    assert violations(monkeypatch, cluster, "none", 2, lose_an_answer, proxied=True) == ""


def test_a_lost_update_sent_again_is_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "repeat", 1, lose_an_answer, proxied=True)
    assert "unacknowledged" in found


def test_numbers_lost_with_the_process_are_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "memory", 1, kill)
    assert "given twice" in found or "not larger" in found


def test_replicas_that_race_are_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "races", 3, nothing)
    assert "given twice" in found
