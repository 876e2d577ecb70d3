"""RFC 5393 §4.2: the second part of a branch varies with what routing depends on, and with nothing else."""

from __future__ import annotations

import re

from b2bua.sip.identifiers import Identifiers
from b2bua.sip.loop_mark import bears, loop_mark
from tests.transaction.neighbours import request


def test_equal_for_equal_values_and_key() -> None:
    assert loop_mark(b"k", "sip:6002@example.com", "") == loop_mark(b"k", "sip:6002@example.com", "")


def test_another_value_order_or_key_is_another_mark() -> None:
    marks = [
        loop_mark(b"k", "a", "b"), loop_mark(b"k", "b", "a"), loop_mark(b"k", "ab"), loop_mark(b"k", "a", "b", ""),
        loop_mark(b"l", "a", "b"),
    ]  # fmt: skip
    assert len(set(marks)) == len(marks)


def test_two_elements_do_not_know_each_others_marks() -> None:
    assert Identifiers("aaaa").loop_mark("x") != Identifiers("bbbb").loop_mark("x")
    assert Identifiers("a" * 100).loop_mark("x")  # any prefix is a key


def test_a_mark_is_a_legal_part_of_a_branch() -> None:
    assert re.fullmatch(r"[A-Za-z0-9.!%*_+`'~-]+", loop_mark(b"k", "sip:\udcff@example.com"))


def test_any_via_of_a_request_may_bear_it() -> None:
    mark = loop_mark(b"k", "x")
    ours, theirs = f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK7{mark};rport", 'SIP/2.0/UDP x;odd="a,b";flag;branch=z9hG4bKother'
    assert bears(request(via=ours), mark)
    assert bears(request(via=theirs, more=(("Via", ours),)), mark)
    assert bears(request(via=f"{theirs}, {ours}"), mark)
    assert not bears(request(via=theirs), mark)
    assert not bears(request(via=theirs, more=(("X-Via", ours),)), mark)
