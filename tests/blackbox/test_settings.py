"""The three programs' command lines and settings."""

from __future__ import annotations

import re

import pytest

from harness.process import BUILD, ROOT
from programs import PROGRAMS, log_lines, run_sanitized, settings_of

CONTRACT = {
    "pingpong": {
        "PORT": "3001",
        "DB_HOST": "localhost",
        "DB_PORT": "5432",
        "DB_USER": "postgres",
        "DB_PASSWORD": "none",
        "DB_PASSWORD_FILE": "none",
        "DB_NAME": "postgres",
        "DB_SSLMODE": "prefer",
        "DB_SSLROOTCERT": "none",
        "DB_CONNECT_TIMEOUT_MS": "1500",
        "DB_TIMEOUT_MS": "1500",
        "PING_TIMEOUT_MS": "2000",
        "PING_QUEUE_MAX": "4096",
        "DRAIN_MS": "5000",
        "HTTP_CONNECTIONS_MAX": "4096",
        "HTTP_CONNECTION_BYTES": "15360",
        "HTTP_IDLE_TIMEOUT_MS": "3660000",
        "HTTP_REQUEST_TIMEOUT_MS": "10000",
        "LOG_LEVEL": "info",
        "ACCESS_LOG": "false",
        "SHOW_IDENTITY": "true",
        "POD_NAME": "none",
    },
    "writer": {
        "INTERVAL_MS": "5000",
        "SHARED_FILE": "/usr/src/app/files/timestamp.txt",
        "SHARED_FILE_MAX_BYTES": "65536",
        "STALE_AFTER_MS": "15000",
        "LOG_LEVEL": "info",
    },
    "reader": {
        "PORT": "3002",
        "SHARED_FILE": "/usr/src/app/files/timestamp.txt",
        "STALE_AFTER_MS": "15000",
        "CONFIG_FILE": "/usr/src/app/config/information.txt",
        "MESSAGE": "none",
        "PINGPONG_URL": "http://pingpong-svc:3001/ping",
        "UPSTREAM_CONNECT_TIMEOUT_MS": "500",
        "UPSTREAM_TIMEOUT_MS": "2500",
        "UPSTREAM_CONNECTIONS_MAX": "32",
        "UPSTREAM_QUEUE_MAX": "4096",
        "UPSTREAM_CONNECTION_AGE_MS": "30000",
        "UPSTREAM_BATCH_MAX": "256",
        "READY_REQUIRES_PINGPONG": "false",
        "DRAIN_MS": "5000",
        "HTTP_CONNECTIONS_MAX": "4096",
        "HTTP_CONNECTION_BYTES": "15360",
        "HTTP_IDLE_TIMEOUT_MS": "3660000",
        "HTTP_REQUEST_TIMEOUT_MS": "10000",
        "LOG_LEVEL": "info",
        "ACCESS_LOG": "false",
        "SHOW_IDENTITY": "true",
        "POD_NAME": "none",
    },
    "witness": {
        "PORT": "3003",
        "TARGET_URL": "http://pingpong-svc:3001/ping",
        "RATE": "10",
        "CLIENTS": "64",
        "CONNECTIONS": "new",
        "CONNECTION_AGE_MS": "30000",
        "DURATION_S": "0",
        "TIMEOUT_MS": "5000",
        "CONNECT_TIMEOUT_MS": "3500",
        "EXCLUSIVE": "false",
        "TELL_REQUESTS": "false",
        "DRAIN_MS": "5000",
        "LOG_LEVEL": "info",
        "ACCESS_LOG": "false",
    },
}


def checked_settings() -> list[tuple[str, str, str]]:
    """Every setting that is not just any text, with a value that no kind of setting accepts."""
    return [
        (program, name, accepted) for program in PROGRAMS for name, (_, accepted, _) in settings_of(program).items() if accepted != "text"
    ]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_lists_the_settings_and_their_defaults(program: str) -> None:
    found = {name: default for name, (default, _, _) in settings_of(program).items()}
    assert {name: found.get(name) for name in CONTRACT[program]} == CONTRACT[program]
    done = run_sanitized([BUILD / program, "--help"])
    assert done.returncode == 0 and done.stderr == ""
    assert all(about for _, _, about in settings_of(program).values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_names_version_and_commit(program: str) -> None:
    done = run_sanitized([BUILD / program, "--version"])
    assert done.returncode == 0
    commit = re.fullmatch(rf"{program} \d+\.\d+\.\d+ \(commit ([0-9a-f]{{12}}|unknown)\)\n", done.stdout)
    assert commit, done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["-h"], ["extra"], ["--help", "extra"], [""]])
