"""Profiles: a list for all users, lists of their own for single ones."""

from __future__ import annotations

from b2bua.sip.profiles import AVAYA, SWITCHES, Profiles


def test_none_is_switched_on_by_default() -> None:
    assert not any(Profiles().has(name, "6001") or Profiles().anywhere(name) for name in SWITCHES)


def test_the_list_of_all_holds_for_nobody_in_particular_too() -> None:
    profiles = Profiles([AVAYA])
    assert profiles.has(AVAYA, "6001") and profiles.has(AVAYA, "") and profiles.anywhere(AVAYA)


def test_a_list_of_ones_own_stands_in_place_of_that_of_all() -> None:
    profiles = Profiles([AVAYA], {"6001": [], "6002": [AVAYA]})
    assert [profiles.has(AVAYA, user) for user in ("6001", "6002", "6003")] == [False, True, True]
    assert Profiles((), {"6001": [AVAYA]}).anywhere(AVAYA)
    assert not Profiles((), {"6001": [AVAYA]}).has(AVAYA, "6002")


def test_others_are_those_for_whom_it_is_not_as_for_all() -> None:
    assert Profiles([AVAYA], {"6001": [], "6002": [AVAYA]}).others(AVAYA) == ("6001",)
    assert Profiles([], {"6001": [], "6002": [AVAYA]}).others(AVAYA) == ("6002",)
    assert Profiles([AVAYA], {"6001": []}).of("6001") == frozenset() and Profiles([AVAYA]).of("6001") == {AVAYA}


def test_every_name_has_a_sentence() -> None:
    assert all(text.endswith(".") and "|" not in text for text in SWITCHES.values())
