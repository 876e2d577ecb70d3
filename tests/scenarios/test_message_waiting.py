"""Message waiting (RFC 3842): who sets it, who is told, and what a restart leaves of it."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request, Response
from b2bua.sip.message_summary import CONTENT_TYPE
from b2bua.store.mailbox_record import MAILBOX
from tests.scenarios.events import ask, publish, refused, subscribe, told
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene
from tests.scenarios.script_phone import ScriptPhone

EVENT = "message-summary"


class Answered:
    """Who sent a request."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def response_received(self, transaction: object, response: Response) -> None:
        self.statuses += [response.status] if response.status >= 200 else []

    def transaction_failed(self, transaction: object, status: int) -> None:
        self.statuses.append(status)


def lamp(phone: ScriptPhone) -> list[str]:
    return told(phone, EVENT).body.decode().splitlines()


def put(scene: Scene, user: str, new: int, old: int = 0) -> None:
    """As by the API."""
    outcome: list[Exception | None] = []
    scene.server.events.mailboxes.put(user, new, old, outcome.append)
    scene.server.run()
    scene.network.run()
    assert outcome == [None]


def test_the_first_notify_tells_what_is_there(scene: Scene) -> None:
    alice = scene.phone("6001")
    subscribe(alice, EVENT, alice.aor)
    assert told(alice, EVENT).get("Content-Type") == CONTENT_TYPE
    assert lamp(alice) == ["Messages-Waiting: no", "Message-Account: sip:6001@example.com"]
    bob = scene.phone("6002")
    put(scene, "6002", 2, 8)
    subscribe(bob, EVENT, bob.aor)
    assert lamp(bob) == ["Messages-Waiting: yes", "Message-Account: sip:6002@example.com", "Voice-Message: 2/8"]


def test_what_is_set_reaches_every_phone_of_the_user(scene: Scene) -> None:
    """A second apart at least: what comes between folds to the newest (RFC 3842 §3.11)."""
    alice, desk = scene.phone("6001"), scene.phone("6001", device=1)
    for phone in (alice, desk):
        subscribe(phone, EVENT, phone.aor)
    scene.advance(1.1)
    put(scene, "6001", 1)
    put(scene, "6001", 2)
    put(scene, "6001", 3, 1)
    for phone in (alice, desk):
        assert len(phone.notified) == 2 and lamp(phone)[2] == "Voice-Message: 1/0"
    scene.advance(1.1)
    for phone in (alice, desk):
        assert len(phone.notified) == 3 and lamp(phone)[2] == "Voice-Message: 3/1"
    assert scene.count("notify", EVENT, "200") == 6 and scene.server.notifier.count()[EVENT] == 2
    assert scene.server.events.mailboxes.clear("6001", lambda error: None)
    scene.advance(1.1)
    assert lamp(alice) == ["Messages-Waiting: no", "Message-Account: sip:6001@example.com"]


def test_nobody_else_may_ask(scene: Scene) -> None:
    """Who has how many messages is the user's own matter (RFC 3842 §6)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert refused(bob, EVENT, alice.aor) == 403
    assert refused(alice, EVENT, alice.aor, "Accept: application/pidf+xml") == 406


def test_what_is_published_stands_as_long_as_the_publication(scene: Scene) -> None:
    """A voice mail system with the user's own account, or a feature server; then what was set counts again."""
    alice = scene.phone("6001")
    subscribe(alice, EVENT, alice.aor)
    put(scene, "6001", 1)
    scene.advance(1.1)
    body = "Messages-Waiting: yes\r\nMessage-Account: sip:vm@example.com\r\nVoice-Message: 4/8 (1/2)\r\nFax-Message: 1/0\r\n"
    answer = publish(alice, EVENT, CONTENT_TYPE, body + "\r\nSubject: dinner\r\n", expires=60)
    assert answer.has("SIP-ETag")
    scene.advance(1.1)
    assert lamp(alice) == body.splitlines()
    scene.advance(62)
    assert lamp(alice)[2] == "Voice-Message: 1/0"
    scene.server.events.mailboxes.clear("6001", lambda error: None)
    scene.advance(1.1)


