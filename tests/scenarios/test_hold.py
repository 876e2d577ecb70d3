"""Hold and resume: the nine steps through Session Manager and Communication Manager, and who may hold when.

Named after the field: each test of a bug that others had says which.
"""

from __future__ import annotations

import pytest

from b2bua.sip import sdp
from b2bua.sip.dialog_info import parse_dialog_info
from b2bua.sip.digest import parse_challenge
from b2bua.sip.message import Message, Request
from b2bua.trace.records import Reader
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    invite,
    reinvite,
    renderings,
    resume,
    send_offer,
    watch,
    watched_call,
)
from tests.sip.origin import without_origin

AVAYA_REASON = 'Reason: avaya-action;cause=1;text="Hold"'


def one(messages: list[Message]) -> Message:
    assert len(messages) == 1, messages
    return messages[0]


@pytest.mark.parametrize("reason", ["", AVAYA_REASON, 'Reason: SIP;cause=200;text="whatever"'])
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_nine_steps(scene: Scene, reason: str, holder_is_caller: bool) -> None:
    a, b = watched_call(scene)
    holder, held = (a, b) if holder_is_caller else (b, a)
    phone, far = holder.phone, held.phone
    cseq = holder.cseq
    scene.network.ladder.clear()

    # 1: A → SM re-INVITE
    offer = holder.sdp("sendonly")
    phone >> holder.invite(offer, *([reason] if reason else []))
    # 2: SM → A 407 with a fresh nonce; A acknowledges it
    challenge = phone << "407 INVITE"
    nonce = parse_challenge(challenge.get("Proxy-Authenticate") or "").nonce
    assert nonce
    phone >> holder.ack(challenge)
    assert not scene.linked("SM", "CM", "INVITE")
    # 3: A → SM re-INVITE: CSeq one up, new branch, the same version
    phone >> holder.with_credentials(challenge)
    assert holder.cseq == cseq + 2

    # 4: SM → CM
    to_cm = one([message for message in scene.linked("SM", "CM", "INVITE") if isinstance(message, Request)])
    ours = {
        "memory": "SIP/2.0/TCP sm.example.com:5060",
        "udp": "SIP/2.0/UDP 192.0.2.1:5070",
        "tcp": "SIP/2.0/TCP 192.0.2.1:5070",
    }[scene.server.options.link]
    assert (to_cm.get("Via") or "").startswith(f"{ours};branch=")
    assert len(to_cm.elements("Via")) == 2
    assert not to_cm.has("Proxy-Authorization")
    assert to_cm.get("Max-Forwards") == "69"
    assert to_cm.has("Record-Route")
    assert to_cm.call_id == holder.call_id
    assert to_cm.body.decode() == offer
    # 5: CM → SM PUBLISH, one a party
    published = {message.to.uri: message for message in scene.linked("CM", "SM", "PUBLISH") if isinstance(message, Request)}
    assert set(published) == {"sip:6001@example.com", "sip:6002@example.com"}
    for message in published.values():
        assert message.get("Event") == "dialog"
        assert message.get("Content-Type") == "application/dialog-info+xml"
        assert message.has("SIP-If-Match") and message.integer("Expires")
    own = parse_dialog_info(published[phone.aor].body).dialogs[0]
    others = parse_dialog_info(published[far.aor].body).dialogs[0]
    assert (own.local.rendering, own.remote.rendering) == ("no", "")
    assert (others.local.rendering, others.remote.rendering) == ("", "no")
    assert (own.call_id, own.local_tag, own.remote_tag) == (holder.call_id, holder.tag, holder.remote_tag)
    # 6: CM → SM re-INVITE: the other leg's own Call-ID, tags, CSeq and o= line
    from_cm = one([message for message in scene.linked("CM", "SM", "INVITE") if isinstance(message, Request)])
    assert from_cm.call_id == held.call_id != holder.call_id
    assert (from_cm.from_.tag, from_cm.to.tag) == (held.remote_tag, held.tag)
    assert b"a=sendonly" in from_cm.body
    assert sdp.parse_origin(from_cm.body).session_id != "7"
    assert without_origin(from_cm.body) == without_origin(offer.encode())
    assert [f"Reason: {value}" for value in from_cm.get_all("Reason")] == ([reason] if reason else [])
    # 7: SM → subscribers, the holder's own phone among them
    assert renderings(phone) == ("no", "")
    assert renderings(far) == ("", "no")
    # 8: SM → B
    arrived = far << "INVITE a=sendonly"
    assert isinstance(arrived, Request)
    assert arrived.uri == far.contact.strip("<>")
    assert not arrived.has("Route")
    assert arrived.get("Max-Forwards") == "67"
    # 9: B → SM 200
    far >> held.answer(arrived, 200, held.sdp("recvonly"))
    ack_of_cm = far << "ACK no-body"
    assert ack_of_cm.cseq == arrived.cseq
    answer = phone << "200 INVITE a=recvonly"
    phone >> holder.ack(answer)

    order = [str(step) for step in scene.network.ladder]

    def position(*parts: str) -> int:
        return next(index for index, line in enumerate(order) if all(part in line for part in parts))

    five = position("CM → SM", "PUBLISH")
    six, seven, eight = position("CM → SM", "INVITE sip"), position("NOTIFY"), position(f"→ {far.name}", "INVITE")
    assert (
        position("407")
        < position("SM → CM", "INVITE sip")
        < five
        < six
        < eight
        < position(f"{far.name} → SM", "200 ", "a=recvonly")
    )
    assert five < seven
    resume(holder, held)
    scene.advance(1.1)
    assert renderings(phone) == renderings(far) == ("yes", "yes")
    hang_up(a, b)


