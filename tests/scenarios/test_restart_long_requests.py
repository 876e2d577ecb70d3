"""INVITEs that are too long for a datagram (RFC 3261 §18.1.1) when the server dies: what the phone has is known to the next
process, whichever way it took."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from b2bua.sip.message import Message
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, hang_up, invite, is_gone, pending_hold, resume, send_offer, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.test_recovery import forged

LONG = "X-Long: " + "x" * 1300


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Options(records=KeptRecords(), tcp=True))
    yield made
    made.quiet()


def rings(scene: Scene, transport: str) -> tuple[ScriptCall, Message]:
    """A callee that has got a long INVITE by this transport, and nobody waits for its answer any more."""
    a, b, arrived = invite(scene.phone("6001"), phone_by(scene, transport), None, LONG)
    assert arrived.top_via.transport == transport
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    scene.restart()
    a.phone >> a.ack(a.phone << "480 INVITE")
    return b, arrived


def phone_by(scene: Scene, transport: str) -> ScriptPhone:
    bob = scene.phone("6002")
    if transport == "udp":
        scene.network.refusing.add(bob.address)
    return bob


way = pytest.mark.parametrize("transport", ["tcp", "udp"])


@pytest.mark.row(11)
@way
def test_a_phone_that_rings_gets_the_cancel_of_its_invite(scene: Scene, transport: str) -> None:
    """A CANCEL has the Via of what it cancels (RFC 3261 §9.1), by whose branch and sent-by it is matched (§17.2.3)."""
    b, arrived = rings(scene, transport)
    cancel = b.phone << "CANCEL"
    assert cancel.get_all("Via") == [arrived.get("Via")]
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    ack = b.phone << "ACK"
    assert ack.get_all("Via") == [arrived.get("Via")]


@pytest.mark.row(11)
@way
def test_a_phone_that_answers_is_hung_up_on(scene: Scene, transport: str) -> None:
    b, arrived = rings(scene, transport)
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone << "ACK"
    is_gone(b)
    b.phone >> b.answer(cancel, 200)


@pytest.mark.row(11)
@way
def test_the_answer_to_a_reinvite_is_known_by_its_branch(scene: Scene, transport: str) -> None:
    """The one that it sends once more has another."""
    a, b = talk(scene.phone("6001"), phone_by(scene, transport))
    scene.advance(3)
    send_offer(a, a.sdp("sendonly"), LONG)
    first = b.phone << "INVITE a=sendonly"
    assert first.top_via.transport == transport
    scene.restart()
    again = b.phone << "INVITE a=sendonly"
    stray = b.answer(first, 200, b.sdp("recvonly"))
    b.phone >> forged(stray)
    b.phone.hears_nothing()
    b.phone >> stray
    b.phone << "ACK"
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(b, a)


@pytest.mark.row(11)
def test_an_answer_whose_lower_via_cannot_be_read_is_dropped(scene: Scene) -> None:
    """Nobody can be told of it (RFC 3261 §18.1.2), and that is not our mistake."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(3)
    first = pending_hold(a, b)
    scene.restart()
    again = b.phone << "INVITE a=sendonly"
    answer = b.answer(first, 200, b.sdp("recvonly"))
    lower = first.get_all("Via")[1]
    b.phone >> answer.replace(lower, f"{lower.partition(';')[0]}A;branch=z9hG4bKx")  # a port with a letter
    b.phone.hears_nothing()
    assert scene.count("messages_dropped", "stray response") == 1
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(b, a)