@pytest.mark.parametrize(("event", "content_type", "body", "status"), [
    (EVENT, CONTENT_TYPE, "Voice-Message: 1/2\r\n", 400),
    (EVENT, CONTENT_TYPE, "Messages-Waiting: perhaps\r\n", 400),
    (EVENT, "text/plain", "Messages-Waiting: yes\r\n", 415),
])  # fmt: skip
def test_what_is_no_summary_is_refused(scene: Scene, event: str, content_type: str, body: str, status: int) -> None:
    alice = scene.phone("6001")
    assert publish(alice, event, content_type, body).status == status
    assert publish(alice, event, CONTENT_TYPE, "Messages-Waiting: no\r\n", aor="sip:6002@example.com").status == 403


def test_an_unsolicited_notify_of_a_phone_is_taken_and_changes_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    subscribe(alice, EVENT, alice.aor)
    _, call = ask(bob, EVENT, bob.aor, expires=0)
    call.target, call.remote = alice.aor, f"<{alice.aor}>"
    bob >> call.request("NOTIFY", "", f"Event: {EVENT}", "Subscription-State: active")
    bob << "200 NOTIFY"
    scene.advance(2)
    assert len(alice.notified) == 1


def test_a_feature_server_may_tell_a_phone_unasked(scene: Scene) -> None:
    """What comes over a link goes to the phone: a voice mail system that knows of no subscriptions does it so."""
    alice = scene.phone("6001")
    environment = scene.server.b2bua.environment
    request = Request("NOTIFY", alice.aor, [], [])
    for name, value in (
        ("From", "<sip:vm@example.com>;tag=1"), ("To", f"<{alice.aor}>"), ("Call-ID", "unasked"), ("CSeq", "1 NOTIFY"),
        ("Max-Forwards", "70"), ("Event", EVENT), ("Subscription-State", "active"),
    ):  # fmt: skip
        request.append(name, value)
    request.set_body(b"Messages-Waiting: yes\r\n", CONTENT_TYPE)
    answered = Answered()
    environment.layer.send_request(request, environment.link, answered)
    scene.advance(0.1)
    assert lamp(alice) == ["Messages-Waiting: yes"] and answered.statuses == [200]


def test_a_restart_keeps_mailboxes_and_publications() -> None:
    scene = Scene(Options(records=KeptRecords()))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for phone in (alice, bob):
        subscribe(phone, EVENT, phone.aor)
    put(scene, "6001", 5, 2)
    publish(bob, EVENT, CONTENT_TYPE, "Messages-Waiting: yes\r\nFax-Message: 1/0\r\n")
    scene.advance(2)
    before = [len(phone.notified) for phone in (alice, bob)]
    scene.restart()
    scene.advance(2)
    assert [len(phone.notified) for phone in (alice, bob)] == [before[0] + 1, before[1] + 1]
    assert lamp(alice)[2] == "Voice-Message: 5/2" and lamp(bob)[2] == "Fax-Message: 1/0"
    for phone in (alice, bob):
        cseqs = [request.cseq for request in phone.notified]
        assert cseqs == sorted(set(cseqs))
    scene.advance(600)
    scene.server.events.mailboxes.clear("6001", lambda error: None)
    scene.server.run()
    scene.quiet()


@pytest.mark.parametrize("text", [
    "", "{}", '{"user":"6002","new":1,"old":0,"version":1}', '{"user":"6001","new":-1,"old":0,"version":1}',
])  # fmt: skip
def test_a_bad_record_is_set_aside(text: str) -> None:
    records = KeptRecords()
    records.kept[MAILBOX, "6001"] = text
    scene = Scene(Options(records=records))
    assert len(records.set_aside_for) == 1 and not scene.server.events.mailboxes.list()


def test_what_the_store_does_not_take_is_in_force_and_owed() -> None:
    records = KeptRecords()
    scene = Scene(Options(records=records))
    alice = scene.phone("6001")
    records.failing = True
    outcome: list[Exception | None] = []
    scene.server.events.mailboxes.put("6001", 1, 0, outcome.append)
    scene.server.run()
    assert str(outcome[0]) == "disk full"
    records.failing = False
    scene.advance(1.1)
    scene.restart()
    subscribe(alice, EVENT, alice.aor)
    assert lamp(alice)[2] == "Voice-Message: 1/0"
