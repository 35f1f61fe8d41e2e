"""The list of scenarios, and what a run of one amounts to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Callable

from harness.postgres import Cluster
from history import Outcome


class Skip(Exception):
    """This machine cannot show it; the message says why."""


@dataclass
class Result:
    """What one scenario did with one number of replicas. Violations are sentences; none: it held."""

    name: str
    title: str
    replicas: int | None  # None: it is not about pingpong's replicas
    times: int = 0
    requests: int = 0
    acknowledged: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0

    def require(self, condition: object, sentence: str) -> None:
        """Notes a violation unless condition holds; the scenario goes on."""
        if not condition:
            self.violations.append(sentence)

    def count(self, outcomes: dict[Outcome, int]) -> None:
        self.requests += sum(outcomes.values())
        self.acknowledged += outcomes[Outcome.ANSWERED]
        for outcome, number in outcomes.items():
            if number and outcome is not Outcome.ANSWERED:
                self.errors[outcome.value] = self.errors.get(outcome.value, 0) + number

    def error(self, kind: str, number: int = 1) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + number

    @property
    def verdict(self) -> str:
        if self.skipped:
            return "skipped"
        return "violated" if self.violations else "held"


@dataclass(frozen=True)
class Scenario:
    """run(cluster, result): does the fault and notes in result what happened. cluster is
    a running private PostgreSQL, to be left running."""

    name: str
    title: str
    run: Callable[[Cluster, Result], None]
    replicas: tuple[int | None, ...]

    def execute(self, cluster: Cluster, replicas: int | None) -> Result:
        result = Result(self.name, self.title, replicas)
        began = time.monotonic()
        try:
            self.run(cluster, result)
        except Skip as reason:
            result.skipped = str(reason)
        except AssertionError as error:
            result.violations.append(str(error))
        except Exception as error:  # the table of the other scenarios is worth having all the same
            result.violations.append(f"the scenario failed: {error!r}")
        result.seconds = time.monotonic() - began
        return result


SCENARIOS: list[Scenario] = []


def scenario(name: str, title: str, replicas: tuple[int | None, ...] = (1, 3)):
    """Registers the decorated function as a scenario."""

    def register(run: Callable[[Cluster, Result], None]) -> Callable[[Cluster, Result], None]:
        SCENARIOS.append(Scenario(name, title, run, replicas))
        return run

    return register
