"""A live state with figures that never change, and a site around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.web.server import Site

from b2bua.http.access import Access
from b2bua.http.metrics import ServerMetrics
from b2bua.http.site import make_site
from b2bua.observer import Observer
from b2bua.trace.recorder import Recorder


class FakeLive:
    def registrations(self) -> tuple[int, Mapping[str, int]]:
        return 2, {"udp": 3, "tcp": 1}

    def flows(self) -> Mapping[str, int]:
        return {"udp": 5}

    def calls_active(self) -> Mapping[str, int]:
        return {"held": 1}

    def longest_hold(self) -> float:
        return 12.5

    def entities(self) -> Mapping[str, tuple[bool, float | None]]:
        return {"cm": (True, 0.25), "far": (False, None)}

    def store(self) -> tuple[bool, int]:
        return True, 6

    def subscriptions_active(self) -> Mapping[str, int]:
        return dict.fromkeys(("dialog", "message-summary", "presence", "reg"), 4)

    def admitted(self) -> float:
        return 0.25

    def sources_banned(self) -> int:
        return 7

    def last_reload(self) -> tuple[bool, float]:
        return False, 1_700_000_100.25


def server_metrics(observer: Observer, recorder: Recorder) -> ServerMetrics:
    return ServerMetrics(observer, FakeLive(), recorder, "1.2.3", 1_700_000_000.5)


def site_of(recorder: Recorder, clock: Clock | None = None, **options: Any) -> Site:
    """`public_only`: a listener off loopback; `access`: who may ask, in place of one without any account."""
    ready, public_only = options.pop("ready", lambda: True), options.pop("public_only", False)
    access = options.pop("access", None) or Access(public_only, lambda: 0.0, lambda: "secret")
    return make_site(server_metrics(Observer(), recorder), ready, recorder, access, clock=clock or Clock(), **options)
