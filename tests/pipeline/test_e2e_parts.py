"""What of the end-to-end test can be tried without a cluster."""

import subprocess
from pathlib import Path

import pytest
import yaml
from bumping import ROOT, kustomize

E2E = Path(__file__).parent / "e2e"


@pytest.mark.skipif(not (ROOT / "manifests").exists(), reason="no manifests here")
def test_the_canary_overlay_uses_the_images_of_the_test():
    rendered = subprocess.run([kustomize(), "build", str(E2E / "canary")], text=True, check=True,
                              capture_output=True, timeout=60).stdout
    documents = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(rendered)}
    pods = [documents["Rollout", "pingpong-rollout"], documents["Deployment", "log-output"],
            documents["Deployment", "witness-ping"], documents["Deployment", "witness-page"]]
    images = {container["image"] for pod in pods
              for container in pod["spec"]["template"]["spec"]["containers"]}
    assert images == {f"log-pong/{name}:local" for name in ("pingpong", "reader", "writer", "witness")}
    assert ("AnalysisTemplate", "cpu-usage-analysis") in documents


@pytest.mark.skipif(not (ROOT / "manifests").exists(), reason="no manifests here")
def test_the_analysis_asks_the_prometheus_of_the_test():
    template = (ROOT / "manifests/components/canary/analysis-template.yaml").read_text("utf-8")
    kinds = {d["kind"]: d for d in yaml.safe_load_all((E2E / "prometheus.yaml").read_text("utf-8"))}
    namespace = kinds["Prometheus"]["metadata"]["namespace"]
    assert f"http://prometheus-operated.{namespace}.svc:9090" in template
