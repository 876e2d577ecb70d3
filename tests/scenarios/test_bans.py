"""Sources that keep failing: what they and everybody else get, message by message."""

from __future__ import annotations

import re

import pytest

from b2bua.session_manager.bans import BanRule
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, register, resume, talk
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

RULE = BanRule(5, 60, 300)


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(bans=RULE)


def guess(phone: ScriptPhone, cseq: int, user: str = "", secret: str = "wrong") -> str:
    """REGISTER with a fresh nonce and a password that is guessed: what the second answer says, "" for none."""
    phone >> register_text(phone, cseq)
    if not phone.inbox:
        return ""
    challenge = phone << "401 REGISTER"
    line = phone.credentials(challenge, "REGISTER", "sip:example.com", user, secret)
    phone >> register_text(phone, cseq + 1, line)
    return str(phone << "401 REGISTER")


def ban(phone: ScriptPhone, user: str = "") -> list[str]:
    """Fail until nothing comes any more; what was answered."""
    answers = []
    for number in range(20):
        answer = guess(phone, 2 * number + 1, user)
        if not answer:
            return answers
        answers.append(answer)
    phone.fail("was never banned")
    return answers


def test_banned_for_a_while_and_no_longer(scene: Scene) -> None:
    mallory = scene.phone("6003", registered=False)
    assert len(ban(mallory)) == 5
    assert scene.count("messages_dropped", "source banned") == 1
    assert scene.count("bans", "banned") == 1
    scene.advance(299)
    mallory >> register_text(mallory, 100)
    mallory.hears_nothing()
    scene.advance(2)
    register(mallory)


def test_lifted_by_hand(scene: Scene) -> None:
    mallory = scene.phone("6003", registered=False)
    ban(mallory)
    assert scene.server.bans is not None and scene.server.bans.remove(mallory.address[0])
    register(mallory)


def test_unknown_user_and_wrong_password_are_banned_alike(make_scene: MakeScene) -> None:
    """The same number of answers, in the same bytes but for what is random or the sender's own."""
    heard = []
    for user in ("6003", "9999"):
        scene = make_scene(bans=RULE)
        mallory = scene.phone("6003", registered=False)
        answers = ban(mallory, user)
        heard.append([re.sub(r'nonce="[^"]*"|;tag=\w+', "", answer) for answer in answers])
    assert heard[0] == heard[1] and len(heard[0]) == RULE.failures


def test_others_and_their_calls_do_not_notice(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    ban(scene.phone("6003", registered=False))
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_a_standing_call_of_the_banned_source_goes_on(scene: Scene) -> None:
    """Another phone behind the same address may be guessing; new calls wait, the one that stands does not."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    # Its registration's Call-ID is known: the CSeqs go on behind it.
    for number in range(RULE.failures):
        guess(alice, 10 + 2 * number)
    alice >> ScriptCall(alice, bob.aor).invite()
    alice.hears_nothing()
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_a_to_tag_alone_is_no_way_round_a_ban(scene: Scene) -> None:
    mallory = scene.phone("6003", registered=False)
    ban(mallory)
    call = ScriptCall(mallory, "sip:6002@example.com")
    call.remote_tag = "made-up"
    mallory >> call.request("BYE")
    mallory.hears_nothing()


def test_a_banned_callee_is_still_called_and_answers(scene: Scene) -> None:
    """It asks for nothing there; its responses count for what they are."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for number in range(RULE.failures):
        guess(bob, 10 + 2 * number)
    a, b = talk(alice, bob)
    hang_up(b, a)


def test_stale_nonces_and_first_challenges_are_no_failures(make_scene: MakeScene) -> None:
    scene = make_scene(bans=BanRule(2, 60, 300), nonce_lifetime=1)
    alice = scene.phone("6001", registered=False)
    for number in range(6):
        alice >> register_text(alice, 3 * number + 1)
        challenge = alice << "401 REGISTER"
        line = alice.credentials(challenge, "REGISTER", "sip:example.com")
        scene.advance(1.5)
        alice >> register_text(alice, 3 * number + 2, line)
        assert "stale=true" in (alice << "401 REGISTER").get("WWW-Authenticate")
    register_again = register_text(alice, 99)
    alice >> register_again
    alice << "401 REGISTER"


def test_off_nobody_is_banned(make_scene: MakeScene) -> None:
    scene = make_scene()
    mallory = scene.phone("6003", registered=False)
    assert scene.server.bans is None
    assert all(guess(mallory, 2 * number + 1) for number in range(20))
