"""Calls through application sequences: of single users, once or twice, without what is dead, and with a foreign server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from b2bua.session_manager.entities import Entity
from b2bua.session_manager.sequences import Sequences
from b2bua.sip.message import Message, Request
from b2bua.sip.uri import parse_uri
from tests.scenarios.forwarded_call import has_set
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.loose_proxy import LooseProxy
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    answered,
    called,
    invite,
    renderings,
    send_offer,
    watch,
)  # fmt: skip
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

FIRST, FIRST_LINK = ("192.0.2.3", 5071), ("192.0.2.1", 5072)
SECOND, SECOND_LINK = ("192.0.2.4", 5071), ("192.0.2.1", 5073)


def proxy(scene: Scene, name: str = "first") -> LooseProxy:
    """A SIP server of another make at the end of the links."""
    address, link = (FIRST, FIRST_LINK) if name == "first" else (SECOND, SECOND_LINK)
    transport = "TCP" if scene.server.options.link == "tcp" else "UDP"
    made = LooseProxy(scene.network, name, address, link, transport)
    scene.server.open_link(name, address, link, foreign=True)
    return made


def sequence(scene: Scene, *names: str, callee: tuple[str, ...] = (), patience: float = 4.0, **more: Any) -> None:
    """Every caller's, and every callee's."""
    scene.server.links.follow(Sequences(names, callee, **more), patience)


def ring(scene: Scene) -> tuple[ScriptCall, ScriptCall, Message]:
    return invite(scene.phone("6001"), scene.phone("6002"))


def reinvite(call: ScriptCall, far: ScriptCall, direction: str, answer: str) -> None:
    """In a call that may pass proxies alone: nobody acknowledges or answers on the far phone's behalf."""
    send_offer(call, call.sdp(direction))
    arrived = far.phone << f"INVITE a={direction}"
    far.phone >> far.answer(arrived, 200, far.sdp(answer))
    call.phone >> call.ack(call.phone << f"200 INVITE a={answer}")
    far.phone << "ACK"


def hold(call: ScriptCall, far: ScriptCall) -> None:
    reinvite(call, far, "sendonly", "recvonly")


def resume(call: ScriptCall, far: ScriptCall) -> None:
    reinvite(call, far, "sendrecv", "sendrecv")


def hang_up(call: ScriptCall, far: ScriptCall) -> None:
    call.phone >> call.request("BYE")
    far.phone >> far.answer(far.phone << "BYE", 200)
    call.phone << "200 BYE"


def whole_call(scene: Scene) -> Message:
    """Hold and resume from both ends, and the end; the INVITE as it came to the callee."""
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    for near, far in ((a, b), (b, a)):
        hold(near, far)
        resume(near, far)
    hang_up(b, a)
    return arrived


# -- a foreign server ------------------------------------------------------------------------------------------------


def test_a_foreign_server_alone(make_scene: MakeScene) -> None:
    """It is a proxy: the dialog is the phones' own, and every request in it passes it."""
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first")
    arrived = whole_call(scene)
    assert arrived.call_id == first.invites()[0].call_id, "one Call-ID from end to end"
    methods = [each.method for each in first.seen if isinstance(each, Request)]
    assert methods.count("INVITE") == 5 and methods.count("ACK") == 5 and methods.count("BYE") == 1


@pytest.mark.parametrize("order", [("first", "cm"), ("cm", "first")])
def test_before_and_behind_communication_manager(make_scene: MakeScene, order: tuple[str, ...]) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, *order)
    whole_call(scene)
    assert len(first.invites()) == 1
    assert scene.count("calls", "answered") == 1, "Communication Manager held it, too"


@pytest.mark.parametrize("order", [("first",), ("cm", "first"), ("first", "cm")])
def test_a_foreign_b2bua(make_scene: MakeScene, order: tuple[str, ...]) -> None:
    """It has dialogs and Contacts of its own; the Route back names its link."""
    scene = make_scene(features=("hold",))
    scene.server.start_remote("first", FIRST, FIRST_LINK)
    link = scene.server.links.named("first")
    assert link is not None
    link.foreign = True
    sequence(scene, *order)
    whole_call(scene)
    sent = [message for message in scene.linked("CM", "SM", "INVITE") if isinstance(message, Request) and not message.to.tag]
    assert len(sent) == len(order)
    assert any(f"@{FIRST_LINK[0]}:{FIRST_LINK[1]};" in message.elements("Route")[0] for message in sent)


def test_two_foreign_servers(make_scene: MakeScene) -> None:
    scene = make_scene()
    first, second = proxy(scene), proxy(scene, "second")
    sequence(scene, "first", callee=("second",))
    whole_call(scene)
    assert len(first.invites()) == len(second.invites()) == 1


