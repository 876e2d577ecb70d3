"""Calls that somebody beside the phones makes and steers: what the phones and the lamps see of it."""

from __future__ import annotations

import pytest

from b2bua.feature_server.control import Control, ControlError
from b2bua.sip.sdp import parse_origin
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    invite,
    is_gone,
    register_again,
    renderings,
    resume,
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.transfer_scene import FEATURES, lamp_of, settle
from tests.scenarios.virtual_network import SERVER


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


class Desk:
    """Whoever steers, from outside: everything that it causes runs at once."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.control = Control(scene.server.b2bua.all_calls)

    def ask(self, verb: str, *words: str) -> str:
        self.scene.server.turns.driving = True
        found = getattr(self.control, verb)(*words)
        self.scene.server.run()
        self.scene.network.run()
        return str(found)

    def only(self) -> str:
        [view] = self.control.list()
        return str(view["id"])

    def last(self, name: str) -> tuple[str, int]:
        last = self.control.view(name)["last"]
        assert isinstance(last, dict)
        return last["asked"], last["status"]

    def refused(self, status: int, verb: str, *words: str) -> None:
        with pytest.raises(ControlError) as raised:
            self.ask(verb, *words)
        assert raised.value.status == status and "\n" not in str(raised.value)


def rung(desk: Desk, first: ScriptPhone, second: ScriptPhone) -> tuple[str, ScriptCall]:
    """A call up to the first phone, which rings."""
    name = desk.ask("make", first.user, second.user)
    arrived = first << "INVITE a=inactive"
    assert second.aor in str(arrived.get("From"))
    a = ScriptCall.of(first, arrived)
    first >> a.answer(arrived, 180)
    a.arrived = arrived
    return name, a


def made(desk: Desk, first: ScriptPhone, second: ScriptPhone) -> tuple[str, ScriptCall, ScriptCall]:
    """A whole one."""
    name, a = rung(desk, first, second)
    first >> a.answer(a.arrived, 200, a.sdp("inactive"))
    first << "ACK no-body"
    desk.scene.advance(0.1)
    arrived = second << "INVITE no-body"
    assert first.aor in str(arrived.get("From")) and not arrived.has("Referred-By")
    b = ScriptCall.of(second, arrived)
    second >> b.answer(arrived, 180)
    second >> b.answer(arrived, 200, b.sdp())
    offered = first << "INVITE a=sendrecv"
    for message in (arrived, offered):
        assert f"@{SERVER[0]}:{SERVER[1]};fs=" in str(message.get("Contact"))
    first >> a.answer(offered, 200, a.sdp())
    first << "ACK no-body"
    second << "ACK a=sendrecv"
    return name, a, b


def test_two_users_are_put_together(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    watch(bob, bob)
    desk = Desk(scene)
    name, a, b = made(desk, alice, bob)
    settle(scene)
    assert desk.last(name) == ("make", 200)
    [view] = desk.control.list()
    assert (view["id"], view["state"], view["holding"]) == (name, "confirmed", [])
    assert {view["caller"], view["callee"]} == {"6001", "6002"}
    assert lamp_of(a) == [("confirmed", bob.aor)] and lamp_of(b) == [("confirmed", alice.aor)]
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    hang_up(b, a)
    settle(scene)
    assert desk.control.list() == []
    assert desk.control.view(name)["state"] == "ended"
    assert lamp_of(a) == lamp_of(b) == [("terminated", "")]


def test_the_first_one_does_not_want(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    desk = Desk(scene)
    name, a = rung(desk, alice, bob)
    assert desk.last(name) == ("make", 180)
    alice >> a.answer(a.arrived, 486)
    alice << "ACK"
    scene.advance(0.2)
    assert desk.last(name) == ("make", 486)
    assert desk.control.list() == []
    bob.hears_nothing()


def test_the_second_one_does_not_want(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    desk = Desk(scene)
    name, a = rung(desk, alice, bob)
    alice >> a.answer(a.arrived, 200, a.sdp("inactive"))
    alice << "ACK"
    scene.advance(0.1)
    arrived = bob << "INVITE no-body"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 603)
    bob << "ACK"
    is_gone(a)
    assert desk.last(name) == ("make", 603)


def test_the_first_one_hangs_up_while_the_second_one_rings(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    desk = Desk(scene)
    name, a = rung(desk, alice, bob)
    alice >> a.answer(a.arrived, 200, a.sdp("inactive"))
    alice << "ACK"
    scene.advance(0.1)
    arrived = bob << "INVITE no-body"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 180)
    alice >> a.request("BYE")
    alice << "200 BYE"
    cancel = bob << "CANCEL"
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    scene.advance(0.1)
    assert desk.last(name) == ("make", 487)


def test_nobody_is_there(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.phone("6002", registered=False)
    desk = Desk(scene)
    name = desk.ask("make", "6002", "6001")
    scene.advance(0.2)
    assert desk.last(name) == ("make", 480)
    alice.hears_nothing()


def test_hold_and_resume_for_a_party(scene: Scene) -> None:
    a, b = watched_call(scene)
    alice, bob = a.phone, b.phone
    desk = Desk(scene)
    name = desk.only()
    desk.ask("hold", name, "6001")
    offered = bob << "INVITE a=sendonly"
    bob >> b.answer(offered, 200, b.sdp("recvonly"))
    bob << "ACK no-body"
    offered = alice << "INVITE a=inactive"
    alice >> a.answer(offered, 200, a.sdp("inactive"))
    alice << "ACK no-body"
    assert desk.last(name) == ("hold", 200)
    settle(scene)
    assert renderings(alice) == ("no", "") and renderings(bob)[1] == "no"
    [view] = desk.control.list()
    assert view["holding"] == ["6001"]
    desk.refused(409, "hold", name, "6001")
    desk.ask("resume", name, "6001")
    offered = alice << "INVITE a=sendrecv"
    alice >> a.answer(offered, 200, a.sdp())
    alice << "ACK no-body"
    offered = bob << "INVITE a=sendrecv"
    bob >> b.answer(offered, 200, b.sdp())
    bob << "ACK no-body"
    settle(scene)
    assert desk.last(name) == ("resume", 200)
    assert renderings(alice) == renderings(bob) == ("yes", "yes")
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_the_version_of_our_o_line_rises_by_one_with_each_offer(scene: Scene) -> None:
    """RFC 3264 §8: to either phone, though what the far one is offered at a resume is made of the other one's answer, in which
    the direction stands where PJSIP has it, before the last line."""
    a, b = watched_call(scene)
    desk = Desk(scene)
    name = desk.only()
    said: dict[str, list[int]] = {"6001": [], "6002": []}
    for verb, order in (("hold", ((b, "sendonly", "recvonly"), (a, "inactive", "inactive"))),
                        ("resume", ((a, "sendrecv", "sendrecv"), (b, "sendrecv", "sendrecv")))):  # fmt: skip
        desk.ask(verb, name, "6001")
        for party, direction, answer in order:
            offered = party.phone << f"INVITE a={direction}"
            said[party.phone.user].append(parse_origin(offered.body).version)
            party.phone >> party.answer(offered, 200, f"{party.sdp(answer)}a=ssrc:1 cname:lab\r\n")
            party.phone << "ACK no-body"
    for first, second in said.values():
        assert second == first + 1
    settle(scene)
    hang_up(a, b)


def test_a_hold_that_the_far_phone_refuses(scene: Scene) -> None:
    a, b = watched_call(scene)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("hold", name, "6001")
    offered = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(offered, 488)
    b.phone << "ACK"
    a.phone.hears_nothing()
    settle(scene)
    assert desk.last(name) == ("hold", 488)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def held(desk: Desk, a: ScriptCall, b: ScriptCall) -> str:
    """By us, for 6001."""
    name = desk.only()
    desk.ask("hold", name, "6001")
    offered = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(offered, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    offered = a.phone << "INVITE a=inactive"
    a.phone >> a.answer(offered, 200, a.sdp("inactive"))
    a.phone << "ACK"
    return name


def test_a_resume_that_the_far_phone_refuses(scene: Scene) -> None:
    """The party's own phone hears that it still holds, and so do the lamps."""
    a, b = watched_call(scene)
    desk = Desk(scene)
    name = held(desk, a, b)
    settle(scene)
    desk.ask("resume", name, "6001")
    offered = a.phone << "INVITE a=sendrecv"
    a.phone >> a.answer(offered, 200, a.sdp())
    a.phone << "ACK"
    offered = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(offered, 488)
    b.phone << "ACK"
    offered = a.phone << "INVITE a=inactive"
    a.phone >> a.answer(offered, 200, a.sdp("inactive"))
    a.phone << "ACK"
    settle(scene)
    assert desk.last(name) == ("resume", 488)
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


