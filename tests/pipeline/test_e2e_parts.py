"""What of the end-to-end test can be tried without a cluster."""

import json
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from bumping import ROOT, kustomize

E2E = Path(__file__).parent / "e2e"


class Counter(BaseHTTPRequestHandler):
    """Counts pings; what the test puts into `wrong` is answered instead, once each."""

    number = 0
    wrong: list[tuple[int, bytes]] = []
    lock = threading.Lock()

    def do_GET(self):
        with self.lock:
            Counter.number += 1
            status, body = (self.wrong.pop() if self.wrong
                            else (200, b'{"pong":%d}' % Counter.number))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Counter.number, Counter.wrong = 0, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Counter) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def traffic(url, enough, seconds=30):
    process = subprocess.Popen([str(E2E / "traffic.py"), url, "--rate", "200", "--timeout", "5"],
                               stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + seconds
    while not enough() and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    return json.loads(output)


def test_traffic_counts_every_answer(server):
    found = traffic(f"http://127.0.0.1:{server.server_port}/ping", lambda: Counter.number > 50)
    assert found == {"ok": Counter.number, "failed": 0, "largest": Counter.number, "failures": {}}


def test_traffic_counts_every_failure(server):
    Counter.wrong = [(503, b"{}"), (200, b"not json"), (200, b'{"pang":1}'), (503, b"")]
    found = traffic(f"http://127.0.0.1:{server.server_port}/ping", lambda: Counter.number > 50)
    assert found["failed"] == 4 and found["failures"]["status 503"] == 2
    assert found["ok"] == Counter.number - 4


def test_traffic_counts_connections_refused(server):
    port = server.server_port
    server.shutdown()
    server.server_close()
    start = time.monotonic()
    found = traffic(f"http://127.0.0.1:{port}/ping", lambda: time.monotonic() > start + 1)
    assert found["ok"] == 0 and found["failed"] > 0


@pytest.mark.skipif(not (ROOT / "manifests").exists(), reason="no manifests here")
def test_the_canary_overlay_uses_the_images_of_the_test():
    rendered = subprocess.run([kustomize(), "build", str(E2E / "canary")], text=True, check=True,
                              capture_output=True, timeout=60).stdout
    documents = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(rendered)}
    pods = [documents["Rollout", "pingpong-rollout"], documents["Deployment", "log-output"]]
    images = {container["image"] for pod in pods
              for container in pod["spec"]["template"]["spec"]["containers"]}
    assert images == {f"log-pong/{name}:local" for name in ("pingpong", "reader", "writer")}
    assert ("AnalysisTemplate", "cpu-usage-analysis") in documents


@pytest.mark.skipif(not (ROOT / "manifests").exists(), reason="no manifests here")
def test_the_analysis_asks_the_prometheus_of_the_test():
    template = (ROOT / "manifests/components/canary/analysis-template.yaml").read_text("utf-8")
    kinds = {d["kind"]: d for d in yaml.safe_load_all((E2E / "prometheus.yaml").read_text("utf-8"))}
    namespace = kinds["Prometheus"]["metadata"]["namespace"]
    assert f"http://prometheus-operated.{namespace}.svc:9090" in template
