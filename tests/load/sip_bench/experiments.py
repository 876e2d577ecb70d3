"""The experiments besides the table: repeated runs, the highest good rate, memory for each standing call."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from sip_bench import processes
from sip_bench.load import SETTLE_SECONDS, Load, start_callee, start_caller
from sip_bench.measure import Measurement, measure, warm_up
from sip_bench.peers import RunningPeer
from sip_bench.settings import SECOND_CALLER, Bench, BenchError

MEMORY_SETTLE_SECONDS = 10.0
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


def measure_memory(bench: Bench, peer: str, rate: float, first: int, second: int, hold_seconds: float) -> None:
    """Print the memory with no call, ``first`` and ``second`` standing calls, and after their end."""
    if not 0 < first < second:
        raise BenchError("mem needs 0 < N1 < N2", status=2)
    needed = second / rate + 2 * MEMORY_SETTLE_SECONDS
    if hold_seconds < needed:
        raise BenchError(f"mem: calls must stand for {needed:.0f} s or more (the last argument)", status=2)
    with RunningPeer(bench, peer) as server:
        callee = start_callee(bench)
        try:
            sizes, ok = _memory_steps(bench, server.pid, rate, (first, second), hold_seconds)
        finally:
            callee.stop()
    base, at_first, at_second, after = sizes
    print(f"MEM {peer} base_kb={base} at_{first}_kb={at_first} at_{second}_kb={at_second} after_kb={after} "
          f"ok={ok}/{second} kb_per_call={(at_second - at_first) / (second - first):.2f}", flush=True)  # fmt: skip


def _memory_steps(
    bench: Bench, pid: int, rate: float, calls: tuple[int, int], hold_seconds: float
) -> tuple[list[int], int]:
    """Sizes in KiB at the four moments, and the calls that succeeded."""
    hold_ms = int(hold_seconds * 1000)
    time.sleep(2)
    sizes = [processes.pss_kb(pid)]
    runs = [start_caller(bench, Load("basic_call", rate, calls[0], hold_ms=hold_ms))]
    try:
        time.sleep(calls[0] / rate + MEMORY_SETTLE_SECONDS)
        sizes.append(processes.pss_kb(pid))
        more = calls[1] - calls[0]
        load = Load("basic_call", rate, more, tag="uac2", local=SECOND_CALLER, hold_ms=hold_ms)
        runs.append(start_caller(bench, load))
        time.sleep(more / rate + MEMORY_SETTLE_SECONDS)
        sizes.append(processes.pss_kb(pid))
        ok = sum(run.finish(hold_seconds + SETTLE_SECONDS).ok for run in runs)
    finally:
        for run in runs:
            run.kill()
    time.sleep(5)
    sizes.append(processes.pss_kb(pid))
    return sizes, ok
