"""Presence (RFC 3856): what phones publish, joined with what the server knows of registrations and calls."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from b2bua.sip.pidf import CONTENT_TYPE, MOST, ON_THE_PHONE, Presence, Reach, parse_pidf
from tests.scenarios.events import publish, refused, subscribe, told
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, answered, hang_up, hold, invite, register_again, resume, talk
from tests.scenarios.script_call import register_text
from tests.scenarios.script_phone import ScriptPhone


def seen(phone: ScriptPhone) -> Presence:
    return parse_pidf(told(phone, "presence").body)


def basic(phone: ScriptPhone) -> str:
    return seen(phone).reaches[0].basic


def count(phone: ScriptPhone) -> int:
    return len(phone.notified)


def published(phone: ScriptPhone, *activities: str, contact: str = "", note: str = "") -> str:
    reach = Reach("{a phone's own}", "open", contact or phone.contact.strip("<>"), note)
    return Presence(phone.aor, (reach,), activities).encode().decode()


def unregister(phone: ScriptPhone) -> Message:
    phone >> register_text(phone, 11, expires=0)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, 12, phone.credentials(challenge, "REGISTER", "sip:example.com"), expires=0)
    return phone << "200 REGISTER"


# ---- what is known without anybody's word


def test_registered_is_open_and_else_closed(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002", registered=False)
    subscribe(alice, "presence", bob.aor)
    notify = told(alice, "presence")
    assert (notify.get("Content-Type"), basic(alice)) == (CONTENT_TYPE, "closed")
    scene.advance(5.1)
    register_again(bob, 1)
    assert basic(alice) == "open" and seen(alice).reaches[0].contact == bob.aor
    scene.advance(5.1)
    unregister(bob)
    assert basic(alice) == "closed"


def test_a_registration_that_lapses_is_closed(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    subscribe(alice, "presence", bob.aor, expires=3600)
    assert basic(alice) == "open"
    register_again(alice, 21)
    scene.advance(3500)
    register_again(alice, 31)
    scene.advance(101)
    assert basic(alice) == "closed"


def test_a_refreshed_registration_is_no_news(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    subscribe(alice, "presence", bob.aor)
    for cseq in (11, 21, 31):
        scene.advance(6)
        register_again(bob, cseq)
    scene.advance(6)
    assert count(alice) == 1


def test_on_the_phone_in_all_states_but_idle_and_ringing(scene: Scene) -> None:
    """Who dials is, who is rung is not; talking, holding and being held are. A call later nobody is."""
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    for phone in (alice, bob):
        subscribe(carol, "presence", phone.aor)

    def shown() -> tuple[bool, bool]:
        scene.advance(5.1)
        found = {}
        for request in carol.notified:
            document = parse_pidf(request.body)
            found[document.entity] = ON_THE_PHONE in document.activities
        return found[alice.aor], found[bob.aor]

    assert shown() == (False, False)
    a, b, arrived = invite(alice, bob)
    assert shown() == (True, False)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    assert shown() == (True, False)
    answered(a, b, arrived)
    assert shown() == (True, True)
    hold(a, b)
    heard = count(carol)
    assert shown() == (True, True)
    assert count(carol) == heard  # held or not, nothing about its presence has changed
    resume(a, b)
    hang_up(a, b)
    assert shown() == (False, False)


def test_a_notify_in_five_seconds(scene: Scene) -> None:
    """RFC 3856 §6.10: what comes between folds to the newest, and is not told where it is as before."""
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    subscribe(carol, "presence", alice.aor)
    calls = talk(alice, bob)
    hang_up(*calls)
    scene.advance(4.8)
    assert count(carol) == 1
    scene.advance(2)
    assert count(carol) == 1
    calls = talk(alice, bob)
    assert count(carol) == 2 and seen(carol).activities == (ON_THE_PHONE,)
    scene.advance(4.8)
    hang_up(*calls)
    assert count(carol) == 2
    scene.advance(0.4)
    assert count(carol) == 3 and seen(carol).activities == ()


# ---- what phones publish


def test_what_a_phone_publishes_is_joined_with_what_is_known(scene: Scene) -> None:
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    subscribe(carol, "presence", alice.aor, expires=3600)
    assert publish(alice, "presence", CONTENT_TYPE, published(alice, "meeting", note="Room 1")).status == 200
    calls = talk(alice, bob)
    scene.advance(5.1)
    document = seen(carol)
    assert set(document.activities) == {"meeting", ON_THE_PHONE}
    assert [(reach.basic, reach.note) for reach in document.reaches] == [("open", "Room 1")]
    hang_up(*calls)
    scene.advance(5.1)
    assert seen(carol).activities == ("meeting",)
    scene.advance(600)  # the publication lapses
    assert seen(carol) == Presence(alice.aor, (Reach("t0", "open", alice.aor),))


def test_two_phones_of_one_user_stand_side_by_side(scene: Scene) -> None:
    alice, desk, carol = scene.phone("6001"), scene.phone("6001", device=1), scene.phone("6003")
    for phone, activity in ((alice, "away"), (desk, "busy")):
        publish(phone, "presence", CONTENT_TYPE, published(phone, activity), expires=60)
    subscribe(carol, "presence", alice.aor)
    document = seen(carol)
    assert (len(document.reaches), set(document.activities)) == (2, {"away", "busy"})
    ids = [part.split('"')[0] for part in told(carol, "presence").body.decode().split('<tuple id="')[1:]]
    assert len(set(ids)) == 2 and all(name.startswith("t") for name in ids)
    scene.advance(61)


def test_what_one_user_publishes_stays_small(scene: Scene) -> None:
    """What one user may leave here, in nine publications of ten tuples with long notes, would fill a datagram."""
    alice, carol = scene.phone("6001"), scene.phone("6003")
    note = "&" * 500
    reaches = tuple(Reach(f"t{number}", "open", "tel:+4930", "" if number else note) for number in range(10))
    for number in range(9):
        body = Presence(alice.aor, reaches, (), (f"{number}{note}",)).encode().decode()
        assert publish(alice, "presence", CONTENT_TYPE, body, expires=60).status == 200
    subscribe(carol, "presence", alice.aor)
    document = seen(carol)
    assert (len(document.reaches), len(document.notes)) == (MOST, MOST) and document.notes[0].startswith("8&")
    assert len(told(carol, "presence").body) < 20_000
    scene.advance(61)


def test_nobody_is_reached_who_is_not_registered(scene: Scene) -> None:
    """A phone that published and then went: its word stands till it lapses, but no call reaches it."""
    alice, carol = scene.phone("6001"), scene.phone("6003")
    publish(alice, "presence", CONTENT_TYPE, published(alice), expires=60)
    publish(alice, "presence", CONTENT_TYPE, published(alice, contact="mailto:6001@example.com"), expires=60)
    unregister(alice)
    subscribe(carol, "presence", alice.aor)
    assert sorted(reach.basic for reach in seen(carol).reaches) == ["closed", "open"]
    scene.advance(61)


@pytest.mark.parametrize(("content_type", "body", "status"), [
    (CONTENT_TYPE, "<presence/>", 400), (CONTENT_TYPE, "nonsense", 400), ("text/plain", "open", 415),
])  # fmt: skip
def test_what_is_no_presence_is_refused(scene: Scene, content_type: str, body: str, status: int) -> None:
    alice = scene.phone("6001")
    assert publish(alice, "presence", content_type, body).status == status
    assert publish(alice, "presence", CONTENT_TYPE, published(alice), aor="sip:6002@example.com").status == 403
    assert scene.server.event_state.count() == 0


# ---- who sees what


def test_others_are_not_told_where_the_phone_is(scene: Scene) -> None:
    """As with a lamp: the user sees what its phones have said, others its address of record."""
    alice, carol = scene.phone("6001"), scene.phone("6003")
    publish(alice, "presence", CONTENT_TYPE, published(alice), expires=60)
    for phone in (alice, carol):
        subscribe(phone, "presence", alice.aor)
    assert seen(alice).reaches[0].contact == alice.contact.strip("<>")
    assert seen(carol).reaches[0].contact == alice.aor
    assert b"192.0.2." not in told(carol, "presence").body
    scene.advance(61)


def test_the_policy_of_lamps_holds(scene: Scene) -> None:
    alice, carol = scene.phone("6001"), scene.phone("6003")
    scene.server.events.view.follow("self")
    assert refused(carol, "presence", alice.aor) == 403
    subscribe(alice, "presence", alice.aor)
    assert refused(carol, "presence", "sip:6099@example.com") == 404
    assert refused(alice, "presence", alice.aor, "Accept: application/xpidf+xml") == 406


# ---- a restart


def test_a_restart_keeps_what_was_published_and_who_watches() -> None:
    scene = Scene(Options(records=KeptRecords()))
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    subscribe(carol, "presence", alice.aor)
    publish(alice, "presence", CONTENT_TYPE, published(alice, "meeting", note="Room 1"))
    a, b = talk(alice, bob)
    scene.advance(6)
    before = seen(carol)
    assert set(before.activities) == {"meeting", ON_THE_PHONE}
    scene.restart()
    for phone in (alice, bob, carol):
        register_again(phone, 41)
    scene.advance(6)
    assert seen(carol) == before
    cseqs = [request.cseq for request in carol.notified]
    assert cseqs == sorted(set(cseqs))
    hang_up(a, b)
    scene.advance(6)
    assert seen(carol).activities == ("meeting",)
    scene.advance(600)
    scene.quiet()
