"""The HTTP site: which path is whose, and who may see what.

`/metrics`, `/healthz` and `/readyz` are for everybody; the console's files, in which there is nothing, for whoever could get
in at all. The rest shows calls: `access.py` says who may ask for it.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread
from twisted.web.http import FORBIDDEN, NOT_FOUND
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from b2bua.http.access import CLOSED, Access, Refusal
from b2bua.http.api_events import EventsPage
from b2bua.http.api_logs import LogsPage
from b2bua.http.api_routes import BY_NAME
from b2bua.http.api_session import Run, SessionPage
from b2bua.http.api_trace import ReadKept, TracePage
from b2bua.http.attempts import Attempts
from b2bua.http.console import console_files
from b2bua.http.health import Healthz, Readyz, plain
from b2bua.http.metrics import MetricsPage, ServerMetrics
from b2bua.http.openapi import OPENAPI, OpenApiPage
from b2bua.http.other_servers import OtherServers
from b2bua.log.events import Say, quiet
from b2bua.log.log import Log
from b2bua.log.ring import Ring
from b2bua.trace.recorder import Recorder

Pages = Mapping[bytes, Resource]
"""What is below `api`, by name."""
_LOG_READERS: Final = ("/api/logs", "/api/events")
MOST_RECEIVED: Final = 64 * 1024
"""Bytes of what a request brings; nothing here takes more than a short document."""


def make_site(
    metrics: ServerMetrics,
    ready: Callable[[], bool],
    recorder: Recorder,
    access: Access,
    trace_secrets: bool = False,
    clock: IReactorTime | None = None,
    controls: Pages | None = None,
    told: Callable[[str], None] = lambda result: None,
    run: Run = deferToThread,
    log: Log | None = None,
    kept: ReadKept | None = None,
    others: OtherServers | None = None,
) -> Site:
    """The site to listen with. The `clock` is the reactor unless given. `controls`: further pages below `api`, by name, each
    with its entry in `api_routes.py`. `told` hears how log-ins end, and of bad tokens; `run` checks a password in a thread.
    `log`: hears of requests, and is shown. `kept` reads what is on disk of the trace; None: nothing is. `others`: servers whose
    traces are shown with ours."""
    if clock is None:
        from twisted.internet import reactor

        clock = cast(IReactorTime, reactor)
    ring = Ring() if log is None else log.ring
    pages = {
        b"trace": TracePage(recorder, lambda request: trace_secrets and access.shows_secrets(request), clock, kept, others),
        b"events": EventsPage(recorder, clock, ring),
        b"logs": LogsPage(ring),
        b"session": SessionPage(access, Attempts(time.monotonic), run, told, log or quiet),
        **(controls or {}),
    }
    served = [BY_NAME[name.decode()] for name in sorted({*pages, OPENAPI})]  # KeyError: api_routes.py has no entry for a page
    pages[OPENAPI] = OpenApiPage(served)
    root = _Root(access, pages, told)
    root.putChild(b"metrics", MetricsPage(metrics))
    root.putChild(b"healthz", Healthz())
    root.putChild(b"readyz", Readyz(ready))
    site = _LoggedSite(root, log or quiet)
    site.displayTracebacks = False
    return site


class _NotHere(Resource):
    """404 in one plain sentence."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        return plain(request, "there is nothing at this path", NOT_FOUND)


class _Refused(Resource):
    """Why not, in one plain sentence."""

    isLeaf = True

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self._refusal = refusal

    def render(self, request: Request) -> bytes:
        if self._refusal.header is not None:
            request.setHeader(*self._refusal.header)
        return plain(request, self._refusal.text, self._refusal.status)


class _Branch(Resource):
    """A folder: what it does not hold is 404, and so is the folder itself."""

    def getChild(self, path: bytes, request: Request) -> IResource:
        return _NotHere()

    def render(self, request: Request) -> bytes:
        return _NotHere().render(request)


class _Root(_Branch):
    """Hands out the public children to everybody, console and API to whoever could get in."""

    def __init__(self, access: Access, pages: Pages, told: Callable[[str], None]) -> None:
        super().__init__()
        self._access = access
        self._api = _Api(access, pages, told)
        self._console = console_files()

    def getChild(self, path: bytes, request: Request) -> IResource:
        if self._access.is_shut(request):
            return _Refused(Refusal(FORBIDDEN, CLOSED))
        if path == b"api":
            return self._api
        return self._console.get(path) or _NotHere()


class _Api(_Branch):
    """Each page to whoever may ask for it; `told` hears of tokens that open nothing."""

    def __init__(self, access: Access, pages: Pages, told: Callable[[str], None]) -> None:
        super().__init__()
        self._access = access
        self._pages = pages
        self._told = told

    def getChild(self, path: bytes, request: Request) -> IResource:
        page = self._pages.get(path)
        name = path.decode("utf-8", "replace")
        found = self._access.enter(request, f"/api/{name}", None if page is None else BY_NAME.get(name))
        if self._access.shows_bad_token(request):
            self._told("bad_token")
        if isinstance(found, Refusal):
            return _Refused(found)
        if page is None or request.postpath:
            return _NotHere()
        found.began(request)
        request.notifyFinish().addBoth(lambda _: found.finished(request))
        return page


class _BoundedRequest(Request):
    """One that brings too much is cut off before it fills memory or disk: nobody has looked yet who it is."""

    def handleContentChunk(self, data: bytes) -> None:
        if self.content is None or self.content.tell() + len(data) > MOST_RECEIVED:
            self.loseConnection()
        else:
            super().handleContentChunk(data)


class _LoggedSite(Site):
    """A site whose access log is an event, without the query: that may hold a Call-ID."""

    def __init__(self, root: Resource, log: Say) -> None:
        super().__init__(root, requestFactory=_BoundedRequest)
        self._log = log

    def log(self, request: HttpRequest) -> None:
        path = request.path.decode("ascii", "replace") if request.path else ""
        if path in _LOG_READERS:
            return  # who watches the log would be told of nothing but of watching it
        method, peer = request.method.decode("ascii", "replace"), getattr(request.getClientAddress(), "host", "")
        self._log("http_request", method=method, path=path, status=request.code, peer=peer)
