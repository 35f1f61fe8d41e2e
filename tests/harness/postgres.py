"""A private PostgreSQL: own directory, own free port on 127.0.0.1, own password, gone afterwards.

    with Cluster() as cluster:
        cluster.query("SELECT 1")                 # [(1,)]
        Daemon([BUILD / "pingpong"], env=cluster.env())
        cluster.kill(); cluster.start()

PostgreSQL refuses to run as root, so as root it runs as the user ``postgres``. Signals go only
to the postmaster that this object started and to that process's own children.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Mapping, Sequence

import psycopg2

from .process import die_with_parent, eventually, free_port

SUPERUSER = "postgres"
PASSWORD = "correct-horse-battery"

HERE = "127.0.0.1"

_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "32MB",
    "synchronous_commit": "on",
    "fsync": "on",
    "log_min_messages": "warning",
    "autovacuum_naptime": "10s",
}


def binaries() -> Path:
    """The newest PostgreSQL installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found:
        raise RuntimeError("no PostgreSQL server in /usr/lib/postgresql (Debian package: postgresql)")
    return max(found, key=lambda path: int(path.parent.name))


_QUIET = "-c client_min_messages=error"  # libpq would print warnings to standard error


def identity() -> dict[str, Any]:
    """Keyword arguments for Popen that leave root behind."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class Cluster:
    """One PostgreSQL cluster; made by initdb in the constructor, not started until start().

    settings   postgresql.conf values (strings or numbers) over small, durable defaults
    directory  parent for its files (default: the system's temporary directory)
    port       None: a free one
    address    of this machine, where pingpong and standbys reach it; it listens on 127.0.0.1 as well
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        directory: str | os.PathLike | None = None,
        port: int | None = None,
        address: str = HERE,
    ):
        self.port = free_port() if port is None else port
        self.address = address
        self.bin = binaries()
        self.directory = Path(tempfile.mkdtemp(prefix="postgres-", dir=directory))
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.postmaster: subprocess.Popen | None = None
        self._stopped: list[int] = []
        try:
            self.log.touch()
            self.own(self.directory, self.log)
            self._make_data()
            self.configure(
                {
                    "port": self.port,
                    "unix_socket_directories": self.directory,
                    "listen_addresses": ",".join({HERE, address}),
                    **self._defaults,
                    **(settings or {}),
                }
            )
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    _defaults: Mapping[str, object] = _SETTINGS

    def _make_data(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        self.own(password)
        self._run(
            "initdb", "-D", self.data, "-U", SUPERUSER, "--pwfile", password, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "-N"
        )

    def _run(self, program: str, *arguments: object) -> None:
        """One of PostgreSQL's programs, as the server's user."""
        done = subprocess.run([self.bin / program, *arguments], capture_output=True, text=True, cwd=self.directory, **identity())
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def own(self, *paths: Path) -> None:
        """Gives files to the server's user."""
        if os.geteuid() == 0:
            for path in paths:
                shutil.chown(path, "postgres", "postgres")

    def configure(self, settings: Mapping[str, object]) -> None:
        """Adds to postgresql.conf; reload() or a restart makes it so."""
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            for name, value in settings.items():
                conf.write(f"{name} = '{value}'\n")

    def reload(self) -> None:
        self.query("SELECT pg_reload_conf()")

    # -- life ---------------------------------------------------------------------------------

    def start(self, timeout: float = 30.0) -> "Cluster":
        """Starts the server and waits until it takes connections."""
        self.launch()
        eventually(self._accepts, timeout, "PostgreSQL taking connections", 0.02)
        return self

    def launch(self) -> None:
        """Starts the server and returns at once."""
        assert not self.alive, "the cluster runs already"
        with open(self.log, "ab") as log:
            self.postmaster = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                preexec_fn=die_with_parent,
                **identity(),
            )

    def _accepts(self) -> bool:
        status = self.postmaster.poll()
        if status is not None:
            # Right after a SIGKILL the old shared memory may still be seen as in use.
            time.sleep(0.1)
            self.launch()
            return False
        try:
            self.connect(connect_timeout=2).close()
        except psycopg2.Error:
            return False
        return True

    @property
    def alive(self) -> bool:
        return self.postmaster is not None and self.postmaster.poll() is None

    def stop(self, mode: str = "fast", timeout: float = 30.0) -> None:
        """mode: smart (waits for clients), fast (ends their sessions) or immediate (as in a crash)."""
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self.alive:
            self.postmaster.send_signal(number)
            try:
                self.postmaster.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"PostgreSQL did not stop within {timeout} s") from None

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """SIGKILL to the postmaster and every one of its processes; returns when all are gone."""
        if not self.alive:
            return
        os.kill(self.postmaster.pid, signal.SIGSTOP)  # it forks no more
        children = self.children()
        for pid in [self.postmaster.pid, *children]:
            _signal(pid, signal.SIGKILL)
        self.postmaster.wait()
        eventually(lambda: not any(_runs(pid) for pid in children), 10, "PostgreSQL's processes gone")
        self._stopped = []

    def sigstop(self) -> None:
        """Hangs the whole cluster: postmaster and children keep their sockets and do nothing."""
        os.kill(self.postmaster.pid, signal.SIGSTOP)
        self._stopped = [self.postmaster.pid, *self.children()]
        for pid in self._stopped:
            _signal(pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        for pid in reversed(self._stopped):
            _signal(pid, signal.SIGCONT)
        self._stopped = []

    def destroy(self) -> None:
        """Kills what runs and removes the directory. Safe to call twice."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Cluster":
        return self if self.alive else self.start()

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def replicate_to(self, standby: "Standby | None") -> None:
        """Waits until the standby streams; from then on no commit is confirmed before it has it.
        None: alone again."""
        if standby is not None:
            eventually(standby.streams, 30, "the standby streaming")
        self.configure({"synchronous_standby_names": standby.name if standby else ""})
        self.reload()
        if standby is not None:
            eventually(lambda: self.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"), 10, "a synchronous standby")
            # That is what a new session has read. Commits wait when the checkpointer has read it too, which it does before this.
            self.query("CHECKPOINT")

    # -- its processes --------------------------------------------------------------------------

    def children(self) -> list[int]:
        """Process ids of everything the postmaster has forked."""
        pid = self.postmaster.pid
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]

    def backends(self, where: str = "true", database: str | None = None) -> list[int]:
        """Process ids of client sessions of a database, by a condition on pg_stat_activity."""
        rows = self.query(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
            f"AND pid <> pg_backend_pid() AND datname = %s AND ({where}) ORDER BY pid",
            (database or "postgres",),
        )
        return [row[0] for row in rows]

    def signal_backend(self, pid: int, number: int) -> None:
        """Signals one session; refuses a process id that is no child of this postmaster."""
        assert pid in self.children(), f"{pid} is no process of this cluster"
        os.kill(pid, number)

    # -- SQL --------------------------------------------------------------------------------------

    def connect(
        self, database: str = "postgres", user: str = SUPERUSER, password: str = PASSWORD, port: int | None = None, **more: Any
    ) -> "psycopg2.extensions.connection":
        """An autocommit connection; the caller closes it."""
        connection = psycopg2.connect(
            host=HERE,
            port=port or self.port,
            dbname=database,
            user=user,
            password=password,
            **{"connect_timeout": 5, "options": _QUIET, **more},
        )
        connection.autocommit = True
        return connection

    def query(self, sql: str, arguments: Sequence[Any] | None = None, database: str = "postgres") -> list[tuple]:
        """Rows of one statement on a session of its own ([] if it returns none)."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def create_role(self, name: str, password: str = PASSWORD) -> None:
        """An ordinary role that may log in."""
        self.query(f'CREATE ROLE "{name}" LOGIN PASSWORD %s', (password,))

    def create_database(self, name: str, owner: str = SUPERUSER) -> None:
        self.query(f'CREATE DATABASE "{name}" OWNER "{owner}"')

    def drop_database(self, name: str) -> None:
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def env(self, database: str = "postgres", user: str = SUPERUSER, password: str = PASSWORD, port: int | None = None) -> dict[str, str]:
        """pingpong's DB_* settings for this cluster (port: of a proxy in between)."""
        return {"DB_HOST": self.address, "DB_PORT": str(port or self.port), "DB_USER": user, "DB_PASSWORD": password, "DB_NAME": database}


class Standby(Cluster):
    """A streaming copy of a running cluster, made by pg_basebackup; not started until start().

    with Cluster() as primary, Standby(primary, name="second") as standby:
        primary.replicate_to(standby)     # from here on no commit is confirmed without it
        primary.kill(); standby.promote()
    """

    # What the primary waits for is no setting of its copy.
    _defaults: Mapping[str, object] = {"synchronous_standby_names": ""}

    def __init__(self, primary: Cluster, settings: Mapping[str, object] | None = None, *, name: str = "standby", **options: Any):
        self.primary, self.name = primary, name
        super().__init__(settings, **options)

    def _make_data(self) -> None:
        source = f"host={self.primary.address} port={self.primary.port} user={SUPERUSER} password={PASSWORD} application_name={self.name}"
        self._run("pg_basebackup", "-D", self.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "-N")

    def streams(self) -> bool:
        """Whether the primary sends to it."""
        return bool(
            self.primary.query("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = %s", (self.name,))
        )

    def promote(self, timeout: float = 30.0) -> None:
        """Makes it a primary; returns when it takes writes."""
        assert self.query("SELECT pg_promote(true, %s)", (int(timeout),)) == [(True,)], "the standby was not promoted"


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _runs(pid: int) -> bool:
    """False for zombies too (init reaps those of a killed postmaster)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
