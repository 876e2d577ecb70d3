"""The floor under every server on Twisted: each datagram goes back as it came. Run as a program: HOST PORT.

Socket options and reactor are those of the server (b2bua/transport/udp.py), so that what is left is the kernel and Twisted.
"""

from __future__ import annotations

import socket
import sys

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402

MAX_BURST = 64


class Echo:
    """A reader of one socket, as the server's listener is."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, port))

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "echo"

    def connectionLost(self, reason: object) -> None:
        self.socket.close()

    def doRead(self) -> None:
        for _ in range(MAX_BURST):
            try:
                data, source = self.socket.recvfrom(65535)
            except BlockingIOError:
                return
            self.socket.sendto(data, source)


if __name__ == "__main__":
    reactor.addReader(Echo(sys.argv[1], int(sys.argv[2])))
    reactor.run()
