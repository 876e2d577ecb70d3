"""What a server shows over HTTP: metrics, health, the trace, the pages of the API."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from b2bua import __version__
from b2bua.assembly.api_pages import api_pages
from b2bua.assembly.live_state import LiveState
from b2bua.assembly.trace_parts import others_of
from b2bua.drain import Drain
from b2bua.http.metrics import ServerMetrics
from b2bua.http.site import make_site

if TYPE_CHECKING:
    from b2bua.service import Server


def site_of(server: Server) -> Any:
    """Of a server whose faults are installed."""
    live = LiveState(
        server.location, server.listeners, server.feature_server, server.notifier, server._entities, server.store,
        server.reload, server.admission, server.bans,
    )  # fmt: skip
    metrics = ServerMetrics(server.observer, live, server.recorder, __version__, time.time())
    # The end of a drain is the process's usual one.
    leave = partial(os.kill, os.getpid(), signal.SIGTERM)
    drain = Drain(server.admission, server._calls, server._reactor.callLater, leave, server._log)
    return make_site(
        metrics, lambda: server.ready and not drain.draining, server.recorder, server._access, server.settings.trace_secrets,
        controls=api_pages(server, drain), told=server.observer.login_tried, log=server._log,
        kept=server._trace.read, others=others_of(server.settings, server._access.own_token),
    )  # fmt: skip
