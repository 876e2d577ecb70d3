"""The side-by-side table: peers in turn, several times over, and medians as Markdown."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from sip_bench.measure import FAILED_SHARE, Measurement, measure, warm_up
from sip_bench.peers import RunningPeer
from sip_bench.probe import percentile
from sip_bench.settings import Bench

HEAD = (
    "| Scenario | Server | CPU ms per call (min to max) | Ratio | Calls | Failed | Retransmissions uac/uas "
    "| p50 / p99 ms | Memory MiB |"
)
RULE = "|---|---|---:|---:|---:|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Plan:
    """What to run: every scenario ``pairs`` times against each peer in turn (K, B, K, B, ...)."""

    peers: tuple[str, ...]
    scenarios: tuple[str, ...]
    rate: float
    seconds: float
    pairs: int

    @property
    def reference(self) -> str:
        """The peer with ratio 1: the first Kamailio, or the first peer."""
        return next((name for name in self.peers if name.startswith("kamailio")), self.peers[0])


Rounds = dict[str, list[Measurement]]
"""Measurements of one scenario by peer, in the order of the rounds."""


def collect(bench: Bench, plan: Plan, scenario: str) -> Rounds:
    """Run one scenario: each peer freshly started and warmed up each time; a line of progress a run on stderr."""
    rounds: Rounds = {name: [] for name in plan.peers}
    for number in range(plan.pairs):
        for name in plan.peers:
            with RunningPeer(bench, name) as server:
                warm_up(bench, server, scenario, plan.rate)
                run = measure(bench, server, scenario, plan.rate, plan.seconds)
            rounds[name].append(run)
            print(f"{number + 1}/{plan.pairs} {run.line()} {run.detail()}", file=sys.stderr, flush=True)
    return rounds


def render(plan: Plan, results: dict[str, Rounds]) -> str:
    """The Markdown table with a caption and a line for each row that does not count."""
    rows = [HEAD, RULE]
    warnings = []
    for scenario, rounds in results.items():
        for name, runs in rounds.items():
            rows.append(_row(scenario, name, runs, rounds[plan.reference]))
            if complaint := _complaint(scenario, name, runs):
                warnings.append(complaint)
    rounds_text = f"{plan.pairs} rounds of {plan.seconds:g} s, servers in turn, at {plan.rate:g} calls/s."
    caption = (
        f"{rounds_text} CPU, times and memory: medians of the rounds; ratio: median of the ratios to "
        f"{plan.reference} of the same round; calls, failed, retransmissions: sums. "
        "p50 / p99: INVITE with credentials to 180 (REGISTER: to 200). Memory: Pss of all processes at the end."
    )
    return "\n".join([*rows, "", caption, *warnings])


def trustworthy(results: dict[str, Rounds]) -> bool:
    """Whether no peer failed more than 0.1 % of its calls."""
    return not any(_too_many_failed(runs) for rounds in results.values() for runs in rounds.values())


def _row(scenario: str, name: str, runs: list[Measurement], reference: list[Measurement]) -> str:
    costs = [run.cpu_ms for run in runs if run.uac.ok] or [float("nan")]
    ratios = [mine.cpu_ms / theirs.cpu_ms for mine, theirs in zip(runs, reference, strict=True) if theirs.cpu_ms]
    p50 = _median(percentile(run.latencies.goal, 0.5) for run in runs)
    p99 = _median(percentile(run.latencies.goal, 0.99) for run in runs)
    cells = [
        scenario,
        name,
        f"{_number(_median(costs), 3)} ({_number(min(costs), 3)} to {_number(max(costs), 3)})",
        _number(_median(ratios), 2),
        str(sum(run.calls for run in runs)),
        str(sum(run.failed for run in runs)),
        f"{sum(run.uac.retransmissions for run in runs)}/{sum(run.uas.retransmissions for run in runs)}",
        f"{_number(p50, 2)} / {_number(p99, 2)}",
        _number(_median(run.pss_kb / 1024 for run in runs), 1),
    ]
    return "| " + " | ".join(cells) + " |"


def _complaint(scenario: str, name: str, runs: list[Measurement]) -> str:
    if _too_many_failed(runs):
        return f"**{name}, {scenario}: more than 0.1 % of the calls failed; its figures do not count.**"
    if not all(run.good for run in runs):
        return f"{name}, {scenario}: over 1 % retransmissions, or SIPp could not hold the rate; judge with care."
    return ""


def _too_many_failed(runs: list[Measurement]) -> bool:
    return sum(run.failed for run in runs) > FAILED_SHARE * sum(run.calls for run in runs)


def _median(values: Iterable[float]) -> float:
    """The median of what was measured (NaN left out)."""
    measured = [value for value in values if not math.isnan(value)]
    return statistics.median(measured) if measured else float("nan")


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
