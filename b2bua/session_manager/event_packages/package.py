"""What an event package is to the event core: a record, registered by name (RFC 6665 §5 lists what it must say)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

from b2bua.sip.errors import SipError
from b2bua.sip.event_id import event_id
from b2bua.sip.message import Request
from b2bua.sip.profiles import ASTERISK, PARTIAL, PVALUE, SINGLE_DIALOG
from b2bua.sip.rlmi import EVENTLIST
from b2bua.sip.watched_dialog import WatchedDialog
from b2bua.sip.why import Why

Headers = tuple[tuple[str, str], ...]
OWN: Final = "(own)"
"""In the place of a link's name: the state is neither a phone's nor a feature server's. No link is called so."""


class Answer(NamedTuple):
    """The final response that a PUBLISH or SUBSCRIBE gets: what the caller puts on the wire."""

    status: int
    headers: Headers = ()
    """Further headers, as (canonical name, value)."""
    reason: str = ""
    """"" stands for the registered reason phrase."""
    call: str = ""
    """Trace id, or a Call-ID, of the call that a PUBLISH of a feature server is about."""
    why: Why | None = None
    """For the trace: why it is refused."""


def refusal(error: SipError) -> Answer:
    """The response that tells a peer what it did wrong."""
    return Answer(error.status, error.headers, error.reason, why=error.why)


class Published(Protocol):
    """One publication as composition sees it (event_state.Publication)."""

    @property
    def number(self) -> int:
        """Unique in this compositor and the same as long as the publication lives."""

    @property
    def link(self) -> str:
        """The feature server link that published, or "" for a phone."""

    @property
    def value(self) -> Any:
        """The event state: what `EventPackage.parse` made of the body."""


class Own(NamedTuple):
    """State that is the server's own, as composition sees it beside publications."""

    value: Any
    number: int = 0
    link: str = OWN


class Form(NamedTuple):
    """How a watcher wants its documents, where a package has more than one way (`EventPackage.document`)."""

    partial: bool = False
    """After the first one only what has changed."""
    single_dialog: bool = False
    """Never more than one `<dialog>`: some phones crash on several."""
    pvalue: bool = False
    """`pvalue` for `pval`, as in the examples of RFC 4235: some phones read nothing else."""
    phone: bool = False
    """One state of the whole phone, as Asterisk has it."""

    @classmethod
    def of(cls, words: Iterable[str]) -> Form:
        """From the names of a watcher's profiles."""
        names = frozenset(words)
        return cls(PARTIAL in names, SINGLE_DIALOG in names, PVALUE in names, ASTERISK in names)


PLAIN: Final = Form()


