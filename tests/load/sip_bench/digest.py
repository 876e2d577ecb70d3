"""Digest credentials of the probe (RFC 2617 §3.2.2 and RFC 3261 §22.4, MD5 with and without qop)."""

from __future__ import annotations

import hashlib
import re

from sip_bench.settings import PASSWORD

CNONCE = "bench"


def authorization(status: int, challenge: str, user: str, method: str, uri: str) -> str:
    """The header line, CRLF included, that answers a 401 or 407 with that challenge."""
    given = {key.lower(): value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', challenge)}
    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    ha1, ha2 = _md5(f"{user}:{realm}:{PASSWORD}"), _md5(f"{method}:{uri}")
    fields = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5"]
    if "qop" in given:
        response = _md5(f"{ha1}:{nonce}:00000001:{CNONCE}:auth:{ha2}")
        fields += ["qop=auth", "nc=00000001", f'cnonce="{CNONCE}"']
    else:
        response = _md5(f"{ha1}:{nonce}:{ha2}")
    fields.append(f'response="{response}"')
    if "opaque" in given:
        fields.append(f'opaque="{given["opaque"]}"')
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    return f"{name}: Digest {', '.join(fields)}\r\n"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
