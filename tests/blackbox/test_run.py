"""scripts/run, which is behind `make run`: all of it at once on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

import psycopg2
import pytest

from harness.http import get
from harness.process import BUILD, ROOT, clean_environment, die_with_parent, eventually, free_port
from programs import PATIENCE, log_lines, pong

NAMES = ("postgres", "pingpong", "writer", "reader")


def as_from_a_terminal() -> None:
    """Who runs the tests in the background has SIGINT ignored, which a shell cannot change."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


class Run:
    """One call of scripts/run, with a directory and ports of its own."""

    def __init__(self, directory: Path, pingpong_port: object, reader_port: object, **settings: str):
        self.directory = directory
        self.pingpong_port, self.reader_port = pingpong_port, reader_port
        descriptor, name = tempfile.mkstemp(prefix="run-output-")
        os.close(descriptor)
        self.output = Path(name)
        env = {
            **clean_environment(),
            "BUILD_DIR": str(BUILD),
            "RUN_DIR": str(directory),
            "PGHOST": "nowhere.invalid",
            "PINGPONG_PORT": str(pingpong_port),
            "READER_PORT": str(reader_port),
            **settings,
        }
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [ROOT / "scripts" / "run"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=as_from_a_terminal,
            )

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def await_page(self) -> str:
        def shown() -> bool:
            assert self.process.poll() is None, self.text()
            return "Ctrl-C" in self.text()

        eventually(shown, 60 * PATIENCE, "the page", 0.05)
        return self.text()

    def __del__(self) -> None:
        self.output.unlink(missing_ok=True)

    def end(self, number: int = signal.SIGINT) -> int:
        """To the whole foreground group, as a terminal does."""
        os.killpg(self.process.pid, number)
        return self.process.wait(60)

    def pids(self) -> dict[str, int]:
        return {name: int((self.directory / f"{name}.pid").read_text().split()[0]) for name in NAMES}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where PostgreSQL's user can reach it, and the path of its socket is short enough."""
    parent = Path(tempfile.mkdtemp(prefix="run-", dir="/tmp"))
    parent.chmod(0o755)
    yield parent / "kept"
    link = parent / "kept" / "postgres"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(parent, ignore_errors=True)


def test_it_runs_stops_and_keeps_the_count(directory: Path) -> None:
    ports = free_port(), free_port()
    for turn, number in enumerate((signal.SIGINT, signal.SIGTERM)):
        run = Run(directory, *ports, MESSAGE="hello test")
        text = run.await_page()
        assert re.search(
            r"^file content: this text is from file\nenv variable: MESSAGE=hello test\n"
            rf"\S+Z: [0-9a-f]{{64}}\nPing / Pongs: {2 * turn + 1}\n",
            text,
            re.MULTILINE,
        ), text
        assert f"http://localhost:{ports[0]}/ping" in text and f"http://localhost:{ports[1]}/" in text
        assert pong(get(ports[0], "/ping")) == 2 * turn + 2
        pids = run.pids()
        assert all(alive(pid) for pid in pids.values())
        assert run.end(number) == 0
        assert not any(alive(pid) for pid in pids.values()), pids
        assert not list(directory.glob("*.pid"))
        for name in ("pingpong", "reader"):
            lines = log_lines((directory / f"{name}.log").read_text())
            assert lines[-1]["message"] == "ended"


def test_secrets_are_kept_secret_and_the_role_is_no_superuser(directory: Path) -> None:
    run = Run(directory, free_port(), free_port())
    text = run.await_page()
    password = directory / "password"
    assert password.stat().st_mode & 0o777 == 0o600
    secret = password.read_text().strip()
    assert len(secret) >= 32 and secret not in text
    for pid in run.pids().values():
        assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    for log in directory.glob("*.log"):
        assert secret not in log.read_text(errors="replace")
    # Who knows the password gets in, as no superuser; who does not, does not.
    where = {"host": str((directory / "postgres").resolve()), "user": "log_pong", "dbname": "log_pong"}
    connection = psycopg2.connect(password=secret, **where)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchall() == [(False,)]
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchall() == [("",)]
    connection.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(password="wrong", **where)
    assert run.end() == 0


