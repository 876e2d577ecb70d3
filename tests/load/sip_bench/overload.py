"""Overload: a server made slow on purpose is asked for a multiple of what it can do.

A feature burns CPU time for each new call, so that the capacity is small and known, and SIPp on the other core is never the
limit. Every call ends in one of three ways: completed, refused with 480, or failed: whatever else, a request of a standing
call that was not answered among them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sip_bench import processes
from sip_bench.load import SETTLE_SECONDS, Load, start_callee, start_caller
from sip_bench.measure import STATISTICS_SECONDS
from sip_bench.peers import RunningPeer
from sip_bench.settings import Bench, BenchError

BURNED_MS = 20.0
"""CPU time that each new call costs besides."""
TALK_MS = 2000
LOADS = (0.9, 2.0, 4.0)
"""Multiples of the sustainable rate."""
_STEP = 0.95
_LOWEST = 0.5

FEATURE = '''"""Burns CPU time for each new call, as a slow feature would."""

import time

from b2bua.feature_server.feature import Feature


class Burn(Feature):
    def call_offered(self, call, invite):
        until = time.thread_time() + {seconds}
        while time.thread_time() < until:
            pass
        return invite
'''


@dataclass(frozen=True)
class Outcome:
    """One run: calls a second, and the server's memory at its end."""

    offered: float
    completed: float
    refused: int
    failed: int
    retransmissions: int
    pss_kb: int


def run(bench: Bench, seconds: float) -> None:
    """Print the table: the sustainable rate, then what becomes of its multiples."""
    for line in table(bench, seconds):
        print(line, flush=True)


def table(bench: Bench, seconds: float) -> Iterator[str]:
    """The table's lines, each as soon as its run is over."""
    features = bench.run_dir / "features"
    features.mkdir(exist_ok=True)
    (features / "burn.py").write_text(FEATURE.format(seconds=BURNED_MS / 1000))
    settings = bench.run_dir / "overload.toml"
    settings.write_text('feature_directory = "features"\nfeatures = ["burn", "hold", "lamps"]\n')
    with RunningPeer(bench, "b2bua", ("--config", str(settings))) as server:
        sustainable = _sustainable(bench, server, seconds)
        yield f"{BURNED_MS:g} ms of CPU time burned for each new call; sustainable: {sustainable:.1f} calls a second"
        yield ""
        yield "| Load | Offered/s | Completed/s | Of the sustainable | Refused (480) | Failed | Sent again | Memory MB |"
        yield "|---|---|---|---|---|---|---|---|"
        for load in LOADS:
            outcome = _measure(bench, server, sustainable * load, seconds)
            yield (
                f"| {load:g} × | {outcome.offered:.1f} | {outcome.completed:.1f} | {100 * outcome.completed / sustainable:.0f} % "
                f"| {outcome.refused} | {outcome.failed} | {outcome.retransmissions} | {outcome.pss_kb / 1024:.0f} |"
            )


def _sustainable(bench: Bench, server: RunningPeer, seconds: float) -> float:
    """The highest rate, from what CPU time allows downwards, at which no call is refused and none fails."""
    before = processes.cpu_ticks(server.pid)
    calm = _measure(bench, server, 10.0, 4.0)
    if calm.refused or calm.failed:
        raise BenchError("calls fail at 10 a second already")
    cost = processes.cpu_ticks(server.pid).since(before).seconds / 40
    rate = 1 / cost
    for _ in range(10):
        rate *= _STEP
        outcome = _measure(bench, server, rate, seconds)
        if not outcome.refused and not outcome.failed:
            return rate
        if rate < _LOWEST / cost:
            break
    raise BenchError("no sustainable rate was found")


def _measure(bench: Bench, server: RunningPeer, rate: float, seconds: float) -> Outcome:
    calls = max(int(rate * seconds), 1)
    callee = start_callee(bench)
    try:
        caller = start_caller(bench, Load("overload_call", rate, calls, hold_ms=TALK_MS))
        total = caller.finish(calls / rate + SETTLE_SECONDS)
        time.sleep(STATISTICS_SECONDS)
        completed = callee.statistics().ok  # phone B sees no call that was refused
        pss = processes.pss_kb(server.pid)
    finally:
        callee.stop()
    return Outcome(rate, completed * rate / calls, total.ok - completed, calls - total.ok, total.retransmissions, pss)
