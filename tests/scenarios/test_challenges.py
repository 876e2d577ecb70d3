"""Who is challenged and when: one test a sentence of the rules."""

from __future__ import annotations

import pytest

from b2bua.session_manager.nonces import Nonces
from b2bua.sip.digest import parse_challenge
from b2bua.sip.message import Message
from tests.scenarios.options import ALLOWED
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    invite,
    reinvite,
    subscribe_text,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall


def stale(message: Message) -> bool:
    return parse_challenge(message.get("Proxy-Authenticate") or message.get("WWW-Authenticate") or "").stale


def nonce(message: Message) -> str:
    return parse_challenge(message.get("Proxy-Authenticate") or message.get("WWW-Authenticate") or "").nonce


# ---- the table


@pytest.mark.parametrize("method", ["PUBLISH", "OPTIONS", "MESSAGE", "REFER", "FROBNICATE", "UPDATE", "INFO"])
def test_out_of_dialog_407(scene: Scene, method: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    alice >> ScriptCall(alice, bob.aor).request(method)
    challenge = alice << f"407 {method}"
    assert challenge.has("Proxy-Authenticate") and not challenge.has("WWW-Authenticate")


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REGISTER"])
def test_out_of_dialog_401(scene: Scene, method: str) -> None:
    alice = scene.phone("6001", registered=False)
    alice >> ScriptCall(alice, alice.aor).request(method, "", "Event: dialog")
    challenge = alice << f"401 {method}"
    assert challenge.has("WWW-Authenticate") and not challenge.has("Proxy-Authenticate")


def test_subscribe_in_dialog_401(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = watch(alice, bob)
    alice >> subscribe_text(alice, bob.aor, dialog=call)
    challenge = alice << "401 SUBSCRIBE"
    alice >> subscribe_text(alice, bob.aor, alice.credentials(challenge, "SUBSCRIBE", bob.aor), dialog=call, expires=0)
    alice << "200 SUBSCRIBE"


def test_subscribe_that_is_only_proxied_407(scene: Scene) -> None:
    """In the dialog of a call it goes to Communication Manager: challenged as a proxy does."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("SUBSCRIBE", "", "Event: refer", "Expires: 60")
    challenge = alice << "407 SUBSCRIBE"
    alice >> a.request("SUBSCRIBE", "", "Event: refer", alice.credentials(challenge, "SUBSCRIBE", a.target))
    alice << "405 SUBSCRIBE"
    hang_up(a, b)


def test_options_to_the_server_itself_is_answered(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    answer = alice << "200 OPTIONS"
    assert answer.has("Allow") and answer.get("Allow-Events") == ALLOWED


@pytest.mark.bug("drachtio-server 190")
def test_in_dialog_bye_info_and_ack_pass(scene: Scene) -> None:
    """drachtio-server 190: a BYE that is challenged is unknown to many phones."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    info = bob << "INFO"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    alice >> a.request("UPDATE")
    alice << "200 UPDATE"
    alice >> a.request("PRACK", "", "RAck: 1 1 INVITE")
    alice << "481 PRACK"  # it acknowledges nothing
    hang_up(a, b)


def test_bye_is_challenged_where_it_is_switched_on(make_scene: MakeScene) -> None:
    scene = make_scene(challenge={"BYE": "407"})
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("BYE")
    challenge = alice << "407 BYE"
    alice >> a.request("BYE", "", alice.credentials(challenge, "BYE", a.target))
    alice << "200 BYE"
    bob >> b.answer(bob << "BYE", 200)


def test_cancel_is_never_challenged(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"


def test_unsolicited_notify_is_taken_and_goes_nowhere(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    alice >> ScriptCall(alice, bob.aor).request("NOTIFY", "", "Event: message-summary", "Subscription-State: active")
    alice << "200 NOTIFY"
    bob.hears_nothing()
    assert not bob.notified


# ---- re-INVITE: always


@pytest.mark.row(10)
@pytest.mark.bug("SIP.js 774")
def test_each_reinvite_is_challenged_with_a_fresh_nonce(scene: Scene) -> None:
    """SIP.js 774 is about phones that send no credentials then: 407 is all that they get."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    seen = set()
    for _ in range(3):
        alice >> a.offer("sendonly")
        challenge = alice << "407 INVITE"
        alice >> a.ack(challenge)
        seen.add(nonce(challenge))
        assert not stale(challenge)
    assert len(seen) == 3
    bob.hears_nothing()
    hang_up(a, b)


def test_reinvite_with_the_calls_old_nonce_in_advance_is_stale(scene: Scene) -> None:
    """Some phones authenticate in advance; without stale=true they give up silently."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    first = alice << "407 INVITE"
    alice >> a.ack(first)
    alice >> a.with_credentials(first)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    alice >> a.offer("sendonly", alice.credentials(first, "INVITE", a.target, nc=2))
    challenge = alice << "407 INVITE"
    assert stale(challenge)
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE")
    hang_up(a, b)


def test_reinvite_with_a_nonce_of_another_call_is_stale(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a, b = talk(alice, bob)
    other, c = talk(alice, carol)
    alice >> other.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> other.ack(challenge)
    alice >> a.offer("sendonly", alice.credentials(challenge, "INVITE", a.target))
    refusal = alice << "407 INVITE"
    assert stale(refusal)
    alice >> a.ack(refusal)
    hang_up(a, b)
    hang_up(other, c)


def test_reinvite_after_32_seconds_is_stale(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    scene.advance(33)
    alice >> a.with_credentials(challenge)
    late = alice << "407 INVITE"
    assert stale(late)
    alice >> a.ack(late)
    hang_up(a, b)


def test_reinvite_within_32_seconds_passes_with_any_nc(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    scene.advance(31)
    alice >> a.offer("sendonly", alice.credentials(challenge, "INVITE", a.target, nc=17))
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_nonce_serves_one_reinvite(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE")
    alice >> a.offer("sendrecv", alice.credentials(challenge, "INVITE", a.target, nc=2))
    again = alice << "407 INVITE"
    assert stale(again)
    alice >> a.ack(again)
    hang_up(a, b)


def test_nonce_of_another_node_is_stale(scene: Scene) -> None:
    """Or from before a restart: the digest is right, the key is not ours."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    foreign = Nonces(b"x" * 32, scene.network.clock.wall, 300).make(a.call_id, a.tag, a.cseq)
    challenge.replace("Proxy-Authenticate", f'Digest realm="example.com", nonce="{foreign}", qop="auth"')
    alice >> a.offer("sendonly", alice.credentials(challenge, "INVITE", a.target))
    refusal = alice << "407 INVITE"
    assert stale(refusal)
    alice >> a.ack(refusal)
    hang_up(a, b)


def test_wrong_password_is_challenged_without_stale(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge, secret="wrong")
    refusal = alice << "407 INVITE"
    assert not stale(refusal)
    alice >> a.ack(refusal)
    bob.hears_nothing()
    hang_up(a, b)


def test_after_three_right_digests_on_unusable_nonces_403(scene: Scene) -> None:
    """A phone that ignores the fresh nonces would loop for ever; the call goes on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    foreign = Nonces(b"x" * 32, scene.network.clock.wall, 300).make(a.call_id, a.tag, a.cseq)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    challenge.replace("Proxy-Authenticate", f'Digest realm="example.com", nonce="{foreign}", qop="auth"')
    for nc in (1, 2, 3):
        alice >> a.offer("sendonly", alice.credentials(challenge, "INVITE", a.target, nc=nc))
        refusal = alice << "407 INVITE"
        assert stale(refusal)
        alice >> a.ack(refusal)
    alice >> a.offer("sendonly", alice.credentials(challenge, "INVITE", a.target, nc=4))
    alice >> a.ack(alice << "403 INVITE")
    hang_up(a, b)


def test_when_needed_takes_credentials_in_advance(make_scene: MakeScene) -> None:
    scene = make_scene(reinvite="when-needed")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    for nc, direction, answer in ((1, "sendonly", "recvonly"), (2, "sendrecv", "sendrecv")):
        alice >> a.offer(direction, alice.credentials(challenge, "INVITE", a.target, nc=nc))
        arrived = bob << f"INVITE a={direction}"
        bob >> b.answer(arrived, 200, b.sdp(answer))
        bob << "ACK"
        alice >> a.ack(alice << f"200 INVITE a={answer}")
    hang_up(a, b)


def test_never_challenges_no_reinvite(make_scene: MakeScene) -> None:
    scene = make_scene(reinvite="never")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    hang_up(a, b)


@pytest.mark.row(10)
def test_reinvite_of_the_far_side_may_complete_between_challenge_and_answer(scene: Scene) -> None:
    """407 happens before Communication Manager: B's own re-INVITE goes through meanwhile, then A's."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    reinvite(b, a, "sendonly", "inactive")
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("inactive"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=inactive")
    hang_up(a, b)
