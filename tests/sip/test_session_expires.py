"""RFC 4028 §4: the Session-Expires header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message
from b2bua.sip.session_expires import SessionExpires, session_expires
from tests.sip.wire import invite


def carrying(line: str) -> Request:
    return Request("INVITE", "sip:6002@example.com", ["Session-Expires"], [line])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1800", SessionExpires(1800)),
        ("1800;refresher=uac", SessionExpires(1800, "uac")),
        (" 90 ; Refresher = UAS ;x", SessionExpires(90, "uas")),
        ("4000;private=yes;refresher=uas", SessionExpires(4000, "uas")),
        ("0", SessionExpires(0)),
        ("99999999999999", SessionExpires(2**32 - 1)),
    ],
)
def test_reads(value: str, read: SessionExpires) -> None:
    assert session_expires(carrying(f"Session-Expires:{value}")) == read


@pytest.mark.parametrize("value", ["", "soon", "-5", "1800;refresher=me", "1800;refresher", "٣", "1.5", "9" * 5000])
def test_refuses(value: str) -> None:
    with pytest.raises(MalformedValue) as caught:
        session_expires(carrying(f"Session-Expires: {value}"))
    assert caught.value.status == 400


def test_absent() -> None:
    assert session_expires(Request("INVITE", "sip:6002@example.com", [], [])) is None


def test_compact_form() -> None:
    message = parse_message(invite("x: 1800;refresher=uac"))
    assert session_expires(message) == SessionExpires(1800, "uac")


@given(st.builds(SessionExpires, st.integers(0, 2**32 - 1), st.sampled_from(["", "uac", "uas"])))
def test_prints_as_it_reads(value: SessionExpires) -> None:
    assert session_expires(carrying(f"Session-Expires: {value}")) == value
