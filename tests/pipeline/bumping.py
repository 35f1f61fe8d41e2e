"""What the bump's tests share: repositories to bump, ways to bump, and what became of it."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BUMP = ROOT / "scripts" / "bump-image"
REGISTRY = "ghcr.io/log-pong"
SERVICES = {"pingpong": ["log-pong/pingpong"], "log-output": ["log-pong/reader", "log-pong/writer"], "witness": ["log-pong/witness"]}
OVERLAY = "manifests/overlays/gitops"
NO_COMMIT = "0" * 40
IDENTITY = {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Test"), ("EMAIL", "test@localhost"))
}


def environment(**extra: str) -> dict[str, str]:
    """Git without this machine's settings, and the kustomize under test."""
    tool = ROOT / "build" / "tools" / "pipeline" / "kustomize"
    settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    if "KUSTOMIZE" not in os.environ and tool.exists():
        settings["KUSTOMIZE"] = str(tool)
    return {**os.environ, **settings, **IDENTITY, **extra}


def kustomize() -> str:
    return environment().get("KUSTOMIZE", "kustomize")


def git(where: Path, *argv: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["git", *argv], cwd=where, env=environment(), text=True, input=stdin, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"git {argv}: {done.stderr}"
    return done.stdout


def digest(commit: str, image: str) -> str:
    return "sha256:" + hashlib.sha256(f"{commit} {image}".encode()).hexdigest()


def entry(commit: str, image: str) -> dict[str, str]:
    return {"name": image, "newName": f"{REGISTRY}/{image.split('/')[1]}", "newTag": commit, "digest": digest(commit, image)}


class SourceRepository:
    """A clone with a line of commits on main, each changing one service in turn."""

    def __init__(self, path: Path, length: int):
        self.path = path
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(path)], env=environment(), check=True)
        stream = []
        for number in range(1, length + 1):
            name = ("pingpong", "log-output")[number % 2]
            body = f"{number}\n"
            stream.append(
                f"commit refs/heads/main\nmark :{number}\n"
                f"committer Test <test@localhost> {1700000000 + number} +0000\n"
                f"data 1\nx\nM 100644 inline {name}/main.c\ndata {len(body)}\n{body}\n"
            )
        git(path, "fast-import", "--quiet", stdin="".join(stream))
        self.line = git(path, "rev-list", "--reverse", "main").split()

    def branch_off(self, start: str, path: str) -> str:
        """A commit that is not on main."""
        git(self.path, "checkout", "--quiet", "--detach", start)
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("side\n", encoding="utf-8")
        git(self.path, "add", "--", path)
        git(self.path, "commit", "--quiet", "-m", "side")
        commit = git(self.path, "rev-parse", "HEAD").strip()
        git(self.path, "checkout", "--quiet", "main")
        return commit


class ConfigRepository:
    """A bare repository with the project's own overlay (or a small one of the same shape)."""

    def __init__(self, path: Path, overlays: tuple[str, ...] = ("gitops",)):
        self.path = path
        self.overlays = [f"manifests/overlays/{name}" for name in overlays]
        real = ROOT / "manifests"
        usable = (real / "overlays" / "gitops" / "kustomization.yaml").exists()
        self.origin = real if usable else Path(__file__).parent / "fixture"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], env=environment(), check=True)
        self.change(self.fill, "Start")

    def fill(self, tree: Path) -> None:
        shutil.copytree(self.origin, tree / "manifests")
        (tree / "README.md").write_text("configuration\n", encoding="utf-8")
        model = tree / OVERLAY
        file = model / "kustomization.yaml"
        file.write_text(self.undeployed(file.read_text(encoding="utf-8")), encoding="utf-8")
        for overlay in self.overlays:
            if tree / overlay != model:
                shutil.copytree(model, tree / overlay)

    @staticmethod
    def undeployed(text: str) -> str:
        """The overlay as it was before its first bump, whatever is deployed by now."""
        text = re.sub(r"^( *(?:- )?newTag: ).*$", rf'\1"{NO_COMMIT}"', text, flags=re.MULTILINE)
        return re.sub(r"^( *- )digest: .*\n +", r"\1", text, flags=re.MULTILINE)

    def change(self, edit, message: str) -> None:
        """Makes a commit of one's own on the newest head."""
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            git(Path(scratch), "clone", "--quiet", str(self.path), "tree")
            edit(tree)
            git(tree, "add", "--all")
            git(tree, "commit", "--quiet", "-m", message)
            git(tree, "push", "--quiet", "origin", "HEAD:refs/heads/main")

    def text(self, overlay: str = OVERLAY, commit: str = "main") -> str:
        return git(self.path, "show", f"{commit}:{overlay}/kustomization.yaml")

    def images(self, overlay: str = OVERLAY, commit: str = "main") -> dict[str, dict]:
        return {image["name"]: image for image in yaml.safe_load(self.text(overlay, commit))["images"]}

    def head(self) -> str:
        return git(self.path, "rev-parse", "main").strip()

    def hook(self, name: str, script: str) -> None:
        hook = self.path / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\n" + script, encoding="utf-8")
        hook.chmod(0o755)


