"""Event lists (RFC 4662): one subscription for all keys of a phone, and what its NOTIFYs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.session_manager.event_packages.package import Form
from b2bua.session_manager.notifier import MAX_SUBSCRIPTIONS
from b2bua.sip.dialog_info import DialogInfo, parse_dialog_info
from b2bua.sip.pidf import parse_pidf
from b2bua.store.subscription_record import SUBSCRIPTION
from tests.list_document import Listed, read_list
from tests.scenarios.events import ask, refused, subscribe, told
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, resume, talk
from tests.scenarios.script_phone import ScriptPhone
from tests.schema_check import check_documents

PANEL = "sip:panel@example.com"
LISTS = {"panel": ("6001", "6002", "6003")}
ALL = {"sip:6001@example.com", "sip:6002@example.com", "sip:6003@example.com"}
WISH = ("Supported: eventlist", "Accept: application/dialog-info+xml, multipart/related, application/rlmi+xml")


def seen(phone: ScriptPhone, event: str = "dialog") -> Listed:
    return _read(phone, event)[-1]


def _read(phone: ScriptPhone, event: str) -> list[Listed]:
    return [
        read_list(request.get("Content-Type") or "", request.body)
        for request in phone.notified
        if (request.get("Event") or "").partition(";")[0] == event
    ]


def lamps(listed: Listed) -> dict[str, DialogInfo]:
    return {uri: parse_dialog_info(document) for uri, document in listed.documents.items()}


def states(phone: ScriptPhone) -> dict[str, str]:
    """User → state of its lamp, as a phone has it that adds all documents up (RFC 4662 §5.6)."""
    found: dict[str, str] = {}
    for listed in _read(phone, "dialog"):
        if listed.full:
            found.clear()
        found |= {uri[4:8]: document.dialogs[0].state for uri, document in lamps(listed).items()}
    return found


def test_the_first_notify_has_all_and_the_next_what_changed(make_scene: MakeScene, tmp_path: Path) -> None:
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    answer, call = ask(key, "dialog", PANEL, *WISH)
    call.learn(answer)
    assert (answer.status, answer.get("Require")) == (200, "eventlist")
    assert told(key, "dialog").get("Require") == "eventlist"
    first = seen(key)
    assert (first.uri, first.version, first.full, set(first.documents)) == (PANEL, 0, True, ALL)
    assert {document.version for document in lamps(first).values()} == {0}
    scene.advance(1.1)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    assert states(key) == {"6001": "confirmed", "6002": "confirmed", "6003": "terminated"}
    listed = _read(key, "dialog")
    assert [one.version for one in listed] == list(range(len(listed)))
    assert not any(one.full for one in listed[1:])
    assert "sip:6003@example.com" not in {uri for one in listed[1:] for uri in one.documents}
    hold(a, b)
    scene.advance(1.1)
    assert lamps(seen(key))[alice.aor].dialogs[0].local.rendering == "no"
    versions = [lamps(one)[alice.aor].version for one in _read(key, "dialog") if alice.aor in one.documents]
    assert versions == list(range(len(versions)))
    resume(a, b)
    hang_up(a, b)
    scene.advance(2.2)
    assert set(states(key).values()) == {"terminated"}
    check_documents((one.meta_information for one in _read(key, "dialog")), "rlmi.rng", tmp_path)
    documents = [document for one in _read(key, "dialog") for document in one.documents.values()]
    check_documents(documents, "dialog-info.xsd", tmp_path)


def test_each_subscribe_is_followed_by_the_whole_list(make_scene: MakeScene) -> None:
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    call = subscribe(key, "dialog", PANEL, *WISH)
    scene.advance(1.1)
    calls = talk(alice, bob)
    scene.advance(1.1)
    answer, _ = ask(key, "dialog", PANEL, *WISH, dialog=call)
    assert (answer.status, answer.get("Require")) == (200, "eventlist")
    assert seen(key).full and set(seen(key).documents) == ALL
    hang_up(*calls)
    answer, _ = ask(key, "dialog", PANEL, *WISH, dialog=call, expires=0)
    assert seen(key).full and told(key, "dialog").get("Subscription-State") == "terminated;reason=timeout"
    assert scene.server.notifier.count()["dialog"] == 0


def test_who_does_not_know_lists_is_told_so(make_scene: MakeScene) -> None:
    """421 with Require (§4.1); an unknown list is 404; a list is nobody that one can call or publish for."""
    scene = make_scene(lists=LISTS)
    key = scene.phone("6004")
    answer, _ = ask(key, "dialog", PANEL)
    assert (answer.status, answer.get("Require")) == (421, "eventlist")
    assert refused(key, "dialog", "sip:other@example.com", *WISH) == 404
    assert refused(key, "dialog", PANEL, "Supported: eventlist", "Accept: text/plain") == 406
    assert refused(key, "conference", PANEL, *WISH) == 489
    assert not key.notified


@pytest.mark.parametrize("aor", [PANEL, "sip:6001@example.com"])
def test_who_insists_on_lists_is_served(make_scene: MakeScene, aor: str) -> None:
    """§4.1 advises against it, but what is understood is not refused (RFC 3261 §8.2.2.3); what is not, still is."""
    scene = make_scene(lists=LISTS)
    key = scene.phone("6004")
    answer, _ = ask(key, "dialog", aor, "Require: eventlist", WISH[1], expires=0)
    assert (answer.status, answer.get("Require")) == (200, "eventlist" if aor == PANEL else None)
    answer, _ = ask(key, "dialog", aor, "Require: eventlist, recipient-list-subscribe")
    assert (answer.status, answer.get("Unsupported")) == (420, "recipient-list-subscribe")


def test_a_user_is_a_user_whatever_the_phone_knows(make_scene: MakeScene) -> None:
    scene = make_scene(lists=LISTS)
    key = scene.phone("6004")
    answer, _ = ask(key, "dialog", "sip:6001@example.com", *WISH, expires=0)
    assert answer.status == 200 and not answer.has("Require")
    assert told(key, "dialog").get("Content-Type") == "application/dialog-info+xml"


def test_members_that_one_may_not_watch_are_rejected_and_tell_nothing(make_scene: MakeScene) -> None:
    """As by themselves: policy, and what only the user itself may see. Not even when something happens is told."""
    scene = make_scene(lists=LISTS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.events.view.follow("self")
    subscribe(alice, "dialog", PANEL, *WISH)
    subscribe(alice, "message-summary", PANEL, "Supported: eventlist")
    for event in ("dialog", "message-summary"):
        listed = seen(alice, event)
        assert set(listed.documents) == {alice.aor}
        assert listed.ended == {bob.aor: "rejected", "sip:6003@example.com": "rejected"}
    scene.advance(1.1)
    heard = len(alice.notified)
    carol = scene.phone("6003")
    calls = talk(bob, carol)
    scene.advance(1.1)
    assert len(alice.notified) == heard
    hang_up(*calls)


def test_others_see_of_members_what_they_see_of_users(make_scene: MakeScene) -> None:
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    subscribe(key, "dialog", PANEL, *WISH)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    bodies = b"".join(request.body for request in key.notified)
    assert a.call_id.encode() not in bodies and b.call_id.encode() not in bodies and b"192.0.2.1" not in bodies
    hang_up(a, b)


def test_presence_of_a_list(make_scene: MakeScene) -> None:
    """What has changed to nothing new is not told, five seconds lie between."""
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    subscribe(key, "presence", PANEL, "Supported: eventlist")
    documents = {uri[4:8]: parse_pidf(body) for uri, body in seen(key, "presence").documents.items()}
    assert {user: document.reaches[0].basic for user, document in documents.items()} == {
        "6001": "open", "6002": "open", "6003": "closed",
    }  # fmt: skip
    calls = talk(alice, bob)
    hang_up(*calls)
    scene.advance(6)
    assert len(key.notified) == 1
    calls = talk(alice, bob)
    scene.advance(6)
    busy = {uri: parse_pidf(body).activities for one in _read(key, "presence")[1:] for uri, body in one.documents.items()}
    assert busy == {alice.aor: ("on-the-phone",), bob.aor: ("on-the-phone",)}
    hang_up(*calls)


def test_a_lost_notify_is_followed_by_the_whole_list(make_scene: MakeScene) -> None:
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    subscribe(key, "dialog", PANEL, *WISH)
    scene.advance(1.1)
    key.notify_status = 500
    calls = talk(alice, bob)
    key.notify_status = 200
    scene.advance(1.1)
    assert seen(key).full
    hang_up(*calls)


def test_partial_documents_of_a_list(make_scene: MakeScene) -> None:
    """As that watcher wants them: the list's own first ones are full."""
    scene = make_scene(lists=LISTS, forms={"6004": Form(partial=True)})
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    subscribe(key, "dialog", PANEL, *WISH)
    scene.advance(1.1)
    calls = talk(alice, bob)
    scene.advance(1.1)
    forms = [document.state for one in _read(key, "dialog") for document in lamps(one).values()]
    assert set(forms[:3]) == {"full"} and set(forms[3:]) == {"partial"}
    hang_up(*calls)


