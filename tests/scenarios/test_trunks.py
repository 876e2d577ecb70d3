"""Calls out by a trunk and in from one: whole calls with hold from both sides, and everything that must not pass."""

from __future__ import annotations

import pytest

from b2bua.session_manager.challenge_policy import ChallengePolicy
from b2bua.session_manager.entities import Entity
from b2bua.sip.next_hop import Srv
from b2bua.sip.uri import parse_uri
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.scene import MakeScene, Scene, answered, called, hang_up, hold, is_gone, resume, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.transfer_scene import refer

CARRIER = Entity(
    "carrier", parse_uri("sip:192.0.2.80"), (("192.0.2.80", 5060),), numbers=("0", "+49"), domains=("example.net",)
)  # fmt: skip
OFFICE = Entity("office", parse_uri("sip:192.0.2.81:5070"), (("192.0.2.81", 5070),), trusted=True, numbers=("00", "7"))


@pytest.fixture
def make_trunk_scene(make_scene: MakeScene) -> MakeScene:
    return lambda **options: make_scene(**{"entities": (CARRIER, OFFICE), **options})


@pytest.fixture
def trunks(make_trunk_scene: MakeScene) -> Scene:
    return make_trunk_scene()


def carrier(scene: Scene, user: str = "carrier", address: tuple[str, int] = ("192.0.2.80", 5060)) -> ScriptPhone:
    """The far end of a trunk. It is nobody's phone, and registers nothing."""
    trunk = ScriptPhone(scene.network, user, address)
    trunk.aor = f"sip:0170@{address[0]}"
    scene.phones.append(trunk)
    return trunk


def office(scene: Scene) -> ScriptPhone:
    return carrier(scene, "office", ("192.0.2.81", 5070))


def call_out(scene: Scene, trunk: ScriptPhone, uri: str = "sip:0170@example.com") -> tuple[ScriptCall, ScriptCall]:
    """A phone's call that the trunk answers."""
    a = called(scene.phone("6001"), uri)
    arrived = trunk << "INVITE"
    b = ScriptCall.of(trunk, arrived)
    answered(a, b, arrived)
    return a, b


def call_in(trunk: ScriptPhone, phone: ScriptPhone, *lines: str) -> tuple[ScriptCall, ScriptCall]:
    """A call of the trunk's, not challenged, that a phone answers."""
    a = ScriptCall(trunk, phone.aor)
    trunk >> a.invite(a.sdp(), *lines)
    arrived = phone << "INVITE"
    b = ScriptCall.of(phone, arrived)
    answered(a, b, arrived)
    return a, b


def trunk_reinvite(trunk: ScriptCall, far: ScriptCall, direction: str, answer: str) -> None:
    """A re-INVITE of the trunk's, which is not challenged."""
    trunk.phone >> trunk.offer(direction)
    arrived = far.phone << f"INVITE a={direction}"
    far.phone >> far.answer(arrived, 200, far.sdp(answer))
    far.phone << "ACK"
    trunk.phone >> trunk.ack(trunk.phone << f"200 INVITE a={answer}")


def refused(trunk: ScriptPhone, uri: str, status: int, *lines: str) -> None:
    a = ScriptCall(trunk, uri)
    trunk >> a.invite(a.sdp(), *lines)
    trunk >> a.ack(trunk << f"{status} INVITE")


def test_a_call_out_with_hold_from_both_ends(trunks: Scene) -> None:
    trunk = carrier(trunks)
    a, b = call_out(trunks, trunk)
    hold(a, b)
    resume(a, b)
    trunk_reinvite(b, a, "sendonly", "recvonly")
    trunk_reinvite(b, a, "sendrecv", "sendrecv")
    hang_up(a, b)


def test_the_far_end_hangs_up(trunks: Scene) -> None:
    a, b = call_out(trunks, carrier(trunks))
    hang_up(b, a)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_trunk_transfers_nobody_unless_it_is_trusted(make_trunk_scene: MakeScene, trusted: bool) -> None:
    """It would have our user call whom it likes, at our cost."""
    scene = make_trunk_scene(features=("hold", "lamps", "transfer"))
    a, b = call_in(office(scene) if trusted else carrier(scene), scene.phone("6001"))
    a.phone >> a.request("REFER", "", "Refer-To: <sip:6002@example.com>")
    if trusted:
        a.phone << "202 REFER"
        assert [notify.body for notify in a.phone.notified][-1].startswith(b"SIP/2.0 480")
    else:
        a.phone << "403 REFER"
    hang_up(a, b)


