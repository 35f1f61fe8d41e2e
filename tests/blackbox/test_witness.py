"""The witness: finds each broken promise with the very answer that breaks it, and no other."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import threading
import time
from typing import Callable, Iterator

import pytest

from harness.http import get, metrics
from harness.process import eventually, free_port
from programs import DRAIN_MS, PATIENCE, SANITIZED, Database, Program, pingpong as make_pingpong, reader as make_reader, witness
from upstreams import Upstream, ok

NOT_COUNTED = (503, {"error": "this ping was not counted"})
MAY_BE_COUNTED = (503, {"error": "this ping may have been counted"})

# What a stand-in answers instead of a status and a body.
CLOSE, HANG = "close", "hang"


class StandIn(Upstream):
    """A service that lies on purpose. `script` says what the request of an index (from 0) gets: a number, a
    status with a body, CLOSE, HANG, or bytes for a body."""

    def __init__(self, script: Callable[[int], object], version: Callable[[int], str] = lambda _: "1.0.0"):
        self.script = script
        self.version = version
        self.next = itertools.count()
        self.over = threading.Event()
        super().__init__(self._say)

    def _say(self, client: socket.socket, _: bytes) -> None:
        index = next(self.next)
        said = self.script(index)
        if said == HANG:
            self.over.wait(60)
        if said == CLOSE:
            client.shutdown(socket.SHUT_RDWR)
        if said in (HANG, CLOSE):
            raise OSError("no answer, on purpose")
        status, body = said if isinstance(said, tuple) else (200, said if isinstance(said, bytes) else {"pong": said})
        version = self.version(index)
        head = f"HTTP/1.1 {status} Said\r\nLog-Pong-Version: {version}\r\nLog-Pong-Commit: abc\r\nLog-Pong-Instance: pod-{version}"
        client.sendall(ok(body if isinstance(body, bytes) else json.dumps(body).encode(), head.encode()))

    def close(self) -> None:
        self.over.set()
        super().close()


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    made: list[StandIn] = []

    def make(script: Callable[[int], object] | list, **options: object) -> StandIn:
        if isinstance(script, list):
            answers = script
            script = lambda index: answers[index] if index < len(answers) else HANG  # noqa: E731
        made.append(StandIn(script, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


def lines(running: Program, event: str = "") -> list[dict]:
    """Its lines on standard output so far."""
    found = [json.loads(line) for line in running.stdout().splitlines()]
    return [line for line in found if not event or line["event"] == event]


def first(running: Program, event: str) -> dict:
    return eventually(lambda: lines(running, event), 20, f"a line {event}")[0]


def end(running: Program, status: int) -> dict:
    """SIGTERM; its verdict, which is the last line and the only one."""
    running.terminate()
    return concluded(running, status)


def concluded(running: Program, status: int) -> dict:
    assert running.wait(30) == status, running.stdout() + running.stderr()
    assert len(lines(running, "verdict")) == 1 and lines(running)[-1]["event"] == "verdict"
    return lines(running)[-1]


# One client: a request is sent when the one before has its answer.
ONE = {"CLIENTS": 1, "RATE": 200, "TIMEOUT_MS": 60000}

BROKEN = [
    # what is answered, in turn; then nothing more   | which promise that breaks, told of which number
    ([1, 2, 3, 3], False, "repeated", 3),
    ([5, 6, 7, 5], False, "repeated", 5),
    ([5, 6, 7, 4], False, "backwards", 4),
    ([100, 200, 150], False, "backwards", 150),
    ([1, 2, 4], True, "missing", None),
    ([1, NOT_COUNTED, 3], True, "missing", None),
    ([1, MAY_BE_COUNTED, 4], True, "missing", None),
    ([1, CLOSE, 2, 2], True, "repeated", 2),
    ([0, 9223372036854775807, 9223372036854775806], False, "backwards", 9223372036854775806),
]


@pytest.mark.parametrize("connections", ["new", "kept"])
@pytest.mark.parametrize("answers, exclusive, kind, number", BROKEN)
def test_a_broken_promise_is_found_with_the_answer_that_breaks_it(
    stand_in, answers: list, exclusive: bool, kind: str, number: int | None, connections: str
) -> None:
    """No request behind that one is answered before it is found."""
    server = stand_in(answers)
    with witness(server.url(), **ONE, EXCLUSIVE=str(exclusive).lower(), CONNECTIONS=connections) as running:
        line = first(running, "violation")
        assert line["kind"] == kind
        assert line.get("number") == number
        assert line["answerer"] == {"version": "1.0.0", "commit": "abc", "instance": "pod-1.0.0"}
        assert server.pings <= len(answers) + 1
        server.close()
        verdict = end(running, 1)
        assert verdict["held"] is False and verdict["violated"] == [kind]
        assert len(lines(running, "violation")) == 1
        running.discard()


@pytest.mark.parametrize("wanted", [True, False])
def test_each_request_is_told_if_that_is_wanted(stand_in, wanted: bool) -> None:
    server = stand_in([1, NOT_COUNTED, CLOSE, 4])
    with witness(server.url(), **ONE, TELL_REQUESTS=str(wanted).lower()) as running:
        eventually(lambda: server.pings > 4, 20, "the request that is not answered")
        server.close()
        end(running, 0)
        told = lines(running, "request")
        running.discard()
    if not wanted:
        assert not told
        return
    assert [line["result"] for line in told[:4]] == ["ok", "not_counted", "may_be_counted", "ok"]
    assert [line.get("number") for line in told[:4]] == [1, None, None, 4]
    assert ["failed" in line for line in told[:4]] == [False, True, True, False]
    who = {"version": "1.0.0", "commit": "abc", "instance": "pod-1.0.0"}
    assert [line["answerer"] for line in told[:4]] == [who, who, None, who]
    assert all(0 <= line["seconds"] < 60 and line["began"] <= line["time"] for line in told)


HELD = [
    ([1, 2, 3], True),
    ([10, 20, 30], False),  # others ping too
    ([1, NOT_COUNTED, 2], True),
    ([1, MAY_BE_COUNTED, 3], True),
    ([1, MAY_BE_COUNTED, 2], True),
    ([1, CLOSE, 3], True),
    ([1, (502, b"<html>not counted</html>"), 3], True),
    ([1, b'{"pong":-1}', b"3", 3], True),
    ([b"file content: {}\nPing / Pongs: 7\n", b"Ping / Pongs: 8\n"], True),
]


@pytest.mark.parametrize("answers, exclusive", HELD)
def test_what_breaks_no_promise(stand_in, answers: list, exclusive: bool) -> None:
    server = stand_in(answers)
    with witness(server.url(), **ONE, EXCLUSIVE=str(exclusive).lower()) as running:
        eventually(lambda: get(running.port, "/verdict").json()["requests"] == len(answers), 20, "all answers")
        server.close()
        verdict = end(running, 0)
        assert verdict["held"] is True and verdict["violated"] == []
        numbers = [answer for answer in answers if isinstance(answer, (int, bytes))]
        assert verdict["ok"] <= len(numbers)
        running.discard()


FAILURES = [
    (NOT_COUNTED, "not_counted", "status 503: this ping was not counted"),
    (MAY_BE_COUNTED, "may_be_counted", "status 503: this ping may have been counted"),
    ((502, b"bad gateway"), "may_be_counted", "status 502"),
    (b'{"pong":"many"}', "may_be_counted", "status 200, no number"),
    (CLOSE, "may_be_counted", "connection_lost"),
    (HANG, "may_be_counted", "timed_out"),
]


@pytest.mark.parametrize("answer, outcome, reason", FAILURES)
def test_an_outage_is_told_with_its_first_failure_and_its_end(stand_in, answer: object, outcome: str, reason: str) -> None:
    """Answers 1 and 2, a failure, then version 2 answers on."""
    server = stand_in(lambda index: answer if index == 2 else index + 1, version=lambda index: "1.0.0" if index < 2 else "2.0.0")
    with witness(server.url(), CLIENTS=1, RATE=20, TIMEOUT_MS=2000) as running:
        began = first(running, "outage_began")
        assert began["failed"] == reason and began["before"]["version"] == "1.0.0"
        ended = first(running, "outage_ended")
        assert ended["began"][:21] == began["began"][:21] and ended["before"] == began["before"]
        assert ended["after"] == {"version": "2.0.0", "commit": "abc", "instance": "pod-2.0.0"}
        assert 0 < ended["seconds"] < (1 if answer != HANG else 3) * PATIENCE
        samples = metrics(running.port)
        assert samples["witness_outages_total"] == 1 and samples["witness_outage"] == 0
        assert samples["witness_outage_seconds_total"] == pytest.approx(ended["seconds"], abs=0.002)
        assert (
            sum(value for key, value in samples.items() if key.startswith("witness_requests_total") and f'result="{outcome}"' in key) >= 1
        )
        server.close()
        verdict = end(running, 0)
        assert verdict["outages"]["count"] >= 1 and verdict[outcome] >= 1
        running.discard()


def test_what_was_surely_never_sent(stand_in) -> None:
    with witness(f"http://127.0.0.1:{free_port()}/ping", RATE=50, DURATION_S=1, EXCLUSIVE="true") as running:
        verdict = concluded(running, 1)
        assert verdict["violated"] == ["nothing was answered"]
        assert verdict["requests"] == verdict["not_sent"] == 50
        assert verdict["outages"]["open"] is True
        assert first(running, "outage_began")["failed"] == "unreachable"


@pytest.mark.parametrize("connections", ["new", "kept"])
def test_no_request_is_repeated(stand_in, connections: str) -> None:
    """Kept-alive connections that end where the answer should be are what HTTP clients repeat on."""
    server = stand_in(lambda index: CLOSE if index % 3 == 2 else index + 1)
    with witness(server.url(), RATE=100, DURATION_S=1, CONNECTIONS=connections, EXCLUSIVE="true") as running:
        verdict = concluded(running, 0)
    assert server.pings == verdict["requests"] == 100
    assert verdict["ok"] == 67 and verdict["may_be_counted"] == 33
    # Each that ends costs a new one; how many more, hangs on how many requests are under way at the same time.
    assert server.connections == 100 if connections == "new" else 34 <= server.connections < 100


def test_a_stall_counts_in_the_latency_of_all_that_were_planned(stand_in) -> None:
    """An open loop: 0.8 s without an answer delay 40 requests of 50 a second, not one."""

    def script(index: int) -> int:
        if index == 10:
            time.sleep(0.8)
        return index + 1

    server = stand_in(script)
    with witness(server.url(), RATE=50, CLIENTS=1, DURATION_S=2) as running:
        verdict = concluded(running, 0)
        assert verdict["requests"] == 100 and verdict["ok"] == 100
        assert 780 <= verdict["latency_ms"]["max"] <= 5000
    # Those that waited at least 0.4 s are about twenty of a hundred.
    assert verdict["latency_ms"]["p99"] >= 700


def test_versions_appear_and_go(stand_in) -> None:
    server = stand_in(lambda index: index + 1, version=lambda index: "2.0.0" if 50 <= index < 100 and index % 5 == 0 else "1.0.0")
    with witness(server.url(), RATE=50, CLIENTS=1) as running:
        eventually(lambda: lines(running, "version_gone"), 60, "the second version gone")
        found = [(line["event"], line["version"], line["answering"]) for line in lines(running) if line["event"].startswith("version_")]
        assert found == [
            ("version_appeared", "1.0.0", ["1.0.0 (abc)"]),
            ("version_appeared", "2.0.0", ["1.0.0 (abc)", "2.0.0 (abc)"]),
            ("version_gone", "2.0.0", ["1.0.0 (abc)"]),
        ]
        assert metrics(running.port)['witness_requests_total{result="ok",version="2.0.0",commit="abc"}'] == 10
        verdict = end(running, 0)
        assert {row["version"]: row["answered"] for row in verdict["versions"]}["2.0.0"] == 10


def test_a_service_cannot_make_the_metrics_grow(stand_in) -> None:
    server = stand_in(lambda index: index + 1, version=lambda index: f'{index}"\\')
    with witness(server.url(), RATE=300, DURATION_S=0) as running:
        eventually(lambda: get(running.port, "/verdict").json()["ok"] > 300, 20, "many versions")
        text = get(running.port, "/metrics").text
        assert len(re.findall(r"^witness_requests_total\{", text, re.MULTILINE)) == 4 * (8 + 2)
        assert len(lines(running, "version_appeared")) == 8
        end(running, 0)


def test_a_summary_every_ten_seconds(stand_in) -> None:
    server = stand_in(lambda index: index + 1)
    with witness(server.url(), RATE=20) as running:
        summary = eventually(lambda: lines(running, "summary"), 30, "a summary")[0]
        assert summary["seconds"] == pytest.approx(10, abs=1)
        assert summary["requests"] == pytest.approx(200, abs=40) and summary["requests"] - summary["ok"] < 20
        assert summary["outage"] is False and set(summary["violations"].values()) == {0}
        assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"] <= summary["latency_ms"]["max"]
        end(running, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_what_was_sent(stand_in, number: int) -> None:
    """The verdict comes when the last answer has come, and holds it."""
    hold = threading.Event()

    def script(index: int) -> int:
        if index == 5:
            hold.wait(30)
        return index + 1

    server = stand_in(script)
    with witness(server.url(), RATE=50, CLIENTS=1, TIMEOUT_MS=30000, EXCLUSIVE="true") as running:
        eventually(lambda: server.pings == 6, 20, "the sixth request")
        running.signal(number)
        eventually(lambda: "draining" in running.stderr(), 10, "the drain")
        assert lines(running, "verdict") == []
        hold.set()
        verdict = concluded(running, 0)
        assert verdict["ok"] >= 6 and verdict["missing"] == 0


def test_a_second_signal_counts_what_is_cut_off(stand_in) -> None:
    server = stand_in([1, HANG])
    with witness(server.url(), **ONE) as running:
        eventually(lambda: server.pings == 2, 20, "the second request")
        running.terminate()
        eventually(lambda: "draining" in running.stderr(), 10, "the drain")
        running.terminate()
        verdict = concluded(running, 1)
        assert verdict["held"] is True and verdict["ok"] == 1 and verdict["may_be_counted"] == 1
        assert verdict["not_sent"] == verdict["requests"] - 2


def test_readiness_is_its_own(stand_in) -> None:
    """A target that is away is what it is there to see."""
    with witness(f"http://127.0.0.1:{free_port()}/ping", DRAIN_MS=DRAIN_MS) as running:
        assert get(running.port, "/healthz").text == "OK"
        running.terminate()
        eventually(lambda: get(running.port, "/healthz").status == 500, 5, "readiness failing at once")
        assert get(running.port, "/livez").status == 200
        assert get(running.port, "/verdict").json()["violated"] == ["nothing was answered"]
        assert running.wait(30) == 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/ping", "http://user:secret@:1/"])
def test_a_target_that_is_no_url_stops_the_start(url: str) -> None:
    running = witness(url)
    running.launch()
    try:
        assert running.wait(20) == 1
        assert "TARGET_URL" in running.stderr() and "secret" not in running.stderr()
    finally:
        running.discard()


def restarted(cluster, made: Program) -> Program:
    """PostgreSQL killed and started, then pingpong killed and started on its port."""
    time.sleep(0.5)
    cluster.kill()
    time.sleep(0.3)
    cluster.start()
    eventually(lambda: get(made.port, "/healthz").status == 200, 20, "pingpong ready")
    time.sleep(0.5)
    made.kill()
    time.sleep(0.5)  # longer than the page tries to connect anew
    return made.start()


def recovered(running: Program) -> bool:
    outages = get(running.port, "/verdict").json()["outages"]
    return outages["count"] > 0 and not outages["open"]


@pytest.mark.parametrize("connections", ["new", "kept"])
def test_restarts_of_the_real_thing_break_no_promise(own_cluster, connections: str) -> None:
    """pingpong and its PostgreSQL die under the witness' eyes: outages, and every number accounted for."""
    database = Database(own_cluster)
    with make_pingpong(database.env()) as target:
        url = f"http://127.0.0.1:{target.port}/ping"
        with witness(url, RATE=200, EXCLUSIVE="true", CONNECTIONS=connections) as running:
            eventually(lambda: get(running.port, "/verdict").json()["ok"] > 20, 20, "answers")
            restarted(own_cluster, target)
            eventually(lambda: recovered(running), 30, "the end of the outages")
            verdict = end(running, 0)
        assert verdict["held"] is True and verdict["exclusive"] is True
        assert verdict["missing"] <= verdict["may_be_counted"]
        assert verdict["outages"]["count"] >= 1 and verdict["outages"]["open"] is False
        assert verdict["highest"] <= database.count() <= verdict["ok"] + verdict["may_be_counted"]
        assert verdict["versions"][0]["answered"] == verdict["ok"]