def test_a_hold_that_the_partys_own_phone_refuses(scene: Scene) -> None:
    """The far one has agreed: it is held."""
    a, b = watched_call(scene)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("hold", name, "6001")
    offered = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(offered, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    offered = a.phone << "INVITE a=inactive"
    a.phone >> a.answer(offered, 488)
    a.phone << "ACK"
    settle(scene)
    assert desk.last(name) == ("hold", 488)
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


def test_somebody_hangs_up_during_a_hold(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("hold", name, "6001")
    offered = bob << "INVITE a=sendonly"
    alice >> a.request("BYE")
    alice << "200 BYE"
    assert desk.last(name) == ("hold", 487)
    bob >> b.answer(offered, 487)
    is_gone(b)
    bob << "ACK"


def test_no_code_is_dialled_for_a_call_that_is_made(make_scene: MakeScene) -> None:
    """What the second one cannot be is told, and the first one hears BYE."""
    scene = make_scene(features=FEATURES)
    alice = scene.phone("6001")
    desk = Desk(scene)
    name = desk.ask("make", "6001", "*97")
    arrived = alice << "INVITE a=inactive"
    a = ScriptCall.of(alice, arrived)
    alice >> a.answer(arrived, 200, a.sdp("inactive"))
    alice << "ACK"
    scene.advance(0.2)
    is_gone(a)
    assert desk.last(name)[1] >= 400


def test_both_hold(scene: Scene) -> None:
    """One by its phone, the other one by us; who resumes hears what the other one still wants."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    desk = Desk(scene)
    hold(b, a)
    desk.ask("hold", desk.only(), "6001")
    offered = bob << "INVITE a=inactive"
    bob >> b.answer(offered, 200, b.sdp("inactive"))
    bob << "ACK"
    offered = alice << "INVITE a=inactive"
    alice >> a.answer(offered, 200, a.sdp("inactive"))
    alice << "ACK"
    desk.ask("resume", desk.only(), "6001")
    offered = alice << "INVITE a=sendonly"
    alice >> a.answer(offered, 200, a.sdp("recvonly"))
    alice << "ACK"
    offered = bob << "INVITE a=sendrecv"
    bob >> b.answer(offered, 200, b.sdp("sendonly"))
    bob << "ACK"
    [view] = desk.control.list()
    assert view["holding"] == ["6002"]
    resume(b, a)
    hang_up(a, b)


def test_a_hold_for_a_party_survives_the_process(make_scene: MakeScene) -> None:
    """By SIGKILL; the party resumes at its own phone."""
    scene = make_scene(features=FEATURES)
    a, b = watched_call(scene)
    if scene.server.records is None:
        hang_up(a, b)
        return
    alice, bob = a.phone, b.phone
    desk = Desk(scene)
    desk.ask("hold", desk.only(), "6001")
    offered = bob << "INVITE a=sendonly"
    bob >> b.answer(offered, 200, b.sdp("recvonly"))
    bob << "ACK"
    offered = alice << "INVITE a=inactive"
    alice >> a.answer(offered, 200, a.sdp("inactive"))
    alice << "ACK"
    scene.restart()
    for phone in (alice, bob):
        register_again(phone, 3)
    [view] = Control(scene.server.b2bua.all_calls).list()
    assert view["holding"] == ["6001"]
    resume(a, b)
    assert Control(scene.server.b2bua.all_calls).list()[0]["holding"] == []
    hang_up(a, b)


def test_the_door_from_outside(scene: Scene) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    control = Desk(scene).control
    status, found = control.ask("list", {})
    assert status == 200 and isinstance(found, list) and len(found) == 1
    assert control.ask("view", {"id": a.call_id}) == (200, found[0])
    assert control.ask("hold", {"id": a.call_id}) == (400, "hold needs user")
    assert control.ask("park", {}) == (400, "'park' is none of list, view, make, hold, resume, transfer, end")
    assert control.ask("end", {"id": "x"}) == (404, "there is no call x")
    scene.server.turns.driving = True
    status, found = control.ask("end", {"id": a.call_id})
    scene.server.run()
    scene.network.run()
    assert status == 202 and isinstance(found, dict) and found["last"] == {"asked": "end", "status": 200, "reason": ""}
    is_gone(a)
    is_gone(b)


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("view", "id"),
        ("make", "from and to"),
        ("hold", "id and user"),
        ("resume", "id and user"),
        ("transfer", "id and user and to"),
        ("end", "id"),
    ],
)
def test_each_verb_says_what_it_needs(make_scene: MakeScene, verb: str, wanted: str) -> None:
    control = Desk(make_scene()).control
    assert control.ask(verb, {}) == (400, f"{verb} needs {wanted}")
    assert control.ask(verb, dict.fromkeys(wanted.split(" and "), "tel:1"))[0] in (400, 404)


def test_transfer_by_us(scene: Scene) -> None:
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("transfer", name, "6001", "6003")
    desk.refused(409, "hold", name, "6002")
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 180)
    assert desk.last(name) == ("transfer", 180)
    carol >> c.answer(arrived, 200, c.sdp())
    offered = bob << "INVITE a=sendrecv"
    bob >> b.answer(offered, 200, b.sdp())
    bob << "ACK no-body"
    carol << "ACK a=sendrecv"
    is_gone(a)
    assert desk.last(name) == ("transfer", 200)
    hang_up(b, c)


def test_transfer_that_fails_leaves_the_call(scene: Scene) -> None:
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("transfer", name, "6001", "6003")
    arrived = carol << "INVITE no-body"
    carol >> ScriptCall.of(carol, arrived).answer(arrived, 486)
    carol << "ACK"
    scene.advance(0.1)
    assert desk.last(name) == ("transfer", 486)
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_end(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    desk = Desk(scene)
    name = desk.only()
    desk.ask("end", name)
    is_gone(a)
    is_gone(b)
    assert desk.last(name) == ("end", 200)
    desk.refused(404, "end", name)


def test_end_while_it_rings(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    Desk(scene).ask("end", a.call_id)
    alice >> a.ack(alice << "480 INVITE")
    cancel = bob << "CANCEL"
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"


def test_what_cannot_be(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    desk = Desk(scene)
    name = desk.only()
    desk.refused(409, "hold", name, "6001")
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    desk.refused(404, "hold", "no such call", "6001")
    desk.refused(404, "hold", name, "6003")
    desk.refused(409, "resume", name, "6001")
    desk.refused(400, "make", "6001", "tel:6002")
    desk.refused(400, "make", "a b", "6002")
    desk.refused(400, "transfer", name, "6001", "")
    desk.refused(404, "view", "no such call")
    hang_up(a, b)