def test_the_phases_and_the_position_in_the_route(make_scene: MakeScene) -> None:
    scene = make_scene()
    first, second = proxy(scene), proxy(scene, "second")
    sequence(scene, "first", callee=("second",))
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    hang_up(a, b)
    rows = (first, FIRST_LINK, "imsorig", "origdone"), (second, SECOND_LINK, "imsterm", "termdone")
    for application, link, there, done in rows:
        own, back = application.invites()[0].elements("Route")
        assert own == f"<{application.uri};phase={there}>"
        assert back.partition("@")[2] in (
            f"{link[0]}:{link[1]};lr;phase={done}>", f"{link[0]}:{link[1]};transport=tcp;lr;phase={done}>",
        )  # fmt: skip
        assert not application.invites()[0].has("P-Served-User")
    assert not arrived.has("Route")


def test_a_position_opens_nothing_for_a_phone(make_scene: MakeScene) -> None:
    """Who has seen the Route that brings a call back is challenged all the same."""
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first")
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    back = first.invites()[0].elements("Route")[1]
    mallory = scene.phone("6004")
    c = ScriptCall(mallory, "sip:6002@example.com")
    mallory >> c.invite(c.sdp(), f"Route: {back}")
    mallory >> c.ack(mallory << "407 INVITE")
    hang_up(a, b)


