"""The server's UDP socket, without a network: what it is to read is put in, what it sends is collected."""

from __future__ import annotations

from collections import deque

Address = tuple[str, int]


class Wire:
    """Takes the place of a bound socket. `arrived` and `left` are filled and emptied by whoever plays the phones."""

    def __init__(self) -> None:
        self.arrived: deque[tuple[bytes, Address]] = deque()
        self.left: deque[tuple[bytes, Address]] = deque()

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        if not self.arrived:
            raise BlockingIOError
        return self.arrived.popleft()

    def recvmsg(self, size: int, ancillary: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        data, address = self.recvfrom(size)
        return data, [], 0, address

    def sendto(self, data: bytes, address: Address) -> int:
        self.left.append((data, address))
        return len(data)

    def close(self) -> None:
        return

    def fileno(self) -> int:
        return -1
