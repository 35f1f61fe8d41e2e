"""What of the end-to-end test can be tried without a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bumping import ROOT
from processes import eventually, runs

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from live.readiness import longest_unready

E2E = Path(__file__).parent / "e2e"


@pytest.mark.skipif(not (ROOT / "manifests").exists(), reason="no manifests here")
def test_the_analysis_asks_the_prometheus_of_the_test():
    template = (ROOT / "manifests/components/canary/analysis-template.yaml").read_text("utf-8")
    kinds = {d["kind"]: d for d in yaml.safe_load_all((E2E / "prometheus.yaml").read_text("utf-8"))}
    namespace = kinds["Prometheus"]["metadata"]["namespace"]
    assert f"http://prometheus-operated.{namespace}.svc:9090" in template


def run(*arguments, **settings):
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}
    return subprocess.run([ROOT / "tests/e2e/run", *arguments], text=True, capture_output=True, timeout=60, check=False, env=environment)


def test_the_steps_are_named():
    done = run("--list")
    assert done.returncode == 0
    assert {"local", "network", "canary-good", "failover-killed", "argocd-first"} <= {line.split()[0] for line in done.stdout.splitlines()}


def test_an_unknown_step_and_no_cluster_are_told():
    unknown = run("local", "nonsense", KUBECONFIG="/nowhere")
    assert unknown.returncode == 2 and "no such step: nonsense" in unknown.stderr
    without = run("local")
    assert without.returncode == 2 and "KUBECONFIG" in without.stderr


def test_a_cluster_that_is_not_there_fails_the_step_by_name(tmp_path):
    done = run("pod-security", KUBECONFIG="/nowhere", E2E_RESULTS=str(tmp_path / "results.json"))
    assert done.returncode == 1 and "pod-security: FAILED" in done.stdout and done.stdout.endswith("0 passed, 1 failed\n")


BEGIN_AND_WAIT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from live import judge
judge.WITNESS = sys.argv[2]
with judge.Judge() as begun:
    print(begun.process.pid, flush=True)
    time.sleep(1000)
"""


def test_a_witness_does_not_outlive_whoever_began_it(tmp_path):
    witness = tmp_path / "witness"
    witness.write_text("#!/bin/sh\necho begun >begun\nexec sleep 1000\n", "utf-8")
    witness.chmod(0o755)
    command = [sys.executable, "-B", "-c", BEGIN_AND_WAIT, ROOT / "tests/e2e", witness]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as began:
        process = began.stdout.readline().strip()
        eventually(lambda: (tmp_path / "begun").exists())
        assert runs(process)
        began.kill()
    eventually(lambda: not runs(process))


def test_unready_is_a_pod_that_was_ready_before():
    seen = [
        (0, "a", "True"),
        (0, "b", "False"),
        (5, "b", "True"),
        (6, "a", "False"),
        (7, "b", "False"),
        (7.5, "a", "False"),
        (8, "a", "True"),
    ]
    assert longest_unready(seen[:3], 100) == 0
    assert longest_unready(seen, 8) == 2
    assert longest_unready(seen, 20) == 13
    assert longest_unready([*seen, (9, "b", "")], 20) == 2, "one that is taken away is not waited for"
