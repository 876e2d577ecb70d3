"""Whose word counts for who a message is from (RFC 3325), and who may leave its name out (RFC 3323)."""

from __future__ import annotations

import pytest

from b2bua.observer import METHODS
from b2bua.session_manager.identity import is_anonymous, strip, withhold
from b2bua.sip.message import Request
from b2bua.sip.privacy import privacy_levels

NAMELESS = "<sip:anonymous@anonymous.invalid>;tag=a"


def message(method: str = "INVITE", sender: str = NAMELESS, *headers: tuple[str, str]) -> Request:
    made = Request(method, "sip:6002@example.com", [], [])
    for name, value in (("From", sender), ("To", "<sip:6002@example.com>"), *headers):
        made.append(name, value)
    return made


@pytest.mark.parametrize("method", sorted(METHODS - {"ACK"}))
def test_only_where_from_says_nothing_that_we_act_on(method: str) -> None:
    assert is_anonymous(message(method, NAMELESS, ("Privacy", "id"))) == (method in ("INVITE", "MESSAGE", "REFER", "OPTIONS"))


@pytest.mark.parametrize("level", ["id", "user", "header", "none", "session", "critical", "history"])
def test_only_who_says_that_it_means_to(level: str) -> None:
    assert is_anonymous(message("INVITE", NAMELESS, ("Privacy", level))) == (level in ("id", "user", "header"))


@pytest.mark.parametrize("sender", ["<sip:6003@example.com>", "<sip:x@anonymous.invalid.example.com>", "<tel:1>"])
def test_only_the_name_that_is_none(sender: str) -> None:
    assert not is_anonymous(message("INVITE", sender, ("Privacy", "id")))


def test_levels_stand_in_one_value_or_several() -> None:
    several = message("INVITE", NAMELESS, ("Privacy", "ID; user"), ("Privacy", "critical"))
    assert privacy_levels(several) == {"id", "user", "critical"}
    assert privacy_levels(message()) == frozenset()


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User"])
def test_what_comes_from_outside_is_stripped(name: str) -> None:
    made = message("INVITE", NAMELESS, (name, "<sip:boss@example.com>"), (name, "<tel:1>"), ("Subject", "kept"))
    strip(made)
    assert not made.has(name) and made.get("Subject") == "kept"


@pytest.mark.parametrize(
    ("level", "told"), [("id", False), ("user;id", False), ("user", True), ("none", True), ("none;id", True), ("", True)]
)
def test_what_leaves_the_trust_domain(level: str, told: bool) -> None:
    headers = [("P-Asserted-Identity", "<sip:6001@example.com>"), *([("Privacy", level)] if level else [])]
    made = message("INVITE", NAMELESS, *headers)
    withhold(made)
    assert made.has("P-Asserted-Identity") is told
