"""Phones over TLS and WebSocket: the addresses they are told, calls with phones of all kinds, and flows that are gone."""

from __future__ import annotations

import pytest

from tests.scenarios.events import ask
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    called,
    hang_up,
    hold,
    invite,
    register_again,
    renderings,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.test_streams import addresses

TOLD = {
    "udp": "192.0.2.1:5060",
    "tcp": "192.0.2.1:5080;transport=tcp",
    "tls": "192.0.2.1:5061;transport=tls",
    "ws": "192.0.2.1:8080;transport=ws",
    "wss": "192.0.2.1:8443;transport=ws",
}
"""What a phone by each transport is told of us: in URIs secure WebSocket is called ws (RFC 7118 §5.2)."""
NEW = ("tls", "ws", "wss")


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(tcp=True, streams=NEW)


def phone(scene: Scene, user: str, transport: str) -> ScriptPhone:
    return scene.phone(user) if transport == "udp" else scene.tcp_phone(user, transport=transport)


def cut(scene: Scene, phone: ScriptPhone) -> None:
    """The phone's own connection breaks."""
    scene.network.detach(phone.address)
    scene.server.streams[phone.transport.lower()].cut(phone.address)
    scene.network.run()


@pytest.mark.parametrize(("near", "far"), [(a, b) for a in TOLD for b in TOLD if {a, b} & set(NEW)])
def test_call_between_any_two_transports(scene: Scene, near: str, far: str) -> None:
    """Each phone is told the address and transport of its own way; both hold, both resume, the callee hangs up."""
    alice, bob = phone(scene, "6001", near), phone(scene, "6002", far)
    a, b, arrived = invite(alice, bob)
    assert addresses(arrived.elements("Record-Route") + arrived.elements("Contact")) == [TOLD[far]] * 2
    assert arrived.top_via.transport == far
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    assert addresses(answer.elements("Record-Route") + answer.elements("Contact")) == [TOLD[near]] * 2
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    for one, other in ((a, b), (b, a)):
        hold(one, other)
        resume(one, other)
    hang_up(b, a)


@pytest.mark.parametrize(("near", "far"), [("tls", "udp"), ("udp", "wss"), ("ws", "tls"), ("wss", "wss")])
def test_record_route_twice_between_two_phones(make_scene: MakeScene, near: str, far: str) -> None:
    """RFC 5658: without CM the route set has the address of either side."""
    scene = make_scene(streams=NEW, feature_server=False)
    alice, bob = phone(scene, "6001", near), phone(scene, "6002", far)
    a, b, arrived = invite(alice, bob)
    assert addresses(arrived.elements("Record-Route")) == [TOLD[far], TOLD[near]]
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    for one, other in ((a, b), (b, a)):
        send_offer(one, one.sdp("sendonly"))
        asked = other.phone << "INVITE a=sendonly"
        other.phone >> other.answer(asked, 200, other.sdp("recvonly"))
        one.phone >> one.ack(one.phone << "200 INVITE a=recvonly")
        other.phone << "ACK"
    alice >> a.request("BYE")
    bob >> b.answer(bob << "BYE", 200)
    alice << "200 BYE"


@pytest.mark.parametrize("transport", NEW)
def test_the_lamp_comes_by_the_watchers_flow(scene: Scene, transport: str) -> None:
    alice, bob = phone(scene, "6001", transport), scene.phone("6002")
    dialog = watch(alice, alice)
    assert dialog.target == f"sip:{TOLD[transport]}"
    a, b = talk(alice, bob)
    scene.advance(2)
    hold(b, a)
    scene.advance(2)
    assert alice.notified[-1].top_via.transport == transport and renderings(alice) == ("", "no")
    hang_up(a, b)


def test_reliable_transports_repeat_nothing(scene: Scene) -> None:
    """RFC 7118 §5: WebSocket counts as reliable. What nobody answers is not sent twice."""
    alice, bob = scene.phone("6001"), phone(scene, "6002", "wss")
    a, b, arrived = invite(alice, bob)
    scene.advance(5)
    assert not bob.repeated and not bob.inbox
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


@pytest.mark.parametrize("transport", NEW)
def test_outbound_is_promised_to_who_asks_for_it(scene: Scene, transport: str) -> None:
    """RFC 5626 §6: over a connection; the Contact comes back as it was sent."""
    alice = phone(scene, "6001", transport)
    alice.contact = alice.contact.partition(";reg-id")[0] + ';reg-id=1;+sip.instance="<urn:uuid:6001>"'
    answer = register_again(alice, 3)
    assert answer.get("Require") is None
    alice.contact += "\r\nSupported: path, outbound, gruu"
    answer = register_again(alice, 5)
    assert answer.get("Require") == "outbound"
    assert answer.elements("Contact")[0].startswith(alice.contact.partition("\r\n")[0])


def test_outbound_over_udp_is_not_promised(scene: Scene) -> None:
    """Its keep-alive there is STUN (RFC 5626 §4.4.2), which we do not speak."""
    alice = scene.phone("6001")
    alice.contact += ';reg-id=1;+sip.instance="<urn:uuid:6001>"\r\nSupported: outbound'
    assert register_again(alice, 3).get("Require") is None


