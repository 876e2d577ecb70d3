"""A dialog: the state that two user agents share, and the requests made inside it (RFC 3261 §12)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from b2bua.sip.address import Address
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.header_lines import address_in
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.uri import parse_uri

TARGET_REFRESH: Final = ("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY")
"""Methods whose Contact moves the dialog's target (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.1.2)."""
_NONE: Final[Sequence[str]] = ()


class Dialog:
    """One side's view of a dialog. An early dialog whose peer has not answered yet has an empty `remote_tag`."""

    __slots__ = (
        "call_id", "local_tag", "remote_tag", "local", "remote", "local_cseq", "remote_cseq", "route_set",
        "remote_target", "contact", "_lines", "_names", "_parties", "_strict", "_moved_cseq",
    )  # fmt: skip

    def __init__(self, call_id: str, local: str, local_tag: str, remote: str, remote_target: str, contact: str) -> None:
        self.call_id = call_id
        self.local = local
        """Our From value in requests we send, without its tag."""
        self.local_tag = local_tag
        self.remote = remote
        """The peer's To value in requests we send, without its tag."""
        self.remote_tag = ""
        self.local_cseq = 0
        self.remote_cseq = -1
        """−1 while the peer has sent no request."""
        self.route_set: list[str] = []
        """Route values in the order we send them."""
        self.remote_target = remote_target
        """URI of the peer's Contact: the Request-URI of what we send."""
        self.contact = contact
        """Our Contact value, angle brackets included."""
        self._names: Sequence[str] = _NONE
        self._lines: Sequence[str] = _NONE
        self._parties: tuple[Address | None, Address | None] = (None, None)
        self._strict = False
        self._moved_cseq = 0
        """CSeq of the peer's newest request that said where it is."""

    @classmethod
    def as_server(cls, request: Request, local_tag: str, contact: str) -> Dialog:
        """The dialog that answering this request makes (RFC 3261 §12.1.1). MalformedValue when it has no usable Contact."""
        dialog = cls(
            request.call_id, untagged(request, "To"), local_tag, untagged(request, "From"), contact_uri(request), contact
        )
        dialog.remote_tag = request.from_.tag
        dialog.remote_cseq = request.cseq
        dialog.route_set = request.elements("Record-Route")
        return dialog

    @classmethod
    def as_client(cls, request: Request) -> Dialog:
        """The dialog that this request of ours asks for; `establish` fills in what the response says (§12.1.2)."""
        contact = request.get("Contact") or ""
        remote = request.get("To") or ""
        dialog = cls(request.call_id, untagged(request, "From"), request.from_.tag, remote, request.uri, contact)
        dialog.local_cseq = request.cseq
        dialog.route_set = request.elements("Route")
        return dialog

    def establish(self, response: Response) -> None:
        """Take tag, route set and target from a response that makes or confirms the dialog (§12.1.2, §13.2.2.4)."""
        self.remote_tag = response.to.tag
        self.route_set = response.elements("Record-Route")[::-1]
        self._take_target(response)
        self.forget_lines()

    def forget_lines(self) -> None:
        """Let go of what `make_request` remembers: a dialog that stands sends nothing for long, and it is half its memory."""
        self._names = self._lines = _NONE
        self._parties = None, None

    def sibling(self, local_tag: str, remote_cseq: int) -> Dialog:
        """Another dialog of the same INVITE, as a fork makes it (§12.1, §13.2.2.4). `remote_cseq`: what its peer has counted
        up to."""
        twin = Dialog(self.call_id, self.local, local_tag, self.remote, self.remote_target, self.contact)
        twin.remote_tag, twin.route_set = self.remote_tag, self.route_set
        twin.local_cseq, twin.remote_cseq = self.local_cseq, remote_cseq
        return twin

    @property
    def key(self) -> tuple[str, str]:
        """What a request to us is matched by; the remote tag is compared after (§12.2.2)."""
        return self.call_id, self.local_tag

    def check(self, request: Request) -> None:
        """Order by CSeq (§12.2.2): SipError 500 for a request that comes too late, 482 for a second copy by another path.

        §8.2.2.2 says 482 of requests without a To tag; for one in a dialog, of which the RFC says nothing, it is our choice.
        400 for a new target that leads nowhere (§12.2.1.1), before anybody acts on the request.
        """
        if request.cseq < self.remote_cseq:
            raise SipError(500, "CSeq Out of Order").because("dialog: its CSeq is lower than the last (RFC 3261 §12.2.2)")
        if request.cseq == self.remote_cseq:
            raise SipError(482, "Merged Request").because(
                "dialog: its CSeq is that of the last request: the same one by another path (as RFC 3261 §8.2.2.2)"
            )
        self.remote_cseq = request.cseq
        if request.method in TARGET_REFRESH and request.has("Contact"):
            contact_uri(request)

    def refresh_target(self, message: Message) -> None:
        """Take a new Contact: from a re-INVITE or UPDATE once it is answered 2xx, or from its 2xx (§12.2, RFC 6141 §4).

        MalformedValue for an unusable Contact; `check` has validated it for accepted requests. A re-INVITE that is answered
        after an UPDATE within it says where the peer was before that (RFC 6141 §4.8).
        """
        if isinstance(message, Response):
            self._take_target(message)
        elif message.has("Contact") and message.cseq >= self._moved_cseq:
            self.remote_target = contact_uri(message)
            self._moved_cseq = message.cseq

    def _take_target(self, response: Response) -> None:
        """A response cannot be refused: with a Contact that leads nowhere the target stays what it was."""
        if response.has("Contact"):
            with suppress(MalformedValue):
                self.remote_target = contact_uri(response)

    def make_request(self, method: str, cseq: int = 0) -> Request:
        """A request inside the dialog; the next CSeq, or `cseq` for an ACK. The caller adds Contact, body and the rest."""
        if not cseq:
            self.local_cseq += 1
            cseq = self.local_cseq
        if not self._names:
            self._remember_constant_lines()
        names, lines = [*self._names, "CSeq"], [*self._lines, f"CSeq: {cseq} {method}"]
        uri = self._towards_strict_router(names, lines) if self._strict else self.remote_target
        request = Request(method, uri, names, lines)
        request.remember(self.call_id, cseq, method, *self._parties)
        return request

    def _remember_constant_lines(self) -> None:
        to_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        self._names = ["Route"] * len(self.route_set) + ["From", "To", "Call-ID"]
        from_, to = f"From: {self.local};tag={self.local_tag}", f"To: {self.remote}{to_tag}"
        self._lines = [*(f"Route: {route}" for route in self.route_set), from_, to, f"Call-ID: {self.call_id}"]
        try:
            self._parties = address_in(from_), address_in(to)
        except MalformedValue:
            self._parties = None, None  # the peer's own words, which it is given back
        self._strict = bool(self.route_set) and ";lr" not in self.route_set[0].lower()

    def _towards_strict_router(self, names: list[str], lines: list[str]) -> str:
        """RFC 3261 §12.2.1.1: the first route without lr becomes the Request-URI, the target the last Route."""
        first = names.index("Route")
        try:
            uri = address_in(lines[first]).uri
        except MalformedValue:
            uri = lines[first].partition("<")[2].partition(">")[0]
        del names[first], lines[first]
        last = len(self.route_set) - 1
        names.insert(last, "Route")
        lines.insert(last, f"Route: <{self.remote_target}>")
        return uri


def contact_uri(message: Message) -> str:
    """The URI of the one Contact that a dialog-forming message carries (RFC 3261 §8.1.1.8)."""
    contact = message.contact()
    if contact is None or contact.uri == "*":
        raise MalformedValue("Contact")
    if parse_uri(contact.uri).scheme not in ("sip", "sips"):
        raise MalformedValue("Contact")
    return contact.uri


def untagged(message: Message, name: str) -> str:
    """A From or To value as sent, less its tag."""
    address = message.from_ if name == "From" else message.to
    value = message.get(name) or ""
    if not address.tag:
        return value
    tag = f";tag={address.tag}"
    return value.replace(tag, "").rstrip() if tag in value else f"{address.display}<{address.uri}>"
