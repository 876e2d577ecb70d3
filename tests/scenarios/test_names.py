"""Contacts, Paths and Routes with host names (RFC 3263), and phones that are reached at the second of their addresses."""

from __future__ import annotations

from b2bua.sip.message import Request
from b2bua.sip.next_hop import Srv
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    answered,
    called,
    hang_up,
    hold,
    register,
    resume,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

NAME = "phones.example.net"


def named_phone(scene: Scene, user: str, number: int) -> ScriptPhone:
    """A phone whose Contact is a name; it registers from an address that the name does not lead to."""
    phone = ScriptPhone(scene.network, user, (f"192.0.2.{number}", 5060))
    phone.contact = f"<sip:{user}@{NAME}>"
    scene.phones.append(phone)
    return phone


def elsewhere(scene: Scene, number: int) -> ScriptPhone:
    """Whoever is at another address that a name leads to."""
    phone = ScriptPhone(scene.network, "6002", (f"192.0.2.{number}", 5060), f"at {number}")
    scene.phones.append(phone)
    return phone


def ring(scene: Scene, caller: ScriptPhone, callee: ScriptPhone) -> tuple[ScriptCall, ScriptCall, Request]:
    a = called(caller, "sip:6002@example.com")
    arrived = callee << "INVITE"
    assert isinstance(arrived, Request)
    return a, ScriptCall.of(callee, arrived), arrived


def test_a_contact_by_srv_and_a_whole_call(scene: Scene) -> None:
    """The call, its re-INVITEs and its end go where the name leads, and the DNS is asked once for each record."""
    alice, home, bob = scene.phone("6001"), named_phone(scene, "6002", 60), elsewhere(scene, 61)
    dns = scene.server.dns
    dns.zone = {
        (f"_sip._udp.{NAME}", "SRV"): (Srv(0, 0, 5060, "one.example.net"),),
        ("one.example.net", "A"): ("192.0.2.61",),
    }
    register(home)
    a, b, arrived = ring(scene, alice, bob)
    assert arrived.uri == f"sip:6002@{NAME}"
    bob.contact = home.contact
    answered(a, b, arrived)
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    hang_up(a, b)
    assert [f"{one.name} {one.kind}" for one in dns.asked] == [
        f"{NAME} NAPTR", f"_sip._udp.{NAME} SRV", "one.example.net A",
    ]  # fmt: skip


def test_a_numeric_contact_asks_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = ring(scene, alice, bob)
    answered(a, b, arrived)
    hold(a, b)
    hang_up(b, a)
    assert scene.server.dns.asked == []


def test_a_name_that_nobody_knows_leads_to_where_it_registered(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), named_phone(scene, "6002", 60)
    register(bob)
    a, b, arrived = ring(scene, alice, bob)
    answered(a, b, arrived)
    hang_up(a, b)
    assert any(NAME in report for report in scene.server.reports)


def test_a_slow_dns_holds_up_nobody_else(scene: Scene) -> None:
    alice, carol, bob = scene.phone("6001"), scene.phone("6003"), named_phone(scene, "6002", 60)
    scene.server.dns.slow = True
    scene.server.dns.zone = {(NAME, "A"): ("192.0.2.60",)}
    register(bob)
    a = called(alice, "sip:6002@example.com")
    alice << "100 INVITE"
    b = called(carol, "sip:6001@example.com")
    arrived = alice << "INVITE"
    c = ScriptCall.of(alice, arrived)
    answered(b, c, arrived)
    hang_up(b, c)
    bob.hears_nothing()
    scene.server.dns.answer()
    scene.network.run()
    scene.advance(0.1)
    arrived = bob << "INVITE"
    d = ScriptCall.of(bob, arrived)
    answered(a, d, arrived)
    hang_up(a, d)


def test_cancel_while_the_dns_is_asked(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), named_phone(scene, "6002", 60)
    scene.server.dns.slow = True
    register(bob)
    a = called(alice, "sip:6002@example.com")
    alice << "100 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    scene.server.dns.answer()
    scene.advance(0.1)


