"""A call as the features see it, without its B2BUA: two legs, a state, and how often it said that something changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.call import Call
from b2bua.feature_server.leg import CALLEE, CALLER, Leg
from b2bua.sip.message import Request, Response
from tests.transaction.neighbours import reply, request


@dataclass(eq=False)
class StandingLeg:
    """One party."""

    call: StandingCall
    role: str
    party: str
    dialog: Dialog
    holding: bool = False

    @property
    def other(self) -> StandingLeg:
        return self.call.one(CALLEE if self.role == CALLER else CALLER)


@dataclass(eq=False)
class StandingCall:
    """Between 6001, who called, and 6002."""

    state: str = "confirmed"
    id: str = "call-1"
    changes: list[tuple[bool, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._legs = {}
        for role, user, host in ((CALLER, "6001", "192.0.2.10"), (CALLEE, "6002", "192.0.2.20")):
            party = f"sip:{user}@example.com"
            dialog = Dialog(
                f"leg-{user}", "<sip:us@example.com>", f"ours-{user}", f"<{party}>", f"sip:{user}@{host}",
                "<sip:us@192.0.2.1>",
            )  # fmt: skip
            dialog.remote_tag = f"theirs-{user}"
            self._legs[role] = StandingLeg(self, role, party, dialog)

    def one(self, role: str) -> StandingLeg:
        return self._legs[role]

    @property
    def caller(self) -> StandingLeg:
        return self.one(CALLER)

    @property
    def callee(self) -> StandingLeg:
        return self.one(CALLEE)

    def changed(self) -> None:
        self.changes.append((self.caller.holding, self.callee.holding))


def as_call(call: StandingCall) -> Call:
    return cast(Call, call)


def as_leg(leg: StandingLeg) -> Leg:
    return cast(Leg, leg)


def with_body(method: str, body: bytes, content_type: str = "application/sdp") -> Request:
    made = request(method)
    if body:
        made.append("Content-Type", content_type)
    made.body = body
    return made


def answer_with(status: int, body: bytes) -> Response:
    made = reply(request("INVITE"), status)
    if body:
        made.append("Content-Type", "application/sdp")
    made.body = body
    return made
