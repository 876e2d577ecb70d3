"""Numbers that no user has: dial patterns, policies by rank and time, the next entity when one does not serve, adaptation."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.session_manager.adaptation import Adaptation
from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.dial_plan import DialPlan
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.header_rule import read_header_rule
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.number_rule import read_number_rule
from b2bua.session_manager.routing_policy import RoutingPolicy
from b2bua.session_manager.time_range import WeekTime, read_time_range
from b2bua.sip.message import Message
from b2bua.sip.uri import parse_uri
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.scene import TIMEOUT, MakeScene, Scene, answered, called, hang_up, hold, resume
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, response

NATIONAL = Adaptation(
    "national",
    called_out=tuple(map(read_number_rule, ("00:2:+", "0:1:+49"))),
    called_in=(read_number_rule("+4989123:8:"),),
    asserted_out=(read_number_rule("6:0:+4989123"),),
    asserted_in=(read_number_rule("+49:3:0"),),
    headers_out=tuple(map(read_header_rule, ("remove:User-Agent", "add:X-Trunk:lab", "replace:Subject:call"))),
    headers_in=(read_header_rule("remove:X-Internal"),),
)
ONE = Entity("one", parse_uri("sip:192.0.2.80"), (("192.0.2.80", 5060),), trusted=True, adaptation=NATIONAL)
TWO = Entity("two", parse_uri("sip:192.0.2.81"), (("192.0.2.81", 5060),))
BY_DAY = (read_time_range("mon-fri/08:00-18:00"),)


def plan(first: RoutingPolicy, second: RoutingPolicy | None = None, **pattern: Any) -> DialPlan:
    policies = (first,) if second is None else (first, second)
    known = DialPattern("national", read_pattern("0"), policies, **pattern)
    return DialPlan((ONE, TWO), (known, DialPattern("premium", read_pattern("0900"), ())))


@pytest.fixture
def make_plan_scene(make_scene: MakeScene) -> MakeScene:
    def make(first: RoutingPolicy, second: RoutingPolicy | None = None, **options: Any) -> Scene:
        pattern = options.pop("pattern", {})
        return make_scene(entities=(ONE, TWO), plan=plan(first, second, **pattern), **options)

    return make


@pytest.fixture
def scene(make_plan_scene: MakeScene) -> Scene:
    """Entity one first, two behind it."""
    return make_plan_scene(RoutingPolicy("a", ONE, timeout=4.0), RoutingPolicy("b", TWO, 1))


def trunk(scene: Scene, entity: Entity) -> ScriptPhone:
    """The far end of a trunk, which is nobody's phone."""
    made = ScriptPhone(scene.network, entity.name, entity.sources[0])
    made.aor = f"sip:0170@{entity.sources[0][0]}"
    scene.phones.append(made)
    return made


def refuse(at: ScriptPhone, status: int, *lines: str) -> Message:
    arrived = at << "INVITE"
    at >> ScriptCall.of(at, arrived).answer(arrived, status, "", *lines)
    at << "ACK"
    return arrived


def serve(a: ScriptCall, at: ScriptPhone) -> tuple[ScriptCall, Message]:
    arrived = at << "INVITE"
    b = ScriptCall.of(at, arrived)
    answered(a, b, arrived)
    return b, arrived


def unserved(a: ScriptCall, status: int) -> None:
    a.phone >> a.ack(a.phone << f"{status} INVITE")


# -- patterns, times, callers ---------------------------------------------------------------------------------------


def test_by_rank_and_with_hold(scene: Scene) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    b, _ = serve(a, one)
    hold(a, b)
    resume(a, b)
    hang_up(b, a)
    two.hears_nothing()


def test_the_most_precise_pattern_decides_alone(scene: Scene) -> None:
    one = trunk(scene, ONE)
    a = called(scene.phone("6001"), "sip:09001@example.com")
    answer = a.phone << "403 INVITE"
    a.phone >> a.ack(answer)
    one.hears_nothing()


