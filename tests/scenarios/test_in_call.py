"""Requests in a standing call other than re-INVITE, its end, and what does not belong to it."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Response
from tests.scenarios.scene import (
    TIMEOUT,
    Scene,
    answered,
    hang_up,
    invite,
    is_gone,
    talk,
)
from tests.scenarios.script_call import ScriptCall

# ---- in the call


def test_byes_that_cross(scene: Scene) -> None:
    """200 or 481 to each; both legs are gone (RFC 5407 §3.2.1)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bye = bob << "BYE"
    bob >> b.request("BYE")
    bob << "200 BYE"
    bob >> b.answer(bye, 481)
    alice.hears_nothing()


def test_bye_that_is_repeated(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bye = a.request("BYE")
    alice >> bye
    alice << "200 BYE"
    is_gone(b)
    alice >> bye
    assert len(alice.repeated) == 1
    bob.hears_nothing()


def test_bye_after_the_end_is_481(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(a, b)
    alice >> a.request("BYE")
    alice << "481 BYE"


def test_bye_to_a_phone_that_is_gone(scene: Scene) -> None:
    """It times out: the leg is over, the other side never hears of it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, _b = talk(alice, bob)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bob << "BYE"
    scene.advance(TIMEOUT)
    assert len(bob.repeated) == 10
    alice.hears_nothing()


def test_info_is_relayed_both_ways_with_its_body(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    for call, far in ((a, b), (b, a)):
        call.phone >> call.request("INFO", "Signal=5\r\n", "Info-Package: dtmf").replace(
            "application/sdp", "application/dtmf-relay"
        )
        info = far.phone << "INFO"
        assert info.get("Content-Type") == "application/dtmf-relay" and info.body == b"Signal=5\r\n"
        assert info.get("Info-Package") == "dtmf"
        far.phone >> far.answer(info, 469)
        call.phone << "469 INFO"
    hang_up(a, b)


def test_a_reinvite_with_another_body_offers_nothing(scene: Scene) -> None:
    """It goes on as it is. The far phone's 2xx has the offer then, the ACK the answer (RFC 3264 §4)."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    a.phone >> a.invite("hello").replace("application/sdp", "text/plain")
    challenge = a.phone << "407 INVITE"
    a.phone >> a.ack(challenge)
    a.phone >> a.with_credentials(challenge).replace("application/sdp", "text/plain")
    arrived = b.phone << "INVITE hello"
    assert arrived.get("Content-Type") == "text/plain"
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    b.phone.hears_nothing()
    a.phone >> a.ack(offer, a.sdp())
    b.phone << "ACK a=sendrecv"
    hang_up(a, b)


def test_info_in_an_early_dialog_both_ways(scene: Scene) -> None:
    """A phone may send digits while it hears the other's announcement; a 481 would be the end of its call."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 183)
    a.learn(alice << "183 INVITE")
    for call, far in ((a, b), (b, a)):
        call.phone >> call.request("INFO")
        info = far.phone << "INFO"
        far.phone >> far.answer(info, 200)
        call.phone << "200 INFO"
    answered(a, b, arrived)
    hang_up(a, b)


def test_info_before_there_is_a_dialog_with_the_other_phone(scene: Scene) -> None:
    """A 180 without a To tag makes none (RFC 3261 §12.1): try again, and the call goes on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180).replace(f";tag={b.tag}", "")
    a.learn(alice << "180 INVITE")
    alice >> a.request("INFO")
    assert (alice << "500 INFO").get("Retry-After") == "1"
    answered(a, b, arrived)
    hang_up(a, b)


def test_info_that_nobody_answers(scene: Scene) -> None:
    """No 408 to a request that is no INVITE (RFC 4320 §4.2): its sender's own timer has fired; the call goes on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    bob << "INFO"
    scene.advance(3.5)
    assert not alice.inbox  # 100 would come too early: Timer E is not yet T2 (RFC 4320 §4.1)
    scene.advance(0.1)
    alice << "100 INFO"
    scene.advance(TIMEOUT)
    alice.hears_nothing()
    hang_up(a, b)


def test_unknown_method_405(scene: Scene) -> None:
    """The proxy forwards it, the user agent behind it says what it allows."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("FROBNICATE")
    challenge = alice << "407 FROBNICATE"
    alice >> a.request("FROBNICATE", "", alice.credentials(challenge, "FROBNICATE", a.target))
    refusal = alice << "405 FROBNICATE"
    assert "INVITE" in (refusal.get("Allow") or "")
    bob.hears_nothing()
    hang_up(a, b)


def test_options_in_the_call(scene: Scene) -> None:
    """A phone's own session check: answered by Communication Manager."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("OPTIONS")
    challenge = alice << "407 OPTIONS"
    alice >> a.request("OPTIONS", "", alice.credentials(challenge, "OPTIONS", a.target))
    alice << "200 OPTIONS"
    bob.hears_nothing()
    hang_up(a, b)


def test_require_in_a_reinvite_420(scene: Scene) -> None:
    """An extension that Communication Manager does not keep its word on is refused, in dialog as before it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly", "Require: telepathy")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "telepathy"
    alice >> a.ack(refusal)
    bob.hears_nothing()
    hang_up(a, b)


def test_message_out_of_dialog_goes_to_the_user(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)
    alice >> call.request("MESSAGE", "hello")
    challenge = alice << "407 MESSAGE"
    alice >> call.request("MESSAGE", "hello", alice.credentials(challenge, "MESSAGE", bob.aor))
    message = bob << "MESSAGE hello"
    bob >> ScriptCall(bob, alice.aor).answer(message, 200)
    alice << "200 MESSAGE"


def test_stray_responses_are_dropped(scene: Scene) -> None:
    """RFC 6026 §8.9: a proxy drops a 2xx that matches no transaction."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    stray = Response(200, "OK", ["Via", "From", "To", "Call-ID", "CSeq"], [
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnever", f"From: <{alice.aor}>;tag=x", f"To: <{bob.aor}>;tag=y",
        "Call-ID: nobody", "CSeq: 1 INVITE",
    ])  # fmt: skip
    bob >> str(stray)
    assert scene.count("messages_dropped", "stray response") == 1
    hang_up(a, b)


@pytest.mark.parametrize("garbage", ["hello", "INVITE sip:x SIP/2.0\r\n\r\n", "\0" * 100, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n"])
def test_garbage_does_no_harm(scene: Scene, garbage: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> garbage
    hang_up(a, b)
