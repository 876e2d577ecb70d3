"""The `message-summary` event package (RFC 3842): the lamp that tells of messages waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from b2bua.session_manager.event_packages.package import EventPackage, Published
from b2bua.sip.message_summary import CONTENT_TYPE, MessageSummary, parse_message_summary


def compose(aor: str, published: Sequence[Published]) -> MessageSummary:
    """The mailbox of `aor`: what was published last stands as long as its publication does, else what was set here."""
    chosen = published[-1].value if published else MessageSummary(False)  # what is our own comes first
    # With the account a phone that watches several mailboxes can tell them apart (RFC 3842 §3.5).
    return chosen if chosen.account else chosen._replace(account=aor)


MESSAGE_SUMMARY: Final = EventPackage(
    name="message-summary",
    content_type=CONTENT_TYPE,
    default_expires=3600,  # RFC 3842 §3.4
    min_expires=60,
    max_expires=3600,
    min_interval=1.0,  # RFC 3842 §3.11
    value_type=MessageSummary,
    parse=parse_message_summary,
    call_of=lambda value: "",
    compose=compose,
    view=lambda value, whole: value,
    encode=lambda value, version: value.encode(),
    audience="owner",  # RFC 3842 §6: who left how many messages is the user's own matter
)
