"""Park and retrieve (RFC 5359 §2.15): a held party waits with music, and is taken from another phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.forwarded_call import dial
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, hold, is_gone, resume, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import Talk, lamp_of, refer, reports, settle

FEATURES = ("hold", "lamps", "transfer", "park")


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


ROLES = pytest.mark.parametrize("parker_is_caller", [True, False], ids=["caller", "callee"])


def held(scene: Scene, parker_is_caller: bool = True) -> Talk:
    """Alice holds Bob; Carol is there, and Bob watches himself."""
    alice, bob, _ = (scene.phone(user) for user in ("6001", "6002", "6003"))
    watch(bob, bob)
    a, b = talk(alice, bob) if parker_is_caller else talk(bob, alice)[::-1]
    hold(a, b)
    scene.advance(2)
    return a, b


def listens(b: ScriptCall) -> None:
    """The held party is asked to hear our music, and does."""
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"


def by_code(scene: Scene, a: ScriptCall, b: ScriptCall, uri: str = "sip:*68@example.com") -> None:
    """Alice dials the code while she holds."""
    park = called(a.phone, uri)
    listens(b)
    final = a.phone << "480 INVITE"
    assert str(final).startswith("SIP/2.0 480 Parked At 6001")
    a.phone >> park.ack(final)
    is_gone(a)


def by_name(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    """The same by the feature's name."""
    by_code(scene, a, b, "sip:6001@example.com;avaya-cm-fnu=park")


def by_transfer(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    """Her phone sends Bob there."""
    refer(a, "sip:*68@example.com")
    listens(b)
    assert reports(a)[-1] == "200 OK terminated"
    is_gone(a)


WAYS = pytest.mark.parametrize("way", [by_code, by_name, by_transfer])
Way = Callable[[Scene, ScriptCall, ScriptCall], None]


def retrieved(scene: Scene, digits: str, b: ScriptCall) -> ScriptCall:
    """Carol takes the parked party."""
    c = called(scene.phones[2], f"sip:{digits}@example.com")
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"
    answer = c.phone << "200 INVITE a=sendrecv"
    c.learn(answer)
    c.phone >> c.ack(answer)
    return c


def streams(scene: Scene) -> int:
    return len(scene.server.media.open_streams)


@WAYS
@ROLES
def test_park_and_retrieve(scene: Scene, way: Way, parker_is_caller: bool) -> None:
    a, b = held(scene, parker_is_caller)
    way(scene, a, b)
    settle(scene)
    assert [state for state, _ in lamp_of(b)] == ["confirmed"]
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    assert streams(scene) == 1
    c = retrieved(scene, "*696001", b)
    assert streams(scene) == 0
    settle(scene)
    assert lamp_of(b) == [("confirmed", c.phone.aor)]
    for one, other in ((c, b), (b, c)):
        hold(one, other)
        resume(one, other)
    hang_up(c, b)
    assert dial(scene.phones[2], "*696001", "404") == "Nothing Parked There"


@WAYS
def test_parked_party_hangs_up(scene: Scene, way: Way) -> None:
    a, b = held(scene)
    way(scene, a, b)
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    assert streams(scene) == 0
    assert dial(scene.phones[2], "*696001", "404") == "Nothing Parked There"


def test_parked_under_another_number(scene: Scene) -> None:
    a, b = held(scene)
    refer(a, "sip:*6877@example.com")
    listens(b)
    is_gone(a)
    assert dial(scene.phones[2], "*696001", "404") == "Nothing Parked There"
    c = retrieved(scene, "*6977", b)
    hang_up(b, c)


def test_another_is_parked_there(scene: Scene) -> None:
    """486, and the second party stays on hold."""
    a, b = held(scene)
    by_transfer(scene, a, b)
    dave = scene.phone("6004")
    a2, d = talk(a.phone, dave)
    refer(a2, "sip:*68@example.com")
    assert reports(a2)[-1] == "486 Another Is Parked There terminated"
    hold(a2, d)
    assert dial(a.phone, "*68", "486") == "Another Is Parked There"
    resume(a2, d)
    hang_up(a2, d)
    c = retrieved(scene, "*696001", b)
    hang_up(c, b)


def test_parked_party_does_not_want_to_listen(scene: Scene) -> None:
    """The old call stands, on hold."""
    a, b = held(scene)
    refer(a, "sip:*68@example.com")
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    assert reports(a)[-1] == "488 Whatever terminated"
    assert streams(scene) == 0
    assert dial(scene.phones[2], "*696001", "404") == "Nothing Parked There"
    resume(a, b)
    hang_up(a, b)


def test_who_retrieves_is_refused_by_the_parked_party(scene: Scene) -> None:
    """It goes on waiting."""
    a, b = held(scene)
    by_transfer(scene, a, b)
    c = called(scene.phones[2], "sip:*696001@example.com")
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    c.phone >> c.ack(c.phone << "488 INVITE")
    assert streams(scene) == 1
    c = retrieved(scene, "*696001", b)
    hang_up(c, b)


def test_nothing_is_held(scene: Scene) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    assert dial(a.phone, "*68", "404") == "Nothing To Park"
    hang_up(a, b)


def test_parker_takes_it_back(scene: Scene) -> None:
    """Without a number its own."""
    a, b = held(scene)
    by_code(scene, a, b)
    back = called(a.phone, "sip:*69@example.com")
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"
    answer = a.phone << "200 INVITE a=sendrecv"
    back.learn(answer)
    a.phone >> back.ack(answer)
    hang_up(b, back)
