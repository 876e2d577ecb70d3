"""RAck and RSeq (RFC 3262 §7)."""

from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request, Response
from b2bua.sip.rack import RAck, rack_of
from b2bua.sip.rseq import rseq_of


def prack(value: str | None) -> Request:
    lines = [] if value is None else [f"RAck: {value}"]
    return Request("PRACK", "sip:6002@example.com", ["RAck"] * len(lines), lines)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("776656 1 INVITE", RAck(776656, 1, "INVITE")),
        ("  1\t2   INVITE ", RAck(1, 2, "INVITE")),
        ("4294967295 2147483647 INVITE", RAck(2**32 - 1, 2**31 - 1, "INVITE")),
        ("1 2 invite", RAck(1, 2, "invite")),
    ],
)
def test_rack(value: str, expected: RAck) -> None:
    assert rack_of(prack(value)) == expected
    assert rack_of(prack(str(expected))) == expected


NONE = [None, "", "1", "1 2", "1 2 INVITE x", "a 1 INVITE", "-1 1 INVITE", "1 ² INVITE", "1" * 11 + " 1 X"]


@pytest.mark.parametrize("value", NONE)
def test_no_rack(value: str | None) -> None:
    with pytest.raises(MalformedValue):
        rack_of(prack(value))


@pytest.mark.parametrize(
    ("status", "lines", "rseq"),
    [
        (180, ["Require: 100rel", "RSeq: 988789"], 988789),
        (183, ["Require: timer, 100REL", "RSeq: 1"], 1),
        (100, ["Require: 100rel", "RSeq: 1"], 0),
        (200, ["Require: 100rel", "RSeq: 1"], 0),
        (180, ["RSeq: 1"], 0),
        (180, ["Require: 100rel"], 0),
        (180, ["Require: 100rel", "RSeq: soon"], 0),
    ],
)
def test_rseq(status: int, lines: list[str], rseq: int) -> None:
    response = Response(status, "Whatever", [line.partition(":")[0] for line in lines], lines)
    assert rseq_of(response) == rseq
