"""What Communication Manager publishes for the parties of a call (RFC 3903), and what a failure does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.sip.dialog_info import DialogInfo, parse_dialog_info
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.transaction_user import TransactionUser
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
    hold,
    renderings,
    resume,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall


def published(scene: Scene, aor: str) -> list[Request]:
    """CM's PUBLISH requests for one address of record, oldest first."""
    return [message for message in scene.linked("CM", "SM", "PUBLISH") if isinstance(message, Request) and message.uri == aor]


# ---- what is published


def test_one_publication_per_party_and_call(scene: Scene) -> None:
    """R-URI the AoR, From CM's own, each under the tag of the one before; taken back with Expires 0 and no body."""
    a, b = watched_call(scene)
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    for call in (a, b):
        requests = published(scene, call.phone.aor)
        assert {request.from_.uri for request in requests} == {"sip:cm@example.com"}
        assert len({request.call_id for request in requests}) == 1
        cseqs = [request.cseq for request in requests]
        assert cseqs == sorted(set(cseqs))
        assert not requests[0].has("SIP-If-Match")
        tags = [request.get("SIP-If-Match") for request in requests[1:]]
        assert None not in tags and len(set(tags)) == len(tags)
        documents = [parse_dialog_info(request.body) for request in requests[:-1]]
        assert [_shown(document) for document in documents] == [
            ("trying", ""), ("early", ""), ("confirmed", "yes"), ("confirmed", "no" if call is a else ""),
            ("confirmed", "yes"), ("terminated", ""),
        ]  # fmt: skip
        assert {document.dialogs[0].id for document in documents} == {documents[0].dialogs[0].id}
        removal = requests[-1]
        assert (removal.get("Expires"), removal.body, removal.has("Content-Type")) == ("0", b"", False)
    assert scene.server.event_state.count() == 0


def _shown(document: DialogInfo) -> tuple[str, str]:
    dialog = document.dialogs[0]
    return dialog.state, dialog.local.rendering


def test_412_publishes_anew(scene: Scene) -> None:
    """The compositor lost everything: the newest state comes as if for the first time."""
    a, b = watched_call(scene)
    state = scene.server.event_state
    for publication in state.all():
        assert publication.tick
        publication.tick = 0
    state._resources.clear()
    state._by_tag.clear()
    hold(a, b)
    last = published(scene, a.phone.aor)[-1]
    assert not last.has("SIP-If-Match")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    assert scene.count("publish", "dialog", "412") == 2
    resume(a, b)
    hang_up(a, b)


def test_failed_publish_never_fails_the_hold(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, tried again, and right in the end."""
    a, b = watched_call(scene)

    def fails(body: bytes) -> DialogInfo:
        raise SipError(500, "", ("Retry-After", "2"))

    monkeypatch.setitem(scene.server.event_state._packages, "dialog", replace(DIALOG, value_type=SipError, parse=fails))
    hold(a, b)
    assert scene.count("publish", "dialog", "500") == 2
    assert renderings(a.phone) == ("yes", "yes")
    monkeypatch.undo()
    scene.advance(2.5)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


class DeafToPublish:
    """Stands before Session Manager."""

    def __init__(self, user: TransactionUser) -> None:
        self._user = user

    def __getattr__(self, name: str) -> Any:
        return getattr(self._user, name)

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        if request.method == "PUBLISH":
            transaction.end(None)
        else:
            self._user.request_received(transaction, request)


def test_publish_that_is_never_answered_does_not_hold_up_the_call(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = watched_call(scene)
    monkeypatch.setattr(scene.server.layer, "user", DeafToPublish(scene.server.session_manager))
    hold(a, b)
    resume(a, b)
    hold(a, b)
    assert len(published(scene, a.phone.aor)) == 4
    monkeypatch.undo()
    scene.advance(45)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_publication_is_refreshed_before_it_lapses(make_scene: MakeScene) -> None:
    scene = make_scene(limits=CallLimits(session_expires=0))
    a, b = watched_call(scene)
    count = len(published(scene, a.phone.aor))
    scene.advance(3590)
    # A feature server elsewhere is granted 120 s, as it may die alone.
    refreshes = {"memory": 1, "udp": 37, "tcp": 37}[scene.server.options.link]
    assert len(published(scene, a.phone.aor)) == count + refreshes
    assert scene.server.event_state.count() == 2
    hang_up(a, b)


def test_a_phones_own_publication_is_joined_and_ours_wins(scene: Scene) -> None:
    """The same dialog by call-id and tags stands in the document once."""
    a, b = watched_call(scene)
    phone = a.phone
    body = published(scene, phone.aor)[-1].body.decode().replace("confirmed", "early")
    call = ScriptCall(phone, phone.aor)
    lines = ("Event: dialog", "Expires: 60")
    phone >> _publish(call, body, *lines)
    challenge = phone << "407 PUBLISH"
    phone >> _publish(call, body, *lines, phone.credentials(challenge, "PUBLISH", phone.aor))
    assert (phone << "200 PUBLISH").has("SIP-ETag")
    scene.advance(1.1)
    assert [dialog.state for dialog in phone.lamp.dialogs] == ["confirmed"]
    hang_up(a, b)


def _publish(call: ScriptCall, body: str, *lines: str) -> str:
    return call.request("PUBLISH", body, *lines).replace("application/sdp", "application/dialog-info+xml")


def test_call_to_nobody_lights_no_lamp_for_long(scene: Scene) -> None:
    """480: trying, terminated, idle; the callee's too."""
    alice, dave = scene.phone("6001"), scene.phone("6004", registered=False)
    watch(alice, alice)
    watch(dave, dave)
    scene.advance(1.1)
    a = ScriptCall(alice, dave.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    alice >> a.ack(alice << "480 INVITE")
    scene.advance(2.2)
    for phone in (alice, dave):
        assert phone.lamp.dialogs[0].id == "idle"