@dataclass
class Pusher:
    """One run of bump-image."""

    service: str
    commit: str
    source: SourceRepository
    config: ConfigRepository
    overlay: str = OVERLAY
    more: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    salt: str = ""
    code: int = -1
    output: str = ""
    process: subprocess.Popen | None = None

    def argv(self) -> list[str]:
        images = [
            argument
            for image in SERVICES[self.service]
            for argument in ("--image", f"{image}={REGISTRY}/{image.split('/')[1]}@{digest(self.commit + self.salt, image)}")
        ]
        return [
            str(BUMP),
            "--service",
            self.service,
            "--commit",
            self.commit,
            *images,
            "--source-repo",
            str(self.source.path),
            "--config-repo",
            str(self.config.path),
            "--path",
            self.overlay,
            *self.more,
        ]

    def start(self) -> "Pusher":
        self.process = subprocess.Popen(
            self.argv(), env=environment(**self.env), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return self

    def wait(self, seconds: float = 300) -> "Pusher":
        assert self.process is not None
        try:
            self.output = self.process.communicate(timeout=seconds)[0]
        finally:
            self.process.kill()
        self.code = self.process.returncode
        return self

    def run(self) -> "Pusher":
        return self.start().wait()

    @property
    def pushed(self) -> bool:
        return self.code == 0 and ": pushed " in self.output

    @property
    def attempts(self) -> int:
        match = re.search(r"in attempt (\d+)", self.output)
        return int(match[1]) if match else 0


@dataclass
class Account:
    """What the history of a configuration repository says about a set of pushers.

    lost: said to be pushed, yet not exactly once in the history; outdated: entries
    that are not at the newest commit in the end; foreign: commits that changed
    anything but one service's entries; unexplained: bumps that nobody reported.
    """

    pushed: int = 0
    superseded: int = 0
    failed: int = 0
    lost: int = 0
    outdated: int = 0
    backwards: int = 0
    foreign: int = 0
    unexplained: int = 0

    @property
    def clean(self) -> bool:
        return not (self.failed or self.lost or self.outdated or self.backwards or self.foreign or self.unexplained)


def steps(config: ConfigRepository):
    """Every commit after the first: its changed entries as (overlay, service, commit), or None
    where it changed anything else."""
    history = git(config.path, "rev-list", "--reverse", "--first-parent", "main").split()
    for parent, commit in zip(history, history[1:]):
        files = git(config.path, "diff-tree", "-r", "--name-only", parent, commit).split()
        overlay = files[0].removesuffix("/kustomization.yaml")
        if len(files) != 1 or overlay not in config.overlays:
            yield None
            continue
        before, after = (yaml.safe_load(config.text(overlay, which)) for which in (parent, commit))
        yield whose(overlay, before, after)


def whose(overlay: str, before: dict, after: dict):
    old, new = ({image["name"]: image for image in content.pop("images")} for content in (before, after))
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    for service, images in SERVICES.items():
        if changed == set(images) and before == after:
            commit = new[images[0]]["newTag"]
            if all(new[image] == entry(commit, image) for image in images):
                return overlay, service, commit
    return None


def account(pushers: list[Pusher], config: ConfigRepository, line: list[str]) -> Account:
    """Compares what the pushers said with what the history and the head have."""
    found = Account()
    age = {commit: number for number, commit in enumerate(line)}
    there: dict[tuple, int] = {}
    newest: dict[tuple, int] = {}
    for step in steps(config):
        if step is None:
            found.foreign += 1
            continue
        there[step] = there.get(step, 0) + 1
        found.backwards += newest.get(step[:2], -1) >= age[step[2]]
        newest[step[:2]] = age[step[2]]
    asked: dict[tuple, int] = {}
    for pusher in pushers:
        place = (pusher.overlay, pusher.service)
        in_history = there.pop((*place, pusher.commit), 0)
        if pusher.code == 0:
            found.pushed += 1
            found.lost += in_history != 1
        elif pusher.code == 3:
            found.superseded += 1
            found.unexplained += in_history != 0
        else:
            found.failed += 1
        asked[place] = max(asked.get(place, -1), age[pusher.commit])
    found.unexplained += len(there)
    for (overlay, service), number in asked.items():
        images = config.images(overlay)
        found.outdated += any(images[image] != entry(line[number], image) for image in SERVICES[service])
    return found
