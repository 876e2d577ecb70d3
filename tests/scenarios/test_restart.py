"""The whole server dies and is started anew: what a phone is told then, and that no number ever falls.

With `memory:` nothing is known afterwards of the calls and subscriptions before, and it is said at once. What a durable store
brings back stands in test_recovery.py.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from b2bua.sip.message import Request
from tests.scenarios.scene import (
    USERS,
    MakeScene,
    Scene,
    hang_up,
    hold,
    register_again,
    renderings,
    resume,
    subscribe_text,
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_phone import ScriptPhone


def numbers(phone: ScriptPhone) -> dict[str, list[tuple[int, int]]]:
    """By subscription: CSeq and document version of each NOTIFY."""
    found: dict[str, list[tuple[int, int]]] = {}
    for request, document in zip(phone.notified, phone.documents, strict=True):
        found.setdefault(request.call_id, []).append((request.cseq, document.version))
    return found


def rise(pairs: list[tuple[int, int]]) -> bool:
    return all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(pairs))


@pytest.mark.bug("FreeSWITCH PR 3056")
def test_freeswitch_pr_3056_cseq_and_version_of_notify_only_rise(scene: Scene) -> None:
    """Over hold, resume, a refresh of the subscription and a lost NOTIFY."""
    a, b = watched_call(scene)
    subscription = watch(a.phone, b.phone)
    hold(a, b)
    scene.advance(1.1)
    a.phone >> subscribe_text(a.phone, b.phone.aor, dialog=subscription)
    challenge = a.phone << "401 SUBSCRIBE"
    credentials = a.phone.credentials(challenge, "SUBSCRIBE", b.phone.aor)
    a.phone >> subscribe_text(a.phone, b.phone.aor, credentials, dialog=subscription)
    a.phone << "200 SUBSCRIBE"
    scene.advance(1.1)
    scene.network.rule = lambda index, data: () if data.startswith(b"NOTIFY") and index % 2 else (0.0,)
    resume(a, b)
    scene.advance(5)
    hang_up(a, b)
    scene.advance(5)
    found = numbers(a.phone)
    assert len(found) == 2 and all(len(pairs) > 4 and rise(pairs) for pairs in found.values()), found


@pytest.mark.row(11)
@pytest.mark.bug("FreeSWITCH PR 3056")
def test_freeswitch_pr_3056_after_a_restart_the_old_dialog_is_silent(make_scene: MakeScene) -> None:
    """With a store that promises nothing (else it goes on: test_subscription_recovery.py): 481 to its refresh (RFC 6665
    §4.4.1); the phone subscribes anew, in a dialog whose numbers are its own."""
    scene = make_scene(records=None)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    old = watch(alice, bob)
    talked = talk(alice, bob)
    scene.advance(3)
    hang_up(*talked)
    scene.advance(3)
    scene.restart()
    heard = len(alice.notified)
    alice >> subscribe_text(alice, bob.aor, dialog=old)
    challenge = alice << "401 SUBSCRIBE"
    alice >> subscribe_text(alice, bob.aor, alice.credentials(challenge, "SUBSCRIBE", bob.aor), dialog=old)
    alice << "481 SUBSCRIBE"
    assert len(alice.notified) == heard
    for phone in (alice, bob):
        register_again(phone, 11)
    new = watch(alice, bob)
    calls = talk(alice, bob)
    scene.advance(3)
    hang_up(*calls)
    scene.advance(3)
    assert new.call_id != old.call_id
    assert {request.call_id for request in alice.notified[heard:]} == {new.call_id}
    assert all(rise(pairs) for pairs in numbers(alice).values())
    assert alice.lamp.dialogs[0].state == "terminated"


@pytest.mark.row(11)
def test_a_store_that_promises_nothing_forgets_the_call(make_scene: MakeScene) -> None:
    """Its phones are told 481 and end it (RFC 3261 §12.2.1.2). No request with a lower CSeq, nor any at all, is sent in its
    dialogs, and the lamps show no call. With a durable store it goes on: test_recovery.py."""
    scene = make_scene(records=None)
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    scene.restart()
    before = len(scene.network.ladder)
    a.phone >> a.offer("sendrecv")
    answer = a.phone.inbox.popleft()
    if getattr(answer, "status", 0) == 407:
        a.phone >> a.ack(answer)
        a.phone >> a.with_credentials(answer)
        answer = a.phone << "481 INVITE"
    assert getattr(answer, "status", 0) == 481
    a.phone >> a.ack(answer)
    b.phone >> b.request("BYE")
    b.phone << "481 BYE"
    sent = [step.message for step in scene.network.ladder[before:] if step.source == "SM" and step.destination in USERS]
    assert not [message for message in sent if isinstance(message, Request)]
    for number, phone in enumerate((a.phone, b.phone)):
        register_again(phone, 11)
        watch(phone, phone)
        assert [(dialog.id, dialog.state) for dialog in phone.lamp.dialogs] == [("idle", "terminated")], number
    hang_up(*talk(a.phone, b.phone))
