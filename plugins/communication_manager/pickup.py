"""Pickup (RFC 5359 §2.16; RFC 3891): a call that rings somewhere else in the group is answered here.

`*20` takes what rings longest in the group, `*20` and a number what rings there; so does an INVITE with Replaces, as a lamp key
sends it. With one a user's other phone also takes over the user's call that stands.
"""

from __future__ import annotations

from b2bua.feature_server.call import Call
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.replacement import replace
from b2bua.feature_server.user_settings import PICKUP_GROUP
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request


class Pickup(Feature):
    """Who may is in the same `pickup_group`, or the user that is called."""

    codes = {"pickup": "*20"}  # noqa: RUF012  # as the contract has it: nobody writes to it
    settings = {PICKUP_GROUP: "users with the same word here may answer each other's calls"}  # noqa: RUF012

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users
        self._domain = environment.domain

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> None:
        """404 where nothing rings that the caller may answer."""
        party = f"sip:{argument}@{self._domain}" if argument else ""
        ringing = next((leg for leg in call.all_calls.ringing() if party in ("", leg.party) and self._may(call, leg)), None)
        if ringing is None:
            raise SipError(404, "Nothing To Pick Up")
        replace(call, ringing, invite)

    def replaces_received(self, call: Call, leg: Leg, invite: Request) -> None:
        """A call that stands is taken over by its own user alone."""
        if not self._may(call, leg) or (leg.answered and call.caller.party != leg.party):
            raise SipError(403).because("feature pickup: it is not for {} to take this call", call.caller.party)
        replace(call, leg, invite)

    def _may(self, call: Call, leg: Leg) -> bool:
        mine, theirs = self._users.user_of(call.caller.party), self._users.user_of(leg.party)
        if leg.call is call or not mine or not theirs:
            return False
        return mine == theirs or self._users.shared(PICKUP_GROUP, mine, theirs)
