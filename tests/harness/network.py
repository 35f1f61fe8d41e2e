"""A network of a test's own, in which addresses can be cut off; needs root.

    with own_network() as network:
        with Cluster(address="127.0.0.2") as cluster:
            network.cut_off("127.0.0.2")      # packets to and from it vanish
            network.heal()

What the block's thread starts, threads included, is in the network, with all of 127.0.0.0/8 and no
way out; it ends with them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import Iterator

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    return os.geteuid() == 0 and all(shutil.which(program) for program in ("ip", "nft"))


class Network:
    def cut_off(self, address: str) -> None:
        """From here on no packet to or from that address arrives, and nobody is told."""
        table = f"""table ip cut {{
            chain gone {{ type filter hook input priority 0;
                ip daddr {address} drop; ip saddr {address} drop; }}
        }}"""
        subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)

    def heal(self) -> None:
        subprocess.run(["nft", "delete", "table", "ip", "cut"], check=True)


@contextmanager
def own_network() -> Iterator[Network]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _must(_libc.unshare(_CLONE_NEWNET))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield Network()
        finally:
            _must(_libc.setns(before, _CLONE_NEWNET))
    finally:
        os.close(before)


def _must(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), "no network of its own")
