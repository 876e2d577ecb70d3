"""The records that a store keeps. A binding carries its schema's version, so that a newer program's is recognised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

import msgspec

BINDING_VERSION: Final = 1


class BadRecord(ValueError):
    """A stored record that cannot be understood; it is set aside, never a reason not to start."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the domain. Of the password only H(A1)s are kept, one per algorithm (RFC 7616 §3.4.2)."""

    name: str
    """The user part of the AoR, which is the digest username too."""
    realm: str
    ha1s: Mapping[str, str] = field(repr=False)
    """Algorithm → small hex digits; as good as the password within the realm, so they stay out of texts."""

    def lacks(self, algorithms: Iterable[str]) -> tuple[str, ...]:
        """Those of these algorithms that the user has no H(A1) for."""
        return tuple(algorithm for algorithm in algorithms if algorithm not in self.ha1s)


@dataclass(frozen=True, slots=True)
class BindingRecord:
    """One binding of an address of record to a contact (RFC 3261 §10), and the flow it came over (RFC 5626 §5)."""

    aor: str
    """The user part of the address of record."""
    contact: str
    """The Contact value as sent, without its `expires` parameter."""
    uri: str
    """The Contact's URI."""
    call_id: str
    cseq: int
    expires_at: float
    """Unix seconds."""
    flow_transport: str
    """`udp`, `tcp`, `tls`, `ws`, `wss`."""
    flow_local: str
    """`host:port` of the listener that heard the REGISTER."""
    flow_remote: str
    """`host:port` that it came from."""
    nat: bool = False
    """Whether the contact is reached at `flow_remote` rather than at its URI."""
    instance: str = ""
    """`+sip.instance`, or empty."""
    reg_id: int = 0
    """`reg-id` (RFC 5626 §4.2), 0 for none."""
    path: tuple[str, ...] = ()
    """Path values, topmost first (RFC 3327)."""
    user_agent: str = ""
    version: int = BINDING_VERSION


def encode_binding(record: BindingRecord) -> str:
    """JSON in ASCII: header text may hold undecodable bytes as surrogates, which only escapes carry over."""
    return json.dumps(asdict(record), ensure_ascii=True, separators=(",", ":"))


def decode_binding(text: str | bytes) -> BindingRecord:
    """The inverse of `encode_binding`; BadRecord for anything else, an unknown version included."""
    try:
        values = json.loads(text)
        version = values.get("version") if isinstance(values, dict) else None
        if version != BINDING_VERSION:
            raise BadRecord(f"version {version!r}, not {BINDING_VERSION}")
        return msgspec.convert(values, BindingRecord)
    except (ValueError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise BadRecord(str(error)) from None
