"""A private PostgreSQL server: its own data, its own port, gone afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .errors import BenchError
from .processes import cpu_seconds

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30

# Everything that makes a commit durable is said, though it is the default:
# these figures are worth nothing without it.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{directory}'
port = {port}
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 100
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binaries() -> Path:
    """The newest installed server's programs."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    if found is None:
        raise BenchError("PostgreSQL's server is not installed (Debian: postgresql)")
    return Path(found).resolve().parent


def _identity() -> dict:
    """The server refuses to run as root, so root lends it the package's own user."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        raise BenchError("running as root needs the user postgres (Debian: postgresql)") from None
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class PrivatePostgres:
    """Started on entry and removed on exit of a `with` block."""

    superuser = "postgres"
    role = "bench"

    def __init__(self, parent: Path, label: str):
        self.parent = parent
        self.label = label
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._identity = _identity()
        self._process = None
        self.directory = None

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="log-pong-bench-", dir=self.parent))
        if self._identity:
            os.chown(self.directory, self._identity["user"], self._identity["group"])
        try:
            self._initialise()
            self._start()
            self.sql("postgres", f"CREATE ROLE {self.role} LOGIN PASSWORD '{self.password}'")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, *command: str, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(binaries() / command[0]), *command[1:]],
            cwd="/",
            text=True,
            capture_output=True,
            **options,
        )
        if done.returncode != 0:
            raise BenchError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def _initialise(self):
        data = self.directory / "data"
        password_file = self.directory / "password"
        password_file.write_text(self.password + "\n")
        if self._identity:
            os.chown(password_file, self._identity["user"], self._identity["group"])
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            self.superuser,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            **self._identity,
        )
        password_file.unlink()
        with open(data / "postgresql.conf", "a", encoding="utf-8") as configuration:
            configuration.write(CONFIGURATION.format(directory=self.directory, port=self.port))

    def _start(self):
        with open(self.directory / "log", "wb") as log:
            self._process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self.directory / "data")],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.sql("postgres", "SELECT 1")
                return
            except BenchError:
                time.sleep(0.1)
        log_text = (self.directory / "log").read_text(errors="replace")[-2000:]
        raise BenchError(f"PostgreSQL ({self.label}) did not start:\n{log_text}")

    def client_environment(self) -> dict:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": self.password}

    def sql(self, database: str, statement: str) -> str:
        """Runs one statement as the superuser and returns its bare output."""
        return self._run(
            "psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            self.superuser,
            "-d",
            database,
            "-c",
            statement,
            env=self.client_environment(),
            timeout=START_TIMEOUT_S,
        ).stdout.strip()

    def create_database(self, name: str):
        self.sql("postgres", f"CREATE DATABASE {name} OWNER {self.role}")

    def cpu_seconds(self) -> float:
        """Of all its processes that still run."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return sum(cpu_seconds(int(pid)) for pid in [self._process.pid, *children])

    def settings(self, database: str) -> dict:
        """What both counters take from their environment."""
        return {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_USER": self.role,
            "DB_PASSWORD": self.password,
            "DB_NAME": database,
        }
