"""Off-hook reservation, Avaya-style: a phone says that its receiver is up before it knows whom to call.

`INVITE sip:6001@example.com;avaya-cm-fnu=off-hook`, from and to itself and without a description, gets 183 and waits. The
INVITE with the digits has the same Call-ID and From tag and a higher CSeq: it is a call as any other, and the first one ends
with 484. That is what was seen; how long a phone may wait was not. It stands before `lamps` in `features`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg_timers import LegTimers
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.why import Why

NOBODY_DIALLED: Final[Why] = (None, "feature off_hook: the receiver was up, and nobody was dialled")
SECONDS: Final = 120
"""How long a receiver may be up without a number."""


class OffHook(Feature):
    """Its code has no digits: it is asked for by its name."""

    codes = {"off_hook": ""}  # noqa: RUF012  # as the contract has it: nobody writes to it

    def __init__(self, environment: Environment) -> None:
        self._timers = LegTimers(environment)
        self._reserved: dict[tuple[str, str], Call] = {}
        """By Call-ID and From tag."""

    def call_offered(self, call: Call, invite: Request) -> Request:
        """The number follows: what was reserved for it is done."""
        if self._reserved:
            known = self._reserved.pop((invite.call_id, invite.from_.tag), None)
            if known is not None:
                self._end(known)
        return invite

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> None:
        if call.callee.party != call.caller.party:
            raise SipError(403).because("feature off_hook: the receiver is somebody else's")
        self._reserved[invite.call_id, invite.from_.tag] = call
        self._timers.start(call.caller, SECONDS, partial(self._end, call))
        call.caller.respond(183)

    def call_ended(self, call: Call) -> None:
        call_id, tag, _ = call.identity
        self._timers.stop(call.caller)
        if self._reserved.get((call_id, tag)) is call:
            del self._reserved[call_id, tag]

    def _end(self, call: Call) -> None:
        self._timers.stop(call.caller)
        call.caller.refuse(484, NOBODY_DIALLED)
        call.finish("rejected")  # at once: its lamp goes out before that of the call with the number goes on
