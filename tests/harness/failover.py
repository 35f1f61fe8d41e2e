"""A primary and its standby at two addresses, which stay the same whoever is the primary.

with own_network() as network, Pair(synchronous=True, network=network) as pair:
    Daemon([BUILD / "pingpong"], env={**pair.primary.env(), **pair.hosts})
    pair.break_primary(Break.CUT_OFF)
    pair.promote()                    # pair.primary is the other one now
    pair.bring_back()                 # pair.former is as it was before, and nobody fences it
    pair.renew()                      # a copy of the primary takes its place, as the standby
"""

from __future__ import annotations

from contextlib import ExitStack
from enum import Enum

from .network import Network
from .postgres import Cluster, Standby
from .process import eventually

ADDRESSES = ("127.0.0.2", "127.0.0.3")


class Break(Enum):
    KILLED = "killed (SIGKILL)"
    STOPPED = "stopped (SIGSTOP)"
    CUT_OFF = "cut off"


class Pair:
    """synchronous: the primary confirms nothing that the standby does not have.
    network: where they are; without one, no address can be cut off."""

    def __init__(self, *, synchronous: bool, network: Network | None = None):
        self.synchronous, self.network = synchronous, network
        self.primary: Cluster
        self.standby: Standby
        self.former: Cluster | None = None
        self.hosts: dict[str, str] = {}  # DB_HOST and DB_PORT of both
        self._broken: tuple[Break, Cluster] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Pair":
        with ExitStack() as stack:
            self.primary = stack.enter_context(Cluster(address=ADDRESSES[0]))
            self._attach(stack, ADDRESSES[1], None)
            self._stack = stack.pop_all()
        both = (self.primary, self.standby)
        self.hosts = {"DB_HOST": ",".join(each.address for each in both), "DB_PORT": ",".join(str(each.port) for each in both)}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _attach(self, stack: ExitStack, address: str, port: int | None) -> None:
        self.standby = stack.enter_context(Standby(self.primary, address=address, port=port))
        if self.synchronous:
            self.primary.replicate_to(self.standby)
        else:
            eventually(self.standby.streams, 30, "the standby streaming")

    def break_primary(self, how: Break) -> None:
        self._broken = (how, self.primary)
        if how is Break.KILLED:
            self.primary.kill()
        elif how is Break.STOPPED:
            self.primary.sigstop()
        else:
            assert self.network is not None, "an address can be cut off in a network of its own only"
            self.network.cut_off(self.primary.address)

    def promote(self) -> None:
        """Returns when the standby takes writes."""
        self.standby.promote()
        self.former, self.primary = self.primary, self.standby

    def bring_back(self) -> None:
        """What broke is mended; whatever the server takes itself for then, it can be reached."""
        assert self._broken is not None
        how, server = self._broken
        self._broken = None
        if how is Break.KILLED:
            server.start()
        elif how is Break.STOPPED:
            server.sigcont()
        else:
            self.network.heal()

    def renew(self) -> None:
        """The former primary's files are gone, and in its place is a standby of the present one."""
        assert self.former is not None
        self.former.destroy()
        if self._broken is not None and self._broken[0] is Break.CUT_OFF:
            self.bring_back()
        self._broken = None
        self._attach(self._stack, self.former.address, self.former.port)
        self.former = None
