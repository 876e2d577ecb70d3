"""Whose requests are limited by `requests_per_source`."""

from __future__ import annotations

import pytest

from b2bua.observer import Observer
from b2bua.session_manager.links import Links
from b2bua.session_manager.source_limit import SourceLimit
from tests.transaction.neighbours import FakeFlow, request


@pytest.mark.parametrize(
    ("host", "limited"),
    [
        ("127.0.0.1", False), ("127.9.8.7", False), ("::ffff:127.0.0.1", False), ("::1", False),
        ("192.0.2.10", True), ("12.0.0.1", True), ("2001:db8::1", True), ("::ffff:192.0.2.10", True), ("::127", True),
    ],
)  # fmt: skip
def test_this_host_itself_is_not(host: str, limited: bool) -> None:
    limit = SourceLimit(1, lambda: 1000.0, Links(), Observer(), lambda _: False)
    passed = [limit.refusal(request("OPTIONS"), FakeFlow(remote=(host, 5060))) is True for _ in range(9)]
    assert passed[0] and all(passed) is not limited
