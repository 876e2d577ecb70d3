"""A socket that says anything over TLS, by Python's own library."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.certificates import Issued
from tests.interop.raw import ANSWER_SECONDS, RawStream
from tests.interop.server import Server


class RawTls(RawStream):
    """One TLS connection to the server's `tls` port, whose certificate must be signed by `authority`."""

    transport = "TLS"

    def __init__(self, server: Server, user: str, authority: Path, shows: Issued | None = None, buffer: int = 0) -> None:
        self._context = ssl.create_default_context(cafile=str(authority))
        if shows is not None:
            self._context.load_cert_chain(shows.certificate, shows.key)
        super().__init__(server, user, buffer)

    def _opened(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if self._buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        made.bind((self._server.host, 0))
        made.settimeout(ANSWER_SECONDS)
        made.connect((self._server.host, self._server.ports["tls"]))
        return self._context.wrap_socket(made, server_hostname=self._server.host)

    def issuer(self) -> str:
        """Who signed the server's certificate."""
        assert isinstance(self._socket, ssl.SSLSocket)
        certificate = self._socket.getpeercert()
        assert certificate
        return str(dict(pair for part in certificate["issuer"] for pair in part)["commonName"])
