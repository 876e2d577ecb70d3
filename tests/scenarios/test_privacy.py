"""What a caller does not want to be told of it (RFC 3323, RFC 3325), and what is told all the same where that is due."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.scene import MakeScene, Scene, answered, called, hang_up, hold, watch
from tests.scenarios.script_call import ScriptCall

NAMELESS = "<sip:anonymous@anonymous.invalid>"


def ring(scene: Scene, *lines: str, sender: str = "") -> tuple[ScriptCall, ScriptCall, Message]:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    if sender:
        a.local = sender
    alice >> a.invite(a.sdp(), *lines)
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    return a, ScriptCall.of(bob, arrived), arrived


def document(scene: Scene, watcher: str, watched: str) -> str:
    """The newest document that this user gets about that one."""
    phones = {phone.name: phone for phone in scene.phones}
    scene.advance(3)
    watch(phones[watcher], phones[watched])
    return str(phones[watcher].notified[-1].body)


def test_user_privacy_takes_the_name_and_what_tells_of_the_user(scene: Scene) -> None:
    told = ("Subject: home", "Organization: Example", "Call-Info: <https://example.com>", "Reply-To: <sip:6001@example.com>")
    a, b, arrived = ring(scene, "Privacy: user;header", *told)
    assert str(arrived.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert not {"Subject", "Organization", "Call-Info", "Reply-To", "Privacy"} & set(arrived.names)
    assert b"6001" not in arrived.encode()
    answered(a, b, arrived)
    text = document(scene, "6002", "6002")
    assert "anonymous.invalid" in text and "6001" not in text
    assert "6002@" in document(scene, "6001", "6001")  # who hides knows whom it called
    hold(a, b)
    hang_up(b, a)


def test_without_it_everything_is_told(scene: Scene) -> None:
    a, b, arrived = ring(scene, "Subject: home")
    assert arrived.get("Subject") == "home" and arrived.from_.uri == "sip:6001@example.com"
    answered(a, b, arrived)
    assert "6001@" in document(scene, "6002", "6002")
    hang_up(a, b)


def test_none_means_that_nothing_is_touched(scene: Scene) -> None:
    a, b, arrived = ring(scene, "Privacy: none", "Subject: home")
    assert (arrived.get("Privacy"), arrived.get("Subject")) == ("none", "home")
    answered(a, b, arrived)
    hang_up(a, b)


@pytest.mark.parametrize("privacy", ["id", "id;critical"])
def test_a_phone_may_leave_its_name_out(scene: Scene, privacy: str) -> None:
    """From says nothing, the credentials everything: the application is told, the callee and who watches it are not."""
    a, b, arrived = ring(scene, f"Privacy: {privacy}", "P-Preferred-Identity: <sip:6001@example.com>", sender=NAMELESS)
    assert "P-Asserted-Identity" not in arrived.names and b"sip:6001@" not in arrived.encode()
    if scene.server.options.link == "memory":
        (sent,) = [message for message in scene.linked("SM", "CM", "INVITE") if message.has("P-Asserted-Identity")]
        assert sent.get("P-Asserted-Identity") == "<sip:6001@example.com>"
    answered(a, b, arrived)
    assert "6001" not in document(scene, "6002", "6002")
    hang_up(a, b)


def test_an_anonymous_from_without_privacy_is_somebody_else(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    a.local = NAMELESS
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    alice >> a.ack(alice << "403 INVITE")


@pytest.mark.parametrize("privacy", ["session;critical", "history;user;critical"])
def test_privacy_that_is_critical_and_cannot_be(scene: Scene, privacy: str) -> None:
    a = called(scene.phone("6001"), scene.phone("6002").aor, f"Privacy: {privacy}")
    refused = a.phone << "500 INVITE"
    assert getattr(refused, "reason", "") == f"Privacy Failure: {privacy.partition(';')[0]}"
    a.phone >> a.ack(refused)


def test_privacy_that_is_not_critical_is_given_as_far_as_it_goes(scene: Scene) -> None:
    a, b, arrived = ring(scene, "Privacy: session;user", "Proxy-Require: privacy")
    assert arrived.get("Privacy") == "session" and "Proxy-Require" not in arrived.names
    answered(a, b, arrived)
    hang_up(a, b)


def test_a_call_without_a_name_keeps_it_over_a_restart(make_scene: MakeScene) -> None:
    scene = make_scene(link="memory", records=KeptRecords())
    a, b, arrived = ring(scene, "Privacy: user")
    answered(a, b, arrived)
    scene.restart()
    bye = b.request("BYE")
    b.phone >> bye
    b.phone << "200 BYE"
    last = a.phone << "BYE"
    assert last.to.uri == "sip:6001@example.com"
    a.phone >> a.answer(last, 200)


def test_what_a_phone_asserts_in_its_answer_is_not_believed(scene: Scene) -> None:
    a, b, arrived = ring(scene)
    b.phone >> b.answer(arrived, 200, b.sdp(), "P-Asserted-Identity: <sip:6004@example.com>")
    answer = a.phone << "200 INVITE"
    assert "P-Asserted-Identity" not in answer.names
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"
    hang_up(a, b)
