"""The images' own programs at work, in containers, with a real PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Iterator, Mapping

import pytest

from container import Container, Image, Mount
from harness.http import Connection, get
from harness.postgres import Cluster
from harness.process import eventually, free_port
from name_server import NameServer

USER = 65532
FILES = "/usr/src/app/files"
CONFIG = "/usr/src/app/config"


@pytest.fixture
def names(tmp_path: Path) -> "Names":
    return Names(tmp_path)


class Names:
    """The two files that a node puts into each container. Without a server: nobody is asked."""

    def __init__(self, directory: Path):
        self.hosts = directory / "hosts"
        self.resolver = directory / "resolv.conf"
        self.set({}, None)

    def set(self, hosts: Mapping[str, str], server: NameServer | None) -> None:
        lines = [f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **hosts}.items()]
        self.hosts.write_text("".join(lines))
        self.resolver.write_text(f"nameserver {server.address if server else '127.0.0.1'}\noptions timeout:1 attempts:1\n")

    def mounts(self) -> list[Mount]:
        return [Mount(self.hosts, "/etc/hosts"), Mount(self.resolver, "/etc/resolv.conf")]


def answers(port: int, path: str, status: int = 200) -> None:
    eventually(lambda: get(port, path, timeout=2).status == status, 15, f"{path} answering {status}")


def database_settings(cluster: Cluster, port: int, **more: object) -> dict[str, object]:
    return {**cluster.env(), "PORT": port, "DRAIN_MS": 500, **more}


@pytest.fixture
def counter(images: dict[str, Image], cluster: Cluster, names: Names) -> Iterator[tuple[Container, int]]:
    """pingpong, ready, with the password in a mounted file; and its port."""
    port = free_port()
    password = names.hosts.parent / "password"
    password.write_text(cluster.env()["DB_PASSWORD"])
    settings = database_settings(cluster, port, DB_PASSWORD_FILE="/run/secrets/password")
    del settings["DB_PASSWORD"]
    mounts = [*names.mounts(), Mount(password, "/run/secrets/password")]
    with Container(images["pingpong"], env=settings, mounts=mounts) as container:
        answers(port, "/healthz")
        yield container, port


def test_the_counter(counter: tuple[Container, int], cluster: Cluster) -> None:
    _, port = counter
    first = get(port, "/ping").json()["pong"]
    assert get(port, "/pingpong").json() == {"pong": first + 1}
    assert cluster.query("SELECT count FROM counters") == [(first + 1,)]


def test_process_1_without_privileges(counter: tuple[Container, int]) -> None:
    container, _ = counter
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{container.pid()}/status").read_text().splitlines() if ":\t" in line)
    assert fields["NSpid"].split()[-1] == "1"
    assert fields["Uid"].split() == [str(USER)] * 4 and fields["Gid"].split() == [str(USER)] * 4
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"


def test_the_root_is_read_only_and_nothing_is_missed(counter: tuple[Container, int]) -> None:
    """It serves, though nothing under / can be written: by the container's own mount table."""
    container, port = counter
    mounts = [line.split() for line in Path(f"/proc/{container.pid()}/mountinfo").read_text().splitlines()]
    options = [fields[5].split(",") for fields in mounts if fields[4] == "/"]
    assert options and all("ro" in each for each in options)
    assert "process_open_fds" in get(port, "/metrics").text  # /proc is there
    assert not re.search(r"[Rr]ead-only|[Pp]ermission denied", container.output())


def test_term_as_process_1_drains(counter: tuple[Container, int]) -> None:
    container, port = counter
    with Connection(port) as connection:
        assert connection.request("GET", "/ping").status == 200
        container.signal("TERM")
        eventually(lambda: get(port, "/healthz").status == 500, 5, "readiness failing")
        response = connection.request("GET", "/ping")
        assert response.status == 200 and response.headers["connection"].lower() == "close"
    assert container.wait() == 0, container.output()


def test_the_witness(images: dict[str, Image], counter: tuple[Container, int], names: "Names") -> None:
    """As in the cluster: the target by its name. Its verdict is the exit status."""
    _, target = counter
    port = free_port()
    names.set({"pingpong-svc": "127.0.0.1"}, None)
    settings = {"PORT": port, "DRAIN_MS": 500, "TARGET_URL": f"http://pingpong-svc:{target}/ping", "RATE": 50}
    with Container(images["witness"], env=settings, mounts=names.mounts()) as container:
        answers(port, "/healthz")
        eventually(lambda: get(port, "/verdict").json()["ok"] > 20, 15, "answers seen")
        container.signal("TERM")
        assert container.wait() == 0, container.output()
        assert '"event":"verdict"' in container.output() and '"held":true' in container.output()


class Pod:
    """writer and reader as in the cluster: one volume that only the writer may change."""

    def __init__(self, directory: Path, names: Names):
        self.files = directory / "files"
        self.files.mkdir()
        os.chown(self.files, USER, USER)
        self.config = directory / "config"
        self.config.mkdir()
        (self.config / "information.txt").write_text("this text is from file\n")
        self.names = names

    def writer(self, images: dict[str, Image], **settings: object) -> Container:
        return Container(images["writer"], env={"INTERVAL_MS": 200, **settings}, mounts=[Mount(self.files, FILES, writable=True)])

    def reader(self, images: dict[str, Image], port: int, **settings: object) -> Container:
        return Container(
            images["reader"],
            env={"PORT": port, "DRAIN_MS": 500, "MESSAGE": "hello", **settings},
            mounts=[Mount(self.files, FILES), Mount(self.config, CONFIG), *self.names.mounts()],
        )