# ---- sips


def schemes(values: list[str]) -> list[str]:
    """Scheme and address of ours in Record-Route or Contact values, without tokens and names."""
    return [f"{value[1:].partition(':')[0]}:{addresses([value])[0]}" for value in values if "@" in value]


SIPS = {"tls": "sips:192.0.2.1:5061", "wss": "sips:192.0.2.1:8443;transport=ws"}
"""What a phone is told of us that calls, or is called by, a `sips` URI."""


def sips_phone(scene: Scene, user: str, transport: str) -> ScriptPhone:
    """A phone whose Contact is `sips`."""
    made = phone(scene, user, transport)
    made.contact = made.contact.partition(";reg-id")[0].replace("<sip:", "<sips:")
    register_again(made, 3)
    scene.server.location.replace(user, scene.server.location.bindings(user)[:1])
    return made


def no_sips(a: ScriptCall) -> None:
    """Refused: not every hop would be secure."""
    answer = a.phone << "480 INVITE"
    assert answer.get("Warning") == '380 b2bua "SIPS Not Allowed"'
    a.phone >> a.ack(answer)


@pytest.mark.parametrize("near", SIPS)
@pytest.mark.parametrize("far", SIPS)
@pytest.mark.parametrize("feature_server", [True, False], ids=["CM", "SM alone"])
def test_who_is_called_by_sips_is_answered_so(make_scene: MakeScene, near: str, far: str, feature_server: bool) -> None:
    """RFC 3261 §12.1.1 and §16.6 step 4: Contact and Record-Route have the scheme of the Request-URI, on either leg."""
    scene = make_scene(streams=NEW, feature_server=feature_server)
    alice, bob = phone(scene, "6001", near), sips_phone(scene, "6002", far)
    a = called(alice, "sips:6002@example.com")
    if feature_server and scene.server.options.link != "memory":
        no_sips(a)  # that link is not encrypted
        return
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    ours = schemes(arrived.elements("Record-Route"))
    assert ours == ([SIPS[far]] if feature_server else [SIPS[far], SIPS[near]])
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    if feature_server:
        assert schemes(arrived.elements("Contact")) == [SIPS[far]]
        assert schemes(answer.elements("Record-Route") + answer.elements("Contact")) == [SIPS[near]] * 2
    alice >> a.ack(answer)
    bob << "ACK"
    if feature_server:
        hold(a, b)
        resume(a, b)
        hang_up(b, a)
        return
    alice >> a.request("BYE")
    bob >> b.answer(bob << "BYE", 200)
    alice << "200 BYE"


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
def test_sips_by_a_hop_that_is_not_secure(make_scene: MakeScene, transport: str) -> None:
    """It has broken the promise on its way to us: nobody is even asked who he is (RFC 3261 §26.2.2)."""
    scene = make_scene(streams=(*NEW, "ws"), tcp=True)
    alice, bob = phone(scene, "6001", transport), sips_phone(scene, "6002", "tls")
    a = ScriptCall(alice, "sips:6002@example.com")
    alice >> a.invite(a.sdp())
    no_sips(a)
    bob.hears_nothing()


@pytest.mark.parametrize("far", ["udp", "tcp", "ws"])
def test_sips_to_who_is_not_reached_securely(make_scene: MakeScene, far: str) -> None:
    scene = make_scene(streams=NEW, feature_server=False, tcp=True)
    alice, bob = phone(scene, "6001", "tls"), phone(scene, "6002", far)
    no_sips(called(alice, "sips:6002@example.com"))
    bob.hears_nothing()


@pytest.mark.parametrize("far", ["tls", "wss"])
def test_sips_to_a_sip_contact_over_tls(make_scene: MakeScene, far: str) -> None:
    """Declared: each hop is secure, though RFC 5630 §5.3 wants a SIPS Contact. PJSIP and JsSIP register none."""
    scene = make_scene(streams=NEW, feature_server=False)
    alice, bob = phone(scene, "6001", "tls"), phone(scene, "6002", far)
    a = called(alice, "sips:6002@example.com")
    arrived = bob << "INVITE"
    assert arrived.top_via.transport == far
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_sips_to_nobody(make_scene: MakeScene) -> None:
    scene = make_scene(streams=NEW, feature_server=False)
    alice = phone(scene, "6001", "tls")
    a = called(alice, "sips:6002@example.com")
    answer = alice << "480 INVITE"
    assert answer.get("Warning") is None
    alice >> a.ack(answer)


def test_of_two_contacts_only_the_secure_one_rings(make_scene: MakeScene) -> None:
    scene = make_scene(streams=NEW, feature_server=False)
    alice, desk = phone(scene, "6001", "tls"), scene.phone("6002", device=1)
    bob = phone(scene, "6002", "tls")
    bob.contact = bob.contact.replace("<sip:", "<sips:")
    register_again(bob, 3)
    known = [one for one in scene.server.location.bindings("6002") if "sips:" in one.uri or desk.contact[1:-1] == one.uri]
    scene.server.location.replace("6002", known)
    a = called(alice, "sips:6002@example.com")
    arrived = bob << "INVITE"
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    desk.hears_nothing()


