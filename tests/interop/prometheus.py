"""A real Prometheus on loopback, with deploy/prometheus as it is but for the target's address and the pace."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.interop.server import HTTP_SECONDS, STOP_SECONDS, NotReached, Server, free_port, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "prometheus"
DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"
START_SECONDS: Final = 20.0
_WORDS: Final = frozenset(("and", "or", "unless", "on", "ignoring", "bool", "offset", "by", "without", "inf", "nan"))


class Prometheus:
    """One process with its own data directory. It scrapes and evaluates each second."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.target = f"{server.host}:{server.http_port}"
        self._address = f"{server.host}:{free_port(server.host, socket.SOCK_STREAM)}"
        self._log = directory / "prometheus.log"
        (directory / "prometheus.yml").write_text(_configuration(self.target))
        shutil.copy(FOLDER / "rules.yml", directory)
        argv = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
        argv.append(f"--web.listen-address={self._address}")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("Prometheus ready", self._ready, START_SECONDS)
        except BaseException:
            self.stop()
            print(self._log.read_text(errors="replace"))
            raise

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise NotReached(f"Prometheus ended with {self.process.returncode}")
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=HTTP_SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def _api(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}", timeout=HTTP_SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode(errors='replace')}") from None

    def query(self, expression: str) -> list[float]:
        """The values of an instant query, NaN among them; none where there is no data. A bad expression fails."""
        found = self._api("query?" + urllib.parse.urlencode({"query": expression}))
        return [float(sample["value"][1]) for sample in found["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus loaded it: `type`, `name`, `query`, `health`, for alerts `state`."""
        return [rule for group in self._api("rules")["groups"] for rule in group["rules"]]


def _configuration(target: str) -> str:
    text = (FOLDER / "prometheus.yml").read_text()
    for old, new in (("pbx:8080", target), ("scrape_interval: 15s", "scrape_interval: 1s"),
                     ("evaluation_interval: 15s", "evaluation_interval: 1s")):  # fmt: skip
        assert old in text, f"deploy/prometheus/prometheus.yml has no {old}"
        text = text.replace(old, new)
    return text


def selectors(expression: str) -> list[str]:
    """The series that an expression reads, each with its matchers: `b2bua_entity_up`, `up{job="b2bua"}`."""
    bare = re.sub(r"\[[^\]]*\]|\boffset +-?\w+|\b\w+ +(?:without|by) *\([^)]*\)", "", expression)
    found = re.findall(r"[a-zA-Z_:][\w:]*(?:\{[^}]*\})?(?![\w:]*\s*\()", bare)
    return [one for one in found if one not in _WORDS]


def panel_queries() -> Iterator[tuple[str, str]]:
    """(panel, expression) of every target of every panel of the dashboards, its template variables unreplaced."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        yield from queries(json.loads(path.read_text(encoding="utf-8"))["panels"])


def queries(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The same for a list of panels; those of a folded row are within it."""
    for panel in panels:
        yield from queries(panel.get("panels", []))
        for target in panel.get("targets", []):
            yield str(panel.get("title", "")), str(target["expr"])


def replaced(expression: str, target: str) -> str:
    """An expression of a panel as Grafana would send it: its own variables, and `instance` and `job` of ours."""
    values = {"__rate_interval": "1m", "__interval": "15s", "__range": "5m", "__range_s": "300", "__interval_ms": "15000"}
    values |= {"instance": target, "job": "b2bua"}

    def value(found: re.Match[str]) -> str:
        return values.get(found[1] or found[2], ".+")

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, expression)
