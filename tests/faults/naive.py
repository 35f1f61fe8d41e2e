#!/usr/bin/python3
"""A pingpong that makes one of the usual mistakes, named by NAIVE: test_mistakes.py shows that the
scenarios notice. NAIVE=none makes none on purpose, but cannot tell a client more than "unknown", and believes
whatever a database says: that a commit stands although it warns, that nothing was ever counted, that a table of
another schema is its own.

  repeat   after a lost connection the UPDATE is simply sent again
  memory   numbers come out of the process, which writes them behind
  races    SELECT, add one, UPDATE, without a lock
  local    a commit is not confirmed by the standby
  first    of several database hosts only the first is used
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

MISTAKE = os.environ["NAIVE"]
DATABASE = {
    "host": os.environ["DB_HOST"],
    "port": os.environ["DB_PORT"],
    "user": os.environ["DB_USER"],
    "password": os.environ["DB_PASSWORD"],
    "dbname": os.environ["DB_NAME"],
    "connect_timeout": 2,
    "target_session_attrs": "read-write",
}
if MISTAKE == "first":
    DATABASE.update({name: DATABASE[name].partition(",")[0] for name in ("host", "port")})
if MISTAKE == "local":
    DATABASE["options"] = "-c synchronous_commit=local"
RETRY_S = 0.2
MAKE_TABLE = (
    "CREATE TABLE IF NOT EXISTS counters (id int PRIMARY KEY CHECK (id = 1), count bigint NOT NULL);"
    "INSERT INTO counters VALUES (1, 0) ON CONFLICT DO NOTHING"
)
UPDATE = "UPDATE counters SET count = count + 1 RETURNING count"

lock = threading.Lock()
state: dict = {"connection": None, "count": 0, "unwritten": 0, "failed": 0.0}


def connect() -> None:
    """Not again at once after a failure: all clients wait for the lock meanwhile."""
    if time.monotonic() < state["failed"] + RETRY_S:
        raise psycopg2.OperationalError("a moment ago it could not be reached")
    state["failed"] = time.monotonic()
    connection = psycopg2.connect(**DATABASE)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(MAKE_TABLE)
    state.update(connection=connection, failed=0.0)


def ask(sql: str) -> int:
    """One statement that returns a number; reconnects first if need be. Holds the lock."""
    if state["connection"] is None:
        connect()
    try:
        with state["connection"].cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]
    except psycopg2.Error:
        state["connection"].close()
        state["connection"] = None
        raise


def ping() -> int:
    with lock:
        if MISTAKE == "memory":
            state["count"] = state["count"] or ask("SELECT count FROM counters")
            state["count"] += 1
            state["unwritten"] += 1
            if state["unwritten"] == 100_000:
                ask(f"UPDATE counters SET count = {state['count']} RETURNING count")
                state["unwritten"] = 0
            return state["count"]
        if MISTAKE == "races":
            return ask(f"UPDATE counters SET count = {ask('SELECT count FROM counters') + 1} RETURNING count")
        try:
            return ask(UPDATE)
        except psycopg2.Error:
            if MISTAKE != "repeat":
                raise
            return ask(UPDATE)


def count() -> int:
    with lock:
        return state["count"] or ask("SELECT count FROM counters")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        try:
            if self.path == "/livez":
                self.answer(200, "OK")
            elif self.path == "/healthz":
                count()
                self.answer(200, "OK")
            elif self.path == "/metrics":
                self.answer(200, "pingpong_history_lost_total 0\n")
            else:
                self.answer(200, json.dumps({"pong": ping() if self.path == "/ping" else count()}))
        except psycopg2.Error:
            self.answer(500 if self.path == "/healthz" else 503, json.dumps({"error": "unknown"}))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with lock:
        connect()
    ThreadingHTTPServer.request_queue_size = 256
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
