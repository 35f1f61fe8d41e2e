"""A real API server with its etcd, on free ports of this machine: no kubelet, no controllers.

with Cluster(folder) as cluster:
    cluster.kubectl("get", "namespaces")
"""

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from rendering import tool

PROGRAMS = ["etcd", "kube-apiserver", "kubectl"]
START_S = 120


def missing() -> list[str]:
    return [name for name in PROGRAMS if not os.access(tool(name), os.X_OK)]


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


class Cluster:
    """Started by the constructor, ended by stop(); everything is in the folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        etcd_port, peer_port, self.port = free_ports(3)
        self.authority = folder / "certificates/apiserver.crt"
        self.kubeconfig = folder / "kubeconfig"
        self._processes: list[subprocess.Popen] = []
        self._write_files()
        try:
            self._start("etcd", *self._etcd_arguments(etcd_port, peer_port))
            self._start("kube-apiserver", *self._server_arguments(etcd_port))
            self._wait()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def _write_files(self) -> None:
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "accounts.key"), "2048"], check=True, capture_output=True, timeout=60
        )
        (self.folder / "tokens.csv").write_text('admin-token,admin,admin,"system:masters"\n', "ascii")
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [
                        {
                            "name": "test",
                            "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": str(self.authority)},
                        }
                    ],
                    "users": [{"name": "admin", "user": {"token": "admin-token"}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                }
            ),
            "ascii",
        )

    def _etcd_arguments(self, port: int, peer: int) -> list[str]:
        client, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        return [
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={between}",
            f"--initial-advertise-peer-urls={between}",
            f"--initial-cluster=default={between}",
            "--unsafe-no-fsync",
        ]

    def _server_arguments(self, etcd: int) -> list[str]:
        key = f"{self.folder}/accounts.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}/certificates",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
        ]

    def _start(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.log", "wb") as log:
            self._processes.append(subprocess.Popen([tool(name), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while self.request("GET", "/readyz", "admin-token")[0] != 200:
            for process in self._processes:
                assert process.poll() is None, self._logs()
            assert time.monotonic() < deadline, self._logs()
            time.sleep(0.2)

    def _logs(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-3000:] for path in self.folder.glob("*.log"))

    def request(self, method: str, path: str, token: str, body: dict | None = None) -> tuple[int, dict]:
        """One call of the API; (0, {}) when nobody answers."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": ("application/merge-patch+json" if method == "PATCH" else "application/json"),
            },
        )
        try:
            context = ssl.create_default_context(cafile=str(self.authority))
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except OSError:
            return 0, {}
        return status, json.loads(text) if text.startswith(b"{") else {}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=180,
            check=False,
        )

    def create_kinds(self, names: list[str]) -> None:
        """The operators' kinds, ready to be used."""
        done = self.kubectl("create", *(f"-f={tool('schemas')}/crd-sources/{name}.yaml" for name in names))
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + START_S
        # For a moment there is no status at all, at which the waiting kubectl gives up.
        while True:
            done = self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *names)
            if done.returncode == 0:
                return
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.2)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)
