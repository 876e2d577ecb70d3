"""What each profile switches, and that it is off without: the table "Profiles" of b2bua/config/README.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from b2bua.session_manager.addressed_nonces import LIFETIME
from b2bua.session_manager.lenient_nonces import OPAQUE
from b2bua.sip.digest import Challenge, parse_challenge
from b2bua.sip.message import Message
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, invite, register_again, resume, subscribe_text, talk, watch
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

FORM = re.compile("[0-9a-f]{43}")
ADDRESSED = re.compile("[0-9]{10}/[0-9a-f]{32}")
ASTERISK: list[dict[str, Any]] = [{"profiles": ["asterisk"]}, {"user_profiles": {"6001": ["asterisk"], "6002": ["asterisk"]}}]
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


# ---- asterisk


def asked(phone: ScriptPhone, method: str, *lines: str, peer: str = "sip:6002@example.com") -> tuple[ScriptCall, Message]:
    """A request out of dialog that gets 401 with WWW-Authenticate and nothing else."""
    call = ScriptCall(phone, peer)
    phone >> (call.invite(call.sdp()) if method == "INVITE" else call.request(method, "", *lines))
    challenge = phone << f"401 {method}"
    if method == "INVITE":
        phone >> call.ack(challenge)
    assert challenge.has("WWW-Authenticate") and not challenge.has("Proxy-Authenticate")
    return call, challenge


def talk_as_with_asterisk(caller: ScriptPhone, callee: ScriptPhone) -> tuple[ScriptCall, ScriptCall, Message]:
    """A call that stands; its challenge."""
    a, challenge = asked(caller, "INVITE", peer=callee.aor)
    caller >> a.with_credentials(challenge)
    arrived = callee << "INVITE"
    b = ScriptCall.of(callee, arrived)
    callee >> b.answer(arrived, 200, b.sdp())
    answer = caller << "200 INVITE a=sendrecv"
    a.learn(answer)
    caller >> a.ack(answer)
    callee << "ACK"
    return a, b, challenge


def offer_at_once(call: ScriptCall, far: ScriptCall, direction: str, answer: str) -> None:
    """A re-INVITE that nobody challenges."""
    call.phone >> call.offer(direction)
    far.phone >> far.answer(far.phone << f"INVITE a={direction}", 200, far.sdp(answer))
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << f"200 INVITE a={answer}")


def test_asterisk_is_off_by_default(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    assert not ADDRESSED.fullmatch(challenge_of(refused(alice, 1)).nonce)
    alice >> register_text(alice, 2, alice.credentials(refused(alice, 2), "REGISTER", "sip:example.com"), expires=30)
    assert (alice << "423 REGISTER").get("Min-Expires") == "60"


@pytest.mark.parametrize("profile", ASTERISK)
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "REFER", "OPTIONS", "PUBLISH", "SUBSCRIBE", "REGISTER"])
def test_asterisk_challenges_with_401(make_scene: MakeScene, profile: dict[str, Any], method: str) -> None:
    alice = make_scene(**profile).phone("6001")
    _, response = asked(alice, method, *(["Event: dialog"] if method in ("PUBLISH", "SUBSCRIBE") else []), peer=alice.aor)
    challenge = challenge_of(response)
    assert ADDRESSED.fullmatch(challenge.nonce) and challenge.opaque and not challenge.stale
    assert "stale" not in (response.get("WWW-Authenticate") or "")


def test_asterisk_nonces_of_one_second_are_one_per_address(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=["asterisk"])
    alice, bob = scene.phone("6001", registered=False), scene.phone("6002", registered=False)
    first, second, other = (challenge_of(refused(phone, cseq)) for phone, cseq in ((alice, 1), (alice, 2), (bob, 1)))
    assert first.nonce == second.nonce != other.nonce and first.opaque != second.opaque
    assert int(first.nonce.partition("/")[0]) == int(scene.network.clock.wall())
    scene.advance(1)
    assert challenge_of(refused(alice, 3)).nonce != first.nonce


@pytest.mark.parametrize("profile", ASTERISK)
def test_asterisk_nonces_serve_for_32_s_with_any_nc(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    scene = make_scene(**profile)
    alice = scene.phone("6001", registered=False)
    old = refused(alice, 1)
    for cseq, nc in ((2, 1), (3, 1), (4, 7)):
        alice >> register_text(alice, cseq, alice.credentials(old, "REGISTER", "sip:example.com", nc=nc))
        alice << "200 REGISTER"
    scene.advance(LIFETIME + 1)
    late = refused(alice, 5, alice.credentials(old, "REGISTER", "sip:example.com", nc=8))
    assert challenge_of(late).stale
    alice >> register_text(alice, 6, alice.credentials(late, "REGISTER", "sip:example.com"))
    alice << "200 REGISTER"


def test_asterisk_a_nonce_is_good_at_the_address_that_it_went_to(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=["asterisk"])
    here, there = scene.phone("6001", registered=False), scene.phone("6001", device=1, registered=False)
    challenge = refused(here, 1)
    assert challenge_of(refused(there, 1, there.credentials(challenge, "REGISTER", "sip:example.com"))).stale


def test_asterisk_after_a_restart_nonces_are_stale_and_a_wrong_password_never_is(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=["asterisk"])
    alice = scene.phone("6001", registered=False)
    old = refused(alice, 1)
    wrong = alice.credentials(old, "REGISTER", "sip:example.com", secret="wrong")
    assert not challenge_of(refused(alice, 2, wrong)).stale
    scene.restart()
    assert not challenge_of(refused(alice, 3, wrong)).stale
    assert challenge_of(refused(alice, 4, alice.credentials(old, "REGISTER", "sip:example.com"))).stale


def test_asterisk_nonces_of_one_user_are_nobody_elses(make_scene: MakeScene) -> None:
    scene = make_scene(user_profiles={"6001": ["asterisk"]})
    alice, bob = scene.phone("6001", registered=False), scene.phone("6002", registered=False)
    strict = challenge_of(refused(bob, 1, bob.credentials(refused(alice, 1), "REGISTER", "sip:example.com")))
    assert strict.stale and not ADDRESSED.fullmatch(strict.nonce)


@pytest.mark.parametrize("profile", ASTERISK)
def test_asterisk_challenges_nothing_in_a_dialog(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    """Hold by either side, and the refresh of a subscription."""
    scene = make_scene(**profile)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    lamp = watch(alice, alice)
    a, b, _ = talk_as_with_asterisk(alice, bob)
    for near, far in ((a, b), (b, a)):
        offer_at_once(near, far, "sendonly", "recvonly")
        offer_at_once(near, far, "sendrecv", "sendrecv")
    alice >> subscribe_text(alice, lamp.target, dialog=lamp)
    alice << "200 SUBSCRIBE"
    hang_up(a, b)


def test_asterisk_of_others_a_refresh_is_challenged(make_scene: MakeScene) -> None:
    """Who claims to be a user with the profile does not get at another's subscription."""
    scene = make_scene(user_profiles={"6001": ["asterisk"]})
    bob = scene.phone("6002")
    lamp = watch(bob, bob)
    bob >> subscribe_text(bob, lamp.target, dialog=lamp).replace("From: <sip:6002@", "From: <sip:6001@")
    bob << "403 SUBSCRIBE"


