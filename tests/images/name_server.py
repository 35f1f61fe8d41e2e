"""A DNS server on an address of its own in 127/8, since resolv.conf cannot name a port. Needs root.

    with NameServer({"db.example": "127.0.0.1"}) as server:
        server.address      # for resolv.conf
        server.asked        # the names asked for so far

Knows A records alone: other types have no records, other names do not exist.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from typing import Mapping

_PORT = 53
_TYPE_A = 1


class NameServer:
    def __init__(self, records: Mapping[str, str]):
        self.records = dict(records)
        self.asked: list[str] = []

    def __enter__(self) -> "NameServer":
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.address = f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"
            try:
                self.socket.bind((self.address, _PORT))
                break
            except OSError:  # taken by another test run
                continue
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.sendto(b"", (self.address, _PORT))  # an empty datagram ends the loop
        self.thread.join(5)
        self.socket.close()

    def _serve(self) -> None:
        while True:
            query, peer = self.socket.recvfrom(1500)
            if not query:
                return
            self.socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        labels, end = [], 12
        while query[end]:
            labels.append(query[end + 1 : end + 1 + query[end]].decode())
            end += 1 + query[end]
        question = query[12 : end + 5]
        name = ".".join(labels).lower()
        self.asked.append(name)
        known = name in self.records
        record = b""
        if known and struct.unpack("!H", question[-4:-2])[0] == _TYPE_A:
            record = struct.pack("!HHHIH", 0xC00C, _TYPE_A, 1, 5, 4) + socket.inet_aton(self.records[name])
        flags = 0x8580 | (0 if known else 3)  # an authoritative answer; or no such name
        return query[:2] + struct.pack("!HHHHH", flags, 1, 1 if record else 0, 0, 0) + question + record
