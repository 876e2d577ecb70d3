"""RAck (RFC 3262 §7.2): which reliable provisional response a PRACK acknowledges."""

from __future__ import annotations

from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request

_LONGEST: Final = 10
"""Digits of 2³² − 1, the largest RSeq (§7.1)."""


class RAck(NamedTuple):
    """`RAck = response-num LWS CSeq-num LWS Method`."""

    rseq: int
    cseq: int
    method: str
    """Case sensitive (§7.2)."""

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def rack_of(prack: Request) -> RAck:
    """The RAck of a PRACK; MalformedValue (400) when it has none that can be read."""
    fields = (prack.get("RAck") or "").split()
    if len(fields) != 3 or not all(_is_number(digits) for digits in fields[:2]):
        raise MalformedValue("RAck")
    return RAck(int(fields[0]), int(fields[1]), fields[2])


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST
