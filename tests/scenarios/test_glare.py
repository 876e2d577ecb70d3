"""Re-INVITEs that cross (RFC 3261 §14; the table of glare around hold)."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import (
    MakeScene,
    Scene,
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
from tests.scenarios.virtual_network import late, perfect


class Wish:
    """In place of randomness: remembers the bands it was asked for, and gives the place in the band that it is told."""

    def __init__(self, share: float = 0.5) -> None:
        self.share = share
        self.bands: list[tuple[float, float]] = []

    def __call__(self, low: float, high: float) -> float:
        if high < 10:  # not a Retry-After
            self.bands.append((low, high))
        return low + (high - low) * self.share


def refused_with_491(call: ScriptCall, arrived: Message) -> None:
    """The phone answers 491 to the re-INVITE that came."""
    call.phone >> call.answer(arrived, 491)
    call.phone << "ACK"


def complete(far: ScriptCall, arrived: Message, call: ScriptCall, answer: str = "recvonly") -> None:
    """The far phone takes the hold, the holder hears so."""
    far.phone >> far.answer(arrived, 200, far.sdp(answer))
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << f"200 INVITE a={answer}")


# ---- we send 491 or 500


@pytest.mark.row(1)
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_491_while_our_invite_is_pending_on_that_dialog(scene: Scene, holder_is_caller: bool) -> None:
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    send_offer(far, far.sdp("sendonly"))
    far.phone >> far.ack(far.phone << "491 INVITE")
    assert scene.count("glare", "refused") == 1
    far.version, far._direction = 1, "sendrecv"
    complete(far, arrived, call)
    resume(call, far)
    hang_up(call, far)


@pytest.mark.row(4)
def test_refresh_of_the_far_phone_during_a_hold_gets_491(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    send_offer(b, b.sdp("sendrecv"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    complete(b, arrived, a)
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(2)
def test_500_and_retry_after_for_a_second_invite_before_the_first_is_answered(scene: Scene) -> None:
    a, b = watched_call(scene)
    first = pending_hold(a, b)
    pending = a.again()
    send_offer(a, a.sdp("sendrecv"))
    refusal = a.phone << "500 INVITE"
    seconds = refusal.integer("Retry-After")
    assert seconds is not None and 0 <= seconds <= 10
    a.phone >> a.ack(refusal)
    a._sent = pending
    a._direction = "sendonly"
    complete(b, first, a)
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(2)
def test_reinvite_before_the_call_is_answered(scene: Scene) -> None:
    """The caller cannot hold what does not stand: 500 + Retry-After (RFC 3261 §14.2), the call comes about."""
    from tests.scenarios.scene import invite

    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    ringing = alice << "180 INVITE"
    first = a.again()
    a.learn(ringing)
    send_offer(a, a.sdp("sendonly"))
    refusal = alice << "500 INVITE"
    assert refusal.integer("Retry-After") is not None
    alice >> a.ack(refusal)
    a._sent = first
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


# ---- we receive 491


@pytest.mark.row(3)
@pytest.mark.bug("pjsip 3886")
@pytest.mark.parametrize("holder_is_caller", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.503, 1.0])
def test_pjsip_3886_a_491_is_retried_once_in_the_band_of_that_leg(
    make_scene: MakeScene, holder_is_caller: bool, share: float
) -> None:
    """2.1–4.0 s on the callee's leg, whose Call-ID is ours; 0–2.0 s on the caller's, whose is not."""
    wish = Wish(share)
    scene = make_scene(uniform=wish)
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    refused_with_491(far, pending_hold(call, far))
    assert wish.bands == [(2.1, 4.0) if holder_is_caller else (0.0, 2.0)]
    wait = wish(*wish.bands[0])
    scene.advance(max(wait - 0.1, 0))
    if wait:
        far.phone.hears_nothing()
    call.phone.hears_nothing()
    scene.advance(0.25)
    again = far.phone << "INVITE a=sendonly"
    complete(far, again, call)
    assert scene.count("glare", "retried") == 1
    scene.advance(1.1)
    assert renderings(call.phone) == ("no", "")
    resume(call, far)
    hang_up(call, far)


@pytest.mark.row(3)
def test_the_retry_carries_the_same_description_and_a_higher_cseq(scene: Scene) -> None:
    a, b = watched_call(scene)
    first = pending_hold(a, b)
    refused_with_491(b, first)
    scene.wait(b.phone, 4.1)
    again = b.phone << "INVITE a=sendonly"
    assert again.body == first.body and again.cseq > first.cseq
    complete(b, again, a)
    hang_up(a, b)


@pytest.mark.row(3)
def test_the_wait_goes_in_steps_of_10_ms(make_scene: MakeScene) -> None:
    """What is drawn is 3.0996 s, what the timer gets 3.10 s: by a clock that is a hair behind its tick that is the tick after
    the one in which 3.0996 s are over. The steps themselves are those of tests/dialog/test_glare.py."""
    scene = make_scene(uniform=Wish((3.0996 - 2.1) / 1.9))
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    assert round(scene.wait(b.phone, 4.1), 2) == 3.15
    complete(b, b.phone << "INVITE a=sendonly", a)
    hang_up(a, b)


@pytest.mark.row(4)
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_the_holder_waits_on_100(scene: Scene, holder_is_caller: bool) -> None:
    """It comes with the request, before timer A: the phone sends no second copy and may CANCEL. A copy that was doubled on
    the way is answered 100 once more and goes no further."""
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    send_offer(call, call.sdp("sendonly"))
    sent = scene.now()
    trying = call.phone << "100 INVITE"
    assert trying.to.tag == call.remote_tag and not trying.body
    refused_with_491(far, far.phone << "INVITE a=sendonly")
    # Nobody but Session Manager says 100, and it does so once for a copy: at the moment at which it came.
    steps = [step for step in scene.network.ladder if step.destination == call.phone.name and step.time >= sent - 0.01]
    said = [step.time for step in steps if getattr(step.message, "status", 0) == 100]
    assert [round(when - sent, 2) for when in said] == [0]
    call.phone >> call.again()
    assert [str(getattr(message, "status", 0)) for _, message in call.phone.repeated] == ["100"]
    far.phone.hears_nothing()
    scene.wait(far.phone, 4.1)
    complete(far, far.phone << "INVITE a=sendonly", call)
    assert len(call.phone.repeated) == 1
    resume(call, far)
    hang_up(call, far)


@pytest.mark.row(4)
def test_second_491_goes_back_and_the_lamp_with_it(scene: Scene) -> None:
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    assert renderings(a.phone) == ("no", "")
    scene.wait(b.phone, 4.1)
    refused_with_491(b, b.phone << "INVITE a=sendonly")
    a.phone >> a.ack(a.phone << "491 INVITE")
    scene.advance(1.1)
    assert renderings(a.phone) == renderings(b.phone) == ("yes", "yes")
    assert scene.count("glare", "gave_up") == 1
    scene.advance(5)
    b.phone.hears_nothing()
    hang_up(a, b)


@pytest.mark.row(4)
def test_bye_of_the_holder_ends_the_retry(scene: Scene) -> None:
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(b)


@pytest.mark.row(4)
def test_cancel_of_the_holder_ends_the_retry(scene: Scene) -> None:
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    scene.advance(5)
    b.phone.hears_nothing()
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_second_invite_of_the_holder_during_the_wait_gets_500(scene: Scene) -> None:
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    send_offer(a, a.sdp("sendrecv"))
    a.phone >> a.ack(a.phone << "500 INVITE")
    a._direction = "sendonly"
    scene.wait(b.phone, 4.1)
    complete(b, b.phone << "INVITE a=sendonly", a)
    hang_up(a, b)


def give_way(scene: Scene, a: ScriptCall, b: ScriptCall) -> Message:
    """A's hold waits after B's 491, B's own comes: A gets 491 and right behind it B's, which this returns.

    Communication Manager waits for the ACK of that 491; over a proxy that is Session Manager's (RFC 3261 §17.1.1.3).
    """
    refused_with_491(b, pending_hold(a, b))
    scene.advance(0.5)
    send_offer(b, b.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "491 INVITE")
    a.version, a._direction = 1, "sendrecv"
    order = [str(step) for step in scene.network.ladder if {step.source, step.destination} == {"SM", "CM"}]
    acknowledged = max(index for index, line in enumerate(order) if f"ACK {a.target}" in line)
    forwarded = max(index for index, line in enumerate(order) if f"INVITE {a.phone.contact.strip('<>')}" in line)
    assert acknowledged < forwarded
    return a.phone << "INVITE a=sendonly"


@pytest.mark.row(4)
def test_during_the_wait_the_far_phones_own_goes_first(scene: Scene) -> None:
    """The retry is dropped, A gets 491, the lamp goes back; then B's goes."""
    a, b = watched_call(scene)
    arrived = give_way(scene, a, b)
    assert scene.count("glare", "yielded") == 1
    published = [message.body for message in scene.linked("CM", "SM", "PUBLISH") if message.to.uri == a.phone.aor][-3:-1]
    assert [b'pval="no"' in body for body in published] == [True, False]
    complete(a, arrived, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("", "no")
    assert renderings(b.phone) == ("no", "")
    scene.advance(5)
    b.phone.hears_nothing()
    resume(b, a)
    hang_up(a, b)


@pytest.mark.row(4)
def test_giving_way_when_the_491_is_lost(make_scene: MakeScene) -> None:
    """A's own is open in its eyes: it answers 491, and B's is tried again within 2 s, when A has the repeated 491."""
    scene = make_scene(uniform=Wish(0.6))
    a, b = watched_call(scene)
    refused_with_491(b, pending_hold(a, b))
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 491") else (0.0,)
    send_offer(b, b.sdp("sendonly"))
    scene.network.rule = perfect
    arrived = a.phone << "INVITE a=sendonly"
    a.phone >> a.answer(arrived, 491)
    a.phone << "ACK"
    scene.advance(0.3)
    a.phone.hears_nothing()
    scene.wait(a.phone, 0.3)
    a.phone >> a.ack(a.phone << "491 INVITE")
    scene.wait(a.phone, 2.1)
    again = a.phone << "INVITE a=sendonly"
    a.version, a._direction = 1, "sendrecv"
    complete(a, again, b)
    hang_up(a, b)


def test_bye_while_giving_way(scene: Scene) -> None:
    """B's re-INVITE is answered 487, the call ends on both sides."""
    a, b = watched_call(scene)
    arrived = give_way(scene, a, b)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.answer(arrived, 487)
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "487 INVITE")
    is_gone(b)


