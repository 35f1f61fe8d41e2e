"""What clients saw: one record per request, in the words of the checker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Iterable


class Outcome(Enum):
    ANSWERED = "answered"  # 200 with a number
    UNKNOWN = "unknown"  # 503: it may or may not have been counted
    REFUSED = "refused"  # 503: it was certainly not counted
    LOST = "lost"  # sent, then the connection broke or the client gave up
    UNSENT = "unsent"  # no connection: nothing was sent
    WRONG = "wrong"  # an answer the contract does not know


#: Requests with these outcomes may have been counted without the client having the number.
MAYBE_COUNTED = frozenset({Outcome.UNKNOWN, Outcome.LOST})


@dataclass(frozen=True)
class Request:
    """start and end are seconds on this machine's monotonic clock: just before the first byte was
    sent, and just after the last byte of the answer was received (or the client gave up)."""

    start: float
    end: float
    outcome: Outcome
    number: int | None = None
    read: bool = False  # GET /count: it shows the count and adds nothing
    replica: str = ""
    detail: str = ""


def answered(requests: Iterable[Request]) -> list[Request]:
    return [request for request in requests if request.outcome is Outcome.ANSWERED]


def tally(requests: Iterable[Request]) -> dict[Outcome, int]:
    """How many pings (not reads) had each outcome."""
    counts = dict.fromkeys(Outcome, 0)
    for request in requests:
        if not request.read:
            counts[request.outcome] += 1
    return counts
