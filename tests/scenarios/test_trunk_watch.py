"""Trunks that are asked by OPTIONS: a dead one is passed over, found again when it answers; targets of a name apart."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.dial_plan import DialPlan
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.routing_policy import RoutingPolicy
from b2bua.sip.message import Message, Request
from b2bua.sip.next_hop import Srv
from b2bua.sip.parser import parse_message
from b2bua.sip.uri import parse_uri
from tests.scenarios.scene import MakeScene, Scene, called
from tests.scenarios.script_phone import ScriptPhone, response

ONE = Entity("one", parse_uri("sip:192.0.2.80"), (("192.0.2.80", 5060),))
TWO = Entity("two", parse_uri("sip:192.0.2.81"), (("192.0.2.81", 5060),))
INTERVAL = 20.0
PATIENCE = 8.1


class Trunk(ScriptPhone):
    """Answers OPTIONS by itself, with `status`; 0: not at all."""

    status = 200
    asked: list[Request]

    def datagram(self, data: bytes, source: tuple[str, int]) -> None:
        if not data.startswith(b"OPTIONS "):
            super().datagram(data, source)
            return
        request = parse_message(data)
        assert isinstance(request, Request)
        if (request.call_id, request.cseq) not in {(known.call_id, known.cseq) for known in self.asked}:
            self.asked.append(request)
        if self.status:
            self.network.send(response(request, self.status, "there").encode(), self.address, self.server)


def trunk(scene: Scene, host: str, port: int = 5060, status: int = 200) -> Trunk:
    made = Trunk(scene.network, f"trunk-{host}", (host, port))
    made.asked, made.status = [], status
    scene.phones.append(made)
    return made


@pytest.fixture
def make_watched(make_scene: MakeScene) -> MakeScene:
    """Number 0 goes by entity one, else by two."""

    def make(*entities: Entity, **options: Any) -> Scene:
        entities = entities or (ONE, TWO)
        policies = tuple(RoutingPolicy(entity.name, entity, rank) for rank, entity in enumerate(entities))
        plan = DialPlan(entities, (DialPattern("all", read_pattern("0"), policies),))
        return make_scene(**{"entities": entities, "plan": plan, "watch": INTERVAL, **options})

    return make


def goes_to(scene: Scene, wanted: Trunk) -> None:
    """A call goes there at once, and to nobody else."""
    caller = scene.phone("6001") if not any(phone.user == "6001" for phone in scene.phones) else scene.phones[-1]
    a = called(caller, "sip:0170@example.com")
    wanted >> response(wanted << "INVITE", 486, "busy")
    wanted << "ACK"
    caller >> a.ack(caller << "486 INVITE")


def ups(scene: Scene) -> dict[str, bool]:
    return {watch.entity.name: watch.up for watch in scene.server.watches}


def test_the_question(make_watched: MakeScene) -> None:
    scene = make_watched(ONE)
    one = trunk(scene, "192.0.2.80")
    scene.advance(1)
    [asked] = one.asked
    assert asked.uri == "sip:192.0.2.80" and asked.to.uri == "sip:192.0.2.80" and asked.from_.uri == "sip:example.com"
    assert asked.has("Contact") and asked.get("Max-Forwards") == "70" and asked.get("Accept") == "application/sdp"
    scene.advance(INTERVAL)
    assert [later.cseq for later in one.asked] == [asked.cseq, asked.cseq + 1]
    assert one.asked[1].call_id == asked.call_id and scene.server.watches[0].rtt is not None


def test_a_dead_one_is_passed_over_and_found_again(make_watched: MakeScene) -> None:
    scene = make_watched()
    one, two = trunk(scene, "192.0.2.80", status=0), trunk(scene, "192.0.2.81")
    scene.advance(PATIENCE)
    assert ups(scene) == {"one": False, "two": True}
    goes_to(scene, two)
    one.status = 200
    scene.advance(INTERVAL)
    assert ups(scene) == {"one": True, "two": True}
    goes_to(scene, one)
    told = [line for line in scene.server.reports if line.startswith("trunk_")]
    assert told == ["trunk_lost entity=one", "trunk_found entity=one"]


@pytest.mark.parametrize(("status", "up"), [(200, True), (404, True), (405, True), (407, True), (500, True), (503, False)])
def test_what_an_answer_means(make_watched: MakeScene, status: int, up: bool) -> None:
    scene = make_watched(ONE)
    trunk(scene, "192.0.2.80", status=status)
    scene.advance(INTERVAL + 0.1)
    assert ups(scene) == {"one": up}


def test_where_all_are_dead_they_are_tried(make_watched: MakeScene) -> None:
    """It may be that they do not like OPTIONS."""
    scene = make_watched()
    two = trunk(scene, "192.0.2.81", status=0)
    scene.advance(PATIENCE)
    assert ups(scene) == {"one": False, "two": False}
    goes_to(scene, two)


def test_of_the_targets_of_a_name_the_dead_one_is_passed_over(make_watched: MakeScene) -> None:
    scene = make_watched(Entity("named", parse_uri("sip:sip.example.net")))
    scene.server.dns.zone = {
        ("_sip._udp.sip.example.net", "SRV"): (Srv(0, 0, 5060, "one.example.net"), Srv(1, 0, 5070, "two.example.net")),
        ("one.example.net", "A"): ("192.0.2.80",),
        ("two.example.net", "A"): ("192.0.2.81",),
    }
    one, two = trunk(scene, "192.0.2.80", status=0), trunk(scene, "192.0.2.81", 5070)
    scene.advance(300 + INTERVAL + PATIENCE)  # the first round found no such name, which the resolver remembers
    assert ups(scene) == {"named": True}
    assert one.asked and two.asked
    goes_to(scene, two)
    del scene.server.dns.zone["_sip._udp.sip.example.net", "SRV"]
    scene.server.dns.zone["sip.example.net", "A"] = ("192.0.2.82",)
    scene.advance(4000)  # what the DNS said is forgotten
    assert not scene.server.watches[0].hops._silent - {("udp", ("192.0.2.82", 5060))}


def test_a_name_that_leads_nowhere(make_watched: MakeScene) -> None:
    scene = make_watched(Entity("lost", parse_uri("sip:sip.example.org")))
    scene.advance(1)
    assert ups(scene) == {"lost": False}
    scene.advance(2 * INTERVAL)
    assert [line for line in scene.server.reports if line.startswith("trunk_")] == ["trunk_lost entity=lost"]


def test_by_tcp_where_nobody_listens(make_watched: MakeScene) -> None:
    by_tcp = Entity("tcp", parse_uri("sip:192.0.2.80;transport=tcp"), (("192.0.2.80", 0),))
    scene = make_watched(by_tcp, TWO, tcp=True)
    two = trunk(scene, "192.0.2.81")
    scene.advance(PATIENCE)
    assert ups(scene) == {"tcp": False, "two": True}
    goes_to(scene, two)


def test_a_late_answer_counts_for_nothing(make_watched: MakeScene) -> None:
    scene = make_watched(ONE)
    one = trunk(scene, "192.0.2.80", status=0)
    scene.advance(PATIENCE)
    late: Message = one.asked[0]
    one >> response(late, 200, "late")
    assert ups(scene) == {"one": False}


def test_nobody_is_asked_by_default(make_watched: MakeScene) -> None:
    scene = make_watched(watch=0)
    one = trunk(scene, "192.0.2.80")
    scene.advance(60)
    assert one.asked == [] and scene.server.watches == []
