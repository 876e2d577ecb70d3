"""Digest authentication: its texts and its arithmetic (RFC 7616, RFC 8760; qop=auth, auth-int and, for old peers with MD5,
none)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from b2bua.sip.address import quote_string, split_unquoted, unquote_string
from b2bua.sip.digest_algorithms import HASHES, MD5, SESSION, Hash, hash_md5, plain
from b2bua.sip.errors import MalformedValue

HEADERS: Final = (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization"))
"""Challenge → answer."""
MAX_ROUNDS: Final = 3
"""Challenges of one request that are answered: more means that the far end and we do not understand each other."""

# The form nearly every peer sends: names in lower case, no blanks around =, no escapes. Where it ends the rest is
# swallowed whole, as a match without a name: one pass, however long the text.
_COMMON: Final = re.compile(r' *([a-z]+)=(?:"([^"\\]*)"|([^\s",\\<>]+))(?:,|\Z)|[\s\S]+')


class Credentials(NamedTuple):
    """An Authorization or Proxy-Authorization value."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: str
    cnonce: str
    opaque: str
    userhash: bool = False
    """Whether `username` is the hash of the name."""


class Challenge(NamedTuple):
    """A WWW-Authenticate or Proxy-Authenticate value."""

    realm: str
    nonce: str
    algorithm: str
    qop: tuple[str, ...]
    stale: bool
    opaque: str
    userhash: bool = False
    """Whether the user name may come hashed."""


def parse_parameters(value: str) -> dict[str, str]:
    """`Digest a="1", b=2` → {"a": "1", "b": "2"}; MalformedValue for another scheme or a broken or repeated parameter."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise MalformedValue("authentication scheme")
    pairs: list[tuple[str, str, str]] = _COMMON.findall(rest)
    found = {name: quoted or token for name, quoted, token in pairs}
    if len(found) == len(pairs) and "" not in found:
        return found
    found = {}
    for part in split_unquoted(rest, ","):
        name, equals, text = part.partition("=")
        name = name.strip().lower()
        if not name and not equals:
            continue
        if not name or not equals or name in found:
            raise MalformedValue("digest parameter")
        found[name] = unquote_string(text.strip())
    return found


def parse_credentials(value: str) -> Credentials:
    """The credentials of one header value; MalformedValue when a required part is missing."""
    found = parse_parameters(value)
    get = found.get
    try:
        return Credentials(
            found["username"], found["realm"], found["nonce"], found["uri"], found["response"].lower(),
            get("algorithm") or MD5, get("qop", ""), get("nc", ""), get("cnonce", ""), get("opaque", ""),
            _is_true(get("userhash")),
        )  # fmt: skip
    except KeyError:
        raise MalformedValue("credentials") from None


def parse_challenge(value: str) -> Challenge:
    """The challenge of one header value; MalformedValue when realm or nonce is missing."""
    found = parse_parameters(value)
    if "realm" not in found or "nonce" not in found:
        raise MalformedValue("challenge")
    qop = tuple(part.strip() for part in found.get("qop", "").split(",") if part.strip())
    return Challenge(
        found["realm"], found["nonce"], found.get("algorithm", MD5), qop, _is_true(found.get("stale")),
        found.get("opaque", ""), _is_true(found.get("userhash")),
    )  # fmt: skip


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() == "true"


def challenge_text(
    realm: str, nonce: str, stale: bool = False, algorithm: str = MD5, qop: str = "auth", userhash: bool = False,
    opaque: str = "",
) -> str:  # fmt: skip
    """A challenge of ours; `qop` is a list with commas. `stale` stands there where it is true."""
    flag = f', opaque="{opaque}"' if opaque else ""
    if stale:
        flag += ", stale=true"
    if userhash:
        flag += ", userhash=true"
    return f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, qop="{qop}"{flag}'


def ha1(username: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """H(A1): what a server stores in place of the password (RFC 7616 §3.4.2), by an algorithm of `HASHES`."""
    return HASHES[algorithm](f"{username}:{realm}:{password}")


def expected_response(
    secret: str, method: str, credentials: Credentials, hashed: Hash = hash_md5, body: bytes = b"", first_cnonce: str = ""
) -> str:
    """The response that credentials should carry, given H(A1) (RFC 7616 §3.4.1, without qop RFC 2069's form).

    `hashed` is that of the credentials' algorithm, by which the secret was made too. `body` counts with auth-int only;
    `first_cnonce` with `-sess`, where a nonce is used again: the key stays that of its first use (§3.4.2).
    """
    if credentials.algorithm[-5:] == SESSION:
        secret = hashed(f"{secret}:{credentials.nonce}:{first_cnonce or credentials.cnonce}")
    if credentials.qop[-4:].lower() == "-int":
        entity = hashed(body.decode("utf-8", "surrogateescape"))
        ha2 = hashed(f"{method}:{credentials.uri}:{entity}")
    else:
        ha2 = hashed(f"{method}:{credentials.uri}")
    if not credentials.qop:
        return hashed(f"{secret}:{credentials.nonce}:{ha2}")
    return hashed(f"{secret}:{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}:{ha2}")


def answer(
    challenge: Challenge, method: str, uri: str, username: str, password: str, nc: int, cnonce: str, body: bytes = b"",
    first_cnonce: str = "",
) -> str:  # fmt: skip
    """The header value that answers a challenge as a user agent does (RFC 3261 §22.2); MalformedValue if we cannot.

    auth-int where it is all that is offered; the user name hashed where that may be. `first_cnonce`: that of the nonce's
    first use, as in `expected_response`.
    """
    algorithm = _known(challenge.algorithm)
    qop = next((known for known in ("auth", "auth-int") if known in challenge.qop), "")
    base = plain(algorithm)
    if base not in HASHES or (challenge.qop and not qop) or (base != algorithm and not qop):
        raise MalformedValue("challenge algorithm")
    hashed = HASHES[base]
    name = hashed(f"{username}:{challenge.realm}") if challenge.userhash else username
    credentials = Credentials(
        name, challenge.realm, challenge.nonce, uri, "", algorithm, qop, f"{nc:08x}" if qop else "", cnonce, challenge.opaque
    )
    secret = ha1(username, challenge.realm, password, base)
    response = expected_response(secret, method, credentials, hashed, body, first_cnonce)
    counted = f', qop={qop}, nc={credentials.nc}, cnonce="{cnonce}"' if qop else ""
    opaque = f", opaque={quote_string(challenge.opaque)}" if challenge.opaque else ""
    if challenge.userhash:
        opaque += ", userhash=true"
    return (
        f"Digest username={quote_string(name)}, realm={quote_string(challenge.realm)}, "
        f'nonce={quote_string(challenge.nonce)}, uri="{uri}", '
        f'response="{response}", algorithm={algorithm}{counted}{opaque}'
    )


def _known(algorithm: str) -> str:
    """An algorithm's name as we write it: its capitals do not matter."""
    name = algorithm.upper()
    return name[:-5] + SESSION if name.endswith("-SESS") else name
