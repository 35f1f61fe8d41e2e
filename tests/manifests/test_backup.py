"""The component backup's scripts, run with a real PostgreSQL."""

import os
import re
import shutil
import time

import pytest

import test_database_script as database
from rendering import MANIFESTS
from test_database_script import binaries, connect, initialise, query, server, volume  # noqa: F401 (a fixture)

FOLDER = MANIFESTS / "components/backup"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become the user postgres")


@pytest.fixture
def place(volume):
    """A database with a count, and what the Job's pod has."""
    assert initialise(volume)[0] == 0
    (volume / "backups").mkdir()
    shutil.chown(volume / "backups", "postgres", "postgres")
    for name in ("backup.sh", "restore.sh"):
        shutil.copy(FOLDER / name, volume / name)
    with server(volume) as port:
        count(port, 41, create=True)
        yield volume, port


def count(port, value, create=False):
    connection = connect(port)
    with connection.cursor() as cursor:
        if create:
            cursor.execute("CREATE TABLE counters (id INTEGER PRIMARY KEY, count BIGINT NOT NULL);INSERT INTO counters VALUES (1, 0)")
        cursor.execute("UPDATE counters SET count = %s", (value,))
    connection.close()


def counted(port):
    connection = connect(port)
    (row,) = query(connection, "SELECT count FROM counters")
    connection.close()
    return row[0]


def run(place, script, **more):
    volume, port = place
    process = database.in_container(
        volume,
        "bash",
        f"{script}.sh",
        more={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "pingpong",
            "PGDATABASE": "pingpong",
            "PGSSLMODE": "prefer",
            "PASSWORD_FILE": f"{volume}/password",
            "BACKUPS": f"{volume}/backups",
            **more,
        },
    )
    output, _ = process.communicate(timeout=120)
    assert database.PASSWORD not in output
    return process.returncode, output


def dumps(place):
    return sorted(os.listdir(place[0] / "backups"))


def test_a_dump_comes_back(place):
    status, output = run(place, "backup")
    assert status == 0, output
    (name,) = dumps(place)
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-count-41\.dump", name)
    connection = connect(place[1])
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE counters")
    connection.close()
    wait_until_alone(place)
    assert run(place, "restore") == (0, f"restored {name}: the count is 41\n")
    assert counted(place[1]) == 41


def wait_until_alone(place):
    """A session ends a moment after its connection."""
    deadline = time.monotonic() + 30
    while True:
        connection = connect(place[1], dbname="pingpong")
        alone = query(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pingpong' AND pid <> pg_backend_pid()") == [(0,)]
        connection.close()
        if alone:
            break
        assert time.monotonic() < deadline
    time.sleep(0.2)


def test_numbers_are_not_given_twice(place):
    assert run(place, "backup")[0] == 0
    count(place[1], 50)
    wait_until_alone(place)
    status, output = run(place, "restore")
    assert status == 1 and "counted to 50" in output and "numbers would be given twice" in output
    assert counted(place[1]) == 50
    wait_until_alone(place)
    status, output = run(place, "restore", FORGET_COUNT="yes")
    assert status == 0, output
    assert counted(place[1]) == 41


def test_it_waits_for_nobody_who_is_connected(place):
    assert run(place, "backup")[0] == 0
    connection = connect(place[1])
    status, output = run(place, "restore")
    connection.close()
    assert status == 1 and "1 others are connected" in output


def test_a_dump_that_holds_less_than_it_says_is_told(place):
    assert run(place, "backup")[0] == 0
    (name,) = dumps(place)
    lie = name.replace("count-41", "count-42")
    (place[0] / "backups" / name).rename(place[0] / "backups" / lie)
    wait_until_alone(place)
    status, output = run(place, "restore")
    assert status == 1 and "the count is 41, not 42 or more" in output


def test_a_broken_dump_changes_nothing(place):
    assert run(place, "backup")[0] == 0
    (name,) = dumps(place)
    path = place[0] / "backups" / name
    path.write_bytes(path.read_bytes()[:-200])
    wait_until_alone(place)
    status, _ = run(place, "restore")
    assert status != 0
    assert counted(place[1]) == 41


def test_old_dumps_go_and_nothing_else(place):
    folder = place[0] / "backups"
    for day in range(1, 6):
        (folder / f"2026010{day}T000000Z-count-{day}.dump").touch()
    (folder / "mine.txt").touch()
    status, output = run(place, "backup", KEEP="3")
    assert status == 0, output
    kept = dumps(place)
    assert kept[:2] == ["20260104T000000Z-count-4.dump", "20260105T000000Z-count-5.dump"]
    assert len(kept) == 4 and kept[3] == "mine.txt"


def test_without_a_database_no_dump_appears(place):
    status, _ = run(place, "backup", PGPORT=str(database.free_port()))
    assert status != 0 and dumps(place) == []


def test_no_dump_is_said(place):
    wait_until_alone(place)
    status, output = run(place, "restore")
    assert status == 1 and "no dump ''" in output
