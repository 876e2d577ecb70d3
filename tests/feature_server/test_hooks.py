"""Hooks run in order, wait for coroutines, and stop at the first feature that keeps or breaks a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from b2bua.feature_server.blame import feature_of
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.hooks import Hooks, Pause, status_of
from b2bua.sip.errors import SipError


class Switch:
    """A pause that the test ends."""

    def __init__(self) -> None:
        self.resumes: list[Callable[[], None]] = []

    def pause(self) -> Pause:
        return Pause(self.resumes.append)

    def go_on(self) -> None:
        self.resumes.pop(0)()


class Adds(Feature):
    """Adds its name to a message, which is a string here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def request_received(self, call: Any, leg: Any, request: Any) -> Any:
        return f"{request}{self.name}"


class Waits(Adds):
    def __init__(self, name: str, switch: Switch) -> None:
        super().__init__(name)
        self.switch = switch

    async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
        await self.switch.pause()
        return f"{request}{self.name}"


class Keeps(Feature):
    def request_received(self, call: Any, leg: Any, request: Any) -> Any:
        return None


class Breaks(Feature):
    def request_received(self, call: Any, leg: Any, request: Any) -> Any:
        raise RuntimeError("mistake")

    def call_changed(self, call: Any) -> None:
        raise RuntimeError("mistake")


class Run:
    """One message through the features."""

    def __init__(self, *features: Feature, name: str = "request_received") -> None:
        self.results: list[Any] = []
        self.errors: list[BaseException] = []
        self.wanted = True
        Hooks(features).run(
            name, ("call", "leg"), "m", self.results.append, self.errors.append, lambda: self.wanted
        )


def test_in_order() -> None:
    run = Run(Adds("a"), Feature(), Adds("b"))
    assert run.results == ["mab"] and run.errors == []


@pytest.mark.parametrize("features", [(), (Feature(),), (Adds("a"),)])
def test_without_a_hook_the_message_passes(features: tuple[Feature, ...]) -> None:
    assert Run(*features, name="response_received").results == ["m"]


def test_a_feature_that_keeps_the_message() -> None:
    run = Run(Adds("a"), Keeps(), Adds("b"))
    assert run.results == [] and run.errors == []


def test_a_feature_that_raises() -> None:
    run = Run(Adds("a"), Breaks(), Adds("b"))
    assert run.results == [] and [str(error) for error in run.errors] == ["mistake"]


def test_the_call_waits_for_a_coroutine() -> None:
    switch = Switch()
    run = Run(Adds("a"), Waits("b", switch), Adds("c"), Waits("d", switch))
    assert run.results == []
    switch.go_on()
    assert run.results == []
    switch.go_on()
    assert run.results == ["mabcd"] and switch.resumes == []


