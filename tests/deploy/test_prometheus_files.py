"""deploy/prometheus by Prometheus' own tool, and against the table of metrics."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from b2bua.http.families import GAUGES
from b2bua.observer import HISTOGRAMS, NAMES

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    alerts = ALERT.findall((FOLDER / "rules.yml").read_text())
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:(| \[\])$", (FOLDER / "rules_test.yml").read_text(), re.MULTILINE)
    assert len(alerts) == len(set(alerts)) > 10
    assert {(name, fires) for name, fires in cases} == {(name, fires) for name in alerts for fires in ("", " []")}


def test_every_alert_is_explained() -> None:
    explained = re.findall(r"^\| `(B2bua\w+)` \|", (FOLDER.parent / "README.md").read_text(), re.MULTILINE)
    assert explained == ALERT.findall((FOLDER / "rules.yml").read_text())


def test_every_recording_rule_is_tested() -> None:
    rules = (FOLDER / "rules.yml").read_text()
    recorded = set(re.findall(r"- record: (\S+)$", rules, re.MULTILINE))
    used = set(re.findall(r"b2bua:[\w:]+", (FOLDER / "rules_test.yml").read_text()))
    in_alerts = set(re.findall(r"b2bua:[\w:]+", rules.partition("name: b2bua_alerts")[2]))
    assert recorded == used | in_alerts


def test_the_rules_name_metrics_that_there_are() -> None:
    named = set(re.findall(r"\bb2bua_[a-z0-9_]+(?=[{\[ )<=]|$)", (FOLDER / "rules.yml").read_text(), re.MULTILINE))
    named -= {"b2bua_ratios", "b2bua_delays", "b2bua_traffic", "b2bua_alerts"}
    known = {f"b2bua_{name}_total" for name in NAMES} | {f"b2bua_{name}" for name in GAUGES}
    known |= {f"b2bua_{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
    assert len(named) > 15 and named <= known
