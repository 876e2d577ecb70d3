"""Transfers and the death of the process, as by SIGKILL: a joined call goes on, one that was not joined yet is what it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from b2bua.sip.errors import SipError
from tests.scenarios.forwarded_call import has_set
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    Scene,
    called,
    hang_up,
    hold,
    invite,
    is_gone,
    register_again,
    reinvite,
    renderings,
    resume,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import FEATURES, Talk, asked, join, lamp_of, refer, replaces, reports, settle

BOTH = pytest.mark.parametrize("first_is_caller", [True, False])
SECOND = pytest.mark.parametrize("second_is_caller", [True, False])


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords(), features=(*FEATURES, "pickup", "park")))
    yield made
    made.quiet()


def records(scene: Scene) -> KeptRecords:
    assert scene.server.records is not None
    return scene.server.records


def calls_kept(scene: Scene) -> dict[tuple[str, str], str]:
    return {key: text for key, text in records(scene).kept.items() if key[0] == "call"}


def two_calls(scene: Scene, first_is_caller: bool = True, second_is_caller: bool = True) -> tuple[Talk, Talk]:
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob) if first_is_caller else talk(bob, alice)[::-1]
    hold(a, b)
    a2, c = talk(alice, carol) if second_is_caller else talk(carol, alice)[::-1]
    scene.advance(3)
    return (a, b), (a2, c)


def goes_on(scene: Scene, one: ScriptCall, other: ScriptCall) -> None:
    """The call of these two is the only one, and all that a call can do can be done."""
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    for number, call in enumerate((one, other)):
        register_again(call.phone, 11 + 10 * number)
        watch(call.phone, call.phone)
    settle(scene)
    assert lamp_of(one) == [("confirmed", other.phone.aor)]
    assert lamp_of(other) == [("confirmed", one.phone.aor)]
    for first, second in ((one, other), (other, one)):
        hold(first, second)
        settle(scene)
        assert renderings(first.phone) == ("no", "")
        resume(first, second)
    hang_up(one, other)


@BOTH
@SECOND
def test_two_joined_calls_are_one_after_the_start(scene: Scene, first_is_caller: bool, second_is_caller: bool) -> None:
    (a, b), (a2, c) = two_calls(scene, first_is_caller, second_is_caller)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    is_gone(a)
    is_gone(a2)
    assert len(calls_kept(scene)) == 1
    scene.restart()
    for call in (a, a2):
        call.phone >> call.request("OPTIONS")
        challenge = call.phone << "407 OPTIONS"
        call.phone >> call.request("OPTIONS", "", call.phone.credentials(challenge, "OPTIONS", call.target))
        call.phone << "481 OPTIONS"
    goes_on(scene, b, c)


@BOTH
def test_a_transferred_call_goes_on_after_the_start(scene: Scene, first_is_caller: bool) -> None:
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob) if first_is_caller else talk(bob, alice)[::-1]
    refer(a, carol.aor)
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 200, c.sdp())
    bob >> b.answer(bob << "INVITE a=sendrecv", 200, b.sdp())
    bob << "ACK no-body"
    carol << "ACK a=sendrecv"
    is_gone(a)
    scene.restart()
    goes_on(scene, b, c)


def test_bye_right_after_the_start(scene: Scene) -> None:
    """Of either party; nothing is left of the records."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    is_gone(a)
    is_gone(a2)
    scene.restart()
    hang_up(c, b)
    assert not calls_kept(scene)


@pytest.mark.parametrize("transferor_has_gone", [False, True])
def test_while_the_target_rings(scene: Scene, transferor_has_gone: bool) -> None:
    """Its INVITE is cancelled as any other. The old call stands; where nobody is left to take the party back, it ends."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    refer(a, carol.aor)
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 180)
    if transferor_has_gone:
        alice >> a.request("BYE")
        alice << "200 BYE"
    scene.restart()
    cancel = carol << "CANCEL"
    carol >> c.answer(cancel, 200)
    carol >> c.answer(arrived, 487)
    carol << "ACK"
    if transferor_has_gone:
        is_gone(b)
    else:
        hold(a, b)
        resume(a, b)
        hang_up(a, b)


def test_while_the_one_who_stays_is_asked(scene: Scene) -> None:
    """Its 2xx finds a new process: acknowledged, and it hears what stands, the hold."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    answer = b.answer(asked(b), 200, b.sdp("sendrecv"))
    scene.restart()
    b.phone >> answer
    b.phone << "ACK"
    again = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    hang_up(a2, c)
    resume(a, b)
    hang_up(a, b)


