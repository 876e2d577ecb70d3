"""Header manipulation: what each rule does, and what no rule may touch."""

from __future__ import annotations

import pytest

from b2bua.session_manager.header_rule import HeaderRule, apply_rules, read_header_rule
from tests.transaction.neighbours import request

UNTOUCHED = (
    "Via", "Route", "Record-Route", "Path", "Service-Route", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards",
    "Max-Breadth", "Content-Length", "Content-Type", "Content-Encoding", "Content-Disposition", "MIME-Version",
    "Require", "Proxy-Require", "Supported", "Unsupported", "Session-Expires", "Min-SE", "RSeq", "RAck", "Expires",
    "Min-Expires", "Event", "Subscription-State", "SIP-ETag", "SIP-If-Match", "Replaces", "Join", "Refer-To",
    "Refer-Sub", "Target-Dialog", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate",
    "Authentication-Info", "P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User", "Privacy", "Identity",
)  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("add:X-Own:3", ["1", "2", "3"]),
        ("remove:x-own", []),
        ("replace:X-OWN: a: b", ["a: b"]),
        ("replace:X-Other:3", ["1", "2"]),
        ("remove:X-Other", ["1", "2"]),
    ],
)
def test_what_a_rule_does(rule: str, found: list[str]) -> None:
    message = request("INVITE")
    message.extend((("X-Own", "1"), ("Subject", "a"), ("X-Own", "2")))
    apply_rules([read_header_rule(rule)], message)
    assert message.get_all("X-Own") == found and message.get("Subject") == "a" and not message.has("X-Other")
    assert len(message.names) == len(message.lines)


def test_one_after_the_other_and_in_its_place() -> None:
    message = request("INVITE")
    message.extend((("X-Own", "1"), ("Subject", "a")))
    apply_rules(map(read_header_rule, ("replace:X-Own:2", "add:X-Own:3", "remove:Subject")), message)
    assert message.lines[-2:] == ["X-Own: 2", "X-Own: 3"]


def test_a_header_that_may_stand_once_is_not_added_to() -> None:
    """No rule can name one today; what a rule does with it is the rule's, all the same."""
    message = request("INVITE")
    message.append("Expires", "1")
    HeaderRule("", "add", "Expires", "2").apply(message)
    assert message.get_all("Expires") == ["1"]


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_the_machines_go_by(name: str) -> None:
    with pytest.raises(ValueError, match="belongs to"):
        read_header_rule(f"remove:{name.lower()}")


@pytest.mark.parametrize("name", ["User-Agent", "Server", "Subject", "Reason", "Diversion", "History-Info", "Allow", "X-Own"])
def test_what_a_rule_may_touch(name: str) -> None:
    assert read_header_rule(f"remove: {name}").name == name


@pytest.mark.parametrize(
    "text",
    ["", "remove", "remove:", "remove:A:1", "add:A", "add:A:", "replace:A:", "drop:A", "drop:A:1", "add:A B:1", "add:A:1\r\nB: 2",
     "remove:v"],
)  # fmt: skip
def test_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not add|value is|belongs to"):
        read_header_rule(text)
