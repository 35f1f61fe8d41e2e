"""Images in buildah's store, and containers of them run by runc, as a cluster's node runs them.

    image = Image(id_or_name)
    with Container(image, env={"PORT": 3001}, mounts=[Mount(directory, "/data")]) as container:
        container.exec("/writer", "--check")
        container.signal("TERM")
        container.wait()

A container gets what Kubernetes' restricted profile leaves: the image's numeric user, no
capability, no new privileges, a read-only root, process 1 in a PID namespace of its own. Only the
network is the host's, so that tests reach it on loopback. Needs root.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from harness.process import die_with_parent, eventually

_serial = itertools.count(1)


def buildah(*arguments: object) -> str:
    done = subprocess.run(["buildah", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"buildah {arguments[0]}: {done.stderr}"
    return done.stdout.strip()


class Image:
    """config is the OCI image's own: User, Entrypoint, Labels and so on."""

    def __init__(self, name: str):
        self.name = name
        inspected = json.loads(buildah("inspect", "--type", "image", name))
        self.config: dict = inspected["OCIv1"]["config"]
        self.architecture: str = inspected["OCIv1"]["architecture"]

    @property
    def program(self) -> str:
        return self.config["Entrypoint"][0]


class Root:
    """The image's file system, unpacked as a container's writable layer over it."""

    def __init__(self, image: Image):
        self.container = buildah("from", image.name)
        self.path = Path(buildah("mount", self.container))

    def __enter__(self) -> "Root":
        return self

    def __exit__(self, *_: object) -> None:
        buildah("rm", self.container)

    def files(self) -> Iterator[str]:
        """Everything that is no directory, as absolute paths inside."""
        for directory, _, names in os.walk(self.path):
            for name in names:
                yield "/" + str((Path(directory) / name).relative_to(self.path))

    def inside(self, path: str) -> Path:
        return self.path / path.lstrip("/")

    def size(self) -> int:
        return sum(self.inside(name).lstat().st_size for name in self.files())


@dataclass
class Mount:
    source: Path
    destination: str
    writable: bool = False

    def as_runtime(self) -> dict:
        return {
            "destination": self.destination,
            "source": str(self.source),
            "type": "bind",
            "options": ["bind", "nosuid", "nodev", "noexec", "rw" if self.writable else "ro"],
        }


class Container:
    """Started by the with block, which at its end kills it if it still runs and removes it."""

    def __init__(
        self,
        image: Image,
        arguments: Sequence[str] = (),
        env: Mapping[str, object] | None = None,
        mounts: Sequence[Mount] = (),
        entrypoint: Sequence[str] | None = None,
    ):
        self.id = f"log-pong-test-{os.getpid()}-{next(_serial)}"
        self.image = image
        self.arguments = [*(entrypoint or image.config["Entrypoint"]), *arguments]
        self.env = [*image.config.get("Env", []), *(f"{name}={value}" for name, value in (env or {}).items())]
        self.mounts = mounts
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Container":
        self.directory = Path(tempfile.mkdtemp(prefix="container-"))
        self.root = Root(self.image)
        try:
            (self.directory / "config.json").write_text(json.dumps(self._runtime_config()))
            with open(self.directory / "output", "wb") as output:
                self.process = subprocess.Popen(
                    self._runc("run", "--bundle", self.directory, self.id),
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=die_with_parent,
                )
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        subprocess.run(self._runc("delete", "--force", self.id), capture_output=True, timeout=60)
        if self.process is not None:
            self.process.wait(20)
        self.root.__exit__()
        shutil.rmtree(self.directory)

    def _runc(self, *arguments: object) -> list[str]:
        return ["runc", "--root", str(self.directory / "state"), *map(str, arguments)]

    def _runtime_config(self) -> dict:
        user, group = map(int, self.image.config["User"].split(":"))
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False,
                "user": {"uid": user, "gid": group},
                "args": self.arguments,
                "env": self.env,
                "cwd": self.image.config.get("WorkingDir") or "/",
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.root.path), "readonly": True},
            "hostname": "container",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
                *(mount.as_runtime() for mount in self.mounts),
            ],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }

    # -- a running one ------------------------------------------------------------------------

    def exec(self, *command: str) -> subprocess.CompletedProcess:
        """A second process inside, as an exec probe is."""
        return subprocess.run(self._runc("exec", self.id, *command), capture_output=True, text=True, timeout=20)

    def signal(self, name: str) -> None:
        """To process 1 inside."""
        subprocess.run(self._runc("kill", self.id, name), check=True, timeout=20)

    def pid(self) -> int:
        """Of process 1, as the host numbers it."""

        def find() -> int:
            shown = subprocess.run(self._runc("state", self.id), capture_output=True, text=True, timeout=20)
            state = json.loads(shown.stdout) if shown.returncode == 0 else {}
            return state.get("pid", 0) if state.get("status") == "running" else 0

        return eventually(find, 10, f"{self.id} running")

    def wait(self, timeout: float = 20.0) -> int:
        """The exit status of process 1."""
        assert self.process is not None
        return self.process.wait(timeout)

    def output(self) -> str:
        return (self.directory / "output").read_text(errors="replace")
