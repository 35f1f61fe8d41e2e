"""A private PgBouncer before a Cluster: own directory, own free port on 127.0.0.1, gone afterwards.

with Cluster() as cluster, Pooler(cluster, "session", default_pool_size=4) as pooler:
    Daemon([BUILD / "pingpong"], env=cluster.env(port=pooler.port))
    pooler.configure(pool_mode="transaction")
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from .postgres import PASSWORD, SUPERUSER, Cluster, identity
from .process import die_with_parent, eventually, free_port


def binary() -> str:
    """Debian has it where only root looks."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    assert found, "no PgBouncer (Debian package: pgbouncer)"
    return found


def version() -> tuple[int, ...]:
    text = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in text.split()[1].split("."))


class Pooler:
    """mode: session, transaction or statement. roles: who may log in, all with the usual password.
    settings: PgBouncer's own."""

    def __init__(self, cluster: Cluster, mode: str, *, roles: tuple[str, ...] = (), **settings: object):
        self.cluster, self.port, self.roles = cluster, free_port(), (SUPERUSER, *roles)
        self.settings = {"pool_mode": mode, **settings}
        self.directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        self.process: subprocess.Popen | None = None
        users = self.directory / "users"
        users.write_text("".join(f'"{role}" "{PASSWORD}"\n' for role in self.roles))
        self.log = self.directory / "log"
        self.log.touch()
        self._write()
        cluster.own(self.directory, users, self.log, self._file)

    @property
    def _file(self) -> Path:
        return self.directory / "ini"

    def _write(self) -> None:
        base = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self.directory / "users",
            "admin_users": SUPERUSER,
            **self.settings,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in base.items())
        self._file.write_text(f"[databases]\n* = host=127.0.0.1 port={self.cluster.port}\n[pgbouncer]\n{lines}")

    def configure(self, **settings: object) -> None:
        """Changes settings; it has taken them up on return."""
        self.settings.update(settings)
        self._write()
        self.admin("RELOAD")

    def admin(self, command: str) -> list[tuple]:
        """Rows of a command of its console, if it gives any."""
        connection = self.cluster.connect("pgbouncer", port=self.port, options="")
        try:
            with connection.cursor() as cursor:
                cursor.execute(command)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def start(self) -> "Pooler":
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [binary(), self._file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                preexec_fn=die_with_parent,
                **identity(),
            )
        eventually(self._accepts, 20, "PgBouncer taking connections")
        return self

    def _accepts(self) -> bool:
        assert self.process.poll() is None, f"PgBouncer ended:\n{self.log.read_text()}"
        try:
            return bool(self.admin("SHOW VERSION"))
        except psycopg2.Error:
            return False

    def __enter__(self) -> "Pooler":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
