"""A call as the features see it, which no message made: two legs, a state, and how often it said that something changed."""

from __future__ import annotations

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CALLEE, CALLER
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.sip.message import Request, Response
from b2bua.transaction.server_invite import InviteServer
from tests.feature_server.surroundings import Surroundings
from tests.transaction.neighbours import reply, request


class Changes(Feature):
    """Which parties held, caller and callee, each time that the call told of a change."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool]] = []

    def call_changed(self, call: Call) -> None:
        self.seen.append((call.caller.holding, call.callee.holding))


class StandingCall:
    """Between 6001, who called, and 6002."""

    def __init__(self, state: str = "confirmed") -> None:
        surroundings = Surroundings()
        changes = Changes()
        invite = request("INVITE", more=(("Contact", "<sip:6001@192.0.2.10>"),))
        transaction = InviteServer(invite, surroundings.flow, ("z9hG4bK1",), surroundings.layer)
        self.call = Call.of_invite(B2bua(surroundings.environment, [changes]).all_calls, transaction, invite)
        self.call.id = "call-1"
        self.call.state = state
        self.changes = changes.seen
        for leg, user, host in ((self.caller, "6001", "192.0.2.10"), (self.callee, "6002", "192.0.2.20")):
            leg.party = f"sip:{user}@example.com"
            leg.dialog = Dialog(
                f"leg-{user}", "<sip:us@example.com>", f"ours-{user}", f"<{leg.party}>", f"sip:{user}@{host}",
                "<sip:us@192.0.2.1>",
            )  # fmt: skip
            leg.dialog.remote_tag = f"theirs-{user}"

    @property
    def caller(self) -> Leg:
        return self.call.caller

    @property
    def callee(self) -> Leg:
        return self.call.callee

    def one(self, role: str) -> Leg:
        return {CALLER: self.caller, CALLEE: self.callee}[role]


def with_body(method: str, body: bytes, content_type: str = "application/sdp") -> Request:
    made = request(method)
    if body:
        made.append("Content-Type", content_type)
    made.body = body
    return made


def answer_with(status: int, body: bytes, method: str = "INVITE") -> Response:
    made = reply(request(method), status)
    if body:
        made.append("Content-Type", "application/sdp")
    made.body = body
    return made
