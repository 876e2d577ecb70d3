"""The `id` of an Event header: which of several subscriptions in one dialog is meant (RFC 6665 §8.2.1)."""

from __future__ import annotations

from b2bua.sip.address import split_unquoted


def event_id(event: str) -> str | None:
    """As sent, out of the header's value, since it is compared byte by byte; None where there is none. MalformedValue (400) for
    a value whose quotes do not end."""
    for parameter in split_unquoted(event, ";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "id":
            return value.strip()
    return None
