"""Number adaptation: the first rule that matches, what stays as it is, and what is no rule."""

from __future__ import annotations

import pytest

from b2bua.session_manager.number_rule import adapt_address, adapt_number, adapt_uri, read_number_rule
from b2bua.sip.uri import parse_uri

RULES = tuple(map(read_number_rule, ("00:2:+", "0[1-9]:1:+49", "#31#:4:", "8:9:", "12:0:9")))


@pytest.mark.parametrize(
    ("number", "adapted"),
    [("0044", "+44"), ("030", "+4930"), ("0", "0"), ("5", "5"), ("#31#5", "5"), ("#31#", "#31#"), ("81", "81"), ("123", "9123")],
)
def test_numbers(number: str, adapted: str) -> None:
    """A rule that would leave nothing leaves the number."""
    assert adapt_number(RULES, number) == adapted


@pytest.mark.parametrize(
    ("uri", "adapted"),
    [
        ("sip:030@example.com;user=phone", "sip:+4930@example.com;user=phone"),
        ("sips:030;phone-context=a@example.com", "sips:+4930;phone-context=a@example.com"),
        ("sip:%2331%235@example.com", "sip:5@example.com"),
        ("sip:0%20@example.com", "sip:0%20@example.com"),
        ("sip:example.com", "sip:example.com"),
        ("tel:030", "tel:030"),
    ],
)
def test_uris(uri: str, adapted: str) -> None:
    assert str(adapt_uri(RULES, parse_uri(uri))) == adapted


def test_a_sign_that_a_uri_escapes() -> None:
    assert str(adapt_uri([read_number_rule("1:1:#9")], parse_uri("sip:12@example.com"))) == "sip:%2392@example.com"


@pytest.mark.parametrize(
    ("value", "adapted"),
    [
        ('"A, B" <sip:030@example.com>;x=y', '"A, B" <sip:+4930@example.com>;x=y'),
        ("sip:030@example.com", "<sip:+4930@example.com>"),
        ("<sip:5@example.com>", "<sip:5@example.com>"),
        ("<tel:030>", "<tel:030>"),
        ("<nonsense", "<nonsense"),
    ],
)
def test_addresses(value: str, adapted: str) -> None:
    assert adapt_address(RULES, value) == adapted


@pytest.mark.parametrize("text", ["", "0", "0:1", "0:1:2:3", "0:a:1", "0:-1:1", "0:100:1", "0:1:a b", "0:1:é", ":1:0", "(:1:0"])
def test_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not PATTERN|no number of signs|begins no number|no pattern"):
        read_number_rule(text)
