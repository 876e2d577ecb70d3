"""The `presence` event package (RFC 3856): what phones publish of their user, and what we know ourselves.

Two things are known here: whether the user is registered, and whether it is on the phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from b2bua.session_manager.event_packages.package import OWN, EventPackage, Published
from b2bua.sip.dialog_info import DialogState
from b2bua.sip.pidf import CONTENT_TYPE, MOST, ON_THE_PHONE, Presence, Reach, parse_pidf
from b2bua.sip.uri import parse_uri

_DIALLING: Final = ("trying", "proceeding", "early")


class Known(NamedTuple):
    """What the server knows of a user by itself."""

    registered: bool
    on_the_phone: bool


def is_on_the_phone(dialogs: Iterable[DialogState]) -> bool:
    """Whether any of a user's dialogs makes it so: it talks, holds or is held, or dials. One that only rings is not."""
    return any(
        dialog.state == "confirmed" or (dialog.state in _DIALLING and dialog.direction == "initiator") for dialog in dialogs
    )


def compose(aor: str, published: Sequence[Published]) -> Presence:
    """One document of what is known (`Known`) and what phones have published (`Presence`, oldest first).

    What a phone says of itself stands, but no SIP contact is open for a user that no call can reach.
    """
    own, published = [one.value for one in published if one.link == OWN], [one for one in published if one.link != OWN]
    known: Known = own[0] if own else Known(False, False)
    entity = str(parse_uri(aor).without_parameters())
    reaches: list[Reach] = []
    activities: dict[str, None] = {ON_THE_PHONE: None} if known.on_the_phone else {}
    notes: dict[str, None] = {}
    for one in reversed(published):
        value: Presence = one.value
        for reach in value.reaches:
            closed = not known.registered and reach.contact[:4].lower() in ("", "sip:", "sips")
            reaches.append(reach._replace(id=f"t{one.number:x}-{len(reaches)}", basic="closed" if closed else reach.basic))
        activities |= dict.fromkeys(value.activities)
        notes |= dict.fromkeys(value.notes)
    if not reaches:
        reaches.append(Reach("registration", "open" if known.registered else "closed", entity))
    # The newest of what there is: nobody's documents may grow beyond what a watcher can be sent.
    return Presence(entity, tuple(reaches[:MOST]), tuple(activities), tuple(notes)[:MOST])


def view(presence: Presence, whole: bool) -> Presence:
    """Others than the user itself reach it by its address of record, not past it."""
    if whole:
        return presence
    return presence._replace(
        reaches=tuple(reach._replace(contact=presence.entity if reach.contact else "") for reach in presence.reaches)
    )


PRESENCE: Final = EventPackage(
    name="presence",
    content_type=CONTENT_TYPE,
    default_expires=3600,  # RFC 3856 §6.4
    min_expires=60,
    max_expires=3600,
    min_interval=5.0,  # RFC 3856 §6.10
    value_type=Presence,
    parse=parse_pidf,
    call_of=lambda value: "",
    compose=compose,
    view=view,
    encode=lambda value, version: value.encode(),
    follows=("dialog",),
)
