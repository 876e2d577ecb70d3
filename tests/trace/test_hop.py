"""The facts of a message, and of what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.response_to import response_to
from b2bua.trace.hop import UNREADABLE, Facts, Hop, read_facts
from tests.trace.hand_made import CREDENTIALS, request, sdp


def test_facts_of_a_request_and_its_response() -> None:
    made = request("INVITE", "6001", "6002", "c", 7, CREDENTIALS, tags=("a", "b"))
    assert read_facts(made.encode()) == Facts("INVITE", 0, "c", 7, "INVITE", "6001", "6002", "6002", "b", True, "192.0.2.9")
    answer = Facts("", 180, "c", 7, "INVITE", "6001", "6002", "", "b", False, "192.0.2.9")
    assert read_facts(response_to(made, 180).encode()) == answer


def test_refused_but_answerable_request_still_has_facts() -> None:
    data = request("INVITE", "6001", "6002", "c", 7).encode().replace(b"Content-Length: 0", b"Content-Length: 999")
    assert read_facts(data).call_id == "c"


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"hello", b"SIP/2.0 200 OK\r\n\r\n"])
def test_unreadable(data: bytes) -> None:
    assert read_facts(data) == UNREADABLE


@given(st.binary(max_size=200))
def test_never_raises(data: bytes) -> None:
    read_facts(b"OPTIONS sip:a SIP/2.0\r\nVia: " + data)


def test_body() -> None:
    data = request("INVITE", "6001", "6002", "c", 7, body=sdp("sendonly")).encode()
    assert Hop(0.0, "udp", "a", "SM", b"\r\n" + data, read_facts(data)).body == sdp("sendonly")
