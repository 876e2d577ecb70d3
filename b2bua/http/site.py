"""The HTTP site: which path is whose, and who may see what.

`/metrics`, `/healthz` and `/readyz` are for everybody. The rest shows calls, so it is for this machine alone, until
there is a log-in: the server must listen on a loopback address, the client must come from one, and must have meant it.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, cast

import structlog
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import FORBIDDEN, NOT_FOUND
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from b2bua.http.api_events import EventsPage
from b2bua.http.api_trace import ReadKept, TracePage
from b2bua.http.console import console_files
from b2bua.http.health import Healthz, Readyz, plain
from b2bua.http.metrics import MetricsPage, ServerMetrics
from b2bua.http.other_servers import OtherServers
from b2bua.trace.recorder import Recorder

_LOG: Final = structlog.get_logger("b2bua.http")
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


def make_site(
    metrics: ServerMetrics,
    ready: Callable[[], bool],
    recorder: Recorder,
    trace_secrets: bool = False,
    public_only: bool = False,
    clock: IReactorTime | None = None,
    controls: Mapping[bytes, Resource] | None = None,
    kept: ReadKept | None = None,
    others: OtherServers | None = None,
) -> Site:
    """The site to listen with. `public_only`: the listener is off loopback. The `clock` is the reactor unless given.
    `controls`: further pages below `api`, by name. `kept` reads what is on disk of the trace; None: nothing is. `others`:
    servers whose traces are shown with ours."""
    if clock is None:
        from twisted.internet import reactor

        clock = cast(IReactorTime, reactor)
    root = _Root(public_only)
    root.putChild(b"metrics", MetricsPage(metrics))
    root.putChild(b"healthz", Healthz())
    root.putChild(b"readyz", Readyz(ready))
    root.api.putChild(b"trace", TracePage(recorder, trace_secrets, clock, kept, others))
    root.api.putChild(b"events", EventsPage(recorder, clock))
    for name, page in (controls or {}).items():
        root.api.putChild(name, page)
    site = _QuietSite(root)
    site.displayTracebacks = False
    return site


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own loopback address, by number or as `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


class _NotHere(Resource):
    """404 in one plain sentence."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        return plain(request, "there is nothing at this path", NOT_FOUND)


class _LocalOnly(Resource):
    """403 in one plain sentence."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        return plain(request, "off the loopback address only /metrics, /healthz and /readyz are served", FORBIDDEN)


class _Branch(Resource):
    """A folder: what it does not hold is 404, and so is the folder itself."""

    def getChild(self, path: bytes, request: Request) -> IResource:
        return _NotHere()

    def render(self, request: Request) -> bytes:
        return _NotHere().render(request)


class _Root(_Branch):
    """Hands out the public children to everybody, console and `api` to whoever `_is_local`."""

    def __init__(self, public_only: bool) -> None:
        super().__init__()
        self.api = _Branch()
        self._console = console_files()
        self._public_only = public_only

    def getChild(self, path: bytes, request: Request) -> IResource:
        if self._public_only or not _is_local(request):
            return _LocalOnly()
        if path == b"api":
            return self.api
        return self._console.get(path) or _NotHere()


def _is_local(request: Request) -> bool:
    """Whether the client is on this machine and addressed the server as such.

    The Host tells a page of somebody else's, whose name was made to resolve to 127.0.0.1, from a user; a forwarding
    header tells that a proxy on this machine speaks for a client elsewhere.
    """
    if not is_loopback(getattr(request.getClientAddress(), "host", "")):
        return False
    if any(request.getHeader(name) is not None for name in _FORWARDED):
        return False
    return is_loopback(request.getRequestHostname().decode("ascii", "replace"))


class _QuietSite(Site):
    """A site whose access log is a debug line, without the query: that may hold a Call-ID."""

    def log(self, request: HttpRequest) -> None:
        path = request.path.decode("ascii", "replace") if request.path else ""
        _LOG.debug("http request", method=request.method.decode("ascii", "replace"), path=path, status=request.code)
