"""Features of the user's own: loaded by name from a directory, seen to act in calls; and what their mistakes do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from b2bua.feature_server.blame import feature_of
from b2bua.feature_server.loader import LoadError
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    called,
    hang_up,
    invite,
    is_gone,
    pending_hold,
    resume,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall

BLOCK = '''
"""Refuses calls from numbers that nobody wants."""

from b2bua.feature_server.call import Call
from b2bua.feature_server.feature import Feature
from b2bua.sip.message import Request

UNWANTED = {"6003"}


class BlockedNumbers(Feature):
    def call_offered(self, call: Call, invite: Request) -> Request | None:
        if invite.from_.parsed_uri().username in UNWANTED:
            call.caller.respond(603)
            return None
        return invite
'''

LABEL = '''
"""Tells the callee which line a call came in on."""

from b2bua.feature_server.feature import Feature


class Label(Feature):
    def __init__(self, environment):
        self.domain = environment.domain

    def call_offered(self, call, invite):
        changed = invite.copy()
        changed.append("Subject", f"from {self.domain}")
        return changed

    def response_received(self, call, leg, response):
        if response.status == 180:
            return None
        changed = response.copy()
        changed.append("Subject", "seen")
        return changed
'''

CLUMSY = '''
"""Raises whenever it is asked by 6003."""

from b2bua.feature_server.feature import Feature


class Clumsy(Feature):
    def call_offered(self, call, invite):
        if call.caller.party == "sip:6003@example.com":
            raise ZeroDivisionError("oh")
        return invite

    def request_received(self, call, leg, request):
        if request.has("Subject"):
            raise KeyError("no")
        return request

    def call_changed(self, call):
        raise RuntimeError("never mind")
'''

UNWRITABLE = '''
"""Puts what has no bytes into a re-INVITE that has a Subject."""

from b2bua.feature_server.feature import Feature


class Unwritable(Feature):
    def request_received(self, call, leg, request):
        changed = request.copy()
        if request.has("Subject"):
            changed.append("X-Half", "\\ud800")
        return changed
'''

NO_SUBJECT = '''
"""Answers a re-INVITE with a Subject itself."""

from b2bua.feature_server.feature import Feature


class NoSubject(Feature):
    def request_received(self, call, leg, request):
        if request.has("Subject"):
            leg.respond(488)
            return None
        return request
'''

SLEEPY = '''
"""Thinks for two seconds about every call and every re-INVITE."""

from b2bua.feature_server.feature import Feature


class Sleepy(Feature):
    async def call_offered(self, call, invite):
        await call.sleep(2)
        return invite

    async def request_received(self, call, leg, request):
        if request.method != "ACK":
            await call.sleep(2)
        return request
'''

PATIENT = '''
"""Waits an hour for a word from elsewhere, before the call, in a hold, and for an INFO."""

from b2bua.feature_server.feature import Feature


class Patient(Feature):
    def __init__(self) -> None:
        self.waiting = {}

    async def call_offered(self, call, invite):
        return await self.wait(call, invite) if call.callee.party == "sip:6003@example.com" else invite

    async def request_received(self, call, leg, request):
        return request if request.method == "ACK" else await self.wait(call, request)

    async def wait(self, call, message):
        self.waiting[call.id, message.method] = message
        try:
            await call.sleep(3600)
        finally:
            del self.waiting[call.id, message.method]
        return message
'''

POLITE = '''
"""Refuses with a reason of its own, after a while."""

from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError


class Polite(Feature):
    async def call_offered(self, call, invite):
        await call.sleep(1)
        raise SipError(480, "Gone Fishing")
'''

MakePluginScene = Callable[..., Scene]


@pytest.fixture
def with_plugin(make_scene: MakeScene, tmp_path: Path) -> MakePluginScene:
    """A scene whose server loads these files before its own features: `with_plugin(block=BLOCK)`."""

    def make(**sources: str) -> Scene:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        return make_scene(features=(*sources, "hold", "lamps"), feature_directory=tmp_path)

    return make


def test_feature_in_thirty_lines_blocks_a_number(with_plugin: MakePluginScene) -> None:
    assert len(BLOCK.splitlines()) <= 30
    scene = with_plugin(blocked_numbers=BLOCK)
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    watch(bob, bob)
    c = called(carol, bob.aor)
    carol >> c.ack(carol << "603 INVITE")
    bob.hears_nothing()
    scene.advance(2.2)
    assert bob.lamp.dialogs[0].id == "idle"
    a, b = talk(alice, bob)
    hang_up(a, b)


def test_feature_that_changes_messages_and_keeps_one(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(label=LABEL)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    assert arrived.get("Subject") == "from example.com"
    bob >> b.answer(arrived, 180)
    alice.hears_nothing()
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    assert answer.get("Subject") == "seen"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


def test_features_run_in_the_order_of_the_configuration(with_plugin: MakePluginScene) -> None:
    """Who is blocked is not labelled; who is not, is."""
    scene = with_plugin(blocked_numbers=BLOCK, label=LABEL)
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    c = called(carol, bob.aor)
    carol >> c.ack(carol << "603 INVITE")
    a, b, arrived = invite(alice, bob)
    assert arrived.has("Subject")
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_feature_that_raises_fails_its_call_with_500_and_the_server_goes_on(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(clumsy=CLUMSY)
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    c = called(carol, bob.aor)
    carol >> c.ack(carol << "500 INVITE")
    bob.hears_nothing()
    a, b = talk(alice, bob)
    assert scene.count("internal_errors", "feature") >= 2
    hang_up(a, b)
    scene.expected_errors = scene.count("internal_errors", "feature")


def test_feature_that_raises_in_a_reinvite_fails_that_and_not_the_call(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(clumsy=CLUMSY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp("sendonly"), "Subject: Call on hold")
    alice >> a.ack(alice << "500 INVITE")
    bob.hears_nothing()
    arrived = pending_hold(a, b)
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    alice >> a.request("INFO", "", "Subject: x")
    alice << "500 INFO"
    resume(a, b)
    hang_up(a, b)
    scene.expected_errors = scene.count("internal_errors", "feature")


def test_what_a_feature_writes_and_cannot_be_sent_fails_and_not_the_call(with_plugin: MakePluginScene) -> None:
    """The re-INVITE has a transport error (RFC 3261 §8.1.3.1), and the next one goes."""
    scene = with_plugin(unwritable=UNWRITABLE)
    scene.expected_errors = 1
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    send_offer(a, a.sdp("sendonly"), "Subject: x")
    scene.advance(0.2)
    a.phone >> a.ack(a.phone << "500 INVITE")
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_feature_that_answers_a_reinvite_itself_leaves_the_way_free_for_the_next(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(no_subject=NO_SUBJECT)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp("sendonly"), "Subject: Call on hold")
    alice >> a.ack(alice << "488 INVITE")
    bob.hears_nothing()
    arrived = pending_hold(a, b)
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


def test_async_feature_makes_the_call_wait_and_not_the_server(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(sleepy=SLEEPY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    bob.hears_nothing()
    scene.phone("6003")  # registers meanwhile
    scene.advance(1.9)
    bob.hears_nothing()
    scene.wait(bob, 0.2)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    send_offer(a, a.sdp("sendonly"))
    assert scene.wait(bob, 2.2) > 1.9
    arrived = bob << "INVITE a=sendonly"
    bob >> b.answer(arrived, 200, b.sdp("recvonly"))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE")
    hang_up(a, b)


def test_cancel_while_an_async_feature_thinks(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(sleepy=SLEEPY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    scene.advance(1)
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    scene.advance(3)
    bob.hears_nothing()


def test_bye_while_an_async_feature_thinks_about_a_reinvite(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(sleepy=SLEEPY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    scene.wait(bob, 3)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    send_offer(a, a.sdp("sendonly"))
    scene.advance(1)
    alice >> a.request("BYE")
    alice << "200 BYE"
    alice >> a.ack(alice << "487 INVITE")
    is_gone(b)
    scene.advance(3)
    bob.hears_nothing()


def test_cancel_of_a_reinvite_while_an_async_feature_thinks(with_plugin: MakePluginScene) -> None:
    """Nothing has gone to the far phone, and nothing will: 487."""
    scene = with_plugin(sleepy=SLEEPY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    scene.wait(bob, 3)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    send_offer(a, a.sdp("sendonly"))
    scene.advance(1)
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    scene.advance(3)
    bob.hears_nothing()
    hang_up(a, b)


def test_call_that_ends_while_an_async_feature_thinks_about_an_info(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(sleepy=SLEEPY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    scene.wait(bob, 3)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    alice >> a.request("INFO")
    hang_up(b, a)
    scene.wait(alice, 3)
    alice << "481 INFO"
    bob.hears_nothing()


def test_what_waits_for_a_call_is_ended_with_it(with_plugin: MakePluginScene) -> None:
    """Set-up, re-INVITE and INFO: nothing is left in the feature, no timer runs on (`quiet`)."""
    scene = with_plugin(patient=PATIENT)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.phone("6003")
    a = called(alice, "sip:6003@example.com")
    alice.inbox.clear()
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    a, b = talk(alice, bob)
    alice >> a.request("INFO")
    send_offer(a, a.sdp("sendonly"))
    scene.advance(5)
    bob.hears_nothing()
    bob >> b.request("BYE")
    bob << "200 BYE"
    got = {" ".join(message.start_line().split()[:2]): message for message in alice.inbox}
    assert got["SIP/2.0 481"].cseq_method == "INFO"
    final, bye = got["SIP/2.0 487"], next(message for line, message in got.items() if line.startswith("BYE"))
    alice.inbox.clear()
    alice >> a.ack(final)
    alice >> a.answer(bye, 200)


def test_a_mistake_is_counted_by_the_features_name(with_plugin: MakePluginScene) -> None:
    scene = with_plugin(clumsy=CLUMSY)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    hang_up(*talk(alice, bob))
    made = scene.count("internal_errors", "feature")
    assert scene.count("feature_errors", "clumsy", "raised") == made > 0
    assert {feature_of(error) for error in scene.server.errors} == {"clumsy"}
    scene.expected_errors = made


def test_async_feature_refuses_by_raising(with_plugin: MakePluginScene) -> None:
    """A SipError is no mistake: its status and reason go to the caller, nothing is logged."""
    scene = with_plugin(polite=POLITE)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    alice.inbox.clear()
    scene.wait(alice, 1.2)
    refusal = alice << "480 INVITE"
    assert "480 Gone Fishing" in str(refusal)
    alice >> a.ack(refusal)
    bob.hears_nothing()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Nothing: pass", "0 Feature classes"),
        ("this is no Python", "SyntaxError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        (
            "from b2bua.feature_server.feature import Feature\nclass A(Feature): pass\nclass B(Feature): pass",
            "2 Feature classes",
        ),
    ],
)
def test_file_that_is_no_feature_is_told_in_one_line(with_plugin: MakePluginScene, source: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        with_plugin(broken=source)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_name_that_is_nowhere_is_told_in_one_line(make_scene: MakeScene) -> None:
    with pytest.raises(LoadError, match=r"^feature 'teleport' not found [^\n]*$"):
        make_scene(features=("teleport",))
