"""A call in set-up that goes on to another callee (RFC 5359 §2.7 to §2.9), or to several at once (§2.12, RFC 3261 §16.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message, Request, Response
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.reliable_call import ALLOW, RSEQ, SUPPORTED, prack, reliably
from tests.scenarios.reliable_call import acknowledged as pracked
from tests.scenarios.scene import TIMEOUT, MakeScene, Scene, called, hang_up, hold, invite, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.test_forking import acknowledged, sent_on

ROUTES = '''
"""Does with a call what its Subject says: `now 6003`, `busy 6003`, `after 5 6003 6004`, `beside 6003`, `both 6003 6004`."""

from b2bua.feature_server.feature import Feature


class Routes(Feature):
    def __init__(self, environment):
        self.environment = environment
        self.plans = {}

    def call_offered(self, call, invite):
        self.plans[call.id] = (invite.get("Subject") or "none").split()
        if self.plans[call.id][0] == "early":
            call.redirect(self.targets(call, 1))
        return invite

    def targets(self, call, first):
        return [f"sip:{user}@example.com" for user in self.plans[call.id][first:]]

    def callee_chosen(self, call, leg):
        what = self.plans[call.id][0]
        if leg.party != "sip:6002@example.com" and what != "circle":
            return
        if what in ("now", "both", "circle"):
            self.plans[call.id][0] = "circle" if what == "circle" else "done"
            call.redirect(self.targets(call, 1), leg=leg)
        elif what == "beside":
            call.ring_also(self.targets(call, 1))
        elif what == "after":
            seconds = float(self.plans[call.id][1])
            self.environment.layer.timers.start(seconds, lambda: self.after(call, leg))

    def after(self, call, leg):
        if call.state in ("trying", "early") and leg in call.legs:
            call.redirect(self.targets(call, 2), 408)

    def callee_refused(self, call, leg, status, response):
        if self.plans[call.id][0] == "busy" and leg.party == "sip:6002@example.com":
            call.redirect(self.targets(call, 1), status)

    def call_ended(self, call):
        self.plans.pop(call.id, None)
'''

RoutedScene = Callable[..., Scene]


@pytest.fixture
def routed(make_scene: MakeScene, tmp_path: Path) -> RoutedScene:
    (tmp_path / "routes.py").write_text(ROUTES)

    def make(**options: object) -> Scene:
        return make_scene(features=("routes", "hold", "lamps"), feature_directory=tmp_path, **options)

    return make


def phones(scene: Scene, *users: str) -> list[ScriptPhone]:
    return [scene.phone(user) for user in users]


def at(phone: ScriptPhone) -> tuple[ScriptCall, Message]:
    """The INVITE that has come to a phone, and its side of the call."""
    arrived = phone << "INVITE a=sendrecv"
    return ScriptCall.of(phone, arrived), arrived


def ring(a: ScriptCall, b: ScriptCall, arrived: Message) -> Message:
    b.phone >> b.answer(arrived, 180)
    return a.phone << "180 INVITE"


def ring_too(b: ScriptCall, arrived: Message) -> None:
    """A phone rings, and the caller hears what it has heard of another: it cannot tell the two apart."""
    b.phone >> b.answer(arrived, 180)


def cancelled(b: ScriptCall, arrived: Message, reason: str) -> None:
    """The phone is told to stop, and does."""
    cancel = b.phone << "CANCEL"
    assert cancel.get("Reason") == reason
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"


def answered(a: ScriptCall, b: ScriptCall, arrived: Message) -> None:
    b.phone >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"


def states(phone: ScriptPhone) -> list[str]:
    return [dialog.state for dialog in phone.lamp.dialogs]


FORWARDED = 'SIP;cause=408;text="Call Is Being Forwarded"'
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


# ---- one after another


@pytest.mark.parametrize("when", ["now", "early"])
def test_5359_2_7_before_anybody_rings(routed: RoutedScene, when: str) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, f"Subject: {when} 6003")
    alice << "181 INVITE"
    c, arrived = at(carol)
    assert isinstance(arrived, Request)
    assert arrived.to.uri == bob.aor
    assert arrived.get("Diversion") == "<sip:6002@example.com>;reason=unconditional;counter=1"
    assert arrived.elements("History-Info") == [
        "<sip:6002@example.com>;index=1",
        "<sip:6002@example.com>;index=1.1;np=1",
        "<sip:6003@example.com>;index=1.2;mp=1.1",
    ]
    ring(a, c, arrived)
    answered(a, c, arrived)
    bob.hears_nothing()
    hold(a, c)
    hang_up(c, a)


def test_5359_2_8_busy(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: busy 6003")
    b, first = at(bob)
    bob >> b.answer(first, 486)
    bob << "ACK"
    alice << "181 INVITE"
    c, second = at(carol)
    assert second.get("Diversion") == "<sip:6002@example.com>;reason=user-busy;counter=1"
    assert second.elements("History-Info")[1] == "<sip:6002@example.com?Reason=SIP%3Bcause%3D486>;index=1.1;np=1"
    hops = [int(message.get("Max-Forwards") or "") for message in (first, second)]
    assert hops[1] == hops[0] - 1
    ring(a, c, second)
    answered(a, c, second)
    hang_up(a, c)


def test_5359_2_9_no_answer(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    watch(bob, bob)
    watch(carol, carol)
    scene.advance(3)
    a = called(alice, bob.aor, "Subject: after 5 6003")
    b, first = at(bob)
    ring(a, b, first)
    scene.advance(3)
    assert states(bob) == ["early"]
    scene.advance(2.1)
    cancelled(b, first, FORWARDED)
    alice << "181 INVITE"
    c, second = at(carol)
    scene.advance(1.1)
    assert (states(bob), states(carol)) == (["terminated"], ["trying"])
    ring_too(c, second)
    scene.advance(1.1)
    assert states(carol) == ["early"]
    answered(a, c, second)
    scene.advance(1.1)
    assert states(carol) == ["confirmed"]
    [dialog] = carol.lamp.dialogs
    assert dialog.remote.identity == alice.aor
    hang_up(a, c)


def test_what_the_first_phone_says_after_it_was_left_comes_to_nobody(routed: RoutedScene) -> None:
    """It answers while the CANCEL is on its way: taken and given back."""
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 5 6003")
    b, first = at(bob)
    ring(a, b, first)
    scene.advance(5.1)
    alice << "181 INVITE"
    cancel = bob << "CANCEL"
    c, second = at(carol)
    bob >> b.answer(first, 200, b.sdp())
    bob << "ACK"
    bye = bob << "BYE"
    bob >> b.answer(bye, 200)
    bob >> b.answer(cancel, 481)
    alice.hears_nothing()
    answered(a, c, second)
    hang_up(a, c)


def test_a_phone_that_never_said_anything_is_cancelled_when_it_does(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 2 6003")
    b, first = at(bob)
    scene.advance(2.1)
    alice << "181 INVITE"
    c, second = at(carol)
    answered(a, c, second)
    bob >> b.answer(first, 180)
    cancelled(b, first, FORWARDED)
    hang_up(a, c)


def test_early_media_of_the_second_has_a_dialog_of_its_own(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 5 6003")
    b, first = at(bob)
    bob >> b.answer(first, 183, b.sdp())
    one = alice << "183 INVITE a=sendrecv"
    scene.advance(5.1)
    cancelled(b, first, FORWARDED)
    alice << "181 INVITE"
    c, second = at(carol)
    carol >> c.answer(second, 183, c.sdp())
    two = alice << "183 INVITE a=sendrecv"
    assert one.to.tag != two.to.tag
    answered(a, c, second)
    assert a.remote_tag == two.to.tag
    hold(a, c)
    hang_up(a, c)


def test_the_answer_of_the_second_is_not_taken_for_the_firsts(routed: RoutedScene) -> None:
    """The first phone's early media was described; the second one answers without having rung."""
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 5 6003")
    b, first = at(bob)
    bob >> b.answer(first, 183, b.sdp())
    one = alice << "183 INVITE a=sendrecv"
    scene.advance(5.1)
    cancelled(b, first, FORWARDED)
    alice << "181 INVITE"
    c, second = at(carol)
    answered(a, c, second)
    assert a.remote_tag != one.to.tag
    hang_up(a, c)


