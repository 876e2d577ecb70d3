"""What a server shows over HTTP: metrics, health, the trace, the pages of the API."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import Any

from b2bua import __version__
from b2bua.assembly.api_pages import api_pages
from b2bua.assembly.live_state import LiveState
from b2bua.assembly.shown import Shown
from b2bua.assembly.trace_parts import ReadKept, others_of
from b2bua.drain import Drain
from b2bua.http.access import Access
from b2bua.http.metrics import ServerMetrics
from b2bua.http.site import make_site
from b2bua.log.log import Log


def site_of(server: Shown, reactor: Any, log: Log, access: Access, kept: ReadKept | None) -> Any:
    """Of a server whose faults are installed."""
    live = LiveState(
        server.location, server.listeners, server.feature_server, server.notifier, server.entities, server.store,
        server.reload, server.admission, server.bans,
    )  # fmt: skip
    metrics = ServerMetrics(server.observer, live, server.recorder, __version__, time.time())
    # The end of a drain is the process's usual one.
    leave = partial(os.kill, os.getpid(), signal.SIGTERM)
    drain = Drain(server.admission, server.calls, reactor.callLater, leave, log)
    return make_site(
        metrics, lambda: server.ready and not drain.draining, server.recorder, access, server.settings.trace_secrets,
        controls=api_pages(server, drain), told=server.observer.login_tried, log=log,
        kept=kept, others=others_of(server.settings, access.own_token),
    )  # fmt: skip
