"""A trunk that asks who we are: its challenges are answered, to every request; nobody else learns anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.dialog.credentials import Credentials
from b2bua.log.events import quiet
from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.dial_plan import DialPlan
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.routing_policy import RoutingPolicy
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.sip.digest import MAX_ROUNDS, challenge_text, expected_response, ha1, parse_credentials
from b2bua.sip.message import Message, Request
from b2bua.sip.next_hop import Srv
from b2bua.sip.uri import parse_uri
from tests.log_lines import kept_log
from tests.scenarios.reliable_call import ALLOW, RSEQ, SUPPORTED, picked_up, prack, reliably
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, response

REALM = "example.net"
USER, SECRET = "pbx", "a trunk's secret"


class Scenes:
    """Makes scenes with a trunk that has our credentials."""

    def __init__(self, make: MakeScene) -> None:
        self._make = make
        self.reports: list[str] = []

    def __call__(self, uri: str = "sip:192.0.2.80", **options: object) -> Scene:
        numbers = iter(range(1, 10_000))
        ours = Credentials(USER, SECRET, lambda: f"c{next(numbers)}")
        credentials = TrunkCredentials("carrier", REALM, ours, kept_log(self.reports))
        carrier = Entity("carrier", parse_uri(uri), numbers=("0",), credentials=credentials)
        return self._make(entities=(carrier,), **options)


@pytest.fixture
def scenes(make_scene: MakeScene) -> Scenes:
    return Scenes(make_scene)


def carrier(scene: Scene, address: tuple[str, int] = ("192.0.2.80", 5060)) -> ScriptPhone:
    trunk = ScriptPhone(scene.network, "carrier", address)
    trunk.aor = "sip:0170@192.0.2.80"
    scene.phones.append(trunk)
    return trunk


def challenge(request: Message, *values: str, status: int = 407) -> str:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    lines = [f"{name}: {value}" for value in values or (challenge_text(REALM, "n1"),)]
    return response(request, status, "asking", "", *lines)


def right(request: Message, nonce: str, nc: int = 1, name: str = "Proxy-Authorization") -> None:
    """Credentials that let it pass: right for this Request-URI, method and nonce, and of nobody else."""
    assert isinstance(request, Request)
    [value] = request.get_all(name)
    found = parse_credentials(value)
    assert (found.username, found.realm, found.nonce, found.uri, found.nc) == (USER, REALM, nonce, request.uri, f"{nc:08x}")
    assert found.response == expected_response(ha1(USER, REALM, SECRET), request.method, found)
    assert "by-proxy" not in str(request)


def passed(trunk: ScriptPhone, method: str, nonce: str, status: int = 407) -> Message:
    """A request that is challenged and comes again as it has to."""
    first = trunk << method
    trunk >> challenge(first, challenge_text(REALM, nonce), status=status)
    if method == "INVITE":
        trunk << "ACK"
    again = trunk << method
    assert (again.cseq, again.call_id, again.from_.tag) == (first.cseq + 1, first.call_id, first.from_.tag)
    assert isinstance(first, Request) and isinstance(again, Request)
    assert again.top_via.branch != first.top_via.branch and again.body == first.body
    right(again, nonce, name="Proxy-Authorization" if status == 407 else "Authorization")
    return again


def call_out(scene: Scene, trunk: ScriptPhone, status: int = 407) -> tuple[ScriptCall, ScriptCall]:
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = passed(trunk, "INVITE", "n1", status)
    b = ScriptCall.of(trunk, arrived)
    trunk >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    ack = trunk << "ACK"
    name = "Proxy-Authorization" if status == 407 else "Authorization"
    assert ack.get_all(name) == arrived.get_all(name)  # RFC 3261 §13.2.2.4
    assert ack.cseq == arrived.cseq
    return a, b


@pytest.mark.parametrize("status", [401, 407])
def test_a_call(scenes: Scenes, status: int) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a, b = call_out(scene, trunk, status)
    hang_up(a, b)
    assert scenes.reports == []


def test_every_request_of_the_call(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a, b = call_out(scene, trunk)
    for number, direction in enumerate(("sendonly", "sendrecv"), 2):
        a.phone >> a.offer(direction)
        asked = a.phone << "407 INVITE"
        a.phone >> a.ack(asked)
        a.phone >> a.with_credentials(asked)
        arrived = passed(trunk, "INVITE", f"n{number}")
        trunk >> b.answer(arrived, 200, b.sdp("recvonly" if direction == "sendonly" else "sendrecv"))
        trunk << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE")
    a.phone >> a.request("INFO")
    arrived = passed(trunk, "INFO", "n4")
    trunk >> b.answer(arrived, 200)
    a.phone << "200 INFO"
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    arrived = passed(trunk, "BYE", "n5")
    trunk >> b.answer(arrived, 200)


def test_a_reliable_answer_is_acknowledged_with_credentials(scenes: Scenes) -> None:
    scene = scenes()
    trunk, alice = carrier(scene), scene.phone("6001")
    a = called(alice, "sip:0170@example.com", SUPPORTED, ALLOW)
    arrived = passed(trunk, "INVITE", "n1")
    b = ScriptCall.of(trunk, arrived)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = alice << "183 INVITE a=sendrecv"
    prack(a, progress)
    alice << "200 PRACK"
    trunk >> b.answer(passed(trunk, "PRACK", "n2"), 200)
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_a_nonce_is_used_again_where_the_trunk_gives_it_again(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a, b = call_out(scene, trunk)
    a.phone >> a.request("INFO")
    trunk >> challenge(trunk << "INFO", challenge_text(REALM, "n1"))
    again = trunk << "INFO"
    right(again, "n1", nc=2)
    trunk >> b.answer(again, 200)
    a.phone << "200 INFO"
    hang_up(a, b)


def refused(scene: Scene, trunk: ScriptPhone, a: ScriptCall) -> None:
    """The caller hears of no challenge, and the trunk of nothing more."""
    answer = a.phone << "500 INVITE"
    assert not answer.has("Proxy-Authenticate") and not answer.has("WWW-Authenticate")
    a.phone >> a.ack(answer)
    trunk.hears_nothing()


def test_a_trunk_that_refuses_our_credentials(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = passed(trunk, "INVITE", "n1")
    trunk >> challenge(arrived, challenge_text(REALM, "n2"))
    trunk << "ACK"
    refused(scene, trunk, a)
    assert scenes.reports == ["trunk_refuses_credentials entity=carrier"]


def test_a_trunk_that_finds_every_nonce_stale(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = passed(trunk, "INVITE", "n1")
    for number in range(2, MAX_ROUNDS + 1):
        trunk >> challenge(arrived, challenge_text(REALM, f"n{number}", True))
        trunk << "ACK"
        arrived = trunk << "INVITE"
        right(arrived, f"n{number}")
    trunk >> challenge(arrived, challenge_text(REALM, "n9", True))
    trunk << "ACK"
    refused(scene, trunk, a)


@pytest.mark.parametrize("value", [
    challenge_text("example.org", "n1"), "Basic realm=\"example.net\"", challenge_text(REALM, "n1", False, "SHA-512"),
    "Digest realm", challenge_text(REALM, "n1", qop="auth-conf"),
])  # fmt: skip
def test_a_challenge_that_we_cannot_answer(scenes: Scenes, value: str) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    trunk >> challenge(trunk << "INVITE", value)
    trunk << "ACK"
    refused(scene, trunk, a)
    assert len(scenes.reports) == 1 and SECRET not in scenes.reports[0]


def test_the_first_that_we_can_answer_of_several(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    trunk >> challenge(
        trunk << "INVITE", challenge_text(REALM, "x", False, "FOO"), challenge_text(REALM, "n1", False, "SHA-256"),
        challenge_text(REALM, "n2"),
    )  # fmt: skip
    trunk << "ACK"
    arrived = trunk << "INVITE"
    [value] = arrived.get_all("Proxy-Authorization")
    assert parse_credentials(value).algorithm == "SHA-256"
    trunk >> ScriptCall.of(trunk, arrived).answer(arrived, 486)
    trunk << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_a_cancelled_call_is_not_asked_again(scenes: Scenes) -> None:
    scene = scenes()
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = trunk << "INVITE"
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    trunk >> challenge(arrived)
    trunk << "ACK"
    trunk.hears_nothing()


def test_a_name_with_two_servers_one_of_which_fails(scenes: Scenes) -> None:
    """What CSeq + 1 brings about is found again at the name."""
    scene = scenes("sip:sip.example.net")
    scene.server.dns.zone = {
        ("_sip._udp.sip.example.net", "SRV"): (Srv(0, 0, 5060, "one.example.net"), Srv(1, 0, 5070, "two.example.net")),
        ("one.example.net", "A"): ("192.0.2.80",),
        ("two.example.net", "A"): ("192.0.2.81",),
    }
    one, two = carrier(scene), carrier(scene, ("192.0.2.81", 5070))
    a = called(scene.phone("6001"), "sip:0170@example.com")
    one >> challenge(one << "INVITE")
    one << "ACK"
    arrived = one << "INVITE"
    right(arrived, "n1")
    one >> ScriptCall.of(one, arrived).answer(arrived, 503)
    one << "ACK"
    arrived = two << "INVITE"
    right(arrived, "n1", nc=2)
    two >> ScriptCall.of(two, arrived).answer(arrived, 486)
    two << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_the_next_trunk_asks_too(make_scene: MakeScene) -> None:
    """Each in its own realm: what the first was told is no answer to the second, nor a reason to give up."""
    entities = []
    for name, host in (("one", "192.0.2.80"), ("two", "192.0.2.81")):
        credentials = TrunkCredentials(name, f"{name}.{REALM}", Credentials(name, SECRET, lambda: "c"), quiet)
        entities.append(Entity(name, parse_uri(f"sip:{host}"), credentials=credentials))
    policies = tuple(RoutingPolicy(entity.name, entity, rank) for rank, entity in enumerate(entities))
    scene = make_scene(entities=entities, plan=DialPlan(entities, (DialPattern("all", read_pattern("0"), policies),)))
    one, two = carrier(scene), carrier(scene, ("192.0.2.81", 5060))
    a = called(scene.phone("6001"), "sip:0170@example.com")
    one >> challenge(one << "INVITE", challenge_text(f"one.{REALM}", "n1"))
    one << "ACK"
    arrived = one << "INVITE"
    assert parse_credentials(arrived.get("Proxy-Authorization") or "").username == "one"
    one >> response(arrived, 503, "busy")
    one << "ACK"
    arrived = two << "INVITE"
    assert not arrived.has("Proxy-Authorization")
    two >> challenge(arrived, challenge_text(f"two.{REALM}", "n2"))
    two << "ACK"
    arrived = two << "INVITE"
    [value] = arrived.get_all("Proxy-Authorization")
    assert parse_credentials(value).username == "two"
    two >> response(arrived, 486, "busy")
    two << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


# -- whom it is nothing to


def test_a_phone_that_asks_in_the_trunks_name_learns_nothing(scenes: Scenes) -> None:
    """It may even know how we share the work."""
    scene = scenes()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for value in (challenge_text(REALM, "n1"), challenge_text(REALM, "n1") + ", by-proxy=1"):
        a = called(alice, bob.aor)
        arrived = bob << "INVITE"
        bob >> challenge(arrived, value)
        bob << "ACK"
        if "by-proxy" in value:
            arrived = bob << "INVITE"
            bob >> challenge(arrived, value)  # the same round again is not answered
            bob << "ACK"
        assert "response=" not in str(arrived) and USER not in str(arrived)
        alice >> a.ack(alice << "407 INVITE")  # whoever called may have credentials for that realm


def test_a_phone_that_asks_in_a_call_learns_nothing(scenes: Scenes) -> None:
    scene = scenes()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    a.phone >> a.request("INFO")
    arrived = b.phone << "INFO"
    for number in range(1, MAX_ROUNDS + 1):
        b.phone >> challenge(arrived, f"{challenge_text(REALM, 'n1')}, by-proxy={number}")
        arrived = b.phone << "INFO"
        assert "response=" not in str(arrived) and USER not in str(arrived)
    b.phone >> challenge(arrived, f"{challenge_text(REALM, 'n1')}, by-proxy={MAX_ROUNDS + 1}")
    a.phone << "407 INFO"
    hang_up(a, b)


def test_a_trunk_without_credentials_asks_the_caller(make_scene: MakeScene) -> None:
    """As ever: its challenge goes to the phone that calls."""
    carrier_of_none = Entity("carrier", parse_uri("sip:192.0.2.80"), numbers=("0",))
    assert replace(carrier_of_none, credentials=None) == carrier_of_none
    scene = make_scene(entities=(carrier_of_none,))
    trunk = carrier(scene)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    trunk >> challenge(trunk << "INVITE")
    trunk << "ACK"
    answer = a.phone << "407 INVITE"
    assert "by-proxy" not in str(answer)
    a.phone >> a.ack(answer)
