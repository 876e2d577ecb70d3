"""Whom a user means: a number or name of the domain, or a URI, as it stands in a setting or was dialled behind a code."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri

_NAME: Final = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")


def target_uri(text: str, domain: str) -> str:
    """The URI of a target; ValueError, a sentence, for what is none. Whether it can be reached is for Session Manager to say,
    as with what the user dials."""
    if _NAME.fullmatch(text):
        return f"sip:{quote(text, safe='+*._-')}@{domain}"
    try:
        uri = parse_uri(text)
    except MalformedValue:
        uri = None
    if uri is None or uri.scheme not in ("sip", "sips") or not uri.user or uri.headers:
        raise ValueError(f"{text!r} is neither a number or name of the domain nor a URI sip:USER@HOST")
    return str(uri)
