"""Standing calls: what each takes in memory, what is left of it afterwards, and whether another call costs more beside them."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass

from sip_bench import processes
from sip_bench.load import SETTLE_SECONDS, Load, SippRun, Statistics, start_callee, start_caller
from sip_bench.measure import STATISTICS_SECONDS, Measurement, measure
from sip_bench.peers import RunningPeer
from sip_bench.settings import SECOND_CALLER, Address, Bench, BenchError

FILL_CALLS = 2000
"""Calls before the first look: caches, pools and the trace's ring are full then."""
LINGER_SECONDS = 36.0
"""After so long no transaction of a call that was set up, or has ended, is left (RFC 3261: 64·T1, and some)."""
BESIDE_RATE = 100.0
BESIDE_SECONDS = 10.0
"""The hold calls whose cost is taken with and without the standing ones."""
BESIDE_LIMIT = 25.0
"""What they may take, start and statistics included; the standing calls stand for so much longer."""
_PAUSES = re.compile(r'^b2bua_gc_pause_seconds_bucket\{le="([^"]+)"\} ([0-9.e+]+)$', re.MULTILINE)
_STANDING = re.compile(r"^b2bua_calls_active(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)

HEAD = (
    "| Server | Standing calls | RSS / USS MiB before | standing | after | Bytes a standing call, RSS / USS | left of it after "
    "| Longest collection | CPU ms per hold call before / beside | Failed | Retransmissions uac/uas |"
)
RULE = "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Standing:
    """What one run gave."""

    peer: str
    calls: int
    seen: int | None
    """Standing calls that the server itself counts; None where it does not."""
    before: processes.Memory
    during: processes.Memory
    after: processes.Memory
    alone: Measurement
    beside: Measurement
    uac: Statistics
    uas: Statistics
    pause: str
    """Upper bound of the longest garbage collection, as text; "-" where there is none."""

    @property
    def failed(self) -> int:
        """Calls of all kinds that did not succeed."""
        return self.calls - self.uac.ok + self.alone.failed + self.beside.failed

    def row(self) -> str:
        """A line under HEAD."""
        rss, uss = ((there - was) * 1024 / self.calls for was, there in zip(self.before[:2], self.during[:2], strict=True))
        left = [(there - was) * 1024 / self.calls for was, there in zip(self.before[:2], self.after[:2], strict=True)]
        again = self.uac.retransmissions + self.alone.uac.retransmissions + self.beside.uac.retransmissions
        cells = [
            self.peer,
            f"{self.calls}" if self.seen in (None, self.calls) else f"{self.calls} ({self.seen} counted)",
            *(f"{memory.rss / 1024:.1f} / {memory.uss / 1024:.1f}" for memory in (self.before, self.during, self.after)),
            f"{rss:.0f} / {uss:.0f}",
            f"{left[0]:.0f} / {left[1]:.0f}",
            self.pause,
            f"{self.alone.cpu_ms:.3f} / {self.beside.cpu_ms:.3f}",
            str(self.failed),
            f"{again}/{self.uas.retransmissions}",
        ]
        return "| " + " | ".join(cells) + " |"


def stand(bench: Bench, peer: str, rate: float, calls: int) -> Standing:
    """Put up so many calls on a fresh server, look, let them end, look again. Raises BenchError when SIPp cannot work."""
    with RunningPeer(bench, peer) as server:
        callee = start_callee(bench)
        try:
            return _stand(bench, server, callee, rate, calls)
        finally:
            callee.stop()


def _stand(bench: Bench, server: RunningPeer, callee: SippRun, rate: float, calls: int) -> Standing:
    start_caller(bench, Load("basic_call", rate, FILL_CALLS)).finish(FILL_CALLS / rate + SETTLE_SECONDS)
    alone = measure(bench, server, "hold_call", BESIDE_RATE, BESIDE_SECONDS, latency=False, standing=callee)
    time.sleep(LINGER_SECONDS)
    before = processes.memory(server.pid)
    hold = calls / rate + LINGER_SECONDS + BESIDE_LIMIT
    load = Load("basic_call", rate, calls, tag="uac2", local=SECOND_CALLER, hold_ms=int(hold * 1000))
    run = start_caller(bench, load)
    try:
        time.sleep(calls / rate + LINGER_SECONDS)
        if run.process.poll() is not None:
            raise BenchError("the standing calls ended at once (B2BUA_BENCH_RUN=DIR keeps logs)")
        during, seen = processes.memory(server.pid), _counted(server.peer.http)
        begun = time.monotonic()
        beside = measure(bench, server, "hold_call", BESIDE_RATE, BESIDE_SECONDS, latency=False, standing=callee)
        if time.monotonic() - begun > BESIDE_LIMIT:
            raise BenchError("the hold calls beside the standing ones took too long")
        uac = run.finish(hold + SETTLE_SECONDS)
    finally:
        run.kill()
    time.sleep(LINGER_SECONDS)
    after = processes.memory(server.pid)
    time.sleep(STATISTICS_SECONDS)
    uas, pause = callee.statistics(), longest_pause(scrape(server.peer.http))
    return Standing(server.peer.name, calls, seen, before, during, after, alone, beside, uac, uas, pause)


def _counted(address: Address | None) -> int | None:
    found = _STANDING.findall(scrape(address))
    return round(sum(map(float, found))) if found else None


def longest_pause(metrics: str) -> str:
    """Between which bounds of its histogram the longest garbage collection lies, in ms; "-" when there was none."""
    buckets = [(float(bound), float(count)) for bound, count in _PAUSES.findall(metrics)]
    if not buckets or not buckets[-1][1]:
        return "-"
    bounds = [0.0, *(bound for bound, _ in buckets)]
    longest = next(index for index, (_, count) in enumerate(buckets) if count == buckets[-1][1])
    lower, upper = bounds[longest] * 1000, bounds[longest + 1] * 1000
    return f"over {lower:g} ms" if upper == float("inf") else f"{lower:g} to {upper:g} ms"


def scrape(address: Address | None) -> str:
    """The server's /metrics; empty where it has none."""
    if address is None:
        return ""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10.0)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"no /metrics at {address}: {error}") from None
    finally:
        connection.close()
