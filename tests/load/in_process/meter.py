"""What one hold call costs inside the server, in figures that repeat whatever else the machine does.

    python -m tests.load.in_process.meter opcodes     bytecodes and Python calls by phase, and by function
    python -m tests.load.in_process.meter seconds     CPU time, best of several rounds, without the kernel's share
    python -m tests.load.in_process.meter phases      where that time goes, by a sample each millisecond

`sqlite` behind it: with a durable store in place of the one in memory. Its writer's thread is not counted.
"""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from b2bua.transaction.timers import TICK
from tests.load.in_process.rig import LINGER, Rig

ROOT: Final = f"{Path(__file__).resolve().parents[3]}/"
WARM: Final = 20
"""Calls before the count: caches are full then."""
PHASES: Final = (
    ("parse", ("b2bua/sip/parser.py", "b2bua/sip/via.py", "b2bua/sip/address.py", "b2bua/sip/uri.py")),
    ("match", ("b2bua/transaction/",)),
    ("SM", ("b2bua/session_manager/", "b2bua/sip/digest", "b2bua/sip/loop_mark.py", "b2bua/sip/max_breadth.py")),
    ("link", ("b2bua/transport/memory.py",)),
    ("CM", ("b2bua/feature_server/", "b2bua/dialog/", "plugins/", "b2bua/sip/sdp.py", "b2bua/sip/session_expires.py")),
    ("trace", ("b2bua/trace/",)),
    ("messages", ("b2bua/sip/",)),
    ("transport", ("b2bua/transport/", "b2bua/service.py")),
    ("metrics", ("b2bua/observer.py",)),
    ("store", ("b2bua/store/",)),
)  # fmt: skip
"""Phase → where its code lives; the first that fits counts."""


def phase_of(path: str) -> str:
    """The phase of a file, named from the project's root."""
    return next((phase for phase, places in PHASES if path.startswith(places)), "library")


class Counting:
    """Counts bytecodes and calls per function while it is on."""

    def __init__(self) -> None:
        self.opcodes: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()

    def __enter__(self) -> Counting:
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        self.calls[frame.f_code] += 1
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            self.opcodes[frame.f_code] += 1
        return self._stepped


def count(calls: int, store: str) -> tuple[Rig, Counting]:
    """Count over so many calls, and over the end of all that lingers behind them."""
    rig = Rig(store=store)
    for _ in range(WARM):
        rig.call()
    rig.turn(LINGER)
    rig.datagrams = 0
    counting = Counting()
    step, turn = rig.step, rig.server._turn_wheel

    def counted_step() -> None:
        with counting:
            step()

    def counted_turn() -> None:
        # An empty turn of the wheel is no call's cost.
        if rig.server.timers._slots[(rig.server.timers._tick + 1) & 1023]:
            with counting:
                turn()
        else:
            turn()

    rig.step = counted_step
    for _ in range(calls):
        rig.call()
    rig.turn(LINGER, counted_turn)
    return rig, counting


def opcodes(store: str, calls: int = 20, shown: int = 45) -> None:
    """Print bytecodes and calls of one hold call, by phase and by function."""
    rig, counting = count(calls, store)
    phases: Counter[str] = Counter()
    entered: Counter[str] = Counter()
    for code, number in counting.opcodes.items():
        phases[_phase(code)] += number
    for code, number in counting.calls.items():
        entered[_phase(code)] += number
    total, functions = sum(phases.values()), sum(entered.values())
    print(f"one hold call: {rig.datagrams / calls:.1f} datagrams, {total / calls:.0f} bytecodes, {functions / calls:.0f} calls")
    for phase, number in phases.most_common():
        print(f"  {phase:10} {number / calls:9.0f} {100 * number / total:5.1f} %  {entered[phase] / calls:6.0f} calls")
    print()
    for code, number in counting.opcodes.most_common(shown):
        name = f"{code.co_filename.removeprefix(ROOT)}:{code.co_qualname}"
        times = counting.calls[code] / calls
        print(f"  {number / calls:8.0f} {100 * number / total:5.1f} %  {times:6.1f} × {number / calls / times:6.1f}  {name}")


def _phase(code: CodeType) -> str:
    return phase_of(code.co_filename.removeprefix(ROOT))


class Timed:
    """A rig whose time inside the server is measured; wire and phones are not counted."""

    def __init__(self, store: str) -> None:
        self.rig = Rig(store=store)
        self.spent = 0.0
        self.inside = False
        """Whether the server is at work."""
        self._step, self._turn = self.rig.step, self.rig.server._turn_wheel
        self.rig.step = lambda: self._timed(self._step)
        gc.collect()
        gc.freeze()
        gc.disable()  # as the process does

    def _timed(self, work: Callable[[], None]) -> None:
        begun = time.thread_time()
        self.inside = True
        work()
        self.inside = False
        self.spent += time.thread_time() - begun

    def round(self, calls: int) -> float:
        """Seconds of one hold call, over so many at 20 a second, and the end of all that lingers behind them."""
        self.spent = 0.0
        for _ in range(calls):
            self.rig.call()
            self.rig.turn(TICK, lambda: self._timed(self._turn))
        self.rig.turn(LINGER, lambda: self._timed(self._turn))
        return self.spent / calls


def seconds(store: str, calls: int = 300, rounds: int = 7) -> None:
    """Print the CPU time of one hold call."""
    timed = Timed(store)
    best = min(timed.round(calls) for _ in range(rounds))
    print(f"one hold call: {best * 1e3:.3f} ms in the server")


def phases(store: str, calls: int = 300, rounds: int = 20) -> None:
    """Print how the CPU time of one hold call is shared: by the file that runs when a timer of CPU time goes off."""
    timed = Timed(store)
    timed.round(calls)
    samples: Counter[str] = Counter()

    def sample(_number: int, frame: FrameType | None) -> None:
        if timed.inside and frame is not None:
            samples[_phase(frame.f_code)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    cost = sum(timed.round(calls) for _ in range(rounds)) / rounds
    signal.setitimer(signal.ITIMER_PROF, 0)
    total = sum(samples.values())
    print(f"one hold call: {cost * 1e3:.3f} ms in the server, {total} samples")
    for phase, number in samples.most_common():
        print(f"  {phase:10} {cost * 1e6 * number / total:6.0f} µs {100 * number / total:5.1f} %")


def main(what: str, store: str = "memory") -> None:
    with tempfile.TemporaryDirectory(prefix="b2bua-meter-") as directory:
        url = {"memory": "memory:", "sqlite": f"sqlite:{directory}/b2bua.db"}[store]
        {"opcodes": opcodes, "seconds": seconds, "phases": phases}[what](url)


if __name__ == "__main__":
    main(*sys.argv[1:])
