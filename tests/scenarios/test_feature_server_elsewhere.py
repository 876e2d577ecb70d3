"""Communication Manager on another host: what the network and two processes bring up beside all the other scenarios."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request, Response
from b2bua.trace.records import Reader, Record
from tests.scenarios.options import DOMAIN
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    called,
    hang_up,
    hold,
    invite,
    renderings,
    resume,
    send_offer,
    talk,
    watch,
    watched_call,
)  # fmt: skip
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, response
from tests.scenarios.virtual_network import FEATURE_SERVER, LINK

elsewhere = pytest.mark.parametrize("make_scene", ["udp"], indirect=True)
PUBLISHED = 121
"""Seconds within which what a dead feature server published is gone."""
SECOND, SECOND_LINK = ("192.0.2.3", 5071), ("192.0.2.1", 5072)


def records(scene: Scene) -> list[Record]:
    recorder = scene.server.recorder
    return [record for record in Reader(recorder).read(recorder.entries()) if record is not None]


# ---- up and down


@elsewhere
def test_a_feature_server_that_is_known_to_be_down_costs_no_time(make_scene: MakeScene) -> None:
    scene = make_scene(heartbeat=5.0)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    hang_up(*talk(alice, bob))
    scene.server.remotes["cm"].kill()
    scene.advance(10.1)
    refused = called(alice, bob.aor)
    alice >> refused.ack(alice << "480 INVITE")
    bob.hears_nothing()
    scene.server.start_remote("cm", FEATURE_SERVER, LINK)
    scene.advance(0.1)
    hang_up(*talk(alice, bob))


@elsewhere
def test_a_feature_server_that_comes_later(make_scene: MakeScene) -> None:
    """Nobody tells Session Manager: its own question finds it, within T2."""
    scene = make_scene(heartbeat=5.0)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    remote = scene.server.remotes["cm"]
    remote.kill()
    scene.advance(120)
    scene.network.attach(remote, FEATURE_SERVER)
    scene.network.each_tick.append(remote.timers.advance)
    scene.advance(4.1)
    hang_up(*talk(alice, bob))


@elsewhere
def test_a_call_while_it_is_not_known_yet_ends_after_64_t1(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.remotes["cm"].kill()
    a = called(alice, bob.aor)
    alice << "100 INVITE"
    assert scene.wait(alice, TIMEOUT) > 31
    alice >> a.ack(alice << "408 INVITE")
    bob.hears_nothing()
    scene.server.start_remote("cm", FEATURE_SERVER, LINK)


@elsewhere
def test_the_link_is_asked_and_asks(make_scene: MakeScene) -> None:
    scene = make_scene(heartbeat=5.0)
    scene.advance(20.1)
    asked = [message for message in scene.linked("SM", "CM", "OPTIONS") if isinstance(message, Request)]
    asks = [message for message in scene.linked("CM", "SM", "OPTIONS") if isinstance(message, Request)]
    assert (asked[-1].cseq, asks[-1].cseq) == (5, 4), "whoever is heard for the first time is asked at once"
    answers = scene.linked("SM", "CM", "OPTIONS") + scene.linked("CM", "SM", "OPTIONS")
    assert {message.status for message in answers if isinstance(message, Response)} == {200}


# ---- killed in a call


@elsewhere
def test_killed_in_a_call(make_scene: MakeScene) -> None:
    """What is asked in the call meanwhile fails by time-out, and nothing is left behind in Session Manager."""
    scene = make_scene(heartbeat=5.0)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.remotes["cm"].kill()
    send_offer(a, a.sdp("sendonly"))
    alice << "100 INVITE"
    scene.wait(alice, TIMEOUT)
    alice >> a.ack(alice << "408 INVITE")
    bob >> b.request("BYE")
    scene.advance(TIMEOUT)
    bob.hears_nothing()  # RFC 4320: no 408 to a BYE
    alice.hears_nothing()
    scene.server.start_remote("cm", FEATURE_SERVER, LINK)
    scene.advance(PUBLISHED)


@elsewhere
def test_started_anew_it_knows_no_call_of_before(make_scene: MakeScene) -> None:
    scene = make_scene(heartbeat=5.0)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.remotes["cm"].kill()
    scene.server.start_remote("cm", FEATURE_SERVER, LINK)
    send_offer(a, a.sdp("sendonly"))
    alice >> a.ack(alice << "481 INVITE")
    bob >> b.request("BYE")
    bob << "481 BYE"
    hang_up(*talk(alice, bob))
    scene.advance(PUBLISHED)


@elsewhere
def test_the_lamps_of_a_dead_feature_server_go_out(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, _ = watched_call(scene)
    assert a.phone.lamp.dialogs[0].state == "confirmed"
    scene.server.remotes["cm"].kill()
    scene.advance(PUBLISHED)
    assert [(dialog.id, dialog.state) for dialog in a.phone.lamp.dialogs] == [("idle", "terminated")]
    scene.server.start_remote("cm", FEATURE_SERVER, LINK)


@elsewhere
def test_the_lamps_of_a_living_one_are_refreshed(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, b = watched_call(scene)
    scene.advance(3 * PUBLISHED)
    assert a.phone.lamp.dialogs[0].state == b.phone.lamp.dialogs[0].state == "confirmed"
    hang_up(a, b)


# ---- who is heard on the link


@elsewhere
def test_strangers_are_not_heard_on_the_link(make_scene: MakeScene) -> None:
    scene = make_scene()
    mallory = ScriptPhone(scene.network, "6004", ("192.0.2.2", 5099))  # the feature server's host, another port
    call = ScriptCall(mallory, f"sip:6002@{DOMAIN}")
    for request in (call.invite(call.sdp()), call.request("PUBLISH"), call.request("OPTIONS", target=f"sip:{DOMAIN}")):
        scene.network.send(request.encode(), mallory.address, LINK)
        scene.network.run()
    mallory.hears_nothing()
    assert scene.count("messages_dropped", "stranger on a link") == 3


@elsewhere
def test_the_feature_server_at_another_listener_is_a_phone(make_scene: MakeScene) -> None:
    """The link is the listener and the peer together: at the listener for phones the same peer is challenged."""
    scene = make_scene()
    peer = ScriptPhone(scene.network, "6003", ("192.0.2.2", 5099))
    call = ScriptCall(peer, f"sip:6002@{DOMAIN}")
    peer >> call.invite(call.sdp(), "Route: <sip:fs=cm@192.0.2.1:5060;lr;fs=cm>")
    peer >> call.ack(peer << "407 INVITE")


@elsewhere
def test_a_route_of_two_feature_servers_is_not_a_phones(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    own, a.routes = a.routes, [
        f"<sip:{scene.server.session_manager._parts.tokens.between('cm', 'cm', a.call_id)}@192.0.2.1:5060;lr>"
    ]
    alice >> a.request("BYE")
    alice << "403 BYE"
    a.routes = own
    hang_up(a, b)


# ---- the route to it and back


@elsewhere
def test_the_routes_on_the_link(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    to_cm = next(message for message in scene.linked("SM", "CM", "INVITE") if isinstance(message, Request))
    first, second = to_cm.elements("Route")
    assert first == "<sip:192.0.2.2:5071;lr>"
    assert second.endswith("@192.0.2.1:5060;lr>")
    towards_link, towards_phone = to_cm.elements("Record-Route")
    assert towards_link == "<sip:192.0.2.1:5070;lr>" and towards_phone.endswith("@192.0.2.1:5060;lr>")
    from_cm = next(message for message in scene.linked("CM", "SM", "INVITE") if isinstance(message, Request))
    assert from_cm.elements("Route") == [second]
    assert a.target.endswith("@192.0.2.1:5060;fs=cm") and b.target.endswith("@192.0.2.1:5060;fs=cm")
    hang_up(a, b)


# ---- a sequence of two


class TestTwoInARow:
    """A call passes both: three dialogs, of which one is between the two feature servers."""

    @pytest.fixture
    def scene(self, make_scene: MakeScene) -> Scene:
        scene = make_scene(features=("hold",), trace=1000)
        scene.server.start_remote("second", SECOND, SECOND_LINK)
        return scene

    @pytest.mark.parametrize("holder", ["caller", "callee"])
    def test_hold_and_resume(self, scene: Scene, holder: str) -> None:
        alice, bob = scene.phone("6001"), scene.phone("6002")
        a, b, arrived = invite(alice, bob)
        assert arrived.get("Max-Forwards") == "65", "three times Session Manager, twice a feature server"
        bob >> b.answer(arrived, 200, b.sdp())
        answer = alice << "200 INVITE"
        a.learn(answer)
        alice >> a.ack(answer)
        bob << "ACK"
        near, far = (a, b) if holder == "caller" else (b, a)
        hold(near, far)
        resume(near, far)
        hang_up(far, near)
        calls = {record["call"] for record in records(scene) if "REGISTER" not in record["message"]}
        assert calls == {a.call_id}
        assert len({record["message"].partition("Call-ID: ")[2].partition("\r")[0] for record in records(scene)
                    if record["call"]}) == 3  # fmt: skip

    def test_cancelled(self, scene: Scene) -> None:
        alice, bob = scene.phone("6001"), scene.phone("6002")
        a, b, arrived = invite(alice, bob)
        bob >> b.answer(arrived, 180)
        alice << "180 INVITE"
        alice >> a.cancel()
        alice << "200 CANCEL"
        alice >> a.ack(alice << "487 INVITE")
        bob >> response(bob << "CANCEL", 200)
        bob >> b.answer(arrived, 487)
        bob << "ACK"

    def test_the_second_is_down(self, scene: Scene) -> None:
        alice, bob = scene.phone("6001"), scene.phone("6002")
        link = scene.server.links.named("second")
        assert link is not None
        link.up = False
        refused = called(alice, bob.aor)
        alice >> refused.ack(alice << "480 INVITE")
        bob.hears_nothing()


# ---- the trace


def test_the_trace_joins_the_legs_and_numbers_the_steps(make_scene: MakeScene) -> None:
    """Over either link: one call, its PUBLISHes and NOTIFYs too, from its first message on."""
    scene = make_scene(trace=10_000)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    scene.advance(1.1)
    a, b = talk(alice, bob)
    scene.advance(2)
    hold(a, b)
    scene.advance(2)
    resume(a, b)
    hang_up(a, b)
    found = records(scene)
    of_call = [record for record in found if record["call"] is not None]
    assert {record["call"] for record in of_call} == {a.call_id}
    methods = {record["message"].partition(" ")[0] for record in of_call}
    assert methods == {"INVITE", "ACK", "BYE", "PUBLISH", "NOTIFY", "SIP/2.0"}
    rest = {record["message"].partition(" ")[0] for record in found if record["call"] is None}
    assert rest == {"REGISTER", "SUBSCRIBE", "NOTIFY", "SIP/2.0"}
    steps = [(record["step"], record["source"], record["destination"]) for record in found if "step" in record]
    assert set(steps) == {
        (1, "6001", "SM"), (2, "SM", "6001"), (3, "6001", "SM"), (4, "SM", "CM"), (5, "CM", "SM"), (6, "CM", "SM"),
        (7, "SM", "6001"), (8, "SM", "6002"), (9, "6002", "SM"),
    }  # fmt: skip
    numbers = [step for step, _, _ in steps]
    assert [one for one in dict.fromkeys(numbers) if one != 7] == [1, 2, 3, 4, 5, 6, 8, 9]
    assert numbers.index(5) < numbers.index(7)
    assert {record["transport"] for record in found if "CM" in (record["source"], record["destination"])} == {
        scene.server.options.link
    }


@elsewhere
def test_the_feature_servers_own_trace(make_scene: MakeScene) -> None:
    """Its process sees the link only, with itself as CM, and knows its calls by itself."""
    scene = make_scene(trace=1000)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    recorder = scene.server.remotes["cm"].recorder
    found = [record for record in Reader(recorder).read(recorder.entries()) if record is not None]
    assert {(record["source"], record["destination"]) for record in found} == {("CM", "SM"), ("SM", "CM")}
    assert {record["call"] for record in found} == {a.call_id}
    assert not [record for record in found if record["retransmission"]]


# ---- lamps


@elsewhere
def test_the_lamp_is_published_as_a_body(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, b = watched_call(scene)
    hold(a, b)
    published = [message for message in scene.linked("CM", "SM", "PUBLISH") if isinstance(message, Request)]
    assert all(message.content is None for message in published) and any(message.body for message in published)
    assert renderings(a.phone) == ("no", "") and renderings(b.phone) == ("", "no")
    resume(a, b)
    hang_up(a, b)


