"""Off-hook reservation and feature-name URIs, Avaya-style: what was seen of such phones (protocol of the `avaya` profile)."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import answers, at
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, idle, invite, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

FEATURES = ("off_hook", "do_not_disturb", "hold", "lamps")
OFF_HOOK = ";avaya-cm-fnu=off-hook"


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


def lifts(phone: ScriptPhone) -> ScriptCall:
    """The receiver is up: 183."""
    a = called(phone, phone.aor + OFF_HOOK, body="")
    phone << "183 INVITE no-body"
    return a


def dials(first: ScriptCall, uri: str) -> ScriptCall:
    """The digits: another INVITE of the same Call-ID and From tag, its CSeq one up."""
    second = ScriptCall(first.phone, uri, first.call_id, first.tag)
    second.cseq = first.cseq
    phone = first.phone
    phone >> second.invite(second.sdp())
    challenge = phone << "407 INVITE"
    phone >> second.ack(challenge)
    phone >> second.with_credentials(challenge)
    return second


def test_the_digits_follow_and_the_first_ends_with_484(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watched = watch(alice, alice)
    scene.advance(3)
    first = lifts(alice)
    scene.advance(1.1)
    [dialog] = alice.lamp.dialogs
    assert (dialog.state, dialog.direction) == ("trying", "initiator")
    second = dials(first, bob.aor)
    alice >> first.ack(alice << "484 INVITE")
    b, arrived = at(bob)
    answers(second, b, arrived)
    scene.advance(1.1)
    assert [dialog.state for dialog in alice.lamp.dialogs] == ["confirmed"]
    hang_up(second, b)
    idle(scene, watched)


def test_the_receiver_is_put_down(scene: Scene) -> None:
    alice = scene.phone("6001")
    first = lifts(alice)
    scene.advance(5)
    alice >> first.cancel()
    alice << "200 CANCEL"
    alice >> first.ack(alice << "487 INVITE")


def test_nobody_dials(scene: Scene) -> None:
    alice = scene.phone("6001")
    first = lifts(alice)
    scene.advance(119)
    alice.hears_nothing()
    scene.advance(1.1)
    alice >> first.ack(alice << "484 INVITE")


def test_two_receivers_at_once(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    one, other = lifts(alice), lifts(bob)
    second = dials(one, bob.aor)
    alice >> one.ack(alice << "484 INVITE")
    b, arrived = at(bob)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> second.ack(alice << "486 INVITE")
    bob >> other.cancel()
    bob << "200 CANCEL"
    bob >> other.ack(bob << "487 INVITE")


def test_a_number_that_is_nobodys(scene: Scene) -> None:
    alice = scene.phone("6001")
    first = lifts(alice)
    second = dials(first, "sip:6099@example.com")
    alice >> first.ack(alice << "484 INVITE")
    alice >> second.ack(alice << "404 INVITE")


def test_somebody_elses_receiver(scene: Scene) -> None:
    alice = scene.phone("6001")
    a = called(alice, "sip:6002@example.com" + OFF_HOOK, body="")
    alice >> a.ack(alice << "403 INVITE")


@pytest.mark.parametrize(("name", "value"), [("do-not-disturb", "on"), ("Do_Not_Disturb_Off", "off")])
def test_a_feature_by_its_name(scene: Scene, name: str, value: str) -> None:
    alice = scene.phone("6001")
    a = called(alice, f"{alice.aor};avaya-cm-fnu={name}")
    alice >> a.ack(alice << "480 INVITE")
    assert scene.server.user_settings.of("6001") == {"do_not_disturb": value}


def test_a_name_that_nobody_knows_is_a_call_to_the_user(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, f"{bob.aor};avaya-cm-fnu=tea")
    b, arrived = at(bob)
    answers(a, b, arrived)
    hang_up(a, b)


def test_without_the_feature_it_is_a_call_to_oneself(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    own = called(alice, alice.aor + OFF_HOOK, body="")
    here = ScriptCall.of(alice, came := alice << "INVITE no-body")
    alice >> here.answer(came, 486)
    alice << "ACK"
    alice >> own.ack(alice << "486 INVITE")
