"""A MESSAGE out of a call (RFC 3428) passes the applications of its sender and of whom it is for, as a call does."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.feature_server.blame import feature_of
from b2bua.session_manager.sequences import Sequences
from b2bua.sip.message import Message, Request
from tests.scenarios.scene import TIMEOUT, MakeScene, Scene
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, response
from tests.scenarios.test_sequencing import proxy, sequence

HOOK = '''
from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError

class Censor(Feature):
    def message_offered(self, request):
        if b"never" in request.body:
            raise SipError(488, "Not Said Here")
        if b"crash" in request.body:
            1 / 0
        changed = request.copy()
        changed.append("X-Read", "yes")
        return changed
'''


def send(sender: ScriptPhone, to: ScriptPhone, text: str = "hello", *lines: str) -> ScriptCall:
    """With credentials; what comes of it is the test's to see."""
    call = ScriptCall(sender, to.aor)
    sender >> call.request("MESSAGE", text, *lines)
    challenge = sender << "407 MESSAGE"
    sender >> call.request("MESSAGE", text, *lines, sender.credentials(challenge, "MESSAGE", to.aor))
    return call


def delivered(scene: Scene, *lines: str) -> tuple[ScriptCall, Message]:
    """From Alice to Bob, who takes it: what Alice sent and what Bob got."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = send(alice, bob, "hello", *lines)
    arrived = bob << "MESSAGE"
    bob >> response(arrived, 200, "there")
    alice << "200 MESSAGE"
    assert arrived.body == b"hello"
    return call, arrived


def messages(seen: list[Message]) -> list[Request]:
    return [each for each in seen if isinstance(each, Request) and each.method == "MESSAGE"]


def test_it_passes_communication_manager(scene: Scene) -> None:
    """Which is a B2BUA for it as well (RFC 7092): Call-ID and tag of its own, and no trace of Routes at the phone."""
    sent, arrived = delivered(scene, "Subject: lunch", "X-Anything: goes along")
    assert arrived.call_id != sent.call_id and arrived.from_.tag not in ("", sent.tag)
    assert arrived.get("Subject") == "lunch" and arrived.get("X-Anything") == "goes along"
    assert not arrived.has("Route") and not arrived.has("Record-Route") and not arrived.has("Proxy-Authorization")
    assert arrived.from_.uri == "sip:6001@example.com" and arrived.to.uri == "sip:6002@example.com"


def test_without_a_contact(scene: Scene) -> None:
    """As RFC 3428 §4 wants it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    call = ScriptCall(alice, bob.aor)

    def text(*lines: str) -> str:
        written = call.request("MESSAGE", "hello", *lines).splitlines(keepends=True)
        return "".join(line for line in written if not line.startswith("Contact:"))

    alice >> text()
    challenge = alice << "407 MESSAGE"
    alice >> text(alice.credentials(challenge, "MESSAGE", bob.aor))
    arrived = bob << "MESSAGE"
    assert not arrived.has("Contact")
    bob >> response(arrived, 202, "there")
    alice << "202 MESSAGE"


@pytest.mark.parametrize("status", [404, 480, 486, 603, 405])
def test_a_refusal_comes_back(scene: Scene, status: int) -> None:
    """To a 405 of the phone behind another server Session Manager cannot see whose it is: the phone is asked once more."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob)
    bob >> response(bob << "MESSAGE", status, "there")
    if status == 405 and scene.server.remotes:
        bob >> response(bob << "MESSAGE", status, "there")
    alice << f"{status} MESSAGE"


def test_nobody_answers(scene: Scene) -> None:
    """No 408 to a MESSAGE (RFC 4320): its sender has given up by itself."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob)
    bob << "MESSAGE"
    scene.advance(TIMEOUT + 1)
    assert not [message for message in alice.inbox if message.start_line().startswith("SIP/2.0 408")]
    alice.inbox.clear()
    bob.inbox.clear()


def test_nobody_is_there(scene: Scene) -> None:
    """404 and 480 of Session Manager, behind the applications."""
    alice = scene.phone("6001")
    for user, status in (("nobody", 404), ("6004", 480)):
        uri = f"sip:{user}@example.com"
        call = ScriptCall(alice, uri)
        alice >> call.request("MESSAGE", "hello")
        challenge = alice << "407 MESSAGE"
        alice >> call.request("MESSAGE", "hello", alice.credentials(challenge, "MESSAGE", uri))
        alice << f"{status} MESSAGE"


