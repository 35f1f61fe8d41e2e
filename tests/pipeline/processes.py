"""Other processes, and waiting for what they do."""

import time
from pathlib import Path


def runs(process):
    """Killed, it is nobody's any more; who collects it, and when, is the machine's business."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(probe):
    end = time.monotonic() + 60
    while not probe():
        assert time.monotonic() < end
        time.sleep(0.01)
