"""Whoever has agreed to a re-INVITE, and asks for something itself, has its turn however that one ends for the other party: what
features may do with its answer, an UPDATE whose time is over, a transferor that has gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from b2bua.sip.message import Message
from tests.garbage import left_to_the_collector
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    hang_up,
    invite,
    is_gone,
    pending_hold,
    renderings,
    send_offer,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_freed import LINGER
from tests.scenarios.transfer_scene import aor, refer, settle

THINKS = 3.1
SLOW = '''
"""Thinks for three seconds about an answer with a Subject, and does then what that says."""

from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError


class Slow(Feature):
    def request_received(self, call, leg, request):
        if request.method == "ACK" and b"a=inactive" in request.body:
            raise SipError(488)
        return request

    async def response_received(self, call, leg, response):
        subject = response.get("Subject")
        if not subject:
            return response
        if subject == "answers at once":
            leg.other.respond(200, response, leg.other.descriptions.ours)
        await call.sleep(40 if subject == "is slow" else 3)
        if subject in ("refuses and keeps it", "refuses and passes it"):
            leg.other.respond(488)
        if subject == "refuses and keeps it":
            return None
        if subject == "refuses":
            raise SipError(480, "Gone Fishing")
        if subject == "makes a mistake":
            raise ZeroDivisionError("oh")
        return response
'''
REFUSALS = (("refuses", 480), ("makes a mistake", 500), ("refuses and keeps it", 488), ("refuses and passes it", 488))
MakeSlowScene = Callable[..., Scene]


@pytest.fixture
def slow_scene(make_scene: MakeScene, tmp_path: Path) -> MakeSlowScene:
    """A scene with such a feature behind its own, and others."""

    def make(*features: str) -> Scene:
        (tmp_path / "slow.py").write_text(SLOW)
        return make_scene(features=("hold", "lamps", *features, "slow"), feature_directory=tmp_path)

    return make


def agreed(a: ScriptCall, b: ScriptCall, what: str = "passes it", method: str = "INVITE") -> None:
    """Alice has offered a hold, and Bob has agreed; of his answer the feature does `what`."""
    if method == "INVITE":
        arrived = pending_hold(a, b)
    else:
        a.phone >> a.request("UPDATE", a.sdp("sendonly"))
        arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"), f"Subject: {what}")
    b.phone << "ACK"
    a.phone.hears_nothing()


def ask(b: ScriptCall, method: str = "INVITE", direction: str = "inactive") -> None:
    if method == "INVITE":
        send_offer(b, b.sdp(direction))
    else:
        b.phone >> b.request("UPDATE", b.sdp(direction))


def has_its_turn(
    a: ScriptCall, b: ScriptCall, method: str = "INVITE", direction: str = "inactive", answer: str = "inactive"
) -> None:
    """What Bob has asked for goes to Alice, and he has her answer."""
    a.phone >> a.answer(a.phone << f"INVITE a={direction}", 200, a.sdp(answer))
    a.phone << "ACK"
    final = b.phone << f"200 {method} a={answer}"
    if method == "INVITE":
        b.phone >> b.ack(final)


def under_a_feature(slow_scene: MakeSlowScene, what: str) -> tuple[Scene, ScriptCall, ScriptCall]:
    """A call in which a feature is about to do this, which may be a mistake that is told."""
    scene = slow_scene()
    scene.expected_errors = int(what == "makes a mistake")
    return scene, *watched_call(scene)


def goes_on_as_before(b: ScriptCall) -> None:
    """Bob hears what stood."""
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"


# -- what a feature does with the answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "status"), REFUSALS)
def test_a_feature_refuses_what_has_been_agreed_to(slow_scene: MakeSlowScene, what: str, status: int) -> None:
    """The other party's own begins (RFC 3261 §8.2.6: each request has its answer)."""
    scene, a, b = under_a_feature(slow_scene, what)
    agreed(a, b, what)
    ask(b)
    a.phone.hears_nothing()
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    has_its_turn(a, b)
    hang_up(a, b)


@pytest.mark.row(5)
@pytest.mark.parametrize(("what", "status"), REFUSALS)
def test_who_has_agreed_to_what_is_refused_goes_on_as_before(slow_scene: MakeSlowScene, what: str, status: int) -> None:
    """The session stays as it was, for both (RFC 3261 §14.1), and the way is free for the next."""
    scene, a, b = under_a_feature(slow_scene, what)
    agreed(a, b, what)
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    goes_on_as_before(b)
    settle(scene)
    assert renderings(a.phone) == ("yes", "yes")
    ask(b)
    has_its_turn(a, b)
    hang_up(a, b)


@pytest.mark.row(5)
@pytest.mark.parametrize(("what", "status"), REFUSALS)
def test_the_same_where_it_has_made_the_offer(slow_scene: MakeSlowScene, what: str, status: int) -> None:
    """Its 2xx has an ACK all the same (RFC 3261 §13.2.2.4), which answers with what stood."""
    scene, a, b = under_a_feature(slow_scene, what)
    send_offer(a, "")
    b.phone >> b.answer(b.phone << "INVITE no-body", 200, b.sdp(), f"Subject: {what}")
    scene.advance(0.3)
    a.phone.hears_nothing()
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    b.phone << "ACK a=sendrecv"
    ask(b)
    has_its_turn(a, b)
    hang_up(a, b)


