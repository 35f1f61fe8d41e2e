"""docs/pictures/architecture.svg names what the manifests make."""

import re

from rendering import ROOT, combination, of_kind, parse

PICTURE = ROOT / "docs/pictures/architecture.svg"


def test_the_picture_shows_what_is_made():
    words = re.findall(r"<text[^>]*>([^<]*)</text>", PICTURE.read_text("utf-8"))
    objects = parse(combination(("canary", "monitoring", "traffic")))
    shown = {f"namespace {n['metadata']['name']}" for n in of_kind(objects, "Namespace")}
    asked = [s for s in of_kind(objects, "Service") if s["metadata"]["name"] != "postgres-svc"]
    shown |= {f"{s['metadata']['name']}, port {s['spec']['ports'][0]['port']}" for s in asked}
    (ingress,) = of_kind(objects, "Ingress")
    shown |= {p["path"] for rule in ingress["spec"]["rules"] for p in rule["http"]["paths"]}
    containers = {c["name"] for pods in of_kind(objects, "Deployment", "Rollout") for c in pods["spec"]["template"]["spec"]["containers"]}
    assert containers == {"pingpong", "reader", "writer", "witness"}
    assert len(asked) == 2 and (shown | containers) - set(words) == set()
