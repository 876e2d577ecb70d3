from __future__ import annotations

import pytest

from b2bua.sip.names import CANONICAL, SINGLE, canonical_name


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("v", "Via"),
        ("f", "From"),
        ("t", "To"),
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("k", "Supported"),
        ("s", "Subject"),
        ("e", "Content-Encoding"),
        ("o", "Event"),
        ("u", "Allow-Events"),
        ("r", "Refer-To"),
        ("b", "Referred-By"),
        ("x", "Session-Expires"),
        ("a", "Accept-Contact"),
        ("j", "Reject-Contact"),
        ("d", "Request-Disposition"),
        ("y", "Identity"),
    ],
)
def test_a_letter_stands_for_a_name_in_either_case(wire, name):
    assert canonical_name(wire) == CANONICAL[wire] == CANONICAL[wire.upper()] == name


@pytest.mark.parametrize("wire", ["call-id", "CALL-ID", "Call-Id", "cAlL-iD"])
def test_case_does_not_matter(wire):
    assert canonical_name(wire) == "Call-ID"


@pytest.mark.parametrize("name", ["WWW-Authenticate", "SIP-ETag", "RSeq", "RAck", "CSeq", "MIME-Version", "Session-ID"])
def test_the_registered_spelling_is_kept(name):
    assert canonical_name(name.lower()) == canonical_name(name.title()) == CANONICAL[name] == name


def test_an_unknown_name_has_one_spelling():
    assert canonical_name("x-foo-BAR") == canonical_name("X-FOO-bar") == "X-Foo-Bar"


def test_every_name_that_may_stand_once_is_canonical():
    assert {canonical_name(name) for name in SINGLE} == SINGLE
