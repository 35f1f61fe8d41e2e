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

from rendering import MANIFESTS, combination, containers, find, parse

SCRIPT = MANIFESTS / "base/postgres/initialise.sh"
# Everything that a careless script would trip over.
PASSWORD = r"""it's "a" \pass$word `id` %s"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become the user postgres, and for a namespace of processes")


def binaries():
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    newest = max(found, key=lambda path: int(path.parent.name))
    return newest.parents[1] / os.environ.get("POSTGRES_MAJOR", newest.parent.name) / "bin"


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


def in_container(volume, *command, user="postgres", more=None, **options):
    """Starts a command as the user, the first process of a namespace of its own."""
    environment = {
        "PATH": f"{binaries()}:/usr/bin:/bin",
        "PGDATA": f"{volume}/data/pgdata",
        "APP_ROLE": "pingpong",
        "APP_DATABASE": "pingpong",
        "TMPDIR": f"{volume}/tmp",
        "APP_PASSWORD_FILE": f"{volume}/password",
        **(more or {}),
    }
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command],
        env=environment,
        cwd=volume,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def kill(process):
    """As the kubelet does: the first process and with it all others, at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    process.communicate(timeout=30)


def over_the_socket(volume, port, sql, **options):
    """What psql says to the operating system's user postgres, or whoever is in its place."""
    command = ("psql", "-h", f"{volume}/sockets", "-p", str(port), "-U", "postgres", "-Atc", sql)
    return in_container(volume, *command, **options).communicate(timeout=30)[0]


def initialise(volume, **options):
    process = in_container(volume, "bash", "initialise.sh", **options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def server(volume, arguments=(), **options):
    port = free_port()
    process = in_container(
        volume,
        "postgres",
        *arguments,
        "-c",
        "listen_addresses=127.0.0.1",
        "-p",
        str(port),
        "-c",
        f"unix_socket_directories={volume}/sockets",
        **options,
    )
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
    wanted = {
        "host": "127.0.0.1",
        "port": port,
        "user": "pingpong",
        "dbname": "pingpong",
        "password": PASSWORD,
        "connect_timeout": 5,
        **arguments,
    }
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
        assert query(
            connection, "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'pingpong'"
        ) == [(False,) * 5]
        assert query(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'pingpong'") == [("pingpong",)]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE counters (id SERIAL PRIMARY KEY, count BIGINT NOT NULL)")
        assert query(connection, "SHOW data_checksums") == [("on",)]
        connection.close()


def test_nobody_else_gets_in(volume):
    assert initialise(volume)[0] == 0
    with server(volume) as port:
        assert connects(port) == "yes"
        assert "password authentication failed" in connects(port, password="wrong")
        for other in ({"user": "postgres"}, {"user": "postgres", "dbname": "postgres"}, {"dbname": "postgres"}):
            assert "no pg_hba.conf entry" in connects(port, **other), other
        # Over the socket, only for the operating system's user postgres.
        stored = "SELECT count(*) FROM pg_authid WHERE rolname = 'postgres' AND rolpassword IS NULL"
        assert over_the_socket(volume, port, stored) == "1\n"
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


# As OpenShift gives one to a namespace: no user of the image has it.
STRANGER = "1000660000"


def openshift_environment(volume):
    """What the component gives the containers, with /tmp as it is here."""
    stateful = find(parse(combination(("openshift",))), "StatefulSet", "postgres")
    for container in containers(stateful):
        given = {e["name"]: e.get("value") for e in container["env"]}
        assert given["NSS_WRAPPER_PASSWD"] == "/tmp/passwd"
    names = ("LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP")
    return {name: given[name].replace("/tmp", f"{volume}/tmp") for name in names}


def test_it_runs_as_a_user_that_the_image_does_not_know(volume):
    for name in ("data", "tmp", "sockets"):
        os.chown(volume / name, int(STRANGER), int(STRANGER))
    status, output = initialise(volume, user=STRANGER)
    assert status != 0 and "could not look up effective user ID" in output
    more = openshift_environment(volume)
    status, output = initialise(volume, user=STRANGER, more=more)
    assert status == 0, output
    with server(volume, user=STRANGER, more=more) as port:
        assert connects(port) == "yes"
        assert "no pg_hba.conf entry" in connects(port, user="postgres")
        # Where kubectl exec lands.
        assert over_the_socket(volume, port, "SELECT current_user", user=STRANGER, more=more) == "postgres\n"


def test_files_of_another_version_are_left_alone_and_said(volume):
    """No crash loop: it says what to do, and waits for it to be done."""
    assert initialise(volume)[0] == 0
    version = volume / "data/pgdata/PG_VERSION"
    ours = version.read_text("ascii").strip()
    version.write_text(f"{int(ours) - 1}\n", "ascii")
    before = {path: path.stat().st_mtime_ns for path in (volume / "data").rglob("*")}
    process = in_container(volume, "bash", "initialise.sh", more={"TERMINATION_LOG": f"{volume}/tmp/termination"})
    try:
        said = [process.stdout.readline() for _ in range(3)]
        assert f"of PostgreSQL {int(ours) - 1}; this image has PostgreSQL {ours}" in said[0]
        text = "".join(said)
        assert 'under "From one PostgreSQL to the next"' in text
        deadline = time.monotonic() + 30
        while (volume / "tmp/termination").read_text("utf-8") != text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert process.poll() is None
    finally:
        kill(process)
    assert before == {path: path.stat().st_mtime_ns for path in (volume / "data").rglob("*")}
    assert "## From one PostgreSQL to the next" in (MANIFESTS / "README.md").read_text("utf-8")


def test_no_huge_pages_are_asked_for(volume):
    assert initialise(volume)[0] == 0
    stateful = find(parse(combination(())), "StatefulSet", "postgres")
    (main,) = containers(stateful, init=False)
    with server(volume, main["args"]) as port:
        assert query(connect(port), "SHOW huge_pages") == [("off",)]
