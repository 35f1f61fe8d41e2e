"""The steps, in the order in which they run. A step is a function that shows one thing and returns what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable


@dataclass
class Step:
    name: str
    shows: str
    needs: tuple[str, ...]  # kinds that the API server has to know, settings that have to be set, programs
    work: Callable[[], dict]
    slow: bool


STEPS: dict[str, Step] = {}


def step(name: str, shows: str, needs: tuple[str, ...] = (), slow: bool = False):
    def register(work: Callable[[], dict]) -> Callable[[], dict]:
        STEPS[name] = Step(name, shows, needs, work, slow)
        return work

    return register


def load() -> dict[str, Step]:
    from . import plain, network, security, components, canary, failover, argocd, journey  # noqa: F401 - they register themselves

    return STEPS
