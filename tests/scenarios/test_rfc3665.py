"""The call flows of RFC 3665 with this server in the place of theirs; each test has the flow's number.

What differs each time: Session Manager asks for credentials itself, Communication Manager stands between the two parties as a
back-to-back user agent, so that each has a dialog of its own, and a party's BYE or ACK takes the server in.
"""

from __future__ import annotations

from b2bua.sip.message import Message, Request
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    answered,
    called,
    hang_up,
    invite,
    register,
    send_offer,
    talk,
)
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.virtual_network import SERVER, VirtualNetwork

REGISTRAR = "sip:example.com"
NOWHERE = ("192.0.2.9", 5060)
"""A proxy that does not respond."""


def listed(answer: Message) -> list[str]:
    """The contacts of a 200 without their parameters."""
    return [contact.partition(";expires")[0] for contact in answer.elements("Contact")]


# ---- §2 registration


def test_2_1_successful_new_registration(scene: Scene) -> None:
    """REGISTER, 401, REGISTER with credentials, 200 that lists the Contact."""
    bob = scene.phone("6002", registered=False)
    answer = register(bob)
    assert listed(answer) == [bob.contact]
    assert answer.has("Date")
    assert [binding.uri for binding in scene.server.location.bindings("6002")] == [bob.contact.strip("<>")]


def test_2_2_update_of_contact_list(scene: Scene) -> None:
    """With credentials at once: no challenge, and the 200 lists the old Contact and the new one."""
    bob = scene.phone("6002", registered=False)
    challenge = known(bob)
    another = "<sip:6002@192.0.2.99:5060>"
    text = register_text(bob, 3, bob.credentials(challenge, "REGISTER", REGISTRAR, nc=2))
    bob >> text.replace(f"Contact: {bob.contact}", f"Contact: {another}")
    assert sorted(listed(bob << "200 REGISTER")) == sorted([bob.contact, another])


def test_2_3_request_for_current_contact_list(scene: Scene) -> None:
    """A REGISTER without Contact changes nothing and is told all."""
    bob = scene.phone("6002", registered=False)
    challenge = known(bob)
    before = scene.server.location.bindings("6002")
    text = register_text(bob, 3, bob.credentials(challenge, "REGISTER", REGISTRAR, nc=2))
    bob >> text.replace(f"Contact: {bob.contact}\r\nExpires: 3600\r\n", "")
    assert listed(bob << "200 REGISTER") == [bob.contact]
    assert scene.server.location.bindings("6002") == before


def test_2_4_cancellation_of_registration(scene: Scene) -> None:
    """Contact: * and Expires: 0: the 200 lists nothing, and nobody is reached there any more."""
    alice, bob = scene.phone("6001"), scene.phone("6002", registered=False)
    challenge = known(bob)
    text = register_text(bob, 3, bob.credentials(challenge, "REGISTER", REGISTRAR, nc=2), expires=0)
    bob >> text.replace(f"Contact: {bob.contact}", "Contact: *")
    assert listed(bob << "200 REGISTER") == []
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "480 INVITE")


def test_2_5_unsuccessful_registration(scene: Scene) -> None:
    """Credentials that are not valid: 401 again, and no binding."""
    bob = scene.phone("6002", registered=False)
    bob >> register_text(bob, 1)
    challenge = bob << "401 REGISTER"
    bob >> register_text(bob, 2, bob.credentials(challenge, "REGISTER", REGISTRAR, secret="wrong"))
    bob << "401 REGISTER"
    assert not scene.server.location.bindings("6002")


def known(phone: ScriptPhone) -> Message:
    """Register; the challenge whose nonce goes on to serve."""
    phone >> register_text(phone, 1)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, 2, phone.credentials(challenge, "REGISTER", REGISTRAR))
    phone << "200 REGISTER"
    return challenge


# ---- §3 session establishment


