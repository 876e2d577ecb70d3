"""The faults of one server: which message is whose, counted and drawn in the order in which messages come.

The same messages in the same order meet the same faults: a fault counts what it is for, and its chances come from its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from b2bua.faults.altered import padded, with_wrong_tag
from b2bua.faults.fault import ANSWER, DELAY, DROP, DUPLICATE, IN, MAX_BYTES, OUT, PAD, REINVITE, Fault, check_own
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.feature_server.strike import Answered, Delayed, Doubled, Effect, Strike
from b2bua.observer import Observer
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.uri import parse_uri

MAX_FAULTS: Final = 100
"""More than anybody reads; each costs each message something."""
LONGEST_DELAY: Final = 3600.0
"""Seconds."""


@dataclass(slots=True)
class Standing:
    """A fault that was added."""

    number: int
    fault: Fault
    draw: Callable[[], float]
    """The next chance, from 0 to 1."""
    matched: int = 0
    """Messages so far that it is for."""
    acted: int = 0

    @property
    def spent(self) -> bool:
        """Whether it will not act any more."""
        fault = self.fault
        return fault.count > 0 and self.matched >= fault.nth + fault.count - 1

    def strikes(self) -> bool:
        """Count one more message that it is for; whether it acts on it."""
        if self.spent:
            return False
        self.matched += 1
        if self.matched < self.fault.nth or (self.fault.chance < 1 and self.draw() >= self.fault.chance):
            return False
        self.acted += 1
        return True


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that acts on a message."""

    standing: Standing
    effect: Effect
    what: str
    """What is done to the message, as the trace says it."""


Peer = Callable[[Flow, tuple[str, ...]], str]
Check = Callable[[Fault], None]


def anything(fault: Fault) -> None:
    """Any fault can act here."""


class Faults:
    """All of them, in the order in which they were added: the first that acts has the message.

    `peer`: the name of whoever is at the other end of a flow, given the users that the message names for that side; `trunk`:
    the trunk there, "" for none. `own`: the faults that features bring. `dice`: seed → a source of numbers from 0 to 1.
    `changed` hears whether any fault can act. `check`: ValueError for one that cannot act here.
    """

    def __init__(
        self, peer: Peer, trunk: Callable[[Flow], str],
        dice: Callable[[int], Callable[[], float]], observer: Observer, log: Callable[..., object],
        changed: Callable[[bool], None], own: FeatureFaults, check: Check = anything,
    ) -> None:  # fmt: skip
        self.own = own
        self._check = check
        self._peer = peer
        self._trunk = trunk
        self._dice = dice
        self._observer = observer
        self._log = log
        self._changed = changed
        self._number = 0
        self.standing: list[Standing] = []

    def add(self, fault: Fault) -> Standing:
        """A new one, behind the others; ValueError when there are too many, nobody has such a fault, or it cannot act here."""
        self._check(fault)
        check_own(fault.action, self.own.names(), str(fault))
        if len(self.standing) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults stand already")
        self._number += 1
        made = Standing(self._number, fault, self._dice(fault.seed))
        self.standing.append(made)
        self._log("fault_added", number=made.number, fault=str(fault))
        self._changed(True)
        return made

    def remove(self, number: int | None) -> bool:
        """Take one away, or with None all; False when there was none."""
        gone = [one for one in self.standing if number is None or one.number == number]
        self.standing = [one for one in self.standing if one not in gone]
        for one in gone:
            self._log("fault_removed", number=one.number, acted=one.acted)
        self._tell()
        return bool(gone)

    def on_wire(self, direction: str, message: Request | Response, flow: Flow) -> Hit | None:
        """The fault that acts on a message at the edge, counted; None for nearly all."""
        for one in self.standing:
            fault = one.fault
            if fault.of_requests or not self._is_for(fault, direction, message, flow) or not one.strikes():
                continue
            if fault.is_own:
                hit = self._own_hit(one, direction, message)
            else:
                hit = Hit(one, *_effect(fault, message))
            if hit is not None:
                self._acted(one)
                return hit
            one.acted -= 1
            self._is_spent(one)
        return None

    def on_request(self, request: Request, flow: Flow) -> Standing | None:
        """The fault that answers a request before Session Manager sees it."""
        for one in self.standing:
            if one.fault.of_requests and self._is_for(one.fault, IN, request, flow) and one.strikes():
                self._acted(one)
                return one
        return None

    def _own_hit(self, one: Standing, direction: str, message: Request | Response) -> Hit | None:
        """What a feature makes of it; None where it leaves it as it was."""
        fault = one.fault
        strike = Strike(fault.action, message, direction == OUT, one.acted, fault.argument, one.draw)
        effect = self.own.strike(strike)
        if effect is message:
            return None
        try:
            return Hit(one, effect, f"{fault.action}: {_told(effect, message)}")
        except ValueError as error:
            self.own.failed(error, strike)
            return None

    def _acted(self, one: Standing) -> None:
        self._observer.fault_injected(one.fault.action)
        self._is_spent(one)

    def _is_spent(self, one: Standing) -> None:
        if one.spent:
            self._log("fault_spent", number=one.number, acted=one.acted)
            self._tell()

    def _tell(self) -> None:
        self._changed(any(not one.spent for one in self.standing))

    def _is_for(self, fault: Fault, direction: str, message: Message, flow: Flow) -> bool:
        if fault.direction not in ("", direction) or not _is_kind(fault, message):
            return False
        if fault.is_own and fault.action not in self.own.names():
            return False  # its feature is gone
        if fault.trunk:
            return self._trunk(flow) == fault.trunk
        if not fault.user:
            return True
        named = named_there(direction, message)
        found = self._peer(flow, named)
        # Who has not registered yet has no name but the one in the message.
        return found == fault.user or (":" in found and fault.user == named[0])


