"""Messages changed on purpose: as long as asked for, with a tag that nobody has, and SIP still."""

from __future__ import annotations

import pytest

from b2bua.faults.altered import padded, with_wrong_tag
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message

REQUEST = (
    b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n"
    b"From: <sip:6001@example.com>;tag=one\r\nTo: \"Tag; tag=x\" <sip:6002@example.com>%b\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)


@pytest.mark.parametrize("size", [*range(200, 300), 1299, 1300, 1301, 2000, 2716, 65_507])
def test_padded_to_the_byte(size: int) -> None:
    message = parse_message(REQUEST % b"")
    before = len(message.encode())
    data = padded(message, size).encode()
    # One header has 13 bytes at least: what is nearer stays as it is.
    assert len(data) == size or (size < before + 14 and len(data) == before)
    assert parse_message(data).body == b"body"


def test_a_tag_that_is_nobodys() -> None:
    changed = with_wrong_tag(parse_message(REQUEST % b";tag=two"))
    assert (changed.from_.tag, changed.to.tag) == ("one", "wrong-two")
    changed = with_wrong_tag(parse_message(REQUEST % b""))
    assert isinstance(changed, Request) and (changed.from_.tag, changed.to.tag) == ("wrong-one", "")
