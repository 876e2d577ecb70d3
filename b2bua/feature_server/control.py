"""Calls as somebody who is no party to them sees and steers them: an operator, a test, a program beside the telephone.

What is asked for begins at once and takes its time, as at a phone: what has come of it stands in the call's view, also for a
while after the call has ended.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from b2bua.feature_server.all_calls import AllCalls
from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.blind_transfer import BlindTransfer
from b2bua.feature_server.call_state import CONFIRMED, ENDED
from b2bua.feature_server.hold_for_party import HoldForParty
from b2bua.feature_server.origination import Origination
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.uri import Uri, parse_uri
from b2bua.sip.why import Why

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

VERBS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "view": ("id",), "make": ("from", "to"), "hold": ("id", "user"), "resume": ("id", "user"),
        "transfer": ("id", "user", "to"), "end": ("id",),
    }
)  # fmt: skip
"""What can be asked, and the words that it needs."""
FROM_BESIDE: Final[Why] = (None, "B2BUA: the call was ended from beside, by API or command")
MAX_OUTCOMES: Final = 1000
"""Calls of which it is remembered what was asked of them last."""


class ControlError(Exception):
    """What cannot be done; the text is one line. `status`: 400 what is no such thing, 404 no such call or party, 409 not now."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Outcome:
    """What was asked of a call last, and what came of it."""

    verb: str
    status: int = 0
    """As SIP has it; 0 before anybody answered, below 200 as long as it is under way."""
    reason: str = ""


