"""Who is challenged, when, with what; and what counts as in dialog. One test a sentence of the rules."""

from __future__ import annotations

import re

import pytest

from b2bua.session_manager.nonces import Nonces
from b2bua.sip.digest import parse_challenge
from b2bua.sip.message import Message
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    invite,
    reinvite,
    resume,
    send_offer,
    subscribe_text,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

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
    alice >> subscribe_text(
        alice, bob.aor, alice.credentials(challenge, "SUBSCRIBE", bob.aor), dialog=call, expires=0
    )
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
    assert answer.has("Allow") and answer.get("Allow-Events") == "dialog"


def test_in_dialog_bye_info_and_ack_pass(scene: Scene) -> None:
    """drachtio-server 190: a BYE that is challenged is unknown to many phones."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    info = bob << "INFO"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    for method in ("UPDATE", "PRACK"):
        alice >> a.request(method)
        alice << f"405 {method}"
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
    position = scene.server.session_manager._tokens.position(1)
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
    tokens = {route.partition("sip:")[2].partition("@")[0] for route in (*a.routes, *b.routes)}
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
        ("sip:6004@192.0.2.1:5070", 403),
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
    """Out of INVITE, ACK, INFO and BYE; credentials of another realm stay up to Communication Manager, which keeps them."""
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
    assert not any(message.has("Proxy-Authorization") for message in (arrived, info))
