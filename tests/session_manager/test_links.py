"""Which feature server has put a Via: by what it says of itself, where no flow tells (RFC 3261 §18.1.1)."""

from __future__ import annotations

import pytest

from b2bua.session_manager.links import FeatureLink, Links
from b2bua.sip.flow import HostPort
from b2bua.sip.via import parse_via
from tests.transaction.neighbours import FakeFlow, reply, request


def links(*remotes: HostPort) -> Links:
    made = Links()
    for number, remote in enumerate(remotes):
        made.add(FeatureLink(f"cm{number}", FakeFlow(remote=remote)))
    return made


@pytest.mark.parametrize(
    ("sent_by", "name"),
    [
        ("192.0.2.2:5071", "cm0"),
        ("192.0.2.2", "cm1"),  # 5060 where none is given (§18.2.1)
        ("[2001:db8::2]:5071", "cm2"),
        ("[2001:DB8:0::2]:5071", "cm2"),  # an address, not a text (RFC 5954 §4.2)
        ("192.0.2.9:5072", "cm3"),  # that one is known by name alone: it is where its connection comes from
        ("192.0.2.9:5071", ""),
        ("[2001:db8::3]:5071", ""),
    ],
)
def test_who_has_put_a_via(sent_by: str, name: str) -> None:
    known = links(("192.0.2.2", 5071), ("192.0.2.2", 5060), ("2001:db8::2", 5071), ("cm.example.com", 5072))
    found = known.at(parse_via(f"SIP/2.0/TCP {sent_by};branch=z9hG4bK1"))
    assert (found.name if found is not None else "") == name


@pytest.mark.parametrize("lower", ["", "SIP/2.0/TCP 192.0.2.2:50A1;branch=z9hG4bK1"])
def test_what_nobody_has_asked_that_we_know(lower: str) -> None:
    response = reply(request("INVITE"), 200)
    if lower:
        response.append("Via", lower)
    assert links(("192.0.2.2", 5071)).asked(response) is None
