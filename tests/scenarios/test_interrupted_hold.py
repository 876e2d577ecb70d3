"""Holds that are cancelled, overtaken by BYE, or never acknowledged."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import (
    TIMEOUT,
    Scene,
    as_it_was,
    hang_up,
    hold,
    idle,
    is_gone,
    lamps_are_back,
    pending_hold,
    renderings,
    resume,
    send_offer,
    watched_call,
)
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.virtual_network import perfect

# ---- CANCEL of a re-INVITE


@pytest.mark.row(6)
def test_cancel_is_passed_on_once_the_far_phone_has_answered_anything(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone.hears_nothing()
    a.phone.hears_nothing()
    b.phone >> b.answer(arrived, 100)
    cancel = b.phone << "CANCEL"
    assert cancel.cseq == arrived.cseq
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    lamps_are_back(scene, a, b)
    as_it_was(a)
    hold(a, b)
    hang_up(a, b)


def test_cancel_carries_its_reason(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel('Reason: SIP;cause=200;text="never mind"')
    a.phone << "200 CANCEL"
    cancel = b.phone << "CANCEL"
    assert cancel.get("Reason") == 'SIP;cause=200;text="never mind"'
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    hang_up(a, b)


@pytest.mark.row(6)
def test_cancel_that_crosses_with_the_2xx(scene: Scene) -> None:
    """2xx to A, ACK to B: the hold stands (RFC 6141 §3.8)."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    b.phone >> b.answer(cancel, 200)
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(6)
@pytest.mark.parametrize("said_100", [True, False])
def test_cancel_without_a_final_answer_in_32_seconds(scene: Scene, said_100: bool) -> None:
    """487 to A; and the call ends as with 408."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    if said_100:
        b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    if said_100:
        b.phone >> b.answer(b.phone << "CANCEL", 200)
    scene.advance(TIMEOUT)
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(a)
    is_gone(b)
    idle(scene, a, b)


def test_cancel_that_comes_too_late(scene: Scene) -> None:
    """200 to it, and nothing else: the hold was answered."""
    a, b = watched_call(scene)
    hold(a, b)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)


def test_cancel_of_nothing_is_481(scene: Scene) -> None:
    a, b = watched_call(scene)
    sent = a._sent
    a._sent = sent.replace("branch=", "branch=z9hG4bKother", 1)
    a.phone >> a.cancel()
    a.phone << "481 CANCEL"
    hang_up(a, b)


# ---- BYE, INFO, REFER during a pending hold


@pytest.mark.row(7)
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_bye_of_the_holder_wins(scene: Scene, holder_is_caller: bool) -> None:
    """200 to it, 487 to the open INVITE, BYE to the other leg, all at once."""
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    call.phone >> call.request("BYE", "", "Reason: Q.850;cause=16")
    call.phone << "200 BYE"
    call.phone >> call.ack(call.phone << "487 INVITE")
    bye = far.phone << "BYE"
    assert bye.get("Reason") == "Q.850;cause=16"
    far.phone >> far.answer(arrived, 487)
    far.phone << "ACK"
    far.phone >> far.answer(bye, 200)
    idle(scene, *calls)


@pytest.mark.row(7)
@pytest.mark.parametrize("holder_is_caller", [True, False])
@pytest.mark.parametrize("holder_hangs_up", [True, False])
def test_bye_after_an_answer_that_was_lost(scene: Scene, holder_is_caller: bool, holder_hangs_up: bool) -> None:
    """The 200 is repeated until its ACK, whoever has hung up meanwhile (RFC 3261 §13.3.1.4): every INVITE has its answer."""
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    branch = f"branch=z9hG4bK-{call.phone.name}".encode()
    scene.network.rule = lambda index, data: () if data.startswith(b"SIP/2.0 200") and branch in data else (0.0,)
    far.phone >> far.answer(arrived, 200, far.sdp("recvonly"))
    far.phone << "ACK"
    scene.network.rule = perfect
    hang_up(*((call, far) if holder_hangs_up else (far, call)))
    scene.advance(0.6)
    call.phone >> call.ack(call.phone << "200 INVITE a=recvonly")
    idle(scene, *calls)


def test_a_second_bye_after_an_answer_that_was_lost(scene: Scene) -> None:
    """The leg is kept for the ACK of its 2xx alone: the dialog is over (RFC 3261 §15.1.2)."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    answer = a.phone << "200 INVITE a=recvonly"
    hang_up(a, b)
    a.phone >> a.request("BYE")
    a.phone << "481 BYE"
    a.phone >> a.ack(answer)