def test_reliable_responses_of_both(routed: RoutedScene) -> None:
    """100rel on each branch; the PRACK of what the first one said last is still answered."""
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 5 6003", SUPPORTED, ALLOW)
    b, first = at(bob)
    reliably(b, first, 183, RSEQ, b.sdp())
    one = alice << "183 INVITE a=sendrecv"
    scene.advance(5.1)
    alice << "181 INVITE"
    cancelled(b, first, FORWARDED)
    late = ScriptCall(alice, bob.aor, a.call_id, a.tag)
    late.cseq = a.cseq
    prack(late, one)
    alice << "200 PRACK no-body"
    bob.hears_nothing()
    c, second = at(carol)
    reliably(c, second, 183, RSEQ, c.sdp())
    two = alice << "183 INVITE a=sendrecv"
    a.cseq = late.cseq
    a.learn(two)
    prack(a, two)
    alice << "200 PRACK no-body"
    pracked(c)
    carol >> c.answer(second, 200)
    carol << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, c)


def test_the_caller_gives_up_while_the_second_rings(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: after 5 6003")
    b, first = at(bob)
    ring(a, b, first)
    scene.advance(5.1)
    alice << "181 INVITE"
    c, second = at(carol)
    ring_too(c, second)
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    for call, arrived in ((b, first), (c, second)):
        call.phone >> call.answer(call.phone << "CANCEL", 200)
        call.phone >> call.answer(arrived, 487)
        call.phone << "ACK"


def test_the_second_is_busy_too(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: now 6003")
    alice << "181 INVITE"
    c, second = at(carol)
    carol >> c.answer(second, 486)
    carol << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_the_second_is_not_there(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob = phones(scene, "6001", "6002")
    a = called(alice, bob.aor, "Subject: now 6003")
    alice << "181 INVITE"
    alice >> a.ack(alice << "480 INVITE")


def test_a_silent_phone_counts_as_408(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: busy 6003")
    at(bob)
    scene.advance(TIMEOUT)
    alice << "181 INVITE"
    c, second = at(carol)
    assert (second.get("Diversion") or "").endswith(";reason=no-answer;counter=1")
    answered(a, c, second)
    hang_up(a, c)


# ---- in circles


def test_a_circle_is_482(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob = phones(scene, "6001", "6002")
    a = called(alice, bob.aor, "Subject: circle 6002 6002")
    alice >> a.ack(alice << "482 INVITE")
    a = called(alice, bob.aor, "Subject: circle 6003 6004")
    for _ in range(1):
        alice << "181 INVITE"
    alice >> a.ack(alice << "482 INVITE")
    bob.hears_nothing()


def test_each_target_is_a_hop(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = ScriptCall(alice, bob.aor)

    def short(text: str) -> str:
        return text.replace("Max-Forwards: 70", "Max-Forwards: 2")

    alice >> short(a.invite(a.sdp(), "Subject: now 6003"))
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> short(a.with_credentials(challenge))
    alice >> a.ack(alice << "483 INVITE")
    carol.hears_nothing()


def test_who_has_too_many_calls_is_not_forwarded_to(routed: RoutedScene) -> None:
    scene = routed(limits=CallLimits(calls_per_user=1))
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    c, d = talk(carol, dave)
    a = called(alice, bob.aor, "Subject: now 6003")
    alice >> a.ack(alice << "480 INVITE")
    hang_up(c, d)
    a = called(alice, bob.aor, "Subject: now 6003")
    alice << "181 INVITE"
    c, arrived = at(carol)
    answered(a, c, arrived)
    hang_up(a, c)
    a, b, arrived = invite(carol, bob)  # and whoever was left has no call
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    carol >> a.ack(carol << "486 INVITE")


ENDLESS = '''
"""Each callee sends the call to another whom nobody knows."""

from b2bua.feature_server.feature import Feature


class Endless(Feature):
    def __init__(self):
        self.number = 0

    def callee_refused(self, call, leg, status, response):
        self.number += 1
        call.redirect([f"sip:nobody{self.number}@example.com"], status)
'''

CLUMSY = '''
"""Makes each mistake that the callee's name stands for."""

from b2bua.feature_server.feature import Feature


class Clumsy(Feature):
    def callee_chosen(self, call, leg):
        if leg.party == "sip:6002@example.com":
            raise ZeroDivisionError("oh")

    def callee_refused(self, call, leg, status, response):
        if leg.party == "sip:6003@example.com":
            raise KeyError("no")

    def callee_left(self, call, leg):
        raise RuntimeError("never mind")
'''

WAITING = '''
"""Would like to think about it."""

from b2bua.feature_server.feature import Feature


class Waiting(Feature):
    async def callee_chosen(self, call, leg):
        await call.sleep(1)
'''


def test_twenty_callees_are_the_most(make_scene: MakeScene, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    scene = make_scene(features=("endless", "hold", "lamps"), feature_directory=tmp_path)
    alice = scene.phone("6001")
    a = called(alice, "sip:6002@example.com")
    while isinstance(alice.inbox[0], Response) and alice.inbox[0].status < 200:
        alice.inbox.popleft()
    alice >> a.ack(alice << "483 INVITE")
    assert sum(message.uri.startswith("sip:nobody") for message in invites(scene)) == 19


def invites(scene: Scene) -> list[Request]:
    return [message for message in scene.linked("CM", "SM", "INVITE") if isinstance(message, Request)]


def test_a_call_that_comes_back_from_outside_has_looped(make_scene: MakeScene) -> None:
    """6003 is a proxy, which sends what was forwarded there back to 6002 (RFC 7332 §4)."""
    scene = make_scene(features=("forwarding", "hold", "lamps"), challenge={"INVITE": "none"})
    alice, bob, proxy = phones(scene, "6001", "6002", "6003")
    scene.server.user_settings.put("6002", "forward_always", "6003")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    alice << "181 INVITE"
    arrived = proxy << "INVITE"
    proxy >> sent_on(proxy, arrived, bob.aor)
    refusal = proxy << "482 INVITE"
    proxy >> acknowledged(refusal, bob.aor)
    proxy >> ScriptCall(proxy, alice.aor).answer(arrived, 482)
    proxy << "ACK"
    alice >> a.ack(alice << "482 INVITE")
    bob.hears_nothing()


def test_a_feature_that_raises_fails_its_callee_with_500(make_scene: MakeScene, tmp_path: Path) -> None:
    (tmp_path / "clumsy.py").write_text(CLUMSY)
    scene = make_scene(features=("clumsy", "forwarding", "hold", "lamps"), feature_directory=tmp_path)
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "500 INVITE")
    a = called(alice, carol.aor)
    c, arrived = at(carol)
    carol >> c.answer(arrived, 486)
    carol << "ACK"
    alice >> a.ack(alice << "500 INVITE")
    scene.server.user_settings.put("6003", "forward_always", "6004")
    a = called(alice, carol.aor)
    alice << "181 INVITE"
    d, arrived = at(dave)
    answered(a, d, arrived)
    hang_up(a, d)
    scene.expected_errors = 3
    assert scene.count("internal_errors", "feature") == 3


def test_a_feature_that_would_wait_where_nobody_can(make_scene: MakeScene, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    scene = make_scene(features=("waiting", "hold", "lamps"), feature_directory=tmp_path)
    alice, bob = phones(scene, "6001", "6002")
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "500 INVITE")
    bob.hears_nothing()
    scene.expected_errors = 1


# ---- several at once


def test_5359_2_12_the_first_that_answers_has_the_call(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    watch(carol, carol)
    watch(dave, dave)
    scene.advance(3)
    a = called(alice, bob.aor, "Subject: both 6003 6004")
    alice << "181 INVITE"
    c, one = at(carol)
    d, two = at(dave)
    assert (one.get("Max-Breadth"), two.get("Max-Breadth")) == ("30", "30")
    ring(a, d, two)
    scene.advance(1.1)
    assert (states(carol), states(dave)) == (["trying"], ["early"])
    ring_too(c, one)
    scene.advance(1.1)
    assert (states(carol), states(dave)) == (["early"], ["early"])
    dave >> d.answer(two, 200, d.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    cancelled(c, one, ELSEWHERE)
    a.learn(answer)
    alice >> a.ack(answer)
    dave << "ACK"
    scene.advance(1.1)
    assert (states(carol), states(dave)) == (["terminated"], ["confirmed"])
    hold(a, d)
    hang_up(d, a)


def test_the_called_phone_rings_with_the_others(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    assert not one.has("Diversion") and not two.has("Diversion")
    ring(a, b, one)
    ring_too(c, two)
    carol >> c.answer(two, 486)
    carol << "ACK"
    alice.hears_nothing()
    answered(a, b, one)
    hang_up(a, b)


def test_early_media_of_both(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    bob >> b.answer(one, 183, b.sdp())
    first = alice << "183 INVITE a=sendrecv"
    carol >> c.answer(two, 183, c.sdp())
    second = alice << "183 INVITE a=sendrecv"
    assert first.to.tag != second.to.tag
    carol >> c.answer(two, 200, c.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    assert answer.to.tag == second.to.tag
    cancelled(b, one, ELSEWHERE)
    a.learn(answer)
    alice >> a.ack(answer)
    carol << "ACK"
    hang_up(a, c)


@pytest.mark.parametrize(
    ("one", "two", "told"), [(486, 480, 486), (404, 503, 404), (503, 503, 500), (480, 415, 415), (486, 302, 302)]
)
def test_the_caller_hears_the_best_of_the_failures(routed: RoutedScene, one: int, two: int, told: int) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    for phone, status in ((bob, one), (carol, two)):
        call, arrived = at(phone)
        alice.hears_nothing()
        phone >> call.answer(arrived, status)
        phone << "ACK"
    alice >> a.ack(alice << f"{told} INVITE")


def test_a_6xx_ends_the_search(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    ring(a, c, two)
    bob >> b.answer(one, 603)
    bob << "ACK"
    alice >> a.ack(alice << "603 INVITE")
    carol >> c.answer(carol << "CANCEL", 200)
    carol >> c.answer(two, 487)
    carol << "ACK"


def test_both_answer_at_once(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    bob >> b.answer(one, 200, b.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    carol >> c.answer(two, 200, c.sdp())
    carol << "ACK"
    carol >> c.answer(carol << "BYE", 200)
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


def test_the_caller_gives_up_while_several_ring(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    ring(a, b, one)
    ring_too(c, two)
    alice >> a.cancel('Reason: SIP;cause=487;text="Changed my mind"')
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    for call, arrived in ((b, one), (c, two)):
        cancelled(call, arrived, 'SIP;cause=487;text="Changed my mind"')


def test_the_caller_hangs_up_in_an_early_dialog(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003")
    b, one = at(bob)
    c, two = at(carol)
    a.learn(ring(a, b, one))
    ring_too(c, two)
    alice >> a.request("BYE")
    alice << "200 BYE"
    alice >> a.ack(alice << "487 INVITE")
    for call, arrived in ((b, one), (c, two)):
        call.phone >> call.answer(call.phone << "CANCEL", 200)
        call.phone >> call.answer(arrived, 487)
        call.phone << "ACK"


def test_an_offerless_call_to_several(routed: RoutedScene) -> None:
    scene = routed()
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: beside 6003", body="")
    one, two = bob << "INVITE no-body", carol << "INVITE no-body"
    b, c = ScriptCall.of(bob, one), ScriptCall.of(carol, two)
    ring(a, b, one)
    carol >> c.answer(two, 200, c.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(one, 487)
    bob << "ACK"
    a.learn(answer)
    alice >> a.ack(answer, a.sdp())
    carol << "ACK a=sendrecv"
    hang_up(a, c)


# ---- over a restart


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Scene]:
    """With a store that outlives the process, in which Communication Manager is, too."""
    (tmp_path / "routes.py").write_text(ROUTES)
    features = ("routes", "hold", "lamps")
    scene = Scene(Options(records=KeptRecords(), features=features, feature_directory=tmp_path))
    yield scene
    scene.quiet()


@pytest.mark.parametrize("plan", ["beside 6003", "both 6003 6002", "after 5 6003"])
def test_whoever_rings_is_told_to_stop(durable: Scene, plan: str) -> None:
    alice, bob, carol = phones(durable, "6001", "6002", "6003")
    a = called(alice, bob.aor, f"Subject: {plan}")
    stopped = []
    if plan != "both 6003 6002":
        stopped.append(at(bob))
        ring(a, *stopped[0])
    if plan.startswith("after"):
        durable.advance(5.1)
        cancelled(*stopped.pop(), FORWARDED)
    if plan != "beside 6003":
        alice << "181 INVITE"
    stopped.append(at(carol))
    durable.restart()
    alice >> a.ack(alice << "480 INVITE")
    for call, arrived in stopped:
        call.phone >> call.answer(call.phone << "CANCEL", 200)
        call.phone >> call.answer(arrived, 487)
        call.phone << "ACK"
    bob.hears_nothing()  # whose INVITE has failed is not cancelled again


def test_a_call_that_was_forwarded_goes_on_with_its_true_callee(durable: Scene) -> None:
    alice, bob, carol = phones(durable, "6001", "6002", "6003")
    a = called(alice, bob.aor, "Subject: now 6003")
    alice << "181 INVITE"
    c, arrived = at(carol)
    answered(a, c, arrived)
    watch(carol, carol)
    watch(bob, bob)
    durable.restart()
    durable.advance(2)
    assert (states(carol), states(bob)) == (["confirmed"], ["terminated"])
    hold(a, c)
    hang_up(c, a)
