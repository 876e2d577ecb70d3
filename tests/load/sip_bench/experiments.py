"""The experiments besides the table: repeated runs, and the highest good rate."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from sip_bench.measure import Measurement, measure, warm_up
from sip_bench.peers import RunningPeer
from sip_bench.settings import Bench

HIGHEST_STEPS = 14


def run_repeated(bench: Bench, peer: str, scenario: str, rate: float, seconds: float, repeats: int) -> None:
    """Print one line a run, then the median; latency is probed in the last run only."""
    runs: list[Measurement] = []
    with RunningPeer(bench, peer) as server:
        if repeats > 1:
            warm_up(bench, server, scenario, rate)
        for number in range(repeats):
            runs.append(measure(bench, server, scenario, rate, seconds, latency=number == repeats - 1))
            print(runs[-1].line(), runs[-1].detail(), flush=True)
    if repeats > 1:
        costs = sorted(run.cpu_ms * 1000 for run in runs)
        failed = sum(run.failed for run in runs)
        print(f"MEDIAN {peer} {scenario} {rate:g} cpu_us={statistics.median(costs):.0f} failed={failed} "
              f"# min={costs[0]:.0f} max={costs[-1]:.0f}", flush=True)  # fmt: skip


@dataclass
class RateSearch:
    """Which rate to try next: up by ``factor`` until a run is bad, then between the best and the worst."""

    rate: float
    factor: float
    best: float = 0.0
    bad: float | None = None

    def learn(self, good: bool) -> bool:
        """Take in the last run's result and set the next rate; False when the search is over."""
        if good:
            self.best = self.rate
        else:
            self.bad = self.rate
        if self.bad is None:
            self.rate = float(round(self.rate * self.factor))
        elif self.best and self.bad / self.best < 1.1:
            return False
        else:
            self.rate = float(round((self.best + self.bad) / 2 if self.best else self.rate / 1.5))
        return self.rate >= 5


def find_maximum(bench: Bench, peer: str, scenario: str, start: float, seconds: float, factor: float) -> None:
    """Print each step, the highest good rate, and latency at half of it. A server that failed is started anew."""
    search = RateSearch(start, factor)
    steps, going = 0, True
    while going and steps < HIGHEST_STEPS:
        with RunningPeer(bench, peer) as server:
            good = True
            while going and good and steps < HIGHEST_STEPS:
                run = measure(bench, server, scenario, search.rate, seconds, latency=False)
                print(run.line(), run.detail(), flush=True)
                good = run.good
                going = search.learn(good)
                steps += 1
    print(f"MAX {peer} {scenario} {search.best:g}", flush=True)
    if search.best >= 2:
        with RunningPeer(bench, peer) as server:
            run = measure(bench, server, scenario, float(round(search.best / 2)), 3)
        print("HALFMAX", run.line(), run.detail(), flush=True)
