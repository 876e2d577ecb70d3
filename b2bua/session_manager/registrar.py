"""The registrar (RFC 3261 §10.3): REGISTER in, bindings and a list of them out. Who may register was settled before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Final

from b2bua.log.events import Say, quiet
from b2bua.observer import Observer
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.location import Binding, Location, behind_nat
from b2bua.session_manager.outbound import OUTBOUND, may_name_flows, promised, reg_id_of
from b2bua.sip.address import Address, parse_address, split_unquoted
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.profiles import ASTERISK, Profiles
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import parse_uri
from b2bua.sip.why import NOT_STORED

MAX_CONTACTS: Final = 10
"""Bindings per user: more desks than a lab user has; bounds what one set of credentials can fill."""
UNKEPT_SECONDS: Final = 60
"""Seconds granted to a refresh that the store does not take: the phone asks again soon, when it may take it."""
HOUR: Final = 3600
"""What is never too brief (RFC 3261 §10.3 step 7), and what a malformed `expires` stands for (§10.2.1)."""

Saved = Callable[[Exception | None], None]
Save = Callable[[str, Sequence[Binding], Saved], None]
"""Writes a user's bindings and calls back when they are durable, or with the error."""


@dataclass(frozen=True, slots=True)
class ExpiryLimits:
    """Seconds a registration lasts: below `least` is refused with 423 (from an hour on never, RFC 3261 §10.3 step 7), above
    `most` cut, nothing said gets `default`."""

    least: int = 60
    most: int = 3600
    default: int = 3600


