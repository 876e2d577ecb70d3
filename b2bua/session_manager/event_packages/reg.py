"""The `reg` event package (RFC 3680): the contacts of a user, the whole list first, then what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from b2bua.session_manager.event_packages.package import EventPackage, Form, Published
from b2bua.session_manager.location import Binding
from b2bua.sip.address import parse_address, split_parameters, unquote_string
from b2bua.sip.errors import SipError
from b2bua.sip.reg_info import CONTENT_TYPE, ContactInfo, RegInfo

_OF_3261: Final = ("q", "expires")
"""Contact parameters that have an attribute of their own (RFC 3680 §5.1)."""


class Registration(NamedTuple):
    """The bindings of a user as they are, and the time at which they are so, in Unix seconds."""

    aor: str
    bindings: tuple[Binding, ...]
    now: float


def no_publication(body: bytes) -> Registration:
    """The registrar alone knows this state."""
    raise SipError(489).because("event state: registrations are published by the registrar alone (RFC 3680)")


def compose(aor: str, published: Sequence[Published]) -> Registration:
    """The one state that there is; `published` is what the registrar has."""
    return published[-1].value if published else Registration(aor, (), 0.0)


def document(value: Registration, before: Registration | None, version: int, _form: Form) -> bytes:
    """Everything, or what has changed since the watcher was told `before` (RFC 3680 §4.7.2)."""
    state = "active" if value.bindings else "init"
    name = _identifier(value.aor)
    if before is None:
        contacts = [_active(binding, "registered", value.now) for binding in value.bindings]
        return RegInfo(value.aor, name, state, tuple(contacts), True, version).encode()
    if before.bindings and not value.bindings:
        state = "terminated"
    return RegInfo(value.aor, name, state, tuple(_changes(before, value)), False, version).encode()


def _changes(before: Registration, value: Registration) -> Iterable[ContactInfo]:
    known = {_contact_id(binding): binding for binding in before.bindings}
    for binding in value.bindings:
        old = known.pop(_contact_id(binding), None)
        if old is None:
            yield _active(binding, "registered", value.now)
        elif old != binding:
            yield _active(binding, "refreshed", value.now)
    for binding in known.values():
        event = "expired" if binding.expires_at <= value.now else "unregistered"
        yield _described(binding)._replace(state="terminated", event=event)


def _active(binding: Binding, event: str, now: float) -> ContactInfo:
    return _described(binding)._replace(event=event, expires=max(int(binding.expires_at - now + 0.5), 0))


def _described(binding: Binding) -> ContactInfo:
    contact = parse_address(binding.contact)
    parameters = split_parameters(contact.parameters)
    return ContactInfo(
        _contact_id(binding), binding.uri, "active", "", None, dict(parameters).get("q", ""), binding.call_id, binding.cseq,
        unquote_string(contact.display), tuple(one for one in parameters if one[0] not in _OF_3261),
    )  # fmt: skip


def _contact_id(binding: Binding) -> str:
    """The same for the same contact (RFC 3680 §5.1): per instance and flow where a phone names them (RFC 5626 §6)."""
    return _identifier(f"{binding.instance} {binding.reg_id} {binding.uri}")


def _identifier(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


REG: Final = EventPackage(
    name="reg",
    content_type=CONTENT_TYPE,
    default_expires=3761,  # RFC 3680 §4.4
    min_expires=60,
    max_expires=3761,
    min_interval=5.0,  # RFC 3680 §4.10
    value_type=Registration,
    parse=no_publication,
    call_of=lambda value: "",
    compose=compose,
    view=lambda value, whole: value,
    encode=lambda value, version: document(value, None, version, Form()),
    audience="owner",  # RFC 3680 §4.6
    publishers="none",
    document=document,
    partial=True,
)
