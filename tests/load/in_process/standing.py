"""What calls that stand cost: memory, what their end leaves, pauses for garbage, and the hold calls beside them.

    python -m tests.load.in_process.standing memory [CALLS]    bytes of a standing call, by the line that made them
    python -m tests.load.in_process.standing flat [CALLS]      memory before, with and after so many calls, three rounds
    python -m tests.load.in_process.standing garbage [CALLS]   what of so many calls only the collector finds
    python -m tests.load.in_process.standing pauses [CALLS]    the longest collections while so many calls come and stay
    python -m tests.load.in_process.standing cost [CALLS]      bytecodes of a hold call beside none and beside so many
    python -m tests.load.in_process.standing scrape [CALLS]    time and series of /metrics: so many registered, a fifth in calls

Each call is between two users of its own. CALLS is 10000 unless given.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from sys import getsizeof
from typing import Final

from twisted.web.test.requesthelper import DummyRequest

from b2bua.assembly.live_state import LiveState
from b2bua.http.metrics import MetricsPage, ServerMetrics
from b2bua.pauses import QuietCollector
from tests.load.in_process.meter import ROOT, Counting
from tests.load.in_process.phones import Dialog
from tests.load.in_process.rig import LINGER, Rig

FILL: Final = 600
"""Hold calls that push whatever was before out of the trace's ring, and out of caches of the last few calls."""
TURN: Final = 20
"""Calls after which a second passes."""
OF_A_PHONE: Final = 460
"""Bytes of texts that the rig's caller keeps of a call, measured."""
_Cache: Final = type(lru_cache(lambda: None))
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def rig_for(calls: int) -> Rig:
    """A rig with a pair of users for each call, that has seen as many calls come and go."""
    rig = Rig(pairs=calls)
    end(rig, stand(rig, calls))
    fill(rig)
    return rig


def fill(rig: Rig) -> None:
    """Hold calls that end, until nothing of them is left but what is remembered of the last ones."""
    for _ in range(FILL):
        rig.call()
    rig.turn(LINGER)


def stand(rig: Rig, calls: int, each_second: Callable[[], object] = lambda: None) -> list[Dialog]:
    """Put up so many calls, and let pass what lingers behind a set-up."""
    made = []
    for number in range(calls):
        made.append(rig.stand(number))
        if number % TURN == TURN - 1:
            rig.turn(1)
            each_second()
    rig.turn(LINGER)
    return made


def end(rig: Rig, calls: list[Dialog]) -> None:
    """Hang up, and let pass what lingers behind that."""
    for number, call in enumerate(calls):
        rig.hang_up(call)
        if number % TURN == TURN - 1:
            rig.turn(1)
    calls.clear()
    rig.turn(LINGER)


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def forget_caches() -> None:
    """Empty what Python remembers of the last texts that were parsed: it is nobody's call."""
    for one in gc.get_objects():
        if isinstance(one, _Cache):
            one.cache_clear()


def given_back(calls: int, by: str = "filename") -> list[tracemalloc.StatisticDiff]:
    """What so many standing calls hold until they end, the rig's own phones left out, with `size_diff` below 0."""
    rig = Rig(trace=0, pairs=calls)
    end(rig, stand(rig, calls))
    tracemalloc.start()
    try:
        standing = stand(rig, calls)
        forget_caches()
        before = tracemalloc.take_snapshot()
        end(rig, standing)
        forget_caches()
        found = tracemalloc.take_snapshot().compare_to(before, by)
    finally:
        tracemalloc.stop()
    return [place for place in found if "/tests/load/" not in place.traceback[0].filename]


def memory(calls: int, shown: int = 40) -> None:
    """Print what a standing call holds, as asked for from Python's allocator (which rounds up to 16 bytes)."""
    found = given_back(calls, "lineno")
    size, blocks = sum(place.size_diff for place in found), sum(place.count_diff for place in found)
    print(f"one of {calls} standing calls: {-size / calls:.0f} bytes in {-blocks / calls:.0f} blocks")
    for place in sorted(found, key=lambda place: place.size_diff)[:shown]:
        where = place.traceback[0]
        name = f"{where.filename.removeprefix(ROOT)}:{where.lineno}"
        print(f"  {-place.size_diff / calls:8.1f} in {-place.count_diff / calls:5.2f}  {name}")


