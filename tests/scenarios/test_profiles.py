"""What each profile switches, and that it is off without: the table "Profiles" of README.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from b2bua.session_manager.lenient_nonces import OPAQUE
from b2bua.sip.digest import Challenge, parse_challenge
from b2bua.sip.message import Message
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, register_again, resume, talk, watch
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

FORM = re.compile("[0-9a-f]{43}")
AVAYA: list[dict[str, Any]] = [{"profiles": ["avaya"]}, {"user_profiles": {"6001": ["avaya"]}}]


def challenge_of(message: Message) -> Challenge:
    return parse_challenge(message.get("Proxy-Authenticate") or message.get("WWW-Authenticate") or "")


def refused(phone: ScriptPhone, cseq: int, *lines: str) -> Message:
    """A REGISTER that is challenged."""
    phone >> register_text(phone, cseq, *lines)
    return phone << "401 REGISTER"


def test_avaya_is_off_by_default(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    value = refused(alice, 1).get("WWW-Authenticate") or ""
    assert not FORM.fullmatch(parse_challenge(value).nonce) and "opaque" not in value and "stale" not in value


@pytest.mark.parametrize("profile", AVAYA)
def test_avaya_challenge(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    """A new nonce with each, the same opaque, never stale."""
    scene = make_scene(**profile)
    alice = scene.phone("6001", registered=False)
    first, second = (refused(alice, cseq) for cseq in (1, 2))
    assert len({challenge_of(one).nonce for one in (first, second)}) == 2
    for one in (first, second):
        challenge = challenge_of(one)
        assert FORM.fullmatch(challenge.nonce) and challenge.opaque == OPAQUE
        assert "stale=false" in (one.get("WWW-Authenticate") or "")
        assert int(challenge.nonce[:11], 16) == int(scene.network.clock.wall() * 1000)


@pytest.mark.parametrize("profile", AVAYA)
def test_avaya_old_nonces_stay_good_and_nc_counts_over_all(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    scene = make_scene(**profile)
    alice = scene.phone("6001", registered=False)
    old, new = (refused(alice, cseq) for cseq in (1, 2))
    for cseq, (challenge, nc) in enumerate([(new, 1), (old, 2), (new, 3), (old, 7), (old, 7)], 3):
        alice >> register_text(alice, cseq, alice.credentials(challenge, "REGISTER", "sip:example.com", nc=nc))
        alice << "200 REGISTER"


def test_avaya_hold_with_credentials_in_advance_passes(make_scene: MakeScene) -> None:
    """The nonce of the call's INVITE serves its re-INVITE; without credentials that is challenged."""
    scene = make_scene(profiles=["avaya"])
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    alice, bob = a.phone, b.phone
    alice >> a.invite(a.sdp("sendonly"))
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
        if direction == "sendrecv":
            alice >> a.invite(a.sdp("sendrecv"), alice.credentials(challenge, "INVITE", a.target, nc=2))
        bob >> b.answer(bob << f"INVITE a={direction}", 200, b.sdp(answer))
        bob << "ACK"
        alice >> a.ack(alice << f"200 INVITE a={answer}")
    hang_up(a, b)


def test_avaya_a_restart_makes_no_nonce_stale(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=["avaya"])
    alice = scene.phone("6001", registered=False)
    old = refused(alice, 1)
    scene.restart()
    alice >> register_text(alice, 2, alice.credentials(old, "REGISTER", "sip:example.com"))
    alice << "200 REGISTER"


def test_avaya_of_one_user_is_nobody_elses(make_scene: MakeScene) -> None:
    """A lenient nonce is worth nothing in the hands of a user without the profile."""
    scene = make_scene(user_profiles={"6001": ["avaya"]})
    alice, bob = scene.phone("6001", registered=False), scene.phone("6002", registered=False)
    lenient = refused(alice, 1)
    strict = refused(bob, 1, bob.credentials(lenient, "REGISTER", "sip:example.com"))
    assert challenge_of(strict).stale and not FORM.fullmatch(challenge_of(strict).nonce)
    bob >> register_text(bob, 2, bob.credentials(strict, "REGISTER", "sip:example.com"))
    bob << "200 REGISTER"


def test_avaya_a_wrong_password_and_no_user_get_the_same(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=["avaya"])
    texts = []
    for user in ("6001", "6999"):
        phone = scene.phone(user, registered=False)
        wrong = phone.credentials(refused(phone, 1), "REGISTER", "sip:example.com", secret="wrong")
        answer = refused(phone, 2, wrong)
        texts.append((answer.get("WWW-Authenticate") or "").replace(challenge_of(answer).nonce, ""))
    assert len(set(texts)) == 1


def test_avaya_phones_without_the_profile_go_on_as_ever(make_scene: MakeScene) -> None:
    scene = make_scene(user_profiles={"6003": ["avaya"]})
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    register_again(a.phone, 3)
    call = ScriptCall(a.phone, b.phone.aor)
    a.phone >> call.request("MESSAGE")
    assert not FORM.fullmatch(challenge_of(a.phone << "407 MESSAGE").nonce)
    hang_up(a, b)


# ---- how lamps are told


def lamps_of_two_calls(scene: Scene) -> list[bytes]:
    """The documents that 6004 gets of 6001, who holds one call and has another."""
    alice, bob, carol, key = (scene.phone(user) for user in ("6001", "6002", "6003", "6004"))
    watch(key, alice)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    hold(a, b)
    scene.advance(1.1)
    c, d = talk(carol, alice)
    scene.advance(1.1)
    documents = [request.body for request in key.notified]
    hang_up(c, d)
    resume(a, b)
    hang_up(a, b)
    return documents


def lamp_profiles(name: str) -> Any:
    return pytest.mark.parametrize("profile", [{"profiles": [name]}, {"user_profiles": {"6004": [name]}}], ids=["all", "one"])


def test_partial_is_off_by_default(scene: Scene) -> None:
    assert all(b'state="full"' in body for body in lamps_of_two_calls(scene))


@lamp_profiles("partial")
def test_partial_lamps(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    first, *others = lamps_of_two_calls(make_scene(**profile))
    assert b'state="full"' in first and others and all(b'state="partial"' in body for body in others)


def test_single_dialog_is_off_by_default(scene: Scene) -> None:
    assert lamps_of_two_calls(scene)[-1].count(b"<dialog ") == 2


@lamp_profiles("single_dialog")
def test_single_dialog_lamps(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    documents = lamps_of_two_calls(make_scene(**profile))
    assert len(documents) > 3 and all(body.count(b"<dialog ") == 1 for body in documents)


def test_pvalue_is_off_by_default(scene: Scene) -> None:
    documents = lamps_of_two_calls(scene)
    assert any(b'pval="no"' in body for body in documents) and not any(b"pvalue=" in body for body in documents)


@lamp_profiles("pvalue")
def test_pvalue_lamps(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    documents = lamps_of_two_calls(make_scene(**profile))
    assert any(b'pvalue="no"' in body for body in documents) and not any(b"pval=" in body for body in documents)