@pytest.mark.parametrize("setting", ["PINGPONG_PORT", "READER_PORT"])
def test_a_taken_port_is_a_clear_error(directory: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        ports = {"PINGPONG_PORT": free_port(), "READER_PORT": free_port(), setting: taken.getsockname()[1]}
        run = Run(directory, ports["PINGPONG_PORT"], ports["READER_PORT"])
        assert run.process.wait(30) == 1
        assert f"port {ports[setting]} is taken" in run.text() and setting in run.text()
        assert not list(directory.glob("*.pid"))


@pytest.mark.parametrize("port", ["0", "70000", "http", "-1"])
def test_a_bad_port_is_a_clear_error(directory: Path, port: str) -> None:
    run = Run(directory, port, free_port())
    assert run.process.wait(30) == 1
    assert "PINGPONG_PORT" in run.text() and port in run.text()


def test_a_second_run_at_the_same_time_is_a_clear_error(directory: Path) -> None:
    first = Run(directory, free_port(), free_port())
    first.await_page()
    second = Run(directory, free_port(), free_port())
    assert second.process.wait(30) == 1
    assert "already running" in second.text() and str(first.process.pid) in second.text()
    assert get(int(str(first.reader_port)), "/log-output").status == 200
    assert first.end() == 0


def test_after_a_kill_nothing_stays_and_the_next_run_starts(directory: Path) -> None:
    ports = free_port(), free_port()
    run = Run(directory, *ports)
    run.await_page()
    pids = run.pids()
    run.process.kill()
    run.process.wait()
    eventually(lambda: not any(alive(pid) for pid in pids.values()), 20, "what it started ends with it")
    assert (directory / "pingpong.pid").exists()
    # Its number is another process's by now: that one is left alone.
    bystander = subprocess.Popen(["sleep", "1000"], preexec_fn=die_with_parent)
    try:
        for name in NAMES:
            (directory / f"{name}.pid").write_text(f"{bystander.pid} 12345\n")
        (directory / "postgres" / "data" / "postmaster.pid").write_text(f"{bystander.pid}\n")
        again = Run(directory, *ports)
        assert "Ping / Pongs: 2" in again.await_page()
        assert bystander.poll() is None
        assert again.end() == 0
    finally:
        bystander.kill()
        bystander.wait()


def test_a_program_that_ends_by_itself_ends_the_rest_with_an_error(directory: Path) -> None:
    run = Run(directory, free_port(), free_port())
    run.await_page()
    pids = run.pids()
    os.kill(pids["writer"], signal.SIGKILL)
    assert run.process.wait(30) == 1
    assert "writer has ended" in run.text()
    assert not any(alive(pid) for pid in pids.values())


def test_a_setting_that_is_not_accepted_is_shown(directory: Path) -> None:
    run = Run(directory, free_port(), free_port(), INTERVAL_MS="soon")
    assert run.process.wait(60) == 1
    assert "INTERVAL_MS" in run.text() and "soon" in run.text()


def test_what_it_keeps_can_be_removed(directory: Path) -> None:
    run = Run(directory, free_port(), free_port())
    run.await_page()
    env = {**clean_environment(), "RUN_DIR": str(directory)}
    refused = subprocess.run([ROOT / "scripts" / "run", "--remove-data"], env=env, capture_output=True, text=True)
    assert refused.returncode == 1 and "already running" in refused.stderr
    assert run.end() == 0
    subprocess.run([ROOT / "scripts" / "run", "--remove-data"], env=env, check=True)
    assert not directory.exists()


def test_a_long_path_is_no_obstacle(directory: Path) -> None:
    """A Unix socket's path has at most 107 bytes."""
    run = Run(directory / ("x" * 60) / ("y" * 60), free_port(), free_port())
    assert "Ping / Pongs: 1" in run.await_page()
    assert run.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has such a place")
def test_as_root_in_a_place_that_postgres_cannot_reach(directory: Path) -> None:
    directory.parent.chmod(0o700)
    run = Run(directory, free_port(), free_port())
    assert "cannot reach" in run.await_page()
    place = (directory / "postgres").resolve()
    assert place.parent == Path("/var/lib") and (place / "data").exists()
    assert run.end() == 0
    env = {**clean_environment(), "RUN_DIR": str(directory)}
    subprocess.run([ROOT / "scripts" / "run", "--remove-data"], env=env, check=True)
    assert not place.exists()
