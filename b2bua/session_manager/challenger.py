"""The step of the chain that asks who sent a request: whoever is trusted says so himself, all others prove it (RFC 3261 §22)."""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.authenticator import Challenge, Passed, challenging
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.trusted_networks import asserted_user
from b2bua.session_manager.uas_core import UasCore
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why

RIGHT: Final = "digest: right, of {}"
NOT_ASKED: Final[Why] = (None, "challenge: this method is asked for none")
VOUCHED_FOR: Final = "trusted peer: a trusted network says that it is of {}, who is not challenged"


def is_vouched_for(arrival: Arrival) -> bool:
    """Whether it comes from a trusted network: who is behind it has been asked already. A trunk has rules of its own."""
    return arrival.trusted and arrival.entity is None


class Challenger:
    """Asks the authenticator, and answers by the UAS core what it says."""

    def __init__(self, parts: Parts, uas: UasCore) -> None:
        self._authenticator = parts.authenticator
        self._domain = parts.domain
        self._users = parts.users
        self._bans = parts.bans
        self._log = parts.log
        self._uas = uas
        self._tag = parts.layer.identifiers.tag

    def passed(self, arrival: Arrival, in_dialog: bool, proxied: bool = False) -> str | None:
        """The authenticated user ("" where none is asked for); None when the request has been answered here. Who is trusted is
        not challenged, and says who it is; but for REGISTER, which is the phone's own and always challenged."""
        request = arrival.request
        if is_vouched_for(arrival) and request.method != "REGISTER":
            user = asserted_user(request, self._domain, self._users)
            request.why = (None, VOUCHED_FOR, user or "nobody of the domain")
            return user
        verdict = self._authenticator.check(request, in_dialog, proxied)
        if isinstance(verdict, Passed):
            request.why = (None, RIGHT, verdict.user) if verdict.user else NOT_ASKED
            return verdict.user
        if isinstance(verdict, Challenge):
            response = challenging(request, verdict, self._tag())
            if verdict.wrong:
                self._credentials_wrong(arrival, verdict.user)
        else:
            response = response_to(request, verdict.status, verdict.reason, self._tag())
            response.why = verdict.why
        self._uas.respond(arrival, response)
        return None

    def _credentials_wrong(self, arrival: Arrival, user: str) -> None:
        peer = arrival.source.remote
        self._log("credentials_wrong", user=user, peer=peer, method=arrival.request.method)
        if self._bans is not None:
            self._bans.failed(peer[0])
