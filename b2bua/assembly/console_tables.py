"""What the web console asks of a server besides its trace: tables of what stands, read when they are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from b2bua import __version__
from b2bua.assembly.shown import Shown
from b2bua.feature_server.control import control_of
from b2bua.reference import AT_RUN_TIME, meanings, written
from b2bua.session_manager.standing_events import standing_events
from b2bua.session_manager.standing_registrations import standing_registrations


def console_tables(server: Shown) -> dict[str, Callable[[], object]]:
    """Name below `/api` → what reads the table, as JSON has it."""
    started = time.time()
    return {
        "overview": lambda: _overview(server, started),
        "registrations": lambda: standing_registrations(server.location, time.time()),
        "lamps": lambda: standing_events(
            server.event_state, server.notifier, server.timers, server.recorder.legs.known_as
        ),
        "entities": lambda: _entities(server),
        "settings": lambda: _settings(server),
    }


def _overview(server: Shown, started: float) -> dict[str, Any]:
    calls = {} if server.feature_server is None else server.feature_server.calls()
    registered, _ = server.location.census()
    return {
        "version": __version__, "domain": server.settings.domain, "started": started, "now": time.time(), "ready": server.ready,
        "listeners": list(server.listeners.describe()), "registered": registered, "calls": calls,
        "subscriptions": server.notifier.count(), "publications": server.event_state.count(),
        "trace": {"kept": len(server.recorder), "size": server.recorder.size, "dropped": server.recorder.dropped,
                  "keep": server.settings.trace_keep,
                  "servers": [text.partition("=")[0] for text in server.settings.trace_servers]},
        "store": server.store.durable, "steered": control_of(server.feature_server) is not None,
    }  # fmt: skip


def _entities(server: Shown) -> list[dict[str, Any]]:
    """Feature servers, trunks that are watched, and the media relay."""
    rows = [{"name": name, "kind": "feature server", "up": one.up, "rtt": one.rtt} for name, one in server.heartbeats.items()]
    rows += [{"name": name, "kind": "trunk", "up": one.up, "rtt": one.rtt} for name, one in server.watches.items()]
    unwatched = sorted(server.settings.entities.keys() - server.watches.keys())
    rows += [{"name": name, "kind": "trunk", "up": None, "rtt": None} for name in unwatched]
    if server.rtpengine is not None:
        rows.append({"name": "rtpengine", "kind": "media relay", "up": server.rtpengine.up, "rtt": None})
    return rows


def _settings(server: Shown) -> list[dict[str, Any]]:
    """As `b2bua config show`: there are no secrets in them."""
    rows = []
    for key, meaning in meanings():
        value = getattr(server.settings, key)
        rows.append({
            "key": key, "value": None if value is None else written(key, value), "meaning": meaning,
            "followed": key in AT_RUN_TIME,
        })  # fmt: skip
    return rows
