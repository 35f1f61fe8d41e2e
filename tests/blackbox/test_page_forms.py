"""The page's forms: four lines for most, JSON for programs, and what `/` answers."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from harness.http import Connection, Response, get, request
from harness.process import free_port
from programs import Database, Program, pingpong as make_pingpong, reader as make_reader

JSON = {"Accept": "application/json"}
# As Chromium and Firefox ask when one goes to an address.
BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html",
]
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
        "reader": get(reader.port, "/version").json(),
        "pingpong": get(pingpong.port, "/version").json(),
    }


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


@pytest.mark.parametrize("accept", BROWSERS)
def test_a_browser_gets_one_document_that_counts_nothing(reader: Program, database: Database, accept: str) -> None:
    answers = [get(reader.port, path, {"Accept": accept}) for path in ("/", "/log-output", "/log-output?x=y")]
    assert database.count() == 0
    for answer in answers:
        assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["vary"] == "Accept" and answer.headers["cache-control"] == "no-store"
        assert answer.body == answers[0].body and answer.body.startswith(b"<!doctype html>")
    assert len(answers[0].body) < 40_000
    head = request(reader.port, "HEAD", "/", {"Accept": accept})
    assert head.status == 200 and head.headers["content-length"] == str(len(answers[0].body)) and head.body == b""


def test_the_document_is_all_there_is(reader: Program) -> None:
    """Nothing from elsewhere, nothing in attributes, and a policy that allows the one script and style by hash."""
    answer = get(reader.port, "/log-output", {"Accept": "text/html"})
    text = answer.text
    assert not re.search(r"""\s(src|href)=["'](?!data:)|\son\w+=|\sstyle=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)""", text)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


def test_the_document_and_other_forms_share_a_connection(reader: Program) -> None:
    with Connection(reader.port) as connection:
        for number in range(1, 4):
            assert connection.request("GET", "/log-output", {"Accept": "text/html"}).text.endswith("</html>\n")
            assert connection.request("GET", "/log-output").text.endswith(f"Ping / Pongs: {2 * number - 1}\n")
            assert connection.request("GET", "/log-output", JSON).json()["pong"] == 2 * number
            plain = connection.request("GET", "/livez")
            assert plain.text == "OK" and "vary" not in plain.headers and "content-security-policy" not in plain.headers


def test_a_browsers_large_cookie_fits(reader: Program) -> None:
    answer = get(reader.port, "/log-output", {"Accept": BROWSERS[0], "Cookie": "x=" + "y" * 2000})
    assert answer.status == 200 and answer.text.endswith("</html>\n")
