"""From one major version of PostgreSQL to the next, with both: what manifests/README.md says, word for word, and backups."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from multiprocessing.connection import Listener
from pathlib import Path

import pytest

import test_backup as backups
import test_database_script as database
from rendering import MANIFESTS, ROOT
from test_database_script import volume  # noqa: F401 (a fixture)

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/blackbox")]

from harness.process import BUILD

OLD, NEW = 17, 18
HEADING = "## From one PostgreSQL to the next"
PINGS = 25


def binaries(version):
    return Path(f"/usr/lib/postgresql/{version}/bin")


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become the user postgres"),
    pytest.mark.skipif(
        not all(path.exists() for path in (binaries(OLD), binaries(NEW), BUILD / "pingpong")),
        reason=f"needs PostgreSQL {OLD} and {NEW} beside each other, and pingpong: make majors-test",
    ),
]

# What stands for kubectl in the document's commands. It asks the test what to do, and is `exec` itself.
KUBECTL = f"""#!{sys.executable}
import os, sys
from multiprocessing.connection import Client
with Client(os.environ["PODS"]) as pods:
    pods.send(sys.argv[1:])
    answer = pods.recv()
if not isinstance(answer, dict):
    sys.exit(answer)
command = sys.argv[sys.argv.index("--") + 1 :]
os.execvpe("setpriv", ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command], answer)
"""


def path(version):
    return {"PATH": f"{binaries(version)}:/usr/bin:/bin"}


class Pods:
    """The pod of the database, of which the StatefulSet may have one or none, and pingpong."""

    def __init__(self, volume):
        self.volume = volume
        self.version = OLD
        self.database = self.pingpong = self.port = None

    def start_database(self):
        status, output = database.initialise(self.volume, more=path(self.version))
        assert status == 0, output
        self.database = database.server(self.volume, more=path(self.version))
        self.port = self.database.__enter__()

    def stop_database(self):
        if self.database:
            self.database.__exit__(None, None, None)
            self.database = None

    def start_pingpong(self):
        from programs import pingpong

        place = {"DB_HOST": "127.0.0.1", "DB_PORT": str(self.port), "DB_USER": "pingpong", "DB_NAME": "pingpong"}
        self.pingpong = pingpong({**place, "DB_PASSWORD": database.PASSWORD, "DRAIN_MS": "0"}).start()

    def stop_pingpong(self):
        if self.pingpong:
            self.pingpong.discard()
            self.pingpong = None

    def ping(self):
        from harness import http
        from programs import pong

        return pong(http.request(self.pingpong.port, "GET", "/ping"))

    def obey(self, command):
        """None, what the command complains of, or the environment of the container to run it in."""
        match command[2:] if command[:2] == ["-n", "log-pong"] else command:
            case ["exec", *words] if self.database and {*words[: words.index("--")]} <= {"-i", "postgres-0", "-c", "postgres"}:
                return {**path(self.version), "PGHOST": f"{self.volume}/sockets", "PGPORT": str(self.port)}
            case ["scale", "deployment/pingpong", "--replicas=0"]:
                self.stop_pingpong()
            case ["scale", "statefulset/postgres", "--replicas=0"]:
                self.stop_database()
            case ["scale", "statefulset/postgres", "--replicas=1"]:
                self.start_database()
            case ["wait", "--for=delete", "pod/postgres-0", "--timeout=2m"] if not self.database:
                pass
            case ["rollout", "status", "statefulset/postgres", "--timeout=5m"] if self.database:
                pass
            case ["delete", "pvc", "data-postgres-0"] if not self.database:
                shutil.rmtree(self.volume / "data/pgdata")
            case ["set", "image", "statefulset/postgres", *images]:
                (tag,) = {image.rpartition("docker.io/library/postgres:")[2] for image in images}
                assert {image.partition("=")[0] for image in images} == {"initialise", "postgres"}
                self.version = int(tag)
            case _:
                return f"not here, or not now: {shlex.join(command)}"
        return None


@pytest.fixture
def pods(volume):
    made = Pods(volume)
    made.start_database()
    made.start_pingpong()
    assert [made.ping() for _ in range(PINGS)] == list(range(1, PINGS + 1))
    yield made
    made.stop_pingpong()
    made.stop_database()


@contextlib.contextmanager
def kubectl(pods, folder):
    """A folder for PATH, and the environment for what is in it."""
    program = folder / "kubectl"
    program.write_text(KUBECTL, "utf-8")
    program.chmod(0o755)
    with Listener(str(folder / "socket")) as listener:

        def serve():
            with contextlib.suppress(OSError, EOFError):
                while True:
                    with listener.accept() as connection:
                        command = connection.recv()
                        try:
                            connection.send(pods.obey(command))
                        except Exception as failure:  # said where the command fails
                            connection.send(f"{shlex.join(command)}: {failure!r}")

        threading.Thread(target=serve, daemon=True).start()
        yield {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PODS": listener.address}


def commands():
    """The section's, in order."""
    section = (MANIFESTS / "README.md").read_text("utf-8").partition(HEADING)[2].partition("\n## ")[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    assert len(lines) > 10 and f"postgres:{NEW}" in "".join(lines)
    return "\n".join(lines)


def test_the_commands_of_the_readme_carry_the_count_over(pods, tmp_path):
    with kubectl(pods, tmp_path) as environment:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands()], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=300
        )
    assert done.returncode == 0, done.stdout + done.stderr
    connection = database.connect(pods.port)
    assert database.query(connection, "SHOW server_version_num")[0][0].startswith(str(NEW))
    assert database.query(connection, "SELECT count FROM counters") == [(PINGS,)]
    connection.close()
    pods.start_pingpong()
    assert pods.ping() == PINGS + 1


