"""docs/journey.md: a chapter a step. Its commands are run as they stand there, and print what stands below them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Callable

from ..cluster import MANIFESTS, NAMESPACE, ROOT, URL, WORK, Failed, nodes, remove_namespace, run
from ..document import Document, parse
from ..terminal import Terminal
from . import step

JOURNEY = ROOT / "docs" / "journey.md"
FOLDER = WORK / "journey"
SECONDS = 420  # for a command, the longest of which waits for a cluster that is busy
BY_HAND = "by-hand"
DELIVERED = re.compile(r"ghcr\.io/owner/log-pong-(\w+)@(sha256:[0-9a-f]{64})")

WRITING = os.environ.get("E2E_JOURNEY") == "write"


def checkout() -> None:
    """The sources as they are here, in a folder where the journey may write, and a reader's own repository."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    run("git", "clone", "--quiet", ROOT, FOLDER)
    shutil.copytree(MANIFESTS, FOLDER / "manifests", dirs_exist_ok=True)
    # Not every git server takes a push in chunks.
    for name, value in (("user.name", "e2e"), ("user.email", "e2e@localhost"), ("http.postBuffer", str(1 << 29))):
        run("git", "-C", FOLDER, "config", name, value)


def delivered_images() -> dict[str, str]:
    """The digests of the images that the cluster has under log-pong/NAME:local, by NAME."""
    found = {}
    for image in (image["names"] for node in nodes() for image in node["status"]["images"]):
        for name in image:
            match = re.fullmatch(r"docker\.io/log-pong/(\w+)@(sha256:[0-9a-f]{64})", name)
            if match and f"docker.io/log-pong/{match[1]}:local" in image:
                found[match[1]] = match[2]
    return found


def name_repository(repository: str) -> None:
    """As `make owner` does it, for a repository and images that are not on GitHub."""
    for file in (FOLDER / "manifests").rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        named = re.sub(r"https://github\.com/[^/\s]+/log-pong\.git", repository, text)
        named = re.sub(r"ghcr\.io/[^/\s]+/log-pong-(\w+)", r"docker.io/log-pong/\1", named)
        if named != text:
            file.write_text(named, encoding="utf-8")


def own_repository() -> list[tuple[str, str]]:
    """The reader's repository and images, where the document has an owner's: E2E_GIT, and what the cluster has."""
    repository, images = os.environ["E2E_GIT"], delivered_images()
    pairs = [("https://github.com/owner/log-pong.git", repository)]
    for name, digest in DELIVERED.findall(JOURNEY.read_text(encoding="utf-8")):
        if name not in images:
            raise Failed(f"the cluster has no image log-pong/{name} by digest")
        pairs += [(f"ghcr.io/owner/log-pong-{name}", f"docker.io/log-pong/{name}"), (digest, images[name])]
    name_repository(repository)
    run("git", "-C", FOLDER, "checkout", "--quiet", "-B", "main")
    run("git", "-C", FOLDER, "commit", "--quiet", "--all", "--allow-empty", "--message", "Name my repository")
    run("git", "-C", FOLDER, "remote", "set-url", "origin", repository)
    run("git", "-C", FOLDER, "push", "--quiet", "--force", "--set-upstream", "origin", "main")
    return pairs


def replaced(text: str, pairs: list[tuple[str, str]], backwards: bool = False) -> str:
    for documented, live in pairs:
        text = text.replace(live, documented) if backwards else text.replace(documented, live)
    return text


def clear() -> None:
    """Nothing of a step before."""
    remove_namespace()
    run("kubectl", "delete", "namespace", BY_HAND, "--ignore-not-found", "--timeout", "5m")


def own_kubeconfig(namespace: str) -> Path:
    """A copy, as the journey sets a namespace in it."""
    file = FOLDER / ".git" / "kubeconfig"
    file.write_text(run("kubectl", "config", "view", "--raw", "--flatten"), encoding="utf-8")
    file.chmod(0o600)
    if namespace:
        run("kubectl", "--kubeconfig", file, "config", "set-context", "--current", "--namespace", namespace)
    return file


def walk(document: Document, chapter: int, terminal: Terminal, pairs: list[tuple[str, str]]) -> dict:
    """Runs a chapter. Fails with the first command that prints something else than the document says."""
    printed: dict[int, list[str]] = {}
    left_out = 0
    for command in document.chapter(chapter):
        if command.reason:
            left_out += 1
            continue
        lines, status = terminal.run(replaced(command.text, pairs), SECONDS)
        lines = [replaced(line, pairs, backwards=True) for line in lines]
        if status != 0:
            raise Failed(f"line {command.line}: exit status {status}: {command.text}\n" + "\n".join(lines))
        difference = command.differs(lines)
        if difference and not WRITING:
            raise Failed(f"docs/journey.md says otherwise:\n{difference}")
        printed[command.line] = lines
    if WRITING:
        JOURNEY.write_text(document.with_printed(printed), encoding="utf-8")
    return {"commands": len(printed)} | ({"left out": left_out} if left_out else {})


def journey(chapter: int, before: Callable[[], list[tuple[str, str]]] = list) -> dict:
    """`before` prepares the chapter and says what is called otherwise here than in the document."""
    document = parse(JOURNEY.read_text(encoding="utf-8"))
    clear()
    if chapter > 2:
        run("kubectl", "create", "namespace", NAMESPACE)
    checkout()
    pairs = [("localhost:8080", URL.split("://")[1]), *before()]
    environment = {**os.environ, "KUBECONFIG": str(own_kubeconfig(NAMESPACE if chapter > 2 else "default"))}
    try:
        with Terminal(FOLDER, environment) as terminal:
            return walk(document, chapter, terminal, pairs)
    finally:
        clear()


def chapter_step(chapter: int, shows: str, needs: tuple[str, ...] = (), before: Callable[[], list[tuple[str, str]]] = list) -> None:
    step(f"journey-{chapter}", f"docs/journey.md, {chapter}: {shows}", needs)(lambda: journey(chapter, before))


PLUGIN = "kubectl-argo-rollouts"

chapter_step(0, "the cluster")
chapter_step(1, "by hand, until the database's pod dies")
chapter_step(2, "from files: the page, and a database's pod that may die")
chapter_step(
    3,
    "from git: a bump, the first sync, and what is deleted by hand is put back",
    ("E2E_GIT", "kustomize", "applications.argoproj.io", "rollouts.argoproj.io", "podmonitors.monitoring.coreos.com"),
    own_repository,
)
chapter_step(4, "not ready is not dead")
chapter_step(5, "a canary, taken back", (PLUGIN, "rollouts.argoproj.io"))
