"""Communication Manager in a process of its own: either process dies, or both, and what was acknowledged stands.

Whoever lives on is asked; whoever died begins on its own records. What both know only together (a call in set-up) ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Literal

import pytest

from b2bua.sip.message import Request
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    TIMEOUT,
    Scene,
    called,
    hang_up,
    hold,
    idle,
    invite,
    is_gone,
    register_again,
    renderings,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import response
from tests.scenarios.test_recovery import forged
from tests.scenarios.transfer_scene import refer
from tests.scenarios.virtual_network import perfect

Restart = Callable[[Scene], None]
RESTARTS: dict[str, Restart] = {
    "Session Manager": Scene.restart_session_manager,
    "Communication Manager": Scene.restart_communication_manager,
    "both": Scene.restart,
}
PUBLISHED = 121
"""Seconds within which what a dead feature server published, and takes back no more, is gone."""
whoever = pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS)


IPV6_ENDS: Final = ("2001:db8::2", 5071), ("2001:db8::1", 5070)


@pytest.fixture(params=["udp", "tcp", "udp by IPv6", "tcp by IPv6"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    link, _, version = request.param.partition(" by ")
    options = Options(records=KeptRecords(), remote_records=KeptRecords(), link=link, heartbeat=5.0)
    made = Scene(replace(options, link_ends=IPV6_ENDS) if version else options)
    yield made
    made.quiet()


def standing(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(3)
    return a, b


def lamps(*calls: ScriptCall) -> None:
    for number, call in enumerate(calls):
        register_again(call.phone, 11 + 10 * number)
        watch(call.phone, call.phone)


@pytest.mark.row(11)
@whoever
def test_a_held_call_goes_on(scene: Scene, restart: Restart) -> None:
    a, b = standing(scene)
    hold(a, b)
    restart(scene)
    scene.advance(1.1)
    lamps(a, b)
    assert renderings(a.phone) == ("no", "") and renderings(b.phone) == ("", "no")
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 1}
    resume(a, b)
    hold(b, a)
    scene.advance(1.1)
    assert renderings(a.phone) == ("", "no")
    hang_up(b, a)
    idle(scene, a, b)


@pytest.mark.parametrize("link", ["udp", "tcp"])
@whoever
def test_a_parked_party_waits_on(link: Literal["udp", "tcp"], restart: Restart) -> None:
    """Its stream is Communication Manager's: another one where that died, untouched where not."""
    options = Options(
        records=KeptRecords(), remote_records=KeptRecords(), link=link, heartbeat=5.0, features=("lamps", "transfer", "park")
    )
    scene = Scene(options)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    carol = scene.phone("6003")
    refer(a, "sip:*68@example.com")
    join_stream(b)
    is_gone(a)
    scene.advance(1)
    restart(scene)
    scene.advance(11)  # where its link was not up yet the party is asked again
    if restart is not Scene.restart_session_manager:
        join_stream(b)
    c = called(carol, "sip:*696001@example.com")
    join_stream(b)
    answer = carol << "200 INVITE a=sendrecv"
    c.learn(answer)
    carol >> c.ack(answer)
    hang_up(b, c)
    scene.quiet()


def join_stream(b: ScriptCall) -> None:
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"


@pytest.mark.row(11)
@whoever
def test_again_and_again(scene: Scene, restart: Restart) -> None:
    a, b = standing(scene)
    for _ in range(3):
        restart(scene)
        hold(a, b)
        restart(scene)
        resume(a, b)
    restart(scene)
    hang_up(a, b)


@whoever
def test_a_bye_stays_one(scene: Scene, restart: Restart) -> None:
    a, b = standing(scene)
    hang_up(a, b)
    scene.advance(0)
    restart(scene)
    a.phone >> a.request("BYE")
    a.phone << "481 BYE"


