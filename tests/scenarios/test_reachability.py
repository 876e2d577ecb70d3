"""Where a phone is reached: behind NAT, after it moved, on several devices, after its registration went."""

from __future__ import annotations

from b2bua.sip.message import Request
from tests.scenarios.scene import Scene, called, hang_up, hold, register, resume, send_offer, talk
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone


def behind_nat(scene: Scene, user: str, mapped_port: int) -> ScriptPhone:
    """A phone that knows itself by a private address; the network sees another, and only that works."""
    phone = ScriptPhone(scene.network, user, ("192.0.2.50", mapped_port), user)
    phone.contact = f"<sip:{user}@10.0.0.5:5060>"
    setattr(phone, "via", lambda branch: f"Via: SIP/2.0/UDP 10.0.0.5:5060;branch={branch};rport")  # noqa: B010 - typed
    scene.phones.append(phone)
    register(phone)
    return phone


def test_callee_behind_nat(scene: Scene) -> None:
    """Reached at the address that its REGISTER came from, in the whole call; the Request-URI stays its Contact."""
    alice, bob = scene.phone("6001"), behind_nat(scene, "6002", 40001)
    a, b = talk(alice, bob)
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    hang_up(a, b)


def test_caller_behind_nat(scene: Scene) -> None:
    alice, bob = behind_nat(scene, "6001", 40001), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(b, a)
    resume(b, a)
    hold(a, b)
    resume(a, b)
    hang_up(b, a)


def test_two_phones_behind_one_nat(scene: Scene) -> None:
    """The same private address and Contact port, told apart by the port outside."""
    alice, bob = behind_nat(scene, "6001", 40001), behind_nat(scene, "6002", 40002)
    a, b = talk(alice, bob)
    hold(a, b)
    resume(a, b)
    hang_up(b, a)


def test_phone_in_the_open_moves_to_another_port(scene: Scene) -> None:
    """Its re-INVITE names a new Contact; what comes after goes there (target refresh)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.network.attach(alice, ("192.0.2.11", 5090))
    alice.contact = "<sip:6001@192.0.2.11:5090>"
    hold(a, b)
    b.version += 1
    send_offer(b, b.sdp("recvonly"))
    arrived = alice << "INVITE"
    assert isinstance(arrived, Request) and arrived.uri == "sip:6001@192.0.2.11:5090"
    alice >> a.answer(arrived, 200, a.sdp("sendonly"))
    alice << "ACK"
    bob >> b.ack(bob << "200 INVITE")
    hang_up(b, a)


def test_refused_reinvite_moves_nobody(scene: Scene) -> None:
    """The target is refreshed by a 2xx only (RFC 6141 §4)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    home, alice.contact = alice.contact, "<sip:6001@192.0.2.11:5090>"
    send_offer(a, a.sdp("sendonly"))
    arrived = bob << "INVITE"
    bob >> b.answer(arrived, 488)
    bob << "ACK"
    alice >> a.ack(alice << "488 INVITE")
    alice.contact = home
    hang_up(b, a)


def test_call_goes_on_when_the_phone_unregisters(scene: Scene) -> None:
    """In dialog Route and Request-URI decide, never the location."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bob >> register_text(bob, 3, expires=0)
    challenge = bob << "401 REGISTER"
    bob >> register_text(bob, 4, bob.credentials(challenge, "REGISTER", "sip:example.com"), expires=0)
    bob << "200 REGISTER"
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    c = called(alice, bob.aor)
    alice >> c.ack(alice << "480 INVITE")


def test_registration_that_lapses(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002", registered=False)
    bob >> register_text(bob, 1, expires=60)
    challenge = bob << "401 REGISTER"
    bob >> register_text(bob, 2, bob.credentials(challenge, "REGISTER", "sip:example.com"), expires=60)
    assert (bob << "200 REGISTER").get("Contact") == f"{bob.contact};expires=60"
    scene.advance(59)
    a, b = talk(alice, bob)
    hang_up(a, b)
    scene.advance(2)
    c = called(alice, bob.aor)
    alice >> c.ack(alice << "480 INVITE")


def test_caller_gives_up_while_two_devices_ring(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    ringing = []
    for phone in (desk, mobile):
        arrived = phone << "INVITE"
        call = ScriptCall.of(phone, arrived)
        phone >> call.answer(arrived, 180)
        ringing.append((phone, call, arrived))
    for _ in ringing:
        alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    for phone, call, arrived in ringing:
        phone >> call.answer(phone << "CANCEL", 200)
        phone >> call.answer(arrived, 487)
        phone << "ACK"


def test_phone_that_has_no_account_left_mid_call(scene: Scene) -> None:
    """A user removed while talking may still end the call; its hold is challenged and never passes."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.store.remove_user("6001")
    alice >> a.offer("sendonly")
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    alice >> a.ack(alice << "407 INVITE")
    bob.hears_nothing()
    hang_up(a, b)
