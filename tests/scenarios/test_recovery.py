"""A call survives the death of the process: whatever was acknowledged stands after the next start.

Session Manager and Communication Manager die together, as by SIGKILL, and start anew on what was committed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message, Request
from b2bua.sip.sdp import parse_origin
from b2bua.store.call_record import decode_call
from b2bua.store.invite_record import RECEIVED, SENT
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    TIMEOUT,
    Scene,
    answered,
    called,
    hang_up,
    hold,
    idle,
    invite,
    is_gone,
    pending_hold,
    register,
    register_again,
    reinvite,
    renderings,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.server_under_test import TCP_SERVER
from tests.scenarios.test_trunks import CARRIER, call_out, carrier

Talk = tuple[ScriptCall, ScriptCall]


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords()))
    yield made
    made.quiet()


def records(scene: Scene) -> KeptRecords:
    assert scene.server.records is not None
    return scene.server.records


def standing(scene: Scene) -> Talk:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(3)
    return a, b


def lamps(a: ScriptCall, b: ScriptCall) -> None:
    """Both phones are registered again and watch themselves."""
    for number, call in enumerate((a, b)):
        register_again(call.phone, 11 + 10 * number)
        watch(call.phone, call.phone)


def as_talking(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    return


def as_held_by_caller(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    hold(a, b)


def as_held_by_callee(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    hold(b, a)


def as_held_by_both(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    hold(a, b)
    reinvite(b, a, "sendonly", "inactive")


STATES = {
    "talking": (as_talking, {"6001": ("yes", "yes"), "6002": ("yes", "yes")}, 0),
    "held by the caller": (as_held_by_caller, {"6001": ("no", ""), "6002": ("", "no")}, 1),
    "held by the callee": (as_held_by_callee, {"6001": ("", "no"), "6002": ("no", "")}, 1),
    "held by both": (as_held_by_both, {"6001": ("no", "no"), "6002": ("no", "no")}, 1),
}


@pytest.mark.row(11)
@pytest.mark.parametrize("state", STATES)
def test_the_lamps_and_the_gauges_are_right_at_once(scene: Scene, state: str) -> None:
    a, b = standing(scene)
    enter, expected, held = STATES[state]
    enter(scene, a, b)
    scene.advance(7)
    before = scene.server.b2bua.longest_hold()
    scene.restart()
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1 - held, "held": held}
    assert scene.server.b2bua.longest_hold() == pytest.approx(before)
    lamps(a, b)
    for call in (a, b):
        assert renderings(call.phone) == expected[call.phone.user]
    hang_up(a, b)
    idle(scene, a, b)


@pytest.mark.row(11)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("direction", ["sendrecv", "sendonly"])
def test_the_call_goes_on(scene: Scene, state: str, who: str, direction: str) -> None:
    """Resume or hold again by either party, right after the start: o= versions and CSeqs only rise, the tags are the old ones."""
    a, b = standing(scene)
    STATES[state][0](scene, a, b)
    one, other = (a, b) if who == "caller" else (b, a)
    seen = {call.phone.name: heard(scene, call) for call in (a, b)}
    scene.restart()
    answer = "recvonly" if direction == "sendonly" else "sendrecv"
    if direction == one._direction:  # byte for byte what stands: a refresh, of which the other party hears nothing
        send_offer(one, one.sdp(direction))
        one.phone >> one.ack(one.phone << "200 INVITE")
        hang_up(other, one)
        return
    reinvite(one, other, direction, answer)
    for call in (a, b):
        newest, before = heard(scene, call), seen[call.phone.name]
        assert newest.version >= before.version
        assert (newest.session, newest.tag) == (before.session, before.tag)
    assert heard(scene, other).cseq > seen[other.phone.name].cseq
    hang_up(one, other)


@pytest.mark.row(11)
@pytest.mark.bug("FreeSWITCH 755")
@pytest.mark.bug("FreeSWITCH 2403")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_freeswitch_755_2403_bye_of_either_side_reaches_the_other(scene: Scene, state: str, who: str) -> None:
    """Both legs recover, whoever holds."""
    a, b = standing(scene)
    STATES[state][0](scene, a, b)
    scene.restart()
    hang_up(*((a, b) if who == "caller" else (b, a)))
    assert not records(scene).kept


@pytest.mark.bug("FreeSWITCH 1141")
def test_freeswitch_1141_from_and_to_are_not_transposed(scene: Scene) -> None:
    a, b = standing(scene)
    hold(a, b)
    scene.restart()
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    bye = a.phone << "BYE"
    assert (bye.from_.tag, bye.to.tag) == (a.remote_tag, a.tag)
    assert isinstance(bye, Request) and bye.uri == a.phone.contact.strip("<>")
    a.phone >> a.answer(bye, 200)


@pytest.mark.bug("FreeSWITCH 1833")
def test_freeswitch_1833_the_cseq_never_falls(scene: Scene) -> None:
    """Also after many requests that no record follows: INFO in both directions, then a BYE after the start."""
    a, b = standing(scene)
    highest = 0
    for _ in range(200):
        a.phone >> a.request("INFO")
        arrived = b.phone << "INFO"
        highest = arrived.cseq
        b.phone >> b.answer(arrived, 200)
        a.phone << "200 INFO"
    scene.restart()
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    assert bye.cseq > highest
    b.phone >> b.answer(bye, 200)


def test_the_cseq_rises_over_deaths_in_a_row(scene: Scene) -> None:
    """Each process dies with its first re-INVITE in flight, of which no record tells."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    heard = [b.phone << "INVITE a=sendonly"]
    for _ in range(3):
        scene.restart()
        heard.append(b.phone << "INVITE a=sendonly")
    b.phone >> b.answer(heard[-1], 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    cseqs = [invite.cseq for invite in heard]
    assert cseqs == sorted(set(cseqs))
    hang_up(a, b)



@pytest.mark.parametrize("refresher", ["UPDATE", "INVITE"])
def test_a_refresh_of_the_phone_is_answered(scene: Scene, refresher: str) -> None:
    a, b = standing(scene)
    hold(a, b)
    scene.restart()
    if refresher == "UPDATE":
        a.phone >> a.request("UPDATE", "", "Supported: timer", "Session-Expires: 1800;refresher=uac")
        a.phone << "200 UPDATE"
    else:
        send_offer(a, a.sdp("sendonly"))  # byte for byte what stands
        answer = a.phone << "200 INVITE a=recvonly"
        a.phone >> a.ack(answer)
    hang_up(a, b)


@pytest.mark.row(11)
def test_a_phone_that_is_gone_ends_the_call_by_the_session_timer() -> None:
    """The interval counts from the last refresh and not from the start; the lamps go out."""
    scene = Scene(Options(records=KeptRecords(), limits=CallLimits(session_expires=90, session_expires_min=90)))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    scene.advance(40)
    scene.restart()
    lamps(a, b)
    waited = scene.wait(a.phone, 10)  # half the interval after the hold, of which 40 s are over
    assert 4 < waited < 6
    a.phone << "INVITE a=recvonly"
    scene.advance(33)  # nobody answers
    a.phone.inbox.clear()
    is_gone(b)
    idle(scene, a, b)
    scene.advance(40)
    assert not scene.server.leaks()


def test_a_session_that_ended_while_the_server_was_down(scene: Scene) -> None:
    a, b = standing(scene)
    hold(a, b)
    scene.server.network.each_tick.clear()  # it is dead for longer than the session lives
    scene.advance(2000)
    scene.restart()
    scene.advance(0.1)
    for call in (b, a):
        is_gone(call)
    lamps(a, b)
    idle(scene, a, b)


class Heard:
    """The last description that a phone got, and where."""

    def __init__(self, message: Message, call: ScriptCall) -> None:
        origin = parse_origin(message.body)
        self.version, self.session = origin.version, origin.session_id
        self.cseq = message.cseq if isinstance(message, Request) else 0
        self.tag = (message.from_ if isinstance(message, Request) else message.to).tag


def heard(scene: Scene, call: ScriptCall) -> Heard:
    steps = [
        step.message for step in scene.network.ladder
        if step.source == "SM" and step.destination == call.phone.name and step.message is not None
        and step.message.body.startswith(b"v=0") and step.message.call_id == call.call_id
    ]  # fmt: skip
    return Heard(steps[-1], call)


# -- the promise itself ----------------------------------------------------------------------------------------


def test_no_2xx_leaves_before_the_record(scene: Scene) -> None:
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    records(scene).slow = True
    b.phone >> b.answer(arrived, 200, b.sdp())
    a.phone.hears_nothing()
    b.phone.hears_nothing()  # whoever has its ACK is in a call that survives
    records(scene).slow = False
    scene.advance(0.05)
    answer = a.phone << "200 INVITE"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"
    records(scene).slow = True
    send_offer(a, a.sdp("sendonly"))
    b.phone.hears_nothing()  # an open re-INVITE is stored before it is forwarded
    records(scene).slow = False
    scene.advance(0.05)
    arrived = b.phone << "INVITE a=sendonly"
    records(scene).slow = True
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone.hears_nothing()
    records(scene).slow = False
    scene.advance(0.05)
    answer = a.phone << "200 INVITE"
    a.phone >> a.ack(answer)
    records(scene).slow = True
    a.phone >> a.request("BYE")
    bye = b.phone << "BYE"
    a.phone.hears_nothing()
    b.phone >> b.answer(bye, 200)
    records(scene).slow = False
    scene.advance(0.05)
    a.phone << "200 BYE"


def test_an_acknowledged_bye_stays_one(scene: Scene) -> None:
    """The process dies behind its 200; the other party has not got the BYE: it gets one from the next start."""
    a, b = standing(scene)
    scene.network.rule = lambda index, data: () if data.startswith(b"BYE sip:6002@") else (0.0,)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart()
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 0}
    is_gone(b)
    assert not records(scene).kept


