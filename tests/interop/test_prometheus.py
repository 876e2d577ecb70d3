"""A real Prometheus scrapes the server during and after held calls of SIPp phones: nothing in deploy/ asks in vain."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.interop.lab import Lab
from tests.interop.prometheus import Prometheus, panel_queries, queries, replaced, selectors
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, wait_until

HOST = "127.0.0.55"
LISTEN = (f"tcp:{HOST}",)
"""An alert looks at connections, too."""
CALLS = 4


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    started = Prometheus(tmp_path_factory.mktemp("prometheus"), server)
    lab = Lab(server, tmp_path_factory.mktemp("lab"))
    try:
        _held_calls(lab, started)
        yield started
    finally:
        lab.close()
        started.stop()


def _held_calls(lab: Lab, prometheus: Prometheus) -> None:
    """Four calls that are held, resumed and ended, one user watched, one busy; seen on the way by Prometheus."""
    wait_until("first scrape", lambda: bool(prometheus.query("b2bua_call_attempts_total")))
    caller, callee, watcher = lab.phones(3)
    lamp = lab.start(Caller(callee.user).subscribe().answer_notifies(), watcher)
    wait_until("first NOTIFY", lambda: bool(lamp.received("NOTIFY")))
    lab.call(caller, Caller(callee.user).invite().refused(486), callee, Callee().ring().refuse(486))
    far = lab.start(
        Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(),
        callee,
        calls=CALLS,
    )
    near = lab.start(
        Caller(callee.user).dial().pause(100).reinvite("sendonly").pause(5000).reinvite("sendrecv").pause(100).bye(),
        caller,
        calls=CALLS,
    )
    held = 'b2bua_calls_active{state="held"}'
    wait_until("held calls in Prometheus", lambda: prometheus.query(held) == [CALLS])
    assert prometheus.query("b2bua_calls_held_oldest_seconds > 0")
    near.finish()
    far.finish()
    wait_until("ended calls in Prometheus", lambda: prometheus.query("b2bua_call_duration_seconds_count") == [CALLS])


def has_data(prometheus: Prometheus, expression: str) -> bool:
    """Whether a query brings a sample; rates and recorded rules want a second scrape and evaluation."""
    wait_until(expression, lambda: bool(prometheus.query(expression)))
    return True


def settles(prometheus: Prometheus, expression: str, value: float) -> bool:
    """Whether a recorded rule comes to a value: it lags by an evaluation."""
    wait_until(f"{expression} is {value}", lambda: prometheus.query(expression) == [value])
    return True


def test_promtool_is_content_with_the_live_page(prometheus: Prometheus, server: Server) -> None:
    page = server.get("/metrics").encode()
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_calls_are_in_the_figures(prometheus: Prometheus) -> None:
    for expression, value in (
        ('b2bua_call_attempts_total{code="200"}', CALLS),
        ('b2bua_call_attempts_total{code="486"}', 1),
        ("sum(b2bua_call_attempts_total)", CALLS + 1),
        ('b2bua_calls_total{result="answered"}', CALLS),
        ('b2bua_calls_total{result="busy"}', 1),
        ('b2bua_reinvites_total{kind="hold", result="ok"}', CALLS),
        ('b2bua_reinvites_total{kind="resume", result="ok"}', CALLS),
        ("b2bua_call_setup_seconds_count", CALLS),
        ("b2bua_post_dial_delay_seconds_count", CALLS + 1),  # the busy one rang
        ("b2bua_register_seconds_count", 3),
        ("b2bua_store_op_seconds_count", 3),
        ('b2bua_transaction_seconds_count{method="BYE"}', CALLS),
        ("b2bua_registrations_active", 3),
        ('b2bua_calls_active{state="held"}', 0),
        ("b2bua_calls_held_oldest_seconds", 0),
        ('b2bua_entity_up{entity="cm"}', 1),
        ("b2bua_store_up", 1),
        ("b2bua_store_queue_depth", 0),
        ("b2bua_config_last_reload_successful", 1),
        ("abs(b2bua_config_last_reload_success_timestamp_seconds - b2bua_start_time_seconds) < bool 10", 1),
        ('up{job="b2bua"}', 1),
    ):
        assert prometheus.query(expression) == [value], expression
    for expression in (
        "b2bua_flows >= 3",
        "b2bua_entity_rtt_seconds > 0",
        "b2bua_notify_latency_seconds_count > 0",
        "b2bua_eventloop_lag_seconds_count > 20",
        "b2bua_gc_pause_seconds_count",
        "process_resident_memory_bytes > 0",
    ):
        assert prometheus.query(expression), expression


def test_every_recording_rule_has_data(prometheus: Prometheus) -> None:
    recording = [rule for rule in prometheus.rules() if rule["type"] == "recording"]
    assert len(recording) > 10
    for rule in recording:
        assert has_data(prometheus, rule["name"])
    assert {rule["health"] for rule in prometheus.rules()} == {"ok"}


def test_ratios_after_these_calls(prometheus: Prometheus) -> None:
    """The first of all calls came after the first scrape, so the rates saw each."""
    for name, value in (
        ("session_establishment:ratio_rate5m", CALLS / (CALLS + 1)),
        ("session_establishment_effectiveness:ratio_rate5m", 1.0),
        ("ineffective_session_attempts:ratio_rate5m", 0.0),
        ("answer_seizure:ratio_rate5m", CALLS / (CALLS + 1)),
        ("network_effectiveness:ratio_rate5m", 1.0),
        ("session_completion:ratio_rate1h", CALLS / (CALLS + 1)),
    ):
        assert settles(prometheus, f"round(b2bua:{name}, 0.001)", value)


def test_every_alert_reads_series_that_there_are(prometheus: Prometheus) -> None:
    """An alert on a name that does not exist never fires; which do is in rules_test.yml."""
    alerts = [rule for rule in prometheus.rules() if rule["type"] == "alerting"]
    assert len(alerts) > 10
    for rule in alerts:
        read = selectors(rule["query"])
        assert read, rule["query"]
        for selector in read:
            assert has_data(prometheus, selector)
        assert rule["state"] == "inactive", rule["name"]


def test_every_panel_has_data(prometheus: Prometheus) -> None:
    for _, expression in panel_queries():
        assert has_data(prometheus, replaced(expression, prometheus.target))


def test_how_expressions_are_read() -> None:
    query = 'b2bua:x:rate5m > 0.1 unless b2bua:x:rate5m <= 5 * avg_over_time(y{a="b"}[1h] offset 5m) and absent(up{job="j"})'
    assert selectors(query) == ["b2bua:x:rate5m", "b2bua:x:rate5m", 'y{a="b"}', 'up{job="j"}']
    assert selectors('sum without (what) (rate(x{a="b"}[5m])) > 0.1') == ['x{a="b"}']
    panel = 'rate(x{instance="$instance",job=~"${job:regex}",e=~"$entity"}[$__rate_interval])'
    assert replaced(panel, "h:1") == 'rate(x{instance="h:1",job=~"b2bua",e=~".+"}[1m])'


def test_panels_in_rows_are_read_too() -> None:
    inner = {"title": "b", "targets": [{"expr": "x"}, {"expr": "y"}]}
    panels = [{"title": "text only"}, {"type": "row", "panels": [inner]}, {"title": "c", "targets": [{"expr": "z"}]}]
    assert list(queries(panels)) == [("b", "x"), ("b", "y"), ("c", "z")]
