"""What a trunk wants said otherwise: a request that nothing is to change in stays the very same."""

from __future__ import annotations

from b2bua.session_manager.adaptation import NONE, Adaptation
from b2bua.session_manager.header_rule import read_header_rule
from b2bua.session_manager.number_rule import read_number_rule
from tests.transaction.neighbours import request

RULE = (read_number_rule("6:0:+49"),)


def test_none() -> None:
    message = request("INVITE")
    before = list(message.lines)
    assert NONE.from_trunk(message) is message
    NONE.to_trunk(message)
    assert message.lines == before and NONE.uri_out(message.parsed_uri()) == message.parsed_uri()


def test_what_came_is_left_as_it_came() -> None:
    message = request("INVITE")
    uri, before = message.uri, list(message.lines)
    adapted = Adaptation("a", called_in=(read_number_rule("6:1:7"),), headers_in=(read_header_rule("add:X-Own:1"),))
    made = adapted.from_trunk(message)
    assert made is not message and (message.uri, message.lines) == (uri, before)
    assert made.uri == uri.replace("sip:6", "sip:7") and made.has("X-Own")


def test_each_asserted_identity() -> None:
    message = request("INVITE")
    message.append("P-Asserted-Identity", "<sip:6001@example.com>, <tel:6001>")
    Adaptation("a", asserted_out=RULE).to_trunk(message)
    assert message.elements("P-Asserted-Identity") == ["<sip:+496001@example.com>", "<tel:6001>"]
    other = request("INVITE")
    Adaptation("a", asserted_out=RULE).to_trunk(other)
    assert not other.has("P-Asserted-Identity")
