"""A request that never saw a socket, for the resources of the site."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.server import Site
from twisted.web.test.requesthelper import DummyRequest


class FakeRequest(DummyRequest):
    """`target` is a path with its query; the client sits on loopback unless said otherwise."""

    def __init__(
        self, target: str, client: str = "127.0.0.1", host: str = "127.0.0.1", body: bytes = b"", **headers: str
    ) -> None:
        path, _, query = target.partition("?")
        super().__init__([part.encode() for part in path.strip("/").split("/")])
        self.path = path.encode()
        self.client = IPv4Address("TCP", client, 40000)
        self._serverName = host.encode()
        self.responseCode = self.code = 200
        self.producer: Any = None
        self.content = BytesIO(body)
        self.cut = False
        """Whether the server has closed the connection."""
        for pair in filter(None, query.split("&")):
            name, _, value = pair.partition("=")
            self.args.setdefault(name.encode(), []).append(value.encode())
        for name, value in headers.items():
            self.requestHeaders.addRawHeader(name.replace("_", "-").encode(), value.encode())

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 8080)

    def isSecure(self) -> bool:
        return False

    def loseConnection(self) -> None:
        self.cut = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        self.responseCode = self.code = code
        self.responseMessage = message

    def hang_up(self) -> None:
        """The client goes."""
        self.processingFailed(Failure(ConnectionDone()))

    @property
    def text(self) -> str:
        return b"".join(self.written).decode()

    @property
    def content_type(self) -> str:
        return (self.responseHeaders.getRawHeaders(b"content-type") or [b""])[-1].decode()


def get(site: Site, target: str, client: str = "127.0.0.1", host: str = "127.0.0.1", **headers: str) -> FakeRequest:
    """GET through the whole site, from the root down."""
    request = FakeRequest(target, client, host, **headers)
    request.render(site.getResourceFor(request))
    return request
