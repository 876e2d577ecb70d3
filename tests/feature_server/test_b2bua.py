"""What the B2BUA itself says to a request, before there is a call."""

from __future__ import annotations

import pytest

from b2bua.feature_server.b2bua import B2bua
from tests.feature_server.surroundings import Surroundings
from tests.transaction.neighbours import request

CONTACT = ("Contact", "<sip:6001@192.0.2.10:5060>")


@pytest.mark.parametrize(
    ("tag", "status"), [("timer", 0), ("Timer", 0), ("100rel", 0), ("path", 420), ("replaces", 420), ("precondition", 420)]
)
def test_require(tag: str, status: int) -> None:
    """420 for what a leg would not keep its word on (RFC 3261 §8.2.2.3); session timers and 100rel it does."""
    surroundings = Surroundings()
    B2bua(surroundings.environment, [])
    surroundings.receive(request(more=(("Require", tag), CONTACT)))
    finals = [status for status in surroundings.flow.statuses() if status >= 200]
    assert finals == ([status] if status else [])
