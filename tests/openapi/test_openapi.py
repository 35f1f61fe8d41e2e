"""docs/openapi/ says what the programs do: their routes, and every answer that it names, seen and valid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterable

import pytest
import requests
import schemathesis
import yaml

from harness.http import get
from harness.process import ROOT, eventually, free_port
from programs import Database, Program, pingpong as make_pingpong, reader as make_reader, witness as make_witness

ROUTES = {"pingpong": "pingpong/routes.c", "reader": "log-output/reader/routes.c", "witness": "witness/routes.c"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FORMS = (None, "application/json", "text/html")
PREFETCH = {"Sec-Purpose": "prefetch"}


def document(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docs" / "openapi" / f"{name}.yaml").read_text("utf-8"))


def methods_of(name: str) -> dict[str, set[str]]:
    return {path: {method.upper() for method in item} for path, item in document(name)["paths"].items()}


def route_table(name: str) -> dict[str, set[str]]:
    source = (ROOT / ROUTES[name]).read_text("utf-8")
    table = source[source.index("routes_table[] = {") :]
    rows = re.findall(r'\{"([^"]+)", ([A-Z_ |]+), \w+, \w+\},', table[: table.index("\n};")])
    return {path: {method.removeprefix("HTTP_") for method in methods.split(" | ")} for path, methods in rows}


@pytest.mark.parametrize("name", ROUTES)
def test_the_document_has_the_routes_of_the_table(name: str) -> None:
    assert methods_of(name) == route_table(name)
    assert len(route_table(name)) >= 6


class Conversation:
    """Asks a program, judges each answer by the document, and keeps which of its answers were seen."""

    def __init__(self, name: str):
        self.name = name
        self.schema = schemathesis.openapi.from_path(str(ROOT / "docs" / "openapi" / f"{name}.yaml"))
        self.seen: set[tuple[str, str, str, str]] = set()

    def ask(self, port: int, method: str, path: str, status: int, **options: Any) -> None:
        answer = requests.request(method, f"http://127.0.0.1:{port}{path}", timeout=20, **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        self.schema[path][method].validate_response(answer)
        self.seen.add((path, method, str(status), answer.headers["content-type"]))

    def ask_all(self, port: int, statuses: dict[str, int], paths: Iterable[str]) -> None:
        """Each of the paths with all that read; 200 but where `statuses` say otherwise."""
        for path in paths:
            for method in sorted(methods_of(self.name)[path] & {"GET", "HEAD"}):
                self.ask(port, method, path, statuses.get(path, 200))

    def documented(self) -> set[tuple[str, str, str, str]]:
        found = set()
        for path, item in self.schema.raw_schema["paths"].items():
            for method, operation in item.items():
                for status, response in operation["responses"].items():
                    if "$ref" in response:
                        response = self.schema.raw_schema["components"]["responses"][response["$ref"].split("/")[-1]]
                    found |= {(path, method.upper(), status, kind) for kind in response["content"]}
        return found


def assert_other_methods_are_refused(port: int, name: str) -> None:
    for path, methods in methods_of(name).items():
        for method in METHODS:
            if method not in methods:
                answer = requests.request(method, f"http://127.0.0.1:{port}{path}", timeout=20)
                assert answer.status_code == 405, (method, path)
                assert set(answer.headers["allow"].split(", ")) == methods, path


def test_pingpong_gives_every_answer_of_its_document(pingpong: Program, database: Database) -> None:
    talk = Conversation("pingpong")
    port = pingpong.port
    talk.ask_all(port, {}, set(methods_of("pingpong")) - {"/pings"})
    for path in ("/ping", "/pingpong"):
        talk.ask(port, "POST", path, 200)
        talk.ask(port, "POST", path, 413, data=b"x" * 70000)
        for method in ("GET", "POST"):
            talk.ask(port, method, path, 403, headers=PREFETCH)
    talk.ask(port, "POST", "/pings", 200, json={"count": 4096})
    talk.ask(port, "POST", "/pings", 400, json={"count": 4097})
    talk.ask(port, "POST", "/pings", 413, data=b" " * 2000)
    assert_other_methods_are_refused(port, "pingpong")

    nowhere = {"DB_HOST": "127.0.0.1", "DB_PORT": free_port(), "PING_TIMEOUT_MS": 200, "SHOW_IDENTITY": "false"}
    with make_pingpong(database.env(**nowhere), ready="/livez") as alone:
        fails = {"/ping": 503, "/pingpong": 503, "/count": 503, "/healthz": 500, "/version": 404}
        talk.ask_all(alone.port, fails, fails)
        for path in ("/ping", "/pingpong"):
            talk.ask(alone.port, "POST", path, 503)
        talk.ask(alone.port, "POST", "/pings", 503, json={"count": 1})
    assert talk.seen == talk.documented()


def test_reader_gives_every_answer_of_its_document(reader: Program, tmp_path: Path) -> None:
    talk = Conversation("reader")
    talk.ask_all(reader.port, {}, methods_of("reader"))
    for form in FORMS:
        talk.ask(reader.port, "GET", "/log-output", 200, headers={"Accept": form})
    for method in ("GET", "HEAD"):
        talk.ask(reader.port, method, "/", 200, headers={"Accept": "text/html"})
    talk.ask(reader.port, "GET", "/log-output", 403, headers=PREFETCH)
    assert_other_methods_are_refused(reader.port, "reader")

    nothing = {
        "SHARED_FILE": tmp_path / "none",
        "CONFIG_FILE": tmp_path / "no",
        "SHOW_IDENTITY": "false",
        "PINGPONG_URL": f"http://127.0.0.1:{free_port()}/ping",
    }
    with make_reader(nothing) as alone:
        talk.ask_all(alone.port, {"/healthz": 500, "/version": 404}, ["/healthz", "/version"])
        for form in (None, "application/json"):
            talk.ask(alone.port, "GET", "/log-output", 503, headers={"Accept": form})
    assert talk.seen == talk.documented()


def test_witness_gives_every_answer_of_its_document(witness: Program, pingpong: Program) -> None:
    talk = Conversation("witness")
    talk.ask_all(witness.port, {}, methods_of("witness"))
    assert_other_methods_are_refused(witness.port, "witness")
    with make_witness(f"http://127.0.0.1:{pingpong.port}/ping", DRAIN_MS=30000) as draining:
        draining.signal(signal.SIGTERM)
        eventually(lambda: get(draining.port, "/healthz").status == 500, 10, "the drain")
        talk.ask_all(draining.port, {"/healthz": 500}, ["/healthz"])
        draining.kill()
    assert talk.seen == talk.documented()


def run_schemathesis(described: Path, port: int, examples: int, directory: Path) -> tuple[int, str]:
    """What it keeps of a run, and would begin with in the next, goes into the directory."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            described,
            "--url",
            f"http://127.0.0.1:{port}",
            "--checks",
            "all",
            "--generation-deterministic",
            "--max-examples",
            str(examples),
            "--no-color",
        ],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(Path(__file__).parent)},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ROUTES)
def test_schemathesis_finds_nothing(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    program = request.getfixturevalue(name)
    status, said = run_schemathesis(ROOT / "docs" / "openapi" / f"{name}.yaml", program.port, 20, tmp_path)
    assert status == 0, said
    assert "No issues found" in said and program.alive, said


def test_schemathesis_finds_a_document_that_is_wrong(pingpong: Program, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "openapi" / "pingpong.yaml").read_text("utf-8")
    wrong = text.replace("pong: {type: integer, format: int64, minimum: 0}", "pong: {type: string}")
    assert wrong != text
    (tmp_path / "wrong.yaml").write_text(wrong, "utf-8")
    status, said = run_schemathesis(tmp_path / "wrong.yaml", pingpong.port, 1, tmp_path)
    assert status == 1 and "GET /count" in said, said
