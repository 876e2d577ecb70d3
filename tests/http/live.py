"""A live state with figures that never change, and a site around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.web.server import Site

from b2bua.http.metrics import ServerMetrics
from b2bua.http.site import make_site
from b2bua.observer import Observer
from b2bua.trace.recorder import Recorder


class FakeLive:
    def registrations_active(self) -> int:
        return 2

    def contacts(self) -> Mapping[str, int]:
        return {"udp": 3, "tcp": 1}

    def calls_active(self) -> Mapping[str, int]:
        return {"held": 1}

    def subscriptions_active(self) -> Mapping[str, int]:
        return {"dialog": 4}

    def entities_up(self) -> Mapping[str, int]:
        return {"first": 1, "second": 0}

    def entity_rtts(self) -> Mapping[str, float]:
        return {"first": 0.002}


def server_metrics(observer: Observer, recorder: Recorder) -> ServerMetrics:
    return ServerMetrics(observer, FakeLive(), recorder, "1.2.3", 1_700_000_000.5)


def site_of(recorder: Recorder, clock: Clock | None = None, **options: Any) -> Site:
    ready = options.pop("ready", lambda: True)
    return make_site(server_metrics(Observer(), recorder), ready, recorder, clock=clock or Clock(), **options)