def test_a_list_counts_as_many_subscriptions_as_it_has_members(make_scene: MakeScene) -> None:
    scene = make_scene(lists={"panel": tuple(f"{number}" for number in range(7000, 7064))})
    key = scene.phone("6004")
    for _ in range(MAX_SUBSCRIPTIONS // 64):
        subscribe(key, "dialog", PANEL, *WISH, expires=60)
    assert refused(key, "dialog", PANEL, *WISH) == 500
    scene.advance(61)
    assert scene.server.notifier.count()["dialog"] == 0
    subscribe(key, "dialog", PANEL, *WISH, expires=60)


def test_a_list_that_changes_is_told_anew(make_scene: MakeScene) -> None:
    """As on SIGHUP: another user in it, then no such list. Versions go on, and who is out of it is heard of no more."""
    scene = make_scene(lists=LISTS)
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    call = subscribe(key, "dialog", PANEL, *WISH)
    scene.advance(1.1)

    def follow(*members: str) -> None:
        lists = {PANEL: tuple(f"sip:{member}@example.com" for member in members)} if members else {}
        scene.server.notifier.follow(lists)
        scene.network.run()

    follow("6001", "6002", "6003")
    assert len(key.notified) == 1
    follow("6002", "6004")
    assert seen(key).full and set(seen(key).documents) == {"sip:6002@example.com", "sip:6004@example.com"}
    assert lamps(seen(key))[bob.aor].version == 1
    scene.advance(1.1)
    calls = talk(alice, bob)
    scene.advance(1.1)
    assert {uri for one in _read(key, "dialog")[2:] for uri in one.documents} == {bob.aor}
    hang_up(*calls)
    scene.advance(2.2)
    follow()
    assert told(key, "dialog").get("Subscription-State") == "terminated;reason=noresource"
    assert scene.server.notifier.count()["dialog"] == 0
    answer, _ = ask(key, "dialog", PANEL, *WISH, dialog=call)
    assert answer.status == 481


def test_a_restart_goes_on_with_the_whole_list() -> None:
    records = KeptRecords()
    scene = Scene(Options(records=records, lists=LISTS))
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6004")
    subscribe(key, "dialog", PANEL, *WISH)
    calls = talk(alice, bob)
    scene.advance(1.1)
    before = len(key.notified)
    scene.restart()
    scene.advance(1.1)
    listed = _read(key, "dialog")
    assert len(listed) == before + 1 and listed[before].full
    assert states(key) == {"6001": "confirmed", "6002": "confirmed", "6003": "terminated"}
    for uri in ALL:
        versions = [lamps(one)[uri].version for one in listed if uri in one.documents]
        assert versions == sorted(set(versions))
    versions = [one.version for one in listed]
    assert versions == sorted(set(versions))
    hang_up(*calls)
    scene.advance(2)
    assert set(states(key).values()) == {"terminated"}
    scene.quiet()


def test_a_list_that_is_gone_after_a_restart_is_no_user() -> None:
    records = KeptRecords()
    scene = Scene(Options(records=records, lists=LISTS))
    key = scene.phone("6004")
    subscribe(key, "dialog", PANEL, *WISH)
    heard = len(key.notified)
    scene.server.options = Options(records=records)
    scene.restart()
    scene.advance(2)
    assert records.set_aside_for == ["no such list"] and len(key.notified) == heard
    assert not records.records(SUBSCRIPTION)