class Registrar:
    """Keeps `location` as REGISTER requests say. `learned(user, flow, contact)` hears of each contact for the trace.
    `profiles`: with `asterisk` nothing is too brief."""

    def __init__(
        self,
        domain: Domain,
        location: Location,
        save: Save,
        wall: Callable[[], float],
        observer: Observer,
        limits: ExpiryLimits,
        learned: Callable[[str, Flow, str], None],
        log: Say = quiet,
        profiles: Profiles | None = None,
    ) -> None:
        self._domain = domain
        self._location = location
        self._save = save
        self._wall = wall
        self._observer = observer
        self.follow(limits, profiles or Profiles())
        self._learned = learned
        self._log = log
        self._unsaved: dict[str, tuple[Binding, ...]] = {}
        """What the newest REGISTER of a user made, while the store still writes it: the next one goes on from there."""

    def follow(self, limits: ExpiryLimits, profiles: Profiles) -> None:
        """From the next REGISTER on: these limits, these profiles."""
        self._limits, self._profiles = limits, profiles

    def register(self, request: Request, user: str, source: Flow, respond: Callable[[Response], None]) -> None:
        """Handle an authenticated REGISTER of `user`; `respond` is called once, after the store has it (SipError: refused)."""
        try:
            bindings = self._updated(request, user, source)
        except SipError as error:
            self._observer.registered("too_brief" if error.status == 423 else "error")
            raise
        if not request.has("Contact"):
            self._observer.registered("ok")
            respond(self._listing(request, bindings, source))
            return

        self._unsaved[user] = bindings

        def saved(error: Exception | None) -> None:
            if self._unsaved.get(user) is bindings:
                del self._unsaved[user]
            if error is not None:
                self._not_durable(request, user, source, respond)
                return
            self._location.replace(user, bindings)
            self._observer.registered("ok" if bindings else "removed")
            if bindings:
                self._log("registered", user=user, peer=source.remote, contacts=len(bindings))
            else:
                self._log("unregistered", user=user, peer=source.remote)
            for binding in bindings:
                self._learned(user, source, binding.uri)
            respond(self._listing(request, bindings, source))

        self._save(user, bindings, saved)

    def _not_durable(self, request: Request, user: str, source: Flow, respond: Callable[[Response], None]) -> None:
        """The store does not take it now and no answer would be durable: a new contact is refused, and the phone tries
        again; one that is known goes on for a while, and one that is taken back is gone."""
        before = self._location.bindings(user)
        try:
            bindings = self._updated(request, user, source)
        except SipError:
            bindings = None  # one of the same user has overtaken it
        if bindings is None or any(not any(_is_known(one, old) for old in before) for one in bindings):
            if user not in self._unsaved:  # else a newer one is with the store, and what comes of it is what counts
                self._save(user, before, lambda error: None)  # what the store owes is not what was refused
            self._observer.registered("error")
            response = response_to(request, 500)
            response.why = NOT_STORED
            response.append("Retry-After", "10")
            respond(response)
            return
        latest = self._wall() + UNKEPT_SECONDS
        bindings = tuple(
            replace(one, expires_at=latest) if one not in before and one.expires_at > latest else one for one in bindings
        )
        self._observer.not_durable("binding")
        if user not in self._unsaved:
            self._save(user, bindings, lambda error: None)
        self._location.replace(user, bindings)
        self._observer.registered("ok" if bindings else "removed")
        for binding in bindings:
            self._learned(user, source, binding.uri)
        respond(self._listing(request, bindings, source))

    def _updated(self, request: Request, user: str, source: Flow) -> tuple[Binding, ...]:
        """The user's bindings as they are after this request: all of it or nothing (RFC 3261 §10.3 step 7)."""
        contacts = request.elements("Contact")
        bindings = list(self._unsaved.get(user, self._location.bindings(user)))
        if "*" in contacts:
            self._check_star(request, contacts)
            for binding in bindings:
                _check_order(binding, request)
            return ()
        if len(contacts) > 2 * MAX_CONTACTS:  # all of the old ones to remove, and as many new ones
            raise SipError(403, "Too Many Contacts").because("registrar: too many contacts in one REGISTER")
        if contacts and request.has("Path"):
            self._check_path(request)
        parsed = [parse_address(value) for value in contacts]
        flows = may_name_flows(request, parsed)
        for value, contact in zip(contacts, parsed, strict=True):
            bindings = self._with_contact(request, user, source, value, contact, reg_id_of(contact) if flows else 0, bindings)
        if len(bindings) > MAX_CONTACTS:
            raise SipError(403, "Too Many Contacts").because("registrar: the user would have more contacts than it may")
        return tuple(bindings)

    def _check_star(self, request: Request, contacts: list[str]) -> None:
        if len(contacts) > 1 or request.integer("Expires") != 0:
            raise SipError(400, "Contact * Wants Expires 0 And No Other Contact").because(
                "registrar: Contact * goes with Expires 0 and no other contact (RFC 3261 §10.3 step 6)"
            )

    def _check_path(self, request: Request) -> None:
        """It becomes Routes. None may be ourselves: calls would come back until 483."""
        for value in request.elements("Path"):
            hop = parse_address(value).parsed_uri()
            if hop.scheme not in ("sip", "sips") or not hop.host:
                raise MalformedValue("Path")
            if self._domain.is_listener(hop):
                raise SipError(403, "Path Is This Server").because(
                    "registrar: Path names this server itself, which would be a loop"
                )

    def _with_contact(
        self, request: Request, user: str, source: Flow, value: str, contact: Address, reg_id: int, bindings: list[Binding]
    ) -> list[Binding]:
        uri = contact.parsed_uri()
        if uri.scheme not in ("sip", "sips") or not uri.host:
            raise MalformedValue("Contact")
        if self._domain.is_listener(uri):
            raise SipError(403, "Contact Is This Server").because(
                "registrar: Contact names this server itself, which would be a loop"
            )
        expires = self._expires(request, contact, user)
        instance = contact.parameter("+sip.instance") or ""
        kept = []
        for binding in bindings:
            if binding.same_contact(instance, reg_id, uri):
                _check_order(binding, request)
            else:
                kept.append(binding)
        if expires == 0:
            return kept
        via, path = request.top_via, tuple(request.elements("Path"))
        nearest = parse_address(path[0]) if path else contact  # who sent this to us
        binding = Binding(
            user, without_expires(value), contact.uri, request.call_id, request.cseq, self._wall() + expires, source.listener,
            source.remote, behind_nat(nearest, via, source.remote, source.reliable), instance, reg_id,
            path, request.get("User-Agent") or "",
        )  # fmt: skip
        return [binding, *kept]

    def _expires(self, request: Request, contact: Address, user: str) -> int:
        """Seconds granted: the Contact's own parameter, else Expires, else the default (RFC 3261 §10.3 step 7)."""
        value = contact.parameter("expires")
        if value is None:
            stated = request.integer("Expires")
            wanted = self._limits.default if stated is None else stated
        else:
            wanted = int(value.lstrip("0")[:10] or "0") if value.isascii() and value.isdigit() else HOUR
        if 0 < wanted < min(self._limits.least, HOUR):
            if self._profiles.has(ASTERISK, user):  # longer than asked for, which §10.3 step 7 does not allow
                return self._limits.least
            raise SipError(423, "", ("Min-Expires", str(self._limits.least))).because(
                "registrar: the interval that is asked for is below the least (RFC 3261 §10.3 step 7)"
            )
        return min(wanted, self._limits.most)

    def _listing(self, request: Request, bindings: Sequence[Binding], source: Flow) -> Response:
        """200 with every binding, each Contact as it was sent with the seconds it has left, and Date (RFC 3261 §10.3 step 8)."""
        response = response_to(request, 200)
        now = self._wall()
        response.append("Date", formatdate(now, usegmt=True))
        for binding in bindings:
            left = max(int(binding.expires_at - now + 0.5), 0)
            response.append("Contact", f"{binding.contact};expires={left}")
        if request.has("Path"):
            for value in request.elements("Path"):
                response.append("Path", value)
        if promised(request, source):
            response.append("Require", OUTBOUND)
        return response


def _is_known(binding: Binding, old: Binding) -> bool:
    return old.same_contact(binding.instance, binding.reg_id, parse_uri(binding.uri))


def _check_order(binding: Binding, request: Request) -> None:
    """A REGISTER that was overtaken changes nothing (RFC 3261 §10.3 step 7)."""
    if binding.call_id == request.call_id and request.cseq <= binding.cseq:
        raise SipError(500, "CSeq Out of Order").because(
            "registrar: its CSeq is not above the last of this binding: it was overtaken (RFC 3261 §10.3 step 7)"
        )


def without_expires(value: str) -> str:
    """A Contact value byte for byte as sent, less its expires parameter; an addr-spec gains its angle brackets."""
    # Quoted parameters may hold brackets: +sip.instance="<urn:uuid:…>".
    head, *parameters = split_unquoted(value, ";")
    if not head.rstrip().endswith(">"):
        head = f"<{head.strip()}>"
    kept = [part for part in parameters if part.partition("=")[0].strip().lower() != "expires"]
    return ";".join([head, *kept]).strip()
