"""Grafana's dashboards: whole, laid out, and asking for nothing that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from b2bua.observer import Observer
from b2bua.trace.recorder import Recorder
from tests.http.live import server_metrics

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
WIDTH = 24
OF_OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Prometheus' own, and its client's."""
_METRIC = re.compile(r"(?<![\w:$.\"])(?:b2bua[_:][\w:]+|process_\w+|up|ALERTS)(?![\w:]|\s*\(|\s*[=!]~?\")")


def known() -> set[str]:
    """Every name that an expression may have: the server's series and the recording rules."""
    parts = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    families = server_metrics(Observer(), Recorder(1, lambda: 0.0)).collect()
    ours = {family.name + part for family in families for part in parts[family.type]}
    recorded = set(re.findall(r"^ +- record: (\S+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(recorded) > 5
    return ours | recorded | OF_OTHERS


def dashboard(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def panels(path: Path) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard(path)["panels"] if panel["type"] != "row")


def expressions(path: Path) -> list[str]:
    asked = [target["expr"] for panel in panels(path) for target in panel["targets"]]
    return asked + [each["expr"] for each in dashboard(path)["annotations"]["list"]]


def metrics(expression: str) -> set[str]:
    return set(_METRIC.findall(re.sub(r'"[^"]*"', '""', expression)))


def test_there_are_dashboards() -> None:
    assert {path.stem for path in DASHBOARDS} == {
        "overview", "calls_and_hold", "registrations_and_authentication", "lamps_and_events", "engine",
    }  # fmt: skip
    assert len({dashboard(path)["uid"] for path in DASHBOARDS}) == len(DASHBOARDS)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_a_source_and_asks_it_something(path: Path) -> None:
    source = re.search(r"^    uid: (\S+)$", (GRAFANA / "provisioning/datasources/prometheus.yml").read_text(), re.MULTILINE)
    assert source and dashboard(path)["uid"] and dashboard(path)["title"]
    wanted = {"type": "prometheus", "uid": source[1]}
    ids = [panel["id"] for panel in dashboard(path)["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(path):
        assert panel["datasource"] == wanted and panel["title"] and panel["description"].endswith(".")
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == wanted and target["expr"].strip()
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_metric_asked_for_exists(path: Path) -> None:
    names = known()
    for expression in expressions(path):
        assert metrics(expression), expression
        assert metrics(expression) <= names, expression


def test_a_metric_that_does_not_exist_would_be_seen() -> None:
    asked = 'sum by (up) (rate(b2bua_notices_total{b2bua_x="b2bua_y"}[5m])) / b2bua:nothing:ratio or up'
    assert metrics(asked) - known() == {"b2bua_notices_total", "b2bua:nothing:ratio"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_panel_covers_another(path: Path) -> None:
    places = [panel["gridPos"] for panel in dashboard(path)["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )  # fmt: skip
        assert apart, (one, other)


def test_what_people_look_for_is_there() -> None:
    asked = {name for path in DASHBOARDS for expression in expressions(path) for name in metrics(expression)}
    assert asked >= {
        "b2bua_calls_active", "b2bua_registrations_active", "b2bua_responses_total", "b2bua_requests_total",
        "b2bua_reinvites_total", "b2bua:notify_latency_seconds:p95_5m", "b2bua_publish_total", "b2bua_notify_total",
        "b2bua:call_setup_seconds:p95_5m", "b2bua:session_request_delay_seconds:p95_5m", "b2bua:answer_seizure:ratio_rate5m",
        "b2bua:network_effectiveness:ratio_rate5m", "b2bua:session_establishment:ratio_rate5m",
        "b2bua:retransmissions:ratio_rate5m", "b2bua_auth_challenges_total", "b2bua_auth_results_total",
        "b2bua:eventloop_lag_seconds:p99_5m", "b2bua_gc_pause_seconds_bucket", "b2bua_store_up", "process_cpu_seconds_total",
        "process_resident_memory_bytes",
    }  # fmt: skip
