from __future__ import annotations

from b2bua.sip.identifiers import Identifiers


def test_nothing_repeats():
    ids = Identifiers("p0")
    made = [make() for _ in range(100) for make in (ids.branch, ids.tag, ids.call_id)]
    assert len(set(made)) == len(made)
    assert ids.number() < ids.number()


def test_two_elements_share_nothing():
    one, other = Identifiers("aaaa"), Identifiers("bbbb")
    assert not {one.branch(), one.tag(), one.call_id()} & {other.branch(), other.tag(), other.call_id()}


def test_a_branch_begins_with_the_cookie_and_has_more():
    assert Identifiers("p0").branch().startswith("z9hG4bKp0")
    assert len(Identifiers("p0").branch()) > len("z9hG4bKp0")
