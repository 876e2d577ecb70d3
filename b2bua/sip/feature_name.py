"""Feature-name URIs, Avaya-style: `sip:6001@example.com;avaya-cm-fnu=off-hook` asks for a feature by its name, in the place of
a code that is dialled. Seen of real phones is `off-hook` alone; how they name others, and what they add, is open."""

from __future__ import annotations

from typing import Final

from b2bua.sip.uri import Uri

FEATURE_NAME: Final = "avaya-cm-fnu"
"""The URI parameter."""


def feature_name(uri: Uri) -> str:
    """The feature that a Request-URI names, in small letters; "" for none."""
    return (uri.parameter(FEATURE_NAME) or "").lower() if uri.parameters else ""
