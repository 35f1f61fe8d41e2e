"""Fixtures of the black-box tests. BUILD_DIR names the build that is tested."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from harness.http import get
from harness.postgres import Cluster
from programs import Database, Program, pingpong as make_pingpong, reader as make_reader, witness as make_witness, writer as make_writer
from harness.process import eventually


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "footprint: measures memory or time; wants the plain build and a quiet machine")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL for the tests that leave it running, one for each worker."""
    with Cluster({"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}) as running:
        running.query("CREATE EXTENSION pg_stat_statements")
        yield running


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of the test's own, which it may kill and start."""
    with Cluster() as running:
        yield running


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    made = Database(cluster)
    yield made
    made.drop()


@pytest.fixture
def pingpong(database: Database) -> Iterator[Program]:
    with make_pingpong(database.env()) as running:
        yield running


@pytest.fixture
def shared_file(tmp_path: Path) -> Iterator[Path]:
    """With a writer that keeps it fresh."""
    path = tmp_path / "timestamp.txt"
    with make_writer(path, INTERVAL_MS=200):
        eventually(path.exists, 10, "the writer's first line")
        yield path


@pytest.fixture
def page_settings(shared_file: Path, tmp_path: Path) -> dict[str, object]:
    """The reader's settings for a page on which nothing is missing, but for PINGPONG_URL."""
    config = tmp_path / "information.txt"
    config.write_text("this text is from file\n")
    return {"SHARED_FILE": shared_file, "CONFIG_FILE": config, "MESSAGE": "hello world"}


@pytest.fixture
def reader(pingpong: Program, page_settings: dict[str, object]) -> Iterator[Program]:
    url = f"http://127.0.0.1:{pingpong.port}/ping"
    with make_reader({**page_settings, "PINGPONG_URL": url}, ready="/healthz") as running:
        yield running


@pytest.fixture
def witness(pingpong: Program) -> Iterator[Program]:
    """Looking at pingpong; it has seen an answer."""
    with make_witness(f"http://127.0.0.1:{pingpong.port}/ping", RATE=50) as running:
        eventually(lambda: get(running.port, "/verdict").json()["ok"] > 0, 10, "an answer seen")
        yield running


@pytest.fixture(params=["pingpong", "reader"])
def daemon(request: pytest.FixtureRequest) -> Program:
    """Each of the two daemons, ready, with all it needs."""
    return request.getfixturevalue(request.param)
