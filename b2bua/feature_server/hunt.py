"""A search: groups of targets for one call, one group after another (RFC 5359 §2.16). Within a group all ring at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import EARLY, TRYING
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.diversion import NO_ANSWER
from b2bua.feature_server.leg import Leg
from b2bua.sip.errors import SipError
from b2bua.transaction.timers import Timer


class Hunts:
    """The searches of one feature, at most one for a call: whoever rings in it belongs to its newest group."""

    def __init__(self, environment: Environment) -> None:
        self._timers = environment.layer.timers
        self._open: dict[str, _Hunt] = {}
        """By call."""

    def begin(self, call: Call, groups: Sequence[Sequence[str]], seconds: float = 0.0) -> bool:
        """These are to follow whoever rings now, each after so many seconds (0: only when nobody of the last is left). False
        when the call is searched for already."""
        if call.id in self._open:
            return False
        self._open[call.id] = hunt = _Hunt(groups, seconds)
        self._wait(call, hunt)
        return True

    def refused(self, call: Call, leg: Leg, cause: int) -> None:
        """This callee will not take the call: the next group follows when it was the last one that rang."""
        hunt = self._open.get(call.id)
        if hunt is not None and call.legs[1:] == (leg,):
            self._go_on(call, hunt, cause)

    def forget(self, call: Call) -> None:
        """The call is answered, or over."""
        hunt = self._open.pop(call.id, None)
        if hunt is not None and hunt.timer is not None:
            hunt.timer.cancel()

    def _go_on(self, call: Call, hunt: _Hunt, cause: int) -> None:
        if hunt.timer is not None:
            hunt.timer.cancel()
            hunt.timer = None
        while hunt.groups:
            group = hunt.groups.popleft()
            self._wait(call, hunt)
            try:
                call.redirect(group, cause)
            except SipError:
                continue  # all of them had their turn
            return

    def _wait(self, call: Call, hunt: _Hunt) -> None:
        if hunt.timer is not None:
            hunt.timer.cancel()
            hunt.timer = None
        if hunt.seconds and hunt.groups:
            hunt.timer = self._timers.start(hunt.seconds, partial(self._unanswered, call, hunt))

    def _unanswered(self, call: Call, hunt: _Hunt) -> None:
        hunt.timer = None
        if call.state in (TRYING, EARLY):
            self._go_on(call, hunt, NO_ANSWER)


class _Hunt:
    __slots__ = ("groups", "seconds", "timer")

    def __init__(self, groups: Sequence[Sequence[str]], seconds: float) -> None:
        self.groups = deque(groups)
        self.seconds = seconds
        self.timer: Timer | None = None
