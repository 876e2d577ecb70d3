"""The `dialog` event package (RFC 4235): how publications become the document that lights a lamp.

Every document has the full state, an idle one included: a phone that waits for a `<dialog>` would keep its lamp lit. Watchers
that want it otherwise are told what has changed, or of one dialog (`document`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from b2bua.session_manager.event_packages.package import EventPackage, Form, Published
from b2bua.session_manager.event_packages.phone_state import phone_state
from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.uri import parse_uri
from b2bua.sip.watched_dialog import WatchedDialog

IDLE: Final = DialogState("idle", "terminated")
"""What stands in a document when there is no dialog."""

_ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"  # RFC 3323 §4.1.1.3
_EVENTS: Final = frozenset(("cancelled", "rejected", "replaced", "local-bye", "remote-bye", "error", "timeout"))
_DIRECTIONS: Final = frozenset(("initiator", "recipient"))
_RENDERINGS: Final = frozenset(("yes", "no"))


def parse(body: bytes) -> DialogInfo:
    """A published document without the values that RFC 4235 §4.4 does not list: ours, made of it, are to be valid."""
    document = parse_dialog_info(body)
    return document._replace(dialogs=tuple(map(_listed, document.dialogs)))


def _listed(dialog: DialogState) -> DialogState:
    return dialog._replace(
        direction=dialog.direction if dialog.direction in _DIRECTIONS else "",
        event=dialog.event if dialog.event in _EVENTS else "",
        local=_listed_rendering(dialog.local),
        remote=_listed_rendering(dialog.remote),
    )


def _listed_rendering(side: Participant) -> Participant:
    return side if not side.rendering or side.rendering in _RENDERINGS else side._replace(rendering="")


def call_of(document: DialogInfo) -> str:
    """The Call-ID that a feature server's publication is about: it keeps one per address of record and call."""
    return document.dialogs[0].call_id if document.dialogs else ""


def compose(aor: str, published: Sequence[Published]) -> DialogInfo:
    """All dialogs of all publications as one document about `aor`; its version is set when it is encoded.

    The same dialog (call-id, local-tag, remote-tag) in several publications stands there once: a feature server, which
    holds the call, knows better than the phone; among equals the newest is right. A dialog published without a call-id
    is never taken for another. A terminated dialog is shown as long as its publication stands.
    """
    entity = str(parse_uri(aor).without_parameters())
    dialogs: dict[tuple[str, ...], DialogState] = {}
    for linked in (True, False):
        for publication in reversed(published):
            if bool(publication.link) is linked:
                for position, dialog in enumerate(publication.value.dialogs):
                    key = dialog.key if dialog.call_id else (str(publication.number), str(position))
                    if key not in dialogs:
                        dialogs[key] = dialog._replace(id=f"{publication.number:x}-{dialog.id}")
    return DialogInfo(entity, _distinct(dialogs) or (IDLE,))


def _distinct(dialogs: dict[tuple[str, ...], DialogState]) -> tuple[DialogState, ...]:
    """The dialogs with ids that are unique (RFC 4235 §4.1.1).

    The publication's number in front tells publications apart and stays, whatever others come and go; what is left are
    publishers that use one id twice.
    """
    found: dict[str, DialogState] = {}
    for dialog in dialogs.values():
        name = dialog.id
        while name in found:
            name += "+"
        found[name] = dialog if name == dialog.id else dialog._replace(id=name)
    return tuple(found.values())


def narrow(document: DialogInfo, wanted: WatchedDialog) -> DialogInfo:
    """For who subscribes to one dialog alone (RFC 4235 §3.3), or to those of one INVITE."""
    return document._replace(dialogs=tuple(one for one in document.dialogs if wanted.has(one.key)) or (IDLE,))


def view(document: DialogInfo, whole: bool) -> DialogInfo:
    """The document as a watcher may see it: the user itself and its pickup group see it whole.

    Others see state, direction, rendering and identities, but nothing to reach or replace the dialog with (RFC 4235
    §3.7.2): neither call-id nor tags, the address of record as the local target, and as the remote one the remote
    identity, which tells no Contact. Phones like to make the id of the Call-ID, so the id is a digest then.
    """
    if whole or document.dialogs == (IDLE,):
        return document
    return document._replace(dialogs=tuple(_for_others(document.entity, dialog) for dialog in document.dialogs))


def _for_others(entity: str, dialog: DialogState) -> DialogState:
    local, remote = dialog.local, dialog.remote
    remote_target = remote.identity or (_ANONYMOUS if remote.rendering else "")
    return DialogState(
        id=sha256(dialog.id.encode("utf-8", "replace")).hexdigest()[:16],
        state=dialog.state,
        direction=dialog.direction,
        local=Participant(local.identity, entity, local.rendering, local.display),
        remote=Participant(remote.identity, remote_target, remote.rendering, remote.display),
        event=dialog.event,
    )


def encode(document: DialogInfo, version: int) -> bytes:
    """The document as it goes into a NOTIFY."""
    return document._replace(version=version).encode()


def document(value: DialogInfo, before: DialogInfo | None, version: int, form: Form) -> bytes:
    """The document as this watcher wants it; `before`: what it was told last, where it wants only what has changed."""
    if form.phone:
        return phone_state(value)._replace(version=version).encode("pvalue")
    if form.single_dialog:
        value = value._replace(dialogs=(max(value.dialogs, key=_interest),))
    elif form.partial and before is not None:
        # Never without a dialog: where nothing has changed, what stands is said again.
        value = value._replace(dialogs=_changes(before, value) or value.dialogs, state="partial")
    return value._replace(version=version).encode("pvalue" if form.pvalue else "pval")


def _changes(before: DialogInfo, value: DialogInfo) -> tuple[DialogState, ...]:
    """Dialogs that are new or changed, and as terminated those that are gone without having been told so (RFC 4235 §4.3)."""
    known = {dialog.id: dialog for dialog in before.dialogs}
    ids = {dialog.id for dialog in value.dialogs}
    gone = [dialog for dialog in before.dialogs if dialog.id not in ids and dialog.state != "terminated"]
    changed = [dialog for dialog in value.dialogs if dialog != known.get(dialog.id) and dialog != IDLE]
    return (*changed, *(_ended(dialog) for dialog in gone))


def _ended(dialog: DialogState) -> DialogState:
    local, remote = dialog.local._replace(rendering=""), dialog.remote._replace(rendering="")
    return dialog._replace(state="terminated", local=local, remote=remote)


_INTEREST: Final = ("terminated", "trying", "proceeding", "confirmed", "early")


def _interest(dialog: DialogState) -> tuple[int, bool]:
    """What one lamp is to show of several dialogs: one that rings, else one that talks, else one that is held."""
    return _INTEREST.index(dialog.state), "no" not in (dialog.local.rendering, dialog.remote.rendering)


DIALOG: Final = EventPackage(
    name="dialog",
    content_type=CONTENT_TYPE,
    default_expires=3600,  # RFC 4235 §3.4: an hour for all dialogs of a user
    min_expires=60,
    max_expires=3600,
    min_interval=1.0,  # RFC 4235 §3.10
    value_type=DialogInfo,
    parse=parse,
    call_of=call_of,
    compose=compose,
    view=view,
    encode=encode,
    document=document,
    narrow=narrow,
)