def test_trace_numbers_the_steps(make_scene: MakeScene) -> None:
    scene = make_scene(trace=1000)
    a, b = watched_call(scene)
    hold(a, b)
    recorder = scene.server.recorder
    steps = [record["step"] for record in Reader(recorder).read(recorder.entries()) if record and "step" in record]
    assert sorted(set(steps)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert steps[:4] == [1, 2, 3, 4] and steps[-1] == 9
    resume(a, b)
    hang_up(a, b)


@pytest.mark.bug("livekit/sip 779")
def test_livekit_779_sendonly_is_answered_as_the_far_phone_answers(scene: Scene) -> None:
    """The answer's direction is the far phone's: never sendrecv by ourselves, also when that phone says inactive."""
    a, b = watched_call(scene)
    reinvite(a, b, "sendonly", "inactive")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(8)
@pytest.mark.bug("JsSIP 977")
def test_both_hold_one_after_the_other_and_the_first_resume_leaves_it_held(scene: Scene) -> None:
    """JsSIP 977: the other's resume does not cancel one's own hold. linphone-android 2222: the call goes on."""
    a, b = watched_call(scene)
    hold(a, b)
    reinvite(b, a, "sendonly", "inactive")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "no")
    reinvite(a, b, "sendrecv", "sendonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("", "no")
    assert renderings(b.phone) == ("no", "")
    reinvite(b, a, "sendrecv", "sendrecv")
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


@pytest.mark.row(9)
def test_second_holder_offers_inactive(scene: Scene) -> None:
    """A held phone that holds as well may say inactive at once: it holds too."""
    a, b = watched_call(scene)
    hold(a, b)
    reinvite(b, a, "inactive", "inactive")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "no")
    reinvite(b, a, "recvonly", "sendonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(9)
@pytest.mark.bug("pjsip 1181")
def test_pjsip_1181_double_hold_is_answered_like_the_first(scene: Scene) -> None:
    """The same hold with a higher version goes to the far phone, which answers recvonly again."""
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    before = len(a.phone.notified)
    a.version += 1
    reinvite(a, b, "sendonly", "recvonly")
    scene.advance(1.1)
    assert len(a.phone.notified) == before
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(9)
def test_same_offer_byte_for_byte_is_a_refresh(scene: Scene) -> None:
    """Answered with the last description sent on that leg; the far phone hears nothing."""
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    b.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)


def test_refresh_by_the_held_phone_leaves_the_hold(scene: Scene) -> None:
    """Its own last description is its answer to the hold: recvonly, answered sendonly as it was."""
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(b, b.sdp("recvonly"))
    b.phone >> b.ack(b.phone << "200 INVITE a=sendonly")
    a.phone.hears_nothing()
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(9)
def test_resume_without_hold(scene: Scene) -> None:
    a, b = watched_call(scene)
    before = len(a.phone.notified)
    a.version += 1
    resume(a, b)
    scene.advance(1.1)
    assert len(a.phone.notified) == before
    hang_up(a, b)


@pytest.mark.bug("FreeSWITCH 1141")
def test_freeswitch_1141_held_call_is_recovered_by_either_side(scene: Scene) -> None:
    """The holder's resume after the held phone re-INVITEd in between; both still talk."""
    a, b = watched_call(scene)
    hold(a, b)
    b.version += 1
    reinvite(b, a, "recvonly", "sendonly")
    resume(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == renderings(b.phone) == ("yes", "yes")
    hang_up(a, b)


@pytest.mark.bug("FreeSWITCH 1833")
def test_freeswitch_1833_cseq_of_each_leg_only_rises(scene: Scene) -> None:
    a, b = watched_call(scene)
    cseqs = []
    for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
        send_offer(a, a.sdp(direction))
        arrived = b.phone << "INVITE"
        cseqs.append(arrived.cseq)
        b.phone >> b.answer(arrived, 200, b.sdp(answer))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE")
    assert cseqs == sorted(set(cseqs))
    hang_up(a, b)


def test_target_is_refreshed_by_the_2xx(scene: Scene) -> None:
    """A phone that moves its Contact with a re-INVITE is reached there afterwards (RFC 3261 §12.2, RFC 6141 §4)."""
    a, b = watched_call(scene)
    a.phone.contact = "<sip:moved@192.0.2.11:5060>"
    hold(a, b)
    send_offer(b, b.sdp("recvonly") + "a=x-changed\r\n")
    arrived = a.phone << "INVITE"
    assert isinstance(arrived, Request) and arrived.uri == "sip:moved@192.0.2.11:5060"
    a.phone >> a.answer(arrived, 200, a.sdp("sendonly"))
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "200 INVITE a=sendonly")
    hang_up(a, b)


def test_hold_in_a_call_set_up_without_an_offer(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    a.learn(answer)
    alice >> a.ack(answer, a.sdp())
    bob << "ACK a=sendrecv"
    scene.advance(3)
    hold(a, b)
    assert renderings(alice) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_call_is_held_from_its_first_offer(scene: Scene) -> None:
    """The callee answers the call on hold at once."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp("sendonly"))
    answer = alice << "200 INVITE a=sendonly"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    scene.advance(3)
    assert renderings(alice) == ("", "no")
    resume(b, a)
    scene.advance(3)
    assert renderings(alice) == ("yes", "yes")
    hang_up(a, b)
