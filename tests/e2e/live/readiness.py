"""When pods were ready, as the API server tells it."""

from __future__ import annotations

import subprocess
import threading
import time

from .cluster import NAMESPACE, TIED, Failed, until

EVENT = '{.metadata.name}/{.status.conditions[?(@.type=="Ready")].status}/{.metadata.deletionTimestamp}{"\\n"}'
SEEN_WITHIN_S = 20


def longest_unready(events: list[tuple[float, str, str]], end: float) -> float:
    """Seconds, of the one pod that was not ready for longest after it had been. An event is a time, a pod, and its condition:
    True, False, or nothing if it is on its way out."""
    longest, since = 0.0, {}
    known = set()
    for when, pod, ready in events:
        if ready == "True":
            known.add(pod)
            longest = max(longest, when - since.pop(pod, when))
        elif not ready:
            known.discard(pod)
            since.pop(pod, None)
        elif pod in known:
            since.setdefault(pod, when)
    return max([longest, *(end - began for began in since.values())])


class Readiness:
    """Watches the pods of a selector."""

    def __init__(self, selector: str):
        self.selector = selector
        self.events: list[tuple[float, str, str]] = []

    def __enter__(self) -> "Readiness":
        asked = ["get", "pods", "--selector", self.selector, "--watch", "--output", f"jsonpath={EVENT}"]
        self.process = subprocess.Popen([*TIED, "kubectl", "--namespace", NAMESPACE, *asked], stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        try:
            until(SEEN_WITHIN_S, "the API server tells of ready pods", lambda: any(ready == "True" for _, _, ready in self.events))
        except Failed:
            self.__exit__()
            raise
        return self

    def _read(self) -> None:
        for line in self.process.stdout:
            pod, ready, leaves = line.rstrip("\n").split("/")
            self.events.append((time.time(), pod, "" if leaves else ready))

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def longest_unready(self) -> float:
        if self.process.poll() is not None:
            raise Failed("kubectl has stopped to tell of pods")
        return longest_unready(list(self.events), time.time())