def test_what_the_disk_does_not_take(scene: Scene) -> None:
    """No new call; one that stands goes on, and is written when the disk is well again."""
    a, b = standing(scene)
    records(scene).failing = True
    hold(a, b)
    assert scene.count("not_durable", "call") >= 1
    carol, dave = scene.phone("6003"), scene.phone("6004")
    c = called(carol, dave.aor)
    carol >> c.ack(carol << "480 INVITE")
    records(scene).failing = False
    c, d, arrived = invite(carol, dave)
    records(scene).failing = True
    dave >> d.answer(arrived, 200, d.sdp())
    carol >> c.ack(carol << "480 INVITE")
    dave << "ACK"
    is_gone(d)
    assert scene.count("overload_rejected", "store") == 2
    records(scene).failing = False
    scene.advance(1.1)
    (text,) = [text for (kind, _), text in records(scene).kept.items() if kind == "call"]
    assert decode_call(text).caller.holding
    resume(a, b)
    hang_up(a, b)


def test_a_phone_that_nobody_could_stop_from_ringing_is_not_called(scene: Scene) -> None:
    """The disk took the caller's INVITE, and takes no record of the one that is to leave for the callee."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    records(scene).slow = True
    a = called(alice, bob.aor)
    records(scene).commit()
    scene.advance(0.05)
    records(scene).failing, records(scene).slow = True, False
    scene.advance(0.05)
    alice >> a.ack(alice << "480 INVITE")
    bob.hears_nothing()
    records(scene).failing = False


def test_a_record_that_nobody_understands_is_set_aside(scene: Scene) -> None:
    a, _ = standing(scene)
    (key,) = [key for key in records(scene).kept if key[0] == "call"]
    text = records(scene).kept[key]
    damaged: list[Callable[[str], str]] = [
        lambda text: text[:40],
        lambda text: text.replace('"version":1}', '"version":99}'),
        lambda text: text.replace(key[1], "another"),
        lambda text: text.replace("sip:6001@192", "tel:6001@192"),
    ]
    for number, damage in enumerate(damaged):
        records(scene).kept = {key: damage(text)}
        scene.restart()
        assert len(records(scene).set_aside_for) == number + 1, damage(text)
        assert not records(scene).kept
    a.phone >> a.request("BYE")
    a.phone << "481 BYE"


# -- what was open ---------------------------------------------------------------------------------------------


def cancelled(b: ScriptCall, arrived: Message) -> None:
    """CANCEL in the INVITE's own transaction, 487 and its ACK."""
    cancel = b.phone << "CANCEL"
    assert cancel.top_via.branch == arrived.top_via.branch
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    ack = b.phone << "ACK"
    assert ack.top_via.branch == arrived.top_via.branch