def _effect(fault: Fault, message: Request | Response) -> tuple[Effect, str]:
    """What one of this program's own faults does, and how the trace says it."""
    if fault.action == DROP:
        return None, "dropped"
    if fault.action == DELAY:
        return Delayed(fault.seconds), f"delayed by {fault.seconds:g} s"
    if fault.action == DUPLICATE:
        return Doubled(), "duplicated"
    if fault.action == ANSWER:
        return Answered(fault.code), f"answered {fault.code}"
    if fault.action == PAD:
        return padded(message, fault.bytes), f"padded to {fault.bytes} bytes"
    return with_wrong_tag(message), "a wrong tag"


def _told(effect: object, message: Message) -> str:
    """What a feature does to a message; ValueError for what cannot be done."""
    match effect:
        case None:
            return "dropped"
        case Delayed(seconds) if 0 <= seconds <= LONGEST_DELAY:
            return f"delayed by {seconds:g} s"
        case Doubled():
            return "duplicated"
        case Answered(status) if 200 <= status <= 699 and isinstance(message, Request):
            if message.method not in ("ACK", "CANCEL"):
                return f"answered {status}"
        case Request() | Response() | bytes():
            size = len(effect if isinstance(effect, bytes) else effect.encode())
            if size <= MAX_BYTES:
                return "changed"
            raise ValueError(f"a message of {size} bytes, {MAX_BYTES} at most")
    raise ValueError(f"{effect!r} cannot be done to {message.start_line()}")


def _is_kind(fault: Fault, message: Message) -> bool:
    """Whether method and status are those of the fault."""
    if isinstance(message, Response):
        if fault.action == ANSWER or (fault.method and not fault.status):
            return False
        status = str(message.status)
        wanted = fault.status in ("", status) or fault.status == f"{status[0]}xx"
        return wanted and fault.method in ("", message.cseq_method)
    if fault.status or not isinstance(message, Request):
        return False
    if fault.action == ANSWER and message.method in ("ACK", "CANCEL"):
        return False  # nobody answers these for themselves
    if fault.method == REINVITE:
        return message.method == "INVITE" and bool(message.to.tag)
    return fault.method in ("", message.method)


def named_there(direction: str, message: Message) -> tuple[str, ...]:
    """The users that the other side of a message may be, best first: who asks stands in From, who is asked in To and in the
    Request-URI."""
    asker, asked = _user(message.from_.uri), _user(message.to.uri)
    if isinstance(message, Request):
        return (asker,) if direction == IN else (asked, _user(message.uri))
    return (asked, asker) if direction == IN else (asker, asked)


def _user(uri: str) -> str:
    try:
        return parse_uri(uri).username
    except MalformedValue:
        return ""
