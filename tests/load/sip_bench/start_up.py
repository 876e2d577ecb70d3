"""How long a server takes that died with bindings and standing calls: from its start until it answers, everything there."""

from __future__ import annotations

import re
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sip_bench import processes
from sip_bench.load import SETTLE_SECONDS, Load, start_callee, start_caller
from sip_bench.peers import RunningPeer
from sip_bench.settings import Bench, BenchError
from sip_bench.standing import scrape

AT_MOST = 3.0
"""Seconds that a start may take with 10,000 bindings and 2,000 calls."""
PUT_UP_RATE = 100.0
"""Calls a second with which they are put up."""
STAND_MS = 600_000
"""So long the calls would stand: SIPp is killed before."""
SETTLE = 3.0
"""Seconds for the last answers, and commits, before the server dies."""
READY_SECONDS = 60.0
POLL = 0.01
_GAUGE = re.compile(r"^(b2bua_calls_active|b2bua_contacts)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)

HEAD = "| Server | Bindings | Calls that stand | Starts | Ready after s (least to most) | CPU s of it | With an empty store |"
RULE = "|---|---:|---:|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Start:
    """One start: seconds until `/readyz` says 200 and the first scrape is there, and CPU seconds by then."""

    wall: float
    cpu: float
    bindings: int
    calls: int


@dataclass(frozen=True)
class StartUp:
    """What one peer gave."""

    peer: str
    full: list[Start]
    empty: list[Start]

    @property
    def in_time(self) -> bool:
        """Whether the median start took no longer than it may."""
        return statistics.median(one.wall for one in self.full) <= AT_MOST

    def row(self) -> str:
        """A line under HEAD."""
        cells = [self.peer, str(self.full[0].bindings), str(self.full[0].calls), str(len(self.full))]
        cells += [_spread([one.wall for one in self.full]), f"{statistics.median(one.cpu for one in self.full):.2f}"]
        return "| " + " | ".join([*cells, _spread([one.wall for one in self.empty])]) + " |"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def start_up(bench: Bench, peer: str, bindings: int, calls: int, starts: int) -> StartUp:
    """Registers so many phones, puts up so many calls, kills the server and starts it so many times; BenchError where what
    stood before is not there at the first scrape."""
    if not peer.endswith("sqlite"):
        raise BenchError(f"{peer} forgets all at its end: sqlite or compiled-sqlite", status=2)
    bench = replace(bench, users=bindings)
    store = bench.run_dir / "b2bua.db"
    _remove(store)
    empty = [_first_start(bench, peer, store) for _ in range(starts)]
    _remove(store)
    _fill(bench, peer, calls)
    full = [_start(bench, peer) for _ in range(starts)]
    for one in full:
        if (one.bindings, one.calls) != (bindings, calls):
            raise BenchError(f"{one.bindings} bindings and {one.calls} calls came back, not {bindings} and {calls}")
    _remove(store)
    return StartUp(peer, full, empty)


def _first_start(bench: Bench, peer: str, store: Path) -> Start:
    """With the same users, whom the first start of all writes: that one is not counted."""
    if not store.exists():
        _start(bench, peer)
    return _start(bench, peer)


def _fill(bench: Bench, peer: str, calls: int) -> None:
    server = RunningPeer(bench, peer)
    with server, _callee(bench):
        caller = start_caller(bench, Load("basic_call", PUT_UP_RATE, calls, hold_ms=STAND_MS))
        try:
            end = time.monotonic() + calls / PUT_UP_RATE + SETTLE_SECONDS
            while _gauges(server)[1] < calls:
                if time.monotonic() > end or caller.process.poll() is not None:
                    raise BenchError(f"only {_gauges(server)[1]} of {calls} calls stand (B2BUA_BENCH_RUN=DIR keeps logs)")
                time.sleep(0.5)
            time.sleep(SETTLE)
            processes.stop(server.process, signal.SIGKILL)
        finally:
            caller.kill()


@contextmanager
def _callee(bench: Bench) -> Iterator[None]:
    run = start_callee(bench)
    try:
        yield
    finally:
        run.kill()


def _start(bench: Bench, peer: str) -> Start:
    begun = time.monotonic()
    server = RunningPeer(bench, peer)
    try:
        begun = server.started
        while not server.answers():
            if time.monotonic() - begun > READY_SECONDS or server.process.poll() is not None:
                raise BenchError(f"{peer} did not become ready: {processes.last_line(server.log)}")
            time.sleep(POLL)
        bindings, calls = _gauges(server)
        wall, cpu = time.monotonic() - begun, processes.cpu_ticks(server.pid).seconds
    finally:
        processes.stop(server.process, signal.SIGKILL)
    return Start(wall, cpu, bindings, calls)


def _gauges(server: RunningPeer) -> tuple[int, int]:
    """Bindings and standing calls, as the server counts them."""
    found = _GAUGE.findall(scrape(server.peer.http))
    return tuple(round(sum(float(value) for name, value in found if name == wanted)) for wanted in _NAMES)  # type: ignore[return-value]


_NAMES = ("b2bua_contacts", "b2bua_calls_active")


def _remove(store: Path) -> None:
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()
