"""Who answered: the headers of each answer, and /version."""

from __future__ import annotations

import re
import socket

import pytest

from harness.http import Connection, Response, get, request
from harness.process import BUILD
from programs import Program, log_lines, run_sanitized

NAMES = ("version", "commit", "instance")


def identity(answer: Response) -> dict[str, str | None]:
    return {name: answer.headers.get(f"log-pong-{name}") for name in NAMES}


def built(program: str) -> dict[str, str]:
    text = run_sanitized([BUILD / program, "--version"]).stdout
    version, commit = re.fullmatch(rf"{program} (\S+) \(commit (\S+)\)\n", text).groups()
    return {"version": version, "commit": commit}


def again(daemon: Program, **settings: str) -> Program:
    """Another of the same kind, with the same upstreams."""
    env = {name: value for name, value in daemon.env.items() if name != "PORT"}
    return Program(daemon.argv, {**env, **settings})


def test_version_is_that_of_the_build_and_the_host(daemon: Program) -> None:
    answer = get(daemon.port, "/version")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json() == {**built(daemon.name), "instance": socket.gethostname()}


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/version", 200),
        ("GET", "/healthz", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/livez", 405),
    ],
)
def test_every_answer_says_who_gave_it(daemon: Program, method: str, path: str, status: int) -> None:
    expected = get(daemon.port, "/version").json()
    with Connection(daemon.port) as connection:
        for _ in range(3):  # a kept answer has its headers, too
            answer = connection.request(method, path)
            assert answer.status == status and identity(answer) == expected


def test_work_and_what_went_wrong_with_it_say_who(pingpong: Program, reader: Program) -> None:
    for program, path in ((pingpong, "/ping"), (pingpong, "/count"), (reader, "/log-output")):
        answer = get(program.port, path)
        assert answer.status == 200 and identity(answer) == get(program.port, "/version").json()
    pingpong.kill()
    answer = get(reader.port, "/log-output")
    assert answer.status == 503 and identity(answer) == get(reader.port, "/version").json()
    too_large = request(reader.port, "POST", "/livez", body=b"x" * 200_000)
    assert too_large.status == 413 and identity(too_large) == identity(answer)


def test_a_pod_has_its_own_name(daemon: Program) -> None:
    with again(daemon, POD_NAME="pingpong-5f9d8c7b6d-9wv5c") as other:
        answer = get(other.port, "/version")
        assert answer.json()["instance"] == "pingpong-5f9d8c7b6d-9wv5c"
        assert identity(answer) == answer.json()


def test_one_setting_turns_it_off(daemon: Program) -> None:
    with again(daemon, SHOW_IDENTITY="false") as other:
        for path in ("/livez", "/healthz", "/nothing", "/version"):
            assert identity(get(other.port, path)) == dict.fromkeys(NAMES)
        assert get(other.port, "/version").status == 404
        assert get(other.port, "/version").body == get(other.port, "/nothing").body


@pytest.mark.parametrize("name", ["two words", "line\nend", "tab\t", "caf\u00e9", "x" * 254])
def test_a_name_that_no_header_can_hold_stops_the_start(daemon: Program, name: str) -> None:
    done = run_sanitized(daemon.argv, {**daemon.env, "POD_NAME": name, "PORT": "0"}, timeout=20)
    assert done.returncode == 1
    assert any(line.get("setting") == "POD_NAME" and line["value"] == name for line in log_lines(done.stderr))