def test_a_user_is_sent_out_by_a_trunk(make_trunk_scene: MakeScene) -> None:
    """Blind transfer to a number that no user has."""
    scene = make_trunk_scene(features=("hold", "lamps", "transfer"))
    trunk = carrier(scene)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    refer(a, "sip:0170@example.com")
    arrived = trunk << "INVITE no-body"
    c = ScriptCall.of(trunk, arrived)
    trunk >> c.answer(arrived, 200, c.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp())
    b.phone << "ACK"
    trunk << "ACK a=sendrecv"
    is_gone(a)
    trunk_reinvite(c, b, "sendonly", "recvonly")
    hang_up(b, c)


def test_a_number_goes_with_the_trunks_own_host(trunks: Scene) -> None:
    trunk = carrier(trunks)
    a = called(trunks.phone("6001"), "sip:+49170;phone-context=x@example.com")
    arrived = trunk << "INVITE"
    assert str(arrived).startswith("INVITE sip:+49170;phone-context=x@192.0.2.80 SIP/2.0")
    trunk >> ScriptCall.of(trunk, arrived).answer(arrived, 486)
    trunk << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_the_longest_prefix_decides(trunks: Scene) -> None:
    carrier(trunks)
    a, b = call_out(trunks, office(trunks), "sip:0049170@example.com")
    hang_up(a, b)


def test_a_foreign_domain(trunks: Scene) -> None:
    trunk = carrier(trunks)
    a = called(trunks.phone("6001"), "sip:bob@Example.Net")
    arrived = trunk << "INVITE"
    assert str(arrived).startswith("INVITE sip:bob@Example.Net SIP/2.0")
    b = ScriptCall.of(trunk, arrived)
    answered(a, b, arrived)
    hold(a, b)
    hang_up(a, b)


def test_a_foreign_domain_that_no_trunk_serves(trunks: Scene) -> None:
    a = called(trunks.phone("6001"), "sip:bob@example.org")
    a.phone >> a.ack(a.phone << "403 INVITE")


def test_a_user_stands_before_a_prefix(make_trunk_scene: MakeScene) -> None:
    scene = make_trunk_scene(entities=(Entity("six", parse_uri("sip:192.0.2.80"), numbers=("6",)),))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hang_up(a, b)
    c = called(a.phone, "sip:6003@example.com")  # known, not registered
    a.phone >> c.ack(a.phone << "480 INVITE")


def test_a_number_that_no_trunk_serves(trunks: Scene) -> None:
    a = called(trunks.phone("6001"), "sip:9@example.com")
    a.phone >> a.ack(a.phone << "404 INVITE")


def test_a_call_in_with_hold_from_both_ends(trunks: Scene) -> None:
    trunk, bob = carrier(trunks), trunks.phone("6002")
    a, b = call_in(trunk, bob)
    trunk_reinvite(a, b, "sendonly", "recvonly")
    trunk_reinvite(a, b, "sendrecv", "sendrecv")
    hold(b, a)
    resume(b, a)
    hang_up(a, b)
    a, b = call_in(trunk, bob)
    hang_up(b, a)


def test_the_caller_gives_up(trunks: Scene) -> None:
    trunk = carrier(trunks)
    a = called(trunks.phone("6001"), "sip:0170@example.com")
    arrived = trunk << "INVITE"
    b = ScriptCall.of(trunk, arrived)
    trunk >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    cancel = trunk << "CANCEL"
    trunk >> b.answer(cancel, 200)
    trunk >> b.answer(arrived, 487)
    trunk << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")


# -- no open relay ------------------------------------------------------------------------------------------------


def test_from_one_trunk_to_another(trunks: Scene) -> None:
    carrier(trunks)
    other = office(trunks)
    refused(other, "sip:0170@example.com", 404)
    refused(other, "sip:bob@example.net", 403)
    refused(other, "sip:bob@example.org", 403)


def test_what_a_trunk_asks_of_nobody(trunks: Scene) -> None:
    trunk = carrier(trunks)
    refused(trunk, "sip:9999@example.com", 404)
    refused(trunk, "sip:6003@example.com", 480)
    refused(trunk, "sip:example.com", 405)


@pytest.mark.parametrize("address", [("192.0.2.80", 5061), ("192.0.2.83", 5060)])
def test_the_same_host_at_another_port_is_a_stranger(trunks: Scene, address: tuple[str, int]) -> None:
    refused(carrier(trunks, "stranger", address), "sip:6002@example.com", 407)
    refused(trunks.phones[-1], "sip:0170@example.com", 407)


def test_nobody_calls_out_who_has_not_proven_who_he_is(make_trunk_scene: MakeScene) -> None:
    """Where INVITEs are not challenged at all, calls stay inside."""
    scene = make_trunk_scene(challenge={"INVITE": "none"})
    assert ChallengePolicy("always", {"INVITE": "none"}, {}) is not None
    carrier(scene)
    alice = scene.phone("6001")
    for uri in ("sip:0170@example.com", "sip:bob@example.net"):
        refused(alice, uri, 403)


