"""Requests that a proxy in front could read differently: each is refused once, before anything is done
for it, and its connection is closed."""

from __future__ import annotations

import json
import re
import socket

import pytest

from harness.http import Connection, get, metrics, read_to_end
from harness.process import eventually
from programs import Program

HOST = b"Host: a.example\r\n"


def request(
    lines: bytes = b"",
    target: bytes = b"/ping",
    method: bytes = b"GET",
    host: bytes = HOST,
    version: bytes = b"HTTP/1.1",
    body: bytes = b"",
) -> bytes:
    return method + b" " + target + b" " + version + b"\r\n" + host + lines + b"\r\n" + body


REFUSED = {
    "two hosts": (400, request(HOST)),
    "two hosts, differing": (400, request(b"host: b.example\r\n")),
    "two hosts, HTTP/1.0": (400, request(HOST, version=b"HTTP/1.0")),
    "no host": (400, request(host=b"")),
    "empty host": (400, request(host=b"Host:\r\n")),
    "blank host": (400, request(host=b"Host:  \r\n")),
    "host with a path": (400, request(host=b"Host: a.example/x\r\n")),
    "host with a user": (400, request(host=b"Host: me@a.example\r\n")),
    "host with a space": (400, request(host=b"Host: a b\r\n")),
    "two lengths": (400, request(b"Content-Length: 3\r\nContent-Length: 3\r\n", method=b"POST", body=b"abc")),
    "two lengths, differing": (400, request(b"Content-Length: 3\r\nContent-Length: 0\r\n", method=b"POST", body=b"abc")),
    "list of lengths": (400, request(b"Content-Length: 3, 3\r\n", method=b"POST", body=b"abc")),
    "length with a sign": (400, request(b"Content-Length: +3\r\n", method=b"POST", body=b"abc")),
    "negative length": (400, request(b"Content-Length: -3\r\n", method=b"POST", body=b"abc")),
    "hexadecimal length": (400, request(b"Content-Length: 0x3\r\n", method=b"POST", body=b"abc")),
    "empty length": (400, request(b"Content-Length:\r\n", method=b"POST")),
    "length and coding": (400, request(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "coding and length": (400, request(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "coding in HTTP/1.0": (400, request(b"Transfer-Encoding: chunked\r\n", method=b"POST", version=b"HTTP/1.0", body=b"0\r\n\r\n")),
    "empty coding": (400, request(b"Transfer-Encoding:\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "unknown coding": (501, request(b"Transfer-Encoding: xchunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "two codings": (501, request(b"Transfer-Encoding: gzip, chunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "chunked twice": (501, request(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "identity": (501, request(b"Transfer-Encoding: identity\r\n", method=b"POST")),
    "coding with a vertical tab": (400, request(b"Transfer-Encoding: \x0bchunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "space before the colon": (400, request(b"Transfer-Encoding : chunked\r\n", method=b"POST", body=b"0\r\n\r\n")),
    "tab before the colon": (400, request(b"X-A\t: b\r\n")),
    "space before the first name": (400, request(host=b" Host: a.example\r\n")),
    "folded line": (400, request(b"X-A: b\r\n c\r\n")),
    "folded with a tab": (400, request(b"X-A: b\r\n\tc\r\n")),
    "folded, and one follows": (400, request(b"X-A: b\r\n c\r\nX-D: e\r\n")),
    "folded first": (400, request(host=b"Host: a.example\r\n :x\r\n")),
    "blank fold": (400, request(b"X-A: b\r\n \r\n")),
    "no colon": (400, request(b"X-A\r\n")),
    "empty name": (400, request(b": b\r\n")),
    "bare line feed": (400, request(b"X-A: b\nX-C: d\r\n")),
    "bare line feed at the end": (400, b"GET /ping HTTP/1.1\r\nHost: a.example\r\n\n"),
    "bare line feed after the request line": (400, b"GET /ping HTTP/1.1\nHost: a.example\r\n\r\n"),
    "space in the target": (400, request(target=b"/ping x")),
    "two slashes and a space": (400, request(target=b"//evil.example/ a")),
    "two spaces before the target": (400, request(target=b" /ping")),
    "fragment": (400, request(target=b"/ping#x")),
    "encoded NUL": (400, request(target=b"/ping%00x")),
    "encoded NUL at the end": (400, request(target=b"/ping%00")),
    "encoded NUL in the query": (400, request(target=b"/ping?a=%00")),
    "NUL in the target": (400, request(target=b"/ping\0x")),
    "bytes over 127 in the target": (400, request(target=b"/ping\xc3\xa4")),
    "delete in the target": (400, request(target=b"/ping?\x7f")),
    "no version": (400, b"GET /ping\r\n" + HOST + b"\r\n"),
    "an asterisk": (400, request(target=b"*")),
    "an asterisk that is posted": (400, request(target=b"*", method=b"POST")),
    "a proxy's method": (501, request(target=b"a.example:443", method=b"CONNECT")),
    "a proxy's method on a path": (501, request(method=b"CONNECT")),
    "lower-case version": (400, request(version=b"http/1.1")),
    "a character that no method has": (400, request(method=b"G@T")),
    "control character in a method": (400, request(method=b"G\x01T")),
    "no method": (400, b" /ping HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a blank before the method": (400, b" GET /ping HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no blank": (400, b"GET\r\n\r\n"),
    "a path alone": (400, b"/ping\r\n\r\n"),
    "a carriage return too many": (400, b"\r\r\n" + request()),
}
REFUSED |= {
    f"control {code:#04x} in a value": (400, request(b"X-A: b" + bytes([code]) + b"c\r\n"))
    for code in [*range(9), 11, 12, *range(13, 32), 127]
}
REFUSED |= {
    f"{chr(code)!r} in a name": (400, request(b"X" + bytes([code]) + b"A: b\r\n"))
    for code in [*range(1, 9), *range(11, 13), *range(14, 33), *b'"(),/;<=>?@[\\]{}', 127, 128, 255]
}


def answer_of(port: int, sent: bytes, timeout: float = 10) -> bytes:
    """All that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout) as client:
        client.sendall(sent)
        return read_to_end(client)


def check_refusal(received: bytes, status: int) -> None:
    """One head, with one body of the announced length, and nothing after it."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert head.startswith(b"HTTP/1.1 %d " % status), received
    assert int(re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)[1]) == len(body), received
    assert re.search(rb"(?i)\r\nConnection: close", head), received
    assert set(json.loads(body)) == {"error"}, received


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_once_and_not_counted(one_pingpong: Program, name: str) -> None:
    status, sent = REFUSED[name]
    before = get(one_pingpong.port, "/count").json()
    # What follows on the connection must not be taken for a request.
    answer = answer_of(one_pingpong.port, sent + request())
    check_refusal(answer, status)
    assert get(one_pingpong.port, "/count").json() == before


# What a HEAD request is, too: the method is seen in the first line, of which the library leaves nothing where it
# refuses that.
FOR_HEAD = {
    "two hosts": REFUSED["two hosts"],
    "no host": REFUSED["no host"],
    "folded line": REFUSED["folded line"],
    "no colon": REFUSED["no colon"],
    "bare line feed": REFUSED["bare line feed"],
    "NUL in a value": REFUSED["control 0x00 in a value"],
    "encoded NUL": REFUSED["encoded NUL"],
    "a long target": (414, request(target=b"/" + 14_200 * b"x")),
    "a long field": (431, request(b"X-A: " + 20_000 * b"b" + b"\r\n")),
    "many fields": (431, request(b"X-A: b\r\n" * 1000)),
    "a body that is too large": (413, request(b"Content-Length: 9999999\r\n")),
}


@pytest.mark.parametrize("lead", [b"", b"\r\n", request(method=b"HEAD", target=b"/livez")], ids=["first", "after a line", "second"])
@pytest.mark.parametrize("name", FOR_HEAD)
def test_a_refusal_to_head_has_the_head_and_no_body(one_pingpong: Program, name: str, lead: bytes) -> None:
    status, sent = FOR_HEAD[name]
    heads = [
        re.sub(rb"Date: [^\r]*", b"", answer_of(one_pingpong.port, lead + method + sent[3:]).rpartition(b"HTTP/1.1 ")[2])
        for method in (b"HEAD", b"GET")
    ]
    assert heads[0].startswith(b"%d " % status) and heads[0].endswith(b"\r\n\r\n"), heads[0]
    assert heads[1].startswith(heads[0]) and json.loads(heads[1][len(heads[0]) :])


@pytest.fixture(scope="module")
def one_pingpong(cluster):
    from programs import Database, pingpong

    database = Database(cluster)
    with pingpong(database.env()) as running:
        yield running
    database.drop()


SERVED = {
    "plain": request(),
    "HTTP/1.0 without a host": request(host=b"", version=b"HTTP/1.0"),
    "host with a port": request(host=b"Host: a.example:3001\r\n"),
    "host as an address": request(host=b"Host: [::1]:3001\r\n"),
    "host in capitals": request(host=b"HOST:a.example\r\n"),
    "tab in a value": request(b"X-A: b\tc\r\n"),
    "space after a value": request(b"X-A: b \t\r\n"),
    "empty value": request(b"X-A:\r\n"),
    "bytes over 127 in a value": request(b"X-A: \xc3\xa4\r\n"),
    "every character of a name": request(b"!#$%&'*+-.^_`|~09azAZ: b\r\n"),
    "whole URL": request(target=b"http://a.example/ping"),
    "whole URL, https": request(target=b"https://a.example/ping"),
    "whole URL, capitals": request(target=b"HTTP://a.example/ping"),
    "whole URL, https in capitals": request(target=b"HTTPS://A.example:3001/ping?x=y"),
    "escaped path": request(target=b"/%70ing"),
    "query": request(target=b"/ping?a=b&c&d=%20"),
    "empty line before": b"\r\n" + request(),
    "a body that is announced": request(b"Content-Length: 3\r\n", body=b"abc"),
    "an asterisk, for OPTIONS": request(target=b"*", method=b"OPTIONS"),
    "a body in chunks": request(b"Transfer-Encoding: Chunked\r\n", body=b"3\r\nabc\r\n0\r\nX-T: u\r\n\r\n"),
}


@pytest.mark.parametrize("name", SERVED)
def test_is_served(one_pingpong: Program, name: str) -> None:
    with Connection(one_pingpong.port) as connection:
        connection.send(SERVED[name])
        assert connection.read_response().status == 200


def test_a_chunk_extension_is_passed_over_or_refused_once(one_pingpong: Program) -> None:
    """The library's 1.0 refuses it."""
    sent = request(b"Transfer-Encoding: chunked\r\nConnection: close\r\n", b"/livez", body=b"3;a=b\r\nabc\r\n0\r\n\r\n")
    answer = answer_of(one_pingpong.port, sent)
    if not answer.startswith(b"HTTP/1.1 200 "):
        check_refusal(answer, 400)


def test_refusals_are_in_the_metrics_as_they_were_sent(pingpong: Program) -> None:
    check_refusal(answer_of(pingpong.port, REFUSED["two hosts"][1]), 400)
    key = 'http_requests_total{route="/ping",method="GET",code="400"}'
    eventually(lambda: metrics(pingpong.port).get(key) == 1, what=key)


def test_a_refusal_is_read_by_a_client_that_sends_all_first(daemon: Program) -> None:
    """Closing at once would reset the connection, and the reset overtake the answer."""
    body = bytes(10_000_000)
    for _ in range(60):
        with Connection(daemon.port) as connection:
            assert connection.request("POST", "/ping", {"Content-Type": "text/plain"}, body).status == 413


def test_a_chunked_body_that_is_too_large_is_413(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        connection.send_request("POST", "/ping", {"Transfer-Encoding": "chunked"})
        connection.send(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        for _ in range(99):
            connection.send(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        answer = connection.read_response()
    assert answer.status == 413
    assert answer.json()["error"]