def test_3_1_successful_session_establishment(scene: Scene) -> None:
    """INVITE, 180, 200, ACK, BYE, 200: each once, in this order, on either leg."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.network.ladder.clear()
    a, b = talk(alice, bob)
    hang_up(b, a)
    assert seen(scene.network, "6002") == ["← INVITE", "→ 180", "→ 200", "← ACK", "→ BYE", "← 200"]
    assert seen(scene.network, "6001") == [
        "→ INVITE", "← 407", "→ ACK", "→ INVITE", "← 100", "← 180", "← 200", "→ ACK", "← BYE", "→ 200",
    ]  # fmt: skip


def seen(network: VirtualNetwork, name: str) -> list[str]:
    """What this phone sent and got: arrow, and method or status."""
    found = []
    for step in network.ladder:
        if step.message is not None and name in (step.source, step.destination):
            what = step.message.method if isinstance(step.message, Request) else step.message.status  # type: ignore[attr-defined]  # a response else
            found.append(f"{'→' if step.source == name else '←'} {what}")
    return found


def test_3_2_session_establishment_through_two_proxies(scene: Scene) -> None:
    """Theirs are two proxies, ours Session Manager twice with Communication Manager between: each hop puts its Via on top and
    takes one of Max-Forwards, both legs are record-routed, and all that follows keeps to that route. Bob ends the call."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    to_cm = [message for message in scene.linked("SM", "CM", "INVITE") if isinstance(message, Request)][-1]
    assert len(to_cm.elements("Via")) == 2 and to_cm.get("Max-Forwards") == "69" and to_cm.has("Record-Route")
    assert len(arrived.elements("Via")) == 2 and arrived.get("Max-Forwards") == "67" and arrived.has("Record-Route")
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    answered(a, b, arrived)
    assert a.routes and b.routes
    hang_up(b, a)


def test_3_3_session_with_multiple_proxy_authentication(scene: Scene) -> None:
    """Ours challenges, then one behind it for its own realm; the third INVITE has credentials for both. Of them ours stay
    here, the other's go on."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)  # F1 to F6
    theirs = 'Proxy-Authenticate: Digest realm="example.net", nonce="n2", qop="auth", algorithm=MD5'
    bob >> b.answer(arrived, 407, "", theirs)  # F7
    bob << "ACK"
    second = alice << "407 INVITE"  # F9
    assert "example.net" in (second.get("Proxy-Authenticate") or "")
    alice >> a.ack(second)
    again = a.with_credentials(second, secret="of the other realm")
    alice >> again  # F11, for their realm; ours asks anew, as its nonce serves one request
    first = alice << "407 INVITE"
    alice >> a.ack(first)
    credentials = alice.credentials(second, "INVITE", bob.aor, secret="of the other realm")
    a._sent = again.replace("Content-Type:", f"{credentials}\r\nContent-Type:")
    both = a.with_credentials(first)
    alice >> both.replace("Content-Type:", f"{credentials}\r\nContent-Type:")
    arrived = bob << "INVITE"  # F15
    assert ['realm="example.net"' in value for value in arrived.get_all("Proxy-Authorization")] == [True]
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(b, a)


def test_3_4_successful_session_with_proxy_failure(scene: Scene) -> None:
    """The phone's first proxy does not respond to seven INVITEs; ours is the second, and has never heard of them: the same
    Call-ID and From tag are no merged request."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice.server = NOWHERE
    alice >> a.invite(a.sdp())  # F1
    for interval in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0):  # F2 to F7: Timer A (RFC 3261 §17.1.1.2)
        scene.advance(interval)
        alice >> a.again()
    scene.advance(0.5)
    alice.hears_nothing()
    alice.server = SERVER
    alice >> a.invite(a.sdp())  # F8
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    answered(a, b, arrived)
    hang_up(b, a)


