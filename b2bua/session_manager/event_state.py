"""The event state compositor: what PUBLISH leaves here, for how long, under which entity tag (RFC 3903 §6).

Nothing is composed here and no document is written: whoever watches asks for the publications when told of a change. A
PUBLISH over the link in process brings its state as a typed value (`Message.content`) and is not parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from b2bua.observer import Observer
from b2bua.session_manager.event_packages.package import Answer, EventPackage, package_for, refusal
from b2bua.session_manager.publication import Publication, Resource
from b2bua.session_manager.publication_keeper import PublicationKeeper
from b2bua.sip.errors import SipError
from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.message import Request
from b2bua.sip.why import NOT_STORED
from b2bua.transaction.timers import NEVER, TICK, Timers

MAX_PHONE_PUBLICATIONS: Final = 20
"""Publications that phones may hold for one address of record and event: more than a user has devices, and a bound on
what one account can make this server keep. Feature servers are trusted and not bounded."""
MAX_PHONE_BYTES: Final = 65_536
"""Bytes of the documents in all publications that phones may hold for one address of record, whatever the events: some
hundred ordinary ones. A document is kept read, which takes a multiple of its length."""
RETRY_AFTER: Final = "60"
"""Seconds after which a phone that met the bound may try again: the shortest publication may have expired by then."""

LONGEST_ELSEWHERE: Final = 120
"""Seconds that a feature server in another process is granted: it may die alone, and its lamps then go out by this."""

UNKEPT_SECONDS: Final = 60
"""Seconds granted to a publication that the store does not take: its publisher asks again soon, when it may take it."""
STORE_RETRY_AFTER: Final = "10"
"""Seconds until a publisher that was refused because of the store may try again."""


class EventState:
    """All publications. `entity_tags` returns one that it never returned before, nor before a restart (RFC 3903 §8.3).

    `changed(package, aor, call)` is called after the state of an address of record changed; `call` is the trace id of
    the call that changed it. Addresses of record are text as the caller spells them: canonical, without parameters.
    `keeper` keeps what outlives a restart; None: nothing does.
    """

    def __init__(
        self,
        packages: Mapping[str, EventPackage],
        entity_tags: Callable[[], str],
        timers: Timers,
        changed: Callable[[str, str, str], None],
        keeper: PublicationKeeper | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._packages = packages
        self._allow_publish = ", ".join(sorted(name for name, one in packages.items() if one.publishers == "all"))
        self._entity_tags = entity_tags
        self._timers = timers
        self._changed = changed
        self._resources: dict[Resource, tuple[Publication, ...]] = {}
        """Of each, the one that was renewed longest ago first. Mostly there is one: a dictionary for each would be four times as
        big as the publication."""
        self._by_tag: dict[str, Publication] = {}
        self._number = 0
        self._keeper = keeper
        self._observer = observer
        self._touched: Publication | None = None
        """What the PUBLISH at hand is about."""
        self._when_due: Callable[[Publication], None] = self._due  # one of them for all publications

    def publish(self, request: Request, aor: str, link: str, elsewhere: bool = False) -> Answer:
        """Process a PUBLISH for `aor`, which is of our domain and may be published for by the sender (steps 2 to 6).

        `link` is the name of the feature server link that it came over, or "" from a phone; `elsewhere`: it leads to another
        process. The answer is 200 with
        Expires and a new SIP-ETag, or 400, 412, 413, 415, 423, 489, 500; then nothing has changed.
        """
        try:
            return self._process(request, aor, link, elsewhere)
        except SipError as error:
            return refusal(error)

    def publish_durably(
        self, request: Request, aor: str, link: str, elsewhere: bool, respond: Callable[[Answer], None]
    ) -> None:
        """`publish` for a publisher that outlives this process: `respond` is called once, after the commit that holds what
        the answer promises. Where the store does not take a new publication the answer is 500 to a phone and 503 to a
        feature server, and it is gone again; one that stands goes on for `UNKEPT_SECONDS`."""
        keeper = self._keeper
        numbers = self._number
        known = request.has("SIP-If-Match")
        answer = self.publish(request, aor, link, elsewhere)
        publication = self._take_touched()
        if keeper is None or publication is None or answer.status != 200:
            respond(answer)
            return
        new = self._number > numbers
        done = partial(self._written, publication, answer, new and not known, respond)
        if publication.tick == NEVER:  # it was removed
            publication.kept = False
            keeper.drop(publication, done)
        else:
            publication.kept = True
            keeper.keep(publication, done)

    def _take_touched(self) -> Publication | None:
        touched, self._touched = self._touched, None
        return touched

    def _written(
        self, publication: Publication, answer: Answer, new: bool, respond: Callable[[Answer], None], error: Exception | None
    ) -> None:
        if error is None:
            respond(answer)
            return
        if new:
            if publication.tick != NEVER:
                self._remove(publication, publication.call)
            if self._observer is not None:
                self._observer.overload_rejected("store")
            respond(Answer(503 if publication.link else 500, (("Retry-After", STORE_RETRY_AFTER),), why=NOT_STORED))
            return
        if self._observer is not None:
            self._observer.not_durable("publication")
        headers = dict(answer.headers)
        if int(headers["Expires"]) > UNKEPT_SECONDS:
            headers["Expires"] = str(UNKEPT_SECONDS)
            publication.expires_at = self._timers.now() + UNKEPT_SECONDS
            self._timers.put(publication, UNKEPT_SECONDS)
        respond(answer._replace(headers=tuple(headers.items())))

    def restore(self) -> int:
        """Go on with the publications that stood when the process ended; how many. Nobody is told: whoever watches is told
        the whole state after a restart."""
        if self._keeper is None:
            return 0
        found = sorted(self._keeper.load(), key=lambda one: one[0].number)
        for record, value, seconds in found:
            publication = Publication(record.number, (record.package, record.aor), record.link, self._when_due)
            publication.tag, publication.value, publication.call = record.tag, value, record.call
            publication.size = 0 if record.link else len(record.document)
            publication.kept = True
            self._resources[publication.resource] = (*self._resources.get(publication.resource, ()), publication)
            self._by_tag[record.tag] = publication
            publication.expires_at = self._timers.now() + seconds
            self._timers.put(publication, seconds)
            self._number = max(self._number, record.number)
        return len(found)

    def state(self, package: str, aor: str) -> list[Publication]:
        """The publications for an address of record, the one that was renewed longest ago first."""
        return list(self._resources.get((package, aor), ()))

    def all(self) -> list[Publication]:
        """The publications that stand."""
        return [publication for known in self._resources.values() for publication in known]

    def count(self) -> int:
        """How many publications stand."""
        return len(self._by_tag)

    def _process(self, request: Request, aor: str, link: str, elsewhere: bool) -> Answer:
        package = package_for(self._packages, request)
        if package.publishers != "all" and (package.publishers == "none" or not link):
            raise SipError(489, "", ("Allow-Events", self._allow_publish)).because(
                "event state: who asks may not publish for this event"
            )
        resource = package.name, aor
        names = request.names
        condition = None
        if "SIP-If-Match" in names:
            condition = request.lines[names.index("SIP-If-Match")].partition(":")[2].strip()
        publication = None if condition is None else self._matching(condition, resource, link)
        seconds = package.granted(request)
        if elsewhere:
            seconds = min(seconds, LONGEST_ELSEWHERE)
        has_body = request.content is not None or bool(request.body)  # in this order: content spares writing the bytes
        self._touched = publication
        if publication is not None and seconds == 0:
            self._remove(publication, request.call or publication.call)
            return self._accepted(self._entity_tags(), 0)
        if has_body and not link:
            self._check_room(aor, publication, len(request.body))
        value = published_value(package, request) if has_body else None
        if publication is None:
            if not has_body:
                raise SipError(400, "Publication Without Body").because(
                    "event state: there is nothing in it to be published (RFC 3903 §6)"
                )
            if seconds == 0:  # RFC 3903 §6 step 5: nothing is stored as a result of such a request
                return self._accepted(self._entity_tags(), 0)
            if aor == request.uri:
                resource = package.name, request.uri  # one text for a publisher in this process and for us, who both keep it
            self._touched = publication = self._initial(package, resource, link, value)
        changed = has_body and value != publication.value
        # Over a network the message does not bring its call along: the state names it.
        call = request.call or (package.call_of(value) if link and has_body else "")
        if has_body and not link:
            publication.size = len(request.body)
        tag = self._store(publication, value if has_body else publication.value, call, seconds)
        if changed:
            self._changed(package.name, aor, publication.call)
        return self._accepted(tag, seconds, publication.call)

    @staticmethod
    def _accepted(tag: str, seconds: int, call: str = "") -> Answer:
        return new_tuple(Answer, (200, (("SIP-ETag", tag), ("Expires", str(seconds))), "", call, None))

    def _matching(self, condition: str, resource: Resource, link: str) -> Publication:
        """The publication that SIP-If-Match names; SipError 400 for no single tag, 412 for none of this sender's."""
        publication = self._by_tag.get(condition)
        if publication is None or publication.link != link or publication.resource != resource:
            if not condition or "," in condition or " " in condition:
                raise SipError(400, "Bad SIP-If-Match").because(
                    "event state: SIP-If-Match is no single entity tag (RFC 3903 §11.3.2)"
                )
            raise SipError(412).because("event state: no publication of this sender has this entity tag (RFC 3903 §6 step 3)")
        return publication

    def _check_room(self, aor: str, publication: Publication | None, size: int) -> None:
        """SipError 413 where a phone's document is one too large for its address of record; with Retry-After where it would fit
        by itself (RFC 3261 §21.4.11)."""
        if size > MAX_PHONE_BYTES:
            raise self._too_much(SipError(413).because("event state: the document is too large"))
        held = sum(
            other.size
            for package in self._packages
            for other in self._resources.get((package, aor), ())
            if other is not publication
        )
        if held + size > MAX_PHONE_BYTES:
            raise self._too_much(SipError(413, "", ("Retry-After", RETRY_AFTER)).because(
                "event state: the documents of this address of record would be too large together"
            ))

    def _too_much(self, error: SipError) -> SipError:
        if self._observer is not None:
            self._observer.overload_rejected("publications")
        return error

    def _initial(self, package: EventPackage, resource: Resource, link: str, value: Any) -> Publication:
        """A new publication; for a feature server that published this call before, that one, to be overwritten.

        A feature server keeps one publication per address of record and call, so a second initial one means that it
        lost the entity tag (412, restart): the old state would else stay lit until it expires.
        """
        known = self._resources.get(resource, ())
        if link:
            call_id = package.call_of(value)
            for publication in known:
                if call_id and publication.link == link and package.call_of(publication.value) == call_id:
                    return publication
        elif sum(not publication.link for publication in known) >= MAX_PHONE_PUBLICATIONS:
            raise self._too_much(SipError(500, "Too Many Publications", ("Retry-After", RETRY_AFTER)).because(
                "overload: this address of record has as many publications as it may"
            ))
        self._number += 1
        return Publication(self._number, resource, link, self._when_due)

    def _store(self, publication: Publication, value: Any, call: str, seconds: int) -> str:
        """Give the publication its state, `seconds` to live and a new entity tag; it comes last in its resource."""
        resource = publication.resource
        known = self._resources.get(resource)
        if known is None:
            self._resources[resource] = (publication,)
        elif known[-1] is not publication:
            others = _without(publication, known) if publication.tag else known
            self._resources[resource] = (*others, publication)
        if publication.tag:
            del self._by_tag[publication.tag]
        publication.tag = tag = self._entity_tags()
        publication.value = value
        if call:
            publication.call = call
        self._by_tag[tag] = publication
        publication.expires_at = at = self._timers.now() + seconds
        if publication.tick == NEVER or publication.tick * TICK > at + TICK:
            self._timers.put(publication, seconds)
        return tag

    def _due(self, publication: Publication) -> None:
        """A publication's tick has come: it has expired, unless it was renewed meanwhile."""
        left = publication.expires_at - self._timers.now()
        if left > 0:
            self._timers.put(publication, left)
        else:
            self._remove(publication, publication.call)

    def _remove(self, publication: Publication, call: str) -> None:
        publication.tick = NEVER
        if publication.kept and self._keeper is not None:
            publication.kept = False
            self._keeper.drop(publication)
        del self._by_tag[publication.tag]
        known = self._resources[publication.resource]
        if len(known) > 1:
            self._resources[publication.resource] = _without(publication, known)
        else:
            del self._resources[publication.resource]
        self._changed(*publication.resource, call)


def _without(publication: Publication, known: tuple[Publication, ...]) -> tuple[Publication, ...]:
    index = known.index(publication)
    return known[:index] + known[index + 1 :]


def published_value(package: EventPackage, request: Request) -> Any:
    """The event state in a PUBLISH: its typed content, or its body parsed; SipError 415 or 400 (RFC 3903 §6 step 5)."""
    if isinstance(request.content, package.value_type):
        return request.content
    content_type = (request.get("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type != package.content_type:
        raise SipError(415, "", ("Accept", package.content_type)).because(
            "event state: its Content-Type is not the one of this event (RFC 3903 §6 step 5)"
        )
    if (request.get("Content-Encoding") or "identity").lower() != "identity":
        raise SipError(415, "", ("Accept-Encoding", "identity")).because(
            "event state: an encoded body is not understood (RFC 3261 §8.2.3)"
        )
    return package.parse(request.body)
