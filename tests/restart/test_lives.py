"""A phone that gives up: excused where no copy of its re-INVITE, or BYE, came to a server that lived, and only there."""

from __future__ import annotations

import pytest

from tests.restart.lives import KILLED, READY, Lives, bye_heard_by_nobody, heard_by_nobody

BYE = (42.0, "-> BYE sip:x@127.0.0.1;fs=cm SIP/2.0  9 BYE")
CALL = "INVITE sip:x@127.0.0.1;fs=cm SIP/2.0"


def lives(*entries: tuple[float, str]) -> Lives:
    made = Lives()
    made.entries += entries
    return made


@pytest.mark.parametrize(("at", "there"), [(0, True), (9.4, True), (9.6, False), (11, False), (12.1, True), (99, True)])
def test_when_it_was_there(at: float, there: bool) -> None:
    assert lives((10, KILLED), (12, READY)).was_there(at) is there


@pytest.mark.parametrize("dies", [((9, KILLED), (20, READY)), ((9, KILLED), (10.8, READY), (10.9, KILLED), (20, READY))])
def test_nobody_heard_it(dies: tuple[tuple[float, str], ...]) -> None:
    said = [(5.0, f"-> {CALL}  6 INVITE"), (5.1, "<- SIP/2.0 200 OK  6 INVITE"), BYE]
    said += [(at, f"-> {CALL}  7 INVITE") for at in (10.0, 10.5, 11.5)]
    assert heard_by_nobody(lives(*dies), sorted(said)) == 3


@pytest.mark.parametrize(
    "more",
    [
        [(10.6, "<- SIP/2.0 100 Trying  7 INVITE")],
        [(21.0, f"-> {CALL}  7 INVITE")],
        [(8.0, f"-> {CALL}  7 INVITE")],
        [(21.0, f"-> {CALL}  8 INVITE")],
    ],
    ids=["answered", "heard later", "heard before", "another was heard"],
)
def test_somebody_could_have(more: list[tuple[float, str]]) -> None:
    said = [(at, f"-> {CALL}  7 INVITE") for at in (10.0, 10.5, 11.5)]
    assert heard_by_nobody(lives((9, KILLED), (20, READY)), sorted([*said, *more, BYE])) == 0


@pytest.mark.parametrize("bye", [[], [(30.0, BYE[1])]], ids=["it waits", "it hung up"])
def test_it_did_not_give_up(bye: list[tuple[float, str]]) -> None:
    said = [(at, f"-> {CALL}  7 INVITE") for at in (10.0, 10.5, 11.5)]
    assert heard_by_nobody(lives((9, KILLED), (20, READY)), said + bye) == 0


def test_who_has_sent_none() -> None:
    assert heard_by_nobody(lives(), [(1.0, "-> BYE sip:x SIP/2.0  8 BYE")]) == 0


ENDS = [(at, "-> BYE sip:x@127.0.0.1;fs=cm SIP/2.0  9 BYE") for at in (10.0, 10.5, 11.5)]


def test_nobody_heard_its_bye() -> None:
    before = [(5.0, "-> BYE sip:x@127.0.0.1;fs=cm SIP/2.0  4 BYE"), (5.1, "<- SIP/2.0 200 OK  4 BYE")]
    assert bye_heard_by_nobody(lives((9, KILLED), (20, READY)), before + ENDS) == 3


@pytest.mark.parametrize(
    "more",
    [[(11.6, "<- SIP/2.0 200 OK  9 BYE")], [(21.0, ENDS[0][1])], [(8.0, ENDS[0][1])]],
    ids=["answered", "heard later", "heard before"],
)
def test_somebody_could_have_heard_its_bye(more: list[tuple[float, str]]) -> None:
    assert bye_heard_by_nobody(lives((9, KILLED), (20, READY)), sorted([*more, *ENDS])) == 0


def test_who_has_not_hung_up() -> None:
    assert bye_heard_by_nobody(lives((9, KILLED), (20, READY)), []) == 0
