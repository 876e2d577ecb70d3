"""Typed values out of whole header lines, remembered by the line: the same few come back in every message of a dialog."""

from __future__ import annotations

from functools import lru_cache

from b2bua.sip.address import Address, parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import CACHED_LENGTH


@lru_cache(maxsize=8192)
def _read_address(line: str) -> Address:
    return parse_address(line[line.index(":") + 1 :].strip())


def address_in(line: str) -> Address:
    """The one value of a From, To or Contact line. Cached by the line: the same few come back in every message of a dialog."""
    return _read_address(line) if len(line) <= CACHED_LENGTH else _read_address.__wrapped__(line)


@lru_cache(maxsize=4096)
def read_dialog(from_: str, to: str, call_id: str) -> tuple[Address, Address, str]:
    """The values of these three lines, together: they are the same in all messages of one direction of a dialog."""
    value = call_id[call_id.index(":") + 1 :].strip()
    addresses = address_in(from_), address_in(to)
    if not value or " " in value:
        raise MalformedValue("Call-ID")
    return *addresses, value


@lru_cache(maxsize=1024)
def read_integer(line: str) -> int | None:
    """The number of seconds or hops in a line; None when it is none."""
    digits = line[line.index(":") + 1 :].partition(";")[0].strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return None
    return min(int(digits), 2**32 - 1)


@lru_cache(maxsize=1024)
def read_cseq(line: str) -> tuple[int, str]:
    value = line[line.index(":") + 1 :].strip()
    if "\t" in value:
        value = value.replace("\t", " ")
    number, _, method = value.partition(" ")
    method = method.strip()
    # RFC 3261 §8.1.1.5: the sequence number is less than 2**31.
    if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) < 2**31) or not method:
        raise MalformedValue("CSeq")
    return int(number), method


def cseq_in(line: str) -> tuple[int, str]:
    """Number and method of a CSeq line, cached by the line: most are low numbers."""
    return read_cseq(line) if len(line) <= CACHED_LENGTH else read_cseq.__wrapped__(line)