@pytest.mark.row(11)
@whoever
def test_a_call_in_set_up_ends(scene: Scene, restart: Restart) -> None:
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    scene.advance(1)
    restart(scene)
    scene.advance(5.1)  # the heartbeat tells who lives
    b.phone >> response(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    scene.advance(5.1)
    refused = a.phone.inbox.popleft()
    assert getattr(refused, "status", 0) in (480, 487, 500)
    a.phone >> a.ack(refused)
    scene.advance(PUBLISHED)
    lamps(a, b)
    idle(scene, a, b)


@pytest.mark.row(11)
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_hold_that_session_manager_dies_over_is_answered(scene: Scene, who: str) -> None:
    """Communication Manager lives on, and says what the far phone said: the next process brings it to the phone."""
    a, b = standing(scene)
    one, other = (a, b) if who == "caller" else (b, a)
    send_offer(one, one.sdp("sendonly"))
    arrived = other.phone << "INVITE a=sendonly"
    scene.restart_session_manager()
    other.phone >> other.answer(arrived, 200, other.sdp("recvonly"))
    other.phone << "ACK"
    one.phone >> one.ack(one.phone << "200 INVITE a=recvonly")
    resume(one, other)
    hang_up(one, other)


@pytest.mark.row(11)
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_hold_outlives_the_connection_of_its_link(who: str) -> None:
    """Both have taken it and live on: what the far phone says goes by the next connection (RFC 3261 §18.2.2)."""
    scene = linked_by_tcp()
    a, b = standing(scene)
    one, other = (a, b) if who == "caller" else (b, a)
    send_offer(one, one.sdp("sendonly"))
    arrived = other.phone << "INVITE a=sendonly"
    scene.break_link()
    scene.advance(5.1)
    one.phone.hears_nothing()
    other.phone >> other.answer(arrived, 200, other.sdp("recvonly"))
    other.phone << "ACK"
    one.phone >> one.ack(one.phone << "200 INVITE a=recvonly")
    resume(one, other)
    hang_up(one, other)
    scene.quiet()


def test_a_hold_that_communication_manager_dies_over_with_its_connection_fails_when_it_is_back() -> None:
    scene = linked_by_tcp()
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(1)
    scene.break_link(scene.restart_communication_manager)
    a.phone >> a.ack(a.phone << "500 INVITE")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.version, a._direction = 1, "sendrecv"
    hang_up(a, b)
    scene.quiet()


def linked_by_tcp() -> Scene:
    return Scene(Options(records=KeptRecords(), remote_records=KeptRecords(), link="tcp", heartbeat=5.0))


@pytest.mark.row(11)
def test_an_answer_that_no_request_of_ours_had_is_none(scene: Scene) -> None:
    """Session Manager has died over the hold: what it sent on it knows by its branch. The answer of somebody who never got the
    hold is dropped, before 32 s and after."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.restart_session_manager()
    answer = b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone >> forged(answer)
    assert scene.count("messages_dropped", "stray response") == 1
    a.phone.hears_nothing()
    b.phone >> answer
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(TIMEOUT)
    b.phone >> answer
    assert scene.count("messages_dropped", "stray response") == 2 and not b.phone.repeated
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_hold_that_was_answered_and_something_later_is_not_refused_as_late(scene: Scene, who: str) -> None:
    """The 200 dies with Session Manager, and the phone has asked something else meanwhile: the next process asks for the hold
    once more, which is too late by its CSeq, and passes on the 200 when that is repeated."""
    a, b = standing(scene)
    one, other = (a, b) if who == "caller" else (b, a)
    send_offer(one, one.sdp("sendonly"))
    arrived = other.phone << "INVITE a=sendonly"
    one.phone >> one.request("INFO")
    info = other.phone << "INFO"
    other.phone >> other.answer(info, 200)
    one.phone << "200 INFO"
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 200") and data.count(b"Via:") == 1 else (0.0,)
    other.phone >> other.answer(arrived, 200, other.sdp("recvonly"))
    other.phone << "ACK"
    scene.advance(4)  # it comes again only after the heartbeat
    scene.restart_session_manager()
    scene.network.rule = perfect
    scene.advance(5.1)
    one.phone >> one.ack(one.phone << "200 INVITE a=recvonly")
    resume(one, other)
    hang_up(one, other)


@pytest.mark.row(11)
@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("first", ["holder", "far phone"])
def test_whoever_hangs_up_before_session_manager_has_brought_the_answer_gets_that_too(scene: Scene, who: str, first: str) -> None:
    """It dies with the 200 to the hold in its hands. BYE ends the call; the re-INVITE is answered all the same."""
    a, b = standing(scene)
    one, other = (a, b) if who == "caller" else (b, a)
    send_offer(one, one.sdp("sendonly"))
    arrived = other.phone << "INVITE a=sendonly"
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 200") and data.count(b"Via:") == 1 else (0.0,)
    other.phone >> other.answer(arrived, 200, other.sdp("recvonly"))
    other.phone << "ACK"
    scene.network.rule = perfect
    scene.restart_session_manager()
    hang_up(*((one, other) if first == "holder" else (other, one)))
    scene.advance(0.6)
    one.phone >> one.ack(one.phone << "200 INVITE a=recvonly")


@pytest.mark.row(11)
@pytest.mark.parametrize("restart", [RESTARTS["Communication Manager"], RESTARTS["both"]], ids=["it alone", "both"])
def test_a_hold_that_communication_manager_dies_over_fails(scene: Scene, restart: Restart) -> None:
    """It has forgotten the holder's request: that may come again. Who was asked hears what is agreed."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(1)
    restart(scene)
    scene.advance(0.1)
    refused = a.phone << "500 INVITE"
    seconds = refused.integer("Retry-After")
    assert seconds is not None and 0 <= seconds <= 10
    a.phone >> a.ack(refused)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    told = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(told, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    lamps(a, b)
    assert renderings(b.phone) == ("yes", "yes")
    a.version, a._direction = 1, "sendrecv"
    hang_up(a, b)


def test_an_answer_that_was_committed_is_given_through_the_next_session_manager(scene: Scene) -> None:
    """It dies with the 200 in its hands: Communication Manager repeats it."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 200") and data.count(b"Via:") == 1 else (0.0,)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart_session_manager()
    scene.advance(4.1)
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    hold(a, b)
    hang_up(b, a)


def test_whoever_answers_a_call_that_communication_manager_has_forgotten_gets_bye(scene: Scene) -> None:
    """The 200 crosses the CANCEL of Session Manager, which lives on."""
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    is_gone(b)
    b.phone << "ACK"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    scene.advance(PUBLISHED)


def test_it_gets_its_ack_when_it_has_answered_the_bye(scene: Scene) -> None:
    """And no second BYE meanwhile: an ACK would have it wait for nothing more, whoever has died by then (RFC 5407 §3.1.6)."""
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    bye = b.phone << "BYE"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone.hears_nothing()
    b.phone >> b.answer(bye, 200)
    b.phone << "ACK"
    scene.advance(PUBLISHED)


def test_a_bye_whose_connection_broke_is_said_again_when_the_answer_comes_again() -> None:
    scene = linked_by_tcp()
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "BYE"
    scene.break_link()
    b.phone >> b.answer(arrived, 200, b.sdp())
    is_gone(b)
    b.phone << "ACK"
    scene.advance(PUBLISHED)
    scene.quiet()


@pytest.mark.parametrize("status", [400, 486, 500])
def test_who_wants_its_ack_before_a_bye_hears_both(scene: Scene, status: int) -> None:
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    first = b.phone << "BYE"
    b.phone >> b.answer(first, status)
    b.phone << "ACK"
    second = b.phone << "BYE"
    assert second.cseq == first.cseq + 1
    b.phone >> b.answer(second, status)  # and no third
    b.phone << "ACK"
    scene.advance(PUBLISHED)


def test_who_knows_of_no_dialog_any_more_hears_no_second_bye(scene: Scene) -> None:
    """RFC 3261 §15.1.1."""
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone >> b.answer(b.phone << "BYE", 481)
    b.phone << "ACK"
    scene.advance(PUBLISHED)


def test_whoever_is_hung_up_on_by_one_that_dies_over_it_hears_a_higher_cseq(scene: Scene) -> None:
    """Each process that knows nothing of the call dies before its BYE is answered: the phone has had no ACK, and says 200 to
    the next one as well."""
    b, arrived = forgotten(scene)
    byes = []
    for _ in range(3):
        b.phone >> b.answer(arrived, 200, b.sdp())
        byes.append(b.phone << "BYE")
        b.phone.hears_nothing()
        scene.restart_communication_manager(1)
        scene.advance(1)
    assert [bye.cseq for bye in byes] == sorted({bye.cseq for bye in byes})
    b.phone >> b.answer(arrived, 200, b.sdp())
    is_gone(b)
    b.phone << "ACK"
    scene.advance(PUBLISHED)


def test_a_stray_answer_that_leads_nowhere_is_dropped(scene: Scene) -> None:
    b, arrived = forgotten(scene)
    b.phone >> b.answer(arrived, 200, b.sdp()).replace("\nContact:", "\nX-Contact:")
    b.phone.hears_nothing()
    assert scene.count("messages_dropped", "stray response") == 1
    scene.advance(PUBLISHED)


def forgotten(scene: Scene) -> tuple[ScriptCall, Request]:
    """Communication Manager dies over a call that rings, and what the callee says is lost: the callee, and its INVITE."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.advance(1)
    scene.server.remotes["cm"].kill()
    b.phone >> b.answer(arrived, 200, b.sdp())
    scene.server.start_remote("cm", *scene.server.options.link_ends)
    scene.advance(0.1)
    a.phone >> a.ack(a.phone << "500 INVITE")
    scene.advance(1)
    return b, arrived


def test_a_full_disk_refuses_new_calls_and_keeps_what_stands(scene: Scene) -> None:
    a, b = standing(scene)
    records = scene.server.options.remote_records
    assert records is not None
    records.failing = True
    hold(a, b)
    c, d, arrived = invite(scene.phone("6003"), scene.phone("6004"))
    d.phone >> d.answer(arrived, 200, d.sdp())
    d.phone << "ACK"
    is_gone(d)
    c.phone >> c.ack(c.phone << "480 INVITE")
    records.failing = False
    scene.advance(1.1)
    scene.restart_communication_manager()
    resume(a, b)
    hang_up(a, b)


def test_a_holder_that_lost_its_answer_with_session_manager_stays_in_the_call(scene: Scene) -> None:
    """Its connection died with the request on it: it has given that up, and acknowledges nothing. Elsewhere a 2xx without an
    ACK ends the call after 64·T1 (RFC 3261 §13.3.1.4); here the phone is asked first whether it is there."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.restart_session_manager()
    scene.advance(5.1)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 INVITE a=recvonly"  # nobody waits for it
    scene.advance(TIMEOUT)
    asked = a.phone << "INVITE a=recvonly"
    a.phone >> a.answer(asked, 200, a.sdp("sendonly"))
    a.phone << "ACK"
    b.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)
