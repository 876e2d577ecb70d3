"""Replaces (RFC 3891 §6.1) and what stands in a Refer-To (RFC 3515 §2.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request
from b2bua.sip.refer_to import refer_to_of
from b2bua.sip.replaces import Replaces, parse_replaces

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)


@given(TOKEN, TOKEN, TOKEN, st.booleans())
def test_it_prints_as_it_was_parsed(call_id: str, to_tag: str, from_tag: str, early_only: bool) -> None:
    replaces = Replaces(call_id, to_tag, from_tag, early_only)
    assert parse_replaces(str(replaces)) == replaces


def test_order_case_and_blanks_do_not_matter() -> None:
    text = " 98732@sip.example.com ; From-Tag = r33th4x0r;x=y; to-tag=ff87ff ;early-only"
    assert parse_replaces(text) == Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r", True)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=;from-tag=2", "a;to-tag;from-tag=2",
        "a;to-tag=1;from-tag=2;to-tag=3", "a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2", "a b;to-tag=1;from-tag=2",
    ],
)  # fmt: skip
def test_what_names_not_one_dialog(text: str) -> None:
    with pytest.raises(MalformedValue):
        parse_replaces(text)


def refer(*values: str) -> Request:
    return Request("REFER", "sip:6001@example.com", ["Refer-To"] * len(values), [f"Refer-To: {value}" for value in values])


@pytest.mark.parametrize(
    ("value", "uri", "method"),
    [
        ("<sip:6003@example.com>", "sip:6003@example.com", "INVITE"),
        ("sip:6003@example.com", "sip:6003@example.com", "INVITE"),
        ('"Carol" <sip:6003@example.com;transport=tcp;method=BYE>;x=1', "sip:6003@example.com;transport=tcp", "BYE"),
        ("<sip:6003@example.com;METHOD=INVITE?Subject=x>", "sip:6003@example.com", "INVITE"),
        ("<tel:+15551234>", "tel:+15551234", "INVITE"),
    ],
)
def test_whom_to_call(value: str, uri: str, method: str) -> None:
    found = refer_to_of(refer(value))
    assert (str(found.uri), found.method, found.replaces) == (uri, method, None)


def test_replaces_in_a_refer_to() -> None:
    value = "<sip:c@example.com?Require=replaces&replaces=090459243588173445%40host%3Bto-tag%3D7553452%3Bfrom-tag%3D31431>"
    assert refer_to_of(refer(value)).replaces == Replaces("090459243588173445@host", "7553452", "31431")


@pytest.mark.parametrize(
    "values",
    [
        (), ("<sip:a@example.com>", "<sip:b@example.com>"), ("<sip:a@example.com>, <sip:b@example.com>",), ("<>",),
        ("<sip:a@example.com?Replaces=x>",), ("sip:a@example.com?Replaces=x",),
        ("<sip:a@example.com?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>",),
    ],
)  # fmt: skip
def test_what_is_no_refer_to(values: tuple[str, ...]) -> None:
    with pytest.raises(MalformedValue):
        refer_to_of(refer(*values))