def is_final_to(call: ScriptCall, data: bytes) -> bool:
    """Whether this is the server's 200 to the INVITE of a phone."""
    return data.startswith(b"SIP/2.0 200") and data.count(b"Via:") == 1 and f"branch=z9hG4bK-{call.phone.name}".encode() in data


@pytest.mark.row(11)
def test_whoever_has_declined_is_not_cancelled(scene: Scene) -> None:
    """Its transaction is over: a CANCEL after the restart would match nothing there (RFC 3261 §9.2)."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    b.phone >> b.answer(arrived, 603)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "603 INVITE")
    scene.advance(0)
    assert not records(scene).records(SENT)
    scene.restart()
    for call in (a, b):
        call.phone.hears_nothing()


def test_of_a_fork_only_those_that_ring_are_cancelled(scene: Scene) -> None:
    phones = [scene.phone("6002"), scene.phone("6002", device=1)]
    a, b, arrived = invite(scene.phone("6001"), phones[0])
    second = phones[1] << "INVITE"
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    scene.advance(0)
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    b.phone.hears_nothing()
    cancelled(ScriptCall.of(phones[1], second), second)


def test_whoever_was_cancelled_after_a_restart_is_not_after_the_next(scene: Scene) -> None:
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    cancelled(b, arrived)
    scene.advance(0)
    scene.restart()
    b.phone.hears_nothing()


def test_a_phone_that_never_answered_is_not_cancelled(scene: Scene) -> None:
    """Its INVITE timed out (timer B)."""
    a, b, _ = invite(scene.phone("6001"), scene.phone("6002"))
    scene.advance(TIMEOUT)
    b.phone.inbox.clear()  # the INVITE, again and again
    a.phone >> a.ack(a.phone << "408 INVITE")
    scene.restart()
    b.phone.hears_nothing()


@pytest.mark.parametrize("ringing", [True, False])
def test_a_call_in_set_up_ends_cleanly(scene: Scene, ringing: bool) -> None:
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    if ringing:
        b.phone >> b.answer(arrived, 180)
        a.phone << "180 INVITE"
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    cancelled(b, arrived)
    lamps(a, b)
    idle(scene, a, b)


def test_a_phone_whose_connection_died_too_stops_ringing() -> None:
    """It had opened the connection itself: the CANCEL takes a new one to its Contact."""
    scene = Scene(Options(records=KeptRecords(), tcp=True))
    _, b, arrived = invite(scene.phone("6001"), scene.tcp_phone("6002"))
    b.phone >> b.answer(arrived, 180)
    b.phone.address = b.phone.listening
    scene.restart()
    cancelled(b, arrived)


def test_all_phones_of_a_fork_stop_ringing(scene: Scene) -> None:
    phones = [scene.phone("6002"), scene.phone("6002", device=1)]
    a, b, arrived = invite(scene.phone("6001"), phones[0])
    second = phones[1] << "INVITE"
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    cancelled(b, arrived)
    cancelled(ScriptCall.of(phones[1], second), second)


@pytest.mark.row(11)
def test_a_call_that_stood_at_a_restart_and_has_ended_is_not_hung_up_on_again(scene: Scene) -> None:
    """The first process died before it could strike out that the callee rings; the next said BYE. The one after knows of no
    call, nor that anybody rang."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    rings = records(scene).records(SENT)
    answered(a, b, arrived)
    scene.advance(0)
    assert rings and not records(scene).records(SENT)
    records(scene).kept |= {(SENT, key): text for key, text in rings}
    scene.restart()
    hang_up(a, b)
    scene.restart()
    b.phone.hears_nothing()


