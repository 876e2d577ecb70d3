"""What stands beside a ladder: for each user whose state was published a lane, lit from one message to the next.

Read off the PUBLISHes that Session Manager took (RFC 3903): they are what lamps show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from b2bua.sip.dialog_info import DialogState, parse_dialog_info
from b2bua.sip.errors import MalformedValue
from b2bua.trace.names import SM
from b2bua.trace.rows import Row

HELD: Final = "held"
"""The party holds: its own rendering is `no`."""
IS_HELD: Final = "is-held"
"""The other party holds."""
_LIT: Final = ("trying", "proceeding", "early", "confirmed")
MAX_LANES: Final = 8


@dataclass(slots=True)
class Stretch:
    """Of one state, from a row to a row, by their places in the view; `end` is -1 while it lasts."""

    start: int
    kind: str
    """trying, proceeding, early, confirmed, HELD or IS_HELD."""
    end: int = -1


@dataclass(slots=True)
class Lane:
    """One user."""

    user: str
    stretches: list[Stretch] = field(default_factory=list)


def lanes_of(rows: Sequence[Row]) -> list[Lane]:
    """The lanes of a view in the order in which they were lit, `MAX_LANES` at most."""
    lanes: dict[str, Lane] = {}
    lit: dict[str, dict[tuple[str, str, str], str]] = {}
    for place, row in enumerate(rows):
        for user, dialog in _published(row):
            if user not in lanes:
                if len(lanes) >= MAX_LANES:
                    continue
                lanes[user], lit[user] = Lane(user), {}
            kind = _kind(dialog)
            if kind:
                lit[user][dialog.key] = kind
            else:
                lit[user].pop(dialog.key, None)
            _light(lanes[user], next(reversed(lit[user].values()), ""), place)
    return list(lanes.values())


def _light(lane: Lane, kind: str, place: int) -> None:
    last = lane.stretches[-1] if lane.stretches else None
    if last is not None and last.end < 0:
        if last.kind == kind:
            return
        last.end = place
    if kind:
        lane.stretches.append(Stretch(place, kind))


def _published(row: Row) -> Iterator[tuple[str, DialogState]]:
    if row.gap or row.facts.method != "PUBLISH" or row.record["destination"] != SM:
        return
    body = row.record["message"].partition("\r\n\r\n")[2]
    if "dialog-info" not in body:
        return
    try:
        document = parse_dialog_info(body.encode("utf-8", "replace"))
    except MalformedValue:
        return
    user = document.entity.partition(":")[2].partition("@")[0] or document.entity
    for dialog in document.dialogs:
        yield user, dialog


def _kind(dialog: DialogState) -> str:
    """"" for a dialog that is over."""
    if dialog.state == "confirmed" and dialog.local.rendering == "no":
        return HELD
    if dialog.state == "confirmed" and dialog.remote.rendering == "no":
        return IS_HELD
    return dialog.state if dialog.state in _LIT else ""
