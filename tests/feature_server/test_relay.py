"""Which requests in dialog a B2BUA passes on without a feature of their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from b2bua.feature_server.relay import relay
from b2bua.observer import METHODS
from b2bua.sip.errors import SipError
from tests.transaction.neighbours import request


def status(method: str) -> int:
    """What is said where the other party is gone: 481, unless the method itself is not passed on."""
    gone: Any = SimpleNamespace(other=SimpleNamespace(ended=True))
    nobody: Any = None
    try:
        relay(nobody, gone, nobody, request(method))
    except SipError as error:
        return error.status
    return 0


def test_only_what_concerns_the_parties_alone() -> None:
    assert {method for method in METHODS if status(method) == 481} == {"INFO", "MESSAGE"}
    assert {status(method) for method in METHODS} == {481, 405}