def test_asterisk_rows_of_challenge_stand_above(make_scene: MakeScene) -> None:
    """What Asterisk never does may be tried all the same, with its nonces."""
    scene = make_scene(profiles=["asterisk"], challenge={"re-INVITE": "407"}, user_challenge={"6001": {"BYE": "401"}})
    a, b, first = talk_as_with_asterisk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    a.phone >> a.request("BYE")
    challenge = a.phone << "401 BYE"
    assert challenge_of(challenge).nonce.partition("/")[0] == challenge_of(first).nonce.partition("/")[0]
    a.phone >> a.request("BYE", "", a.phone.credentials(challenge, "BYE", a.target))
    a.phone << "200 BYE"
    b.phone >> b.answer(b.phone << "BYE", 200)


@pytest.mark.parametrize("profile", ASTERISK)
def test_asterisk_lengthens_what_is_too_brief(make_scene: MakeScene, profile: dict[str, Any]) -> None:
    alice = make_scene(**profile).phone("6001", registered=False)
    alice >> register_text(alice, 2, alice.credentials(refused(alice, 1), "REGISTER", "sip:example.com"), expires=30)
    assert "expires=60" in ((alice << "200 REGISTER").get("Contact") or "")


def test_asterisk_lamps(make_scene: MakeScene) -> None:
    """Both parties of a call, watched: the caller is busy at once, and on hold is who is held."""
    scene = make_scene(user_profiles={"6004": ["asterisk"]})
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    watch(key, alice)
    watch(key, bob)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.advance(1.1)
    assert [newest(key, user) for user in ("6001", "6002")] == [("confirmed", "", ""), ("early", "recipient", "")]
    ringing = next(body for body in reversed(bodies(key)) if b"early" in body)
    assert b"call-id" not in ringing and b"tag" not in ringing and b"sip:6001@example.com</identity>" in ringing
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hold(a, b)
    scene.advance(1.1)
    assert [newest(key, user) for user in ("6001", "6002")] == [("confirmed", "", ""), ("confirmed", "", "no")]
    assert any(b'pname="+sip.rendering" pvalue="no"' in body for body in bodies(key))
    resume(a, b)
    scene.advance(1.1)
    assert newest(key, "6002") == ("confirmed", "", "")
    hang_up(a, b)
    scene.advance(2.2)
    assert [newest(key, user) for user in ("6001", "6002")] == [("terminated", "", "")] * 2


def bodies(key: ScriptPhone) -> list[bytes]:
    return [request.body for request in key.notified]


def newest(key: ScriptPhone, user: str) -> tuple[str, str, str]:
    """State, direction and local rendering of the one dialog in the newest document about a user."""
    document = next(one for one in reversed(key.documents) if one.entity == f"sip:{user}@example.com")
    (dialog,) = document.dialogs
    assert (dialog.id, document.state) == (user, "full")
    return dialog.state, dialog.direction, dialog.local.rendering


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
