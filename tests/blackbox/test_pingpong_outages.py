"""The database away, gone, hung and back. tests/faults goes deeper."""

from __future__ import annotations

import threading
import time
from typing import Iterator

import pytest

from harness.http import Connection, Response, get
from harness.postgres import Cluster
from harness.process import eventually, free_port
from programs import PATIENCE, Database, Program, ask_all_at_once, in_threads, pingpong as make_pingpong, pong, timed


@pytest.fixture
def fragile_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that the test may stop."""
    with Cluster() as running:
        yield running


def healthz(program: Program) -> tuple[int, str]:
    answer = get(program.port, "/healthz", timeout=3)
    return answer.status, answer.text


def await_status(program: Program, status: int, within: float) -> None:
    eventually(lambda: healthz(program)[0] == status, within * PATIENCE, f"/healthz {status}", 0.02)


def test_it_lives_without_a_database_and_is_ready_when_one_appears(fragile_cluster: Cluster) -> None:
    fragile_cluster.stop()
    with make_pingpong({**fragile_cluster.env(), "DRAIN_MS": "0"}, ready="/livez") as running:
        assert healthz(running) == (500, "DB Not Ready")
        assert get(running.port, "/").status == 200
        assert get(running.port, "/metrics").status == 200
        answer, took = timed(lambda: get(running.port, "/ping"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert set(answer.json()) == {"error"}
        assert 1.8 <= took < 2.0 + PATIENCE
        assert get(running.port, "/count").status == 503
        fragile_cluster.start()
        await_status(running, 200, 2)
        assert pong(get(running.port, "/ping")) == 1


def test_a_ping_that_waits_is_served_when_the_database_comes(fragile_cluster: Cluster) -> None:
    fragile_cluster.stop()
    with (
        make_pingpong({**fragile_cluster.env(), "DRAIN_MS": "0", "PING_TIMEOUT_MS": "20000"}, ready="/livez") as running,
        Connection(running.port, timeout=30) as connection,
    ):
        connection.send_request("GET", "/ping")
        fragile_cluster.start()
        assert pong(connection.read_response()) == 1


def test_ping_timeout_is_as_set() -> None:
    settings = {"DB_HOST": "127.0.0.1", "DB_PORT": free_port(), "PING_TIMEOUT_MS": 300, "DRAIN_MS": 0}
    with make_pingpong({name: str(value) for name, value in settings.items()}, ready="/livez") as running:
        answer, took = timed(lambda: get(running.port, "/ping"))
        assert answer.status == 503
        assert 0.25 <= took < 0.3 + 0.7 * PATIENCE


def test_the_queue_is_capped() -> None:
    settings = {"DB_HOST": "127.0.0.1", "DB_PORT": free_port(), "PING_TIMEOUT_MS": 6000, "PING_QUEUE_MAX": 8, "DRAIN_MS": 0}
    with make_pingpong({name: str(value) for name, value in settings.items()}, ready="/livez") as running:
        answers = in_threads(20, lambda _: timed(lambda: get(running.port, "/ping")))
        assert {answer.status for answer, _ in answers} == {503}
        at_once = [took for _, took in answers if took < 5.0]
        assert len(at_once) == 12, sorted(took for _, took in answers)


class Client:
    """Pings without end, and adds up what it is told."""

    def __init__(self, port: int):
        self.port = port
        self.stop = threading.Event()
        self.numbers: list[int] = []
        self.told_not_counted = self.told_unknown = 0
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with Connection(self.port, timeout=20) as connection:
                while not self.stop.is_set():
                    self._note(connection.request("GET", "/ping"))
        except BaseException as failure:  # noqa: B902 - raised again by finish()
            self.failure = failure

    def _note(self, answer: Response) -> None:
        if answer.status == 200:
            self.numbers.append(pong(answer))
            return
        assert answer.status == 503, answer
        if "not counted" in answer.json()["error"]:
            self.told_not_counted += 1
        else:
            self.told_unknown += 1
        time.sleep(0.02)

    def finish(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive(), "a client got no answer"
        if self.failure:
            raise self.failure


@pytest.mark.parametrize("outage", ["stop", "kill", "sigstop"])
def test_an_outage_is_seen_and_survived_and_nothing_is_lost(fragile_cluster: Cluster, outage: str) -> None:
    """/healthz says 500 within 2 s and 200 within 2 s after; every ping is accounted for."""
    with make_pingpong({**fragile_cluster.env(), "DRAIN_MS": "0"}) as running:
        clients = [Client(running.port) for _ in range(8)]
        eventually(lambda: all(client.numbers for client in clients), 10, "pings under way")
        getattr(fragile_cluster, outage)()
        await_status(running, 500, 2)
        assert running.alive and get(running.port, "/livez").status == 200
        assert timed(lambda: healthz(running))[1] < PATIENCE
        if outage == "sigstop":
            fragile_cluster.sigcont()
        else:
            fragile_cluster.start()
        await_status(running, 200, 2)
        reached = [len(client.numbers) for client in clients]
        eventually(lambda: all(len(client.numbers) > before for client, before in zip(clients, reached)), 10, "pings counted again")
        for client in clients:
            client.finish()
        count = pong(get(running.port, "/count"))
    numbers = [number for client in clients for number in client.numbers]
    unknown = sum(client.told_unknown for client in clients)
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) <= count <= len(numbers) + unknown, (len(numbers), unknown, count)


def test_a_session_that_is_ended_costs_no_ping(pingpong: Program, database: Database) -> None:
    """pg_terminate_backend while pings run: connected again at once, none fails."""
    stop_at = time.monotonic() + 2.0

    def client(index: int) -> int:
        done = 0
        with Connection(pingpong.port) as connection:
            while time.monotonic() < stop_at:
                if index == 0:
                    time.sleep(0.3)
                    database.cluster.query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                        (database.name, database.role),
                    )
                else:
                    pong(connection.request("GET", "/ping"))
                    done += 1
        return done

    assert sum(in_threads(5, client)) == database.count()


def test_a_client_that_goes_away_while_it_waits_harms_no_one(fragile_cluster: Cluster) -> None:
    with make_pingpong({**fragile_cluster.env(), "DRAIN_MS": "0"}) as running:
        fragile_cluster.sigstop()
        for _ in range(20):
            connection = Connection(running.port)
            connection.send_request("GET", "/ping")
            connection.close()
        fragile_cluster.sigcont()
        await_status(running, 200, 5)
        assert 1 <= pong(get(running.port, "/ping")) <= 21
        answers = ask_all_at_once(running.port, "/ping", 10, 10)
        assert len({pong(answer) for answer in answers}) == 10


def test_a_wrong_password_is_not_ready_and_not_logged(database: Database) -> None:
    secret = "hunter2-is-not-it"
    with make_pingpong(database.env(DB_PASSWORD=secret, LOG_LEVEL="debug"), ready="/livez") as running:
        eventually(lambda: "authentication failed" in running.stderr(), 10, "the refusal in the log")
        assert healthz(running) == (500, "DB Not Ready")
        assert secret not in running.stderr()
