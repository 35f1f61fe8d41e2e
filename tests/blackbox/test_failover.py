"""A primary that breaks while its standby is in DB_HOST, too; and a primary that comes back.

How long it takes is measured by make test-faults. Here it is what follows on what, and no number twice.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Callable, Iterator

import pytest

from harness.failover import Break, Pair
from harness.http import Connection, get, metrics
from harness.network import Network, available, own_network
from harness.process import eventually
from programs import Program, log_lines, pingpong as make_pingpong, pong

EVENTUALLY_S = 60
REPLICAS = 3


class Client(threading.Thread):
    """Pings without end; keeps the numbers in the order in which they came."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.port, self.numbers, self.failure = port, [], None
        self.stop = threading.Event()
        self.start()

    def run(self) -> None:
        try:
            with Connection(self.port, timeout=EVENTUALLY_S) as connection:
                while not self.stop.is_set():
                    answer = connection.request("GET", "/ping")
                    if answer.status == 200:
                        self.numbers.append(pong(answer))
                    time.sleep(0.005)
        except BaseException as failure:  # noqa: B902 - raised again by finish()
            self.failure = failure

    def finish(self) -> list[int]:
        self.stop.set()
        self.join(EVENTUALLY_S)
        if self.failure:
            raise self.failure
        return self.numbers


@pytest.fixture
def network() -> Iterator[Network | None]:
    """None where there is none to be had."""
    if not available():
        yield None
        return
    with own_network() as made:
        yield made


@pytest.fixture
def make_pair(network: Network | None) -> Iterator[Callable[..., Pair]]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Pair(network=network, **options))


@pytest.fixture(params=Break, ids=lambda how: how.name.lower())
def how(request: pytest.FixtureRequest) -> Break:
    if request.param is Break.CUT_OFF and not available():
        pytest.skip("a network of its own needs root, nft and ip")
    return request.param


def pingpong(pair: Pair, **settings: object) -> Program:
    env = {**pair.primary.env(), **pair.hosts, "DRAIN_MS": "0", **{name: str(value) for name, value in settings.items()}}
    return make_pingpong(env, start_timeout=EVENTUALLY_S)


def await_health(programs: list[Program], status: int) -> None:
    for program in programs:
        eventually(lambda: get(program.port, "/healthz").status == status, EVENTUALLY_S, f"/healthz {status}")


def await_numbers(clients: list[Client]) -> None:
    """Each client gets a number that it asked for later than now."""
    seen = [len(client.numbers) for client in clients]
    eventually(lambda: all(len(client.numbers) > before + 1 for client, before in zip(clients, seen)), EVENTUALLY_S, "pings answered")


def history_lost(programs: list[Program]) -> float:
    return sum(metrics(program.port)["pingpong_history_lost_total"] for program in programs)


def servers_used(program: Program) -> list[str]:
    return [line["server"] for line in log_lines(program.stderr()) if line["message"] == "database ready"]


def end_sessions(pair: Pair) -> None:
    pair.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pingpong'")


def test_a_failover_is_followed_and_a_former_primary_believed_nothing(make_pair: Callable[..., Pair], how: Break) -> None:
    """A synchronous one: it comes back as it was, and confirms nothing to replicas that have lost their
    sessions or are new."""
    pair = make_pair(synchronous=True)
    with ExitStack() as stack:
        programs = [stack.enter_context(pingpong(pair)) for _ in range(REPLICAS)]
        clients = [Client(program.port) for program in programs]
        await_numbers(clients)
        pair.break_primary(how)
        await_health(programs, 500)
        pair.promote()
        await_numbers(clients)
        await_health(programs, 200)

        pair.bring_back()
        eventually(lambda: pair.former.query("SELECT pg_is_in_recovery()") == [(False,)], EVENTUALLY_S, "it is back")
        end_sessions(pair)
        programs.append(stack.enter_context(pingpong(pair)))
        clients.append(Client(programs[-1].port))
        await_numbers(clients)
        numbers = [number for client in clients for number in client.finish()]

        assert len(set(numbers)) == len(numbers)
        assert max(numbers) <= pair.primary.query("SELECT count FROM counters")[0][0]
        assert history_lost(programs) == 0
        here = f"{pair.primary.address} port {pair.primary.port}"
        assert [servers_used(program)[-1] for program in programs] == [here] * len(programs)
        assert servers_used(programs[-1]) == [here], "new, and the former primary comes first in its list"


def test_a_failover_to_a_server_that_is_behind_is_noticed(make_pair: Callable[..., Pair], how: Break) -> None:
    """An asynchronous one. Every replica knows the highest number, so none comes again; it is told which are lost."""
    pair = make_pair(synchronous=False)
    with ExitStack() as stack:
        programs = [stack.enter_context(pingpong(pair, PING_TIMEOUT_MS=30000)) for _ in range(REPLICAS)]

        def all_pinged() -> list[int]:
            return [pong(get(program.port, "/ping", timeout=EVENTUALLY_S)) for program in programs for _ in range(5)]

        numbers = all_pinged()
        pair.standby.stop()
        kept = pair.primary.query("SELECT count FROM counters")[0][0]
        numbers += all_pinged()
        assert [pong(get(program.port, "/count")) for program in programs] == [2 * kept] * REPLICAS

        pair.break_primary(how)
        await_health(programs, 500)
        pair.standby.start()
        assert history_lost(programs) == 0
        pair.promote()
        eventually(lambda: history_lost(programs) > 0, EVENTUALLY_S, "the loss is noticed")
        numbers += all_pinged()
        assert sorted(numbers) == list(range(1, 3 * kept + 1))
        told = [
            line
            for program in programs
            for line in log_lines(program.stderr())
            if line["message"] == "the database has lost numbers that were given"
        ]
        assert told and (told[0]["level"], told[0]["to"]) == ("error", 2 * kept)
        # The standby may have had less than it was sent when it was stopped.
        assert min(line["from"] for line in told) <= kept + 1


def test_an_asynchronous_former_primary_counts_on_by_itself(make_pair: Callable[..., Pair]) -> None:
    """What is not promised: a replica that runs stays where it is, but one that is new takes the first that takes
    writes. So a former primary has to be kept from answering."""
    pair = make_pair(synchronous=False)
    with pingpong(pair, DB_CONNECT_TIMEOUT_MS=30000) as running:
        assert [pong(get(running.port, "/ping")) for _ in range(3)] == [1, 2, 3]
        eventually(lambda: pair.standby.query("SELECT count FROM counters") == [(3,)], EVENTUALLY_S, "the standby has it")
        pair.break_primary(Break.KILLED)
        await_health([running], 500)
        pair.promote()
        await_health([running], 200)
        assert pong(get(running.port, "/ping")) == 4

        pair.bring_back()
        end_sessions(pair)
        eventually(lambda: len(servers_used(running)) == 3, EVENTUALLY_S, "another session")
        assert pong(get(running.port, "/ping")) == 5
        former, present = (f"{server.address} port {server.port}" for server in (pair.former, pair.primary))
        assert servers_used(running) == [former, present, present]

        with pingpong(pair) as fresh:
            assert servers_used(fresh) == [former]
            assert pong(get(fresh.port, "/ping")) == 4, "a second time"