def test_a_coroutine_may_wait_more_than_once() -> None:
    switch = Switch()

    class Twice(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            for _ in range(3):
                await switch.pause()
            return "done"

    run = Run(Twice())
    for _ in range(3):
        assert run.results == []
        switch.go_on()
    assert run.results == ["done"]


def test_a_coroutine_that_does_not_wait() -> None:
    class Quick(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            return "quick"

    assert Run(Quick(), Adds("a")).results == ["quicka"]


def test_a_coroutine_that_keeps_the_message() -> None:
    switch = Switch()

    class Keeping(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            await switch.pause()

    run = Run(Keeping(), Adds("a"))
    switch.go_on()
    assert run.results == [] and run.errors == []


def test_after_a_wait_nobody_may_want_the_message_any_more() -> None:
    switch, seen = Switch(), []

    class Sees(Feature):
        def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            seen.append(request)
            return request

    run = Run(Waits("a", switch), Sees())
    run.wanted = False
    switch.go_on()
    assert seen == [] and run.results == [] and run.errors == []


@pytest.mark.parametrize("after", [False, True])
def test_a_coroutine_that_raises(after: bool) -> None:
    switch = Switch()

    class Raising(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            if after:
                await switch.pause()
            raise SipError(603)

    run = Run(Raising(), Adds("a"))
    if after:
        switch.go_on()
    assert run.results == [] and [status_of(error).status for error in run.errors] == [603]


def test_awaiting_something_foreign_is_the_features_mistake() -> None:
    class Foreign:
        def __await__(self) -> Any:
            yield "an event loop's future"

    class Wrong(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            await Foreign()

    run = Run(Wrong())
    assert run.results == [] and isinstance(run.errors[0], TypeError)


def test_an_awaitable_that_is_no_coroutine_is_the_features_mistake() -> None:
    class Wrong(Feature):
        def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            return Switch().pause()

    run = Run(Wrong())
    assert run.results == [] and len(run.errors) == 1


def test_two_messages_wait_by_themselves() -> None:
    switch = Switch()
    first, second = Run(Waits("a", switch)), Run(Waits("b", switch))
    switch.resumes.reverse()
    switch.go_on()
    assert (first.results, second.results) == ([], ["mb"])
    switch.go_on()
    assert first.results == ["ma"]


def test_tell_reaches_all_whoever_raises() -> None:
    told: list[str] = []

    class Hears(Feature):
        def call_changed(self, call: Any) -> None:
            told.append(call)

    errors: list[BaseException] = []
    Hooks([Hears(), Breaks(), Feature(), Hears()]).tell("call_changed", errors.append, "call")
    assert told == ["call", "call"] and len(errors) == 1


def test_what_cannot_be_waited_for_is_not_async() -> None:
    class Wrong(Feature):
        async def call_changed(self, call: Any) -> None:  # type: ignore[override]  # that is the mistake
            pytest.fail("it is never begun")

    errors: list[BaseException] = []
    Hooks([Wrong()]).tell("call_changed", errors.append, "call")
    assert [type(error) for error in errors] == [TypeError]


def test_the_feature_is_blamed() -> None:
    switch = Switch()

    class Raises(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            await switch.pause()
            raise KeyError("no")

    late, soon = Run(Raises()), Run(Breaks())
    switch.go_on()
    assert [feature_of(error) for error in (*late.errors, *soon.errors)] == ["test_hooks", "test_hooks"]
    errors: list[BaseException] = []
    Hooks([Breaks()]).tell("call_changed", errors.append, "call")
    assert [feature_of(error) for error in errors] == ["test_hooks"]
    assert feature_of(KeyError()) == ""


class Lasting(Feature):
    """Waits for what never comes, and says how it ended."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.ended: list[str] = []

    async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
        try:
            await self.switch.pause()
        finally:
            self.ended.append(request)


def test_what_waits_for_a_call_that_has_ended_is_closed() -> None:
    switch = Switch()
    feature, results = Lasting(switch), []
    hooks = Hooks([feature])

    def run(call: str, message: str, wanted: Callable[[], bool]) -> None:
        hooks.run("request_received", (call, "leg"), message, results.append, lambda error: pytest.fail(str(error)), wanted)

    run("first", "a", lambda: True)
    run("second", "b", lambda: True)
    hooks.tell("call_ended", lambda error: pytest.fail(str(error)), "first")
    assert feature.ended == ["a"] and results == []
    switch.go_on()  # the pause of what is closed: nobody is there
    switch.go_on()
    assert feature.ended == ["a", "b"]
    assert not hooks._waiting


def test_what_matters_all_the_same_goes_on_when_its_call_has_ended() -> None:
    feature, results = Lasting(Switch()), []
    hooks = Hooks([feature, Adds("b")])
    hooks.run("request_received", ("call", "leg"), "m", results.append, lambda error: pytest.fail(str(error)))
    hooks.tell("call_ended", lambda error: pytest.fail(str(error)), "call")
    assert (feature.ended, results) == (["m"], ["mb"])
    assert not hooks._waiting


def test_a_pause_is_told_that_nobody_waits_any_more() -> None:
    cancelled: list[bool] = []

    class Handle:
        def cancel(self) -> None:
            cancelled.append(True)

    class Waits(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            await Pause(lambda resume: Handle())

    hooks = Hooks([Waits()])
    fail: Callable[[BaseException], None] = lambda error: pytest.fail(str(error))  # noqa: E731
    hooks.run("request_received", ("call", "leg"), "m", fail, fail, lambda: True)
    hooks.tell("call_ended", fail, "call")
    assert cancelled == [True]


def test_one_that_will_not_end_is_the_features_mistake() -> None:
    switch = Switch()

    class Stubborn(Feature):
        async def request_received(self, call: Any, leg: Any, request: Any) -> Any:
            try:
                await switch.pause()
            finally:
                await switch.pause()

    errors: list[BaseException] = []
    hooks = Hooks([Stubborn()])
    hooks.run("request_received", ("call", "leg"), "m", errors.append, errors.append, lambda: True)
    hooks.tell("call_ended", errors.append, "call")
    assert [type(error) for error in errors] == [RuntimeError]


def test_status_of() -> None:
    refusal = SipError(486)
    assert status_of(refusal) is refusal
    assert status_of(RuntimeError("x")).status == 500
