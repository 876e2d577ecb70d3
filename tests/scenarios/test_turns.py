"""Whoever has agreed to a re-INVITE, and has our ACK, may ask for something itself at once, though the other party has no
answer yet: a feature is at work on it, or the record of the call. That one goes first, and nobody gets 491."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from b2bua.sip.message import Response
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    as_it_was,
    hang_up,
    hold,
    is_gone,
    pending_hold,
    renderings,
    resume,
    send_offer,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall

THINKS = 0.3
"""Seconds that the relay takes for each answer."""
FEATURES = ("hold", "lamps", "media_relay")


@pytest.fixture(params=["a feature", "the record"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """What holds an answer up begins with `slow`."""
    if request.param == "a feature":
        made = Scene(Options(features=FEATURES, relay="pass"))
    else:
        made = Scene(Options(records=KeptRecords(), remote_records=KeptRecords(), link="udp", heartbeat=5.0))
    yield made
    made.quiet()


def slow(scene: Scene) -> None:
    records = scene.server.options.remote_records
    if records is None:
        scene.server.relay.seconds, scene.server.relay.about = THINKS, "answer"
    else:
        records.slow = True


def done(scene: Scene) -> None:
    records = scene.server.options.remote_records
    if records is not None:
        records.slow = False
    scene.advance(THINKS + 0.05)
    if records is None:
        scene.server.relay.seconds = 0.0


def agreed(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    """Alice has offered a hold, and Bob has agreed; her answer is held up."""
    arrived = pending_hold(a, b)
    slow(scene)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone.hears_nothing()


def gets_its_answer(a: ScriptCall) -> None:
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")


def both_go_on(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    """Alice has her answer, then Bob's re-INVITE its turn: she holds on."""
    done(scene)
    gets_its_answer(a)
    a.phone >> a.answer(a.phone << "INVITE a=sendrecv", 200, a.sdp("sendonly"))
    a.phone << "ACK"
    done(scene)
    b.phone >> b.ack(b.phone << "200 INVITE a=sendonly")


@pytest.mark.row(4)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_it_waits_for_the_answer_to_the_other(scene: Scene, method: str) -> None:
    a, b = watched_call(scene)
    agreed(scene, a, b)
    if method == "INVITE":
        send_offer(b, b.sdp("inactive"))
    else:
        b.phone >> b.request("UPDATE", b.sdp("inactive"))
    a.phone.hears_nothing()
    done(scene)
    gets_its_answer(a)
    arrived = a.phone << "INVITE a=inactive"
    a.phone >> a.answer(arrived, 200, a.sdp("inactive"))
    a.phone << "ACK"
    done(scene)
    answer = b.phone << f"200 {method} a=inactive"
    if method == "INVITE":
        b.phone >> b.ack(answer)
    scene.advance(2)
    assert renderings(a.phone) == ("no", "no")
    hang_up(a, b)


@pytest.mark.row(2)
def test_one_at_a_time(scene: Scene) -> None:
    """A second one of the same party is too early, whatever asks for it (RFC 3261 §14.2, RFC 3311 §5.2)."""
    a, b = watched_call(scene)
    agreed(scene, a, b)
    send_offer(b, b.sdp("sendrecv"))
    offer = b.sdp("sendonly")
    send_offer(b, offer)
    refusal = b.phone << "500 INVITE"
    assert refusal.get("Retry-After") is not None
    b.phone >> b.ack(refusal)
    b.phone >> b.request("UPDATE", offer)
    assert (b.phone << "500 UPDATE").get("Retry-After") is not None
    both_go_on(scene, a, b)
    hang_up(a, b)


@pytest.mark.row(6)
def test_it_may_be_cancelled(scene: Scene) -> None:
    """487 at once; the other party never hears of it, and has its own answer."""
    a, b = watched_call(scene)
    agreed(scene, a, b)
    send_offer(b, b.sdp("sendrecv"))
    b.phone >> b.cancel()
    b.phone << "200 CANCEL"
    b.phone >> b.ack(b.phone << "487 INVITE")
    a.phone.hears_nothing()
    done(scene)
    gets_its_answer(a)
    scene.advance(2)
    a.phone.hears_nothing()
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hold(b, a)
    hang_up(a, b)


@pytest.mark.row(6)
def test_the_one_before_it_may_be_cancelled_too(scene: Scene) -> None:
    """Too late: it has been agreed to, and is answered so (RFC 6141 §3.8). Whoever waits is not meant."""
    a, b = watched_call(scene)
    agreed(scene, a, b)
    send_offer(b, b.sdp("sendrecv"))
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone.hears_nothing()
    both_go_on(scene, a, b)
    hang_up(a, b)


@pytest.mark.row(7)
@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_bye_wins(scene: Scene, whose: str) -> None:
    """What waits gets 487. What has been agreed to, too, unless it is on its way to the record: then it is answered so."""
    a, b = watched_call(scene)
    agreed(scene, a, b)
    send_offer(b, b.sdp("sendrecv"))
    leaves, stays = (b, a) if whose == "its own" else (a, b)
    leaves.phone >> leaves.request("BYE")
    done(scene)
    assert answers(b) == {"INVITE": 487} | ({"BYE": 200} if leaves is b else {})
    recorded = scene.server.options.remote_records is not None
    assert answers(a) == {"INVITE": 200 if recorded else 487} | ({"BYE": 200} if leaves is a else {})
    is_gone(stays)


def answers(call: ScriptCall) -> dict[str, int]:
    """The final ones that have come, which are acknowledged."""
    phone, found = call.phone, {}
    while phone.inbox and isinstance(phone.inbox[0], Response):
        response = phone.inbox[0]
        phone.inbox.popleft()
        if response.status >= 200:
            found[response.cseq_method] = response.status
        if response.status >= 200 and response.cseq_method == "INVITE":
            phone >> call.ack(response)
    return found


def test_the_other_collides_still_while_it_is_asked(make_scene: MakeScene) -> None:
    """Before its answer the far party's own crosses ours: 491, and nothing waits."""
    scene = make_scene(features=FEATURES, relay="pass")
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    gets_its_answer(a)
    as_it_was(a)
    hang_up(a, b)
