"""`/metrics`: the observer's counts and the live state in Prometheus' text formats.

The only module that knows prometheus_client. Counters stay plain integers and gauges are asked for at scrape time, so a
message costs nothing here and no gauge can drift. Rendered on the reactor: a thread would read while calls change.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.observer import NAMES, Observer
from b2bua.trace.recorder import Recorder

CALL_STATES: Final = ("early", "confirmed", "held")

HELP: Final[dict[str, str]] = {
    "requests": "SIP requests that came in (direction in) or went out over a transport.",
    "responses": "SIP responses that came in or went out, by the method they answer.",
    "retransmissions": "SIP messages that came in again or were sent again.",
    "parse_errors": "Messages that could not be read, by what was wrong.",
    "messages_dropped": "Messages that were neither answered nor passed on.",
    "auth_challenges": "401 and 407 challenges sent; an answered challenge is no failure.",
    "auth_results": "Digest credentials that were checked, by the outcome.",
    "register": "REGISTER requests by their outcome.",
    "calls": "Calls that ended, by how.",
    "reinvites": "re-INVITEs that finished, by what they were for and how they ended.",
    "glare": "Crossing re-INVITEs, by what became of ours.",
    "publish": "PUBLISH requests of feature servers by the status they got.",
    "notify": "NOTIFY requests by the status they got; 408 stands for no answer, too.",
    "internal_errors": "Mistakes of this program that were caught; the log has the details.",
}
"""What each counter of the observer says about itself."""


class LiveState(Protocol):
    """What is, asked of its owners; the service hands one in."""

    def registrations_active(self) -> int:
        """Addresses of record with at least one contact."""

    def contacts(self) -> Mapping[str, int]:
        """Transport → contacts."""

    def calls_active(self) -> Mapping[str, int]:
        """`early`, `confirmed`, `held` → calls, each call once; what is left out is 0."""

    def subscriptions_active(self) -> Mapping[str, int]:
        """Event package → subscriptions."""

    def entities_up(self) -> Mapping[str, int]:
        """Peer that is asked whether it lives → 1 or 0."""

    def entity_rtts(self) -> Mapping[str, float]:
        """Such a peer → seconds that its last answer took; left out before the first one."""


class ServerMetrics(Collector):
    """Every family of this server. `started` is Unix time in seconds."""

    def __init__(self, observer: Observer, live: LiveState, recorder: Recorder, version: str, started: float) -> None:
        self._observer = observer
        self._live = live
        self._recorder = recorder
        self._version = version
        self._started = started

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()
        yield from self._entities()

    def _counters(self) -> Iterator[Metric]:
        for name, labels in NAMES.items():
            family = CounterMetricFamily(f"b2bua_{name}", HELP.get(name, f"Count of {name}."), labels=labels)
            for values, count in self._observer.counts[name].items():
                family.add_metric([_label(value) for value in values], count)
            yield family
        yield CounterMetricFamily(
            "b2bua_trace_dropped", "Messages that a slow reader of the live trace did not get.", self._recorder.dropped
        )

    def _entities(self) -> Iterator[Metric]:
        yield _by_label("entity_up", "Whether a feature server or Session Manager answers.", "entity", self._live.entities_up())
        rtts = self._live.entity_rtts()
        yield _by_label("entity_rtt_seconds", "How long its last answer to OPTIONS took.", "entity", rtts)

    def _gauges(self) -> Iterator[Metric]:
        live = self._live
        calls = live.calls_active()
        yield GaugeMetricFamily(
            "b2bua_registrations_active", "Addresses of record with at least one contact.", live.registrations_active()
        )
        yield _by_label("contacts", "Registered contacts by transport.", "transport", live.contacts())
        held = {state: calls.get(state, 0) for state in CALL_STATES}
        yield _by_label("calls_active", "Calls that stand, each in one state.", "state", held)
        yield _by_label("subscriptions_active", "Subscriptions by event.", "event", live.subscriptions_active())
        yield GaugeMetricFamily("b2bua_trace_messages", "Messages that the trace holds.", len(self._recorder))
        yield GaugeMetricFamily(
            "b2bua_start_time_seconds", "When this server started, in seconds since the epoch.", self._started
        )
        labels = ("version", "python")
        build = GaugeMetricFamily("b2bua_build_info", "Version of this program and of Python; always 1.", labels=labels)
        build.add_metric((self._version, platform.python_version()), 1)
        yield build


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"b2bua_{name}", text, labels=(label,))
    for value, count in values.items():
        family.add_metric((_label(value),), count)
    return family


def _label(value: str) -> str:
    """A label as UTF-8 can carry it: what a peer sent may hold surrogates for undecodable bytes."""
    return value.encode("utf-8", "replace").decode("utf-8")


class MetricsPage(Resource):
    """`GET /metrics`: text 0.0.4, or what the scraper's Accept prefers."""

    isLeaf = True

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)

    def render_GET(self, request: Request) -> bytes:
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        request.setHeader(b"Content-Type", content_type.encode("ascii"))
        return encode(self._registry)