def test_the_new_version_leaves_the_old_one_s_files_alone_and_says_what_to_do(pods):
    pods.stop_pingpong()
    pods.stop_database()
    files = pods.volume / "data"
    before = {each: each.stat().st_mtime_ns for each in files.rglob("*")}
    log = f"{pods.volume}/tmp/termination"
    process = database.in_container(pods.volume, "bash", "initialise.sh", more={**path(NEW), "TERMINATION_LOG": log})
    try:
        said = "".join(process.stdout.readline() for _ in range(3))
        assert f"are of PostgreSQL {OLD}; this image has PostgreSQL {NEW}" in said
        assert HEADING.removeprefix("## ") in said
        assert process.poll() is None
    finally:
        database.kill(process)
    assert before == {each: each.stat().st_mtime_ns for each in files.rglob("*")}
    # Without that word: a crash loop.
    refused = database.in_container(pods.volume, "postgres", more=path(NEW))
    assert re.search(r"FATAL: +database files are incompatible", refused.communicate(timeout=60)[0])
    pods.start_database()
    pods.start_pingpong()
    assert pods.ping() == PINGS + 1


def test_a_backup_of_the_old_version_comes_back_in_the_new(pods):
    pods.stop_pingpong()
    (pods.volume / "backups").mkdir()
    shutil.chown(pods.volume / "backups", "postgres", "postgres")
    for name in ("backup.sh", "restore.sh"):
        shutil.copy(backups.FOLDER / name, pods.volume / name)
    status, output = backups.run((pods.volume, pods.port), "backup", **path(OLD))
    assert status == 0, output
    pods.stop_database()
    shutil.rmtree(pods.volume / "data/pgdata")
    pods.version = NEW
    pods.start_database()
    (name,) = backups.dumps((pods.volume, pods.port))
    backups.wait_until_alone((pods.volume, pods.port))
    status, output = backups.run((pods.volume, pods.port), "restore", **path(NEW))
    assert (status, output) == (0, f"restored {name}: the count is {PINGS}\n")
    pods.start_pingpong()
    assert pods.ping() == PINGS + 1