def test_bye_of_the_one_who_was_given_way(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = give_way(scene, a, b)
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    b.phone >> b.ack(b.phone << "487 INVITE")
    is_gone(a)
    a.phone >> a.answer(arrived, 487)
    a.phone << "ACK"


def test_cancel_of_the_one_who_was_given_way(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = give_way(scene, a, b)
    a.phone >> a.answer(arrived, 100)
    b.phone >> b.cancel()
    b.phone << "200 CANCEL"
    a.phone >> a.answer(a.phone << "CANCEL", 200)
    a.phone >> a.answer(arrived, 487)
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "487 INVITE")
    scene.advance(1.1)
    assert renderings(a.phone) == renderings(b.phone) == ("yes", "yes")
    b.version, b._direction = 1, "sendrecv"
    hold(a, b)
    hang_up(a, b)


# ---- both at once


@pytest.mark.row(8)
@pytest.mark.bug("linphone-android 2222")
def test_both_hold_at_once(make_scene: MakeScene) -> None:
    """One glare, then inactive both ways; the first resume leaves it held by the other (linphone-android 2222)."""
    scene = make_scene(rule=late(0.05))
    net = scene.network

    def travel() -> None:
        net.advance(0.1)

    # Set up with a network that takes its time: every line below is one hop of 50 ms.
    net.rule = late(0.0)
    a, b = watched_call(scene)
    net.rule = late(0.05)
    challenges = []
    for call in (a, b):
        call.phone >> call.offer("sendonly")
    travel()
    for call in (a, b):
        challenges.append(call.phone << "407 INVITE")
        call.phone >> call.ack(challenges[-1])
    for call, challenge in zip((a, b), challenges, strict=True):
        call.phone >> call.with_credentials(challenge)
    travel()
    # Communication Manager saw A's first: B's gets 491, and so B answers A's, its own being open.
    first_at_b, refusal_at_b = sorted((b.phone.inbox.popleft() for _ in range(len(b.phone.inbox))), key=_is_final)[-2:]
    assert (first_at_b.cseq_method, getattr(refusal_at_b, "status", 0)) == ("INVITE", 491)
    b.phone >> b.ack(refusal_at_b)
    b.phone >> b.answer(first_at_b, 491)
    travel()
    b.phone << "ACK"
    # B, which did not make that Call-ID, waits the shorter time and comes back first.
    net.advance(1.0)
    b.phone >> b.offer("sendonly")
    travel()
    challenge = b.phone << "407 INVITE"
    b.phone >> b.ack(challenge)
    b.phone >> b.with_credentials(challenge)
    travel()
    a.phone >> a.ack(a.phone << "491 INVITE")
    travel()
    arrived = a.phone << "INVITE a=sendonly"
    a.version, a._direction = 1, "sendrecv"
    a.phone >> a.answer(arrived, 200, a.sdp("recvonly"))
    travel()
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "200 INVITE a=recvonly")
    # A, which made its Call-ID, comes back after 2.1 to 4 s and holds too.
    net.advance(2.5)
    net.rule = late(0.0)
    send_offer(a, a.sdp("inactive"))
    arrived = b.phone << "INVITE a=inactive"
    complete(b, arrived, a, "inactive")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "no")
    send_offer(a, a.sdp("recvonly"))
    arrived = b.phone << "INVITE a=recvonly"
    complete(b, arrived, a, "sendonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("", "no")
    resume(b, a)
    hang_up(a, b)


def _is_final(message: Message) -> int:
    """Requests first, then final responses; provisional ones before both."""
    status = getattr(message, "status", 0)
    return -1 if 0 < status < 200 else status