@pytest.mark.row(11)
def test_the_other_phones_of_a_fork_that_was_answered_stop_ringing(scene: Scene) -> None:
    """Their CANCEL was lost with the process. To who has answered it says nothing (RFC 3261 §9.2): the call goes on."""
    phones = [scene.phone("6002"), scene.phone("6002", device=1)]
    a, b, arrived = invite(scene.phone("6001"), phones[0])
    second = phones[1] << "INVITE"
    rings = records(scene).records(SENT)
    scene.network.rule = lambda index, data: () if data.startswith(b"CANCEL") else (0.0,)
    answered(a, b, arrived)
    scene.network.rule = lambda index, data: (0.0,)
    records(scene).kept |= {(SENT, key): text for key, text in rings}
    scene.restart()
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 200, b.sdp())  # once more, as it crossed the end of the process
    b.phone << "ACK"
    cancelled(ScriptCall.of(phones[1], second), second)
    hold(a, b)
    hang_up(a, b)


def test_an_open_invite_gets_no_younger_by_a_start(scene: Scene) -> None:
    """Its caller never acknowledges the answer: its record ends when it would have without the restarts."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.advance(0)
    [(key, _)] = records(scene).records(RECEIVED)
    until = records(scene).expires[RECEIVED, key]
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    a.phone << "200 INVITE"
    for _ in range(3):
        scene.advance(9)
        scene.restart()
        assert records(scene).expires[RECEIVED, key] == until
    a.phone << "200 INVITE"  # in the words of the later processes
    scene.advance(TIMEOUT)
    is_gone(a)
    is_gone(b)


def test_a_cancel_while_the_record_is_written(scene: Scene) -> None:
    records(scene).slow = True
    a = called(scene.phone("6001"), scene.phone("6002").aor)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    records(scene).slow = False
    scene.advance(0.05)
    a.phone >> a.ack(a.phone << "487 INVITE")


def test_a_cancel_before_the_phone_rings(scene: Scene) -> None:
    """The INVITE is with Communication Manager, and the record of the one that it sends on is being written."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    records(scene).slow = True
    a = called(alice, bob.aor)
    records(scene).commit()  # the caller's; not the callee's
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    records(scene).slow = False
    scene.advance(0.05)
    bob.hears_nothing()


