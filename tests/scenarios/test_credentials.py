"""The digest itself: what is offered, which credentials pass, and what never crosses from one leg to the other."""

from __future__ import annotations

import re

import pytest

from b2bua.sip.digest import parse_challenge
from b2bua.sip.digest_algorithms import by_strength
from b2bua.sip.message import Message
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    invite,
    send_offer,
    talk,
)
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone


def stale(message: Message) -> bool:
    return parse_challenge(message.get("Proxy-Authenticate") or message.get("WWW-Authenticate") or "").stale


# ---- the digest


def test_one_challenge_md5_auth(scene: Scene) -> None:
    """Several phones break on SHA-256: it is not offered."""
    alice = scene.phone("6001", registered=False)
    alice >> register_text(alice, 1)
    challenge = alice << "401 REGISTER"
    (value,) = challenge.get_all("WWW-Authenticate")
    read = parse_challenge(value)
    assert (read.realm, read.algorithm, read.qop, read.stale) == ("example.com", "MD5", ("auth",), False)


def test_nc_inside_the_window_passes_out_of_order_and_once(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    alice >> register_text(alice, 1)
    challenge = alice << "401 REGISTER"
    for cseq, nc in ((2, 1), (3, 3), (4, 2)):
        alice >> register_text(alice, cseq, alice.credentials(challenge, "REGISTER", "sip:example.com", nc=nc))
        alice << "200 REGISTER"
    alice >> register_text(alice, 5, alice.credentials(challenge, "REGISTER", "sip:example.com", nc=2))
    assert stale(alice << "401 REGISTER")


def test_identical_copy_by_another_path_passes_and_is_refused_as_merged(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    copy = re.sub(r"branch=[^;\r]+", "branch=z9hG4bK-other-path", a.again(), count=1)
    alice >> copy
    refusal = alice << "482 INVITE"
    ack = re.sub(r"branch=[^;\r]+", "branch=z9hG4bK-other-path", a.ack(refusal), count=1)
    alice >> ack
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


@pytest.mark.parametrize("uri", ["sip:example.com", "sip:somebody@example.com", "sip:192.0.2.1:5060", "sip:x@192.0.2.1"])
def test_digest_uri_need_not_equal_the_request_uri(scene: Scene, uri: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.invite(a.sdp(), alice.credentials(challenge, "INVITE", uri))
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_digest_uri_of_another_host_is_refused(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.invite(a.sdp(), alice.credentials(challenge, "INVITE", "sip:6002@example.net"))
    alice >> a.ack(alice << "400 INVITE")
    bob.hears_nothing()


def test_strict_digest_uri_demands_equality(make_scene: MakeScene) -> None:
    scene = make_scene(strict_digest_uri=True)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.invite(a.sdp(), alice.credentials(challenge, "INVITE", "sip:example.com"))
    alice >> a.ack(alice << "400 INVITE")


def test_wrong_password_and_unknown_user_are_answered_alike(scene: Scene) -> None:
    """The same bytes, but for what is fresh in each."""
    answers = []
    for user in ("6001", "6099"):
        phone = ScriptPhone(scene.network, user, ("192.0.2.77", 5060), f"guess{user}")
        phone >> register_text(phone, 1)
        challenge = phone << "401 REGISTER"
        phone >> register_text(phone, 2, phone.credentials(challenge, "REGISTER", "sip:example.com", secret="guess"))
        text = str(phone << "401 REGISTER").replace(user, "USER")
        answers.append(re.sub(r'nonce="[^"]+"|tag=\w+5e551on|branch=[^;]+', "", text))
    assert answers[0] == answers[1]


# ---- challenges and credentials do not cross


def challenge_of(realm: str) -> str:
    return f'Proxy-Authenticate: Digest realm="{realm}", nonce="n1", algorithm=MD5, qop="auth"'


def test_a_challenge_for_our_realm_never_crosses_to_the_other_leg(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 407, "", challenge_of("example.com"))
    bob << "ACK"
    refusal = alice << "403 INVITE"
    assert not refusal.has("Proxy-Authenticate")
    alice >> a.ack(refusal)


def test_a_challenge_for_another_realm_crosses(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 407, "", challenge_of("example.com"), challenge_of("example.net"))
    bob << "ACK"
    refusal = alice << "407 INVITE"
    assert [parse_challenge(value).realm for value in refusal.get_all("Proxy-Authenticate")] == ["example.net"]
    alice >> a.ack(refusal)


def test_a_challenge_of_the_far_phone_to_a_reinvite_does_not_cross(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp("sendonly"))
    arrived = bob << "INVITE"
    bob >> b.answer(arrived, 407, "", challenge_of("example.com"))
    bob << "ACK"
    refusal = alice << "403 INVITE"
    assert not refusal.has("Proxy-Authenticate")
    alice >> a.ack(refusal)
    hang_up(a, b)


def test_credentials_for_our_realm_are_taken_out_of_all_that_goes_on(scene: Scene) -> None:
    """Out of INVITE, ACK, INFO and BYE; those of another realm go all the way: their challenge did, too."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    ours = alice.credentials(challenge, "INVITE", a.target)
    foreign = 'Proxy-Authorization: Digest username="x", realm="example.net", nonce="n", uri="sip:x", response="0"'
    alice >> a.invite(a.sdp(), ours, foreign)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.request("ACK", "", ours, cseq=answer.cseq)
    bob << "ACK"
    alice >> a.request("INFO", "", ours)
    info = bob << "INFO"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    hang_up(a, b)
    for method in ("INVITE", "ACK", "INFO"):
        for message in scene.linked("SM", "CM", method):
            assert all("example.net" in value for value in message.get_all("Proxy-Authorization"))
    assert arrived.get_all("Proxy-Authorization") == [foreign.partition(": ")[2]]
    assert not info.has("Proxy-Authorization")


# ---- SHA-256 and SHA-512-256 as an opt-in (RFC 7616, RFC 8760)


def offers(message: Message) -> list[str]:
    name = "Proxy-Authenticate" if message.has("Proxy-Authenticate") else "WWW-Authenticate"
    return [parse_challenge(value).algorithm for value in message.get_all(name)]


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5", "SHA-256", "SHA-512-256"), ("SHA-512-256",)])
def test_a_call_with_hold_by_the_strongest_that_is_offered(make_scene: MakeScene, algorithms: tuple[str, ...]) -> None:
    """The phones answer the topmost challenge."""
    scene = make_scene(digest_algorithms=algorithms)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    strongest = by_strength(algorithms)[0]
    a, b = talk(alice, bob)
    alice >> a.invite(a.sdp("sendonly"))
    challenge = alice << "407 INVITE"
    assert offers(challenge) == list(by_strength(algorithms))
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE a=sendonly"
    assert not arrived.has("Proxy-Authorization")
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    hang_up(a, b)
    assert scene.count("auth_results", "ok", strongest) == 4  # two REGISTERs, INVITE, re-INVITE


def test_one_user_is_offered_more_than_the_realm(make_scene: MakeScene) -> None:
    scene = make_scene(user_digest_algorithms={"6002": ("SHA-256", "MD5")})
    alice, bob = scene.phone("6001", registered=False), scene.phone("6002", registered=False)
    alice >> register_text(alice, 1)
    assert offers(alice << "401 REGISTER") == ["MD5"]
    bob >> register_text(bob, 1)
    assert offers(bob << "401 REGISTER") == ["SHA-256", "MD5"]
