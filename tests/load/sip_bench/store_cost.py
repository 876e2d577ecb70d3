"""What a durable store costs: the same server with it and without, in turn, at the same rates."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from sip_bench.measure import Measurement
from sip_bench.probe import percentile
from sip_bench.settings import Bench, BenchError
from sip_bench.table import Plan, collect, trustworthy

SCENARIO = "hold_call"
DURABLE = {"b2bua": "sqlite", "compiled": "compiled-sqlite"}
"""Peer → the same with a durable store."""
COSTS_AT_MOST = 1.25
"""CPU of a hold call with the store, of that without."""
LATER_AT_MOST_MS = 5.0
"""By which the median answer comes later at the highest rate."""

HEAD = (
    "| Calls/s | Server | CPU ms per hold call, `memory:` | `sqlite:` | Ratio (least to most) | p50 ms to 180, `memory:` "
    "| `sqlite:` | Failed |"
)
RULE = "|---:|---|---:|---:|---:|---:|---:|---:|"


@dataclass(frozen=True)
class StoreCost:
    """The rounds of one server at one rate, without the store and with it."""

    peer: str
    rate: float
    without: list[Measurement]
    durable: list[Measurement]

    @property
    def ratios(self) -> list[float]:
        """Round by round."""
        pairs = zip(self.without, self.durable, strict=True)
        return [durable.cpu_ms / without.cpu_ms for without, durable in pairs if without.cpu_ms]

    @property
    def medians(self) -> tuple[float, float]:
        """The median answer of the rounds in ms, without and with."""
        return _median_answer(self.without), _median_answer(self.durable)

    def row(self) -> str:
        """A line under HEAD."""
        costs = [_median([run.cpu_ms for run in runs]) for runs in (self.without, self.durable)]
        ratio = f"{statistics.median(self.ratios):.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})"
        failed = sum(run.failed for run in (*self.without, *self.durable))
        cells = [f"{self.rate:g}", self.peer, *(f"{cost:.2f}" for cost in costs), ratio]
        return "| " + " | ".join([*cells, *(f"{median:.1f}" for median in self.medians), str(failed)]) + " |"

    def complaint(self) -> str:
        """What is above a limit, or does not count; "" when all is well."""
        name = f"{self.peer} at {self.rate:g} calls/s"
        if not trustworthy({SCENARIO: {"without": self.without, "durable": self.durable}}):
            return f"**{name}: more than 0.1 % of the calls failed; its figures do not count.**"
        without, durable = self.medians
        found = []
        if (ratio := statistics.median(self.ratios)) > COSTS_AT_MOST:
            found.append(f"{ratio:.2f} times the CPU, more than {COSTS_AT_MOST:g}")
        if durable - without > LATER_AT_MOST_MS:
            found.append(f"{durable - without:.1f} ms later, more than {LATER_AT_MOST_MS:g}")
        return f"**{name}: {', '.join(found)}.**" if found else ""


def measure_cost(bench: Bench, peer: str, rate: float, seconds: float, pairs: int) -> StoreCost:
    """It runs so many times with each store, in turn; BenchError for any but our own two."""
    if peer not in DURABLE:
        raise BenchError(f"{peer} has no durable store: {' or '.join(DURABLE)}", status=2)
    durable = DURABLE[peer]
    rounds = collect(bench, Plan((peer, durable), (SCENARIO,), rate, seconds, pairs), SCENARIO)
    return StoreCost(peer, rate, rounds[peer], rounds[durable])


def _median_answer(runs: list[Measurement]) -> float:
    return _median([percentile(run.latencies.goal, 0.5) for run in runs])


def _median(values: list[float]) -> float:
    measured = [value for value in values if not math.isnan(value)]
    return statistics.median(measured) if measured else float("nan")
