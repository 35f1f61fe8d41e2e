"""The version before views travelled together, built from the project's own history."""

import os
import shutil
import subprocess
import sys

from . import servers

COMMIT = "a5fd6e1e864ee07e88cc11de26a8df76910b51f4"
FOLDER = servers.ROOT / "build" / "bench" / COMMIT[:12]
BUILD_TIMEOUT_S = 600

PINGPONG = servers.Program("pingpong-before", [str(FOLDER / "build/pingpong")], "/healthz", "PINGPONG_BEFORE", servers.OURS)
READER = servers.Program("reader-before", [str(FOLDER / "build/reader")], "/healthz", "READER_BEFORE", servers.OURS)


def _in_history() -> bool:
    try:
        return (
            subprocess.run(
                ["git", "-C", str(servers.ROOT), "cat-file", "-e", f"{COMMIT}^{{commit}}"], capture_output=True, timeout=30
            ).returncode
            == 0
        )
    except OSError:
        return False


def _unpack() -> bool:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with subprocess.Popen(["git", "-C", str(servers.ROOT), "archive", COMMIT], stdout=subprocess.PIPE) as archive:
        unpacked = subprocess.run(["tar", "-x", "-C", str(FOLDER)], stdin=archive.stdout)
    return archive.returncode == 0 and unpacked.returncode == 0


def _build() -> bool:
    """With that version's own flags, but for warnings that compilers have learned since."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "CC") if name in os.environ}
    done = subprocess.run(
        ["make", f"-j{os.cpu_count()}", "WERROR=", f"COMMIT={COMMIT[:12]}", "build/pingpong", "build/reader"],
        cwd=FOLDER,
        env=environment,
        text=True,
        capture_output=True,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode != 0:
        print(done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0


def prepare() -> str:
    """Builds it, once. Returns why the comparison is left out, or nothing."""
    if all((FOLDER / "build" / name).exists() for name in ("pingpong", "reader")):
        return ""
    if not _in_history():
        return f"left out: commit {COMMIT[:12]} is not in this clone's history"
    if not _unpack() or not _build():
        return f"left out: commit {COMMIT[:12]} does not build here"
    return ""