def test_3_5_session_through_a_sip_alg(scene: Scene) -> None:
    """The way there is a Route that the phone had before, and the credentials come along: no challenge. Ours stands between
    the legs as theirs does; it leaves the media where they are."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    probe = ScriptCall(alice, bob.aor)
    alice >> probe.request("OPTIONS")
    challenge = alice << "407 OPTIONS"
    a = ScriptCall(alice, bob.aor)
    a.routes = [f"<sip:{SERVER[0]}:{SERVER[1]};lr>"]
    alice >> a.invite(a.sdp(), alice.credentials(challenge, "INVITE", bob.aor))  # F1
    arrived = bob << "INVITE"  # F4
    assert not arrived.has("Route")
    b = ScriptCall.of(bob, arrived)
    assert arrived.call_id != a.call_id
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    answered(a, b, arrived)
    hang_up(a, b)


def test_3_6_session_via_redirect_and_proxy_with_sdp_in_ack(scene: Scene) -> None:
    """302 with where he is now goes back to the caller, who calls there, without an offer: the offer comes in the 200, the
    answer in the ACK. Bob ends the call."""
    alice, redirect, bob = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a, r, arrived = invite(alice, redirect, "")
    redirect >> r.answer(arrived, 302, "", f"Contact: <{bob.aor}>")
    redirect << "ACK"
    moved = alice << "302 INVITE"
    assert moved.elements("Contact") == [f"<{bob.aor}>"]
    alice >> a.ack(moved)
    a, b, arrived = invite(alice, bob, "")
    assert not arrived.body
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    a.learn(answer)
    alice >> a.ack(answer, a.sdp())
    bob << "ACK a=sendrecv"
    hang_up(b, a)


def test_3_7_session_with_reinvite_for_an_address_change(scene: Scene) -> None:
    """Bob moves: his re-INVITE has another Contact and another c= line. The other side hears of the media, and his next
    request comes to the new place."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bob.address = bob.listening = ("192.0.2.212", 5060)
    bob.network.attach(bob, bob.address)
    bob.contact = "<sip:6002@192.0.2.212:5060>"
    b.media, b.version = "IN IP4 192.0.2.212", b.version + 1
    send_offer(b, b.sdp())  # F9
    arrived = alice << "INVITE"
    assert b"c=IN IP4 192.0.2.212" in arrived.body
    alice >> a.answer(arrived, 200, a.sdp())  # F10
    alice << "ACK"
    bob >> b.ack(bob << "200 INVITE")  # F11
    alice >> a.request("BYE")  # F12
    alice << "200 BYE"
    bye = bob << "BYE"
    assert isinstance(bye, Request) and bye.uri == "sip:6002@192.0.2.212:5060"
    bob >> b.answer(bye, 200)


def test_3_8_unsuccessful_no_answer(scene: Scene) -> None:
    """CANCEL is answered on each hop by itself. Communication Manager is the caller's user agent server, so its 487 does not
    wait for Bob's (RFC 3261 §9.2)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()  # F9
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")  # F19
    bob >> b.answer(bob << "CANCEL", 200)  # F13
    bob >> b.answer(arrived, 487)  # F15
    bob << "ACK"


def test_3_9_unsuccessful_busy(scene: Scene) -> None:
    """486, acknowledged hop by hop."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 486)
    ack = bob << "ACK"
    assert ack.top_via.branch == arrived.top_via.branch
    alice >> a.ack(alice << "486 INVITE")


def test_3_10_unsuccessful_no_response_from_user_agent(make_scene: MakeScene) -> None:
    """Seven INVITEs in 32 seconds, then the end. Theirs says 480; 408 is what RFC 3261 §16.8 wants of a proxy."""
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    scene.network.detach(bob.address)
    bob << "INVITE"
    scene.advance(TIMEOUT)
    tried = [step for step in scene.network.ladder if str(step.message).startswith(f"INVITE {bob.contact[1:-1]}")]
    assert len(tried) == 7, scene.network.text()
    alice >> a.ack(alice << "408 INVITE")


def test_3_11_unsuccessful_temporarily_unavailable(scene: Scene) -> None:
    """180, and then 480 all the same."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    bob >> b.answer(arrived, 480)
    bob << "ACK"
    alice >> a.ack(alice << "480 INVITE")