def test_outside_the_times_of_every_policy(make_plan_scene: MakeScene) -> None:
    scene = make_plan_scene(RoutingPolicy("a", ONE, times=BY_DAY), week_time=WeekTime(5, 600))
    one = trunk(scene, ONE)
    unserved(called(scene.phone("6001"), "sip:0170@example.com"), 480)
    one.hears_nothing()


def test_outside_the_times_of_the_first(make_plan_scene: MakeScene) -> None:
    scene = make_plan_scene(
        RoutingPolicy("a", ONE, times=BY_DAY), RoutingPolicy("b", TWO, 1), week_time=WeekTime(0, 18 * 60)
    )
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    b, _ = serve(a, two)
    hang_up(a, b)
    one.hears_nothing()


def test_a_pattern_for_certain_callers(make_plan_scene: MakeScene) -> None:
    scene = make_plan_scene(RoutingPolicy("b", TWO), pattern={"callers": (read_pattern("6001$"),)})
    two = trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    b, _ = serve(a, two)
    hang_up(a, b)
    unserved(called(scene.phone("6002"), "sip:0170@example.com"), 404)


def test_who_has_proven_nothing_does_not_call_out_by_his_word(make_plan_scene: MakeScene) -> None:
    """Where INVITEs are not challenged: a From of somebody who may call out opens nothing."""
    scene = make_plan_scene(
        RoutingPolicy("b", TWO), pattern={"callers": (read_pattern("6001$"),)}, challenge={"INVITE": "none"}
    )
    two = trunk(scene, TWO)
    a = ScriptCall(scene.phone("6001"), "sip:0170@example.com")
    a.phone >> a.invite(a.sdp())
    unserved(a, 403)
    two.hears_nothing()


# -- the next entity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_the_next_one_when_one_cannot(scene: Scene, status: int) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, status)
    b, arrived = serve(a, two)
    assert str(arrived).startswith("INVITE sip:0170@192.0.2.81 SIP/2.0"), "adapted for the one, not for the other"
    hold(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("status", [404, 480, 486, 501, 603])
def test_what_is_said_of_the_callee_is_the_answer(scene: Scene, status: int) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, status)
    unserved(a, status)
    two.hears_nothing()


def test_on_what_the_next_one_is_asked_is_a_setting(make_plan_scene: MakeScene) -> None:
    scene = make_plan_scene(RoutingPolicy("a", ONE, next_on=frozenset((404,))), RoutingPolicy("b", TWO))
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, 404)
    b, _ = serve(a, two)
    hang_up(a, b)
    a = called(a.phone, "sip:0170@example.com")
    refuse(one, 500)
    unserved(a, 500)


def test_none_can(scene: Scene) -> None:
    """The last word counts: 500 for a 503, as of any other server."""
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, 504)
    refuse(two, 503)
    unserved(a, 500)


def test_silence(scene: Scene) -> None:
    """Not even a 100 within the time-out of the policy; the next call tries the other one first."""
    two = trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    scene.advance(3.9)
    two.hears_nothing()
    scene.advance(0.2)
    b, _ = serve(a, two)
    hang_up(a, b)
    a = called(a.phone, "sip:0170@example.com")
    b, _ = serve(a, two)
    hang_up(a, b)
    scene.advance(TIMEOUT)


def test_a_late_word_of_the_silent_one(scene: Scene) -> None:
    """It is cancelled as soon as it speaks, and what it says else is not passed on."""
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    late = one << "INVITE"
    scene.advance(4.1)
    arrived = two << "INVITE"
    b = ScriptCall.of(two, arrived)
    two >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    one >> ScriptCall.of(one, late).answer(late, 183)
    one >> response(one << "CANCEL", 200)
    one >> ScriptCall.of(one, late).answer(late, 487)
    one << "ACK"
    a.phone.hears_nothing()
    answered(a, b, arrived)
    hang_up(a, b)


