"""Of a call in set-up that a restart has broken off nothing stands: whoever answers it crosses the CANCEL, and gets BYE.

Whatever was acknowledged is on record first, so that the next process goes on where this one dies over it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from b2bua.session_manager.recovery import MOST_ANSWERS
from b2bua.sip.message import Request
from b2bua.store.invite_record import SENT, decode_invite
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, invite, is_gone
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_recovery import records


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords()))
    yield made
    made.quiet()


def broken_off(scene: Scene) -> tuple[ScriptCall, Request]:
    """The callee, which has taken the CANCEL of the next process, and its INVITE; the caller has been refused."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    return b, arrived


def test_whoever_answers_a_call_that_is_lost_gets_bye(scene: Scene) -> None:
    """The 200 crosses the CANCEL (RFC 3261 §9.1)."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    is_gone(b)
    b.phone >> b.answer(cancel, 200)


@pytest.mark.row(11)
def test_whoever_is_hung_up_on_by_a_process_that_dies_over_it_hears_a_higher_cseq(scene: Scene) -> None:
    """Nothing stands of the call, the 200 crosses the CANCEL, and the server dies before its BYE is answered."""
    b, arrived = broken_off(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    byes = [b.phone << "BYE"]
    for _ in range(3):
        scene.advance(0.3)
        scene.restart()
        b.phone << "ACK"
        byes.append(b.phone << "BYE")
    b.phone >> b.answer(arrived, 200, b.sdp())  # it has heard no ACK
    b.phone << "ACK"
    b.phone >> b.answer(byes[-1], 200)
    assert [bye.cseq for bye in byes] == sorted({bye.cseq for bye in byes})
    scene.advance(0)
    assert not records(scene).records(SENT)
    scene.restart()
    b.phone.hears_nothing()


@pytest.mark.row(11)
def test_whoever_has_the_ack_of_a_process_that_dies_before_its_bye_gets_bye_of_the_next(scene: Scene) -> None:
    """It sends its 200 no more, and to a CANCEL it would say 200 and stay in the call (RFC 3261 §9.2)."""
    b, arrived = broken_off(scene)
    scene.network.rule = lambda index, data: () if data.startswith(b"BYE") else (0.0,)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    scene.advance(0.3)
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart()
    b.phone << "ACK"
    is_gone(b)
    scene.advance(0)
    assert not records(scene).records(SENT)
    scene.restart()
    b.phone.hears_nothing()


@pytest.mark.row(11)
def test_nobody_hears_the_ack_of_an_answer_that_is_not_on_record(scene: Scene) -> None:
    b, arrived = broken_off(scene)
    records(scene).slow = True
    b.phone >> b.answer(arrived, 200, b.sdp())
    scene.advance(0.1)
    b.phone.hears_nothing()
    records(scene).slow = False
    scene.advance(0.05)
    b.phone << "ACK"
    is_gone(b)


def test_whoever_answers_with_a_route_that_cannot_be_read_is_hung_up_on_and_stops_no_start(scene: Scene) -> None:
    """It is given its own words back; and whoever else rings is told all the same by the next process."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    c, d, other = invite(scene.phone("6003"), scene.phone("6004"))
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    c.phone >> c.ack(c.phone << "480 INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    d.phone << "CANCEL"
    text = b.answer(arrived, 200, b.sdp()).replace("Contact:", "Record-Route: <sip:[>\r\nContact:", 1)
    b.phone >> text
    b.phone << "ACK"
    b.phone << "BYE"
    scene.advance(0.1)
    scene.restart()
    b.phone << "ACK"
    b.phone >> b.answer(b.phone << "BYE", 200)
    d.phone >> d.answer(other, 200, d.sdp())
    d.phone << "ACK"
    is_gone(d)
    scene.advance(0)
    assert not records(scene).records(SENT)


def test_an_answer_that_comes_again_while_its_record_is_written_stands_there_once(scene: Scene) -> None:
    b, arrived = broken_off(scene)
    records(scene).slow = True
    for _ in range(3):
        b.phone >> b.answer(arrived, 200, b.sdp())
        scene.advance(0.5)
    records(scene).slow = False
    scene.network.rule = lambda index, data: () if data.startswith(b"BYE") else (0.0,)
    scene.advance(0.05)
    [(_, kept)] = records(scene).records(SENT)
    assert len(decode_invite(kept).answers) == 1
    b.phone << "ACK"
    scene.network.rule = lambda index, data: (0.0,)
    scene.advance(0.6)
    is_gone(b)


def forked(b: ScriptCall, arrived: Request, tag: str) -> str:
    """The 200 of one of several behind a phone."""
    return b.answer(arrived, 200, b.sdp()).replace(f"tag={b.tag}", f"tag={tag}", 1)


def test_of_several_that_answer_each_is_hung_up_on_until_it_knows(scene: Scene) -> None:
    """A proxy behind the phone's Contact forked (RFC 3261 §13.2.2.4); one BYE is answered, the other lost with the process."""
    b, arrived = broken_off(scene)
    for tag in ("one", "two"):
        b.phone >> forked(b, arrived, tag)
        b.phone << "ACK"
        bye = b.phone << "BYE"
        assert bye.to.tag == tag
        if tag == "one":
            kept = bye
    b.phone >> b.answer(kept, 200)
    scene.advance(0)
    scene.restart()
    for tag in ("one", "two"):
        b.phone << "ACK"
        again = b.phone << "BYE"
        assert again.to.tag == tag
        b.phone >> b.answer(again, 200)
    scene.advance(0)
    assert not records(scene).records(SENT)


def test_no_more_answers_are_kept_than_a_fork_gives(scene: Scene) -> None:
    b, arrived = broken_off(scene)
    for number in range(MOST_ANSWERS + 3):
        b.phone >> forked(b, arrived, f"t{number}")
        if number < MOST_ANSWERS:
            b.phone << "ACK"
            b.phone >> b.answer(b.phone << "BYE", 200)
    b.phone.hears_nothing()
