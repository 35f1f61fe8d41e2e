"""The scenarios against services that make a mistake: a scenario that held against them would show
nothing about pingpong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import bed
import scenarios
from harness.failover import Break
from harness.network import available
from harness.postgres import Cluster
from proxy import Action, Point
from scenario import SCENARIOS, Result


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def use_naive(monkeypatch, mistake: str) -> None:
    monkeypatch.setattr(bed, "PROGRAM", ["/usr/bin/env", f"NAIVE={mistake}", "/usr/bin/python3", HERE / "naive.py"])


def sentences(result: Result) -> str:
    return "\n".join(line for line in result.violations if " logged: " not in line)


def violations(monkeypatch, cluster: Cluster, mistake: str, replicas: int, fault, proxied: bool = False) -> str:
    """What the bed says about the naive service after that fault."""
    use_naive(monkeypatch, mistake)
    result = Result(mistake, mistake, replicas)
    with bed.Bed(cluster, result, proxied=proxied, connections=16, probed=False) as service:
        fault(service)
    return sentences(result)


def whole_scenario(monkeypatch, cluster: Cluster, mistake: str, name: str, replicas: int) -> str:
    """The same of a whole scenario, which the naive service may not live to see the end of."""
    use_naive(monkeypatch, mistake)
    monkeypatch.setattr(scenarios.history, "SETTLED_WITHIN_S", 5)
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    result = scenario.execute(cluster, replicas)
    assert not result.skipped and result.requests > 100
    return sentences(result)


def nothing(service: bed.Bed) -> None:
    service.load.wait_acknowledged(50)


def lose_an_answer(service: bed.Bed) -> None:
    service.recovered(service.proxy.arm(Point.AFTER_COMMIT, Action.RESET).wait(5), more=20)


def kill(service: bed.Bed) -> None:
    service.replace_killed()
    service.load.wait_acknowledged(50)


def test_honest_about_what_it_does_not_know(monkeypatch, cluster) -> None:
    assert violations(monkeypatch, cluster, "none", 2, lose_an_answer, proxied=True) == ""


def test_what_failed_first_is_said_although_the_database_is_gone(monkeypatch) -> None:
    """As where a primary does not come back."""

    def fail(service: bed.Bed) -> None:
        nothing(service)
        service.cluster.kill()
        raise AssertionError("what failed first")

    with Cluster() as own:
        first, *others = violations(monkeypatch, own, "none", 1, fail).splitlines()
    assert first == "what failed first"
    assert any("the final count cannot be read" in line for line in others)


def test_a_lost_update_sent_again_is_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "repeat", 1, lose_an_answer, proxied=True)
    assert "unacknowledged" in found


def test_numbers_lost_with_the_process_are_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "memory", 1, kill)
    assert "given twice" in found or "not larger" in found


def test_replicas_that_race_are_noticed(monkeypatch, cluster) -> None:
    found = violations(monkeypatch, cluster, "races", 3, nothing)
    assert "given twice" in found


@pytest.mark.parametrize("name, replicas", [("count-set-back", 1), ("tables-made-anew", 3), ("backup-restored", 1), ("standby-behind", 1)])
def test_a_database_that_is_believed_when_it_forgets_is_noticed(monkeypatch, cluster, name: str, replicas: int) -> None:
    found = whole_scenario(monkeypatch, cluster, "none", name, replicas)
    assert "the loss is noticed" in found, "it told nobody"
    assert "given twice" in found


def test_a_commit_that_is_believed_although_the_server_doubts_it_is_noticed(monkeypatch, cluster) -> None:
    assert "given twice" in whole_scenario(monkeypatch, cluster, "none", "standby-wait-cancelled", 1)


def test_tables_of_another_schema_are_noticed(monkeypatch, cluster) -> None:
    found = whole_scenario(monkeypatch, cluster, "none", "hostile-settings", 1)
    assert "given twice" in found and "the tables of another schema were used" in found


failover = pytest.mark.skipif(not available(), reason="a network of its own needs root, nft and ip")


@failover
def test_a_failover_that_is_followed_honestly_gives_no_number_twice(monkeypatch, cluster) -> None:
    found = whole_scenario(monkeypatch, cluster, "none", "failover-killed", 1)
    assert not [word for word in ("twice", "missing", "not larger", "unacknowledged", "outside") if word in found], found


@failover
def test_commits_that_the_standby_never_had_are_noticed(monkeypatch, cluster) -> None:
    found = whole_scenario(monkeypatch, cluster, "local", "failover-killed", 1)
    assert "given twice" in found or "missing from the final count" in found


@failover
def test_a_failover_that_is_not_followed_is_noticed(monkeypatch, cluster) -> None:
    assert "was not 200 within" in whole_scenario(monkeypatch, cluster, "first", "failover-killed", 1)


def after_failover(monkeypatch, mistake: str, *, synchronous: bool, back: bool) -> str:
    """What the bed says after the primary was killed; asynchronously a little is lost. back: it comes back."""
    use_naive(monkeypatch, mistake)
    result = Result("failover", "failover", 1)
    with scenarios.failover.pair_and_bed(result, synchronous=synchronous) as (pair, service):
        scenarios.failover.fail_over(pair, service, Break.KILLED, standby_away=not synchronous)
        if back:
            scenarios.failover.live_with_former(pair, service)
    return sentences(result)


@failover
def test_a_process_that_repeats_itself_after_a_loss_is_noticed(monkeypatch) -> None:
    """What is excluded then is no excuse for that."""
    assert "given twice" in after_failover(monkeypatch, "none", synchronous=False, back=False)


@failover
def test_a_former_primary_that_is_believed_is_noticed(monkeypatch) -> None:
    assert "given twice" in after_failover(monkeypatch, "local", synchronous=True, back=True)