def test_a_late_answer_of_the_silent_one(scene: Scene) -> None:
    """The call stands with the one that answered, and the other is hung up."""
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    late = one << "INVITE"
    scene.advance(4.1)
    b, _ = serve(a, two)
    c = ScriptCall.of(one, late)
    one >> c.answer(late, 200, c.sdp())
    one << "ACK"
    one >> c.answer(one << "BYE", 200)
    hang_up(a, b)


def test_whoever_says_100_has_time(scene: Scene) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    arrived = one << "INVITE"
    b = ScriptCall.of(one, arrived)
    one >> b.answer(arrived, 100)
    scene.advance(20)
    two.hears_nothing()
    answered(a, b, arrived)
    hang_up(a, b)


def test_the_caller_gives_up_while_the_second_rings(scene: Scene) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, 500)
    arrived = two << "INVITE"
    b = ScriptCall.of(two, arrived)
    two >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    two >> response(two << "CANCEL", 200)
    two >> b.answer(arrived, 487)
    two << "ACK"


def test_the_caller_gives_up_during_the_silence(scene: Scene) -> None:
    """Nobody else is asked any more."""
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    late = one << "INVITE"
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    scene.advance(5)
    one >> ScriptCall.of(one, late).answer(late, 180)
    one >> response(one << "CANCEL", 200)
    one >> ScriptCall.of(one, late).answer(late, 487)
    one << "ACK"
    two.hears_nothing()


def test_records_go_with_each_entity(make_plan_scene: MakeScene) -> None:
    """A call that changes entities waits for a record each time, and leaves none behind."""
    scene = make_plan_scene(
        RoutingPolicy("a", ONE), RoutingPolicy("b", TWO, 1), records=KeptRecords(), link="memory"
    )
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    a = called(scene.phone("6001"), "sip:0170@example.com")
    refuse(one, 500)
    b, _ = serve(a, two)
    hang_up(a, b)


def test_message(scene: Scene) -> None:
    one, two = trunk(scene, ONE), trunk(scene, TWO)
    alice = scene.phone("6001")
    call = ScriptCall(alice, "sip:0170@example.com")
    alice >> call.request("MESSAGE", "hello")
    credentials = alice.credentials(alice << "407 MESSAGE", "MESSAGE", "sip:0170@example.com")
    alice >> call.request("MESSAGE", "hello", credentials)
    one >> call.answer(one << "MESSAGE", 500)
    two >> call.answer(two << "MESSAGE", 200)
    alice << "200 MESSAGE"


# -- adaptation -----------------------------------------------------------------------------------------------------


def test_adapted_on_the_way_out(scene: Scene) -> None:
    one = trunk(scene, ONE)
    a = called(scene.phone("6001"), "sip:0170;phone-context=x@example.com", "User-Agent: phone", "Subject: hello")
    b, arrived = serve(a, one)
    assert str(arrived).startswith("INVITE sip:+49170;phone-context=x@192.0.2.80 SIP/2.0")
    assert arrived.get_all("P-Asserted-Identity") == ["<sip:+49891236001@example.com>"]
    assert arrived.get_all("X-Trunk") == ["lab"] and arrived.get("Subject") == "call" and not arrived.has("User-Agent")
    assert arrived.from_.uri == "sip:6001@example.com", "From belongs to the dialog"
    hold(a, b)
    hang_up(a, b)


def test_adapted_on_the_way_in(scene: Scene) -> None:
    one, bob = trunk(scene, ONE), scene.phone("6002")
    a = ScriptCall(one, "sip:+49891236002@example.com")
    one >> a.invite(a.sdp(), "X-Internal: 1", "P-Asserted-Identity: <sip:+49170@example.net>")
    arrived = bob << "INVITE"
    assert arrived.get("P-Asserted-Identity") == "<sip:0170@example.net>" and not arrived.has("X-Internal")
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hold(b, a)
    hang_up(a, b)


def test_not_a_users_number_behind_the_adaptation(scene: Scene) -> None:
    one = trunk(scene, ONE)
    a = ScriptCall(one, "sip:+49891239999@example.com")
    one >> a.invite(a.sdp())
    one >> a.ack(one << "404 INVITE")
