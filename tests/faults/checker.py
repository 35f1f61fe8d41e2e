"""Proves from a history that every ping was counted exactly once, or says what contradicts it.

Each check takes the requests and returns sentences, one per kind of violation (with the first
example); an empty list means that the history can be explained by a counter that does what the
contract promises. Everything is O(n log n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from history import MAYBE_COUNTED, Outcome, Request, answered


@dataclass(frozen=True)
class Loss:
    """A server took over that need not have everything that was confirmed.

    at    when, on the clock of the requests: no answer that came earlier is of that server
    kept  the count that it had then
    """

    at: float
    kept: int


def check(requests: Sequence[Request], initial: int, final: int, losses: Sequence[Loss] = ()) -> list[str]:
    """initial and final: the count in the database before the first and after the last request,
    the latter read when nothing can be under way any more. After each of the losses the answers that
    excluded() names are let pass; but those of one server are judged among themselves, too."""
    passed = {id(request) for request in excluded(requests, losses)}
    rest = [request for request in requests if id(request) not in passed]
    pings = [request for request in rest if not request.read]
    return [
        *well_formed(requests),
        *unique(pings),
        *within(pings, initial, final),
        *real_time_order(rest),
        *total(pings, initial, final),
        *gaps_explained(pings, initial, final),
        *(
            sentence
            for server in _servers(requests, losses)
            for sentence in (*unique([request for request in server if not request.read]), *real_time_order(server))
        ),
    ]


def excluded(requests: Sequence[Request], losses: Sequence[Loss]) -> list[Request]:
    """What docs/promise.md excludes when a database forgets: the answers of a replica that could not know that the
    numbers were given. They are above what was kept and not above what others had been given before, but above all
    that the replica itself had given or shown."""
    found = []
    for loss in losses:
        before = [request for request in answered(requests) if request.end < loss.at]
        highest = max((request.number or 0 for request in before), default=0)
        own: dict[str, int] = {}
        for request in before:
            own[request.replica] = max(own.get(request.replica, 0), request.number or 0)
        for request in answered(requests):
            least = max(loss.kept, own.get(request.replica, 0)) + (0 if request.read else 1)
            if request.end >= loss.at and least <= (request.number or 0) <= highest:
                found.append(request)
    return found


def _servers(requests: Sequence[Request], losses: Sequence[Loss]) -> list[list[Request]]:
    """What was asked and answered between two losses; nothing if there was none."""
    bounds = [float("-inf"), *(loss.at for loss in losses), float("inf")]
    return (
        [[request for request in requests if since <= request.start and request.end < until] for since, until in zip(bounds, bounds[1:])]
        if losses
        else []
    )


def well_formed(requests: Sequence[Request]) -> list[str]:
    """Every answer is one the contract knows, and time runs forwards."""
    wrong = [request for request in requests if request.outcome is Outcome.WRONG]
    backwards = [request for request in requests if request.end < request.start]
    numberless = [request for request in answered(requests) if request.number is None]
    return [
        *_first("answers outside the contract", wrong),
        *_first("requests that end before they start", backwards),
        *_first("answers without a number", numberless),
    ]


def unique(pings: Sequence[Request]) -> list[str]:
    """No number was given to two requests."""
    owner: dict[int, Request] = {}
    twice = []
    for request in answered(pings):
        if request.number in owner:
            twice.append(request)
        owner.setdefault(request.number, request)
    return _first("numbers given twice", twice)


def within(pings: Sequence[Request], initial: int, final: int) -> list[str]:
    """Every number is one the counter has passed since the beginning."""
    outside = [request for request in answered(pings) if not initial < (request.number or 0) <= final]
    return _first(f"numbers outside {initial + 1}..{final}", outside)


def real_time_order(requests: Sequence[Request]) -> list[str]:
    """If A was answered before B was sent, A's number is smaller (a read may show A's number)."""
    known = [request for request in answered(requests) if request.number is not None]
    by_end = sorted(known, key=lambda request: request.end)
    wrong = []
    largest: Request | None = None
    done = 0
    for request in sorted(known, key=lambda request: request.start):
        while done < len(by_end) and by_end[done].end < request.start:
            if largest is None or by_end[done].number > largest.number:
                largest = by_end[done]
            done += 1
        least = 0 if largest is None else largest.number + (0 if request.read else 1)
        if largest is not None and request.number < least:
            wrong.append(request)
    return _first("numbers not larger than one acknowledged before the request was sent", wrong)


def total(pings: Sequence[Request], initial: int, final: int) -> list[str]:
    """final = initial + acknowledged + at most those whose client does not know."""
    acknowledged = len(answered(pings))
    unknown = sum(request.outcome in MAYBE_COUNTED for request in pings)
    extra = final - initial - acknowledged
    if extra < 0:
        return [f"{-extra} acknowledged pings are missing from the final count {final}"]
    if extra > unknown:
        return [f"the final count {final} has {extra} unacknowledged pings, but only {unknown} requests may be among them"]
    return []


def gaps_explained(pings: Sequence[Request], initial: int, final: int) -> list[str]:
    """Each number that nobody was given belongs to a request that lost its answer, and one that was
    sent early enough: its number is larger than all acknowledged before it was sent.

    The k-th smallest missing number needs k such requests whose lower bound is below it; because the
    candidates only grow with the number, that is enough for an assignment to exist (Hall)."""
    known = sorted((request for request in answered(pings) if request.number is not None), key=lambda request: request.end)
    bounds, largest, done = [], initial, 0
    for request in sorted((r for r in pings if r.outcome in MAYBE_COUNTED), key=lambda request: request.start):
        while done < len(known) and known[done].end < request.start:
            largest = max(largest, known[done].number)
            done += 1
        bounds.append(largest)  # never falls, so the list is sorted
    given = {request.number for request in known}
    candidates, missing = 0, 0
    for number in _missing(given, initial, final, limit=len(bounds) + 1):
        missing += 1
        while candidates < len(bounds) and bounds[candidates] < number:
            candidates += 1
        if candidates < missing:
            return [f"number {number} was counted, but no request without an answer can have been it"]
    return []


def _missing(given: set, initial: int, final: int, limit: int):
    """The numbers nobody was given, ascending; at most limit of them."""
    for number in range(initial + 1, final + 1):
        if number not in given:
            yield number
            limit -= 1
            if limit <= 0:
                return


def _first(what: str, requests: Sequence[Request]) -> list[str]:
    return [f"{len(requests)} {what}, first: {requests[0]}"] if requests else []
