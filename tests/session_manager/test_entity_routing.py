"""Which entity serves a number or a domain."""

from __future__ import annotations

import pytest

from b2bua.session_manager.entities import Entity
from b2bua.session_manager.entity_routing import EntityRouting
from b2bua.sip.uri import parse_uri

HERE = parse_uri("sip:192.0.2.80")
ROUTING = EntityRouting(
    [
        Entity("out", HERE, numbers=("0", "+"), domains=("example.net",)),
        Entity("abroad", HERE, numbers=("00", "+1")),
        Entity("late", HERE, numbers=("0", "#31#"), domains=("example.net", "example.org")),
    ]
)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("0", "out"), ("01", "out"), ("00", "abroad"), ("0017", "abroad"), ("+49", "out"), ("+1", "abroad"), ("+", "out"),
        ("#31#0", "late"), ("#31", None), ("6001", None), ("", None), ("10", None),
    ],
)  # fmt: skip
def test_numbers(number: str, name: str | None) -> None:
    found = ROUTING.of_number(number)
    assert (None if found is None else found.name) == name


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:bob@example.net", "out"), ("sips:bob@EXAMPLE.net.:5070", "out"), ("sip:example.org", "late"),
        ("sip:bob@a.example.net", None), ("sip:bob@net", None), ("tel:+49", None), ("nonsense", None),
    ],
)  # fmt: skip
def test_domains(uri: str, name: str | None) -> None:
    found = ROUTING.of_domain(uri)
    assert (None if found is None else found.name) == name


def test_without_entities() -> None:
    assert EntityRouting([]).of_number("0") is None and EntityRouting([]).of_domain("sip:a@example.net") is None
