from __future__ import annotations

import pytest

from b2bua.sip.reason import REASON


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(100, "Trying"), (200, "OK"), (407, "Proxy Authentication Required"), (481, "Call/Transaction Does Not Exist"),
     (491, "Request Pending"), (505, "Version Not Supported"), (603, "Decline")],
)  # fmt: skip
def test_phrases_are_those_of_the_registry(status, phrase):
    assert REASON[status] == phrase


def test_every_status_is_a_final_or_provisional_one_and_has_a_phrase():
    assert all(100 <= status <= 699 and phrase and phrase.isascii() for status, phrase in REASON.items())
