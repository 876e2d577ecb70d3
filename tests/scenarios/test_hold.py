"""Hold and resume: the nine steps (protocol of hold through Session Manager and Communication Manager), and every way to ask.

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
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

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
    assert (to_cm.get("Via") or "").startswith("SIP/2.0/TCP sm.example.com:5060")
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
    assert sdp.without_origin(from_cm.body) == sdp.without_origin(offer.encode())
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
    assert position("407") < position("SM → CM", "INVITE sip") < five < six < eight < position(f"{far.name} → SM", "200 ", "a=recvonly")
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


def test_resume_without_a_direction_line(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(a, a.sdp("sendrecv").replace("a=sendrecv\r\n", ""))
    arrived = b.phone << "INVITE"
    assert b"a=send" not in arrived.body
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_livekit_779_sendonly_is_answered_as_the_far_phone_answers(scene: Scene) -> None:
    """The answer's direction is the far phone's: never sendrecv by ourselves, also when that phone says inactive."""
    a, b = watched_call(scene)
    reinvite(a, b, "sendonly", "inactive")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_emiago_diago_125_direction_on_the_last_line_without_crlf(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly").removesuffix("\r\n"))
    arrived = b.phone << "INVITE a=sendonly"
    assert arrived.body.endswith(b"a=sendonly")
    assert renderings(a.phone) == ("no", "")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


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


def test_resume_without_hold(scene: Scene) -> None:
    a, b = watched_call(scene)
    before = len(a.phone.notified)
    a.version += 1
    resume(a, b)
    scene.advance(1.1)
    assert len(a.phone.notified) == before
    hang_up(a, b)


def test_legacy_hold_by_address(scene: Scene) -> None:
    """`c=0.0.0.0` without a= is carried as it is; only the lamp says held. The answer follows the a= line (RFC 6337 §5.4)."""
    a, b = watched_call(scene)
    a.version += 1
    body = a.sdp("sendrecv").replace("c=IN IP4 192.0.2.200", "c=IN IP4 0.0.0.0").replace("a=sendrecv\r\n", "")
    send_offer(a, body)
    arrived = b.phone << "INVITE"
    assert sdp.without_origin(arrived.body) == sdp.without_origin(body.encode())
    assert renderings(a.phone) == ("no", "")
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    a.version += 1
    resume(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_legacy_hold_over_ipv6(scene: Scene) -> None:
    a, b = watched_call(scene)
    a.version += 1
    send_offer(a, a.sdp("sendrecv").replace("c=IN IP4 192.0.2.200", "c=IN IP6 ::"))
    assert renderings(a.phone) == ("no", "")
    arrived = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    a.version += 1
    resume(a, b)
    hang_up(a, b)


def test_direction_at_session_level(scene: Scene) -> None:
    a, b = watched_call(scene)
    body = a.sdp("sendonly").replace("a=sendonly\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n")
    send_offer(a, body)
    assert renderings(a.phone) == ("no", "")
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


VIDEO = "m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na={direction}\r\n"


@pytest.mark.parametrize(
    ("audio", "video", "port", "held"),
    [
        ("sendonly", "sendonly", 50000, True),
        ("sendonly", "inactive", 50000, True),
        ("sendonly", "sendrecv", 50000, False),
        ("sendrecv", "sendonly", 50000, False),
        ("sendonly", "sendrecv", 0, True),
    ],
)
def test_several_streams(scene: Scene, audio: str, video: str, port: int, held: bool) -> None:
    """Held is who wants no stream at all; a stream with port 0 does not count."""
    a, b = watched_call(scene)
    a.version += 1
    body = a.sdp(audio) + VIDEO.format(port=port, direction=video)
    send_offer(a, body)
    assert (renderings(a.phone) == ("no", "")) is held
    arrived = b.phone << f"INVITE a={audio} a={video}"
    answer = b.sdp("recvonly") + VIDEO.format(port=port, direction="recvonly")
    b.phone >> b.answer(arrived, 200, answer)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_streams_never_vanish(scene: Scene) -> None:
    """An offer with fewer m= lines than the session has is no offer (RFC 3264 §8): 488, and nothing has changed."""
    a, b = watched_call(scene)
    a.version += 1
    both = a.sdp() + VIDEO.format(port=50000, direction="sendrecv")
    send_offer(a, both)
    arrived = b.phone << "INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp() + VIDEO.format(port=50000, direction="sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    send_offer(a, a.sdp("sendonly"))
    refusal = a.phone << "488 INVITE"
    a.phone >> a.ack(refusal)
    b.phone.hears_nothing()
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_body_that_is_no_description(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, "this is no SDP")
    a.phone >> a.ack(a.phone << "488 INVITE")
    b.phone.hears_nothing()
    hang_up(a, b)


def test_same_version_with_another_body_counts_as_changed(scene: Scene) -> None:
    a, b = watched_call(scene)
    body = a.sdp("sendonly").replace("o=6001 7 2 ", "o=6001 7 1 ")
    send_offer(a, body)
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


def test_our_version_rises_by_one_per_change_and_leg(scene: Scene) -> None:
    """Whatever jumps the phone makes with its own."""
    a, b = watched_call(scene)
    versions = []
    for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv"), ("sendonly", "recvonly")):
        a.version += 40
        send_offer(a, a.sdp(direction))
        arrived = b.phone << "INVITE"
        versions.append(sdp.parse_origin(arrived.body).version)
        b.phone >> b.answer(arrived, 200, b.sdp(answer))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE")
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]
    hang_up(a, b)


def test_jssip_612_offerless_reinvite_goes_on_offerless(scene: Scene) -> None:
    """The far phone offers from its own state; the answer stands in the holder's ACK and reaches it in CM's (step 9)."""
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    offer = a.phone << "200 INVITE a=sendrecv"
    b.phone.hears_nothing()
    a.phone >> a.ack(offer, a.sdp("sendrecv"))
    b.phone << "ACK a=sendrecv"
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_freeswitch_1091_holder_answers_an_offerless_reinvite_with_its_hold(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(b, "")
    arrived = a.phone << "INVITE no-body"
    a.phone >> a.answer(arrived, 200, a.sdp("sendonly"))
    offer = b.phone << "200 INVITE a=sendonly"
    b.phone >> b.ack(offer, b.sdp("recvonly"))
    a.phone << "ACK a=recvonly"
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_offerless_reinvite_answered_with_a_hold_in_the_ack(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp("sendonly"))
    b.phone << "ACK a=sendonly"
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


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
