"""The record of a subscription: what a notifier needs to go on with it after a restart (RFC 6665 §4.2)."""

from __future__ import annotations

from typing import Final

import msgspec

SUBSCRIPTION: Final = "subscription"
"""The kind of these records; their key is the notifier's tag in the dialog, which no other has."""
SUBSCRIPTION_VERSION: Final = 1


class SubscriptionRecord(msgspec.Struct, frozen=True):
    """One watcher's subscription and its dialog (RFC 3261 §12), seen from the notifier."""

    event: str
    """The Event value of its NOTIFYs, the subscriber's id with it."""
    package: str
    aor: str
    """What is watched."""
    watcher: str
    """The user that authenticated."""
    call_id: str
    local: str
    local_tag: str
    remote: str
    remote_tag: str
    numbers: int
    """What the next NOTIFY is counted from, its CSeq and, one less, the version of its document: it lies ahead of all that
    were sent."""
    remote_cseq: int
    route_set: list[str]
    remote_target: str
    contact: str
    """Our Contact towards the watcher."""
    listener: str
    """The flow: the listener, with its transport, and where the last SUBSCRIBE came from."""
    host: str
    port: int
    expires_at: float
    """Unix seconds."""
    eventlist: bool = False
    """Whether `aor` is a list (RFC 4662): that never changes in a subscription."""
    wanted: tuple[str, str, str] | None = None
    """Call-ID, local and remote tag of the one dialog that it is to; "" for any remote tag, None: to all."""
    version: int = SUBSCRIPTION_VERSION
