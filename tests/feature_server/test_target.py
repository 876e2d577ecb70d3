"""Whom a user means by a number, a name or a URI."""

from __future__ import annotations

import pytest

from b2bua.feature_server.target import target_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("6003", "sip:6003@example.com"), ("+4930123", "sip:+4930123@example.com"), ("*43", "sip:*43@example.com"),
        ("#31", "sip:%2331@example.com"), ("alice.b", "sip:alice.b@example.com"), ("sip:x@example.net", "sip:x@example.net"),
        ("sips:6003@example.com", "sips:6003@example.com"),
    ],
)  # fmt: skip
def test_a_target(text: str, uri: str) -> None:
    assert target_uri(text, "example.com") == uri


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "6003@example.com", "sip:example.com", "tel:6003", "sip:a@b?Subject=x", "x" * 65]
)
def test_no_target(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number or name of the domain nor a URI"):
        target_uri(text, "example.com")
