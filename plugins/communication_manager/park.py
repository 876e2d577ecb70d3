"""Park and retrieve (RFC 5359 §2.15, by feature codes): a party waits, with music, until somebody takes it from any phone.

`*68` parks whom the caller holds, under the caller's own number; `*68` and a number under that. So does a transfer to the same
digits. `*69` and the number bring the party back.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.blind_transfer import BlindTransfer
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.confirmation import confirm
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_codes import FIRST
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.media_source import ECHO, check_source
from b2bua.feature_server.replacement import replace
from b2bua.sip.address import parse_address
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request

RETRIEVE: Final = "retrieve"
MUSIC: Final = "park_music"
USUAL_MUSIC: Final = "melody"
NOT_SENT: Final = "feature park: the call that is held could not be sent there: {} {}"


class Park(Feature):
    """A parked party is in a call with media of ours, whose place the one who retrieves it takes."""

    codes = {"park": "*68", RETRIEVE: "*69"}  # noqa: RUF012  # as the contract has it: nobody writes to it
    settings = {MUSIC: "what those hear whom this user has parked: melody, file:PATH, tone:HERTZ"}  # noqa: RUF012

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users
        self._domain = environment.domain
        self._parked: dict[str, Leg] = {}
        """By the number that it is retrieved with, the leg that plays."""

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if check_source(value) == ECHO:
            raise ValueError("who is parked hears no echo")

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> Request | None:
        if name == RETRIEVE:
            self._retrieve(call, argument, invite)
        elif call.caller.stand_in is not None:
            self._take(call, argument, invite)
            return invite
        else:
            self._park(call, argument, invite)
        return None

    def call_changed(self, call: Call) -> None:
        """Restored: whoever was parked when the process died waits under the same number."""
        for leg in (call.caller, call.callee):
            if leg.note and leg.restored and call.state == CONFIRMED:
                self._parked.setdefault(leg.note, leg)

    def call_ended(self, call: Call) -> None:
        """Hung up, or retrieved."""
        gone = [number for number, leg in self._parked.items() if leg in (call.caller, call.callee)]
        for number in gone:
            del self._parked[number]

    def _park(self, call: Call, argument: str, invite: Request) -> None:
        """The caller holds somebody: that party is sent on to the same code, and waits there."""
        held = [leg for leg in call.all_calls.legs_of(call.caller.party) if leg.holding and leg.call.handover is None]
        if not held:
            raise SipError(404, "Nothing To Park")
        number = argument or self._own(call.caller.party)
        where = invite.parsed_uri()._replace(host=self._domain, port=None)
        if not argument and where.user.startswith(FIRST):  # else it is the feature's name, and the number stays the caller's own
            where = where._replace(user=where.user + number)

        def ended(status: int, reason: str) -> None:
            if status == 200:
                confirm(call, f"Parked At {number}")
            else:
                call.caller.respond(status, None, b"", reason, why=(None, NOT_SENT, status, reason))

        BlindTransfer(max(held, key=lambda leg: leg.call.since), where, lambda status, reason: None, ended).start()

    def _take(self, call: Call, argument: str, invite: Request) -> None:
        """A party that has been sent here."""
        sender = invite.get("Referred-By")
        parker = str(parse_address(sender).parsed_uri()) if sender is not None else ""
        number = argument or self._own(parker)
        if number in self._parked:
            raise SipError(486, "Another Is Parked There")
        call.answer(self._users.value(parker, MUSIC) or USUAL_MUSIC)
        self._parked[number] = call.callee
        call.callee.note = number

    def _retrieve(self, call: Call, argument: str, invite: Request) -> None:
        leg = self._parked.get(argument or self._own(call.caller.party))
        if leg is None:
            raise SipError(404, "Nothing Parked There")
        replace(call, leg, invite)

    def _own(self, party: str) -> str:
        """The number that is a user's own; SipError 404 for who is none."""
        user = self._users.user_of(party)
        if not user:
            raise SipError(404).because("feature park: {} is no user of this domain", party)
        return user