def flat(calls: int, rounds: int = 4) -> None:
    """Print the process's memory before, with and after so many calls, round after round. What the allocator keeps for the
    next ones is in it; the blocks in use are not."""
    rig = Rig(pairs=calls)
    fill(rig)
    gc.collect()
    gc.freeze()
    gc.disable()
    begun = resident()
    print(f"before: {begun / 2**20:.1f} MiB and {sys.getallocatedblocks()} blocks", flush=True)
    for number in range(1, rounds + 1):
        standing = stand(rig, calls)
        with_calls = resident() - sum(map(getsizeof, standing)) - calls * OF_A_PHONE
        end(rig, standing)
        fill(rig)
        each = (with_calls - begun) / calls
        print(f"round {number}: {with_calls / 2**20:.1f} MiB with {calls} calls, {each:.0f} bytes each; "
              f"{resident() / 2**20:.1f} MiB and {sys.getallocatedblocks()} blocks after them", flush=True)  # fmt: skip


def garbage(calls: int) -> None:
    """Print what of so many standing calls, half of them held and resumed, the reference counts do not free."""
    rig = rig_for(100)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    end(rig, stand(rig, calls // 2))
    for _ in range(calls // 2):
        rig.call()
    rig.turn(LINGER)
    found = gc.collect()
    kinds = Counter(type(one).__qualname__ for one in gc.garbage)
    gc.set_debug(0)
    print(f"{calls} calls left {found} objects to the collector: {dict(kinds.most_common(12))}")


def pauses(calls: int) -> None:
    """Print what the collector of the process does while so many calls come, stand and go, a look each second."""
    rig = rig_for(min(calls, 1000))
    taken: list[float] = []
    begun = time.perf_counter()
    gc.collect()
    frozen = sys.getallocatedblocks()
    pace = (time.perf_counter() - begun) / frozen
    gc.freeze()
    gc.disable()

    def collect() -> None:
        begun = time.perf_counter()
        gc.collect()
        taken.append(time.perf_counter() - begun)
        rig.now += taken[-1]

    size = lambda: sys.getallocatedblocks() - frozen  # noqa: E731
    collector = QuietCollector(lambda: rig.caller.calls, collect, size, pace, lambda: rig.now)
    for number in (calls // 20, calls):
        standing = stand(rig, number, collector.look)
        for _ in range(700):
            rig.turn(1)
            collector.look()
        end(rig, standing)
        found = f"longest {1e3 * max(taken):.1f} ms" if taken else "none was worth its pause"
        print(f"{number} calls come, stand and are quiet for ten minutes: {len(taken)} collections, {found}")
        taken.clear()


def cost(calls: int, measured: int = 20) -> None:
    """Print the bytecodes of a hold call, with no call and with so many standing."""
    rig = rig_for(calls)
    alone = _bytecodes(rig, measured)
    standing = stand(rig, calls)
    fill(rig)
    beside = _bytecodes(rig, measured)
    print(f"one hold call: {alone:.0f} bytecodes alone, {beside:.0f} beside {len(standing)} standing calls")


def _bytecodes(rig: Rig, calls: int) -> float:
    """Bytecodes of a hold call from its first datagram to its last, without what the wheel does later."""
    counting, step = Counting(), rig.step

    def counted() -> None:
        with counting:
            step()

    rig.step = counted
    for _ in range(calls):
        rig.call()
    rig.step = step
    rig.turn(LINGER)
    return sum(counting.opcodes.values()) / calls


def scrape(calls: int, times: int = 5) -> None:
    """Print how long /metrics takes to write, and how many series it has."""
    rig = Rig(pairs=calls)
    standing = stand(rig, calls // 5)
    server = rig.server
    live = LiveState(server.location, server.listeners, server.feature_server, server.notifier, dict, server.store,
                     server.reload, server.admission, server.bans)  # fmt: skip
    page = MetricsPage(ServerMetrics(server.observer, live, server.recorder, "", 0.0))
    taken, text = [], b""
    for _ in range(times):
        begun = time.perf_counter()
        text = page.render_GET(DummyRequest([]))
        taken.append(time.perf_counter() - begun)
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    found = rig.server.location.census()[0]
    print(f"/metrics beside {len(standing)} calls and {found} registrations: {min(taken) * 1e3:.1f} ms, {series} series")


if __name__ == "__main__":
    meters = {"memory": memory, "flat": flat, "garbage": garbage, "pauses": pauses, "cost": cost, "scrape": scrape}
    meters[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
