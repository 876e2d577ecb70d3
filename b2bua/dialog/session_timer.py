"""The session timer of one dialog (RFC 4028 §7.2, §9, §10): who refreshes, when, and when the session is over.

    off ── agreed ──► ours ── half the interval ──► refreshing ── 2xx ──► ours
                        ▲                            │   ▲  └── 408, 481, expiry ──► off, BYE
                        └──────── agreed ────────────┤   │
                                                  deferred │ its wait
                                                     └► waiting ── expiry ──► off, BYE
    off ── agreed ──► theirs ── interval − min(32, interval / 3) ──► off, BYE

A pure machine: time is handed in, and `wake` says when it wants to hear of it again.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final, NamedTuple


class State(StrEnum):
    """Where a session stands."""

    OFF = "off"
    """No session timer runs: nothing is agreed yet, or the dialog is over."""
    OURS = "ours"
    """The refreshes are our work; the next is not due yet."""
    REFRESHING = "refreshing"
    """Our refresh is under way."""
    WAITING = "waiting"
    """Our refresh is due and could not leave, or was refused for now: it is tried again."""
    THEIRS = "theirs"
    """The peer refreshes."""


class Event(StrEnum):
    """What can happen to it."""

    AGREED_OURS = "2xx, we refresh"
    """A 2xx to an INVITE or UPDATE of either side; the interval begins anew."""
    AGREED_THEIRS = "2xx, they refresh"
    DUE = "due"
    EXPIRED = "expired"
    DEFERRED = "deferred"
    """The refresh could not leave now, or was refused otherwise than by 408 and 481."""
    LOST = "lost"
    """408, 481 or no answer to our refresh: the peer knows the dialog no more."""
    STOPPED = "stopped"
    """The dialog is over, or the timer is switched off."""


class Action(StrEnum):
    """What the owner is to do."""

    NOTHING = "nothing"
    REFRESH = "refresh"
    END = "end"
    """BYE (§10)."""


class Wake(StrEnum):
    """When the machine wants to be woken next."""

    NEVER = "never"
    HALF = "half"
    """Half the interval after the 2xx, as §7.2 recommends."""
    LIMIT = "limit"
    """When the session is over: see `SessionTimer.limit`."""
    RETRY = "retry"
    """After the seconds that the event came with, at the limit at the latest."""


class Transition(NamedTuple):
    state: State
    wake: Wake
    action: Action


_OURS: Final = Transition(State.OURS, Wake.HALF, Action.NOTHING)
_THEIRS: Final = Transition(State.THEIRS, Wake.LIMIT, Action.NOTHING)
_REFRESH: Final = Transition(State.REFRESHING, Wake.LIMIT, Action.REFRESH)
_END: Final = Transition(State.OFF, Wake.NEVER, Action.END)
_STOP: Final = Transition(State.OFF, Wake.NEVER, Action.NOTHING)

TABLE: Final[dict[tuple[State, Event], Transition]] = {
    (State.OFF, Event.AGREED_OURS): _OURS,
    (State.OFF, Event.AGREED_THEIRS): _THEIRS,
    (State.OURS, Event.AGREED_OURS): _OURS,
    (State.OURS, Event.AGREED_THEIRS): _THEIRS,
    (State.OURS, Event.DUE): _REFRESH,
    (State.OURS, Event.EXPIRED): _END,
    (State.OURS, Event.LOST): _END,
    (State.OURS, Event.STOPPED): _STOP,
    (State.REFRESHING, Event.AGREED_OURS): _OURS,
    (State.REFRESHING, Event.AGREED_THEIRS): _THEIRS,
    (State.REFRESHING, Event.EXPIRED): _END,
    (State.REFRESHING, Event.DEFERRED): Transition(State.WAITING, Wake.RETRY, Action.NOTHING),
    (State.REFRESHING, Event.LOST): _END,
    (State.REFRESHING, Event.STOPPED): _STOP,
    (State.WAITING, Event.AGREED_OURS): _OURS,
    (State.WAITING, Event.AGREED_THEIRS): _THEIRS,
    (State.WAITING, Event.DUE): _REFRESH,
    (State.WAITING, Event.EXPIRED): _END,
    (State.WAITING, Event.LOST): _END,
    (State.WAITING, Event.STOPPED): _STOP,
    (State.THEIRS, Event.AGREED_OURS): _OURS,
    (State.THEIRS, Event.AGREED_THEIRS): _THEIRS,
    (State.THEIRS, Event.EXPIRED): _END,
    (State.THEIRS, Event.LOST): _END,
    (State.THEIRS, Event.STOPPED): _STOP,
}

IGNORED: Final = frozenset(
    [(State.OFF, event) for event in (Event.DUE, Event.EXPIRED, Event.DEFERRED, Event.LOST, Event.STOPPED)]
    # The refusal of a refresh that the peer's own overtook: the session has been refreshed.
    + [(state, Event.DEFERRED) for state in (State.OURS, State.WAITING, State.THEIRS)]
    # Nothing falls due while an answer is awaited, or while the peer refreshes.
    + [(state, Event.DUE) for state in (State.REFRESHING, State.THEIRS)]
)
"""Pairs in which nothing happens."""


class SessionTimer:
    """The timer of one dialog; its owner wakes it and does what it says."""

    __slots__ = ("state", "interval", "wake", "limit", "agreed_at")

    def __init__(self) -> None:
        self.state = State.OFF
        self.interval = 0.0
        """Seconds from one 2xx to the session expiration."""
        self.agreed_at = 0.0
        """When it was agreed last, on the clock of the `now`s handed in."""
        self.wake = inf
        """When to call `due`, on the clock of the `now`s handed in; infinite while no timer runs."""
        self.limit = inf
        """When the session is over if no refresh succeeds: its expiration, or where the peer refreshes
        min(32, interval / 3) seconds before it, so that our BYE still finds its way open (§10)."""

    def agreed(self, now: float, interval: float, ours: bool) -> None:
        """A 2xx to an INVITE or UPDATE came or left at `now`: the session lives for `interval` seconds from here."""
        self.interval, self.agreed_at = interval, now
        self.limit = now + (interval if ours else interval - min(32.0, interval / 3))
        self.fire(Event.AGREED_OURS if ours else Event.AGREED_THEIRS, now)

    def due(self, now: float) -> Action:
        """The time of `wake` has come."""
        expired = self.wake >= self.limit or now >= self.limit
        return self.fire(Event.EXPIRED if expired else Event.DUE, now)

    def fire(self, event: Event, now: float, wait: float = 0.0) -> Action:
        """Run one event through the table; `wait` is the seconds of a `DEFERRED`."""
        transition = TABLE.get((self.state, event))
        if transition is None:
            return Action.NOTHING
        self.state, wake, action = transition
        if wake is Wake.HALF:
            self.wake = now + self.interval / 2
        elif wake is Wake.LIMIT:
            self.wake = self.limit
        elif wake is Wake.RETRY:
            self.wake = min(now + wait, self.limit)
        else:
            self.wake = self.limit = inf
        return action
