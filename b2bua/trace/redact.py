"""What must not leave the server in a trace: digest responses, SRTP keys, passwords. Each becomes `***`."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

_NAMES: Final = "password|passwd|secret"
_VALUE: Final = r'"(?:[^"\\\r\n]|\\.)*"?|[^\s,;>&"]+'

_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # RFC 7616 §3.4, §3.5: with the response (or rspauth) and the nonce a password can be guessed off line.
    (re.compile(rf"(?i)\b((?:response|rspauth|{_NAMES})\s*=\s*)({_VALUE})"), rf'\1"{HIDDEN}"'),
    # The same in JSON, YAML and plain text
    (re.compile(rf"(?i)\b((?:{_NAMES})\"?\s*:\s*)({_VALUE})"), rf'\1"{HIDDEN}"'),
    # RFC 7617, RFC 8898: here the credentials are the password.
    (re.compile(r"(?i)\b((?:proxy-)?authorization\s*:\s*(?:basic|bearer))\s+[^\r\n]+"), rf"\1 {HIDDEN}"),
    # RFC 3261 §19.1.1: sip:user:password@host; the lengths are bounded so that no message makes this slow
    (re.compile(r'(?i)\b(sips?:[^\s:@<>"]{1,128}:)[^\s@<>"]{0,128}@'), rf"\1{HIDDEN}@"),
    # RFC 4568 §6.1: inline:<key||salt>["|" lifetime]["|" MKI ":" length], several divided by semicolons
    (re.compile(r"(?i)\b(inline:)[^\s;|]+"), rf"\1{HIDDEN}"),
    # RFC 4566 §5.12 and RFC 4567 §3.1
    (re.compile(r"(?im)^(k=(?:clear|base64|uri):)[^\r\n]*"), rf"\1{HIDDEN}"),
    (re.compile(r"(?im)^(a=key-mgmt:\s*\S+)[^\r\n]*"), rf"\1 {HIDDEN}"),
    # Settings that phones fetch or are sent as XML
    (re.compile(rf"(?is)(<(?:\w+:)?(?:{_NAMES}|pin)(?:\s[^>]{{0,128}})?>)[^<]*"), rf"\1{HIDDEN}"),
)


def redact(text: str) -> str:
    """The text of a message without its secrets; rather too much is hidden than too little."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
