"""What goes end to end through a B2BUA, and what belongs to one leg."""

from __future__ import annotations

import pytest

from b2bua.feature_server.carried import carry, carry_body, carry_challenges
from b2bua.sip.message import Request, Response


def empty() -> Request:
    return Request("INVITE", "sip:6002@example.com", [], [])


def with_headers(*headers: tuple[str, str], body: bytes = b"") -> Request:
    made = empty()
    for name, value in headers:
        made.append(name, value)
    made.body = body
    return made


@pytest.mark.parametrize(
    "name",
    ["Reason", "Subject", "P-Asserted-Identity", "Alert-Info", "Call-Info", "Diversion", "History-Info", "Session-ID",
     "User-To-User", "X-Nobody-Knows", "X-Own", "Date", "Organization",
     "Priority", "Retry-After", "Warning", "Privacy", "Referred-By"],
)  # fmt: skip
def test_end_to_end(name: str) -> None:
    target = empty()
    carry(with_headers((name, "a"), (name, "b")), target)
    assert target.get_all(name) == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Max-Forwards", "Content-Length",
     "Content-Type", "Supported", "Require", "Proxy-Require", "Allow", "Session-Expires", "RSeq", "Replaces", "Server",
     "User-Agent", "Accept", "Accept-Encoding", "Allow-Events", "Authentication-Info", "Content-Disposition",
     "Content-Encoding", "Content-Language", "Join", "Max-Breadth", "Min-Expires", "Min-SE", "Path", "RAck", "Service-Route",
     "Target-Dialog", "Timestamp", "Unsupported", "Authorization", "Proxy-Authorization",
     "WWW-Authenticate", "Proxy-Authenticate", "P-Served-User"],
)  # fmt: skip
def test_of_one_leg(name: str) -> None:
    target = empty()
    carry(with_headers((name, "a")), target)
    assert target.names == []


def test_the_line_stands_as_it_came() -> None:
    source = empty()
    source.names.append("Reason")
    source.lines.append('reason :  avaya-action;cause=1;text="Hold"')
    target = empty()
    carry(source, target)
    assert target.lines == source.lines


def test_the_body_with_its_headers() -> None:
    source = with_headers(
        ("Content-Type", "application/sdp"), ("Content-Disposition", "session"), ("Content-Length", "99"), body=b"v=0"
    )
    target = empty()
    carry_body(source, target, b"v=0\r\n")
    assert target.body == b"v=0\r\n"
    assert (target.get("Content-Type"), target.get("Content-Disposition")) == ("application/sdp", "session")
    assert target.get_all("Content-Length") == ["5"]


def test_without_a_body_there_are_none() -> None:
    target = empty()
    carry_body(with_headers(("Content-Type", "application/sdp")), target, b"")
    assert target.names == ["Content-Length"] and target.get("Content-Length") == "0"


OURS, THEIRS = 'Digest realm="example.com", nonce="1"', 'Digest realm="example.org", nonce="2"'


@pytest.mark.parametrize(
    ("challenges", "copied"),
    [
        ([("Proxy-Authenticate", OURS)], []),
        ([("Proxy-Authenticate", OURS), ("Proxy-Authenticate", THEIRS)], [THEIRS]),
        ([("WWW-Authenticate", THEIRS)], [THEIRS]),
        ([], []),
    ],
)
def test_a_challenge_of_ours_never_crosses(challenges: list[tuple[str, str]], copied: list[str]) -> None:
    source, target = Response(407, "x", [], []), Response(407, "x", [], [])
    for name, value in challenges:
        source.append(name, value)
    assert carry_challenges(source, target, "example.com") is bool(copied)
    assert target.get_all("Proxy-Authenticate") + target.get_all("WWW-Authenticate") == copied