def test_the_second_address_when_the_first_says_503(scene: Scene) -> None:
    alice, home, one, two = scene.phone("6001"), named_phone(scene, "6002", 60), elsewhere(scene, 61), elsewhere(scene, 62)
    scene.server.dns.zone = {(NAME, "A"): ("192.0.2.61", "192.0.2.62")}
    register(home)
    a = called(alice, "sip:6002@example.com")
    arrived = one << "INVITE"
    one >> ScriptCall.of(one, arrived).answer(arrived, 503)
    one << "ACK"
    arrived = two << "INVITE"
    two.contact = home.contact
    b = ScriptCall.of(two, arrived)
    answered(a, b, arrived)
    hold(a, b)  # in dialog by the target that took the call
    hang_up(a, b)
    a, b, arrived = ring(scene, alice, two)  # the first is left alone for a while
    answered(a, b, arrived)
    hang_up(b, a)
    assert scene.count("next_hops_failed", "unavailable") == 1
    scene.advance(61)
    arrived_at_one = called(alice, "sip:6002@example.com")
    arrived = one << "INVITE"
    one >> ScriptCall.of(one, arrived).answer(arrived, 486)
    one << "ACK"
    alice >> arrived_at_one.ack(alice << "486 INVITE")


def test_the_second_address_when_the_first_is_silent(scene: Scene) -> None:
    alice, home, two = scene.phone("6001"), named_phone(scene, "6002", 60), elsewhere(scene, 62)
    scene.server.dns.zone = {(NAME, "A"): ("192.0.2.61", "192.0.2.62")}
    register(home)
    a = called(alice, "sip:6002@example.com")
    scene.advance(TIMEOUT)
    arrived = two << "INVITE"
    b = ScriptCall.of(two, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_in_dialog_another_address_when_the_first_is_gone(scene: Scene) -> None:
    """The far phone's name has two addresses; the one that took the call falls silent, the BYE goes to the other."""
    alice, home, one, two = scene.phone("6001"), named_phone(scene, "6002", 60), elsewhere(scene, 61), elsewhere(scene, 62)
    scene.server.dns.zone = {(NAME, "A"): ("192.0.2.61", "192.0.2.62")}
    register(home)
    a, b, arrived = ring(scene, alice, one)
    one.contact = home.contact
    answered(a, b, arrived)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bye = one << "BYE"
    one >> b.answer(bye, 503)
    bye = two << "BYE"
    two >> b.answer(bye, 200)


def test_a_name_that_leads_to_ourselves_is_not_called(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), named_phone(scene, "6002", 60)
    scene.server.dns.zone = {(NAME, "A"): ("192.0.2.1",)}
    register(bob)
    a, b, arrived = ring(scene, alice, bob)  # by the way it registered
    answered(a, b, arrived)
    hang_up(a, b)


def test_a_contact_by_naptr_over_tcp(make_scene: MakeScene) -> None:
    """The domain prefers TCP; where that cannot be reached the request goes by UDP."""
    from b2bua.sip.next_hop import Naptr

    scene = make_scene(tcp=True)
    alice, home, bob = scene.phone("6001"), named_phone(scene, "6002", 60), elsewhere(scene, 61)
    scene.server.dns.zone = {
        (NAME, "NAPTR"): (
            Naptr(10, 0, "s", "SIP+D2T", f"_sip._tcp.{NAME}"),
            Naptr(20, 0, "s", "SIP+D2U", f"_sip._udp.{NAME}"),
        ),
        (f"_sip._tcp.{NAME}", "SRV"): (Srv(0, 0, 5060, "one.example.net"),),
        (f"_sip._udp.{NAME}", "SRV"): (Srv(0, 0, 5060, "two.example.net"),),
        ("one.example.net", "A"): ("192.0.2.99",),
        ("two.example.net", "A"): ("192.0.2.61",),
    }
    register(home)
    scene.network.refusing.add(("192.0.2.99", 5060))
    a, b, arrived = ring(scene, alice, bob)
    assert (arrived.get("Via") or "").startswith("SIP/2.0/UDP")
    answered(a, b, arrived)
    hang_up(a, b)
    assert scene.count("next_hops_failed", "unreachable") == 1


def test_a_path_with_a_name(scene: Scene) -> None:
    """The first hop of its path is a name: calls go where that leads."""
    alice, edge = scene.phone("6001"), elsewhere(scene, 61)
    scene.server.dns.zone = {("edge.example.net", "A"): ("192.0.2.61",)}
    bob = ScriptPhone(scene.network, "6002", ("192.0.2.60", 5060))
    scene.phones.append(bob)
    from tests.scenarios.script_call import register_text

    path = "Path: <sip:edge.example.net;lr>"
    bob >> register_text(bob, 1, path)
    challenge = bob << "401 REGISTER"
    bob >> register_text(bob, 2, bob.credentials(challenge, "REGISTER", "sip:example.com"), path)
    bob << "200 REGISTER"
    a = called(alice, bob.aor)
    arrived = edge << "INVITE"
    assert arrived.get("Route") == "<sip:edge.example.net;lr>"
    edge >> ScriptCall.of(edge, arrived).answer(arrived, 486)
    edge << "ACK"
    alice >> a.ack(alice << "486 INVITE")
