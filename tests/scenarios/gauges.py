"""The gauges of calls, as Communication Manager counts them and as a scraper reads them."""

from __future__ import annotations

from typing import Final

from twisted.web.test.requesthelper import DummyRequest

from b2bua.assembly.live_state import LiveState
from b2bua.config.settings import Settings
from b2bua.http.metrics import CALL_STATES, MetricsPage, ServerMetrics
from b2bua.reload import Reload
from tests.scenarios.server_under_test import ServerUnderTest

_FAMILIES: Final = ("b2bua_calls_active{", "b2bua_calls_held_oldest_seconds ")


def counted(server: ServerUnderTest) -> dict[str, float]:
    """Calls by state, and the seconds of the longest hold."""
    return {**server.b2bua.calls(), "oldest": server.b2bua.longest_hold()}


def scraped(server: ServerUnderTest) -> dict[str, float]:
    """The same, from the text of /metrics."""
    wall = server.network.clock.wall
    reload = Reload(Settings(), Settings, lambda settings: None, wall, lambda *words, **more: None)
    live = LiveState(
        server.location, server.listeners, server.b2bua, server.notifier, dict, server.store, reload, server.admission,
        server.bans,
    )  # fmt: skip
    page = MetricsPage(ServerMetrics(server.observer, live, server.recorder, "", 0.0))
    lines = [line for line in page.render_GET(DummyRequest([])).decode().splitlines() if line.startswith(_FAMILIES)]
    values = dict(line.rsplit(" ", 1) for line in lines)
    names = {f'b2bua_calls_active{{state="{state}"}}': state for state in CALL_STATES}
    names["b2bua_calls_held_oldest_seconds"] = "oldest"
    return {names[series]: float(value) for series, value in values.items()}