def test_an_answer_that_was_committed_is_given(scene: Scene) -> None:
    """The process dies between the commit and the 2xx: the caller gets it from the next one, the callee its ACK."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.network.rule = lambda index, data: () if is_final_to(a, data) or data.startswith(b"ACK sip:6002") else (0.0,)
    b.phone >> b.answer(arrived, 200, b.sdp())
    scene.advance(0)
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart()
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone >> b.answer(arrived, 200, b.sdp())  # nobody has acknowledged it
    b.phone << "ACK"
    scene.advance(3)
    hold(a, b)
    hang_up(b, a)


@pytest.mark.row(11)
def test_an_answer_that_nobody_wants_ends_its_call_over_restarts_too(scene: Scene) -> None:
    """The caller gave up as the server died. It is waited for 64·T1 in all, not anew by each process."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    scene.network.rule = lambda index, data: () if is_final_to(a, data) else (0.0,)
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    scene.network.rule = lambda index, data: (0.0,)
    for seconds in (9, 9, 9, 4):
        scene.restart()
        b.phone.hears_nothing()
        scene.advance(seconds)
    scene.restart()
    scene.advance(2.1)
    is_gone(b)
    a.phone << "200 INVITE a=sendrecv"  # all of them
    is_gone(a)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 0}


@pytest.mark.row(11)
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_reinvite_in_flight_is_completed(scene: Scene, who: str) -> None:
    """It was handed on and nothing came back yet: the far phone gets it once more, CSeq risen, and the holder its answer."""
    a, b = standing(scene)
    one, other = (a, b) if who == "caller" else (b, a)
    send_offer(one, one.sdp("sendonly"))
    first = other.phone << "INVITE a=sendonly"
    scene.restart()
    again = other.phone << "INVITE a=sendonly"
    assert again.cseq > first.cseq
    other.phone >> other.answer(first, 200, other.sdp("recvonly"))  # the old one, repeated: acknowledged, too
    other.phone << "ACK"
    other.phone >> other.answer(again, 200, other.sdp("recvonly"))
    other.phone << "ACK"
    answer = one.phone << "200 INVITE a=recvonly"
    one.phone >> one.ack(answer)
    lamps(a, b)
    assert renderings(one.phone) == ("no", "")
    resume(one, other)
    hang_up(other, one)


def forged(answer: str) -> str:
    """The response with another branch in our Via than the one that was sent: as of somebody who never got the request."""
    found = re.search(r";branch=[^;\r]+", answer)
    assert found is not None, answer
    last = found.end() - 1
    return f"{answer[:last]}{'A' if answer[last] != 'A' else 'B'}{answer[last + 1 :]}"