@dataclass(frozen=True, slots=True)
class EventPackage:
    """An event package. `value_type` below is the type that `parse` returns; composition and documents use it too."""

    name: str
    """The event type as it stands in `Event`; compared byte by byte (RFC 6665 §8.2.1)."""
    content_type: str
    """In lower case, without parameters; published and notified. "": NOTIFYs have no body."""
    default_expires: int
    """Seconds granted to a PUBLISH or SUBSCRIBE that asks for none."""
    min_expires: int
    """Seconds below which a request is refused with 423; at most 3600 (RFC 6665 §4.2.1.1)."""
    max_expires: int
    """Seconds to which a longer wish is shortened."""
    min_interval: float
    """Seconds between two NOTIFYs of one subscription."""
    value_type: type[Any]
    """A request whose `content` is of this type needs no parse."""
    parse: Callable[[bytes], Any]
    """A published body as a value; MalformedValue (400) when it is none."""
    call_of: Callable[[Any], str]
    """What a feature server keeps one publication of: the Call-ID in a value, or ""."""
    compose: Callable[[str, Sequence[Published]], Any]
    """The whole state of an address of record from its publications, oldest first; none is a state too."""
    view: Callable[[Any, bool], Any]
    """A composed value as a watcher may see it: whole (True: the user itself, its pickup group) or as others do."""
    encode: Callable[[Any, int], bytes]
    """A composed value as a document with this version."""
    audience: Literal["watchers", "owner"] = "watchers"
    """Who may subscribe: whom the setting `watchers` names, or the user itself alone."""
    publishers: Literal["all", "links", "none"] = "all"
    """Whose PUBLISH is taken: phones' for their own user and feature servers', feature servers' alone, or nobody's."""
    profile: str = ""
    """Only users with this profile are offered it (profiles.py); "": everybody."""
    follows: tuple[str, ...] = ()
    """Other packages whose every change is one of this package, too."""
    document: Callable[[Any, Any, int, Form], bytes] | None = None
    """Where `encode` is not all: `document(value, before, version, form)`, `before` being what the watcher was told last, or
    None when it is to be told everything."""
    narrow: Callable[[Any, WatchedDialog], Any] | None = None
    """Where one may subscribe to a part of the state: of a composed value only what is of this dialog."""
    partial: bool = False
    """Whether every watcher is told only what has changed, not just who wants it so (`Form.partial`)."""

    def granted(self, request: Request) -> int:
        """The seconds that a request is granted, 0 when it asks for 0; SipError 423 or MalformedValue.

        RFC 3903 §6 step 4 and RFC 6665 §4.2.1.1 agree: shorten, never lengthen, refuse what is above 0 and too brief.
        """
        if "Expires" not in request.names:
            return self.default_expires
        requested = request.integer("Expires") or 0
        if 0 < requested < self.min_expires:
            raise SipError(423, "", ("Min-Expires", str(self.min_expires))).because(
                "event state: the interval that is asked for is below the least (RFC 3903 §6, RFC 6665 §4.2.1.1)"
            )
        return min(requested, self.max_expires)


def package_for(packages: Mapping[str, EventPackage], request: Request) -> EventPackage:
    """The package that the Event header names; SipError 489 with Allow-Events when there is none such (RFC 3903 §6)."""
    names = request.names
    event = request.lines[names.index("Event")].partition(":")[2].strip() if "Event" in names else ""
    package = packages.get(event) or packages.get(event.partition(";")[0].rstrip())
    if package is None:
        raise SipError(489, "", ("Allow-Events", allow_events(packages))).because(
            "event state: no event package of this name is served (RFC 6665 §4.2.1.1)"
        )
    return package


def allow_events(packages: Mapping[str, EventPackage]) -> str:
    """The value of Allow-Events: all that anybody may subscribe to here (RFC 6665 §4.4.4)."""
    return ", ".join(sorted(name for name, package in packages.items() if not package.profile))


def event_value(package: EventPackage, request: Request) -> str:
    """The Event value of the NOTIFYs: the subscriber's id as sent, the one parameter that matches (RFC 6665 §8.2.1)."""
    named = event_id(request.get("Event") or "")
    return package.name if named is None else f"{package.name};id={named}"


def check_accept(package: EventPackage, request: Request) -> None:
    """No Accept means the package's own format; one without it cannot be served: 406 (RFC 3261 §21.4.7)."""
    if package.content_type and request.has("Accept"):
        family = package.content_type.partition("/")[0]
        if request.tokens("Accept").isdisjoint((package.content_type, f"{family}/*", "*/*")):
            raise SipError(406).because("notifier: Accept leaves out all forms of this event (RFC 3261 §21.4.7)")


def check_list_event(package: EventPackage, request: Request, allowed: str) -> None:
    """Whether a list may be watched for this: 489 with these Allow-Events, or 421 (RFC 4662 §4.1)."""
    if not package.content_type:
        raise SipError(489, "", ("Allow-Events", allowed)).because(
            "notifier: no state of this event could stand in a list (RFC 4662)"
        )
    if EVENTLIST not in request.tokens("Supported") | request.tokens("Require"):  # who insists on it knows it
        raise SipError(421, "", ("Require", EVENTLIST)).because(
            "notifier: a list is only for who supports eventlist (RFC 4662 §4.1)"
        )


def followers(packages: Mapping[str, EventPackage]) -> dict[str, tuple[str, ...]]:
    """Package → itself and those that follow it."""
    return {name: (name, *(one.name for one in packages.values() if name in one.follows)) for name in packages}
