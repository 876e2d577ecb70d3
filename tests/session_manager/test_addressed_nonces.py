"""Nonces that are good for an address, and for half a minute."""

from __future__ import annotations

import pytest

from b2bua.session_manager.addressed_nonces import LIFETIME, AddressedNonces
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message

KEY = b"k" * 32


class Clock:
    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def sent(via: str = "192.0.2.10:5060") -> Request:
    lines = ["REGISTER sip:example.com SIP/2.0", f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1", "From: <sip:6001@example.com>;tag=a"]
    lines += ["To: <sip:6001@example.com>", "Call-ID: c", "CSeq: 1 REGISTER", "Content-Length: 0", "", ""]
    found = parse_message("\r\n".join(lines).encode())
    assert isinstance(found, Request)
    return found


def test_the_form() -> None:
    seconds, slash, rest = AddressedNonces(KEY, Clock()).make(sent()).partition("/")
    assert (seconds, slash, len(rest)) == ("1700000000", "/", 32) and int(rest, 16)


@pytest.mark.parametrize(("later", "good"), [(0, True), (LIFETIME, True), (LIFETIME + 1, False), (-5, True)])
def test_the_time(later: int, good: bool) -> None:
    clock = Clock()
    nonces = AddressedNonces(KEY, clock)
    nonce = nonces.make(sent())
    clock.seconds += later
    assert nonces.is_good(nonce, sent()) is good


@pytest.mark.parametrize(("via", "good"), [
    ("192.0.2.10:49152", True), ("192.0.2.11", False), ("phone.invalid;rport=4;received=192.0.2.10", True),
    ("192.0.2.10;received=192.0.2.11", False), ("192.0.2.11;maddr=192.0.2.10", False),
])  # fmt: skip
def test_the_address_without_the_port(via: str, good: bool) -> None:
    nonces = AddressedNonces(KEY, Clock())
    assert nonces.is_good(nonces.make(sent()), sent(via)) is good


def test_brackets_are_no_part_of_an_address() -> None:
    nonces = AddressedNonces(KEY, Clock())
    assert nonces.is_good(nonces.make(sent("[2001:db8::1]:5060")), sent("phone.invalid;received=2001:db8::1"))


def test_another_key_knows_none() -> None:
    nonce = AddressedNonces(b"x" * 32, Clock()).make(sent())
    assert not AddressedNonces(KEY, Clock()).is_good(nonce, sent())


@pytest.mark.parametrize("text", [
    "", "/", "1700000000", "1700000000/", f"x/{'0' * 32}", f"1700000000/{'0' * 32}", f"0/{'0' * 32}", f"{'9' * 30}/{'0' * 32}",
    f"1700000000/{'é' * 32}",
])  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert not AddressedNonces(KEY, Clock()).is_good(text, sent())


def test_opaque_is_another_one_each_time() -> None:
    nonces = AddressedNonces(KEY, Clock())
    assert len({nonces.opaque() for _ in range(5)}) == 5
