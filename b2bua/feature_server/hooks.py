"""Runs the hooks of all features in order, and waits for those that are coroutines, without a Deferred.

A hook may await what `Call.sleep` gives, or anything whose `__await__` yields a `Pause`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import Any, Final

from b2bua.feature_server.blame import blame, feature_of, name_of
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_codes import DialPlan
from b2bua.feature_server.methods import ALLOW, NO_REFER_SUB
from b2bua.sip.errors import SipError
from b2bua.sip.replaces import OPTION as REPLACES

CHANGED: Final = "feature {}: made another message of it"


def always() -> bool:
    """A message that matters whatever happens meanwhile: a request that is to be answered."""
    return True


class Pause:
    """Something to wait for: `start` is given the function that ends the wait."""

    def __init__(self, start: Callable[[Callable[[], None]], object]) -> None:
        """Where `start` returns something with a `cancel`, that is called when nobody waits any more."""
        self._start = start

    def __await__(self) -> Generator[Pause, None, None]:
        yield self

    def begin(self, resume: Callable[[], None]) -> object:
        return self._start(resume)


class Waiting:
    """A hook that is a coroutine, from one `Pause` to the next. Whoever lets it wait may end it."""

    __slots__ = ("_coroutine", "_finished", "_failed", "_among", "_pause", "instead")

    def __init__(
        self, coroutine: Coroutine[Pause, None, Any], finished: Callable[[Any], None],
        failed: Callable[[BaseException], None], among: dict[Waiting, None], instead: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """`among`: all that wait for the same call; it is there as long as it waits. `instead`: what is done when it is ended."""
        self._coroutine = coroutine
        self._finished = finished
        self._failed = failed
        self._among = among
        self._pause: object = None
        self.instead = instead

    def go_on(self) -> None:
        """Run up to the next pause, or to the end."""
        self._among.pop(self, None)
        try:
            pause: object = self._coroutine.send(None)
        except StopIteration as stop:
            self._finished(stop.value)
            return
        except Exception as error:  # whatever a feature raises is told as its own (blame.py), and ends this message only
            self._failed(error)
            return
        if not isinstance(pause, Pause):
            self._coroutine.close()
            self._failed(TypeError(f"a hook may await call.sleep and its like, not {type(pause).__name__}"))
            return
        self._among[self] = None
        self._pause = pause.begin(self._resume)

    def _resume(self) -> None:
        if self in self._among:  # else it has been ended, and its pause did not know
            self.go_on()

    def end(self) -> None:
        """Close the coroutine where it stands: its `finally` still runs."""
        self._among.pop(self, None)
        cancel = getattr(self._pause, "cancel", None)
        if cancel is not None:
            cancel()
        try:
            self._coroutine.close()
        except Exception as error:  # of its `finally`: what else ends with the call must end, too
            self._failed(error)


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
                "refer_received", "replaces_received", "call_joined", "message_offered",
            )
        }  # fmt: skip
        self._waiting: dict[object, dict[Waiting, None]] = {}
        """Call → hooks that let it wait."""
        self._acting: Callable[..., Any] | None = None
        """The hook that runs at this moment."""
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
                result = hook(*arguments)
                if result is not None and hasattr(result, "close") and hasattr(result, "__await__"):
                    result.close()
                    raise TypeError(f"{name} tells something: nobody waits for it, it cannot be async")
            except Exception as error:  # whatever it raises: the features behind it are told all the same
                blame(error, hook)
                failed(error)
        if self._waiting and name == "call_ended":
            self._end(arguments[0])

    def _end(self, call: object) -> None:
        """A call is over: what waits in a hook of it waits for nothing. A message that matters all the same (`always`) goes on
        as if the feature had passed it."""
        for waiting in tuple(self._waiting.pop(call, ())):
            waiting.end()
            if waiting.instead is not None:
                waiting.instead()

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

    def acting(self) -> str:
        """The feature whose hook runs at this moment; "" where none does."""
        return "" if self._acting is None else name_of(getattr(self._acting, "__self__", self._acting))

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
            self._acting = hook
            try:
                result = hook(*arguments, message)
            except Exception as error:  # whatever a feature raises is told as its own, and ends this message only
                self._acting = None
                blame(error, hook)
                failed(error)
                return
            self._acting = None
            if result is None:
                return
            if result is not message:  # the same message again, as nearly always, is nothing to look at
                if hasattr(result, "__await__"):
                    self._wait(result, hooks, index, arguments, message, then, failed, wanted)
                    return
                call: Any = arguments[0] if arguments else None  # a MESSAGE has none
                if hasattr(call, "acted"):  # a call, which tells the trace
                    call.acted = (call.acted, CHANGED, name_of(getattr(hook, "__self__", hook)))
                message = result
        then(message)

    def _wait(
        self,
        coroutine: Coroutine[Pause, None, Any],
        hooks: tuple[Callable[..., Any], ...],
        index: int,
        arguments: tuple[object, ...],
        message: Any,
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        wanted: Callable[[], bool],
    ) -> None:
        """Wait for what the hook before `index` gives back."""
        call = arguments[0]

        def resumed(value: Any) -> None:
            done()
            if value is not None and wanted():
                self._from(hooks, index, arguments, value, then, failed, wanted)

        def raised(error: BaseException) -> None:
            done()
            blame(error, hooks[index - 1])
            failed(error)

        def done() -> None:
            if not among and self._waiting.get(call) is among:
                del self._waiting[call]

        def instead() -> None:
            self._from(hooks, index, arguments, message, then, failed, wanted)

        among = self._waiting.setdefault(call, {})
        waiting = Waiting(coroutine, resumed, raised, among, instead if wanted is always else None)
        waiting.go_on()


def status_of(error: BaseException) -> SipError:
    """What the caller is told when a hook raised: its own SipError, else 500."""
    if isinstance(error, SipError):
        return error
    return SipError(500).because("feature {}: made a mistake, so this call fails; the log has the details", feature_of(error))
