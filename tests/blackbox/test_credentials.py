"""How pingpong and its database know each other: certificates of a CA of the test's own, and passwords with line breaks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from psycopg2.extensions import libpq_version

from harness.http import get
from harness.postgres import Cluster
from harness.process import BUILD, eventually
from programs import Database, Program, log_lines, pingpong as make_pingpong, pong, run_sanitized

KNOWS_SYSTEM = libpq_version() >= 160000
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA: its certificate is `file`."""

    def __init__(self, directory: Path, name: str):
        self.directory, self.name = directory, name
        self.file, self.key = directory / f"{name}.crt", directory / f"{name}.key"
        self.openssl("req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.file, "-days", "2", "-subj", f"/CN={name}")

    def openssl(self, *arguments: object) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, cwd=self.directory)
        assert done.returncode == 0, done.stderr

    def certify(self, cluster: Cluster, names: str) -> None:
        """Has the server speak TLS with a certificate for the names."""
        request, key, certificate = (cluster.directory / f"server.{end}" for end in ("csr", "key", "crt"))
        extensions = cluster.directory / "extensions"
        extensions.write_text(f"subjectAltName={names}\n")
        self.openssl("req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=server")
        self.openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.file,
            "-CAkey",
            self.key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            extensions,
            "-out",
            certificate,
        )
        key.chmod(0o600)
        cluster.own(key, certificate)
        cluster.configure({"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key})
        if cluster.alive:
            cluster.reload()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """The one that signed the server's certificate, and one that did not."""
    directory = tmp_path_factory.mktemp("authorities")
    return Authority(directory, "right"), Authority(directory, "wrong")


@pytest.fixture(scope="module")
def tls_cluster(authorities: tuple[Authority, Authority]) -> Iterator[Cluster]:
    """Its certificate is for localhost and 127.0.0.1."""
    cluster = Cluster()
    authorities[0].certify(cluster, "DNS:localhost, IP:127.0.0.1")
    with cluster:
        yield cluster


def refusal(program: Program) -> str:
    """Why there is no database."""

    def told() -> list[str]:
        return [line["error"] for line in log_lines(program.stderr()) if line["message"] == "database not available"]

    (reason, *_) = eventually(told, 20, "the log saying why")
    assert get(program.port, "/healthz").status == 500
    return reason


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_the_right_authority_is_taken(
    tls_cluster: Cluster, authorities: tuple[Authority, Authority], mode: str, host: str
) -> None:
    database = Database(tls_cluster)
    with make_pingpong(database.env(DB_HOST=host, DB_SSLMODE=mode, DB_SSLROOTCERT=authorities[0].file)) as running:
        assert pong(get(running.port, "/ping")) == 1
        assert database.query(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE application_name = 'pingpong' AND datname = current_database()"
        ) == [(True,)]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_one_of_another_authority_is_not(tls_cluster: Cluster, authorities: tuple[Authority, Authority], mode: str) -> None:
    database = Database(tls_cluster)
    env = database.env(DB_HOST="localhost", DB_SSLMODE=mode, DB_SSLROOTCERT=authorities[1].file)
    with make_pingpong(env, ready="/livez") as running:
        assert "certificate verify failed" in refusal(running)
        assert database.query("SELECT to_regclass('counters')") == [(None,)]


def test_only_verify_full_compares_the_name(authorities: tuple[Authority, Authority]) -> None:
    with Cluster() as cluster:
        authorities[0].certify(cluster, "DNS:database.example")
        env = {**cluster.env(), "DRAIN_MS": "0", "DB_HOST": "localhost", "DB_SSLROOTCERT": str(authorities[0].file)}
        with make_pingpong({**env, "DB_SSLMODE": "verify-full"}, ready="/livez") as running:
            reason = refusal(running)
            assert "database.example" in reason and "localhost" in reason
        with make_pingpong({**env, "DB_SSLMODE": "verify-ca"}) as running:
            assert pong(get(running.port, "/ping")) == 1


def test_another_file_counts_from_the_next_connection_on(
    tls_cluster: Cluster, authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    right, wrong = authorities
    roots = tmp_path / "roots.crt"
    shutil.copy(wrong.file, roots)
    env = Database(tls_cluster).env(DB_HOST="localhost", DB_SSLMODE="verify-full", DB_SSLROOTCERT=roots)
    with make_pingpong(env, ready="/livez") as running:
        refusal(running)
        roots.write_bytes(wrong.file.read_bytes() + right.file.read_bytes())
        eventually(lambda: get(running.port, "/healthz").status == 200, 30, "ready")


@pytest.mark.skipif(not KNOWS_SYSTEM, reason="needs libpq 16")
def test_the_machines_own_authorities(tls_cluster: Cluster, authorities: tuple[Authority, Authority]) -> None:
    """OpenSSL takes them from a file that a variable names."""
    right, wrong = authorities
    env = Database(tls_cluster).env(DB_HOST="localhost", DB_SSLMODE="verify-full", DB_SSLROOTCERT="system")
    with make_pingpong({**env, "SSL_CERT_FILE": str(right.file)}) as running:
        assert pong(get(running.port, "/ping")) == 1
    with make_pingpong({**env, "SSL_CERT_FILE": str(wrong.file)}, ready="/livez") as running:
        assert "certificate verify failed" in refusal(running)


REFUSED = [
    ({"DB_SSLROOTCERT": "/no/such/file", "DB_SSLMODE": "verify-full"}, "DB_SSLROOTCERT", "No such file"),
    ({"DB_SSLROOTCERT": "/tmp", "DB_SSLMODE": "verify-full"}, "DB_SSLROOTCERT", "Is a directory"),
    ({"DB_SSLROOTCERT": "/dev/null", "DB_SSLMODE": "verify-ca"}, "DB_SSLROOTCERT", "Invalid argument"),
    ({"DB_SSLROOTCERT": "/etc/passwd"}, "DB_SSLMODE", "not be relied on"),
    *[({"DB_SSLROOTCERT": "/etc/passwd", "DB_SSLMODE": mode}, "DB_SSLMODE", "not be relied on") for mode in ("disable", "allow", "prefer")],
    *[
        (
            {"DB_SSLROOTCERT": "system", "DB_SSLMODE": mode},
            "DB_SSLMODE" if KNOWS_SYSTEM else "DB_SSLROOTCERT",
            "anybody's" if KNOWS_SYSTEM else "libpq 16",
        )
        for mode in ("prefer", "require", "verify-ca")
    ],
    *([] if KNOWS_SYSTEM else [({"DB_SSLROOTCERT": "system", "DB_SSLMODE": "verify-full"}, "DB_SSLROOTCERT", "libpq 16")]),
]


@pytest.mark.parametrize("env, setting, reason", REFUSED, ids=lambda value: value if isinstance(value, str) else None)
def test_what_would_verify_nothing_stops_the_start(env: dict[str, str], setting: str, reason: str) -> None:
    done = run_sanitized([BUILD / "pingpong"], {**env, "PORT": 0})
    assert done.returncode == 1
    line = log_lines(done.stderr)[-1]
    assert line["level"] == "error" and line["setting"] == setting and reason in line["error"] and line["accepted"]


def line_breaks_told(program: Program) -> list[tuple[str, str]]:
    return [
        (line["level"], line["message"])
        for line in log_lines(program.stderr())
        if "line" in line["message"].split() or "line break" in line["message"]
    ]


@pytest.mark.parametrize("tail", ["\n", "\r\n", "\r"])
def test_a_break_at_the_end_of_a_password_is_a_part_of_it_and_is_told(database: Database, tail: str) -> None:
    secret = f"line-break{tail}"
    told = [("warning", "DB_PASSWORD ends in a line break, which is taken as a part of it")]
    env = database.env(DB_PASSWORD=secret)
    with make_pingpong(env, ready="/livez") as running:
        eventually(lambda: "password authentication failed" in running.stderr(), 20, "the server refusing it")
        assert line_breaks_told(running) == told
    # A real one: PostgreSQL takes what it is given.
    database.query(f'ALTER ROLE "{database.role}" PASSWORD %s', (secret,))
    with make_pingpong(env) as running:
        assert pong(get(running.port, "/ping")) == 1
        assert line_breaks_told(running) == told
        assert "line-break" not in running.stderr()


@pytest.mark.parametrize(
    "tail, told",
    [
        ("", []),
        ("\n", [("info", "DB_PASSWORD_FILE ends in a line break, which is not taken as a part of the password")]),
        ("\r\n", [("info", "DB_PASSWORD_FILE ends in a line break, which is not taken as a part of the password")]),
        ("\n\n", [("warning", "DB_PASSWORD_FILE has more than one line: the first, without its line break, is the password")]),
        ("\nmore", [("warning", "DB_PASSWORD_FILE has more than one line: the first, without its line break, is the password")]),
    ],
)
def test_of_a_password_file_the_first_line_counts_and_what_is_left_out_is_told(
    database: Database, tmp_path: Path, tail: str, told: list[tuple[str, str]]
) -> None:
    env = database.env()
    file = tmp_path / "password"
    file.write_bytes((env.pop("DB_PASSWORD") + tail).encode())
    with make_pingpong({**env, "DB_PASSWORD_FILE": str(file)}) as running:
        assert pong(get(running.port, "/ping")) == 1
        assert line_breaks_told(running) == told
