"""What each refusal of a session refresh means (RFC 4028 §10, RFC 3311 §5.3), status by status, and which requests ask."""

from __future__ import annotations

import pytest

from b2bua.dialog.session_timer import Event, State
from b2bua.feature_server.leg_session import LegSession
from b2bua.observer import METHODS
from b2bua.sip.reason import REASON
from b2bua.sip.response_to import response_to
from tests.plugins.standing import StandingCall
from tests.transaction.neighbours import request

FAILURES = [status for status in REASON if status >= 300]
# From the phone itself: it is there, whatever it thinks of the refresh. Others may come of a proxy that does not reach it.
ITS_OWN = {400, 401, 403, 405, 406, 407, 415, 420, 421, 422, 486, 488, 489, 500, 501, 505, 513, 600, 603, 606}


class Session:
    """A leg's session at the moment when its refresh is under way."""

    def __init__(self, negotiated: bool) -> None:
        standing = StandingCall()
        self.call, leg = standing.call, standing.callee
        leg.answered = leg.confirmed = True
        self.session = leg.session = LegSession(leg, 90, 90)
        assert self.session.terms is not None
        self.terms = self.session.terms
        self.terms.negotiated = negotiated
        now = leg.environment.layer.timers.now()
        self.session.timer.agreed(now, 90, True)
        self.session.timer.fire(Event.DUE, now)

    def refused(self, method: str, status: int) -> str:
        self.terms.updates = True
        self.session.refused(method, status, response_to(request(method), status), 5.0)
        if self.call.state == "ended":
            return "the end"
        if not self.terms.updates:
            return "again as INVITE"
        return "alive" if self.session.timer.state is State.OURS else "again later"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("negotiated", [True, False])
def test_what_a_refusal_means(method: str, negotiated: bool) -> None:
    for status in FAILURES:
        wanted = "again later"
        if status in (408, 481):
            wanted = "the end"
        elif method == "UPDATE" and status in (405, 501):
            wanted = "again as INVITE"
        elif not negotiated and status in ITS_OWN:
            wanted = "alive"
        assert Session(negotiated).refused(method, status) == wanted, status


def test_invite_and_update_ask_for_an_interval() -> None:
    """RFC 4028 table 1: in no other request has Session-Expires a place."""
    asking = set()
    for method in METHODS:
        made = request(method)
        Session(True).session.ask(made)
        assert made.get("Supported") == "timer"
        if made.has("Session-Expires"):
            asking.add(method)
    assert asking == {"INVITE", "UPDATE"}