@pytest.mark.row(11)
def test_a_stray_2xx_of_before_the_restart_is_taken_for_32_seconds_and_by_its_branch(scene: Scene) -> None:
    """Nobody but Communication Manager can acknowledge it, and no transaction is left that proves whose it is: our branch in
    its Via does, for this Call-ID alone. Else it is dropped, as RFC 6026 §8.9 has it."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    first = b.phone << "INVITE a=sendonly"
    scene.restart()
    again = b.phone << "INVITE a=sendonly"
    stray = b.answer(first, 200, b.sdp("recvonly"))
    of_another_call = stray.replace(f"Call-ID: {b.call_id}", "Call-ID: another")
    linked = len(scene.linked("SM", "CM", "INVITE"))
    for dropped, answer in enumerate((forged(stray), of_another_call), 1):
        b.phone >> answer
        assert scene.count("messages_dropped", "stray response") == dropped
    b.phone.hears_nothing()
    assert len(scene.linked("SM", "CM", "INVITE")) == linked
    b.phone >> stray
    b.phone << "ACK"
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(31)
    b.phone >> stray
    b.phone << "ACK"
    scene.advance(1.5)
    b.phone >> stray
    b.phone.hears_nothing()
    assert scene.count("messages_dropped", "stray response") == 3
    resume(a, b)
    hang_up(b, a)


def test_a_stray_2xx_of_a_trunk_whose_contact_is_a_name() -> None:
    """Its re-INVITE goes where the name leads, and its branch proves as much as that of a phone's."""
    named = Scene(Options(records=KeptRecords(), entities=(CARRIER,)))
    trunk = carrier(named)
    trunk.contact = "<sip:0170@one.example.net>"
    named.server.dns.zone = {("one.example.net", "A"): (trunk.address[0],)}
    a, b = call_out(named, trunk)
    named.advance(3)
    first = pending_hold(a, b)
    named.restart()
    again = trunk << "INVITE a=sendonly"
    trunk >> b.answer(first, 200, b.sdp("recvonly"))
    trunk << "ACK"
    trunk >> b.answer(again, 200, b.sdp("recvonly"))
    trunk << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)
    named.quiet()


def test_a_refused_reinvite_is_not_asked_for_again(scene: Scene) -> None:
    """Its record goes with the ACK of the refusal, which the phone has."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    scene.advance(0)
    assert [kind for kind, _ in records(scene).kept] == ["call"]
    scene.restart()
    for call in (a, b):
        call.phone.hears_nothing()
    hang_up(a, b)


def test_a_hold_that_was_committed_is_answered(scene: Scene) -> None:
    """Its 200 is lost with the process, the phone repeats nothing as it has got 100: the next process answers, once and from
    the record; the far phone hears nothing of it."""
    a, b = standing(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.network.rule = lambda index, data: () if is_final_to(a, data) else (0.0,)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    scene.network.rule = lambda index, data: (0.0,)
    scene.restart()
    answer = a.phone << "200 INVITE a=recvonly"
    a.phone >> a.ack(answer)
    b.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)


def test_whoever_has_the_address_of_a_connection_of_before_is_another_phone() -> None:
    """Two phones behind one address: after the restart the other's new connection comes from the port that the first had. What
    is for the first goes to its Contact."""
    scene = Scene(Options(records=KeptRecords(), tcp=True))
    a, b = talk(scene.tcp_phone("6001"), scene.phone("6002"))
    watch(a.phone, b.phone)
    scene.advance(3)
    a.phone.address = a.phone.listening
    scene.restart()
    other = ScriptPhone(scene.network, "6003", ("192.0.2.11", 5070), server=TCP_SERVER, transport="TCP")
    other.connect_from(49152)
    register(other)
    scene.advance(1.1)
    heard = len(a.phone.notified)
    hold(b, a)
    scene.advance(1.1)
    assert len(a.phone.notified) > heard and not other.notified
    hang_up(b, a)
    other.hears_nothing()


def test_a_reinvite_whose_connection_is_gone() -> None:
    """It failed on the phone's side: what the far phone has accepted is set right by a re-INVITE with what stands."""
    scene = Scene(Options(records=KeptRecords(), tcp=True))
    a, b = talk(scene.tcp_phone("6001"), scene.phone("6002"))
    scene.advance(3)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    records(scene).slow = True  # it dies before the commit
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone.hears_nothing()
    scene.restart()
    again = b.phone << "INVITE a=sendrecv"
    assert again.cseq > arrived.cseq
    assert parse_origin(again.body).version > parse_origin(arrived.body).version  # which nobody has a record of
    b.phone >> b.answer(again, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    assert not scene.server.b2bua.calls()["held"]
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
