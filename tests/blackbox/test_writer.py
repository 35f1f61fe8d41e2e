"""The writer: one line an interval, a file that stays bounded and is never seen empty or torn."""

from __future__ import annotations

import os
import re
import shutil
import stat
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from harness.process import BUILD, eventually
from programs import PATIENCE, log_lines, run_sanitized, writer

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def lines_of(path: Path) -> list[bytes]:
    """The file's lines; fails if one is torn."""
    text = path.read_bytes()
    assert text.endswith(b"\n")
    lines = text.split(b"\n")[:-1]
    for line in lines:
        assert LINE.fullmatch(line), line
    return lines


def seconds(line: bytes) -> float:
    return datetime.strptime(line.decode(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def check(path: Path, **settings: object):
    return run_sanitized([BUILD / "writer", "--check"], {"SHARED_FILE": path, **settings})


def test_the_first_line_comes_at_once_and_is_now(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    with writer(path, INTERVAL_MS=60000):
        eventually(path.exists, 5, "the first line")
        eventually(lambda: path.stat().st_size == 25, 5, "a whole line")
        (line,) = lines_of(path)
        assert abs(seconds(line) - time.time()) < 10


def test_lines_come_every_interval_without_drift(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    interval = 0.1
    with writer(path, INTERVAL_MS=100):
        eventually(lambda: path.exists() and len(lines_of(path)) >= 20, 20, "20 lines")
        times = [seconds(line) for line in lines_of(path)]
    # Each line's time modulo the interval stays where it began, up to how late the machine was.
    late = sorted((moment - times[0]) % interval for moment in times)
    assert late[len(late) // 2] < 0.02 * PATIENCE or late[len(late) // 2] > interval - 0.002
    assert abs((times[-1] - times[0]) / interval - round((times[-1] - times[0]) / interval)) < 0.5
    assert times == sorted(times)


def test_it_goes_on_after_the_lines_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    path.write_bytes(b"2025-07-21T10:30:00.123Z\n")
    with writer(path, INTERVAL_MS=60000):
        eventually(lambda: len(lines_of(path)) == 2, 5, "a second line")
    assert lines_of(path)[0] == b"2025-07-21T10:30:00.123Z"


def test_it_mends_the_originals_file_and_a_torn_one(tmp_path: Path) -> None:
    """A bare timestamp, or half a line that a full disk left."""
    for left in (b"2025-07-21T10:30:00.123Z", b"2025-07-21T10:30:00.123Z\n2025-07-21T10:3"):
        path = tmp_path / "timestamp.txt"
        path.write_bytes(left)
        with writer(path, INTERVAL_MS=60000):
            eventually(lambda: path.read_bytes() != left, 5, "a line")
            assert LINE.fullmatch(path.read_bytes().split(b"\n")[-2])
            assert path.read_bytes().endswith(b"\n")
            assert check(path).returncode == 0


def test_the_file_stays_bounded_and_is_never_empty_or_torn(tmp_path: Path) -> None:
    """A reader that looks all the time sees a whole last line, whenever it looks."""
    path = tmp_path / "timestamp.txt"
    limit = 1000
    largest = looks = 0
    with writer(path, INTERVAL_MS=10, SHARED_FILE_MAX_BYTES=limit):
        eventually(lambda: path.exists() and path.stat().st_size > 0, 5)
        end = time.monotonic() + 3.0
        inodes = set()
        while time.monotonic() < end:
            with open(path, "rb") as file:
                inodes.add(os.fstat(file.fileno()).st_ino)
                text = file.read()
            largest, looks = max(largest, len(text)), looks + 1
            assert LINE.fullmatch(text.split(b"\n")[-2]), text[-100:]
            assert text.endswith(b"\n")
        assert len(lines_of(path)) >= 2
    assert looks > 1000
    assert 500 < largest <= limit
    assert len(inodes) > 1, "the file was never cut in the time that was looked at"
    assert sorted(os.listdir(tmp_path)) == ["timestamp.txt"]


def test_every_line_comes_after_the_one_before_also_over_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    with writer(path, INTERVAL_MS=10, SHARED_FILE_MAX_BYTES=500):
        last = b""
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            if path.exists() and path.stat().st_size:
                newest = lines_of(path)[-1]
                assert newest >= last
                last = newest


def test_a_vanished_directory_is_logged_once_and_recovered_from(tmp_path: Path) -> None:
    directory = tmp_path / "files"
    directory.mkdir()
    path = directory / "timestamp.txt"
    with writer(path, INTERVAL_MS=20) as running:
        eventually(path.exists, 5)
        shutil.rmtree(directory)
        eventually(lambda: "cannot write" in running.stderr(), 5)
        time.sleep(0.3)
        directory.mkdir()
        eventually(path.exists, 5, "the file again")
        eventually(lambda: "again" in running.stderr(), 5)
        errors = [line for line in log_lines(running.stderr()) if line["level"] == "error"]
    assert len(errors) == 1 and "No such file" in errors[0]["error"] and errors[0]["file"] == str(path)


def test_it_waits_for_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "later" / "timestamp.txt"
    with writer(path, INTERVAL_MS=20) as running:
        eventually(lambda: "cannot write" in running.stderr(), 5)
        path.parent.mkdir()
        eventually(path.exists, 5)


def test_a_file_that_is_removed_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    with writer(path, INTERVAL_MS=20):
        eventually(path.exists, 5)
        path.unlink()
        eventually(path.exists, 5)


def test_a_file_size_limit_is_survived(tmp_path: Path) -> None:
    """As a full disk: the write fails, the writer lives and the file keeps its last whole line."""
    path = tmp_path / "timestamp.txt"
    running = writer(path, INTERVAL_MS=20)
    running.argv = ["/bin/sh", "-c", f"ulimit -f 1; exec {running.argv[0]}"]  # 512 or 1024 bytes
    with running:
        eventually(lambda: "cannot write" in running.stderr(), 10, "the limit reached")
        assert running.alive
        assert LINE.fullmatch(path.read_bytes().rsplit(b"\n", 2)[-2])


def test_others_may_read_the_file(tmp_path: Path) -> None:
    """The reader runs as another user."""
    path = tmp_path / "timestamp.txt"
    with writer(path, INTERVAL_MS=10, SHARED_FILE_MAX_BYTES=256):
        eventually(path.exists, 5)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444


def test_check_says_whether_the_last_line_is_fresh(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    missing = check(path)
    assert missing.returncode == 1 and "No such file" in missing.stderr
    path.write_bytes(b"2025-07-21T10:30:00.123Z\n")
    stale = check(path)
    assert stale.returncode == 1 and "stale" in stale.stderr
    path.write_bytes(b"nothing of the kind\n")
    assert check(path).returncode == 1
    path.write_bytes(b"")
    assert check(path).returncode == 1
    with writer(path, INTERVAL_MS=200):
        eventually(lambda: check(path).returncode == 0, 10, "fresh")
    eventually(lambda: check(path, STALE_AFTER_MS=300).returncode == 1, 10, "stale without a writer")
    assert check(path, STALE_AFTER_MS=3600000).returncode == 0


def test_check_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.txt"
    check(path)
    assert not path.exists()


@pytest.mark.parametrize("readers", [4])
def test_many_readers_at_once(tmp_path: Path, readers: int) -> None:
    path = tmp_path / "timestamp.txt"
    failures: list[str] = []
    with writer(path, INTERVAL_MS=10, SHARED_FILE_MAX_BYTES=400):
        eventually(lambda: path.exists() and path.stat().st_size > 0, 5)
        end = time.monotonic() + 1.5

        def look() -> None:
            while time.monotonic() < end and not failures:
                text = path.read_bytes()
                if not text.endswith(b"\n") or not LINE.fullmatch(text.split(b"\n")[-2]):
                    failures.append(repr(text[-60:]))

        threads = [threading.Thread(target=look) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
