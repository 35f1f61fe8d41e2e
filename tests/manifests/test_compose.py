"""compose.yaml, read by the specification's own implementation."""

import copy
import json
import os
import re
import subprocess

import pytest
import yaml

from rendering import MANIFESTS, ROOT, containers, find, overlay, parse, tool

FILE = ROOT / "compose.yaml"
ONCE = {"password", "initialise"}


def read(path, **environment):
    done = subprocess.run(
        [tool("compose"), str(path)],
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )
    return done.returncode, done.stdout or done.stderr


@pytest.fixture(scope="module")
def project():
    status, text = read(FILE)
    assert status == 0, text
    return json.loads(text)


def findings(services):
    for name, service in services.items():
        if service.get("read_only") is not True:
            yield f"{name}: its root can be written"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
            yield f"{name}: keeps capabilities"
        if service.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name}: may gain privileges"
        if name in ONCE and service.get("network_mode") != "none":
            yield f"{name}: has a network"
        for key in service.get("environment") or {}:
            if re.search("PASSWORD$", key):
                yield f"{name}: a password in the environment"
        if not service["image"].startswith(("docker.io/library/", "log-pong/")):
            yield f"{name}: {service['image']} is short"
        if name in ("postgres-svc", "writer") and not service.get("healthcheck"):
            yield f"{name}: no health check"


def test_every_service_is_locked_down(project):
    assert set(project["services"]) == ONCE | {"postgres-svc", "pingpong-svc", "writer", "reader"}
    assert list(findings(project["services"])) == []


@pytest.mark.parametrize(
    "breakage",
    [
        {"read_only": False},
        {"cap_drop": []},
        {"security_opt": []},
        {"environment": {"DB_PASSWORD": "x"}},
        {"image": "postgres:17"},
        {"healthcheck": None},
    ],
    ids=lambda b: next(iter(b)),
)
def test_a_breakage_is_noticed(project, breakage):
    services = copy.deepcopy(project["services"])
    services["postgres-svc"].update(breakage)
    assert len(list(findings(services))) == 1


def test_it_is_made_of_what_the_cluster_runs(project):
    objects = parse(overlay("local"))
    stateful = find(objects, "StatefulSet", "postgres")
    initialise, postgres = containers(stateful)
    services = project["services"]
    assert services["postgres-svc"]["image"] == services["initialise"]["image"] == postgres["image"]
    same = postgres["command"] + postgres["args"]
    assert services["postgres-svc"]["command"] == same + ["-c", "unix_socket_directories=/tmp"]
    assert services["initialise"]["command"] == initialise["command"]
    for name in ("pingpong-svc", "writer", "reader"):
        assert services[name]["image"] == f"log-pong/{name.removesuffix('-svc')}:local"
    sources = {v["source"] for s in services.values() for v in s.get("volumes", []) if v["type"] == "bind"}
    assert sources == {str(MANIFESTS / "base/postgres/initialise.sh"), str(MANIFESTS / "base/config")}


def test_the_ports_can_be_chosen():
    status, text = read(FILE, READER_PORT="8080", PINGPONG_PORT="8081")
    assert status == 0, text
    ports = {name: [p["published"] for p in s["ports"]] for name, s in json.loads(text)["services"].items() if "ports" in s}
    assert ports == {"reader": ["8080"], "pingpong-svc": ["8081"]}


@pytest.mark.parametrize(
    "change", [{"servces": {}}, {"services": {"writer": {"image": "x", "read_onyl": True}}}], ids=["top level", "in a service"]
)
def test_a_misspelt_key_is_refused(tmp_path, change):
    text = yaml.safe_load(FILE.read_text("utf-8"))
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump({**text, **change}), "utf-8")
    assert read(path)[0] != 0
