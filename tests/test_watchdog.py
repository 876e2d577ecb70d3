"""The watchdog's judgement: who is at work in a stack of calls, and where it may be broken off. Real ones: tests/interop."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from b2bua.feature_server.feature import FILE_MODULE, Feature
from b2bua.native_stack import INTERPRETED, compiled_functions
from b2bua.observer import Observer
from b2bua.watchdog import GRACE, LOOK_SECONDS, SIGNAL, HookTooLong, Watchdog

CORE = "/core/b2bua"
FEATURE = "/features/slow.py"


HOOK, CORES = "slow___Slow___call_offered", "call___Call___offer"


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


class Kennel:
    """A watchdog whose time the test turns, and a feature in a file."""

    def __init__(self, feature: object, limit: float = 2.0) -> None:
        self.seconds = 0.0
        self.log = Log()
        self.observer = Observer()
        self.stack: list[str] = []
        """What the compiled functions are."""
        self.dog = Watchdog(
            lambda: [feature], limit, [Path(CORE)], self.observer, self.log, lambda: self.seconds, lambda: self.stack
        )

    def signalled(self) -> Callable[[], None]:
        """What the signal does where it is called."""
        return lambda: self.dog._signalled(14, sys._getframe(1))


def function(file: str, name: str, **known: Any) -> Callable[[Callable[[], None]], None]:
    """`def NAME(then): then()` in a file."""
    space: dict[str, Any] = {"__name__": name, **known}
    exec(compile("def run(then):\n    then()\n", file, "exec"), space)
    run: Callable[[Callable[[], None]], None] = space["run"]
    return run


@pytest.fixture
def feature() -> Iterator[Feature]:
    module = ModuleType(f"{FILE_MODULE}slow")
    module.__file__ = FEATURE
    sys.modules[module.__name__] = module
    made = type("Slow", (Feature,), {"__module__": module.__name__})
    yield made()
    del sys.modules[module.__name__]


in_feature, in_core, elsewhere = (function(file, "any") for file in (FEATURE, f"{CORE}/sip/uri.py", "/usr/lib/re.py"))


def stack(*functions: Callable[[Callable[[], None]], None], then: Callable[[], None]) -> None:
    """Call them, each by the one before it, and `then` at the bottom."""
    if functions:
        functions[0](lambda: stack(*functions[1:], then=then))
    else:
        then()


@pytest.mark.parametrize("functions", [(in_feature,), (in_core, in_feature), (in_core, in_feature, elsewhere)])
def test_ended_where_the_feature_is(feature: Feature, functions: tuple[Any, ...]) -> None:
    kennel = Kennel(feature)
    kennel.seconds = 2.1
    with pytest.raises(HookTooLong, match=r"^slow was at /features/slow\.py:2 for more than 2 s$"):
        stack(*functions, then=kennel.signalled())
    kennel.dog._seen = ("slow", "there")
    kennel.dog.turned()
    assert kennel.observer.counts["feature_errors"] == {("slow", "ended"): 1}


@pytest.mark.parametrize(
    "functions", [(), (in_core,), (elsewhere,), (in_feature, in_core), (in_core, in_feature, elsewhere, in_core)]
)
def test_never_in_the_core_nor_in_what_is_nobodys(feature: Feature, functions: tuple[Any, ...]) -> None:
    kennel = Kennel(feature)
    kennel.seconds = 2.1
    stack(*functions, then=kennel.signalled())


@pytest.mark.parametrize(("found", "ended"), [
    ([INTERPRETED, CORES, INTERPRETED], False), ([INTERPRETED, INTERPRETED, CORES], True), ([INTERPRETED], True), ([], True),
    ([CORES, CORES], True),
])  # fmt: skip
def test_never_in_the_compiled_core_that_it_called(feature: Feature, found: list[str], ended: bool) -> None:
    kennel = Kennel(feature)
    kennel.stack, kennel.seconds = found, 2.1
    try:
        stack(in_feature, then=kennel.signalled())
    except HookTooLong:
        assert ended
    else:
        assert not ended


@pytest.mark.parametrize(("limit", "seconds"), [(2.0, 1.9), (0.0, 3600.0)])
def test_not_before_its_time(feature: Feature, limit: float, seconds: float) -> None:
    kennel = Kennel(feature, limit)
    kennel.seconds = seconds
    stack(in_feature, then=kennel.signalled())


def test_a_signal_that_comes_late_does_nothing(feature: Feature) -> None:
    """The turn is over, and another call is in the feature."""
    kennel = Kennel(feature)
    kennel.seconds = 2.1
    kennel.dog.turned()
    stack(in_feature, then=kennel.signalled())


def test_seen_from_the_thread(feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is in the stack at all, once a turn; who is quick is not looked at."""
    kennel = Kennel(feature, 0.0)
    frames: dict[int, FrameType] = {}
    monkeypatch.setattr(sys, "_current_frames", lambda: frames)

    def look() -> None:
        frames[kennel.dog._main] = sys._getframe(0)
        for kennel.seconds in (0.1, 0.29, 0.5, 0.6):
            kennel.dog.look()

    stack(in_feature, in_core, then=look)
    assert kennel.log.lines == [("feature_blocks", {"feature": "slow", "at": f"{FEATURE}:2"})]
    kennel.dog.turned()
    assert kennel.log.lines[1:] == [
        ("feature_blocked", {"feature": "slow", "at": f"{FEATURE}:2", "seconds": 0.6, "ended": False})
    ]
    assert kennel.observer.counts["feature_errors"] == {("slow", "blocked"): 1}
    kennel.dog.turned()
    assert len(kennel.log.lines) == 2