def test_a_foreign_server_refuses(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    first.refuses = 603
    sequence(scene, "first", "cm")
    a = called(scene.phone("6001"), "sip:6002@example.com")
    a.phone >> a.ack(a.phone << "603 INVITE")


def test_the_caller_gives_up(make_scene: MakeScene) -> None:
    scene = make_scene()
    proxy(scene)
    sequence(scene, "first", "cm")
    a, b, arrived = ring(scene)
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")


def test_another_callee_on_the_way(make_scene: MakeScene) -> None:
    """An application of the caller's changes the Request-URI: the new callee's sequence is passed."""
    scene = make_scene()
    first, second = proxy(scene), proxy(scene, "second")
    first.target = "sip:6003@example.com"
    sequence(scene, "first", users={"6003": ((), ("second",))})
    carol = scene.phone("6003")
    a = called(scene.phone("6001"), "sip:6002@example.com")
    arrived = carol << "INVITE"
    b = ScriptCall.of(carol, arrived)
    answered(a, b, arrived)
    hang_up(a, b)
    assert [each.uri for each in second.invites()] == ["sip:6003@example.com"]


# -- whose ----------------------------------------------------------------------------------------------------------


def test_users_with_sequences_of_their_own(make_scene: MakeScene) -> None:
    scene = make_scene()
    first, second = proxy(scene), proxy(scene, "second")
    sequence(scene, "cm", callee=("cm",), users={"6001": (("first",), ("cm",)), "6002": ((), ("second",))})
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    hang_up(a, b)
    assert (len(first.invites()), len(second.invites()), scene.count("calls", "answered")) == (1, 1, 0)
    b = called(b.phone, "sip:6001@example.com")
    arrived = a.phone << "INVITE"
    a = ScriptCall.of(a.phone, arrived)
    answered(b, a, arrived)
    hang_up(a, b)
    assert (len(first.invites()), len(second.invites()), scene.count("calls", "answered")) == (1, 1, 1)


def test_no_application_at_all(make_scene: MakeScene) -> None:
    scene = make_scene()
    sequence(scene)
    a, b, arrived = ring(scene)
    assert arrived.call_id == a.call_id
    answered(a, b, arrived)
    hold(a, b)
    hang_up(b, a)


def test_out_by_a_trunk_the_callers_alone(make_scene: MakeScene) -> None:
    """A number that leaves is nobody's: no callee's sequence is passed for it."""
    trunk = Entity("trunk", parse_uri("sip:192.0.2.80"), (("192.0.2.80", 5060),), numbers=("0",), domains=("example.net",))
    scene = make_scene(entities=(trunk,))
    first, second = proxy(scene), proxy(scene, "second")
    sequence(scene, "first", callee=("second",))
    far = ScriptPhone(scene.network, "trunk", ("192.0.2.80", 5060))
    far.aor = "sip:0170@192.0.2.80"
    scene.phones.append(far)
    alice = scene.phone("6001")
    for uri in ("sip:0170@example.com", "sip:bob@example.net"):
        a = called(alice, uri)
        arrived = far << "INVITE"
        b = ScriptCall.of(far, arrived)
        answered(a, b, arrived)
        hang_up(a, b)
    assert (len(first.invites()), len(second.invites())) == (2, 0)
    a = ScriptCall(far, alice.aor)
    far >> a.invite(a.sdp())
    arrived = alice << "INVITE"
    b = ScriptCall.of(alice, arrived)
    answered(a, b, arrived)
    hang_up(b, a)
    assert (len(first.invites()), len(second.invites())) == (2, 1)


# -- once and twice -------------------------------------------------------------------------------------------------


def test_once_for_both(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", callee=("first",))
    whole_call(scene)
    assert len(first.invites()) == 1


def test_twice_a_foreign_server(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", callee=("first",), twice=True)
    whole_call(scene)
    served = [each.get("P-Served-User") for each in first.invites()]
    assert served == ["<sip:6001@example.com>;sescase=orig", "<sip:6002@example.com>;sescase=term"]


def watched_twice(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    sequence(scene, "cm", callee=("cm",), twice=True)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    watch(bob, bob)
    scene.advance(1.1)
    a, b, arrived = invite(alice, bob)
    assert not arrived.has("P-Served-User")
    answered(a, b, arrived)
    scene.advance(2)
    return a, b


def shows_one_call(scene: Scene, *calls: ScriptCall) -> None:
    scene.advance(2)
    for call in calls:
        assert [dialog.state for dialog in call.phone.lamp.dialogs] == ["confirmed"], scene.network.text()


def test_twice_communication_manager(make_scene: MakeScene) -> None:
    """For the caller, then for the callee: two calls of its own, and each party's lamp shows the one that is its."""
    scene = make_scene()
    a, b = watched_twice(scene)
    assert scene.server.b2bua.calls()["confirmed"] == 2
    shows_one_call(scene, a, b)
    hold(a, b)
    shows_one_call(scene, a, b)
    assert (renderings(a.phone), renderings(b.phone)) == (("no", ""), ("", "no"))
    resume(a, b)
    shows_one_call(scene, a, b)
    assert (renderings(a.phone), renderings(b.phone)) == (("yes", "yes"), ("yes", "yes"))
    hang_up(b, a)
    scene.advance(2.2)
    for call in (a, b):
        assert [dialog.state for dialog in call.phone.lamp.dialogs] == ["terminated"]


CHOSEN = """
from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError


class Chosen(Feature):
    def callee_chosen(self, call, leg):
        if call.serves != "callee":
            raise SipError(600)
"""


def test_twice_features_of_the_callee_act_once(make_scene: MakeScene, tmp_path: Path) -> None:
    """In the pass that is for the callee."""
    (tmp_path / "chosen.py").write_text(CHOSEN)
    scene = make_scene(feature_directory=tmp_path, features=("hold", "chosen"))
    sequence(scene, "cm", callee=("cm",), twice=True)
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    hang_up(a, b)
    sequence(scene, "cm", callee=("cm",))
    a = called(a.phone, b.phone.aor)
    a.phone >> a.ack(a.phone << "600 INVITE")


def test_once_but_not_in_a_row(make_scene: MakeScene) -> None:
    """Another application stands between the two passes: each is told whom it is for, and the lamps show one call."""
    scene = make_scene()
    proxy(scene)
    sequence(scene, "cm", "first", callee=("cm",))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    watch(bob, bob)
    scene.advance(1.1)
    a, b, arrived = invite(alice, bob)
    answered(a, b, arrived)
    assert scene.server.b2bua.calls()["confirmed"] == 2
    shows_one_call(scene, a, b)
    hang_up(a, b)


def test_twice_and_forwarded(make_scene: MakeScene) -> None:
    """Communication Manager is passed for the caller, for the callee who forwards, and for the one who answers."""
    scene = make_scene(features=("forwarding", "hold", "lamps"))
    sequence(scene, "cm", callee=("cm",), twice=True)
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    for phone in (alice, bob, carol):
        watch(phone, phone)
    has_set(scene, "6002", forward_always="6003")
    scene.advance(1.1)
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    arrived = carol << "INVITE"
    c = ScriptCall.of(carol, arrived)
    answered(a, c, arrived)
    assert scene.server.b2bua.calls()["confirmed"] == 3
    shows_one_call(scene, a, c)
    assert [dialog.state for dialog in bob.lamp.dialogs] == ["terminated"]
    hold(a, c)
    shows_one_call(scene, a, c)
    assert (renderings(alice), renderings(carol)) == (("no", ""), ("", "no"))
    hang_up(c, a)
    scene.advance(2.2)
    for phone in (alice, bob, carol):
        assert [dialog.state for dialog in phone.lamp.dialogs] == ["terminated"]


def test_twice_over_a_restart(make_scene: MakeScene) -> None:
    scene = make_scene(records=KeptRecords(), link="memory")
    a, b = watched_twice(scene)
    hold(a, b)
    scene.restart()
    scene.server.links.follow(Sequences(("cm",), ("cm",), twice=True), 4.0)
    scene.advance(2)
    shows_one_call(scene, a, b)
    assert (renderings(a.phone), renderings(b.phone)) == (("no", ""), ("", "no"))
    resume(a, b)
    hang_up(a, b)


# -- without what is dead -------------------------------------------------------------------------------------------


def test_down_and_optional(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", "cm", callee=("first",), optional=("first",))
    link = scene.server.links.named("first")
    assert link is not None
    link.up = False
    whole_call(scene)
    assert not first.seen and scene.count("applications_skipped", "down") == 2


def test_down_and_needed(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", "cm", optional=("cm",))
    link = scene.server.links.named("first")
    assert link is not None
    link.up = False
    a = called(scene.phone("6001"), "sip:6002@example.com")
    a.phone >> a.ack(a.phone << "480 INVITE")
    assert not first.seen


def test_the_only_one_is_down(make_scene: MakeScene) -> None:
    scene = make_scene()
    proxy(scene)
    sequence(scene, "first", optional=("first",))
    link = scene.server.links.named("first")
    assert link is not None
    link.up = False
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    hang_up(a, b)


@pytest.mark.parametrize("order", [("first", "cm"), ("cm", "first"), ("first",)])
def test_silent_and_optional(make_scene: MakeScene, order: tuple[str, ...]) -> None:
    scene = make_scene()
    first = proxy(scene)
    first.silent = True
    sequence(scene, *order, optional=("first",))
    bob = scene.phone("6002")
    a = called(scene.phone("6001"), bob.aor)
    scene.advance(3.9)
    bob.hears_nothing()
    scene.advance(0.2)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hold(a, b)
    hang_up(b, a)
    assert scene.count("applications_skipped", "silent") == 1
    scene.advance(TIMEOUT)


def test_its_503_is_as_silence(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    first.refuses = 503
    sequence(scene, "first", "cm", optional=("first",))
    a, b, arrived = ring(scene)
    answered(a, b, arrived)
    hang_up(a, b)


def test_any_other_word_of_an_optional_one_counts(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    first.refuses = 603
    sequence(scene, "first", "cm", optional=("first",))
    a = called(scene.phone("6001"), "sip:6002@example.com")
    a.phone >> a.ack(a.phone << "603 INVITE")


def test_the_callee_is_gone_when_the_application_is_skipped(make_scene: MakeScene) -> None:
    """What comes of the call without it is answered as of any other."""
    scene = make_scene()
    first = proxy(scene)
    first.silent = True
    sequence(scene, "first", optional=("first",))
    a = called(scene.phone("6001"), "sip:6003@example.com")
    scene.advance(4.1)
    a.phone >> a.ack(a.phone << "480 INVITE")
    scene.advance(TIMEOUT)


def test_given_up_while_an_optional_one_is_silent(make_scene: MakeScene) -> None:
    """The caller hears of it as ever, and nobody rings."""
    scene = make_scene()
    first = proxy(scene)
    first.silent = True
    sequence(scene, "first", "cm", optional=("first",))
    bob = scene.phone("6002")
    a = called(scene.phone("6001"), bob.aor)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    scene.advance(TIMEOUT)
    a.phone >> a.ack(a.phone << "487 INVITE")
    bob.hears_nothing()


def test_alive_and_optional(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = proxy(scene)
    sequence(scene, "first", "cm", optional=("first", "cm"))
    whole_call(scene)
    assert len(first.invites()) == 1


def test_ringing_for_longer_than_an_application_may_be_silent(make_scene: MakeScene) -> None:
    scene = make_scene()
    proxy(scene)
    sequence(scene, "first", optional=("first",))
    a, b, arrived = ring(scene)
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    scene.advance(20)
    answered(a, b, arrived)
    hang_up(a, b)


# -- what is not there ----------------------------------------------------------------------------------------------


def test_a_link_that_is_gone(make_scene: MakeScene) -> None:
    """Its name stands in a sequence, or in the Route of a call that was under way."""
    scene = make_scene()
    sequence(scene, "gone", "cm")
    a = called(scene.phone("6001"), "sip:6002@example.com")
    a.phone >> a.ack(a.phone << "480 INVITE")
    sequence(scene, "gone", "cm", optional=("gone",))
    a = called(a.phone, "sip:6003@example.com")
    a.phone >> a.ack(a.phone << "480 INVITE")
    assert scene.count("applications_skipped", "down") == 1