def test_bye_in_place_of_an_ack(scene: Scene) -> None:
    """Whoever hangs up and acknowledges nothing hears the 200 for 64·T1, and no BYE behind it."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 INVITE a=recvonly"
    hang_up(a, b)
    idle(scene, a, b)
    scene.advance(TIMEOUT)
    a.phone.hears_nothing()


@pytest.mark.row(7)
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_bye_of_the_far_phone_wins(scene: Scene, holder_is_caller: bool) -> None:
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    far.phone >> far.request("BYE")
    far.phone << "200 BYE"
    call.phone >> call.ack(call.phone << "487 INVITE")
    is_gone(call)
    far.phone >> far.answer(arrived, 487)
    far.phone << "ACK"
    idle(scene, *calls)


def test_bye_of_the_holder_crosses_with_the_2xx(scene: Scene) -> None:
    """RFC 5407 §3.2.3: the 2xx that comes after is acknowledged, and nothing more happens."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    bye = b.phone << "BYE"
    b.phone << "ACK"
    b.phone >> b.answer(bye, 200)
    idle(scene, a, b)


def test_bye_of_the_far_phone_after_its_2xx(scene: Scene) -> None:
    """RFC 5407 §3.2.4: BYE right behind the 2xx, before the holder's ACK came."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    answer = a.phone << "200 INVITE"
    bye = a.phone << "BYE"
    a.phone >> a.ack(answer)
    a.phone >> a.answer(bye, 200)
    idle(scene, a, b)


@pytest.mark.row(7)
@pytest.mark.parametrize("answer", [200, 481])
def test_byes_that_cross_during_a_hold(scene: Scene, answer: int) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    bye = b.phone << "BYE"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    b.phone >> b.answer(bye, answer)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    idle(scene, a, b)


def test_info_passes_during_a_hold(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    for call, far in ((a, b), (b, a)):
        call.phone >> call.request("INFO")
        info = far.phone << "INFO"
        far.phone >> far.answer(info, 200)
        call.phone << "200 INFO"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    hang_up(a, b)


def together(scene: Scene, *sent: tuple[ScriptPhone, str]) -> None:
    """All of these are on their way before anybody hears of the first."""
    for phone, text in sent:
        scene.network.send(text.encode(), phone.address, phone.server)
    scene.network.run()


def heard(phone: ScriptPhone) -> dict[str, Message]:
    """All that waits here but 100s, by status and method: each but once."""
    found = {}
    while phone.inbox:
        message = phone.inbox.popleft()
        name = f"{getattr(message, 'status', '')} {message.cseq_method}".strip()
        assert name not in found, name
        found[name] = message
    found.pop("100 INVITE", None)
    return found


@pytest.mark.row(7)
@pytest.mark.parametrize("said_100", [True, False])
@pytest.mark.parametrize("cancel_first", [True, False])
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_cancel_and_bye_of_the_holder_together(
    scene: Scene, holder_is_caller: bool, cancel_first: bool, said_100: bool
) -> None:
    """200 to each, one 487, and BYE wins: the far phone hears BYE at once, whatever becomes of the hold. Its 487 changes
    nothing more."""
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    if said_100:
        far.phone >> far.answer(arrived, 100)
    sent = [(call.phone, call.cancel()), (call.phone, call.request("BYE"))]
    together(scene, *(sent if cancel_first else sent[::-1]))
    answers = heard(call.phone)
    assert set(answers) == {"200 CANCEL", "200 BYE", "487 INVITE"}
    call.phone >> call.ack(answers["487 INVITE"])
    if said_100 and cancel_first:
        far.phone >> far.answer(far.phone << "CANCEL", 200)
    is_gone(far)
    far.phone >> far.answer(arrived, 487)
    far.phone << "ACK"
    idle(scene, call, far)


@pytest.mark.row(7)
@pytest.mark.parametrize("cancel_first", [True, False])
def test_cancel_of_the_holder_crosses_the_bye_of_the_far_phone(scene: Scene, cancel_first: bool) -> None:
    """487 either way, once, and the holder hears BYE at once."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    sent = [(a.phone, a.cancel()), (b.phone, b.request("BYE"))]
    together(scene, *(sent if cancel_first else sent[::-1]))
    answers = heard(a.phone)
    assert set(answers) == {"200 CANCEL", "487 INVITE", "BYE"}
    a.phone >> a.ack(answers["487 INVITE"])
    a.phone >> a.answer(answers["BYE"], 200)
    answers = heard(b.phone)
    assert set(answers) == ({"200 BYE", "CANCEL"} if cancel_first else {"200 BYE"})
    if cancel_first:
        b.phone >> b.answer(answers["CANCEL"], 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    idle(scene, a, b)


@pytest.mark.row(7)
def test_refer_during_a_hold_is_refused_and_the_hold_goes_on(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.request("REFER", "", "Refer-To: <sip:6003@example.com>")
    challenge = b.phone << "407 REFER"
    credentials = b.phone.credentials(challenge, "REFER", b.target)
    b.phone >> b.request("REFER", "", "Refer-To: <sip:6003@example.com>", credentials)
    assert "INVITE" in ((b.phone << "405 REFER").get("Allow") or "")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    hang_up(a, b)


# ---- the ACK


def test_2xx_without_ack_is_repeated_and_then_the_call_ends(scene: Scene) -> None:
    """RFC 3261 §13.3.1.4, whatever the transport: T1 doubling to T2 until 64·T1, then BYE to both."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    began = scene.now()
    a.phone << "200 INVITE a=recvonly"
    scene.wait(a.phone, TIMEOUT)
    times = [round(time - began, 1) for time, message in a.phone.repeated]
    assert [abs(time - due) < 0.4 for time, due in zip(times, (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5), strict=False)] == [True] * 7
    is_gone(a)
    is_gone(b)
    idle(scene, a, b)


def test_ack_after_a_repeated_2xx_stops_it(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    answer = a.phone << "200 INVITE"
    scene.advance(1)
    assert len(a.phone.repeated) == 1
    a.phone >> a.ack(answer)
    scene.advance(TIMEOUT)
    assert len(a.phone.repeated) == 1
    resume(a, b)
    hang_up(a, b)


def test_kept_ack_is_repeated_for_every_repeated_2xx(scene: Scene) -> None:
    """The far phone lost CM's ACK: it repeats its 2xx, CM its ACK; the holder hears of it once."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    answer = b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone >> answer
    first = b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    for _ in range(3):
        scene.advance(0.5)
        b.phone >> answer
        again = b.phone << "ACK"
        assert (again.cseq, again.to.tag, again.body) == (first.cseq, first.to.tag, first.body)
    a.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)


def test_offerless_reinvite_whose_ack_never_comes(scene: Scene) -> None:
    """After 64·T1 ACK and BYE to both: the far phone's 2xx must not stay unacknowledged."""
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp())
    a.phone << "200 INVITE"
    b.phone.hears_nothing()
    scene.advance(TIMEOUT)
    b.phone << "ACK"
    is_gone(a)
    is_gone(b)
    idle(scene, a, b)


def test_bye_instead_of_the_ack_of_an_offerless_reinvite(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp())
    a.phone << "200 INVITE"
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    b.phone << "ACK"
    is_gone(b)
    idle(scene, a, b)
