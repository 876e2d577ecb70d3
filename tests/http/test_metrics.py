"""What a scraper reads, checked by hand and by Prometheus' own tool."""

from __future__ import annotations

import subprocess
from collections import Counter

from twisted.web.resource import Resource

from b2bua.http.metrics import HELP, MetricsPage
from b2bua.observer import NAMES, Observer
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
        "b2bua_start_time_seconds 1.7000000005e+09",
        "b2bua_config_last_reload_successful 0.0",
        "b2bua_config_last_reload_success_timestamp_seconds 1.70000010025e+09",
    ):
        assert line in lines
    assert any(line.startswith("b2bua_build_info{") and 'version="1.2.3"' in line for line in lines)


def test_each_family_explains_itself_once_counted_or_not() -> None:
    assert HELP.keys() == NAMES.keys()
    lines = scrape(Observer(), Recorder(0, lambda: 0.0)).text.splitlines()
    families = Counter(line.split()[2] for line in lines if line.startswith("# HELP"))
    assert set(families.values()) == {1}
    assert families.keys() >= {f"b2bua_{name}_total" for name in NAMES}
    assert Counter(line.split()[2] for line in lines if line.startswith("# TYPE")) == families


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
