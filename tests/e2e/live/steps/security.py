"""What Pod Security refuses."""

from __future__ import annotations

import json

from ..cluster import NAMESPACE, Failed, deploy, run
from . import step
from .plain import LOCAL

ROOT_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "e2e-root", "namespace": NAMESPACE},
    "spec": {"containers": [{"name": "probe", "image": "docker.io/curlimages/curl:8.17.0", "command": ["sleep", "600"]}]},
}


@step("pod-security", "Pod Security refuses a pod that runs as root")
def pod_security() -> dict:
    deploy(LOCAL)
    try:
        run("kubectl", "apply", "--dry-run=server", "--filename", "-", text=json.dumps(ROOT_POD))
    except Failed as refused:
        if "violates PodSecurity" in str(refused):
            return {"said": "violates PodSecurity"}
        raise
    raise Failed("a pod without a security context is admitted")
