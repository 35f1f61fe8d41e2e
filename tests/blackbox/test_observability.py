"""Logs, traces and metrics, and what is never in them."""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import closing

import pytest

from harness.http import Connection, get, metrics, request
from harness.process import ROOT, eventually
from programs import Database, Program, log_lines, pingpong as make_pingpong, pong, reader as make_reader

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"

COMMON = {
    "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram",
    "http_connections": "gauge",
    "http_requests_active": "gauge",
    "http_connections_max": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_virtual_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
    "process_start_time_seconds": "gauge",
    "log_pong_build_info": "gauge",
}
OWN = {
    "pingpong": {
        "pingpong_pings_total": "counter",
        "pingpong_pings_failed_total": "counter",
        "pingpong_batch_size": "histogram",
        "pingpong_commit_duration_seconds": "histogram",
        "pingpong_queue_length": "gauge",
        "pingpong_batch_holding": "gauge",
        "pingpong_database_up": "gauge",
        "pingpong_database_reconnects_total": "counter",
        "pingpong_recovered_batches_total": "counter",
        "pingpong_history_lost_total": "counter",
    },
    "reader": {
        "log_output_upstream_requests_total": "counter",
        "log_output_upstream_duration_seconds": "histogram",
        "log_output_upstream_queue_length": "gauge",
        "log_output_shared_file_age_seconds": "gauge",
        "log_output_pingpong_ready": "gauge",
    },
    "witness": {
        "witness_requests_total": "counter",
        "witness_request_duration_seconds": "histogram",
        "witness_violations_total": "counter",
        "witness_outage": "gauge",
        "witness_outages_total": "counter",
        "witness_outage_seconds_total": "counter",
        "witness_requests_in_flight": "gauge",
        "witness_highest_number": "gauge",
        "witness_lines_lost_total": "counter",
    },
}


