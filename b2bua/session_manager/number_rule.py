"""Number adaptation: the digits of a number taken off and put in front, by the first rule whose pattern matches.

A rule is written `PATTERN:DELETE:INSERT`: `0:1:+49` makes +4930 of 030.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from b2bua.session_manager.number_pattern import NumberPattern, read_pattern
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import Uri


class NumberRule(NamedTuple):
    """Read by `read_number_rule`."""

    text: str
    pattern: NumberPattern
    delete: int
    """So many signs come off in front; all of a number that is shorter."""
    insert: str
    """What is put there."""

    def apply(self, number: str) -> str:
        return self.insert + number[self.delete :]


def read_number_rule(text: str) -> NumberRule:
    """ValueError says what is wrong."""
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"{text!r} is not PATTERN:DELETE:INSERT")
    pattern, delete, insert = parts
    if not (delete.isascii() and delete.isdigit() and len(delete) < 3):
        raise ValueError(f"{text!r}: {delete!r} is no number of signs to take off")
    if insert and not all(sign.isascii() and (sign.isalnum() or sign in "+*#.-_") for sign in insert):
        raise ValueError(f"{text!r}: {insert!r} begins no number")
    return NumberRule(text, read_pattern(pattern), int(delete), insert)


def rule_of(rules: Iterable[NumberRule], number: str) -> NumberRule | None:
    """The rule that a number is adapted by: the first one that matches."""
    return next((rule for rule in rules if rule.pattern.matches(number)), None)


def adapt_number(rules: Iterable[NumberRule], number: str) -> str:
    """A number as it is behind the adaptation; itself where no rule matches, or nothing would be left of it."""
    rule = rule_of(rules, number)
    return number if rule is None else rule.apply(number) or number


def adapt_uri(rules: Iterable[NumberRule], uri: Uri) -> Uri:
    """The same of the user part of a URI; one of no user, or with escapes in it but that of #, stays as it is."""
    number, semicolon, parameters = uri.user.partition(";")  # RFC 3261 §19.1.6: telephone-subscriber parameters
    number = number.replace("%23", "#")
    if not number or "%" in number or uri.scheme not in ("sip", "sips"):
        return uri
    adapted = adapt_number(rules, number).replace("#", "%23")
    return uri._replace(user=adapted + semicolon + parameters)


def adapt_address(rules: Iterable[NumberRule], value: str) -> str:
    """The same of a header's value that is one address; what is none stays as it is."""
    try:
        address = parse_address(value)
        uri = address.parsed_uri()
    except MalformedValue:
        return value
    adapted = adapt_uri(rules, uri)
    return value if adapted == uri else str(address._replace(uri=str(adapted)))
