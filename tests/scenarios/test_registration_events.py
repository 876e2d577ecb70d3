"""The `reg` event package (RFC 3680): the whole list of contacts, then what becomes of single ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from defusedxml.ElementTree import fromstring

from b2bua.sip.reg_info import CONTENT_TYPE, NAMESPACE
from tests.scenarios.events import ask, publish, refused, subscribe, told
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, register_again
from tests.scenarios.script_call import register_text
from tests.scenarios.script_phone import ScriptPhone
from tests.schema_check import check_documents

_NS = f"{{{NAMESPACE}}}"


class Seen(NamedTuple):
    """A document: full or partial, version, state of the registration, and uri → (state, event) of the contacts."""

    form: str
    version: int
    state: str
    contacts: dict[str, tuple[str, str]]


def seen(phone: ScriptPhone) -> Seen:
    root = fromstring(told(phone, "reg").body)
    registration = root.find(f"{_NS}registration")
    contacts = {one.findtext(f"{_NS}uri"): (one.get("state"), one.get("event")) for one in registration}
    assert registration.get("aor") == phone.aor
    return Seen(root.get("state"), int(root.get("version")), registration.get("state"), contacts)


def uri(phone: ScriptPhone) -> str:
    return phone.contact.strip("<>")


def unregister(phone: ScriptPhone, cseq: int) -> None:
    phone >> register_text(phone, cseq, expires=0)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, cseq + 1, phone.credentials(challenge, "REGISTER", "sip:example.com"), expires=0)
    phone << "200 REGISTER"


def test_all_that_happens_to_contacts(scene: Scene, tmp_path: Path) -> None:
    """Full first; then registered, refreshed, unregistered, expired, each alone; terminated with the last one."""
    alice = scene.phone("6001")
    subscription = subscribe(alice, "reg", alice.aor, expires=3761)
    assert told(alice, "reg").get("Content-Type") == CONTENT_TYPE
    assert seen(alice) == Seen("full", 0, "active", {uri(alice): ("active", "registered")})
    scene.advance(5.1)
    desk = scene.phone("6001", device=1)
    assert seen(alice) == Seen("partial", 1, "active", {uri(desk): ("active", "registered")})
    scene.advance(5.1)
    register_again(alice, 11)
    assert seen(alice) == Seen("partial", 2, "active", {uri(alice): ("active", "refreshed")})
    scene.advance(5.1)
    unregister(desk, 11)
    assert seen(alice) == Seen("partial", 3, "active", {uri(desk): ("terminated", "unregistered")})
    answer, _ = ask(alice, "reg", alice.aor, expires=3761, dialog=subscription)
    assert answer.status == 200
    assert seen(alice) == Seen("full", 4, "active", {uri(alice): ("active", "registered")})
    scene.advance(3601)
    assert seen(alice) == Seen("partial", 5, "terminated", {uri(alice): ("terminated", "expired")})
    register_again(alice, 21)
    scene.advance(5.1)
    assert seen(alice) == Seen("partial", 6, "active", {uri(alice): ("active", "registered")})
    check_documents((request.body for request in alice.notified), "reginfo.rng", tmp_path)


def test_nobody_is_registered(scene: Scene) -> None:
    alice = scene.phone("6001", registered=False)
    subscribe(alice, "reg", alice.aor)
    assert seen(alice) == Seen("full", 0, "init", {})


def test_what_a_contact_tells(scene: Scene, tmp_path: Path) -> None:
    """The id is the same as long as the URI is, the rest is of the last REGISTER; what is odd is escaped."""
    alice = scene.phone("6001", registered=False)
    alice.contact = '"A <6001> & Co" <sip:6001@192.0.2.11:5060>;q=0.5;+sip.instance="<urn:uuid:1>"'
    register_again(alice, 1)
    subscribe(alice, "reg", alice.aor)
    [contact] = fromstring(told(alice, "reg").body).iter(f"{_NS}contact")
    assert contact.findtext(f"{_NS}display-name") == "A <6001> & Co"
    assert (contact.get("q"), contact.get("callid"), contact.get("cseq")) == ("0.5", "register-6001", "2")
    assert 3590 <= int(contact.get("expires")) <= 3600
    [parameter] = contact.iter(f"{_NS}unknown-param")
    assert (parameter.get("name"), parameter.text) == ("+sip.instance", "<urn:uuid:1>")
    scene.advance(5.1)
    register_again(alice, 11)
    [again] = fromstring(told(alice, "reg").body).iter(f"{_NS}contact")
    assert (again.get("id"), again.get("event"), again.get("cseq")) == (contact.get("id"), "refreshed", "12")
    check_documents((request.body for request in alice.notified), "reginfo.rng", tmp_path)


def test_a_lost_partial_document_is_followed_by_a_full_one(scene: Scene) -> None:
    """What the watcher may not have heard is said again."""
    alice = scene.phone("6001")
    subscribe(alice, "reg", alice.aor)
    scene.advance(5.1)
    alice.notify_status = 500
    desk = scene.phone("6001", device=1)
    alice.notify_status = 200
    scene.advance(5.1)
    register_again(alice, 11)
    assert seen(alice).form == "full" and set(seen(alice).contacts) == {uri(alice), uri(desk)}


def test_five_seconds_apart(scene: Scene) -> None:
    alice = scene.phone("6001")
    subscribe(alice, "reg", alice.aor)
    desk = scene.phone("6001", device=1)
    register_again(alice, 11)
    scene.advance(4.8)
    assert len(alice.notified) == 1
    scene.advance(0.4)
    assert len(alice.notified) == 2
    assert seen(alice).contacts == {uri(alice): ("active", "refreshed"), uri(desk): ("active", "registered")}


def test_only_the_user_may_ask_and_nobody_may_publish(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert refused(bob, "reg", alice.aor) == 403
    answer = publish(alice, "reg", CONTENT_TYPE, "<reginfo/>")
    assert answer.status == 489 and "reg" not in (answer.get("Allow-Events") or "").split(", ")


def test_a_restart_begins_with_the_full_list() -> None:
    scene = Scene(Options(records=KeptRecords()))
    alice = scene.phone("6001")
    subscribe(alice, "reg", alice.aor)
    scene.advance(6)
    before = len(alice.notified)
    scene.restart()
    register_again(alice, 11)
    scene.advance(6)
    documents = [fromstring(request.body) for request in alice.notified]
    assert documents[before].get("state") == "full"
    assert set(seen(alice).contacts) == {uri(alice)}
    versions = [int(document.get("version")) for document in documents]
    assert versions == sorted(set(versions)) and len(versions) >= 2
    scene.quiet()
