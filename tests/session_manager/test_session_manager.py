"""Single decisions of Session Manager; what it does as a whole is in tests/scenarios."""

from __future__ import annotations

from b2bua.observer import METHODS
from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.own_routes import NONE
from b2bua.sip.errors import SipError
from tests.scenarios.scene import Scene
from tests.transaction.neighbours import FakeFlow, request


def test_the_requests_whose_contact_becomes_a_target() -> None:
    """A Contact that is a listener of ours would have us call ourselves (RFC 3261 §12.2, RFC 6665 §4.5.1, RFC 3515 §2.4.4);
    REGISTER has the registrar for that, elsewhere a Contact means nothing."""
    manager = Scene().server.session_manager

    def refused(method: str) -> bool:
        try:
            made = request(method, more=(("Contact", "<sip:6001@192.0.2.1:5060>"),))
            manager._check_contact(Arrival(None, made, FakeFlow(), None, NONE, 70))
        except SipError as error:
            assert error.status == 403
            return True
        return False

    assert {method for method in METHODS if refused(method)} == {"INVITE", "UPDATE", "SUBSCRIBE", "REFER"}