def test_before_the_record_is_written(scene: Scene) -> None:
    """Nobody has its ACK, so nothing was promised: both old calls stand, and both phones are told."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    of_b = b.answer(asked(b), 200, b.sdp("sendrecv"))
    b.phone >> of_b
    offered = c.phone << "INVITE a=sendrecv"
    records(scene).slow = True
    of_c = c.answer(offered, 200, c.sdp())
    c.phone >> of_c
    for phone in (a.phone, b.phone, c.phone):
        phone.hears_nothing()
    scene.restart()
    for call, answer, direction in ((b, of_b, "sendonly"), (c, of_c, "sendrecv")):
        call.phone >> answer
        call.phone << "ACK"
        again = call.phone << f"INVITE a={direction}"
        call.phone >> call.answer(again, 200, call.sdp("recvonly" if direction == "sendonly" else "sendrecv"))
        call.phone << "ACK"
    hang_up(a2, c)
    resume(a, b)
    hang_up(b, a)


def test_a_record_that_was_to_go_is_out_of_date(scene: Scene) -> None:
    """The process died between the writing of the one and the dropping of the other."""
    (a, b), (a2, c) = two_calls(scene)
    before = calls_kept(scene)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    is_gone(a)
    is_gone(a2)
    (key,) = before.keys() - calls_kept(scene).keys()
    records(scene).kept[key] = before[key]
    scene.restart()
    assert len(calls_kept(scene)) == 1
    goes_on(scene, b, c)


def test_disk_that_takes_nothing(scene: Scene) -> None:
    """A call that stands goes on: the two are joined, and the store owes it."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    b.phone >> b.answer(asked(b), 200, b.sdp("sendrecv"))
    offered = c.phone << "INVITE a=sendrecv"
    records(scene).failing = True
    c.phone >> c.answer(offered, 200, c.sdp())
    c.phone << "ACK no-body"
    b.phone << "ACK a=sendrecv"
    is_gone(a)
    is_gone(a2)
    records(scene).failing = False
    scene.advance(1.1)
    assert len(calls_kept(scene)) == 1
    reinvite(b, c, "sendonly", "recvonly")
    hang_up(b, c)


def test_a_call_that_was_picked_up_goes_on(scene: Scene) -> None:
    """Two phones that both called: neither Call-ID is ours."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    for user in ("6002", "6003"):
        has_set(scene, user, pickup_group="kitchen")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    c = called(carol, "sip:*20@example.com")
    answer = carol << "200 INVITE a=inactive"
    c.learn(answer)
    carol >> c.ack(answer)
    carol >> c.answer(carol << "INVITE a=sendrecv", 200, c.sdp())
    taken = alice << "200 INVITE a=sendrecv"
    a.learn(taken)
    alice >> a.ack(taken)
    carol << "ACK"
    cancel = bob << "CANCEL"
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    scene.advance(35)  # until Session Manager has forgotten the INVITE that was cancelled
    scene.restart()
    goes_on(scene, a, c)


def listens(b: ScriptCall) -> None:
    """The party is asked to hear our stream, and does."""
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"


def parked(scene: Scene, parker_is_caller: bool = True) -> tuple[ScriptCall, ScriptCall]:
    """Bob waits under 6001; Carol's phone is there."""
    alice, bob, _ = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob) if parker_is_caller else talk(bob, alice)[::-1]
    refer(a, "sip:*68@example.com")
    listens(b)
    is_gone(a)
    return a, b


def retrieve(scene: Scene, b: ScriptCall, number: str = "6001") -> ScriptCall:
    """Carol takes Bob."""
    carol = scene.phones[2]
    c = called(carol, f"sip:*69{number}@example.com")
    listens(b)
    answer = carol << "200 INVITE a=sendrecv"
    c.learn(answer)
    carol >> c.ack(answer)
    return c


def test_a_party_that_was_retrieved(scene: Scene) -> None:
    """It is in a call like any other."""
    _, b = parked(scene)
    c = retrieve(scene, b)
    scene.restart()
    goes_on(scene, b, c)


@BOTH
@pytest.mark.parametrize("restarts", [1, 3])
def test_a_parked_party_waits_on(scene: Scene, first_is_caller: bool, restarts: int) -> None:
    """It is asked to hear the new stream, and is retrieved under the old number; over several deaths in a row, too."""
    _, b = parked(scene, first_is_caller)
    for _ in range(restarts):
        scene.restart()
        listens(b)
        (stream,) = scene.server.media.open_streams
        assert stream.to == ("192.0.2.200", 40000)
        scene.advance(1)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    c = retrieve(scene, b)
    assert not scene.server.media.open_streams
    goes_on(scene, b, c)


