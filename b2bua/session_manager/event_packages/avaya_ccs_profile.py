"""The event package `avaya-ccs-profile`, Avaya-style: phones of that kind subscribe to it after they have registered.

What its NOTIFYs hold was not seen: open. Theirs are without a body here, which RFC 6665 §4.2.1.3 allows, so that the subscription
stands and the phone goes on.
"""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.event_packages.package import EventPackage
from b2bua.sip.errors import SipError
from b2bua.sip.profiles import AVAYA


def no_publication(body: bytes) -> None:
    """Nobody knows what it could be."""
    raise SipError(489).because("event state: nothing can be published for this event")


AVAYA_CCS_PROFILE: Final = EventPackage(
    name="avaya-ccs-profile",
    content_type="",
    default_expires=3600,
    min_expires=60,
    max_expires=3600,
    min_interval=1.0,
    value_type=type(None),
    parse=no_publication,
    call_of=lambda value: "",
    compose=lambda aor, published: None,
    view=lambda value, whole: value,
    encode=lambda value, version: b"",
    audience="owner",
    profile=AVAYA,
    publishers="none",
)
