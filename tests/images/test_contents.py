"""What is in the images, and what they say of themselves."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from container import Container, Image, Root, buildah

PROJECT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000
LIMITS = {"pingpong": 25 * MEGABYTE, "reader": 25 * MEGABYTE, "writer": 5 * MEGABYTE, "witness": 25 * MEGABYTE}
PORTS = {"pingpong": {"3001/tcp": {}}, "reader": {"3002/tcp": {}}, "writer": None, "witness": {"3003/tcp": {}}}
VOLUMES = {"pingpong": None, "reader": {"/usr/src/app/files": {}}, "writer": {"/usr/src/app/files": {}}, "witness": None}
RECORDS = ("/usr/share/doc/", "/var/lib/dpkg/status.d/")
LIBRARY = re.compile(r"/lib[^/]*/.*\.so(\.|$)")


def version() -> str:
    return re.search(r"^VERSION \?= *(\S+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE).group(1)


def libraries(root: Root) -> set[str]:
    return {path for path in root.files() if LIBRARY.match(path)}


def loaded(root: Root, program: str) -> set[str]:
    """The libraries that the image's own loader finds for the program, in the image alone."""
    loader = next(path for path in libraries(root) if re.search(r"/ld-linux[^/]*$|/ld64[^/]*$", path))
    listing = subprocess.run(
        ["chroot", "--userspec=65532:65532", root.path, loader, "--list", program], capture_output=True, text=True, timeout=20
    )
    assert listing.returncode == 0, listing.stderr
    assert "not found" not in listing.stdout
    return set(re.findall(r"(?<!\S)/\S+", listing.stdout)) | {loader}


def test_configuration(name: str, image: Image) -> None:
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == [f"/{name}"]  # no shell in between: signals reach the program
    assert "Cmd" not in image.config
    assert image.config.get("ExposedPorts") == PORTS[name]
    assert image.config.get("Volumes") == VOLUMES[name]
    assert [entry for entry in image.config.get("Env", []) if not entry.startswith("PATH=")] == []


def test_labels(name: str, image: Image) -> None:
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in image.config["Labels"].items()}
    assert labels["title"] == f"log-pong-{name}"
    assert labels["description"]
    assert labels["source"].startswith("https://")
    assert labels["version"] == os.environ.get("VERSION", version())
    assert labels["licenses"] == "MIT"
    if "COMMIT" in os.environ:
        assert labels["revision"] == os.environ["COMMIT"]


def test_size(name: str, root: Root) -> None:
    assert root.size() <= LIMITS[name], f"{name} has {root.size() / MEGABYTE:.2f} MB"


def test_only_the_files_needed(name: str, root: Root) -> None:
    others = {path for path in root.files() if not path.startswith(RECORDS)} - libraries(root)
    assert others == {f"/{name}", "/etc/os-release"}


def test_only_the_libraries_that_are_loaded(name: str, root: Root) -> None:
    needed = loaded(root, f"/{name}")
    # libgcc_s is loaded by glibc itself, when a thread ends early.
    assert {path for path in libraries(root) - needed if "/libgcc_s.so." not in path} == set()
    assert needed <= libraries(root)


def test_nothing_to_run_but_the_program(name: str, root: Root) -> None:
    """No shell, no package manager, no interpreter, nothing set-uid."""
    for path in root.files():
        status = root.inside(path).lstat()
        assert status.st_mode & 0o7022 == 0, f"{path}: mode {status.st_mode:o}"
        if status.st_mode & 0o111 and path != f"/{name}":
            assert re.search(r"/(ld-linux|ld64|libc\.so)[^/]*$", path), f"{path} is executable"


def test_stripped(name: str, root: Root) -> None:
    program = root.inside(f"/{name}").read_bytes()
    assert b".symtab" not in program and b".debug_info" not in program


def test_scanners_find_every_library_s_package(root: Root) -> None:
    """Each library belongs to a package on record, with version and licence."""
    records = {file.name: file.read_text() for file in root.inside("/var/lib/dpkg/status.d").iterdir()}
    assert "libc6" in records
    for package, record in records.items():
        assert re.search(rf"^Package: {re.escape(package)}$", record, re.MULTILINE)
        assert re.search(r"^Version: \S+$", record, re.MULTILINE)
        assert root.inside(f"/usr/share/doc/{package}/copyright").stat().st_size > 0
    assert re.search(r"^ID=debian$", root.inside("/etc/os-release").read_text(), re.MULTILINE)


def test_the_program_says_version_and_commit(name: str, image: Image) -> None:
    with Container(image, ["--version"]) as container:
        assert container.wait() == 0, container.output()
        said = container.output()
    assert said.startswith(f"{name} {image.config['Labels']['org.opencontainers.image.version']} ")
    assert image.config["Labels"]["org.opencontainers.image.revision"] in said


@pytest.mark.parametrize("command", ["/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/dpkg", "sh"])
def test_no_shell_starts(image: Image, command: str) -> None:
    with Container(image, ["-c", "true"], entrypoint=[command]) as container:
        assert container.wait() != 0
        assert "no such file or directory" in container.output() or "not found" in container.output()


def test_the_build_context_is_the_sources_alone(tmp_path: Path) -> None:
    """No history, no earlier build, no data, no tests go to the builder."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nCOPY . /\n")
    tag = f"log-pong/context-{os.getpid()}"
    buildah("bud", "--quiet", "--isolation", "chroot", "--file", file, "--tag", tag, PROJECT)
    try:
        with Root(Image(tag)) as context:
            held = {path.split("/")[1] for path in context.files()}
            scripts = {path.split("/")[2] for path in context.files() if path.startswith("/scripts/")}
    finally:
        buildah("rmi", tag)
    assert held == {"LICENSE", "Makefile", "common", "log-output", "pingpong", "scripts", "witness"}
    assert scripts == {"images", "install-packages"}


def test_one_base() -> None:
    """All files name the same base, each once."""
    named = [
        re.findall(r"^ARG BASE_IMAGE=(\S+)$", (PROJECT / file).read_text(), re.MULTILINE)
        for file in ("Dockerfile.pingpong", "Dockerfile.log-output", "Dockerfile.witness")
    ]
    assert named[0] == named[1] == named[2] and len(named[0]) == 1