def test_who_is_no_feature_is_not_told(feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    kennel = Kennel(feature)
    monkeypatch.setattr(sys, "_current_frames", lambda: {kennel.dog._main: sys._getframe(0)})
    kennel.seconds = 10.0
    stack(in_core, elsewhere, then=kennel.dog.look)
    kennel.dog.turned()
    assert kennel.log.lines == [] and not kennel.observer.counts["feature_errors"]


# ---- compiled features


@pytest.fixture
def compiled() -> Iterator[Feature]:
    module = ModuleType("plugins.communication_manager.slow")
    module.__file__ = f"/site/slow{EXTENSION_SUFFIXES[0]}"
    sys.modules[module.__name__] = module
    made = type("Slow", (Feature,), {"__module__": module.__name__})
    yield made()
    del sys.modules[module.__name__]


@pytest.mark.parametrize("functions", [(in_core,), (in_core, elsewhere)])
@pytest.mark.parametrize("hook", [HOOK, f"communication_manager___{HOOK}"])
def test_a_compiled_one_that_waits_in_c_is_ended(compiled: Feature, functions: tuple[Any, ...], hook: str) -> None:
    kennel = Kennel(compiled)
    kennel.stack = [INTERPRETED, hook, CORES, INTERPRETED]
    kennel.seconds = 2.1
    with pytest.raises(HookTooLong, match=r"^slow was in .*slow\.Slow\.call_offered for more than 2 s$"):
        stack(*functions, then=kennel.signalled())
    kennel.dog.turned()
    assert kennel.observer.counts["feature_errors"] == {("slow", "ended"): 1}


@pytest.mark.parametrize("found", [
    [], [INTERPRETED], [INTERPRETED, CORES, INTERPRETED], [INTERPRETED, CORES, HOOK, CORES], [INTERPRETED, INTERPRETED, HOOK],
    [HOOK], [INTERPRETED, "slower___Slow___call_offered"], [INTERPRETED, "b2bua___slow___call_offered"],
])  # fmt: skip
def test_where_anything_else_is_at_work_it_is_not(compiled: Feature, found: list[str]) -> None:
    """The core, what is interpreted, or what is not known."""
    kennel = Kennel(compiled)
    kennel.stack, kennel.seconds = found, 2.1
    stack(in_core, then=kennel.signalled())


@pytest.mark.parametrize(("limit", "seconds"), [(2.0, 1.9), (0.0, 3600.0)])
def test_a_compiled_one_not_before_its_time(compiled: Feature, limit: float, seconds: float) -> None:
    kennel = Kennel(compiled, limit)
    kennel.stack, kennel.seconds = [INTERPRETED, HOOK], seconds
    stack(in_core, then=kennel.signalled())


def test_a_compiled_one_is_told_when_the_thread_looks_again(compiled: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    kennel = Kennel(compiled, 0.0)
    frames: dict[int, FrameType] = {}
    sent: list[int] = []
    monkeypatch.setattr(sys, "_current_frames", lambda: frames)
    monkeypatch.setattr(signal, "pthread_kill", lambda thread, number: sent.append(number))

    def look() -> None:
        frames[kennel.dog._main] = sys._getframe(0)
        kennel.stack = [INTERPRETED, CORES, HOOK]
        for kennel.seconds in (0.2, 0.4, 0.5):
            kennel.dog.look()
            kennel.signalled()()

    stack(in_core, then=look)
    told = ("feature_blocks", {"feature": "slow", "at": "slow.Slow.call_offered"})
    assert kennel.log.lines == [told] and sent == [SIGNAL] * 2
    kennel.dog.turned()
    assert kennel.observer.counts["feature_errors"] == {("slow", "blocked"): 1}


def test_where_nothing_is_compiled_nobody_is_asked(feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    kennel = Kennel(feature)
    monkeypatch.setattr(sys, "_current_frames", lambda: {kennel.dog._main: sys._getframe(0)})
    monkeypatch.setattr(signal, "pthread_kill", lambda thread, number: pytest.fail("asked"))
    kennel.seconds = 10.0
    stack(in_core, then=kennel.dog.look)


def test_the_stack_of_this_very_thread() -> None:
    assert INTERPRETED in compiled_functions()


# ---- real signals


LIMIT = 0.3
HOOKS = """
import re
import time

SECONDS = 20.0  # then it comes to an end by itself, which no test wants


def naps(then):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            time.sleep(SECONDS)
        except BaseException:
            pass


def spins(then):
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        try:
            number += 1
        except:
            continue


def deep(then):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            naps(then)
        except Exception as error:
            kept = error
            for each in range(10):
                try:
                    spins(then)
                except Exception:
                    kept = each


def asks_the_core(then):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            time.sleep(0.01)
        except Exception:
            then()
            then()


def tidies_up(then):
    try:
        time.sleep(SECONDS)
    finally:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        then()


def backtracks(then):
    re.match("(a+)+$", "a" * 32 + "b")  # minutes


def short(then):
    end = time.monotonic() + 0.25
    while time.monotonic() < end:
        pass
    then()
"""


@pytest.fixture
def hooks(feature: Feature) -> dict[str, Callable[[Callable[[], None]], None]]:
    """Functions of the feature's file."""
    space: dict[str, Any] = {"__name__": "any"}
    exec(compile(textwrap.dedent(HOOKS), FEATURE, "exec"), space)
    return space


@pytest.fixture
def dog(feature: Feature) -> Iterator[Watchdog]:
    """One at work, whose signals come to this thread."""
    before = signal.getsignal(SIGNAL)
    made = Watchdog(lambda: [feature], LIMIT, [Path(CORE)], Observer(), Log())
    made.start()
    yield made
    made.stop()
    time.sleep(2 * LOOK_SECONDS)
    signal.signal(SIGNAL, before)


@pytest.mark.parametrize("name", ["naps", "spins", "deep", "backtracks"])
def test_who_catches_everything_and_who_lets_no_thread_run_is_ended(
    dog: Watchdog, hooks: dict[str, Callable[[Callable[[], None]], None]], name: str
) -> None:
    dog.turned()
    with pytest.raises(HookTooLong) as ended:
        in_core(lambda: hooks[name](lambda: None))
    assert ended.value.__suppress_context__
    dog.turned()
    assert dog._observer.counts["feature_errors"] == {("slow", "ended"): 1}


def test_what_it_asks_of_the_core_is_finished_first(
    dog: Watchdog, hooks: dict[str, Callable[[Callable[[], None]], None]]
) -> None:
    """In what it does with what it has caught, too: never in there."""
    finished: list[bool] = []
    work = function(f"{CORE}/sip/uri.py", "any")

    def ask() -> None:
        finished.append(False)
        work(lambda: None)
        finished[-1] = True

    dog.turned()
    with pytest.raises(HookTooLong):
        in_core(lambda: hooks["asks_the_core"](ask))
    assert finished and all(finished)


def test_who_tidies_up_has_half_a_second(dog: Watchdog, hooks: dict[str, Callable[[Callable[[], None]], None]]) -> None:
    tidy: list[bool] = []
    dog.turned()
    with pytest.raises(HookTooLong):
        in_core(lambda: hooks["tidies_up"](lambda: tidy.append(True)))
    assert tidy == [True] and GRACE > 0.3 + LOOK_SECONDS


def test_who_comes_after_it_in_the_same_turn_has_time_of_its_own(
    dog: Watchdog, hooks: dict[str, Callable[[Callable[[], None]], None]]
) -> None:
    done: list[bool] = []
    dog.turned()
    with pytest.raises(HookTooLong):
        in_core(lambda: hooks["naps"](lambda: None))
    in_core(lambda: hooks["short"](lambda: done.append(True)))
    assert done == [True]
    with pytest.raises(HookTooLong):
        in_core(lambda: hooks["naps"](lambda: None))
