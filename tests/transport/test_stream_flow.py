"""What a flow says of whoever is at its other end; what it does, with its listener, is in test_stream.py."""

from __future__ import annotations

from b2bua.transport.stream_flow import identities
from tests.transaction.neighbours import FakeFlow
from tests.transport.streams import Listening


def test_only_a_stream_has_shown_a_certificate() -> None:
    flow = Listening().phone().connection.flow
    assert identities(flow) == frozenset() == identities(FakeFlow(reliable=True))
    flow.identities = frozenset(("example.com",))
    assert identities(flow) == {"example.com"}
