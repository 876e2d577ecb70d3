"""What a feature server is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from b2bua.feature_server.chosen_codes import FeatureCodes
from b2bua.feature_server.user_settings import UserSettings
from b2bua.log.events import Say, quiet
from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message
from b2bua.store.interface import Records
from b2bua.transaction.layer import TransactionLayer

AS_CALLER: Final = "as-caller"
ALWAYS: Final = "always"
NEVER: Final = "never"
"""When the callee is offered reliable provisional responses (RFC 3262): when the caller knows them, whenever the INVITE has
an offer too, or not at all; then a caller that requires them is refused."""


def _no_wall() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long a call may live, in seconds, and how many one user may have; 0 switches a limit off."""

    session_expires: int = 1800
    """The session interval that each leg is asked for (RFC 4028 §4); 0: no session timers."""
    session_expires_min: int = 90
    """A shorter one is refused with 422."""
    call_length_max: int = 14_400
    """From the INVITE to the end, whatever the phones do."""
    calls_per_user: int = 200
    """Calls that one user has a part in at a time; one more is refused with 480."""


class MediaStream(Protocol):
    """One RTP stream of our own: G.711, 20 ms a packet, on a port that nobody else has until it is closed."""

    @property
    def address(self) -> HostPort:
        """Where the other end is to send."""

    def send_to(self, remote: HostPort | None, payload_type: int) -> None:
        """Send there from now on, in PCMU (0) or PCMA (8); None, or what is no address, stops at once."""

    def close(self) -> None:
        """Stop, and give the port back. May be called twice."""


class Media(Protocol):
    """What a feature server plays and hears itself. A source is named by a text: `echo` says what it hears; `melody`,
    `tone:HERTZ` and `file:PATH` (a WAV file) are played from their beginning, again and again (media_source.py)."""

    def open(self, source: str, host: str) -> MediaStream:
        """A stream that waits to be told where to send. `host`: our address or name as its other end knows it. SipError 480
        where no port is free, or the source cannot be played: the log says why."""


class MediaRelay(Protocol):
    """Somebody through whom the media of calls go: rtpengine. Descriptions are given to it, and come back with its addresses.

    `call` names a call, `offerer` and `answerer` its parties, by texts of the caller's own that stay the same; `answerer` of
    an offer is "" while nobody has answered. `protocol` is the third field of an m= line. `done` is called once, perhaps
    before this returns: None where there is no answer.
    """

    @property
    def needed(self) -> bool:
        """Whether a call is rather refused than passed on without it."""

    def offer(
        self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Callable[[bytes | None], None]
    ) -> None:
        """An offer, to go on to a party that speaks `protocol`."""

    def answer(
        self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Callable[[bytes | None], None]
    ) -> None:
        """The answer to it, to go back to an offerer that speaks `protocol`."""

    def knows(self, call: str, done: Callable[[bool | None], None]) -> None:
        """Whether it has this call; None where it does not answer."""

    def forget(self, call: str) -> None:
        """The call is over."""


class DetailSink(Protocol):
    """The file of call detail records (cdr/file.py)."""

    @property
    def on(self) -> bool:
        """Whether there is one."""

    @property
    def node(self) -> str:
        """Who we are, in each record."""

    def write(self, name: str, text: str, written: Callable[[], None]) -> None:
        """The line of a call; `written` is called in a turn of its own, once it cannot be lost any more."""

    def recover(self, lines: Mapping[str, str], written: Callable[[str], None]) -> None:
        """Lines by call that an earlier process may have written: those that are missing are. `written` for each."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything a feature server may touch. Time, identifiers and randomness come from here, never from a module."""

    name: str
    """Its name in Session Manager's links: stands as `;fs=NAME` in its Contacts."""
    domain: str
    """The SIP domain that it serves: its users' addresses of record, and the realm of our challenges."""
    layer: TransactionLayer
    """Its own transactions; requests to and from Session Manager go through it."""
    link: Flow
    """The flow to Session Manager."""
    observer: Observer
    uniform: Callable[[float, float], float]
    """A random number between two bounds: the waits after a 491."""
    leg_joined: Callable[[str, str], None]
    """`leg_joined(call, call_id)`: for the trace, this Call-ID is a leg of that call."""
    failed: Callable[[BaseException, Message | None], None]
    """Hears of mistakes in a feature or in the toolkit; logs them."""
    limits: CallLimits = CallLimits()
    reliable: str = AS_CALLER
    """AS_CALLER, ALWAYS or NEVER."""
    records: Records | None = None
    """A store that outlives the process; None where there is none, and nothing is recorded then."""
    wall: Callable[[], float] = _no_wall
    """Unix seconds, for what is recorded: the clock of the timers begins anew with each start."""
    users: UserSettings = field(default_factory=lambda: UserSettings(""))
    """What users have switched on and chosen."""
    codes: FeatureCodes = field(default_factory=FeatureCodes)
    """The feature codes that the configuration chose."""
    media: Media | None = None
    """Streams of our own; None where there are none."""
    relay: MediaRelay | None = None
    """Through whom media of others go; None: they go between the phones."""
    echoes: bool = False
    """Whether Session Manager answers challenges of trunks for us (sip/proxy_answer.py), to whatever request."""
    details: DetailSink | None = None
    """Where call detail records go; None: there are none."""
    log: Say = quiet
    """Hears of what happens to calls (log/events.py, area `calls`)."""