def test_other_requests_of_a_trunk_are_challenged(trunks: Scene) -> None:
    trunk = carrier(trunks)
    call = ScriptCall(trunk, "sip:6001@example.com")
    for method, status in (("REGISTER", 401), ("SUBSCRIBE", 401), ("PUBLISH", 407), ("REFER", 407)):
        trunk >> call.request(method, "", "Event: dialog")
        trunk << f"{status} {method}"


def test_a_trunk_in_the_name_of_a_user(trunks: Scene) -> None:
    """Only one that is trusted may say that its caller is one of ours (a mobile twin, say)."""
    untrusted, trusted, bob = carrier(trunks), office(trunks), trunks.phone("6002")
    untrusted.aor = trusted.aor = "sip:6001@example.com"
    refused(untrusted, bob.aor, 403)
    a, b = call_in(trusted, bob)
    hang_up(a, b)


# -- RFC 3325 -----------------------------------------------------------------------------------------------------


def test_what_a_trunk_asserts(trunks: Scene) -> None:
    untrusted, trusted, bob = carrier(trunks), office(trunks), trunks.phone("6002")
    asserted = "P-Asserted-Identity: <sip:0170@example.net>"
    for trunk, believed in ((untrusted, []), (trusted, ["<sip:0170@example.net>"])):
        call = ScriptCall(trunk, bob.aor)
        trunk >> call.invite(call.sdp(), asserted)
        arrived = bob << "INVITE"
        assert arrived.get_all("P-Asserted-Identity") == believed
        bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
        bob << "ACK"
        trunk >> call.ack(trunk << "486 INVITE")


def test_what_a_trunk_is_told(trunks: Scene) -> None:
    alice = trunks.phone("6001")
    for trunk, number, told in ((carrier(trunks), "0170", False), (office(trunks), "7", True)):
        a, b = called(alice, f"sip:{number}@example.com"), trunk << "INVITE"
        assert (b.get("P-Asserted-Identity") == "<sip:6001@example.com>") is told
        trunk >> ScriptCall.of(trunk, b).answer(b, 486)
        trunk << "ACK"
        a.phone >> a.ack(a.phone << "486 INVITE")


# -- names, other servers, other credentials ----------------------------------------------------------------------


def test_a_trunk_with_a_name_and_two_servers(make_trunk_scene: MakeScene) -> None:
    named = Entity("named", parse_uri("sip:sip.example.net"), numbers=("0",))
    scene = make_trunk_scene(entities=(named,))
    scene.server.dns.zone = {
        ("_sip._udp.sip.example.net", "SRV"): (Srv(0, 0, 5060, "one.example.net"), Srv(1, 0, 5070, "two.example.net")),
        ("one.example.net", "A"): ("192.0.2.80",),
        ("two.example.net", "A"): ("192.0.2.81",),
    }
    one, two = carrier(scene), office(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = one << "INVITE"
    one >> ScriptCall.of(one, arrived).answer(arrived, 503, "", "Retry-After: 30")
    one << "ACK"
    arrived = two << "INVITE"
    b = ScriptCall.of(two, arrived)
    answered(a, b, arrived)
    hold(a, b)
    hang_up(a, b)


def test_a_trunk_that_is_nowhere(make_trunk_scene: MakeScene) -> None:
    scene = make_trunk_scene(entities=(Entity("lost", parse_uri("sip:sip.example.org"), numbers=("0",)),))
    a = called(scene.phone("6001"), "sip:0170@example.com")
    a.phone >> a.ack(a.phone << "500 INVITE")
    assert any("sip.example.org" in report for report in scene.server.reports)


def test_a_trunk_that_proves_itself_by_digest(make_trunk_scene: MakeScene) -> None:
    """It comes from anywhere, with the account of the settings; its callers are not that account's."""
    scene = make_trunk_scene(entities=(Entity("roaming", parse_uri("sip:192.0.2.80"), user="6004"),))
    trunk, bob = carrier(scene, "6004", ("192.0.2.85", 5060)), scene.phone("6002")
    a = ScriptCall(trunk, bob.aor)
    trunk >> a.invite(a.sdp())
    challenge = trunk << "407 INVITE"
    trunk >> a.ack(challenge)
    trunk >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)
    assert trunk.aor == "sip:0170@192.0.2.85"


def test_a_trunk_by_tcp(make_trunk_scene: MakeScene) -> None:
    by_tcp = Entity("tcp", parse_uri("sip:192.0.2.80;transport=tcp"), (("192.0.2.80", 0),), numbers=("0",))
    scene = make_trunk_scene(entities=(by_tcp,), tcp=True)
    trunk = ScriptPhone(scene.network, "carrier", ("192.0.2.80", 5060), server=("192.0.2.1", 5080), transport="TCP")
    trunk.aor = "sip:0170@192.0.2.80"
    scene.phones.append(trunk)
    a, b = call_out(scene, trunk)
    hold(a, b)
    resume(a, b)
    hang_up(b, a)
    trunk.connect_from(49152)
    a, b = call_in(trunk, scene.phone("6002"))
    hold(b, a)
    hang_up(a, b)


