"""In dialog is what a Route token proves; and who may do what out of dialog."""

from __future__ import annotations

import pytest

from b2bua.session_manager.sequences import Position
from b2bua.sip.message import Message
from tests.scenarios.scene import (
    Scene,
    hang_up,
    hold,
    invite,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

# ---- in dialog is what we can prove


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "UPDATE", "MESSAGE"])
def test_to_tag_alone_is_not_in_dialog(scene: Scene, method: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    routes, a.routes = a.routes, []
    alice >> (a.invite(a.sdp("sendonly")) if method == "INVITE" else a.request(method))
    refusal = alice << f"481 {method}"
    if method == "INVITE":
        alice >> a.ack(refusal)
    bob.hears_nothing()
    a.routes = routes
    hang_up(a, b)


def test_token_of_another_call_opens_nothing(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a, b = talk(alice, bob)
    other, c = talk(alice, carol)
    routes, a.routes = a.routes, other.routes
    alice >> a.request("BYE")
    alice << "481 BYE"
    a.routes = routes
    hang_up(a, b)
    hang_up(other, c)


def test_token_that_was_tampered_with_opens_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    routes, a.routes = a.routes, [a.routes[0].replace("@", "x@", 1)]
    alice >> a.request("BYE")
    alice << "481 BYE"
    a.routes = routes
    hang_up(a, b)


def test_stray_ack_is_dropped(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    routes, a.routes = a.routes, []
    alice >> a.request("ACK", cseq=2)
    assert scene.count("messages_dropped", "stray ACK") == 1
    a.routes = routes
    hang_up(a, b)


def test_notify_with_a_to_tag_of_nobody_is_refused(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)
    call.remote_tag = "nobody"
    alice >> call.request("NOTIFY", "", "Event: dialog", "Subscription-State: active")
    alice << "481 NOTIFY"
    assert not bob.notified


def test_position_token_of_the_link_is_worth_nothing_from_a_phone(scene: Scene) -> None:
    """A phone that got hold of one is challenged as anybody, and passes the sequence from its beginning."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    position = scene.server.session_manager._parts.tokens.position(Position("orig", ("cm",)), "somebody's call")
    a = ScriptCall(alice, bob.aor)
    a.routes = [f"<sip:{position}@192.0.2.1:5060;lr>"]
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    assert arrived.call_id != a.call_id
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_the_token_never_appears_in_a_document(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(alice, alice)
    watch(carol, alice)
    scene.advance(1.1)
    a, b = talk(alice, bob)
    hold(a, b)
    scene.advance(1.1)
    tokens = {route.partition("sip:")[2].partition("@")[0] for route in (*a.routes, *b.routes) if "@" in route}
    assert len(tokens) == 2
    for phone in (alice, carol):
        assert len(phone.notified) > 1
        for request in phone.notified:
            assert not any(token.encode() in request.body for token in tokens)
    resume(a, b)
    hang_up(a, b)


# ---- who may do what


def authenticated(phone: ScriptPhone, method: str, uri: str, expected: str, *lines: str, user: str = "") -> Message:
    """A request out of dialog, challenged, then with the credentials of `user`."""
    call = ScriptCall(phone, uri)
    phone >> call.request(method, "", *lines)
    challenge = phone << f"{'401' if method == 'SUBSCRIBE' else '407'} {method}"
    credentials = phone.credentials(challenge, method, uri, user=user or phone.user)
    phone >> call.request(method, "", *lines, credentials)
    return phone << expected


def test_register_for_another_address_of_record_403(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    alice >> register_text(alice, 1)
    challenge = alice << "401 REGISTER"
    alice >> register_text(alice, 2, alice.credentials(challenge, "REGISTER", "sip:example.com", user="6002"))
    alice << "403 REGISTER"
    assert not scene.server.location.bindings("6001")


def test_register_whose_to_is_no_sip_uri_400(scene: Scene) -> None:
    """An address of record is a SIP or SIPS URI (RFC 3261 §10.2)."""
    alice = scene.phone("6001", registered=False)
    text = register_text(alice, 1).replace(f"To: <{alice.aor}>", "To: <isbn:9780000000002>")
    alice >> text
    challenge = alice << "401 REGISTER"
    alice >> register_text(alice, 2, alice.credentials(challenge, "REGISTER", "sip:example.com")).replace(
        f"To: <{alice.aor}>", "To: <isbn:9780000000002>"
    )
    alice << "400 REGISTER"


@pytest.mark.parametrize("method", ["MESSAGE", "REFER", "PUBLISH", "SUBSCRIBE"])
def test_from_that_is_not_the_credentials_user_403(scene: Scene, method: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    uri = bob.aor if method != "PUBLISH" else alice.aor
    authenticated(alice, method, uri, f"403 {method}", "Event: dialog", user="6003")
    bob.hears_nothing()


def test_invite_whose_from_is_not_the_credentials_user_403(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge, user="6003", secret="secret-6003")
    alice >> a.ack(alice << "403 INVITE")
    bob.hears_nothing()


def test_in_dialog_from_is_not_compared(scene: Scene) -> None:
    """A phone that answered for a colleague holds the call with its own account."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bob >> b.offer("sendonly")
    challenge = bob << "407 INVITE"
    bob >> b.ack(challenge)
    bob >> b.with_credentials(challenge, user="6003", secret="secret-6003")
    arrived = alice << "INVITE a=sendonly"
    alice >> a.answer(arrived, 200, a.sdp("recvonly"))
    alice << "ACK"
    bob >> b.ack(bob << "200 INVITE")
    hang_up(a, b)


def test_publish_for_another_address_of_record_403(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    authenticated(alice, "PUBLISH", bob.aor, "403 PUBLISH", "Event: dialog")


def test_contact_that_is_a_listener_of_ours_403(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    alice.contact = "<sip:6001@192.0.2.1:5060>"
    alice >> register_text(alice, 1)
    challenge = alice << "401 REGISTER"
    alice >> register_text(alice, 2, alice.credentials(challenge, "REGISTER", "sip:example.com"))
    alice << "403 REGISTER"


def test_invite_whose_contact_is_a_listener_of_ours_403(scene: Scene) -> None:
    """What came back for it would go round in this server."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    alice.contact = "<sip:6001@192.0.2.1>"
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    alice >> a.ack(alice << "403 INVITE")
    bob.hears_nothing()


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:6099@example.com", 404),
        ("sip:6004@example.com", 480),
        ("sip:6002@example.net", 403),
        ("sip:6002@192.0.2.99", 403),
        ("sip:6004@192.0.2.1", 480),
        ("sip:6004@192.0.2.1:5060", 480),
        ("sip:6004@192.0.2.1:5099", 403),
    ],
)
def test_where_nobody_is_called(scene: Scene, uri: str, status: int) -> None:
    """404 unknown, 480 not registered, 403 a domain that is not ours: no open relay."""
    alice = scene.phone("6001")
    a = ScriptCall(alice, uri)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    alice >> a.ack(alice << f"{status} INVITE")


# ---- a Contact that leads nowhere


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refresh_to_an_unusable_contact_is_refused(scene: Scene, method: str) -> None:
    """RFC 3261 §12.2.1.1: the target of the dialog is a SIP URI. Refused at once, not when the far side has answered."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    contact, alice.contact = alice.contact, "<sit:6001@192.0.2.11:5060>"
    if method == "INVITE":
        send_offer(a, a.sdp("sendonly"))
        alice >> a.ack(alice << "400 INVITE")
    else:
        alice >> a.request("UPDATE")
        alice << "400 UPDATE"
    bob.hears_nothing()
    alice.contact = contact
    hold(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("contact", ["<sit:6002@192.0.2.12:5060>", "*", "<sip:6002@192.0.2.12:5060"])
def test_an_answer_with_an_unusable_contact_leaves_the_target_as_it_was(scene: Scene, contact: str) -> None:
    """A 2xx cannot be refused: it is acknowledged where the request went, and the call goes on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp("sendonly"))
    arrived = bob << "INVITE a=sendonly"
    bob.contact, right = contact, bob.contact
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob.contact = right
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("contact", ["<sit:6002@192.0.2.12:5060>", "*", "<sip:6002@192.0.2.12:5060"])
def test_a_call_answered_with_an_unusable_contact_stands(scene: Scene, contact: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob.contact, right = contact, bob.contact
    bob >> b.answer(arrived, 200, b.sdp())
    bob.contact = right
    answer = alice << "200 INVITE a=sendrecv"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)
