"""Which requests in dialog a B2BUA passes on without a feature of their own."""

from __future__ import annotations

from b2bua.feature_server.relay import relay
from b2bua.observer import METHODS
from b2bua.sip.errors import SipError
from b2bua.transaction.server_non_invite import NonInviteServer
from tests.plugins.standing import StandingCall
from tests.transaction.neighbours import FakeFlow, request


def status(method: str) -> int:
    """What is said where the other party is gone: 481, unless the method itself is not passed on."""
    standing, made = StandingCall(), request(method)
    standing.callee.ended = True
    transaction = NonInviteServer(made, FakeFlow(False), None, standing.call.environment.layer)
    try:
        relay(standing.call, standing.caller, transaction, made)
    except SipError as error:
        return error.status
    return 0


def test_only_what_concerns_the_parties_alone() -> None:
    assert {method for method in METHODS if status(method) == 481} == {"INFO", "MESSAGE"}
    assert {status(method) for method in METHODS} == {481, 405}