def test_sips_to_a_trunk(make_trunk_scene: MakeScene) -> None:
    """By TLS, whatever transport the trunk's calls have else; where there is none, not at all (RFC 5630)."""
    scene = make_trunk_scene(streams=("tls",), feature_server=False)
    alice, trunk = scene.tcp_phone("6001", transport="tls"), carrier(scene)
    a = called(alice, "sips:bob@example.net")
    scene.network.detach(("192.0.2.80", 5061))
    answer = alice << "480 INVITE"
    alice >> a.ack(answer)
    trunk.hears_nothing()
    trunk.address = trunk.listening = ("192.0.2.80", 5061)
    trunk.transport, trunk.server = "TLS", ("192.0.2.1", 5061)
    trunk.contact = "<sips:bob@192.0.2.80:5061>"
    scene.network.attach(trunk, trunk.address)
    scene.advance(61)
    a = called(alice, "sips:bob@example.net")
    arrived = trunk << "INVITE"
    assert str(arrived).startswith("INVITE sips:bob@example.net SIP/2.0")
    assert arrived.top_via.transport == "tls" and arrived.top_via.parameter("alias") is not None  # RFC 5923
    assert all(route.startswith("<sips:") for route in arrived.elements("Record-Route"))
    trunk >> ScriptCall.of(trunk, arrived).answer(arrived, 486)
    trunk << "ACK"
    alice >> a.ack(alice << "486 INVITE")


# -- too much -----------------------------------------------------------------------------------------------------


def test_a_trunk_hears_503_where_a_phone_hears_480(trunks: Scene) -> None:
    trunk, alice = carrier(trunks), trunks.phone("6001")
    trunks.server.admission.draining = True
    a = ScriptCall(trunk, "sip:6002@example.com")
    trunk >> a.invite(a.sdp())
    answer = trunk << "503 INVITE"
    assert answer.get("Retry-After") == "5"
    trunk >> a.ack(answer)
    refused(alice, "sip:6002@example.com", 480)


def test_a_trunk_hears_503_when_no_record_can_be_made(make_trunk_scene: MakeScene) -> None:
    """Where INVITEs are recorded before they go on: with a feature server in this process."""
    records = KeptRecords()
    scene = make_trunk_scene(records=records, link="memory")
    trunk, bob = carrier(scene), scene.phone("6002")
    records.failing = True
    a = ScriptCall(trunk, bob.aor)
    trunk >> a.invite(a.sdp())
    answer = trunk << "503 INVITE"
    assert answer.get("Retry-After") == "5"
    trunk >> a.ack(answer)
    records.failing = False
    scene.advance(2)
    a, b = call_in(trunk, bob)
    hang_up(a, b)


def test_records_of_a_trunks_calls(make_trunk_scene: MakeScene) -> None:
    """A call out to a name waits for its record, too; a CANCEL meanwhile stops it."""
    records = KeptRecords()
    named = Entity("named", parse_uri("sip:sip.example.net"), numbers=("0",))
    scene = make_trunk_scene(entities=(named,), records=records, link="memory")
    scene.server.dns.zone = {("sip.example.net", "A"): ("192.0.2.80",)}
    trunk, alice = carrier(scene), scene.phone("6001")
    a, b = called(alice, "sip:0170@example.com"), trunk << "INVITE"
    call = ScriptCall.of(trunk, b)
    answered(a, call, b)
    hang_up(a, call)
    a = ScriptCall(alice, "sip:0170@example.com")
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    records.slow = True
    alice >> a.with_credentials(challenge)
    alice >> a.cancel()
    alice << "200 CANCEL"
    records.slow = False
    scene.advance(0.2)
    alice >> a.ack(alice << "487 INVITE")
    trunk.hears_nothing()


def test_message(trunks: Scene) -> None:
    """Out and in, past the feature servers."""
    trunk, alice = carrier(trunks), trunks.phone("6001")
    call = ScriptCall(trunk, alice.aor)
    trunk >> call.request("MESSAGE", "hello")
    arrived = alice << "MESSAGE"
    alice >> call.answer(arrived, 200)
    trunk << "200 MESSAGE"
    call = ScriptCall(alice, "sip:0170@example.com")
    alice >> call.request("MESSAGE", "hello")
    challenge = alice << "407 MESSAGE"
    credentials = alice.credentials(challenge, "MESSAGE", "sip:0170@example.com")
    alice >> call.request("MESSAGE", "hello", credentials)
    arrived = trunk << "MESSAGE"
    trunk >> call.answer(arrived, 200)
    alice << "200 MESSAGE"
