"""Records as the first version of each wrote them: what came later has a default, so an update loses nothing of what stands."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from b2bua.store import (
    call_record,
    invite_record,
    mailbox_record,
    publication_record,
    records,
    setting_record,
    subscription_record,
)
from b2bua.store.record_text import decode_record

LEG = {
    "party": "sip:6001@example.com", "call_id": "c1@192.0.2.10", "local": "<sip:6002@example.com>", "local_tag": "l1",
    "remote": "<sip:6001@example.com>", "remote_tag": "r1", "local_cseq": 17, "remote_cseq": 3,
    "route_set": ["<sip:token@192.0.2.1;lr>"], "remote_target": "sip:6001@192.0.2.10:5060",
    "contact": "<sip:leg@192.0.2.1;fs=cm>", "invited_cseq": 1, "answered_cseq": 3, "session_id": 7, "version": 2,
    "ours": "dj0wDQo=", "theirs": "dj0wDQo=", "holding": True, "interval": 1800, "refreshes": True, "negotiated": True,
    "updates": True, "agreed_at": 1_000_000.0,
}  # fmt: skip
INVITE = {
    "request": "SU5WSVRFIHNpcDo2MDAyQGV4YW1wbGUuY29tIFNJUC8yLjANCg==", "transport": "udp", "listener": "udp:192.0.2.1:5060",
    "host": "192.0.2.10", "port": 5060, "version": 1,
}  # fmt: skip
CALL = {
    "id": "call-1", "invite": ["c1@192.0.2.10", "r1", 3], "since": 1_000_000.0, "held_since": None, "ended_by": "",
    "caller": LEG, "callee": LEG, "version": 1,
}  # fmt: skip
BINDING = {
    "aor": "6001", "contact": "<sip:6001@192.0.2.10>", "uri": "sip:6001@192.0.2.10", "call_id": "r1@192.0.2.10", "cseq": 2,
    "expires_at": 1_000_060.0, "flow_transport": "udp", "flow_local": "192.0.2.1:5060", "flow_remote": "192.0.2.10:5060",
    "version": 1,
}  # fmt: skip
SUBSCRIPTION = {
    "event": "dialog", "package": "dialog", "aor": "6001", "watcher": "6003", "call_id": "w1@192.0.2.12",
    "local": "<sip:6001@example.com>", "local_tag": "l1", "remote": "<sip:6003@example.com>", "remote_tag": "r1", "numbers": 65,
    "remote_cseq": 2, "route_set": [], "remote_target": "sip:6003@192.0.2.12", "contact": "<sip:192.0.2.1>",
    "listener": "udp:192.0.2.1:5060", "host": "192.0.2.12", "port": 5060, "expires_at": 1_000_060.0, "version": 1,
}  # fmt: skip
PUBLICATION = {
    "number": 4, "package": "dialog", "aor": "6001", "link": "", "tag": "e1", "document": "<dialog-info/>", "call": "call-1",
    "expires_at": 1_000_060.0, "version": 1,
}  # fmt: skip


def _read(kind, version):
    return lambda text: decode_record(text, kind, version)


FIRST = {
    records.BindingRecord: (records.decode_binding, BINDING),
    call_record.CallRecord: (call_record.decode_call, CALL),
    invite_record.InviteRecord: (invite_record.decode_invite, INVITE),
    mailbox_record.MailboxRecord: (
        _read(mailbox_record.MailboxRecord, mailbox_record.MAILBOX_VERSION), {"user": "6001", "new": 3, "old": 5, "version": 1},
    ),
    publication_record.PublicationRecord: (
        _read(publication_record.PublicationRecord, publication_record.PUBLICATION_VERSION), PUBLICATION,
    ),
    setting_record.SettingRecord: (
        setting_record.decode_setting, {"user": "6001", "name": "do_not_disturb", "value": "on", "version": 1},
    ),
    subscription_record.SubscriptionRecord: (
        _read(subscription_record.SubscriptionRecord, subscription_record.SUBSCRIPTION_VERSION), SUBSCRIPTION,
    ),
}  # fmt: skip

VERSION_HAS_A_DEFAULT = {
    mailbox_record.MailboxRecord, publication_record.PublicationRecord, setting_record.SettingRecord,
    subscription_record.SubscriptionRecord,
}  # fmt: skip


def test_every_sort_of_record_is_here():
    """A module of records that is new brings its first form along."""
    found = {path.stem for path in Path(records.__file__).parent.glob("*_record.py")} | {"records"}
    assert found - {"secret_record"} == {kind.__module__.rpartition(".")[2] for kind in FIRST}


@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.__name__)
def test_the_first_form_is_understood(kind):
    decode, fields = FIRST[kind]
    record = decode(json.dumps(fields))
    assert isinstance(record, kind)
    for name, value in json.loads(json.dumps(msgspec.to_builtins(record))).items():
        if name in fields and not isinstance(value, dict):
            assert value == fields[name], name


@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.__name__)
def test_nothing_of_the_first_form_may_be_missing(kind):
    """Else a record that was cut would pass for a whole one."""
    decode, fields = FIRST[kind]
    for name in fields:
        if name == "version" and kind in VERSION_HAS_A_DEFAULT:
            continue
        less = {other: value for other, value in fields.items() if other != name}
        with pytest.raises(records.BadRecord):
            decode(json.dumps(less))


@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.__name__)
def test_a_version_of_tomorrow_is_not(kind):
    decode, fields = FIRST[kind]
    with pytest.raises(records.BadRecord, match="version"):
        decode(json.dumps({**fields, "version": 2}))
