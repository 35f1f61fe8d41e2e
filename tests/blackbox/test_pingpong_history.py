"""A database that forgets: restored, failed over to a standby that lagged, made anew, set back."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import Callable, Iterator

import pytest

from harness.http import get, metrics
from harness.postgres import Cluster, Standby
from harness.process import eventually
from programs import Database, Program, in_background, in_threads, log_lines, pingpong as make_pingpong, pong

BIGINT_MAX = 9223372036854775807


def count_all(programs: list[Program], times: int = 10) -> list[int]:
    """Every program pinged by a client of its own, at once."""
    got = in_threads(len(programs), lambda index: [pong(get(programs[index].port, "/ping", timeout=30)) for _ in range(times)])
    return [number for numbers in got for number in numbers]


def await_ready(programs: list[Program]) -> None:
    for program in programs:
        eventually(lambda: get(program.port, "/healthz").status == 200, 60, "ready again")


def restored_backup(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    cluster.stop()
    backup = cluster.directory / "backup"
    shutil.copytree(cluster.data, backup, copy_function=shutil.copy2)
    cluster.start()
    lose()
    cluster.kill()
    shutil.rmtree(cluster.data)
    backup.rename(cluster.data)
    for path in (cluster.data, *cluster.data.rglob("*")):
        cluster.own(path)
    return cluster.start()


def lagging_standby(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    standby = Standby(cluster)
    standby.start()
    eventually(standby.streams, 30, "the standby streaming")
    standby.stop()
    lose()
    cluster.kill()
    # In the primary's place, and it knows nothing of what came while it was away.
    standby.configure({"port": cluster.port})
    standby.port = cluster.port
    standby.start()
    standby.promote()
    return standby


def table_made_anew(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    lose()
    database.query("DROP TABLE counters")
    return cluster


def both_tables_made_anew(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    lose()
    database.query("DROP TABLE counters, pingpong_writers")
    return cluster


def another_database(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    lose()
    cluster.query(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
    cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,))
    eventually(lambda: not cluster.backends(database=database.name), 10, "nobody is connected")
    cluster.query(f'ALTER DATABASE "{database.name}" RENAME TO "{database.name}_old"')
    cluster.create_database(database.name, owner=database.role)
    return cluster


def set_back(cluster: Cluster, database: Database, lose: Callable[[], None]) -> Cluster:
    lose()
    database.query("UPDATE counters SET count = 5")
    return cluster


WAYS = [restored_backup, lagging_standby, table_made_anew, both_tables_made_anew, another_database, set_back]


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_number_comes_again_and_the_loss_is_told(own_cluster: Cluster, way: Callable, replicas: int) -> None:
    database = Database(own_cluster)
    with ExitStack() as stack:
        programs = [stack.enter_context(make_pingpong(database.env(PING_TIMEOUT_MS=20000))) for _ in range(replicas)]
        numbers = count_all(programs)

        def lose() -> None:
            await_ready(programs)
            numbers.extend(count_all(programs))
            # Each has seen what the others have counted: it asks once a second.
            time.sleep(1.5)

        cluster = way(own_cluster, database, lose)
        stack.callback(cluster.destroy)
        eventually(
            lambda: sum(metrics(program.port)["pingpong_history_lost_total"] for program in programs) >= 1, 60, "the loss is noticed"
        )
        await_ready(programs)
        numbers.extend(count_all(programs))
        assert len(set(numbers)) == len(numbers) == 30 * replicas
        assert max(numbers) == 30 * replicas, "it goes on from the highest number"
        told = [line for program in programs for line in log_lines(program.stderr()) if "to" in line and line["level"] == "error"]
        assert told and all(line["message"] == "the database has lost numbers that were given" for line in told)
        assert {line["to"] for line in told} == {20 * replicas} and all(line["from"] <= line["to"] for line in told)


def test_the_very_next_ping_notices_a_count_that_was_set_back(database: Database) -> None:
    """Not only the reading of each second: this ping would have been number 3 once more."""
    with make_pingpong(database.env(PING_TIMEOUT_MS=20000)) as running:
        assert [pong(get(running.port, "/ping")) for _ in range(5)] == [1, 2, 3, 4, 5]
        database.query("UPDATE counters SET count = 2")
        assert pong(get(running.port, "/ping", timeout=30)) == 6
        assert metrics(running.port)["pingpong_history_lost_total"] == 1


@pytest.mark.parametrize(
    "forget", ["UPDATE counters SET count = count - 5", "DROP TABLE counters", "DROP TABLE counters, pingpong_writers"]
)
def test_no_replica_goes_on_before_its_siblings_have_told_what_they_gave(database: Database, forget: str) -> None:
    """The first to notice knows less than a third one that hangs, and the second would follow the first."""
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(make_pingpong(database.env(PING_TIMEOUT_MS=20000))) for _ in range(3))
        numbers = count_all([first, second, third])
        time.sleep(1.5)  # each asks for the count once a second
        numbers.append(pong(get(third.port, "/ping")))
        third.sigstop()
        database.query(forget)
        pings = [in_background(lambda: get(first.port, "/ping", timeout=30))]
        eventually(lambda: metrics(first.port)["pingpong_history_lost_total"] == 1, 10, "the first has noticed")
        pings.append(in_background(lambda: get(second.port, "/ping", timeout=30)))
        time.sleep(1)
        third.sigcont()
        for thread, _ in pings:
            thread.join(30)
        # Where nothing is left of its batch, a ping is told that it may have been counted.
        numbers += [pong(answers[0]) for _, answers in pings if answers[0].status == 200]
        await_ready([first, second, third])
        numbers += count_all([first, second, third])
        assert len(set(numbers)) == len(numbers) >= 61


def test_a_count_raised_by_hand_is_no_loss(own_cluster: Cluster) -> None:
    database = Database(own_cluster)
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
        database.query("UPDATE counters SET count = 1000")
        assert pong(get(running.port, "/ping")) == 1001
        assert metrics(running.port)["pingpong_history_lost_total"] == 0


def test_a_reset_that_is_wanted_is_made_without_the_daemon(own_cluster: Cluster) -> None:
    """As the documents say: end all replicas, set the count, start them."""
    database = Database(own_cluster)
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
    database.query("UPDATE counters SET count = 0")
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
        assert metrics(running.port)["pingpong_history_lost_total"] == 0


def cancel_waits_for_the_standby(cluster: Cluster, database: Database) -> int:
    """Cancels whoever waits for the standby now; how many."""
    return len(
        cluster.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s", (database.name,))
    )


@pytest.fixture
def replicated(own_cluster: Cluster) -> Iterator[tuple[Cluster, Standby, Database]]:
    database = Database(own_cluster)
    standby = Standby(own_cluster)
    try:
        standby.start()
        own_cluster.replicate_to(standby)
        yield own_cluster, standby, database
    finally:
        standby.sigcont()
        standby.destroy()


Cancelled = tuple[Program, threading.Thread, list]


@contextmanager
def cancelled_wait(replicated: tuple[Cluster, Standby, Database], ping_timeout_ms: int) -> Iterator[Cancelled]:
    """A daemon whose second ping waits for a standby that hangs, while the wait was cancelled once."""
    cluster, standby, database = replicated
    with make_pingpong(database.env(PING_TIMEOUT_MS=ping_timeout_ms)) as running:
        assert pong(get(running.port, "/ping")) == 1
        standby.sigstop()
        thread, answers = in_background(lambda: get(running.port, "/ping", timeout=40))
        eventually(lambda: cancel_waits_for_the_standby(cluster, database), 10, "a wait is cancelled")
        yield running, thread, answers


def test_a_cancelled_wait_for_a_standby_is_not_acknowledged(replicated: tuple[Cluster, Standby, Database]) -> None:
    """The server reports the commit as a success, with a warning. A failover then loses it."""
    cluster, _, database = replicated
    with cancelled_wait(replicated, 4000) as (running, thread, answers):
        # Every later attempt to confirm it is cancelled as well.
        while thread.is_alive():
            cancel_waits_for_the_standby(cluster, database)
            time.sleep(0.05)
        assert answers[0].status == 503
        assert answers[0].json()["error"].endswith("this ping may have been counted")
        assert "canceling wait for synchronous replication" in running.stderr()
        assert get(running.port, "/healthz").status == 500


def test_a_cancelled_wait_is_acknowledged_once_the_standby_has_it(replicated: tuple[Cluster, Standby, Database]) -> None:
    _, standby, database = replicated
    with cancelled_wait(replicated, 30000) as (running, thread, answers):
        time.sleep(1)
        assert thread.is_alive(), answers
        standby.sigcont()
        thread.join(40)
        assert pong(answers[0]) == 2
        assert pong(get(running.port, "/ping", timeout=20)) == 3
        eventually(lambda: standby.query("SELECT count FROM counters", database=database.name) == [(3,)], 20, "the standby has it")


def ledger_length(database: Database) -> int:
    return database.query("SELECT coalesce(array_upper(ledger, 1), 0) FROM counters")[0][0]


def test_a_crash_loop_leaves_a_short_ledger(database: Database) -> None:
    """Of those that are not connected some slots are kept; a batch does not have to write more anew."""
    with make_pingpong(database.env()) as steady:
        assert pong(get(steady.port, "/ping")) == 1
        for number in range(2, 62):
            crashing = make_pingpong(database.env()).start()
            try:
                assert pong(get(crashing.port, "/ping")) == number
            finally:
                crashing.kill()
                crashing.discard()
        assert ledger_length(database) <= 3 * 20
        assert database.query("SELECT count(*) >= 40 FROM pingpong_parked") == [(True,)]
        assert pong(get(steady.port, "/ping")) == 62


def test_a_thousand_slots_of_the_dead_are_parked(database: Database) -> None:
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
    database.query("INSERT INTO pingpong_writers (slot, writer) SELECT s, gen_random_uuid() FROM generate_series(2, 1001) s")
    database.query("UPDATE counters SET ledger[4:3003] = array_fill(7::bigint, ARRAY[3000])")
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 2
        assert ledger_length(database) == 3
        assert database.query("SELECT count(*), min(ticket), max(counted) FROM pingpong_parked") == [(1000, 7, 7)]
        database.query("UPDATE pingpong_parked SET seen = seen - interval '601 seconds'")
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 3
        assert database.query("SELECT count(*) FROM pingpong_parked") == [(0,)]


def test_nothing_fits_the_places_of_those_that_are_parked(database: Database) -> None:
    """A batch that is on its way all the same finds no key to build on."""
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
    database.query("INSERT INTO pingpong_writers (slot, writer) SELECT s, gen_random_uuid() FROM generate_series(2, 16) s")
    database.query("UPDATE counters SET ledger[4:48] = array_fill(7::bigint, ARRAY[45])")
    with make_pingpong(database.env()) as first, make_pingpong(database.env()) as last:
        # The first has taken the lowest slot and the last the seventeenth; from then on there are too many.
        assert [pong(get(program.port, "/ping")) for program in (first, last)] == [2, 3]
        with make_pingpong(database.env()) as other:
            assert [pong(get(program.port, "/ping")) for program in (other, last, first)] == [4, 5, 6]
            assert database.query("SELECT 0 = ALL (ledger[7:48]), cardinality(ledger) FROM counters") == [(True, 51)]


def test_a_crash_of_the_database_costs_no_outcome_where_there_are_many_slots(own_cluster: Cluster) -> None:
    """Nobody is connected then, so that says nothing of who is alive: each gets its number."""
    database = Database(own_cluster)
    with ExitStack() as stack:
        programs = [stack.enter_context(make_pingpong(database.env(PING_TIMEOUT_MS=30000))) for _ in range(4)]
        count_all(programs)
        database.query("INSERT INTO pingpong_writers (slot, writer) SELECT s, gen_random_uuid() FROM generate_series(5, 30) s")
        blocker = own_cluster.connect(database.name)
        stack.callback(blocker.close)
        blocker.autocommit = False
        blocker.cursor().execute("SELECT FROM counters FOR UPDATE")
        pings = [in_background(lambda program=program: get(program.port, "/ping", timeout=40)) for program in programs]
        eventually(lambda: len(own_cluster.backends("wait_event_type = 'Lock'", database.name)) == 4, 20, "four batches wait")
        own_cluster.kill()
        own_cluster.start()
        for thread, _ in pings:
            thread.join(40)
        assert sorted(pong(answers[0]) for _, answers in pings) == [41, 42, 43, 44]
        assert ledger_length(database) <= 3 * 5
        assert database.query("SELECT writer FROM pingpong_parked JOIN pingpong_writers USING (writer)") == []


def test_a_writer_moves_down_with_its_record(database: Database) -> None:
    """While slots below it are taken it has a high one; registering again it takes the lowest."""
    with make_pingpong(database.env()) as first:
        assert pong(get(first.port, "/ping")) == 1
        database.query("INSERT INTO pingpong_writers (slot, writer) SELECT s, gen_random_uuid() FROM generate_series(2, 10) s")
        with make_pingpong(database.env()) as second:
            assert [pong(get(second.port, "/ping")) for _ in range(3)] == [2, 3, 4]
            assert ledger_length(database) == 3 * 11
            database.query("DELETE FROM pingpong_writers WHERE slot BETWEEN 2 AND 10")
            database.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (database.name,)
            )
            await_ready([first, second])
            assert [pong(get(second.port, "/ping")), pong(get(first.port, "/ping"))] == [5, 6]
            assert sorted(database.query("SELECT slot FROM pingpong_writers")) == [(1,), (2,)]
            assert ledger_length(database) == 6
            assert metrics(second.port)["pingpong_history_lost_total"] == 0


def test_the_end_of_bigint_is_told(database: Database) -> None:
    with make_pingpong(database.env()) as running:
        database.query("UPDATE counters SET count = %s", (BIGINT_MAX - 3,))
        answers = in_threads(10, lambda _: get(running.port, "/ping", timeout=20))
        numbers = sorted(pong(answer) for answer in answers if answer.status == 200)
        # Until it has seen how little is left it may ask for more, which the database refuses as a whole.
        assert numbers == [BIGINT_MAX - 2, BIGINT_MAX - 1, BIGINT_MAX]
        for answer in answers:
            if answer.status != 200:
                assert answer.status == 503
                assert answer.json()["error"] == ("the counter has reached its end, 9223372036854775807; this ping was not counted")
        eventually(lambda: get(running.port, "/healthz").status == 200, 10, "it can still be read")
        assert pong(get(running.port, "/count")) == BIGINT_MAX
        assert metrics(running.port)['pingpong_pings_failed_total{reason="exhausted"}'] == 7