class Control:
    """Of one feature server. Calls are named by their id, or by the Call-ID of either leg, as the trace has it."""

    def __init__(self, all_calls: AllCalls) -> None:
        self._all_calls = all_calls
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()

    def ask(self, verb: str, words: Mapping[str, str]) -> tuple[int, object]:
        """For a door from outside: 200 and the view of a call or of all, 202 and that of the call where something has begun, or
        what ControlError has. The words are those of VERBS."""
        try:
            if verb == "list":
                return 200, self.list()
            wanted = VERBS.get(verb)
            if wanted is None:
                raise ControlError(400, f"{verb!r} is none of list, {', '.join(VERBS)}")
            missing = [word for word in wanted if not words.get(word)]
            if missing:
                raise ControlError(400, f"{verb} needs {' and '.join(missing)}")
            values = [words[word] for word in wanted]
            if verb == "view":
                return 200, self.view(*values)
            called: dict[str, Callable[..., str | None]] = {
                "make": self.make, "hold": self.hold, "resume": self.resume, "transfer": self.transfer, "end": self.end,
            }  # fmt: skip
            known = self._find(values[0])
            name = called[verb](*values) or (values[0] if known is None else known.id)
            return 202, self.view(name)
        except ControlError as error:
            return error.status, str(error)

    # -- what there is -----------------------------------------------------------------------------------------

    def list(self) -> list[dict[str, object]]:
        """Every call that stands, the oldest first."""
        return [self._view(call) for call in self._all_calls.standing()]

    def view(self, name: str) -> dict[str, object]:
        """One call; of one that has ended what is remembered. ControlError 404 where nothing is."""
        call = self._find(name)
        if call is not None:
            return self._view(call)
        if name in self._outcomes:
            return {"id": name, "state": ENDED, **self._last(name)}
        raise ControlError(404, f"there is no call {name}")

    # -- what can be done --------------------------------------------------------------------------------------

    def make(self, caller: str, callee: str) -> str:
        """Have two users talk to each other; the id of the call. The first one's phone rings first."""
        first, second = self._uri(caller), self._uri(callee)
        outcome = Outcome("make")
        origination = Origination(self._all_calls, first, second, partial(self._told, outcome))
        try:
            origination.start()
        except SipError as error:
            raise ControlError(409, error.reason) from None
        self._remember(origination.call.id, outcome)
        return origination.call.id

    def hold(self, name: str, user: str) -> None:
        """This party puts the other one on hold."""
        self._hold(name, user, True)

    def resume(self, name: str, user: str) -> None:
        """This party talks to the other one again."""
        self._hold(name, user, False)

    def transfer(self, name: str, user: str, target: str) -> None:
        """This party leaves, and the other one calls the target."""
        uri = self._uri(target)
        leg = self._party(self._free(name), user)
        outcome = self._begin(leg.call.id, "transfer")
        told = partial(self._told, outcome)
        BlindTransfer(leg, uri, told, told).start()

    def end(self, name: str) -> None:
        """Both parties hear BYE, or CANCEL; a caller who still waits 480."""
        call = self._known(name)
        outcome = self._begin(call.id, "end")
        if not call.caller.answered:
            call.caller.refuse(480, FROM_BESIDE)
        call.finish("answered" if call.state == CONFIRMED else "cancelled", ("Reason", 'SIP;cause=200;text="Ended"'))
        self._told(outcome, 200, "")

    # -- inside ------------------------------------------------------------------------------------------------

    def _hold(self, name: str, user: str, holds: bool) -> None:
        leg = self._party(self._free(name), user)
        if leg.holding == holds:
            raise ControlError(409, f"{user} {'holds already' if holds else 'does not hold'}")
        outcome = self._begin(leg.call.id, "hold" if holds else "resume")
        HoldForParty(leg, holds, partial(self._told, outcome)).start()

    def _begin(self, name: str, verb: str) -> Outcome:
        outcome = Outcome(verb)
        self._remember(name, outcome)
        return outcome

    def _remember(self, name: str, outcome: Outcome) -> None:
        self._outcomes[name] = outcome
        self._outcomes.move_to_end(name)
        if len(self._outcomes) > MAX_OUTCOMES:
            self._outcomes.popitem(last=False)

    def _told(self, outcome: Outcome, status: int, reason: str) -> None:
        if outcome.status < 200:
            outcome.status, outcome.reason = status, reason

    def _find(self, name: str) -> Call | None:
        for call in self._all_calls.standing():
            if name in (call.id, call.caller.dialog.call_id, call.callee.dialog.call_id):
                return call
        return None

    def _known(self, name: str) -> Call:
        call = self._find(name)
        if call is None:
            raise ControlError(404, f"there is no call {name}")
        return call

    def _free(self, name: str) -> Call:
        """The call, if it stands and nothing else is to be done with it."""
        call = self._known(name)
        outcome = self._outcomes.get(call.id)
        if call.state != CONFIRMED or call.handover is not None or call.caller.ended or call.callee.ended:
            raise ControlError(409, f"call {name} is not in a state for that")
        if outcome is not None and outcome.status < 200:
            raise ControlError(409, f"call {name} is busy: {outcome.verb}")
        return call

    def _party(self, call: Call, user: str) -> Leg:
        party = str(self._uri(user).without_parameters())
        for leg in (call.caller, call.callee):
            if leg.party == party and leg.stand_in is None:
                return leg
        raise ControlError(404, f"{user} is no party to call {call.id}")

    def _uri(self, text: str) -> Uri:
        try:
            uri = parse_uri(text if ":" in text else f"sip:{text}@{self._all_calls.environment.domain}")
        except MalformedValue:
            raise ControlError(400, f"{text!r} is no user") from None
        if uri.scheme not in ("sip", "sips") or not uri.user:
            raise ControlError(400, f"{text!r} is no user")
        return uri

    def _view(self, call: Call) -> dict[str, object]:
        now = self._all_calls.environment.layer.timers.now()
        return {
            "id": call.id,
            "state": call.state,
            "caller": self._shown(call.caller),
            "callee": self._shown(call.callee),
            "seconds": round(now - call.since, 1),
            "holding": [self._shown(leg) for leg in (call.caller, call.callee) if leg.holding],
            "call_ids": [leg.dialog.call_id for leg in (call.caller, call.callee) if leg.stand_in is None],
            **self._last(call.id),
        }

    def _shown(self, leg: Leg) -> str:
        """A user of the domain by name, anybody else by URI."""
        user, _, host = leg.party.removeprefix("sip:").partition("@")
        return user if host == self._all_calls.environment.domain else leg.party

    def _last(self, name: str) -> dict[str, object]:
        outcome = self._outcomes.get(name)
        if outcome is None:
            return {}
        return {"last": {"asked": outcome.verb, "status": outcome.status, "reason": outcome.reason}}


def control_of(server: object) -> Control | None:
    """That of a feature server which stands on the toolkit; None for any other, or none."""
    return Control(server.all_calls) if isinstance(server, B2bua) else None
