"""The table of clients in README.md: what stands there is what the program would write, and messages are read rightly."""

from __future__ import annotations

import json

import pytest

from tests.interop.matrix import ACTIONS, README, ROWS, in_readme, seen, table
from tests.interop.server import Hop

SDP = "\r\n\r\nv=0\r\no=x 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na="


def hop(
    source: str, destination: str, start: str, cseq: str, direction: str = "", to: str = "<sip:6002@example.com>;tag=b"
) -> Hop:
    text = f"{start}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{cseq[0]}\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: {cseq}"
    text += f"{SDP}{direction}\r\n" if direction else "\r\n\r\n"
    record = {"source": source, "destination": destination, "transport": "udp", "call": "c", "retransmission": False}
    return Hop(record | {"message": text})


def exchange(source: str, destination: str, method: str, number: int, offer: str = "", answer: str = "", status: int = 200,
             **more: str) -> list[Hop]:  # fmt: skip
    return [
        hop(source, destination, f"{method} sip:x@example.com SIP/2.0", f"{number} {method}", offer, **more),
        hop(destination, source, f"SIP/2.0 {status} OK", f"{number} {method}", answer),
    ]


def test_what_a_phone_did_is_read_from_its_messages() -> None:
    hops = [
        *exchange("6001", "SM", "REGISTER", 1),
        *exchange("6001", "SM", "INVITE", 2, "sendrecv", "sendrecv", to="<sip:6002@example.com>"),
        *exchange("6001", "SM", "INVITE", 3, "sendonly", "recvonly"),
        *exchange("6001", "SM", "INVITE", 4, "sendrecv", "sendrecv"),
        *exchange("SM", "6001", "INVITE", 5, "sendonly", "recvonly"),
        *exchange("6001", "SM", "BYE", 6),
    ]
    did = {action for action, transport in seen(hops, "6001") if transport == "udp"}
    assert did == {"registers", "calls", "holds", "resumes", "is held", "hangs up"}
    assert seen(hops, "6002") == set()


def test_what_was_refused_or_answered_wrong_is_not_seen() -> None:
    hops = [
        *exchange("6001", "SM", "INVITE", 3, "sendonly", "recvonly", status=488),
        *exchange("SM", "6001", "INVITE", 5, "sendonly", "sendrecv"),
        *exchange("6001", "SM", "INVITE", 7, "sendrecv", "sendrecv"),  # a refresh, no resume
        *exchange("6001", "SM", "BYE", 6, status=481),
    ]
    assert seen(hops, "6001") == set()


def test_the_table() -> None:
    lines = [json.dumps({"client": ROWS[0][0], "transport": "udp", "action": "holds"})] * 2
    first = table(lines).splitlines()[2]
    assert first.count("yes") == 1 and first.count("–") == len(ACTIONS) - 1
    with pytest.raises(KeyError):
        table(['{"client": "nobody", "transport": "udp", "action": "holds"}'])


def test_the_readme_has_a_table_of_that_form() -> None:
    """Whether its cells are true `make interop` says."""
    there = in_readme(README.read_text(encoding="utf-8")).splitlines()
    assert there[:2] == table([]).splitlines()[:2]
    assert [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in there[2:]] == list(ROWS)
    assert {cell.strip() for line in there[2:] for cell in line.split("|")[3:-1]} <= {"yes", "–"}
