"""Runs the hooks of all features in order, and waits for those that are coroutines, without a Deferred.

A hook may await what `Call.sleep` gives, or anything whose `__await__` yields a `Pause`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import Any

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_codes import DialPlan
from b2bua.feature_server.methods import ALLOW, NO_REFER_SUB
from b2bua.sip.errors import SipError
from b2bua.sip.replaces import OPTION as REPLACES


def always() -> bool:
    """A message that matters whatever happens meanwhile: a request that is to be answered."""
    return True


class Pause:
    """Something to wait for: `start` is given the function that ends the wait."""

    def __init__(self, start: Callable[[Callable[[], None]], object]) -> None:
        self._start = start

    def __await__(self) -> Generator[Pause, None, None]:
        yield self

    def begin(self, resume: Callable[[], None]) -> None:
        self._start(resume)


class Hooks:
    """The features of a B2BUA, with the hooks that each really overrides, and the codes that are dialled for them."""

    def __init__(self, features: Sequence[Feature], codes: Mapping[str, str] | None = None) -> None:
        self.features = tuple(features)
        self.dial_plan = DialPlan(features, codes or {})
        self._overridden = {
            name: tuple(
                getattr(feature, name)
                for feature in features
                if getattr(type(feature), name) is not getattr(Feature, name)
            )
            for name in (
                "call_offered", "callee_chosen", "callee_refused", "callee_left", "request_received", "response_received",
                "exchange_ended", "call_changed", "call_ended",
                "refer_received", "replaces_received", "call_joined",
            )
        }  # fmt: skip
        refers, replaces = bool(self._overridden["refer_received"]), bool(self._overridden["replaces_received"])
        self.allow = f"{ALLOW}, REFER, SUBSCRIBE" if refers else ALLOW
        """The methods that a call of these features takes, as in Allow."""
        self.extensions = frozenset([*([NO_REFER_SUB] if refers else ()), *([REPLACES] if replaces else ())])
        """Option tags that these features keep."""
        supported = ", ".join(sorted(self.extensions))
        self.own_names = ("Contact", "Allow", *(["Supported"] if supported else ()))
        """What each INVITE of ours and each answer to one carries."""
        self.own_lines = (f"Allow: {self.allow}", *([f"Supported: {supported}"] if supported else ()))
        """Their lines, without the first one's, which is the leg's."""

    def overridden(self, name: str) -> tuple[Callable[..., Any], ...]:
        """This hook of the features that have it, in order."""
        return self._overridden[name]

    def tell(self, name: str, failed: Callable[[BaseException], None], *arguments: object) -> None:
        """Call a hook that returns nothing on every feature; one that raises does not keep it from the others."""
        for hook in self._overridden[name]:
            try:
                hook(*arguments)
            except Exception as error:
                failed(error)

    def run(
        self,
        name: str,
        arguments: tuple[object, ...],
        message: Any,
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        wanted: Callable[[], bool] = always,
    ) -> None:
        """Pass `message` through a hook of every feature in order; `then` gets the result, unless one returned None.

        `failed` hears of the first exception; nothing more happens to this message then. After a hook that waited
        `wanted` says whether anybody still waits for the message: the features behind it hear of it only then.
        """
        self._from(self._overridden[name], 0, arguments, message, then, failed, wanted)

    def run_one(
        self, hook: Callable[..., Any], arguments: tuple[object, ...], message: Any, then: Callable[[Any], None],
        failed: Callable[[BaseException], None], wanted: Callable[[], bool] = always,
    ) -> None:  # fmt: skip
        """As `run`, for one hook of one feature."""
        self._from((hook,), 0, arguments, message, then, failed, wanted)

    def _from(
        self,
        hooks: tuple[Callable[..., Any], ...],
        index: int,
        arguments: tuple[object, ...],
        message: Any,
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        wanted: Callable[[], bool],
    ) -> None:
        for hook in hooks[index:]:
            index += 1
            try:
                result = hook(*arguments, message)
            except Exception as error:
                failed(error)
                return
            if result is None:
                return
            if result is not message:  # the same message again, as nearly always, is nothing to look at
                if hasattr(result, "__await__"):

                    def resumed(value: Any, index: int = index) -> None:
                        if value is not None and wanted():
                            self._from(hooks, index, arguments, value, then, failed, wanted)

                    drive(result, resumed, failed)
                    return
                message = result
        then(message)


def drive(
    coroutine: Coroutine[Pause, None, Any], finished: Callable[[Any], None], failed: Callable[[BaseException], None]
) -> None:
    """Run a coroutine up to its next `Pause`, and on from there when that ends."""
    try:
        pause: object = coroutine.send(None)
    except StopIteration as stop:
        finished(stop.value)
        return
    except Exception as error:
        failed(error)
        return
    if not isinstance(pause, Pause):
        coroutine.close()
        failed(TypeError(f"a hook may await call.sleep and its like, not {type(pause).__name__}"))
        return
    pause.begin(lambda: drive(coroutine, finished, failed))


def status_of(error: BaseException) -> SipError:
    """What the caller is told when a hook raised: its own SipError, else 500."""
    return error if isinstance(error, SipError) else SipError(500)
