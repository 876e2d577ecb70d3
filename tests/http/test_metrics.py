"""What a scraper reads, checked by hand and by Prometheus' own tool."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable

from twisted.web.resource import Resource

from b2bua.config.addresses import KNOWN_TRANSPORTS
from b2bua.config.events import EVENT_PACKAGES
from b2bua.http.families import EXPECTED, EXPECTED_HISTOGRAMS, GAUGES, HELP, SERIES
from b2bua.http.label_sets import folded
from b2bua.http.metrics import MetricsPage
from b2bua.observer import CODES, HISTOGRAMS, METHODS, NAMES, Observer
from b2bua.trace.recorder import Recorder
from tests.http.live import server_metrics
from tests.http.requests import FakeRequest
from tests.trace.hand_made import FakeFlow


def busy() -> tuple[Observer, Recorder]:
    observer, recorder = Observer(), Recorder(5, lambda: 1.0)
    observer.requests["in", "INVITE", "udp"] += 2
    observer.responses["out", "INVITE", "407"] += 1
    observer.challenge_sent("INVITE", 407, in_dialog=True)
    observer.notified('dia"log\\\udce9', 200)
    recorder.received(FakeFlow(("192.0.2.1", 5060)), b"x")
    recorder.dropped = 7
    for seconds in (0.004, 0.005, 0.3, 100.0):
        observer.transaction_answered("INVITE", seconds)
    observer.store_written(0.003)
    return observer, recorder


def scrape(observer: Observer, recorder: Recorder, **headers: str) -> FakeRequest:
    request = FakeRequest("/metrics", **headers)
    page: Resource = MetricsPage(server_metrics(observer, recorder))
    request.render(page)
    return request


def test_figures() -> None:
    lines = scrape(*busy()).text.splitlines()
    for line in (
        'b2bua_requests_total{direction="in",method="INVITE",transport="udp"} 2.0',
        'b2bua_responses_total{code="407",direction="out",method="INVITE"} 1.0',
        'b2bua_auth_challenges_total{code="407",in_dialog="true",method="INVITE"} 1.0',
        'b2bua_notify_total{code="200",event="dia\\"log\\\\?"} 1.0',
        "b2bua_registrations_active 2.0",
        'b2bua_contacts{transport="udp"} 3.0',
        'b2bua_calls_active{state="early"} 0.0',
        'b2bua_calls_active{state="confirmed"} 0.0',
        'b2bua_calls_active{state="held"} 1.0',
        'b2bua_subscriptions_active{event="dialog"} 4.0',
        "b2bua_trace_dropped_total 7.0",
        "b2bua_trace_messages 1.0",
        "b2bua_trace_keep_up 1.0",
        "b2bua_start_time_seconds 1.7000000005e+09",
        'b2bua_transaction_seconds_bucket{le="0.005",method="INVITE"} 2.0',
        'b2bua_transaction_seconds_bucket{le="0.1",method="INVITE"} 2.0',
        'b2bua_transaction_seconds_bucket{le="0.5",method="INVITE"} 3.0',
        'b2bua_transaction_seconds_bucket{le="32.0",method="INVITE"} 3.0',
        'b2bua_transaction_seconds_bucket{le="+Inf",method="INVITE"} 4.0',
        'b2bua_transaction_seconds_count{method="INVITE"} 4.0',
        'b2bua_transaction_seconds_count{method="BYE"} 0.0',
        "b2bua_store_op_seconds_sum 0.003",
        'b2bua_flows{transport="udp"} 5.0',
        "b2bua_calls_held_oldest_seconds 12.5",
        'b2bua_entity_up{entity="cm"} 1.0',
        'b2bua_entity_up{entity="far"} 0.0',
        'b2bua_entity_rtt_seconds{entity="cm"} 0.25',
        "b2bua_sources_banned 7.0",
        "b2bua_admitted_share 0.25",
        "b2bua_store_up 1.0",
        "b2bua_store_queue_depth 6.0",
        "b2bua_config_last_reload_successful 0.0",
        "b2bua_config_last_reload_success_timestamp_seconds 1.70000010025e+09",
    ):
        assert line in lines
    assert any(line.startswith("b2bua_build_info{") and 'version="1.2.3"' in line for line in lines)


def test_each_family_explains_itself_once_counted_or_not() -> None:
    assert HELP.keys() == {*NAMES, "trace_dropped", *HISTOGRAMS}
    lines = scrape(Observer(), Recorder(0, lambda: 0.0)).text.splitlines()
    families = Counter(line.split()[2] for line in lines if line.startswith("# HELP"))
    assert set(families.values()) == {1}
    ours = {f"b2bua_{name}_total" for name in (*NAMES, "trace_dropped")} | {f"b2bua_{name}" for name in (*HISTOGRAMS, *GAUGES)}
    assert {name for name in families if not name.startswith("process_")} == ours
    assert Counter(line.split()[2] for line in lines if line.startswith("# TYPE")) == families


def test_every_family_of_ours_has_a_sample_from_the_start() -> None:
    """A rate sees the first event only where a 0 was before it; a panel without a series shows an error."""
    lines = scrape(Observer(), Recorder(0, lambda: 0.0)).text.splitlines()
    sampled = {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}
    assert {f"b2bua_{name}_total" for name in NAMES} <= sampled
    assert {f"b2bua_{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")} <= sampled
    assert {f"b2bua_{name}" for name in GAUGES} <= sampled


def test_the_tables_fit_each_other() -> None:
    assert EXPECTED.keys() == NAMES.keys()
    for name, labels in EXPECTED.items():
        assert all(len(values) == len(NAMES[name]) for values in labels), name
        assert len(set(labels)) == len(labels) <= SERIES[name], name
    labelled = {name for name, (labels, _) in HISTOGRAMS.items() if labels}
    assert EXPECTED_HISTOGRAMS.keys() == labelled
    assert SERIES.keys() == NAMES.keys() | labelled
    assert GAUGES.keys().isdisjoint(HISTOGRAMS)


def test_a_package_that_is_served_has_its_first_zero() -> None:
    assert {event for event, _ in EXPECTED["notify"]} == set(EVENT_PACKAGES)


def test_a_transport_keeps_its_name_beyond_those_that_are_shown() -> None:
    for transport in KNOWN_TRANSPORTS:
        assert folded("requests", ("in", "INVITE", transport))[2] == transport


def flood(observer: Observer) -> None:
    """Every label that any verb can be given, and more than a peer could cause."""
    for name, labels in NAMES.items():
        for number in range(2000):
            observer.counts[name][(f"{number:04}",) * len(labels)] += 1
    for name, (labels, _) in HISTOGRAMS.items():
        for number in range(40 if labels else 1):
            observer.histograms[name][f"{number:04}" if labels else ""].observe(1.0)


def test_at_most_500_series_and_nothing_lost() -> None:
    observer = Observer()
    flood(observer)
    lines = [line for line in scrape(observer, Recorder(5, lambda: 0.0)).text.splitlines() if not line.startswith("#")]
    assert len(lines) <= 500 - 20  # gauges of further transports and feature servers
    figures = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
    for name in NAMES:
        assert sum(value for series, value in figures.items() if series.startswith(f"b2bua_{name}_total")) == 2000
    assert figures['b2bua_transaction_seconds_count{method="other"}'] > 1
    assert sum(value for series, value in figures.items() if series.startswith("b2bua_transaction_seconds_count")) == 40
    assert figures['b2bua_transaction_seconds_bucket{le="+Inf",method="other"}'] > 1


def every_transport(observer: Observer) -> None:
    """What a busy server with every transport counts, rare methods and statuses last."""
    for transport in ("memory", "udp", "tcp", "tls", "ws", "wss"):
        for method in sorted(METHODS):
            for direction in ("in", "out"):
                observer.requests[direction, method, transport] += 1
    for method in sorted(METHODS):
        for code in CODES.values():
            for direction in ("in", "out"):
                observer.responses[direction, method, code] += 1


def sums(lines: Iterable[str], family: str, label: str) -> Counter[str]:
    """What a family adds up to by the values of one label."""
    found: Counter[str] = Counter()
    for line in lines:
        if line.startswith(family + "{"):
            labels, _, figure = line.partition("} ")
            found[labels.partition(f'{label}="')[2].partition('"')[0]] += int(float(figure))
    return found


def test_the_truth_is_told_with_every_transport_on() -> None:
    """What is not shown by itself is still counted under its direction and transport, and its direction and class."""
    observer = Observer()
    every_transport(observer)
    flood(observer)
    lines = [line for line in scrape(observer, Recorder(5, lambda: 0.0)).text.splitlines() if not line.startswith("#")]
    assert len(lines) <= 500 - 20
    methods, flooded = len(METHODS), {"other": 2000}
    by_transport = sums(lines, "b2bua_requests_total", "transport")
    assert by_transport == dict.fromkeys(("memory", "udp", "tcp", "tls", "ws", "wss"), 2 * methods) | flooded
    assert sums(lines, "b2bua_requests_total", "direction") == {"in": 6 * methods, "out": 6 * methods} | flooded
    codes = sums(lines, "b2bua_responses_total", "code")
    for first in "123456":
        assert sum(figure for code, figure in codes.items() if code[0] == first) == 200 * methods
    assert codes["401"] == codes["407"] == 2 * methods  # an answered challenge is no failure


def test_no_series_stands_twice() -> None:
    """A method may be called `other` by itself, and what overflows is, too."""
    observer = Observer()
    observer.transaction_answered("MADE-UP", 1.0)
    observer.overload_rejected("other")
    observer.requests["in", "other", "wss"] += 1
    every_transport(observer)
    flood(observer)
    lines = scrape(observer, Recorder(0, lambda: 0.0)).text.splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    counts = [line for line in lines if line.startswith("b2bua_transaction_seconds_count")]
    assert sum(float(line.rpartition(" ")[2]) for line in counts) == 41


def test_a_series_once_shown_stays() -> None:
    """What overflows is the newest: a counter that vanished would look like a restart."""
    observer = Observer()
    observer.responses["in", "INVITE", "486"] += 1
    before = {line.partition(" ")[0] for line in scrape(observer, Recorder(0, lambda: 0.0)).text.splitlines()}
    flood(observer)
    after = {line.partition(" ")[0] for line in scrape(observer, Recorder(0, lambda: 0.0)).text.splitlines()}
    assert before <= after


def test_format_by_accept() -> None:
    assert scrape(*busy()).content_type == "text/plain; version=0.0.4; charset=utf-8"
    answer = scrape(*busy(), accept="application/openmetrics-text; version=1.0.0, text/plain")
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_promtool_is_content() -> None:
    for observer, recorder in (busy(), (Observer(), Recorder(0, lambda: 0.0))):
        text = scrape(observer, recorder).text.encode()
        command = ["promtool", "check", "metrics"]
        done = subprocess.run(command, input=text, capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
