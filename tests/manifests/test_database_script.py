"""The script that makes the database's files, run with a real PostgreSQL."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from rendering import MANIFESTS

SCRIPT = MANIFESTS / "base/postgres/initialise.sh"
# Everything that a careless script would trip over.
PASSWORD = r"""it's "a" \pass$word `id` %s"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: to become the user postgres, and for a namespace of processes")


def binaries():
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    return max(found, key=lambda path: int(path.parent.name))


@pytest.fixture
def volume():
    """A folder as the pod has it: the volume, the mounted password, /tmp; short, for socket names."""
    # In memory: what is killed here is processes, not the machine.
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="log-pong-db-", dir=fast))
    postgres = pwd.getpwnam("postgres")
    try:
        for name in ("data", "tmp", "sockets"):
            (folder / name).mkdir()
            os.chown(folder / name, postgres.pw_uid, postgres.pw_gid)
        (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        folder.chmod(0o755)
        shutil.copy(SCRIPT, folder / "initialise.sh")
        yield folder
    finally:
        shutil.rmtree(folder)


def in_container(volume, *command, **options):
    """Starts a command as the user postgres, the first process of a namespace of its own."""
    environment = {"PATH": f"{binaries()}:/usr/bin:/bin", "PGDATA": f"{volume}/data/pgdata",
                   "APP_ROLE": "pingpong", "APP_DATABASE": "pingpong", "TMPDIR": f"{volume}/tmp",
                   "APP_PASSWORD_FILE": f"{volume}/password"}
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "setpriv", "--reuid=postgres",
         "--regid=postgres", "--clear-groups", *command],
        env=environment, cwd=volume, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **options)


def kill(process):
    """As the kubelet does: the first process and with it all others, at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    process.communicate(timeout=30)


def initialise(volume):
    process = in_container(volume, "bash", "initialise.sh")
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def server(volume):
    port = free_port()
    process = in_container(volume, "postgres", "-c", "listen_addresses=127.0.0.1", "-p", str(port),
                           "-c", f"unix_socket_directories={volume}/sockets")
    try:
        deadline = time.monotonic() + 60
        while connects(port) == "no answer":
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        kill(process)


def connect(port, **arguments):
    wanted = {"host": "127.0.0.1", "port": port, "user": "pingpong", "dbname": "pingpong",
              "password": PASSWORD, "connect_timeout": 5, **arguments}
    connection = psycopg2.connect(**wanted)
    connection.autocommit = True
    return connection


def connects(port, **arguments):
    try:
        connect(port, **arguments).close()
    except psycopg2.OperationalError as error:
        text = str(error)
        refused = "refused" in text or "starting up" in text
        return "no answer" if refused else text
    return "yes"


def query(connection, text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def test_the_role_owns_its_database_and_nothing_else(volume):
    status, output = initialise(volume)
    assert status == 0, output
    assert PASSWORD not in output
    with server(volume) as port:
        connection = connect(port)
        assert query(connection, "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
                                 " FROM pg_roles WHERE rolname = 'pingpong'") == [(False,) * 5]
        assert query(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database"
                                 " WHERE datname = 'pingpong'") == [("pingpong",)]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE counters (id SERIAL PRIMARY KEY, count BIGINT NOT NULL)")
        assert query(connection, "SHOW data_checksums") == [("on",)]
        connection.close()


def test_nobody_else_gets_in(volume):
    assert initialise(volume)[0] == 0
    with server(volume) as port:
        assert connects(port) == "yes"
        assert "password authentication failed" in connects(port, password="wrong")
        for other in ({"user": "postgres"}, {"user": "postgres", "dbname": "postgres"},
                      {"dbname": "postgres"}):
            assert "no pg_hba.conf entry" in connects(port, **other), other
        # Over the socket, only for the operating system's user postgres.
        said = in_container(volume, "psql", "-h", f"{volume}/sockets", "-p", str(port), "-U", "postgres",
                            "-Atc", "SELECT count(*) FROM pg_authid"
                            " WHERE rolname = 'postgres' AND rolpassword IS NULL")
        assert said.communicate(timeout=30)[0] == "1\n"
        assert "no pg_hba.conf entry" in connects(port, host=f"{volume}/sockets")
        assert "Peer authentication failed" in connects(port, host=f"{volume}/sockets", user="postgres")


def test_a_second_start_changes_nothing(volume):
    assert initialise(volume)[0] == 0
    (volume / "password").write_text("another", encoding="utf-8")
    status, output = initialise(volume)
    assert (status, output) == (0, "the database is there already\n")
    with server(volume) as port:
        assert connects(port) == "yes"


def test_no_password_makes_no_database(volume):
    (volume / "password").write_text("", encoding="utf-8")
    status, output = initialise(volume)
    assert status == 1 and "no password" in output
    assert list((volume / "data").iterdir()) == []


def test_killed_at_any_moment_it_starts_afresh(volume):
    """Up to the moment of the rename there is no database, after it a whole one."""
    began = time.monotonic()
    assert initialise(volume)[0] == 0
    usual = time.monotonic() - began
    interrupted = 0
    for part in range(1, 6):
        shutil.rmtree(volume / "data/pgdata")
        process = in_container(volume, "bash", "initialise.sh")
        try:
            process.communicate(timeout=usual * (part - random.random()) / 6)
        except subprocess.TimeoutExpired:
            kill(process)
            interrupted += not (volume / "data/pgdata").exists()
        status, output = initialise(volume)
        assert status == 0, output
        assert [path.name for path in (volume / "data").iterdir()] == ["pgdata"]
        with server(volume) as port:
            assert connects(port) == "yes"
    assert interrupted >= 3
