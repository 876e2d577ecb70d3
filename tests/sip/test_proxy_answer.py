"""The mark that a proxy puts on a challenge, and what it is read as."""

from __future__ import annotations

import pytest

from b2bua.sip.digest import MAX_ROUNDS, challenge_text, parse_challenge
from b2bua.sip.message import Request
from b2bua.sip.proxy_answer import marked, round_of, rounds

ASKED = challenge_text("example.net", "n1")


def test_a_marked_challenge_is_still_one() -> None:
    assert parse_challenge(marked(ASKED, 2)) == parse_challenge(ASKED)
    assert round_of(marked(ASKED, 2)) == 2


@pytest.mark.parametrize("value", [
    "", "by-proxy", ASKED, f"{ASKED}, by-proxy=0", f"{ASKED}, by-proxy={MAX_ROUNDS + 1}", f"{ASKED}, by-proxy=x",
    f"{ASKED}, by-proxy=1, by-proxy=2", "Digest ,, by-proxy", "Basic by-proxy=1", f"{ASKED}, by-proxy=²",
])  # fmt: skip
def test_whatever_else_is_not_marked(value: str) -> None:
    assert round_of(value) == 0


def test_the_round_of_a_request_is_its_highest() -> None:
    request = Request("INVITE", "sip:0@example.net", [], [])
    assert rounds(request) == 0
    request.append("Proxy-Authorization", 'Digest username="x", realm="example.com"')
    request.append("Authorization", marked(ASKED, 1))
    request.append("Proxy-Authorization", marked(ASKED, 2))
    assert rounds(request) == 2