@pytest.mark.parametrize(
    ("what", "status", "final"), [(*refusal, 200) for refusal in REFUSALS] + [(*REFUSALS[0], 487), (*REFUSALS[0], 0)]
)
def test_a_feature_refuses_what_rings(slow_scene: MakeSlowScene, what: str, status: int, final: int) -> None:
    """The other party hears CANCEL, and until it has answered it has no other INVITE (RFC 3261 §14.1). Where it agrees all the
    same, it goes on as before; where it is silent, its dialog is gone."""
    scene, a, b = under_a_feature(slow_scene, what)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 180, "", f"Subject: {what}")
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    ask(a)
    a.phone >> a.ack(a.phone << "491 INVITE")
    if final:
        b.phone >> b.answer(arrived, final, b.sdp("recvonly") if final == 200 else "")
        b.phone << "ACK"
        if final == 200:
            goes_on_as_before(b)
        settle(scene)
        assert renderings(a.phone) == ("yes", "yes")
        ask(b)
        has_its_turn(a, b)
        hang_up(a, b)
    else:
        scene.advance(TIMEOUT)
        is_gone(a)
        is_gone(b)


def test_a_feature_refuses_what_rang(slow_scene: MakeSlowScene) -> None:
    """It has been agreed to meanwhile: the answer counts."""
    scene = slow_scene()
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 180, "", "Subject: refuses")
    scene.advance(1)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"), "Subject: passes it")
    b.phone << "ACK"
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


@pytest.mark.parametrize("final", [487, 200])
def test_a_feature_refuses_what_rings_and_is_asked_for_an_offer(slow_scene: MakeSlowScene, final: int) -> None:
    scene = slow_scene()
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 180, "", "Subject: refuses")
    scene.advance(THINKS)
    a.phone >> a.ack(a.phone << "480 INVITE")
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, final, b.sdp() if final == 200 else "")
    b.phone << f"ACK {'a=sendrecv' if final == 200 else ''}".strip()
    ask(b)
    has_its_turn(a, b)
    hang_up(a, b)


@pytest.mark.row(5)
def test_a_feature_refuses_what_stands_in_the_ack(slow_scene: MakeSlowScene) -> None:
    """Nobody can be told 488: both go on as before, whose 2xx it was by its ACK (RFC 3261 §13.2.2.4)."""
    scene = slow_scene()
    a, b = watched_call(scene)
    send_offer(a, "")
    b.phone >> b.answer(b.phone << "INVITE no-body", 200, b.sdp())
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv", a.sdp("inactive"))
    b.phone << "ACK a=sendrecv"
    a.phone >> a.answer(a.phone << "INVITE a=sendrecv", 200, a.sdp("sendrecv"))
    a.phone << "ACK no-body"
    ask(b)
    has_its_turn(a, b)
    hang_up(a, b)


def test_a_feature_has_answered_before(slow_scene: MakeSlowScene) -> None:
    """Then nobody waits for the answer that it lets go on: what waits for it begins all the same."""
    scene = slow_scene()
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"), "Subject: answers at once")
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    ask(b)
    scene.advance(THINKS)
    has_its_turn(a, b)
    hang_up(a, b)


# -- who has gone, what is too late ----------------------------------------------------------------------------------


def test_a_transferor_has_gone(slow_scene: MakeSlowScene) -> None:
    """Its answer comes to nothing, and another is to take its place: 491 (RFC 3261 §14.1), and the transfer goes on."""
    scene = slow_scene("transfer")
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    with left_to_the_collector() as found:
        refer(a, aor("6003"))
        arrived = carol << "INVITE no-body"
        c = ScriptCall.of(carol, arrived)
        carol >> c.answer(arrived, 180)
        agreed(a, b)
        ask(b)
        a.phone >> a.request("BYE")
        a.phone << "200 BYE"
        a.phone >> a.ack(a.phone << "487 INVITE")
        b.phone >> b.ack(b.phone << "491 INVITE")
        carol >> c.answer(arrived, 200, c.sdp())
        scene.advance(THINKS + 0.2)
        b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp())
        b.phone << "ACK no-body"
        carol << "ACK a=sendrecv"
        hang_up(c, b)
        scene.advance(LINGER)
    assert not found


def test_a_transferor_has_gone_whose_own_waits(slow_scene: MakeSlowScene) -> None:
    """487, and the other one has the answer that it waits for."""
    scene = slow_scene("transfer")
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    refer(a, aor("6003"))
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 180)
    agreed(b, a)
    ask(a)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    scene.advance(THINKS)
    b.phone >> b.ack(b.phone << "200 INVITE a=recvonly")
    carol >> c.answer(arrived, 486)
    carol << "ACK"
    is_gone(b)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_time_of_an_update_is_over(slow_scene: MakeSlowScene, method: str) -> None:
    """The other party has agreed, so it is there: 504 and not the end of the call. Its own begins then."""
    scene = slow_scene()
    a, b = watched_call(scene)
    agreed(a, b, "is slow", "UPDATE")
    scene.advance(5)
    assert (a.phone << "100 UPDATE").status == 100
    ask(b, method)
    scene.advance(24)
    a.phone << "504 UPDATE"
    if method == "UPDATE":
        b.phone << "100 UPDATE"
    has_its_turn(a, b, method)
    scene.advance(20)
    hang_up(a, b)