def test_restarts_seen_through_the_page_break_no_promise(own_cluster, page_settings: dict[str, object]) -> None:
    database = Database(own_cluster)
    with make_pingpong(database.env()) as target:
        with make_reader({**page_settings, "PINGPONG_URL": f"http://127.0.0.1:{target.port}/ping"}, ready="/healthz") as page:
            with witness(f"http://127.0.0.1:{page.port}/log-output", RATE=100, EXCLUSIVE="true") as running:
                eventually(lambda: get(running.port, "/verdict").json()["ok"] > 20, 20, "answers")
                restarted(own_cluster, target)
                eventually(lambda: recovered(running), 30, "the end of the outages")
                verdict = end(running, 0)
        assert verdict["held"] is True
        assert verdict["highest"] <= database.count() <= verdict["ok"] + verdict["may_be_counted"]


def test_two_witnesses_of_one_counter(pingpong: Program) -> None:
    """Each sees a part of the numbers, and holds no more against the service than it saw."""
    url = f"http://127.0.0.1:{pingpong.port}/ping"
    with witness(url, RATE=300, DURATION_S=2) as one, witness(url, RATE=300, CONNECTIONS="kept", DURATION_S=2) as two:
        verdicts = [concluded(each, 0) for each in (one, two)]
    assert [verdict["ok"] for verdict in verdicts] == [600, 600]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed")
def test_memory_does_not_grow_with_the_run(pingpong: Program) -> None:
    def seen() -> int:
        return get(running.port, "/verdict").json()["requests"]

    url = f"http://127.0.0.1:{pingpong.port}/ping"
    with witness(url, RATE=1000, CLIENTS=4, CONNECTIONS="kept") as running:
        eventually(lambda: seen() > 1000, 60, "requests")

        def grown_kib() -> int:
            before, so_far = running.anonymous_kib(), seen()
            eventually(lambda: seen() > so_far + 4000, 60, "requests")
            return running.anonymous_kib() - before

        # What is kept for each request grows each time; a machine that is slow for a moment does not.
        assert any(grown_kib() < 128 for _ in range(3))
        end(running, 0)