def test_a_sender_without_a_name(scene: Scene) -> None:
    _, arrived = delivered(scene, "Privacy: user", "Subject: from Alice")
    assert arrived.from_.uri == "sip:anonymous@anonymous.invalid" and not arrived.has("Subject")


def test_an_extension_that_is_required_and_unknown(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob, "hello", "Require: telepathy")
    alice << "420 MESSAGE"


@pytest.mark.parametrize("order", [("first",), ("first", "cm"), ("cm", "first")])
def test_a_foreign_server_in_the_sequence(make_scene: MakeScene, order: tuple[str, ...]) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, *order)
    delivered(scene)
    (passed,) = messages(first.seen)
    routes = passed.elements("Route")
    assert "phase=imsorig" in routes[0] and "phase=origdone" in routes[1]
    assert not passed.has("Record-Route")


def test_origination_and_termination(make_scene: MakeScene) -> None:
    scene = make_scene()
    first, second = proxy(scene), proxy(scene, "second")
    sequence(scene, "first", callee=("second",))
    delivered(scene)
    assert len(messages(first.seen)) == len(messages(second.seen)) == 1
    assert "phase=imsterm" in messages(second.seen)[0].elements("Route")[0]


def test_of_single_users(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    scene.server.links.follow(Sequences(users={"6002": ((), ("first",))}), 4.0)
    delivered(scene)
    assert len(messages(first.seen)) == 1
    alice, bob = scene.phones
    send(bob, alice)
    alice >> response(alice << "MESSAGE", 200, "there")
    bob << "200 MESSAGE"
    assert len(messages(first.seen)) == 1


def test_twice(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", callee=("first",), twice=True)
    delivered(scene)
    assert len(messages(first.seen)) == 2


@pytest.mark.parametrize("status", [405, 501])
def test_an_application_that_knows_no_messages(make_scene: MakeScene, status: int) -> None:
    """It is left out, whether it is optional or not: it has nothing to do with them."""
    scene = make_scene()
    first = proxy(scene)
    first.refuses_messages = status
    sequence(scene, "first", "cm")
    delivered(scene)
    assert scene.count("applications_skipped", "method") == 1


@pytest.mark.parametrize("optional", [True, False])
def test_its_503(make_scene: MakeScene, optional: bool) -> None:
    scene = make_scene()
    first = proxy(scene)
    first.refuses_messages = 503
    sequence(scene, "first", "cm", optional=("first",) if optional else ())
    if optional:
        delivered(scene)
        return
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob)
    alice << "500 MESSAGE"


@pytest.mark.parametrize("optional", [True, False])
def test_one_that_is_down(make_scene: MakeScene, optional: bool) -> None:
    scene = make_scene()
    proxy(scene)
    sequence(scene, "first", "cm", optional=("first",) if optional else ())
    link = scene.server.links.named("first")
    assert link is not None
    link.up = False
    if optional:
        delivered(scene)
        return
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob)
    alice << "480 MESSAGE"


def test_one_that_is_silent_may_have_delivered_it(make_scene: MakeScene) -> None:
    """So nobody sends it again; the sender hears nothing (RFC 4320)."""
    scene = make_scene()
    first = proxy(scene)
    first.silent = True
    sequence(scene, "first", "cm", optional=("first",))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    send(alice, bob)
    scene.advance(TIMEOUT + 1)
    bob.hears_nothing()
    alice.inbox.clear()


def test_a_feature_reads_changes_and_refuses(make_scene: MakeScene, tmp_path: Path) -> None:
    (tmp_path / "censor.py").write_text(HOOK)
    scene = make_scene(features=("censor",), feature_directory=tmp_path)
    _, arrived = delivered(scene)
    assert arrived.get("X-Read") == "yes"
    alice, bob = scene.phones
    send(alice, bob, "never")
    assert (alice << "488 MESSAGE").start_line() == "SIP/2.0 488 Not Said Here"
    send(alice, bob, "crash")
    alice << "500 MESSAGE"
    assert [feature_of(error) for error in scene.server.errors] == ["censor"]
    assert scene.count("feature_errors", "censor", "raised") == 1
    scene.expected_errors = 1
