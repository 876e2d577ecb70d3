"""What the phones of a drill were promised, and the judge of what became of it.

An event is one final answer that a phone heard (or what it saw later). `crossed`: the server died between the request and
that answer, so the request may have been obeyed by the one and answered by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

GONE: Final = frozenset((404, 408, 410, 412, 430, 480, 481))
"""Answers that say: what you speak of does not exist."""


@dataclass(frozen=True)
class Event:
    at: float
    kind: str
    """`registration`, `subscription`, `publication`, `call`."""
    key: str
    """Which one."""
    what: str
    """The request or the sight: a row of the judge's tables."""
    status: int
    """The final answer; of a sight 1 (as it must be) or 0."""
    crossed: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Loss:
    """A promise that was not kept."""

    event: Event
    why: str

    def __str__(self) -> str:
        event = self.event
        return f"{event.kind} {event.key}: {event.what} {event.status}: {self.why} {event.detail}".rstrip()


class History:
    """Grows while the drill runs. With a file each event is a line of JSON in it at once."""

    def __init__(self, file: Path | None = None) -> None:
        self.events: list[Event] = []
        self._file = file.open("a") if file else None

    def add(self, event: Event) -> None:
        self.events.append(event)
        if self._file is not None:
            self._file.write(json.dumps(asdict(event)) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def count(self) -> dict[str, int]:
        """Acknowledged requests by kind and what."""
        counted: dict[str, int] = {}
        for event in self.events:
            if event.status and 200 <= event.status < 300:
                name = f"{event.kind} {event.what}"
                counted[name] = counted.get(name, 0) + 1
        return counted


State = str | None
"""`stands`, `gone`, or None: not known, as an answer crossed a restart."""


def judge(events: Iterable[Event]) -> list[Loss]:
    """Everything that was acknowledged and did not last."""
    states: dict[tuple[str, str], State] = {}
    losses = []
    for event in events:
        name = event.kind, event.key
        state, why = _JUDGES[event.kind](states.get(name, "gone"), event)
        states[name] = state
        if why:
            losses.append(Loss(event, why))
    return losses


def _begun(state: State, event: Event, end: str) -> State:
    """What stands after a request that begins, renews or ends a thing."""
    if 200 <= event.status < 300:
        return "gone" if event.what == end else "stands"
    return None if event.crossed else state


def _registration(state: State, event: Event) -> tuple[State, str]:
    if event.what == "bound":  # a fetch: status 1 when the contact is listed
        if state == "stands" and not event.status:
            return None, "the registration is lost"
        if state == "gone" and event.status:
            return None, "the registration has come back"
        return state, ""
    return _begun(state, event, "unregister"), ""


def _subscription(state: State, event: Event) -> tuple[State, str]:
    if event.what in ("notify", "lamp"):
        return state, "" if event.status else "the lamp is wrong"
    if event.status in GONE and event.what != "subscribe":
        lost = state == "stands" and not (event.crossed and event.what == "unsubscribe")
        return "gone", "the subscription is lost" if lost else ""
    return _begun(state, event, "unsubscribe"), ""


def _publication(state: State, event: Event) -> tuple[State, str]:
    if event.status in GONE and event.what != "publish":
        # Obeyed by the one, its new entity tag lost with the answer: the next knows the old tag no more (RFC 3903 §4.1).
        return "gone", "the publication is lost" if state == "stands" and not event.crossed else ""
    return _begun(state, event, "unpublish"), ""


def _call(state: State, event: Event) -> tuple[State, str]:
    if event.what in ("told", "lamp", "ended", "left", "standing"):
        return state, "" if event.status else _SIGHTS[event.what]
    if event.what == "dial":
        return ("stands" if 200 <= event.status < 300 else "gone"), ""
    if event.what == "bye":
        crossed = event.crossed or state is None
        wrong = event.status >= 300 and not (crossed and event.status in (481, 599))
        return "gone", "the call was gone before its BYE" if wrong and state == "stands" else ""
    if event.what == "bye again":
        return state, "" if event.status >= 300 else "an ended call has come back"
    if event.status in GONE:
        return "gone", "the call is lost" if state == "stands" else ""
    return state, ""


_SIGHTS: Final = {
    "told": "the other party was not told",
    "lamp": "the lamp is wrong",
    "ended": "the other party was not told of the BYE",
    "left": "a phone was left in a call that never came to be",
    "standing": "the call was ended by nobody of it",
}
_JUDGES: Final[dict[str, Callable[[State, Event], tuple[State, str]]]] = {
    "registration": _registration, "subscription": _subscription, "publication": _publication, "call": _call,
}  # fmt: skip
