"""Faults on purpose, on the whole server: what phones see of each, what the trace says, and that the same run repeats."""

from __future__ import annotations

import pytest

from b2bua.session_manager.entities import Entity
from b2bua.sip.message import Request
from b2bua.sip.uri import parse_uri
from b2bua.trace.records import Reader
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    answered,
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
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(trace=500)


def marks(scene: Scene) -> list[str]:
    """`500 OK INVITE: fault 1: dropped` of each message that a fault touched, as the trace has it."""
    records = Reader(scene.server.recorder).read(scene.server.recorder.entries())
    return [
        f"{record['message'].split(chr(13))[0].split(' sip:')[0].removeprefix('SIP/2.0 ')}: {record['fault']}"
        for record in records
        if record is not None and "fault" in record
    ]


def test_a_dropped_200_comes_again(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("drop user=6001 direction=out method=INVITE status=200")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    alice.hears_nothing()
    scene.advance(0.6)
    answer = alice << "200 INVITE a=sendrecv"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)
    assert marks(scene) == ["200 Whatever: fault 1: dropped"]
    assert scene.count("faults_injected", "drop") == 1


def test_nothing_of_it_is_left_once_it_is_spent(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    server = scene.server
    before = server.deliver, server.layer.user, server.socket.put
    installation = server.fault("drop method=OPTIONS user=6001")
    assert installation.installed and server.deliver != before[0]
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    alice.hears_nothing()
    assert not installation.installed
    assert (server.deliver, server.layer.user, server.socket.put) == before
    assert [(one.matched, one.acted, one.spent) for one in installation.faults.standing] == [(1, 1, True)]
    hang_up(*talk(alice, bob))


def test_taken_away_it_acts_no_more(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    installation = scene.server.fault("answer method=INVITE code=503 count=all")
    alice >> (a := ScriptCall(alice, bob.aor)).invite(a.sdp())
    alice >> a.ack(alice << "503 INVITE")
    assert installation.faults.remove(1) and not installation.installed
    assert not installation.faults.remove(1)
    hang_up(*talk(alice, bob))


def test_the_nth_and_those_behind_it(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("answer method=OPTIONS code=500 nth=2 count=2")
    found = []
    for _ in range(5):
        alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
        found.append((alice.inbox.popleft()).start_line().split()[1])
    assert found == ["200", "500", "500", "200", "200"]


def test_an_answer_is_one_for_all_copies_of_a_request(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("answer method=INVITE code=486")
    a = ScriptCall(alice, bob.aor)
    text = a.invite(a.sdp())
    alice >> text
    busy = alice << "486 INVITE"
    alice >> text
    assert [message.start_line() for _, message in alice.repeated] == [busy.start_line()]
    alice >> a.ack(busy)
    bob.hears_nothing()
    assert marks(scene) == ["INVITE: fault 1: answered 486"]


def test_491_to_a_hold_and_the_next_try_goes_through(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.fault("answer user=6001 method=re-INVITE code=491")
    alice >> a.invite(a.sdp("sendonly"))
    alice >> a.ack(alice << "491 INVITE")
    bob.hears_nothing()
    a.version -= 1
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_491_in_the_place_of_the_far_phone_is_retried(make_scene: MakeScene) -> None:
    scene = make_scene(trace=500, uniform=lambda low, high: low)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.fault("answer user=6002 direction=out method=re-INVITE code=491")
    send_offer(a, a.sdp("sendonly"))
    scene.advance(0.1)
    bob.inbox.clear()  # the ACK of what it has never sent
    scene.advance(2.2)
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    hang_up(a, b)
    assert scene.count("glare", "retried") == 1
    assert marks(scene) == ["INVITE: fault 1: answered 491", "491 Request Pending: fault 1: answered 491"]


@pytest.mark.parametrize("stale", [True, False])
def test_407_with_and_without_stale(scene: Scene, stale: bool) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.fault(f"challenge user=6001 method=re-INVITE stale={'yes' if stale else 'no'}")
    alice >> a.invite(a.sdp("sendonly"))
    challenge = alice << "407 INVITE"
    assert ("stale=true" in (challenge.get("Proxy-Authenticate") or "")) == stale
    alice >> a.ack(challenge)
    # The nonce is one of ours: who answers it goes on.
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_a_lost_notify_is_sent_again_and_the_lamp_is_right(scene: Scene) -> None:
    a, b = watched_call(scene)
    alice = a.phone
    scene.server.fault("drop user=6001 method=NOTIFY")
    known = len(alice.notified)
    hold(a, b)
    assert len(alice.notified) == known
    scene.advance(0.6)
    assert renderings(alice) == ("no", "")
    resume(a, b)
    hang_up(a, b)
    scene.advance(3)
    assert marks(scene) == ["NOTIFY: fault 1: dropped"]


def test_a_notify_lost_for_good_ends_in_408(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("drop user=6001 direction=out method=NOTIFY count=all")
    call = ScriptCall(alice, alice.aor)
    text = call.request("SUBSCRIBE", "", "Event: dialog", "Expires: 3600")
    alice >> text
    challenge = alice << "401 SUBSCRIBE"
    authorization = alice.credentials(challenge, "SUBSCRIBE", alice.aor)
    alice >> call.request("SUBSCRIBE", "", "Event: dialog", "Expires: 3600", authorization)
    alice << "200 SUBSCRIBE"
    scene.advance(33)
    assert not alice.notified
    assert scene.count("notify", "dialog", "408") == 1


def test_a_late_request_is_served_late(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("delay user=6001 method=OPTIONS seconds=0.4")
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    scene.advance(0.35)
    alice.hears_nothing()
    scene.advance(0.1)
    alice << "200 OPTIONS"
    assert marks(scene) == ["OPTIONS: fault 1: delayed by 0.4 s"]


def test_a_late_response_leaves_late(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("delay user=6001 method=OPTIONS status=2xx seconds=1.5")
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    scene.advance(1.4)
    alice.hears_nothing()
    scene.advance(0.2)
    alice << "200 OPTIONS"
    assert marks(scene) == ["200 OK: fault 1: delayed by 1.5 s"]


def test_what_comes_twice_is_served_once(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("duplicate user=6001 method=INVITE direction=in count=all")
    scene.server.fault("duplicate user=6002 direction=out method=INVITE")
    a, b = talk(alice, bob)
    assert [message.start_line().split()[0] for _, message in bob.repeated] == ["INVITE"]
    hang_up(a, b)
    assert scene.count("faults_injected", "duplicate") == 3


def test_a_wrong_tag_belongs_to_no_dialog(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.fault("tag user=6002 direction=out method=BYE")
    alice >> a.request("BYE")
    alice << "200 BYE"
    bye = bob << "BYE"
    assert isinstance(bye, Request) and bye.to.tag.startswith("wrong-")
    bob >> b.answer(bye, 481)
    assert marks(scene) == ["BYE: fault 1: a wrong tag"]


def test_an_oversized_message_has_the_size_that_was_asked_for(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("pad user=6002 direction=out method=INVITE bytes=9000")
    a, b, arrived = invite(alice, bob)
    assert len(arrived.encode()) == 9000
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    answered(a, b, arrived)
    hang_up(a, b)
    assert marks(scene) == ["INVITE: fault 1: padded to 9000 bytes"]


def test_only_the_phone_that_was_meant(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault("answer user=6002 method=OPTIONS code=500 count=all")
    alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
    alice << "200 OPTIONS"
    bob >> ScriptCall(bob, "sip:example.com").request("OPTIONS")
    bob << "500 OPTIONS"


def test_only_the_trunk_that_was_meant(make_scene: MakeScene) -> None:
    trunk = Entity("carrier", parse_uri("sip:192.0.2.80:5060"), (("192.0.2.80", 5060),), trusted=True, numbers=("0",))
    scene = make_scene(trace=500, entities=(trunk,))
    alice = scene.phone("6001")
    carrier = ScriptPhone(scene.network, "carrier", ("192.0.2.80", 5060), "carrier")
    scene.phones.append(carrier)
    scene.server.fault("answer trunk=carrier direction=out method=INVITE code=486")
    a = called(alice, "sip:0123@example.com")
    scene.advance(0.1)
    alice >> a.ack(alice << "486 INVITE")
    scene.advance(0.1)
    carrier.inbox.clear()  # the ACK of what it has never sent


def chances(make_scene: MakeScene, seed: int) -> list[bool]:
    """Which of 40 OPTIONS were lost."""
    scene = make_scene(trace=500)
    alice = scene.phone("6001")
    scene.server.fault(f"drop user=6001 direction=in method=OPTIONS chance=0.3 seed={seed}")
    found = []
    for _ in range(40):
        alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
        found.append(not alice.inbox)
        alice.inbox.clear()
    return found


def test_a_seed_makes_a_run_repeat(make_scene: MakeScene) -> None:
    first, again, other = chances(make_scene, 7), chances(make_scene, 7), chances(make_scene, 8)
    assert first == again != other
    assert 4 <= sum(first) <= 22


def test_the_first_that_acts_has_the_message(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.server.fault("answer method=OPTIONS code=500")
    installation = scene.server.fault("answer method=OPTIONS code=600")
    found = []
    for _ in range(3):
        alice >> ScriptCall(alice, "sip:example.com").request("OPTIONS")
        found.append(alice.inbox.popleft().start_line().split()[1])
    assert found == ["500", "600", "200"]
    assert [one.matched for one in installation.faults.standing] == [1, 1]


def test_a_fault_touches_no_link_of_ours(scene: Scene) -> None:
    """What Session Manager and Communication Manager say to each other is theirs, in process and over a network alike."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    installation = scene.server.fault("drop method=PUBLISH count=all")
    a, b = talk(alice, bob)
    scene.advance(2)
    assert alice.lamp.dialogs[0].state == "confirmed"
    hang_up(a, b)
    scene.advance(3)
    assert installation.faults.standing[0].matched == 0


def test_without_a_trace_the_message_names_the_phone(make_scene: MakeScene) -> None:
    scene = make_scene(trace=0)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    _, b = talk(alice, bob)
    scene.server.fault("answer user=6001 direction=out method=BYE code=481")
    bob >> b.request("BYE")
    bob << "200 BYE"
    scene.advance(0.2)
    alice.hears_nothing()
