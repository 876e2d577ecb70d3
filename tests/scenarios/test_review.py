"""Single sentences of the rules that no other scenario is about."""

from __future__ import annotations

import pytest

from b2bua.sip.digest import parse_challenge
from tests.scenarios.scene import Scene, hang_up, hold, invite, reinvite, send_offer, talk
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.virtual_network import SERVER


def with_hops(text: str, hops: int) -> str:
    return text.replace("Max-Forwards: 70", f"Max-Forwards: {hops}")


def authorized(phone: ScriptPhone, method: str, uri: str, *lines: str) -> str:
    """A request out of dialog with credentials."""
    call = ScriptCall(phone, uri)
    phone >> call.request(method, "", *lines)
    challenge = phone.inbox.popleft()
    return call.request(method, "", *lines, phone.credentials(challenge, method, uri))


# ---- Max-Forwards


def test_options_to_a_user_goes_no_further_than_its_hops(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    alice >> with_hops(authorized(alice, "OPTIONS", bob.aor), 0)
    alice << "483 OPTIONS"
    bob.hears_nothing()


def test_ack_without_hops_is_dropped(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    bob << "ACK"
    before = len(scene.linked("SM", "CM", "ACK"))
    alice >> with_hops(a.ack(answer), 0)
    assert len(scene.linked("SM", "CM", "ACK")) == before
    alice >> a.ack(answer)
    hang_up(a, b)


def test_hops_are_never_made_more_on_their_way_through_cm(scene: Scene) -> None:
    """Two are enough up to CM and not to the other phone; an INFO with three arrives with none left."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> with_hops(a.request("INFO"), 1)
    alice << "483 INFO"
    alice >> with_hops(a.request("INFO"), 3)
    info = bob << "INFO"
    assert info.get("Max-Forwards") == "0"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    hang_up(a, b)


# ---- in dialog is what we can prove


def test_a_token_twice_is_no_way_to_anywhere(scene: Scene) -> None:
    """With its own token as if it were the other phone's, a phone would choose where we send to."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    carol = scene.phone("6003", registered=False)
    a, b = talk(alice, bob)
    a.routes = a.routes * 2
    alice >> a.request("BYE", target=f"sip:x@{carol.address[0]}:{carol.address[1]}")
    alice << "403 BYE"
    carol.hears_nothing()
    a.routes = a.routes[:1]
    hang_up(a, b)


def test_a_token_with_another_to_tag_proves_no_other_dialog(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    tag, a.remote_tag = a.remote_tag, "another"
    alice >> a.request("BYE")
    alice << "481 BYE"
    a.remote_tag = tag
    hang_up(a, b)


def test_more_routes_of_ours_than_any_dialog_has_are_refused(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    kept, a.routes = a.routes, [*a.routes, ",".join([f"<sip:{SERVER[0]}:{SERVER[1]};lr>"] * 1000)]
    alice >> a.request("BYE")
    alice << "400 BYE"
    a.routes = kept
    hang_up(a, b)


# ---- Contact, From, identity


@pytest.mark.parametrize(("method", "status"), [("SUBSCRIBE", "403"), ("REFER", "403"), ("MESSAGE", "480")])
def test_contact_that_is_our_listener(scene: Scene, method: str, status: str) -> None:
    """Where a Contact becomes a target; a MESSAGE has none that counts (RFC 3428 §5)."""
    alice = scene.phone("6001")
    scene.phone("6002", registered=False)
    alice.contact = f"<sip:x@{SERVER[0]}:{SERVER[1]}>"
    alice >> authorized(alice, method, "sip:6002@example.com", "Event: dialog")
    alice << f"{status} {method}"


def test_more_contacts_than_a_user_may_have_are_refused_unread(scene: Scene) -> None:
    """Each is compared with each: a datagram has room for 3,000."""
    alice = scene.phone("6001", registered=False)
    own = alice.contact
    alice.contact = ", ".join(f"<sip:6001@192.0.2.11:{port}>" for port in range(5000, 5021))
    alice >> register_text(alice, 1)
    challenge = alice << "401 REGISTER"
    alice >> register_text(alice, 2, alice.credentials(challenge, "REGISTER", "sip:example.com"))
    alice << "403 REGISTER"
    alice.contact = own


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "P-Preferred-Identity"])
def test_no_phone_asserts_an_identity(scene: Scene, name: str) -> None:
    """RFC 3325 §5: out of dialog and in it. Of a MESSAGE, which passes applications, Session Manager says who it is from."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    claim = f"{name}: <sip:boss@example.com>"
    alice >> authorized(alice, "MESSAGE", bob.aor, claim)
    message = bob << "MESSAGE"
    asserted = ["<sip:6001@example.com>"] if name == "P-Asserted-Identity" else []
    assert message.get_all(name) == asserted
    bob >> ScriptCall(bob, alice.aor).answer(message, 200)
    alice << "200 MESSAGE"
    a, b = talk(alice, bob)
    alice >> a.request("INFO", "", claim)
    info = bob << "INFO"
    assert not info.has(name)
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    hang_up(a, b)


# ---- what never crosses, and what does


def test_challenge_of_another_realm_to_a_reinvite_crosses_and_so_do_its_credentials(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp("sendonly"))
    arrived = bob << "INVITE"
    theirs = 'Proxy-Authenticate: Digest realm="example.net", nonce="n1", algorithm=MD5, qop="auth"'
    bob >> b.answer(arrived, 407, "", theirs)
    bob << "ACK"
    refusal = alice << "407 INVITE"
    assert [parse_challenge(value).realm for value in refusal.get_all("Proxy-Authenticate")] == ["example.net"]
    alice >> a.ack(refusal)
    foreign = alice.credentials(refusal, "INVITE", a.target)
    alice >> a.invite(a.sdp("sendonly"), foreign)
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.invite(a.sdp("sendonly"), foreign, alice.credentials(challenge, "INVITE", a.target))
    arrived = bob << "INVITE a=sendonly"
    assert arrived.get_all("Proxy-Authorization") == [foreign.partition(": ")[2]]
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE")
    hang_up(a, b)


def test_our_challenge_by_a_phone_to_an_info_becomes_403(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    info = bob << "INFO"
    bob >> b.answer(info, 407, "", 'Proxy-Authenticate: Digest realm="example.com", nonce="n1", algorithm=MD5, qop="auth"')
    refusal = alice << "403 INFO"
    assert not refusal.has("Proxy-Authenticate")
    hang_up(a, b)


# ---- legal answers (RFC 3264 §6.1)


@pytest.mark.bug("livekit/sip 779")
@pytest.mark.parametrize(("illegal", "legal"), [("sendrecv", "recvonly"), ("sendonly", "inactive")])
def test_hold_gets_a_legal_answer_whatever_the_far_phone_says(scene: Scene, illegal: str, legal: str) -> None:
    """livekit/sip 779: some phones, and SIPp, answer the same to every offer."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    reinvite(a, b, "sendonly", illegal, legal)
    # A refresh of the held phone is its own illegal description, and is still known.
    send_offer(b, b.sdp(illegal))
    bob >> b.ack(bob << "200 INVITE a=sendonly")
    alice.hears_nothing()
    reinvite(a, b, "sendrecv", "sendrecv")
    hang_up(a, b)


def test_legal_answer_when_the_call_is_held_from_its_first_offer(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    a, b, arrived = invite(alice, bob, a.sdp("sendonly"))
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE a=recvonly"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


def test_legal_answer_in_the_ack_of_an_offerless_reinvite(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(b, a)
    send_offer(a, "")
    arrived = bob << "INVITE no-body"
    bob >> b.answer(arrived, 200, b.sdp("sendonly"))
    answer = alice << "200 INVITE a=sendonly"
    alice >> a.ack(answer, a.sdp("sendrecv"))
    bob << "ACK a=recvonly"
    hang_up(a, b)