@pytest.fixture
def pod(tmp_path: Path, names: Names) -> Pod:
    return Pod(tmp_path, names)


def test_the_page(images: dict[str, Image], pod: Pod, counter: tuple[Container, int]) -> None:
    _, pingpong_port = counter
    port = free_port()
    pod.names.set({"pingpong-svc": "127.0.0.1"}, None)
    url = f"http://pingpong-svc:{pingpong_port}/ping"
    with pod.writer(images) as writer, pod.reader(images, port, PINGPONG_URL=url) as reader:
        answers(port, "/healthz")
        before = get(pingpong_port, "/count").json()
        page = get(port, "/log-output")
        assert page.status == 200, page.text
        content, message, time, pongs = page.text.splitlines()
        assert content == "file content: this text is from file"
        assert message == "env variable: MESSAGE=hello"
        stamp, digest = time.split(": ")
        assert digest == hashlib.sha256(stamp.encode()).hexdigest()
        assert stamp in (pod.files / "timestamp.txt").read_text()
        assert int(pongs.removeprefix("Ping / Pongs: ")) > int(re.search(r"\d+", str(before)).group())
        for container in (writer, reader):
            container.signal("TERM")
        assert (writer.wait(), reader.wait()) == (0, 0), writer.output() + reader.output()


def test_the_writer_s_probe(images: dict[str, Image], pod: Pod) -> None:
    """`/writer --check` by exec, as the manifests probe it."""
    with pod.writer(images, STALE_AFTER_MS=1000) as writer:
        eventually(lambda: writer.exec("/writer", "--check").returncode == 0, 10, "a fresh line")
        writer.signal("STOP")
        eventually(lambda: writer.exec("/writer", "--check").returncode == 1, 10, "the line going stale")
        writer.signal("CONT")
        eventually(lambda: writer.exec("/writer", "--check").returncode == 0, 10, "a fresh line again")
        writer.signal("TERM")
        assert writer.wait() == 0, writer.output()
    assert (pod.files / "timestamp.txt").stat().st_uid == USER


def test_pingpong_s_names_by_dns(images: dict[str, Image], cluster: Cluster, names: Names) -> None:
    port = free_port()
    with NameServer({"database.example": "127.0.0.1"}) as server:
        names.set({}, server)
        settings = database_settings(cluster, port, DB_HOST="database.example")
        with Container(images["pingpong"], env=settings, mounts=names.mounts()) as container:
            answers(port, "/healthz")
            container.signal("TERM")
            assert container.wait() == 0, container.output()
        assert "database.example" in server.asked


def test_the_reader_s_names_by_dns(images: dict[str, Image], pod: Pod, counter: tuple[Container, int]) -> None:
    _, pingpong_port = counter
    port = free_port()
    with NameServer({"pings.example": "127.0.0.1"}) as server:
        pod.names.set({}, server)
        with pod.reader(images, port, PINGPONG_URL=f"http://pings.example:{pingpong_port}/ping"):
            answers(port, "/livez")
            assert "Ping / Pongs: " in eventually(
                lambda: (page := get(port, "/log-output")).status == 200 and page.text, 15, "a page with a count"
            )
        assert "pings.example" in server.asked


def test_hosts_comes_before_dns(images: dict[str, Image], cluster: Cluster, names: Names) -> None:
    """What /etc/hosts knows, the name server is not asked for: it would say that there is no such name."""
    port = free_port()
    with NameServer({}) as server:
        names.set({"database.example": "127.0.0.1"}, server)
        settings = database_settings(cluster, port, DB_HOST="database.example")
        with Container(images["pingpong"], env=settings, mounts=names.mounts()):
            answers(port, "/healthz")
        assert server.asked == []


def test_an_encrypted_database(images: dict[str, Image], names: Names, tmp_path: Path) -> None:
    """libssl works inside, with no user entry, home directory or configuration file to be found."""
    key, certificate = tmp_path / "server.key", tmp_path / "server.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    port = free_port()
    with Cluster() as cluster:
        for file in (key, certificate):
            target = cluster.data / file.name
            target.write_bytes(file.read_bytes())
            target.chmod(0o600)
            owner = cluster.data.stat()
            os.chown(target, owner.st_uid, owner.st_gid)
        cluster.query("ALTER SYSTEM SET ssl = on")
        cluster.query("SELECT pg_reload_conf()")
        settings = database_settings(cluster, port, DB_SSLMODE="require")
        with Container(images["pingpong"], env=settings, mounts=names.mounts()):
            answers(port, "/healthz")
            assert get(port, "/ping").status == 200
            rows = cluster.query(
                "SELECT bool_and(s.ssl), count(*) > 0 FROM pg_stat_ssl s JOIN pg_stat_activity a"
                " USING (pid) WHERE a.application_name LIKE '%pingpong%'"
            )
            assert rows == [(True, True)]
