"""Fixtures of the browser's tests: the builds, the programs behind the page, and a Chromium."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "blackbox"), str(TESTS / "browser")]

from chromium import Chromium
from harness.postgres import Cluster
from harness.process import BUILD, eventually
from programs import Database, Program, pingpong, reader, writer

# The same pingpong, built with VERSION=2.0.0.
NEXT = BUILD / "next" / "pingpong"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    made = Database(cluster)
    yield made
    made.drop()


@pytest.fixture
def old(database: Database) -> Iterator[Program]:
    with pingpong(database.env(POD_NAME="pingpong-old")) as running:
        yield running


@pytest.fixture
def new(database: Database) -> Iterator[Program]:
    with Program([NEXT], database.env(POD_NAME="pingpong-new"), ready="/healthz") as running:
        yield running


@pytest.fixture
def page_of(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    """A reader for the given PINGPONG_URL, with all else that a page shows."""
    config, shared = tmp_path / "information.txt", tmp_path / "timestamp.txt"
    config.write_text("this text is from file\n")
    made: list[Program] = []

    def make(url: str, **settings: object) -> Program:
        env = {"SHARED_FILE": shared, "CONFIG_FILE": config, "MESSAGE": "hello world", "PINGPONG_URL": url, **settings}
        made.append(reader(env).start())
        return made[-1]

    with writer(shared, INTERVAL_MS=500):
        eventually(shared.exists, 10, "the writer's first line")
        yield make
        for program in made:
            program.discard()


@pytest.fixture
def page(old: Program, page_of: Callable[..., Program]) -> Program:
    return page_of(f"http://127.0.0.1:{old.port}/ping")


@pytest.fixture
def browser() -> Iterator[Chromium]:
    with Chromium() as running:
        yield running
        assert running.complaints() == []
