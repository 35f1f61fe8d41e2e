"""POST /pings: several pings in one request."""

from __future__ import annotations

import json
import random

import pytest

from harness.http import Connection, Response, get, metrics, request
from harness.process import eventually, free_port
from programs import Database, Program, in_threads, pingpong as make_pingpong, pong


def pings(port: int, count: int) -> Response:
    return request(port, "POST", "/pings", body=b'{"count":%d}' % count)


def numbers(answer: Response) -> range:
    """Of an answer that is exactly what the contract says."""
    assert answer.status == 200, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert answer.text == '{"first":%d,"last":%d}' % (found["first"], found["last"])
    return range(found["first"], found["last"] + 1)


def test_it_takes_as_many_numbers_as_it_is_asked_for(pingpong: Program, database: Database) -> None:
    assert numbers(pings(pingpong.port, 1)) == range(1, 2)
    assert numbers(pings(pingpong.port, 5)) == range(2, 7)
    assert pong(get(pingpong.port, "/ping")) == 7
    assert numbers(pings(pingpong.port, 4096)) == range(8, 4104)
    assert database.count() == 4103


@pytest.mark.parametrize("body", [b' {\r\n"count" : 3}\n', b'{"count":3}'])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded"])
def test_the_body_is_what_counts(pingpong: Program, body: bytes, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else None
    assert numbers(request(pingpong.port, "POST", "/pings?a=b", headers, body)) == range(1, 4)


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"{}",
        b"3",
        b"[3]",
        b'"count"',
        b"count=3",
        b'{"count":0}',
        b'{"count":-1}',
        b'{"count":4097}',
        b'{"count":99999999999999999999}',
        b'{"count":1.5}',
        b'{"count":1e3}',
        b'{"count":"3"}',
        b'{"count":null}',
        b'{"count":3,"count":3}',
        b'{"count":3,"more":1}',
        b'{"count":3',
        b'{"count":3}}',
        b'{"count":3}\0',
        b"\xff\xfe",
        b" " * 1024,
    ],
)
def test_anything_else_is_400_and_counts_nothing(pingpong: Program, database: Database, body: bytes | None) -> None:
    answer = request(pingpong.port, "POST", "/pings", body=body)
    assert answer.status == 400
    assert set(answer.json()) == {"error"} and '{"count":K}' in answer.json()["error"] and "4096" in answer.json()["error"]
    assert database.count() == 0


def test_a_body_of_more_than_a_kilobyte_is_413(pingpong: Program, database: Database) -> None:
    good = b'{"count":3}'
    with Connection(pingpong.port) as connection:
        assert numbers(connection.request("POST", "/pings", body=good.ljust(1024))) == range(1, 4)
        for size in (1025, 60_000):
            answer = connection.request("POST", "/pings", body=good.ljust(size))
            assert answer.status == 413 and set(answer.json()) == {"error"}
        assert numbers(connection.request("POST", "/pings", body=good)) == range(4, 7)
    assert database.count() == 6


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_other_methods_are_405(pingpong: Program, database: Database, method: str) -> None:
    answer = request(pingpong.port, method, "/pings")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert database.count() == 0


def test_the_body_may_come_in_pieces_and_chunks(pingpong: Program) -> None:
    with Connection(pingpong.port) as connection:
        for byte in b'POST /pings HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n{"count":3}':
            connection.send(bytes([byte]))
        assert numbers(connection.read_response()) == range(1, 4)
        connection.send(b'POST /pings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"co\r\n7\r\nunt":2}\r\n0\r\n\r\n')
        assert numbers(connection.read_response()) == range(4, 6)


def test_all_pings_have_their_own_numbers(pingpong: Program, database: Database) -> None:
    """However they come, over two replicas; and the metrics count pings, not requests."""
    with make_pingpong(database.env()) as other:
        ports = [pingpong.port, other.port]

        def client(index: int) -> list[int]:
            choose = random.Random(index)
            seen: list[int] = []
            with Connection(ports[index % 2]) as connection:
                for _ in range(50):
                    count = choose.choice([0, 1, 2, 7, 100])
                    if count == 0:
                        seen.append(pong(connection.request("GET", "/ping")))
                    else:
                        seen += numbers(connection.request("POST", "/pings", body=json.dumps({"count": count}).encode()))
            return seen

        seen = [number for found in in_threads(16, client) for number in found]
        counted = sum(metrics(port)["pingpong_pings_total"] for port in ports)
        batched = sum(metrics(port)["pingpong_batch_size_sum"] for port in ports)
    assert sorted(seen) == list(range(1, len(seen) + 1))
    assert database.count() == counted == batched == len(seen)


def test_the_queue_holds_pings_not_requests() -> None:
    settings = {"DB_HOST": "127.0.0.1", "DB_PORT": free_port(), "PING_TIMEOUT_MS": 1500, "PING_QUEUE_MAX": 8, "DRAIN_MS": 0}
    with (
        make_pingpong({name: str(value) for name, value in settings.items()}, ready="/livez") as running,
        Connection(running.port) as waiting,
    ):
        waiting.send_request("POST", "/pings", body=b'{"count":7}')
        eventually(lambda: metrics(running.port)["pingpong_queue_length"] == 7, 5, "seven pings waiting")
        full = pings(running.port, 2)
        assert full.status == 503 and full.headers["retry-after"] == "1"
        assert "these pings were not counted" in full.json()["error"] and "too many" in full.json()["error"]
        late = waiting.read_response()
        assert late.status == 503 and "these pings were not counted" in late.json()["error"]
        found = metrics(running.port)
        assert found['pingpong_pings_failed_total{reason="queue_full"}'] == 2
        assert found['pingpong_pings_failed_total{reason="timeout"}'] == 7


def test_pings_of_one_request_are_counted_together_or_not_at_all(pingpong: Program, database: Database) -> None:
    holder = database.cluster.connect(database.name)
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN; SELECT * FROM counters FOR UPDATE")
            with Connection(pingpong.port) as connection:
                connection.send_request("POST", "/pings", body=b'{"count":50}')
                doubtful = connection.read_response()
            cursor.execute("ROLLBACK")
    finally:
        holder.close()
    assert doubtful.status == 503 and "may have been counted, all or none" in doubtful.json()["error"]
    first = numbers(pings(pingpong.port, 3))[0]
    assert first in (1, 51), first
