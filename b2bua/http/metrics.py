"""`/metrics`: the observer's counts and the live state in Prometheus' text formats.

The only module that knows prometheus_client. Counters stay plain integers and gauges are asked for at scrape time, so a
message costs nothing here and no gauge can drift. Rendered on the reactor: a thread would read while calls change.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.families import EXPECTED, EXPECTED_HISTOGRAMS, GAUGES, HELP, SERIES
from b2bua.http.label_sets import OTHER, folded, split
from b2bua.observer import HISTOGRAMS, NAMES, Histogram, Observer
from b2bua.trace.recorder import Recorder

CALL_STATES: Final = ("early", "confirmed", "held")


class LiveState(Protocol):
    """What is, asked of its owners; the service hands one in. Each method walks what it counts at most once."""

    def registrations(self) -> tuple[int, Mapping[str, int]]:
        """Addresses of record with at least one contact, and transport → contacts."""

    def flows(self) -> Mapping[str, int]:
        """Transport → flows."""

    def calls_active(self) -> Mapping[str, int]:
        """`early`, `confirmed`, `held` → calls, each call once; what is left out is 0."""

    def longest_hold(self) -> float:
        """Seconds; 0 when no call is held."""

    def subscriptions_active(self) -> Mapping[str, int]:
        """Event package → subscriptions."""

    def entities(self) -> Mapping[str, tuple[bool, float | None]]:
        """Feature server → whether it answers, and after how many seconds; None before its first answer."""

    def admitted(self) -> float:
        """The part of new requests that is taken, 0 to 1."""

    def sources_banned(self) -> int:
        """How many sources are banned."""

    def last_reload(self) -> tuple[bool, float]:
        """Whether the last reading of the settings was good, and when a good one was, in Unix seconds."""

    def store(self) -> tuple[bool, int]:
        """Whether the store works, and how many writes wait for it."""


class ServerMetrics(Collector):
    """Every family of this server. `started` is Unix time in seconds."""

    def __init__(self, observer: Observer, live: LiveState, recorder: Recorder, version: str, started: float) -> None:
        self._observer = observer
        self._live = live
        self._recorder = recorder
        self._version = version
        self._started = started

    def collect(self) -> Iterator[Metric]:
        for name in NAMES:
            yield _counter(name, self._observer.counts[name])
        yield CounterMetricFamily("b2bua_trace_dropped", HELP["trace_dropped"], self._recorder.dropped)
        for name in HISTOGRAMS:
            yield _histogram(name, self._observer.histograms[name])
        for name, values in self._gauges():
            yield _gauge(name, values)

    def _gauges(self) -> Iterator[tuple[str, float | Mapping[tuple[str, ...], float]]]:
        """Each gauge's value, or its values by their labels."""
        live = self._live
        registrations, contacts = live.registrations()
        yield "registrations_active", registrations
        yield "contacts", _labelled(contacts)
        yield "flows", _labelled(live.flows())
        calls = live.calls_active()
        yield "calls_active", {(state,): calls.get(state, 0) for state in CALL_STATES}
        yield "calls_held_oldest_seconds", live.longest_hold() if calls.get("held") else 0.0
        yield "subscriptions_active", _labelled(live.subscriptions_active())
        entities = live.entities()
        yield "entity_up", {(name,): float(up) for name, (up, _) in entities.items()}
        yield "entity_rtt_seconds", {(name,): rtt for name, (_, rtt) in entities.items() if rtt is not None}
        up, waiting = live.store()
        yield "sources_banned", live.sources_banned()
        yield "admitted_share", live.admitted()
        yield "store_up", float(up)
        yield "store_queue_depth", waiting
        yield "trace_messages", len(self._recorder)
        yield "trace_bytes", self._recorder.bytes.total
        yield "trace_keep_up", float(self._recorder.keeps)
        good, when = live.last_reload()
        yield "config_last_reload_successful", float(good)
        yield "config_last_reload_success_timestamp_seconds", when
        yield "start_time_seconds", self._started
        yield "build_info", {(self._version, platform.python_version()): 1}


def _counter(name: str, counts: Mapping[tuple[str, ...], int]) -> Metric:
    labels = NAMES[name]
    family = CounterMetricFamily(f"b2bua_{name}", HELP[name], labels=labels)
    others = {values: folded(name, values) for values in counts}
    shown, together = split(EXPECTED[name], counts, others, SERIES[name])
    for values in shown:
        family.add_metric([_label(value) for value in values], counts.get(values, 0))
    for values, rest in together.items():
        family.add_metric(list(values), sum(counts[one] for one in rest))
    return family


def _histogram(name: str, by_label: Mapping[str, Histogram]) -> Metric:
    labels, bounds = HISTOGRAMS[name]
    family = HistogramMetricFamily(f"b2bua_{name}", HELP[name], labels=labels)
    others = dict.fromkeys(by_label, OTHER)
    shown, together = split(EXPECTED_HISTOGRAMS.get(name, ("",)), by_label, others, SERIES.get(name, 1))
    for label in shown:
        _add(family, [_label(label)] if labels else [], [by_label.get(label) or Histogram(bounds)], bounds)
    for rest in together.values():
        _add(family, [OTHER] * len(labels), [by_label[label] for label in rest], bounds)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], parts: list[Histogram], bounds: Iterable[float]) -> None:
    counts = accumulate(map(sum, zip(*(part.counts for part in parts), strict=True)))
    buckets = list(zip([*map(str, bounds), "+Inf"], counts, strict=True))
    family.add_metric(labels, buckets, sum(part.total for part in parts))


def _gauge(name: str, values: float | Mapping[tuple[str, ...], float]) -> Metric:
    labels, text = GAUGES[name]
    family = GaugeMetricFamily(f"b2bua_{name}", text, labels=labels)
    for label, value in (values if isinstance(values, Mapping) else {(): values}).items():
        family.add_metric([_label(one) for one in label], value)
    return family


def _labelled(values: Mapping[str, int]) -> Mapping[tuple[str, ...], float]:
    return {(label,): value for label, value in values.items()}


def _label(value: str) -> str:
    """A label as UTF-8 can carry it: what a peer sent may hold surrogates for undecodable bytes."""
    return value.encode("utf-8", "replace").decode("utf-8")


class MetricsPage(Resource):
    """`GET /metrics`: text 0.0.4, or what the scraper's Accept prefers. The process's own `process_…` come along."""

    isLeaf = True

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def render_GET(self, request: Request) -> bytes:
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        request.setHeader(b"Content-Type", content_type.encode("ascii"))
        return encode(self._registry)
