"""The other end of a TLS connection on a pretended kernel: OpenSSL over memory, client or server."""

from __future__ import annotations

from OpenSSL import SSL

from tests.certificates import Issued
from tests.transport.streams import Pipe


class Peer:
    """One end. `talk` carries bytes between it and the connection under test until both have nothing more to say."""

    def __init__(self, pipe: Pipe, server: bool, shows: Issued | None = None, version: int = 0) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        if version:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
        if shows is not None:
            context.use_certificate_chain_file(str(shows.certificate))
            context.use_privatekey_file(str(shows.key))
        self.pipe = pipe
        self.tls = SSL.Connection(context, None)
        if server:
            self.tls.set_accept_state()
        else:
            self.tls.set_connect_state()
        self.error: SSL.Error | None = None
        self.heard = b""
        self.closed = False
        """The other end has said, by TLS, that it closes."""

    def say(self, data: bytes) -> None:
        self.tls.send(data)
        self.talk()

    def talk(self) -> None:
        for _ in range(20):
            moved = self._handle()
            moved |= self._carry_out()
            data = self.pipe.take()
            if data:
                self.tls.bio_write(data)
                moved = True
            if not moved:
                return

    def _handle(self) -> bool:
        try:
            self.tls.do_handshake()
            data = self.tls.recv(65536)
            self.heard += data
            return True
        except SSL.WantReadError:
            return False
        except SSL.ZeroReturnError:
            self.closed = True
            return False
        except SSL.Error as error:
            self.error = self.error or error
            return False

    def _carry_out(self) -> bool:
        try:
            data = self.tls.bio_read(65536)
        except SSL.WantReadError:
            return False
        if not self.pipe.lost:
            self.pipe.connection.dataReceived(data)
        return True

    def take(self) -> bytes:
        """What was heard since."""
        heard, self.heard = self.heard, b""
        return heard
