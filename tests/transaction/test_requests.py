"""ACK for a failure (RFC 3261 §17.1.1.3) and CANCEL (§9.1): what they copy of the INVITE and what they do not."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message
from b2bua.transaction.requests import ack_for_failure, cancel_for
from tests.transaction.neighbours import reply, request

INVITE = request(
    "INVITE",
    cseq=7,
    more=(
        ("Via", "SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKbelow"),
        ("Route", "<sip:192.0.2.1;lr>"),
        ("Route", "<sip:192.0.2.2;lr>"),
        ("Contact", "<sip:6001@192.0.2.10>"),
        ("Proxy-Authorization", 'Digest username="6001"'),
        ("Require", "100rel"),
        ("Content-Type", "application/sdp"),
    ),
    body=b"v=0\r\n",
)
INVITE.call = "trace"
ACK = ack_for_failure(INVITE, reply(INVITE, 486, tag="busy"))
CANCEL = cancel_for(INVITE, (("Reason", "SIP;cause=200"),))


@pytest.mark.parametrize("made", [ACK, CANCEL], ids=["ACK", "CANCEL"])
def test_what_both_copy(made: Request) -> None:
    assert made.uri == INVITE.uri and made.call_id == INVITE.call_id
    assert made.get_all("Via") == ["SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1"]  # the top one alone
    assert made.get("From") == INVITE.get("From")
    assert made.elements("Route") == ["<sip:192.0.2.1;lr>", "<sip:192.0.2.2;lr>"]
    assert (made.cseq, made.cseq_method) == (7, made.method)
    assert made.get("Max-Forwards") == "70"
    assert made.get("Content-Length") == "0" and made.body == b""
    assert not {"Contact", "Proxy-Authorization", "Require", "Content-Type"} & set(made.names)
    assert made.call == "trace"


def test_to_is_the_responses_in_an_ack_and_the_invites_in_a_cancel() -> None:
    assert ACK.to.tag == "busy"
    assert CANCEL.get("To") == INVITE.get("To")


def test_a_cancel_carries_its_reason() -> None:
    assert CANCEL.get_all("Reason") == ["SIP;cause=200"]


@pytest.mark.parametrize("made", [ACK, CANCEL], ids=["ACK", "CANCEL"])
def test_both_are_sip(made: Request) -> None:
    assert str(parse_message(made.encode())) == str(made)
