"""Call forwarding (RFC 5359 §2.7, §2.8, §2.9), switched by code, setting and default; and phones that forward by a 3xx."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import answers, at, cancelled, dial, has_set, phones, refuses, rings, states
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, idle, register_again, watch

FEATURES = ("forwarding", "hold", "lamps")


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


def test_5359_2_7_unconditional(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    assert dial(bob, "*726003", "480") == "Forwarding To 6003"
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    c, arrived = at(carol)
    assert arrived.get("Diversion") == f"<{bob.aor}>;reason=unconditional;counter=1"
    rings(c, arrived)
    alice << "180 INVITE"
    answers(a, c, arrived)
    hang_up(a, c)
    bob.hears_nothing()
    assert dial(bob, "*73", "480") == "Forwarding Off"
    a = called(alice, bob.aor)
    b, arrived = at(bob)
    answers(a, b, arrived)
    hang_up(b, a)


@pytest.mark.parametrize("status", [486, 600])
def test_5359_2_8_busy(scene: Scene, status: int) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    assert dial(bob, "*906003", "480") == "Forwarding To 6003"
    a = called(alice, bob.aor)
    b, first = at(bob)
    refuses(b, first, status)
    alice << "181 INVITE"
    c, second = at(carol)
    answers(a, c, second)
    hang_up(a, c)


def test_a_history_that_cannot_be_read_keeps_nobody_from_it(scene: Scene) -> None:
    """RFC 7044: what stands there cannot be gone on with, so that ours begins anew."""
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_busy="6003")
    a = called(alice, bob.aor, 'History-Info: <sip:6009@example.com>;index=1, "x')
    b, first = at(bob)
    refuses(b, first, 486)
    alice << "181 INVITE"
    c, second = at(carol)
    entries = [entry.partition(";")[2] for entry in second.elements("History-Info")]
    assert entries == ["index=1", "index=1.1;np=1", "index=1.2;mp=1.1"]
    answers(a, c, second)
    hang_up(a, c)


@pytest.mark.parametrize("status", [603, 404, 488])
def test_who_declines_is_not_forwarded(scene: Scene, status: int) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_busy="6003", forward_no_answer="6003")
    a = called(alice, bob.aor)
    b, first = at(bob)
    refuses(b, first, status)
    alice >> a.ack(alice << f"{status} INVITE")
    carol.hears_nothing()


def test_5359_2_9_no_answer(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    watched = [watch(phone, phone) for phone in (bob, carol)]
    scene.advance(3)
    assert dial(bob, "*926003", "480") == "Forwarding To 6003"
    has_set(scene, "6002", forward_no_answer_seconds="5")
    scene.advance(3)
    a = called(alice, bob.aor)
    b, first = at(bob)
    rings(b, first)
    alice << "180 INVITE"
    scene.advance(4.9)
    bob.hears_nothing()
    scene.advance(0.2)
    cancelled(b, first, 408)
    alice << "181 INVITE"
    c, second = at(carol)
    assert (second.get("Diversion") or "").endswith("reason=no-answer;counter=1")
    scene.advance(1.1)
    assert (states(bob), states(carol)) == (["terminated"], ["trying"])
    answers(a, c, second)
    scene.advance(1.1)
    assert states(carol) == ["confirmed"]
    hang_up(a, c)
    idle(scene, *watched)


def test_who_answers_in_time_is_not_forwarded(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_no_answer="6003", forward_no_answer_seconds="5")
    a = called(alice, bob.aor)
    b, first = at(bob)
    scene.advance(3)
    answers(a, b, first)
    scene.advance(5)
    hang_up(a, b)
    carol.hears_nothing()


def test_a_phone_that_is_not_there_is_forwarded_at_once(scene: Scene) -> None:
    alice, carol = phones(scene, "6001", "6003")
    has_set(scene, "6002", forward_no_answer="6003")
    a = called(alice, "sip:6002@example.com")
    alice << "181 INVITE"
    c, arrived = at(carol)
    assert (arrived.get("Diversion") or "").endswith("reason=unavailable;counter=1")
    answers(a, c, arrived)
    hang_up(a, c)


def test_from_one_to_the_next(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    has_set(scene, "6002", forward_always="6003")
    has_set(scene, "6003", forward_busy="sip:6004@example.com")
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    c, first = at(carol)
    refuses(c, first, 486)
    d, second = at(dave)
    assert second.get_all("Diversion") == [
        f"<{carol.aor}>;reason=user-busy;counter=1", f"<{bob.aor}>;reason=unconditional;counter=1",
    ]  # fmt: skip
    answers(a, d, second)
    hang_up(d, a)


def test_a_circle_is_482(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_always="6003")
    has_set(scene, "6003", forward_always="6002")
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    alice >> a.ack(alice << "482 INVITE")
    bob.hears_nothing()
    carol.hears_nothing()


def test_two_who_are_busy_forward_to_each_other(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_busy="6003")
    has_set(scene, "6003", forward_busy="6002")
    a = called(alice, bob.aor)
    refuses(*at(bob), 486)
    alice << "181 INVITE"
    refuses(*at(carol), 486)
    alice >> a.ack(alice << "486 INVITE")


def test_the_caller_gives_up_before_the_time_is_over(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_no_answer="6003")
    a = called(alice, bob.aor)
    b, arrived = at(bob)
    rings(b, arrived)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    refuses(b, arrived, 487)
    scene.advance(30)
    carol.hears_nothing()


def test_one_that_was_taken_back_while_the_phone_rings(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_no_answer="6003", forward_no_answer_seconds="5")
    a = called(alice, bob.aor)
    b, arrived = at(bob)
    assert dial(bob, "*93", "480") == "Forwarding Off"
    scene.advance(6)
    carol.hears_nothing()
    answers(a, b, arrived)
    hang_up(a, b)


def test_for_everybody_by_default(make_scene: MakeScene) -> None:
    defaults = {"forward_no_answer": "6003", "forward_no_answer_seconds": "2"}
    scene = make_scene(features=FEATURES, user_defaults=defaults)
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    a = called(alice, bob.aor)
    b, first = at(bob)
    rings(b, first)
    alice << "180 INVITE"
    scene.advance(2.1)
    cancelled(b, first, 408)
    alice << "181 INVITE"
    c, second = at(carol)
    answers(a, c, second)
    hang_up(a, c)


@pytest.mark.parametrize(
    ("digits", "status", "reason"),
    [
        ("*72", 484, "Address Incomplete"), ("*736003", 404, "Not Found"), ("*726001", 403, "Forwarding To Yourself"),
        ("*72%266003", 484, "Address Incomplete"),
    ],
)  # fmt: skip
def test_what_cannot_be_dialled(scene: Scene, digits: str, status: int, reason: str) -> None:
    [alice] = phones(scene, "6001")
    assert dial(alice, digits, str(status)) == reason
    assert scene.server.user_settings.of("6001") == {}


def test_a_store_that_takes_nothing_is_told(make_scene: MakeScene) -> None:
    scene = make_scene(features=FEATURES)
    [alice] = phones(scene, "6001")
    if scene.server.records is None or scene.server.remotes:  # nothing is promised there
        assert dial(alice, "*726003", "480") == "Forwarding To 6003"
        return
    scene.server.records.failing = True
    a = called(alice, "sip:*726003@example.com")
    alice >> a.ack(alice << "480 INVITE")  # not even the INVITE is kept: it comes to nobody
    scene.server.records.failing = False
    assert scene.server.user_settings.of("6001") == {}


# ---- a phone that forwards itself


def test_3261_8_1_3_4_the_contacts_of_a_3xx_in_their_order(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    a = called(alice, bob.aor)
    contacts = f"Contact: <sip:6004@192.0.2.1>;q=0.3, <{carol.aor};transport=tcp>;q=0.8, <sip:x@example.net>;q=1"
    refuses(*at(bob), 302, contacts)
    alice << "181 INVITE"
    c, first = at(carol)
    assert (first.get("Diversion") or "").endswith("reason=deflection;counter=1")
    rings(c, first)
    alice << "180 INVITE"
    scene.advance(30)
    dave.hears_nothing()
    refuses(c, first, 486)
    d, second = at(dave)
    answers(a, d, second)
    hang_up(a, d)


@pytest.mark.parametrize(("how", "contact"), [("none", "sip:6003@example.com"), ("", "sip:6003@example.net")])
def test_a_3xx_that_is_not_followed_goes_to_the_caller(scene: Scene, how: str, contact: str) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", follow_redirects=how)
    a = called(alice, bob.aor)
    refuses(*at(bob), 302, f"Contact: <{contact}>")
    final = alice << "302 INVITE"
    assert final.elements("Contact") == [f"<{contact}>"]
    alice >> a.ack(final)
    carol.hears_nothing()


def test_a_stranger_is_followed_where_the_user_wants_it(scene: Scene) -> None:
    """And as far as Session Manager goes there."""
    alice, bob = phones(scene, "6001", "6002")
    has_set(scene, "6002", follow_redirects="all")
    a = called(alice, bob.aor)
    refuses(*at(bob), 302, "Contact: <sip:6003@example.net>")
    alice << "181 INVITE"
    alice >> a.ack(alice << "403 INVITE")


# ---- over a restart


def test_what_a_user_has_switched_on_is_there_after_a_restart() -> None:
    scene = Scene(Options(records=KeptRecords(), features=FEATURES))
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    assert dial(bob, "*726003", "480") == "Forwarding To 6003"
    scene.restart()
    for number, phone in enumerate((alice, bob, carol)):
        register_again(phone, 11 + 10 * number)
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    c, arrived = at(carol)
    answers(a, c, arrived)
    hang_up(a, c)
    assert dial(bob, "*73", "480") == "Forwarding Off"
    scene.restart()
    assert scene.server.user_settings.of("6002") == {}
    scene.quiet()
