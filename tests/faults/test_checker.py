"""The checker against histories that are right, and that are wrong in each way it must notice."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import checker
from checker import Loss
from history import MAYBE_COUNTED, Outcome, Request, answered, tally


def ok(start: float, end: float, number: int) -> Request:
    return Request(start, end, Outcome.ANSWERED, number)


def read(start: float, end: float, number: int) -> Request:
    return Request(start, end, Outcome.ANSWERED, number, read=True)


def lost(start: float, end: float, outcome: Outcome = Outcome.LOST) -> Request:
    return Request(start, end, outcome)


def of(replica: str, start: float, end: float, number: int, **more: bool) -> Request:
    return Request(start, end, Outcome.ANSWERED, number, replica=replica, **more)


GOOD = {
    "nothing happened": ([], 7, 7),
    "one after the other": ([ok(0, 1, 1), ok(2, 3, 2), ok(4, 5, 3)], 0, 3),
    "concurrent requests in any order": ([ok(0, 5, 3), ok(1, 4, 1), ok(2, 3, 2)], 0, 3),
    "touching at one instant counts as concurrent": ([ok(0, 1, 2), ok(1, 2, 1)], 0, 2),
    "it did not begin at zero": ([ok(0, 1, 41), ok(2, 3, 42)], 40, 42),
    "a lost request was counted": ([ok(0, 1, 1), lost(2, 3), ok(4, 5, 3)], 0, 3),
    "a lost request was not counted": ([ok(0, 1, 1), lost(2, 3), ok(4, 5, 2)], 0, 2),
    "an unknown request was counted late": ([lost(0, 1, Outcome.UNKNOWN), ok(2, 3, 1), ok(4, 5, 2)], 0, 3),
    "refused and unsent were not counted": ([ok(0, 1, 1), lost(0, 1, Outcome.REFUSED), lost(0, 1, Outcome.UNSENT)], 0, 1),
    "a read sees what was acknowledged, or more": ([ok(0, 1, 1), read(2, 3, 1), ok(2, 4, 2), read(2, 4, 2)], 0, 2),
}

BAD = {
    "a number given twice": ([ok(0, 5, 1), ok(1, 4, 1), lost(0, 9)], 0, 2, "given twice"),
    "an acknowledged ping lost": ([ok(0, 5, 1), ok(1, 4, 2)], 0, 1, "missing from the final count"),
    "a ping applied twice": ([ok(0, 1, 1), ok(2, 3, 3)], 0, 3, "unacknowledged"),
    "more extra than lost requests": ([ok(0, 1, 1), lost(0, 1)], 0, 3, "unacknowledged"),
    "a refused ping was counted": ([ok(0, 1, 2), lost(0, 1, Outcome.REFUSED)], 0, 2, "unacknowledged"),
    "an unsent ping was counted": ([ok(0, 1, 2), lost(0, 1, Outcome.UNSENT)], 0, 2, "unacknowledged"),
    "order turned round": ([ok(0, 1, 2), ok(2, 3, 1)], 0, 2, "not larger"),
    "order turned round far apart": ([ok(0, 1, 9), *[ok(2, 20, n) for n in range(2, 9)], ok(21, 22, 1)], 0, 9, "not larger"),
    "a number above the final count": ([ok(0, 1, 5), *[lost(0, 1) for _ in range(9)]], 0, 4, "outside"),
    "a number from before the beginning": ([ok(0, 1, 3), lost(0, 1)], 3, 4, "outside"),
    "a gap below what was acknowledged before the lost one was sent": ([ok(0, 1, 2), lost(2, 3)], 0, 2, "no request without an answer"),
    "one lost request for two gaps, the other came too late": (
        [lost(0, 1), ok(0, 1, 3), lost(2, 3), ok(4, 5, 4)],
        0,
        4,
        "no request without an answer",
    ),
    "a read below what was acknowledged": ([ok(0, 1, 1), ok(2, 3, 2), read(4, 5, 1)], 0, 2, "not larger"),
    "a ping not above what a read has shown": ([ok(0, 9, 2), read(1, 2, 2), ok(3, 4, 1)], 0, 2, "not larger"),
    "an answer the contract does not know": ([Request(0, 1, Outcome.WRONG, detail="404")], 0, 0, "outside the contract"),
    "an answer without its number": ([Request(0, 1, Outcome.ANSWERED)], 0, 1, "without a number"),
    "a clock that runs backwards": ([ok(2, 1, 1)], 0, 1, "end before they start"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_right_history_is_accepted(name: str) -> None:
    requests, initial, final = GOOD[name]
    assert checker.check(requests, initial, final) == []


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_history_is_refused(name: str) -> None:
    requests, initial, final, words = BAD[name]
    assert words in " ".join(checker.check(requests, initial, final))


#: At 10 a server takes over that has 2 of the 4 numbers that "a" has given; "b" has given none of them.
TAKEN_OVER = [Loss(10, 2)]
GIVEN = [of("a", number, number + 0.5, number) for number in range(1, 5)]

EXCLUDED = {
    "what another replica had given": ([of("b", 11, 12, 3), of("b", 12.5, 13, 4), of("a", 14, 15, 5)], 5, 2),
    "a count that another had passed": ([of("b", 11, 12, 2, read=True), of("a", 14, 15, 5)], 5, 1),
    "asked before, answered by the new server": ([of("b", 9, 12, 3), of("a", 14, 15, 5)], 5, 1),
    "nothing was lost after all": ([of("b", 11, 12, 5)], 5, 0),
}

NOT_EXCLUDED = {
    "a replica repeats itself": ([of("a", 11, 12, 4)], 4, "given twice"),
    "a replica shows less than it gave": ([of("a", 11, 12, 3, read=True)], 4, "not larger"),
    "a replica repeats what it has read": ([of("b", 5, 6, 4, read=True), of("b", 11, 12, 4)], 4, "given twice"),
    "what was kept is given again": ([of("b", 11, 12, 2)], 4, "given twice"),
    "before the other server took over": ([of("b", 8, 9, 4)], 4, "given twice"),
    "the new server gives a number twice": ([of("b", 11, 12, 3), of("c", 13, 14, 3)], 4, "given twice"),
    "the new server turns the order round": ([of("b", 11, 12, 4), of("c", 13, 14, 3)], 4, "not larger"),
    "the new server never gets as far": ([of("b", 11, 12, 3)], 3, "outside"),
    "it counts more than anybody asked for": ([of("b", 11, 12, 3), of("b", 13, 14, 6)], 6, "unacknowledged"),
}


@pytest.mark.parametrize("name", EXCLUDED)
def test_what_is_excluded_after_a_loss_is_accepted_and_told(name: str) -> None:
    requests, final, again = EXCLUDED[name]
    assert checker.check([*GIVEN, *requests], 0, final, TAKEN_OVER) == []
    assert len(checker.excluded([*GIVEN, *requests], TAKEN_OVER)) == again
    assert bool(checker.check([*GIVEN, *requests], 0, final)) == bool(again), "without a loss it is no excuse"


@pytest.mark.parametrize("name", NOT_EXCLUDED)
def test_what_is_not_excluded_after_a_loss_is_refused(name: str) -> None:
    requests, final, words = NOT_EXCLUDED[name]
    assert words in " ".join(checker.check([*GIVEN, *requests], 0, final, TAKEN_OVER))


def simulate(generator: random.Random, count: int = 300) -> tuple[list[Request], int, int]:
    """A true counter seen by concurrent clients, some of whom lose their answer."""
    initial = number = generator.randrange(1000)
    requests, moments = [], []
    for _ in range(count):
        start = generator.uniform(0, count / 20)
        applied = start + generator.expovariate(4)
        moments.append((applied, start, applied + generator.expovariate(4)))
    for _, start, end in sorted(moments):
        fate = generator.random()
        if fate < 0.1:
            number += fate < 0.05
            # Whether it was counted or not, the client may give up before that.
            requests.append(lost(start, generator.uniform(start, end), generator.choice(sorted(MAYBE_COUNTED, key=str))))
        elif fate < 0.15:
            requests.append(lost(start, end, Outcome.REFUSED))
        elif fate < 0.25:
            requests.append(read(start, end, number))
        else:
            number += 1
            requests.append(ok(start, end, number))
    generator.shuffle(requests)
    return requests, initial, number


@pytest.mark.parametrize("seed", range(40))
def test_no_false_alarm_on_a_true_counter(seed: int) -> None:
    requests, initial, final = simulate(random.Random(seed))
    assert checker.check(requests, initial, final) == []


@pytest.mark.parametrize("seed", range(40))
def test_damage_to_a_true_history_is_noticed(seed: int) -> None:
    generator = random.Random(seed)
    requests, initial, final = simulate(generator)
    pings = sorted((r for r in answered(requests) if not r.read), key=lambda request: request.number)
    victim = generator.choice(pings[: len(pings) // 2])  # so that larger numbers are acknowledged after it
    rest = [request for request in requests if request is not victim]
    unknown = sum(request.outcome in MAYBE_COUNTED for request in requests)
    late = Request(1e6, 1e6 + 1, Outcome.ANSWERED, victim.number)
    assert checker.check([*rest, late], initial, final), "a number out of its time"
    assert checker.check([*requests, late], initial, final), "the same number again"
    assert checker.check(requests, initial, final + unknown + 1), "more than can be explained"
    assert checker.check(requests, initial, initial + len(pings) - 1), "fewer than acknowledged"


@pytest.mark.parametrize("seed", range(40))
def test_order_agrees_with_comparing_all_pairs(seed: int) -> None:
    generator = random.Random(seed)
    requests = []
    for _ in range(25):
        start = generator.uniform(0, 10)
        requests.append(
            Request(
                start, start + generator.uniform(0, 3), Outcome.ANSWERED, generator.randrange(4) + int(start), read=generator.random() < 0.2
            )
        )
    pairs_wrong = any(
        a.end < b.start and (b.number < a.number or (b.number == a.number and not b.read)) for a in requests for b in requests
    )
    assert bool(checker.real_time_order(requests)) == pairs_wrong


def test_a_large_history_is_checked_in_seconds() -> None:
    requests = [ok(index, index + 50.5, index + 1) for index in range(200_000)]
    assert checker.check(requests, 0, len(requests)) == []


def test_tally_leaves_reads_out() -> None:
    counts = tally([ok(0, 1, 1), read(0, 1, 1), lost(0, 1)])
    assert counts[Outcome.ANSWERED] == 1 and counts[Outcome.LOST] == 1 and counts[Outcome.REFUSED] == 0