def test_sip_reaches_a_sips_contact(make_scene: MakeScene) -> None:
    """The other way there is no promise to keep; the phone is called over TLS all the same."""
    scene = make_scene(streams=NEW)
    alice, bob = phone(scene, "6001", "udp"), sips_phone(scene, "6002", "tls")
    a, b, arrived = invite(alice, bob)
    assert arrived.top_via.transport == "tls"
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


@pytest.mark.parametrize("lines", [(), ("Record-Route: <sips:192.0.2.60;lr>",)], ids=["Contact", "Record-Route"])
def test_a_watcher_with_a_sips_contact_is_told_ours(scene: Scene, lines: tuple[str, ...]) -> None:
    """RFC 3261 §12.1.1: whatever the scheme of the Request-URI, what is nearest to us was `sips`, and so is our Contact."""
    alice = phone(scene, "6001", "tls") if lines else sips_phone(scene, "6001", "tls")
    answer, call = ask(alice, "dialog", "sip:6002@example.com", *lines)
    assert answer.get("Contact") == f"<{SIPS['tls']}>"
    call.learn(answer)
    ended, _ = ask(alice, "dialog", "sip:6002@example.com", *lines, dialog=call, expires=0)
    assert ended.status == 200
    assert [notify.get("Contact") for notify in alice.notified] == [f"<{SIPS['tls']}>"] * 2


def test_a_sips_contact_by_a_hop_that_is_not_secure(scene: Scene) -> None:
    """Nothing could ever be sent to it (RFC 5630 §5.1)."""
    alice = scene.phone("6001")
    alice.contact = alice.contact.replace("<sip:", "<sips:")
    a = called(alice, "sip:6002@example.com")
    alice >> a.ack(alice << "400 INVITE")


# ---- a connection that is gone


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_browser_that_is_gone_is_not_called(scene: Scene, transport: str) -> None:
    """Nobody can open a WebSocket to a browser: 480 at once, and nothing is tried."""
    alice, bob = scene.phone("6001"), phone(scene, "6002", transport)
    cut(scene, bob)
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "480 INVITE")


def test_an_address_as_contact_of_a_browser_changes_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), phone(scene, "6002", "ws")
    bob.contact = "<sip:6002@192.0.2.12:5060;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:6002>\""
    register_again(bob, 3)
    a, b = talk(alice, bob)
    hang_up(a, b)
    cut(scene, bob)
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "480 INVITE")


@pytest.mark.parametrize("contact", ["sip:6002@192.0.2.12:5060;transport=tls", "sips:6002@192.0.2.12:5060", "sip:6002@192.0.2.12"
                                     ":5060;transport=udp"])  # fmt: skip
def test_a_tls_phone_is_called_over_tls_and_nothing_else(scene: Scene, contact: str) -> None:
    """Its connection gone, a new one is opened to its Contact; it registered over TLS, whatever its Contact says."""
    alice, bob = scene.phone("6001"), phone(scene, "6002", "tls")
    bob.contact = f"<{contact}>;reg-id=1;+sip.instance=\"<urn:uuid:6002>\""
    register_again(bob, 3)
    bindings = scene.server.location.bindings("6002")
    scene.server.location.replace("6002", bindings[:1])
    cut(scene, bob)
    _a, b, arrived = invite(alice, bob)
    assert arrived.top_via.transport == "tls"
    bob.address = bob.listening
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice << "486 INVITE"


def test_a_tls_phone_that_takes_no_connection_fails_at_once(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.tcp_phone("6002", transport="tls", listening=False)
    cut(scene, bob)
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "500 INVITE")


@pytest.mark.parametrize("transport", NEW)
def test_call_goes_on_over_another_connection(scene: Scene, transport: str) -> None:
    alice, bob = scene.phone("6001"), phone(scene, "6002", transport)
    a, b = talk(alice, bob)
    cut(scene, bob)
    bob.connect_from(49153)
    register_again(bob, 3)
    scene.network.detach((bob.address[0], 5060))
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    hang_up(a, b)


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_hold_of_a_browser_that_is_gone_is_refused(scene: Scene, transport: str) -> None:
    """The call stands: a page that is loaded again may take it up."""
    alice, bob = scene.phone("6001"), phone(scene, "6002", transport)
    a, b = talk(alice, bob)
    cut(scene, bob)
    send_offer(a, a.sdp("sendonly"))
    alice >> a.ack(alice << "500 INVITE")
    alice >> a.request("INFO")
    alice << "500 INFO"
    bob.connect_from(49153)
    register_again(bob, 3)
    hang_up(a, b)


def test_flows_and_contacts_are_counted_by_transport(scene: Scene) -> None:
    for user, transport in zip(("6001", "6002", "6003"), NEW, strict=True):
        phone(scene, user, transport)
    assert scene.server.location.census() == (3, dict.fromkeys(NEW, 1))
    assert {transport: scene.server.listeners.count()[transport] for transport in NEW} == dict.fromkeys(NEW, 1)
    assert scene.count("requests", "in", "REGISTER", "wss") == 2