# -- an UPDATE whose answer waits for the record ---------------------------------------------------------------------


@pytest.fixture
def recorded() -> Scene:
    return Scene(Options(records=KeptRecords(), remote_records=KeptRecords(), link="udp", heartbeat=5.0))


def write_slowly(scene: Scene, slow: bool = True) -> None:
    records = scene.server.options.remote_records
    assert records is not None
    records.slow = slow
    if not slow:
        scene.advance(0.1)


def update_agreed(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    write_slowly(scene)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone.hears_nothing()


@pytest.mark.row(4)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_nobody_is_offered_anything_before_its_update_is_answered(recorded: Scene, method: str) -> None:
    """RFC 3264 §4, RFC 3311 §5.1: its offer is open as long as the 200 waits for the record."""
    a, b = watched_call(recorded)
    update_agreed(recorded, a, b)
    ask(b, method)
    a.phone.hears_nothing()
    write_slowly(recorded, False)
    a.phone << "200 UPDATE a=recvonly"
    has_its_turn(a, b, method)
    hang_up(a, b)
    recorded.quiet()


@pytest.mark.row(7)
@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_bye_wins_there_too(recorded: Scene, whose: str) -> None:
    a, b = watched_call(recorded)
    update_agreed(recorded, a, b)
    leaves, stays = (a, b) if whose == "its own" else (b, a)
    leaves.phone >> leaves.request("BYE")
    write_slowly(recorded, False)
    if leaves is a:
        a.phone << "200 UPDATE"
        a.phone << "200 BYE"
    else:
        a.phone << "487 UPDATE"
        b.phone << "200 BYE"
    is_gone(stays)
    recorded.quiet()


# -- the call's own INVITE ---------------------------------------------------------------------------------------------


def answered(scene: Scene, what: str = "passes it") -> tuple[ScriptCall, ScriptCall]:
    """Bob has answered and has his ACK; Alice's answer is held up."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    b.phone >> b.answer(arrived, 200, b.sdp(), f"Subject: {what}")
    b.phone << "ACK"
    return a, b


@pytest.fixture
def unrecorded(tmp_path: Path) -> Scene:
    """Without a record: else a callee has its ACK when its caller has the answer."""
    (tmp_path / "slow.py").write_text(SLOW)
    return Scene(Options(features=("hold", "lamps", "slow"), feature_directory=tmp_path))


@pytest.mark.row(4)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_callee_that_has_answered_may_hold_at_once(unrecorded: Scene, method: str) -> None:
    scene = unrecorded
    a, b = answered(scene)
    ask(b, method, "sendonly")
    scene.advance(THINKS)
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    has_its_turn(a, b, method, "sendonly", "recvonly")
    hang_up(a, b)
    scene.quiet()


@pytest.mark.parametrize("how", ["cancelled", "refused"])
def test_no_call_comes_of_it(unrecorded: Scene, how: str) -> None:
    """What waits is answered before the BYE."""
    scene = unrecorded
    a, b = answered(scene, "refuses" if how == "refused" else "passes it")
    ask(b, "INVITE", "sendonly")
    if how == "cancelled":
        a.phone >> a.cancel()
        a.phone << "200 CANCEL"
        a.phone >> a.ack(a.phone << "487 INVITE")
    else:
        scene.advance(THINKS)
        a.phone >> a.ack(a.phone << "480 INVITE")
    b.phone >> b.ack(b.phone << "487 INVITE")
    is_gone(b)
    scene.quiet()


@pytest.mark.row(4)
def test_so_may_one_whose_ack_waits_for_the_record(recorded: Scene) -> None:
    a, b, arrived = invite(recorded.phone("6001"), recorded.phone("6002"))
    write_slowly(recorded)
    b.phone >> b.answer(arrived, 200, b.sdp())
    ask(b, "INVITE", "sendonly")
    a.phone.hears_nothing()
    write_slowly(recorded, False)
    b.phone << "ACK"
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    has_its_turn(a, b, "INVITE", "sendonly", "recvonly")
    hang_up(a, b)
    recorded.quiet()


def test_a_callee_without_its_ack_is_too_early(unrecorded: Scene) -> None:
    """RFC 3261 §14.1: an offer of its own has no answer yet."""
    scene = unrecorded
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"), "")
    b.phone >> b.answer(arrived, 200, b.sdp(), "Subject: passes it")
    ask(b, "INVITE", "sendonly")
    refusal: Message = b.phone << "500 INVITE"
    assert refusal.get("Retry-After") is not None
    b.phone >> b.ack(refusal)
    scene.advance(THINKS)
    while b.phone.inbox:
        b.phone.inbox.popleft()
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer, a.sdp())
    b.phone << "ACK a=sendrecv"
    hang_up(a, b)
    scene.quiet()
