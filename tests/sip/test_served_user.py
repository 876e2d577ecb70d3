"""P-Served-User (RFC 5502): it reads as it is written, and what says nothing serves nobody."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from b2bua.sip.served_user import SERVED_USER, served_user, who_is_served


def with_value(*values: str) -> Request:
    made = Request("INVITE", "sip:6002@example.com", [], [])
    for value in values:
        made.append(SERVED_USER, value)
    return made


@pytest.mark.parametrize("case", ["orig", "term"])
def test_it_reads_as_it_is_written(case: str) -> None:
    assert who_is_served(with_value(served_user("sip:6001@example.com", case))) == (case, "sip:6001@example.com")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"Alice" <sip:6001@example.com>;regstate=reg;SESCASE=Term', ("term", "sip:6001@example.com")),
        ("<sip:6001@example.com>;orig-cdiv", ("", "")),
        ("<sip:6001@example.com>;sescase=other", ("", "")),
        ("<sip:6001@example.com>", ("", "")),
        ("<sip:6001", ("", "")),
        ("", ("", "")),
    ],
)
def test_what_others_write(value: str, found: tuple[str, str]) -> None:
    assert who_is_served(with_value(value)) == found


def test_where_there_is_none() -> None:
    assert who_is_served(with_value()) == ("", "")