def test_a_parked_party_is_retrieved_before_it_has_said_that_it_listens(scene: Scene) -> None:
    _, b = parked(scene)
    scene.restart()
    offered = b.phone << "INVITE a=sendrecv"
    c = called(scene.phones[2], "sip:*696001@example.com")
    b.phone >> b.answer(offered, 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"
    scene.advance(0.2)
    listens(b)
    answer = c.phone << "200 INVITE a=sendrecv"
    c.learn(answer)
    c.phone >> c.ack(answer)
    goes_on(scene, b, c)


def test_a_parked_party_that_refuses_waits_and_is_asked_again(scene: Scene) -> None:
    """It hears nothing meanwhile, and is not lost."""
    _, b = parked(scene)
    scene.restart()
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 480)
    b.phone << "ACK"
    scene.advance(9.5)
    b.phone.hears_nothing()
    scene.advance(1)
    listens(b)
    hang_up(b, retrieve(scene, b))


def test_a_parked_party_that_has_gone(scene: Scene) -> None:
    """481: its call ends, and nothing waits there."""
    _, b = parked(scene)
    scene.restart()
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 481)
    b.phone << "ACK"
    is_gone(b)
    assert not calls_kept(scene) and not scene.server.media.open_streams
    c = called(scene.phones[2], "sip:*696001@example.com")
    c.phone >> c.ack(c.phone << "404 INVITE")


def test_a_parked_party_hangs_up_after_the_restart(scene: Scene) -> None:
    _, b = parked(scene)
    scene.restart()
    listens(b)
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    assert not calls_kept(scene) and not scene.server.media.open_streams


def test_the_number_is_taken_after_the_restart_too(scene: Scene) -> None:
    """486 for the next who is parked there."""
    a, b = parked(scene)
    scene.restart()
    listens(b)
    dave = scene.phone("6004")
    a2, d = talk(a.phone, dave)
    refer(a2, "sip:*68@example.com")
    assert reports(a2)[-1] == "486 Another Is Parked There terminated"
    hang_up(a2, d)
    hang_up(retrieve(scene, b), b)


def test_no_stream_can_be_had(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The party cannot hear anything any more: it hears BYE, as it cannot know why it is silent."""
    _, b = parked(scene)
    monkeypatch.setattr("tests.scenarios.virtual_media.VirtualMedia.open", no_port)
    scene.restart()
    is_gone(b)
    assert not calls_kept(scene)


def no_port(media: object, source: str, host: str) -> None:
    raise SipError(480, "No Media")


def test_the_newcomers_200_waits_for_the_record(scene: Scene) -> None:
    """Whoever has it is in a call that survives; the one replaced hears BYE behind it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    desk = scene.phone("6001", device=1)
    d = called(desk, bob.aor, f"Replaces: {a.call_id};to-tag={a.remote_tag};from-tag={a.tag}")
    offered = bob << "INVITE a=sendrecv"
    records(scene).slow = True
    bob >> b.answer(offered, 200, b.sdp())
    for phone in (alice, bob, desk):
        phone.hears_nothing()
    records(scene).slow = False
    scene.advance(0.1)
    answer = desk << "200 INVITE a=sendrecv"
    d.learn(answer)
    desk >> d.ack(answer)
    bob << "ACK"
    is_gone(a)
    scene.restart()
    hold(d, b)
    resume(d, b)
    hang_up(b, d)


@pytest.mark.parametrize("replaced_is_caller", [True, False])
def test_a_newcomer_whose_200_was_lost_hears_it_again(scene: Scene, replaced_is_caller: bool) -> None:
    """The record was written, and the process died over the answer."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob) if replaced_is_caller else talk(bob, alice)[::-1]
    desk = scene.phone("6001", device=1)
    d = called(desk, bob.aor, f"Replaces: {a.call_id};to-tag={a.remote_tag};from-tag={a.tag}")
    offered = bob << "INVITE a=sendrecv"
    lost = d.call_id.encode()
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 200") and lost in data else (0.0,)
    bob >> b.answer(offered, 200, b.sdp())
    desk.hears_nothing()
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart()
    answer = desk << "200 INVITE a=sendrecv"
    d.learn(answer)
    desk >> d.ack(answer)
    bob << "ACK"
    is_gone(a)
    hold(d, b)
    resume(d, b)
    hang_up(b, d)
