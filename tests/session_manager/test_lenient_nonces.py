"""Nonces of the `avaya` profile: their form, and for how long they are good."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.session_manager.lenient_nonces import LIFETIME, LenientNonces

KEY = b"k" * 32
START = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.seconds = START

    def __call__(self) -> float:
        return self.seconds


def test_eleven_digits_of_the_time_and_thirty_two_more() -> None:
    nonce = LenientNonces(KEY, Clock()).make()
    assert re.fullmatch("[0-9a-f]{43}", nonce)
    assert int(nonce[:11], 16) == 1_700_000_000_000


def test_every_nonce_is_new_and_old_ones_stay_good() -> None:
    clock = Clock()
    nonces = LenientNonces(KEY, clock)
    made = [nonces.make() for _ in range(100)]
    assert len(set(made)) == 100
    clock.seconds += LIFETIME
    assert all(nonces.is_good(nonce) for nonce in made)
    clock.seconds += 0.002
    assert not any(nonces.is_good(nonce) for nonce in made)


def test_one_from_before_a_restart_is_good() -> None:
    nonce = LenientNonces(KEY, Clock(), 5).make()
    later = LenientNonces(KEY, Clock(), 2**48 - 1)
    assert later.is_good(nonce)
    assert later.make() != nonce  # the serials begin anew behind the last one, and elsewhere


def test_one_from_the_future_is_not_good() -> None:
    clock = Clock()
    nonces = LenientNonces(KEY, clock)
    nonce = nonces.make()
    clock.seconds -= 1
    assert not nonces.is_good(nonce)


def test_another_key_makes_no_good_nonce() -> None:
    assert not LenientNonces(b"x" * 32, Clock()).is_good(LenientNonces(KEY, Clock()).make())


@pytest.mark.parametrize("spoil", [
    lambda text: text[:-1], lambda text: text + "0", lambda text: text + "\n", lambda text: text.upper(),
    lambda text: "2" + text[1:], lambda text: text[:11] + "f" + text[12:],
    lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), lambda text: text[:-1] + "٣", lambda text: "",
])  # fmt: skip
def test_only_the_very_text_is_good(spoil) -> None:
    nonces = LenientNonces(KEY, Clock(), 0xABCDEF)
    nonce = nonces.make()
    assert nonces.is_good(nonce)
    assert not nonces.is_good(spoil(nonce))


@given(st.one_of(st.text(max_size=60), st.text("0123456789abcdef", min_size=43, max_size=43)))
def test_no_text_of_others_is_good(text: str) -> None:
    assert not LenientNonces(KEY, Clock()).is_good(text)
