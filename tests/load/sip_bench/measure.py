"""One measurement: a CPU phase with SIPp alone, then a latency phase with the same load and the probe beside it.

CPU time is taken from just before the first call to just after the last; what a server puts off to later (timers that
linger for 32 s) is not counted. It is divided by the calls that succeeded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sip_bench import processes
from sip_bench.load import SETTLE_SECONDS, Load, SippRun, Statistics, start_callee, start_caller
from sip_bench.peers import RunningPeer
from sip_bench.probe import Latencies, percentile, watch
from sip_bench.settings import Bench

PROBE_SECONDS = 5.0
WARM_UP_SECONDS = 2.0
STATISTICS_SECONDS = 1.2
"""SIPp writes its statistics every second."""
FAILED_SHARE = 0.001
RETRANSMITTED_SHARE = 0.01


@dataclass(frozen=True)
class Measurement:
    """What one run against one peer gave."""

    peer: str
    scenario: str
    rate: float
    calls: int
    """Calls asked for."""
    uac: Statistics
    uas: Statistics
    cpu: processes.Ticks
    wall: float
    """Seconds from the first call to the end of the last."""
    datagrams: int
    pss_kb: int
    """Memory at the end of the CPU phase."""
    latencies: Latencies = field(default_factory=Latencies)

    @property
    def failed(self) -> int:
        """Calls that did not succeed, those not even begun included."""
        return self.calls - self.uac.ok

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the server for each successful call; NaN when none succeeded."""
        return self.cpu.seconds * 1000 / self.uac.ok if self.uac.ok else float("nan")

    @property
    def good(self) -> bool:
        """At most 0.1 % failed, at most 1 % sent again, and SIPp held the rate."""
        retransmitted = max(self.uac.retransmissions, self.uas.retransmissions)
        held = self.wall <= self.calls / self.rate * 1.15 + 2
        return self.failed <= FAILED_SHARE * self.calls and retransmitted <= RETRANSMITTED_SHARE * self.calls and held

    def line(self) -> str:
        """``peer scenario rate calls ok failed cpu_us_per_call rss_kb p50_ms p99_ms``."""
        goal = self.latencies.goal
        return (
            f"{self.peer} {self.scenario} {self.rate:g} {self.uac.calls} {self.uac.ok} {self.failed} "
            f"{self.cpu_ms * 1000:.0f} {self.pss_kb} {percentile(goal, 0.5):.2f} {percentile(goal, 0.99):.2f}"
        )

    def detail(self) -> str:
        """Further figures, for a reader who asks why."""
        first = self.latencies.first
        return (
            f"# retrans={self.uac.retransmissions}/{self.uas.retransmissions} wall={self.wall:.1f}s "
            f"util={100 * self.cpu.seconds / self.wall:.0f}% "
            f"sys={100 * self.cpu.system / max(1, self.cpu.user + self.cpu.system):.0f}% "
            f"msgs/call={self.datagrams / max(1, self.uac.ok):.1f} "
            f"first_p50={percentile(first, 0.5):.2f} first_p99={percentile(first, 0.99):.2f} "
            f"probes={len(self.latencies.goal)} lost={self.latencies.lost}"
        )


def measure(
    bench: Bench,
    server: RunningPeer,
    scenario: str,
    rate: float,
    seconds: float,
    *,
    latency: bool = True,
    standing: SippRun | None = None,
) -> Measurement:
    """Measure one scenario at ``rate`` calls a second for ``seconds``. Raises BenchError when SIPp cannot work.

    ``standing``: the phone B that is there already and stays, with calls that stand on it.
    """
    load = Load(scenario, rate, max(1, round(rate * seconds)), "reg_a" if scenario == "register" else "calls")
    callee = standing or (None if scenario == "register" else start_callee(bench))
    already = standing.statistics() if standing else Statistics()
    try:
        before, begin, datagrams = processes.cpu_ticks(server.pid), time.monotonic(), processes.datagrams_received()
        uac = start_caller(bench, load).finish(seconds + SETTLE_SECONDS)
        wall, cpu = time.monotonic() - begin, processes.cpu_ticks(server.pid).since(before)
        datagrams = processes.datagrams_received() - datagrams
        memory = processes.pss_kb(server.pid)
        time.sleep(STATISTICS_SECONDS if callee else 0)
        uas = callee.statistics().since(already) if callee else Statistics()
        latencies = _latency_phase(bench, load) if latency else Latencies()
    finally:
        if callee and not standing:
            callee.stop()
    return Measurement(server.peer.name, scenario, rate, load.calls, uac, uas, cpu, wall, datagrams, memory, latencies)


def _latency_phase(bench: Bench, load: Load) -> Latencies:
    """The probe runs from one second after SIPp's start to one second before its last call."""
    calls = max(1, round(load.rate * (PROBE_SECONDS + 2)))
    run = start_caller(bench, Load(load.scenario, load.rate, calls, load.injection, tag="uac-probe"))
    try:
        time.sleep(1)
        with processes.pinned(bench.load_cpu):
            latencies = watch(bench, load.scenario, PROBE_SECONDS)
        run.finish(SETTLE_SECONDS)
    finally:
        run.kill()
    return latencies


def warm_up(bench: Bench, server: RunningPeer, scenario: str, rate: float) -> None:
    """A short run that is thrown away: caches, pools and lazy imports are filled."""
    measure(bench, server, scenario, rate, WARM_UP_SECONDS, latency=False)