@pytest.fixture(params=["pingpong", "reader", "witness"])
def daemon(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def with_access_log(daemon: Program) -> Program:
    copy = Program(daemon.argv, {**daemon.env, "ACCESS_LOG": "true"}, ready="/healthz")
    copy.env["PORT"] = str(copy.port)
    return copy


def promtool() -> str:
    """Debian's prometheus would start a server; only the tool is fetched, if it is not there."""
    found = shutil.which("promtool")
    return found or subprocess.run([ROOT / "scripts" / "fetch-prometheus"], check=True, capture_output=True, text=True).stdout.strip()


def test_metrics_are_there_with_their_types(daemon: Program) -> None:
    text = get(daemon.port, "/metrics").text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    expected = {**COMMON, **OWN[daemon.name]}
    assert {name: types.get(name) for name in expected} == expected
    assert get(daemon.port, "/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_promtool_accepts_the_metrics(daemon: Program) -> None:
    get(daemon.port, "/ping" if daemon.name == "pingpong" else "/log-output")
    get(daemon.port, "/nothing")
    text = get(daemon.port, "/metrics").text
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr


def test_requests_are_counted(daemon: Program) -> None:
    before = metrics(daemon.port)
    for _ in range(3):
        get(daemon.port, "/livez")
    get(daemon.port, "/no/such/path")
    request(daemon.port, "POST", "/livez", body=b"")
    after = metrics(daemon.port)

    def grown(key: str) -> float:
        return after[key] - before.get(key, 0)

    assert grown('http_requests_total{route="/livez",method="GET",code="200"}') == 3
    assert grown('http_requests_total{route="/livez",method="POST",code="405"}') == 1
    assert grown('http_requests_total{route="other",method="GET",code="404"}') == 1
    assert grown('http_request_duration_seconds_count{route="/livez"}') == 4


def test_clients_cannot_make_the_metrics_grow(daemon: Program) -> None:
    def lines(prefix: str) -> int:
        return sum(key.startswith(prefix) for key in metrics(daemon.port))

    get(daemon.port, "/x0")
    get(daemon.port, "/metrics")  # which is counted too
    before = lines("http_")
    for number in range(20):
        get(daemon.port, f"/x{number}")
    assert lines("http_") == before


def test_process_metrics_are_true(daemon: Program) -> None:
    found = metrics(daemon.port)
    assert found["process_open_fds"] == pytest.approx(daemon.descriptors(), abs=3)
    assert found["process_cpu_seconds_total"] == pytest.approx(daemon.cpu_seconds(), abs=0.5)
    assert found["process_resident_memory_bytes"] > 500_000
    assert abs(found["process_start_time_seconds"] - time.time()) < 120


def test_build_info_is_what_version_says(daemon: Program) -> None:
    said = subprocess.run([daemon.argv[-1], "--version"], capture_output=True, text=True, check=True).stdout
    name, version, commit = re.fullmatch(r"(\S+) (\S+) \(commit (\S+)\)\n", said).groups()
    (info,) = [key for key in metrics(daemon.port) if key.startswith("log_pong_build_info")]
    assert f'component="{daemon.name}"' in info and name == daemon.name
    assert f'version="{version}"' in info and f'commit="{commit}"' in info


def test_pings_and_batches_are_counted(pingpong: Program) -> None:
    with Connection(pingpong.port) as connection:
        for _ in range(5):
            pong(connection.request("GET", "/ping"))
    found = metrics(pingpong.port)
    assert found["pingpong_pings_total"] == 5
    assert found["pingpong_batch_size_sum"] == 5
    assert found["pingpong_batch_size_count"] == found["pingpong_commit_duration_seconds_count"] == 5
    assert found["pingpong_database_up"] == 1
    assert found["pingpong_queue_length"] == 0


def test_there_is_no_access_log_unless_asked(daemon: Program) -> None:
    for _ in range(5):
        get(daemon.port, "/livez")
    assert not [line for line in log_lines(daemon.stderr()) if line["message"] == "request"]


def test_the_access_log_names_request_and_trace(daemon: Program) -> None:
    with with_access_log(daemon) as copy:
        get(copy.port, "/livez", {"traceparent": TRACEPARENT})
        get(copy.port, '/secret"path\\', {"traceparent": "00-nonsense"})
        lines = eventually(
            lambda: [
                line for line in log_lines(copy.stderr()) if line["message"] == "request" and (line["trace_id"] or line["status"] == 404)
            ][:2],
            5,
        )
        traced = next(line for line in lines if line["trace_id"])
        assert (traced["method"], traced["route"], traced["status"], traced["trace_id"]) == ("GET", "/livez", 200, TRACE_ID)
        assert traced["duration_us"] >= 0
        other = eventually(lambda: [line for line in log_lines(copy.stderr()) if line["message"] == "request" and line["status"] == 404])[0]
        assert other["route"] == "other" and other["trace_id"] is None


@pytest.mark.parametrize("name, path", [("pingpong", "/ping"), ("reader", "/log-output")])
def test_what_a_client_that_left_was_not_sent_is_499(name: str, path: str, database: Database, request: pytest.FixtureRequest) -> None:
    """Whether the library sees it go before there is an answer, or cannot send that."""
    with with_access_log(request.getfixturevalue(name)) as copy:
        blocker = database.cluster.connect(database.name)
        blocker.autocommit = False
        with closing(blocker), Connection(copy.port) as leaver:
            blocker.cursor().execute("SELECT FROM counters FOR UPDATE")
            leaver.send_request("GET", path)
            eventually(lambda: metrics(copy.port)["http_requests_active"] == 2, 10, "the request under way")
            leaver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
        key = f'http_requests_total{{route="{path}",method="GET",code="%d"}}'
        eventually(lambda: metrics(copy.port).get(key % 499) == 1, 20, "it is told that nothing was sent")
        assert key % 200 not in metrics(copy.port)
        assert [line["status"] for line in log_lines(copy.stderr()) if line.get("route") == path] == [499]


def test_every_log_line_has_time_level_component_and_message(daemon: Program) -> None:
    lines = log_lines(daemon.stderr())
    assert lines
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("debug", "info", "warning", "error")
        assert line["component"] == daemon.name
        assert line["message"]


def test_the_log_level_is_kept(database: Database) -> None:
    with make_pingpong(database.env(LOG_LEVEL="error")) as running:
        get(running.port, "/ping")
        assert running.stderr() == ""


def test_the_password_is_in_no_log_and_no_answer(database: Database) -> None:
    password = database.env()["DB_PASSWORD"]
    with make_pingpong(database.env(LOG_LEVEL="debug", ACCESS_LOG="true")) as running:
        texts = [get(running.port, path).text for path in ("/ping", "/count", "/healthz", "/metrics", "/", "/x")]
        assert password not in running.stderr() + running.stdout() + "".join(texts)


def test_the_trace_goes_from_reader_to_pingpong(pingpong: Program, page_settings: dict[str, object]) -> None:
    with with_access_log(pingpong) as upstream:
        url = f"http://127.0.0.1:{upstream.port}/ping"
        with make_reader({**page_settings, "PINGPONG_URL": url, "ACCESS_LOG": "true"}, ready="/healthz") as page:
            assert get(page.port, "/log-output", {"traceparent": TRACEPARENT}).status == 200
            for program, route in ((page, "/log-output"), (upstream, "/ping")):
                eventually(
                    lambda: [
                        line
                        for line in log_lines(program.stderr())
                        if line["message"] == "request" and line["route"] == route and line["trace_id"] == TRACE_ID
                    ],
                    5,
                    program.name,
                )


def test_the_reader_sends_a_span_of_its_own(page_settings: dict[str, object]) -> None:
    """What pingpong gets names the same trace, and the reader as its parent."""
    listener = socket.create_server(("127.0.0.1", 0))
    heads: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                heads.append(client.recv(65536))
                client.sendall(
                    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"pong":7}'
                )

    threading.Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/ping"
    try:
        with make_reader({**page_settings, "PINGPONG_URL": url}) as page:
            assert get(page.port, "/log-output", {"traceparent": TRACEPARENT}).status == 200
            sent = [head for head in heads if head.startswith((b"GET /ping", b"POST /ping"))][-1].decode().lower()
            found = re.search(r"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-01\r\n", sent)
            assert found, sent
            assert found.group(1) == TRACE_ID and found.group(2) != "00f067aa0ba902b7"
    finally:
        listener.close()


def test_promtool_finds_what_is_wrong() -> None:
    """That the check above can fail."""
    done = subprocess.run([promtool(), "check", "metrics"], input="# TYPE a nonsense\na 1\n", capture_output=True, text=True)
    assert done.returncode != 0
