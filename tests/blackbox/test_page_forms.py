"""The page's forms: four lines for most, JSON for programs, and what `/` answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.http import Connection, Response, get
from harness.process import free_port
from programs import Database, Program, pingpong as make_pingpong, reader as make_reader

JSON = {"Accept": "application/json"}
LINES = re.compile(r"file content: .*\nenv variable: .*\n.*\nPing / Pongs: (\d+|not available: .+)\n")


def page_as_json(port: int, status: int = 200) -> dict[str, object]:
    answer = get(port, "/log-output", JSON)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store" and answer.headers["vary"] == "Accept"
    found = answer.json()
    assert set(found) == {"file", "message", "timestamp", "hash", "pong", "missing", "answered_by"}
    assert set(found["answered_by"]) == {"reader", "pingpong"}
    return found


def assert_lines(answer: Response) -> None:
    assert answer.headers["content-type"] == "text/plain; charset=utf-8" and answer.headers["vary"] == "Accept"
    assert LINES.fullmatch(answer.text), answer.text


@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", "text/*", "image/png", "", "application/json;q=0.5, text/plain"])
def test_most_get_the_four_lines(reader: Program, accept: str | None) -> None:
    assert_lines(get(reader.port, "/log-output", {} if accept is None else {"Accept": accept}))


def test_json_says_what_the_lines_say(reader: Program, pingpong: Program) -> None:
    found = page_as_json(reader.port)
    lines = get(reader.port, "/log-output").text.split("\n")
    assert lines[0] == f"file content: {found['file']}"
    assert lines[1] == f"env variable: MESSAGE={found['message']}"
    assert found["pong"] == 1 and lines[3] == "Ping / Pongs: 2"
    assert re.fullmatch(r"[0-9a-f]{64}", found["hash"]) and found["timestamp"].endswith("Z")
    assert found["missing"] == {}


def test_json_says_who_answered_on_both_hops(reader: Program, pingpong: Program) -> None:
    assert page_as_json(reader.port)["answered_by"] == {
        "reader": get(reader.port, "/version").json(), "pingpong": get(pingpong.port, "/version").json()}


def test_json_names_what_is_missing(page_settings: dict[str, object], tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/ping"
    settings = {**page_settings, "CONFIG_FILE": tmp_path / "none", "SHARED_FILE": tmp_path / "no", "PINGPONG_URL": nowhere}
    del settings["MESSAGE"]
    with make_reader(settings) as page:
        found = page_as_json(page.port, 503)
    assert set(found["missing"]) == {"file", "message", "timestamp", "pong"}
    assert all(found[name] is None for name in ("file", "message", "timestamp", "hash", "pong"))
    assert "No such file" in found["missing"]["file"] and "connect" in found["missing"]["pong"]
    assert found["answered_by"]["pingpong"] is None and found["answered_by"]["reader"] is not None


def test_json_shows_a_stale_timestamp_and_says_so(page_settings: dict[str, object], tmp_path: Path) -> None:
    stale = tmp_path / "stale.txt"
    stale.write_text("2025-07-21T10:30:00.123Z\n")
    with make_reader({**page_settings, "SHARED_FILE": stale, "PINGPONG_URL": "http://127.0.0.1:1/ping"}) as page:
        found = page_as_json(page.port, 503)
    assert found["timestamp"] == "2025-07-21T10:30:00.123Z" and found["missing"]["timestamp"].startswith("stale: ")


def test_json_says_which_pingpong_failed(page_settings: dict[str, object], database: Database) -> None:
    broken = {**database.env(), "FAULTS": "allowed", "FAULT_ERROR_SHARE": 1, "POD_NAME": "the-broken-one"}
    with make_pingpong(broken) as upstream:
        with make_reader({**page_settings, "PINGPONG_URL": f"http://127.0.0.1:{upstream.port}/ping"}) as page:
            found = page_as_json(page.port, 503)
    assert found["answered_by"]["pingpong"]["instance"] == "the-broken-one" and "503" in found["missing"]["pong"]


def test_nobody_is_named_where_the_reader_is_not_to_be(page_settings: dict[str, object], pingpong: Program) -> None:
    url = f"http://127.0.0.1:{pingpong.port}/ping"
    with make_reader({**page_settings, "PINGPONG_URL": url, "SHOW_IDENTITY": "false"}) as page:
        assert page_as_json(page.port)["answered_by"] == {"reader": None, "pingpong": None}


def test_json_holds_whatever_the_texts_hold(page_settings: dict[str, object], pingpong: Program, tmp_path: Path) -> None:
    config = tmp_path / "odd.txt"
    config.write_bytes(b'"quoted" \\ \xff <b>\n"pong":7\x01\n')
    settings = {**page_settings, "CONFIG_FILE": config, "PINGPONG_URL": f"http://127.0.0.1:{pingpong.port}/ping"}
    with make_reader(settings) as page:
        assert page_as_json(page.port)["file"] == '"quoted" \\ \ufffd <b> "pong":7 '


def test_the_root_is_short_and_counts_nothing(page_settings: dict[str, object]) -> None:
    """Also while pingpong is away: a load balancer that asks it keeps the page that explains the outage."""
    with make_reader({**page_settings, "PINGPONG_URL": "http://127.0.0.1:1/ping"}) as page:
        with Connection(page.port) as connection:
            for headers in ({}, JSON, {"Accept": "*/*"}, {"User-Agent": "GoogleHC/1.0"}):
                answer = connection.request("GET", "/", headers)
                assert (answer.status, answer.text, answer.headers["vary"]) == (200, "OK", "Accept")
            assert connection.request("HEAD", "/").status == 200