def test_other_arguments_are_refused(program: str, arguments: list[str]) -> None:
    done = run_sanitized([BUILD / program, *arguments])
    assert done.returncode == 1
    assert arguments[-1] in done.stderr and "--help" in done.stderr


@pytest.mark.parametrize("program, name, accepted", checked_settings())
def test_a_value_that_is_not_accepted_stops_the_start(program: str, name: str, accepted: str) -> None:
    done = run_sanitized([BUILD / program], {name: "no such value"})
    assert done.returncode == 1
    lines = log_lines(done.stderr)
    line = next(line for line in lines if line["level"] == "error" and line.get("setting") == name)
    assert line["value"] == "no such value" and line["accepted"] == accepted


@pytest.mark.parametrize("program, name, accepted", [row for row in checked_settings() if row[2].startswith("a whole number")])
def test_numbers_out_of_range_are_not_accepted(program: str, name: str, accepted: str) -> None:
    low, high = map(int, re.findall(r"-?\d+", accepted))
    for value in (low - 1, high + 1):
        done = run_sanitized([BUILD / program], {name: value})
        assert done.returncode == 1
        assert any(line.get("setting") == name and line.get("value") == str(value) for line in log_lines(done.stderr))


def test_every_wrong_setting_is_named_at_once() -> None:
    done = run_sanitized([BUILD / "pingpong"], {"PORT": "x", "DB_PORT": "y"})
    assert {line["setting"] for line in log_lines(done.stderr) if line["level"] == "error"} == {"PORT", "DB_PORT"}


@pytest.mark.parametrize(
    "url, problem",
    [
        ("nonsense", "no :// with a host"),
        ("http://", "host"),
        ("http:///ping", "host"),
        ("http://host:99999/ping", "[Pp]ort"),
        ("http://user:Secr3t@host:99999/ping", "[Pp]ort"),
        ("ftp://host/ping", "neither http:// nor https://"),
        ("ftp://user:Secr3t@host/", "neither http:// nor https://"),
        ("user:Secr3t@host/ping", "no :// with a host"),
        ("http://user:Secr3t@/ping", "host"),
        ("http://user:Secr3t@ho st/ping", "."),
        ("http://user:Secr3t@[::1/ping?token=Secr3t", "."),
        ("http://user:Secr3t@host/" + 3000 * "x", "too long"),
    ],
)
def test_an_upstream_url_that_is_none_stops_the_start(url: str, problem: str) -> None:
    """What was wrong is said without the value, which may hold a password."""
    done = run_sanitized([BUILD / "reader"], {"PINGPONG_URL": url, "PORT": 0}, timeout=20)
    assert done.returncode == 1
    line = log_lines(done.stderr)[-1]
    assert line["setting"] == "PINGPONG_URL" and re.search(problem, line["problem"]), line
    assert "Secr3t" not in done.stderr and "http://" in line["accepted"]


def test_a_password_in_the_wrong_setting_is_not_logged() -> None:
    done = run_sanitized([BUILD / "pingpong"], {"DB_PORT": "postgres://user:Secr3t@host:5432/db"})
    assert done.returncode == 1
    assert log_lines(done.stderr)[0]["setting"] == "DB_PORT" and "Secr3t" not in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_document_says_what_help_says(program: str) -> None:
    """One row of its tables for each setting: | `NAME` | default | meaning |"""
    text = (ROOT / "docs" / "settings.md").read_text()
    section = re.search(rf"^## {program}: settings$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/settings.md has no heading for {program}'s settings"
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", section.group(1), re.MULTILINE))
    found = {name: default for name, (default, _, _) in settings_of(program).items()}
    assert {name: value.strip("`") for name, value in rows.items()} == found
