"""UPDATE to the phone (RFC 3311): a session refresh, or an offer; answered from its own state."""

import pytest

from b2bua.phone.call import CallState
from tests.phone.scripted_peer import Scene, description, direction


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_refresh_without_an_offer(scene):
    """200 with a Contact; nothing changes, the phone may go on to hold."""
    call = scene.established()
    scene.ask_in(call, "UPDATE", 5)
    answer = scene.one(200)
    assert (answer.get("Contact"), answer.body) == ("<sip:6001@192.0.2.10:5060>", b"")
    assert "UPDATE" in answer.get("Allow")
    assert scene.changes == []
    call.hold()
    scene.one("INVITE")


def test_a_refresh_while_the_phones_own_reinvite_is_open(scene):
    call = scene.established()
    call.hold()
    scene.one("INVITE")
    scene.ask_in(call, "UPDATE", 5)
    scene.one(200)


@pytest.mark.parametrize(("offered", "holding", "answered"), [
    ("sendrecv", False, "sendrecv"), ("sendonly", False, "recvonly"),
    ("sendrecv", True, "sendonly"), ("recvonly", True, "sendonly"),
])  # fmt: skip
def test_an_offer_is_answered_from_the_phones_own_wish(scene, offered, holding, answered):
    call = scene.established()
    if holding:
        call.hold()
        scene.reply(scene.one("INVITE"), 200, description("recvonly", 2))
        scene.one("ACK")
    scene.ask_in(call, "UPDATE", 5, description(offered, 3))
    assert direction(scene.one(200)) == answered
    assert call.session.sends is (offered == "sendrecv" and not holding)


def test_an_offer_across_the_phones_own_is_491(scene):
    call = scene.established()
    call.hold()
    hold = scene.one("INVITE")
    scene.ask_in(call, "UPDATE", 5, description("sendonly", 2))
    scene.one(491)
    scene.reply(hold, 200, description("recvonly", 2))
    scene.one("ACK")
    assert call.told


def test_an_offer_before_the_phone_answered_is_500(scene):
    scene.ask("INVITE", "incoming", 1, "", description("sendrecv"))
    scene.one(180)
    (call,) = scene.phone.calls
    scene.ask_in(call, "UPDATE", 2, description("sendonly", 2))
    assert scene.one(500).has("Retry-After")
    scene.ask_in(call, "UPDATE", 3)
    scene.one(200)


def test_an_offer_that_cannot_be_met_changes_nothing(scene):
    call = scene.established()
    scene.ask_in(call, "UPDATE", 5, description("sendrecv", 2).replace(b"RTP/AVP 0 8", b"RTP/SAVP 0 8"))
    scene.one(488)
    assert call.session.sends


def test_after_hanging_up_it_is_481(scene):
    call = scene.established()
    call.hang_up()
    scene.one("BYE")
    assert call.state is CallState.ENDING
    scene.ask_in(call, "UPDATE", 5)
    scene.one(481)
