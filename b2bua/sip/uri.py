"""SIP, SIPS and tel URIs (RFC 3261 §19.1, §25.1; RFC 3966): parse, print, compare."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple
from urllib.parse import unquote

from b2bua.sip.errors import MalformedValue
from b2bua.sip.fast_tuple import new_tuple

CACHED_LENGTH: Final = 256
"""Longer URIs are parsed each time: 8,192 of 64 KB each would let a stranger fill the memory through the cache."""
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


class Uri(NamedTuple):
    """A URI in parts. `user` and parameters are kept as sent (escapes included), so it prints as it was parsed."""

    scheme: str
    user: str
    """The part before `@`, without the password; for a scheme other than sip and sips all that follows the colon."""
    host: str
    """As sent; IPv6 in its brackets."""
    port: int | None = None
    parameters: str = ""
    """`;name=value` pairs as sent, the first semicolon included."""
    headers: str = ""
    """`?name=value&…` as sent, the question mark included."""
    password: str = ""

    def __str__(self) -> str:
        if self.scheme not in ("sip", "sips"):
            return f"{self.scheme}:{self.user}"
        user = f"{self.user}:{self.password}" if self.password else self.user
        at = "@" if user else ""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.scheme}:{user}{at}{self.host}{port}{self.parameters}{self.headers}"

    @property
    def username(self) -> str:
        """The user part with its escapes resolved: what an account is looked up by."""
        return unquote(self.user) if "%" in self.user else self.user

    @property
    def bare_host(self) -> str:
        """The host in lower case without IPv6 brackets: what sockets and comparisons take."""
        return self.host.strip("[]").lower()

    def parameter(self, name: str) -> str | None:
        """The value of one URI parameter ("" for a flag), or None; `name` in lower case."""
        if not self.parameters:
            return None
        for part in self.parameters[1:].split(";"):
            key, _, value = part.partition("=")
            if key.lower() == name:
                return value
        return None

    @property
    def transport(self) -> str:
        """The transport that the URI asks for, in lower case; "" where it leaves that open (RFC 3263 §4.1). `sips` wants TLS
        beneath whatever it names (RFC 3261 §26.2.2, RFC 7118 §5.5)."""
        named = (self.parameter("transport") or "").lower()
        if self.scheme != "sips":
            return named
        return "wss" if named in ("ws", "wss") else "tls"

    def without_parameters(self) -> Uri:
        """The same address without parameters, headers and password: an address of record."""
        return Uri(self.scheme, self.user, self.host, self.port)


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` in parts, IPv6 in brackets; MalformedValue when it is neither."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise MalformedValue("host")
        host, digits = host + "]", rest[1:]
        if rest == ":":
            raise MalformedValue("port")
        legal = len(host) > 2 and _IPV6.issuperset(host[1:-1])
    else:
        host, colon, digits = text.partition(":")
        if colon and not digits:
            raise MalformedValue("port")
        legal = bool(host) and _HOST.issuperset(host)
    if not legal:
        raise MalformedValue("host")
    if not digits:
        return host, None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535):
        raise MalformedValue("port")
    return host, int(digits)


_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
_IPV6 = frozenset("abcdefABCDEF0123456789:.")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_FORBIDDEN = frozenset(" \t\r\n<>\"")


def parse_uri(text: str) -> Uri:
    """Parse a URI as it stands in a Request-URI or between angle brackets; MalformedValue if it is none.

    Cached: the same few thousand URIs come back in every message, and a `Uri` never changes.
    """
    return _parse_cached(text) if len(text) <= CACHED_LENGTH else _parse(text)


# The form of nearly every URI; whatever else is legal, escapes in odd places and IPv6 too, takes the slow road below.
_COMMON: Final = re.compile(
    r"(sips?):(?:([^@:;?\s<>\"]+)@)?([A-Za-z0-9._-]+)(?::([0-9]{1,4}|[1-5][0-9]{4}))?(;[^@?\s<>\"]*)?\Z"
).match


def _parse(text: str) -> Uri:
    match = _COMMON(text)
    if match is None:
        return _parse_any(text)
    scheme, user, host, port, parameters = match.groups("")
    return new_tuple(Uri, (scheme, user, host, int(port) if port else None, parameters, "", ""))


def _parse_any(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not rest or not _SCHEME.match(scheme):
        raise MalformedValue("URI")
    if not _FORBIDDEN.isdisjoint(text):
        raise MalformedValue("URI")
    if scheme not in ("sip", "sips"):
        return Uri(scheme, rest, "")
    # The user part may hold ; and ? unescaped (RFC 3261 §25.1 user-unreserved), so it is cut off first.
    userinfo, at, hostpart = rest.rpartition("@")
    if at and not userinfo:
        raise MalformedValue("URI")
    hostpart, question, headers = hostpart.partition("?")
    hostport, semicolon, parameters = hostpart.partition(";")
    host, port = split_host_port(hostport)
    user, _, password = userinfo.partition(":")
    return Uri(scheme, user, host, port, semicolon + parameters, question + headers, password)


_parse_cached = lru_cache(maxsize=8192)(_parse)


def is_sips(text: str) -> bool:
    """Whether a URI, as text, is to be reached securely."""
    return text[3:4] != ":" and text[:5].lower() == "sips:"  # most are `sip:`


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name (which would have to be looked up)."""
    return ":" in host or host.replace(".", "").isdecimal()


def host_text(host: str) -> str:
    """A host as it stands in a URI or a Via: IPv6 gains its brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def equivalent(one: Uri, other: Uri) -> bool:
    """Whether two URIs are the same by RFC 3261 §19.1.4: escapes and the order of parameters do not matter.

    IPv6 hosts are compared as addresses, not as text (RFC 5954 §4.2).
    """
    if one == other:
        return True
    if one.scheme != other.scheme or one.port != other.port or _host(one) != _host(other):
        return False
    if _unescaped(one.user) != _unescaped(other.user) or _unescaped(one.password) != _unescaped(other.password):
        return False
    mine, theirs = _parameters(one.parameters), _parameters(other.parameters)
    for name in mine.keys() | theirs.keys():
        both = name in mine and name in theirs
        if both and mine[name] != theirs[name]:
            return False
        # These never match when only one side has them; any other parameter is ignored then.
        if not both and name in _NEVER_IGNORED:
            return False
    return sorted(_headers(one.headers)) == sorted(_headers(other.headers))


_NEVER_IGNORED = frozenset((b"user", b"ttl", b"method", b"maddr", b"transport"))


def _parameters(text: str) -> dict[bytes, bytes]:
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {_unescaped(name).lower(): _unescaped(value).lower() for name, _, value in pairs}


def _headers(text: str) -> list[tuple[bytes, bytes]]:
    pairs = (part.partition("=") for part in text[1:].split("&") if part)
    return [(_unescaped(name).lower(), _unescaped(value)) for name, _, value in pairs]


def _host(uri: Uri) -> str | IPv6Address:
    host = uri.bare_host
    if ":" not in host:
        return host
    try:
        return IPv6Address(host)
    except ValueError:
        return host


_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def _unescaped(text: str) -> bytes:
    """Escapes resolved, but for the reserved set: those are not equivalent to the sign itself (RFC 3261 §19.1.4)."""
    data = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_resolve, data) if b"%" in data else data


def _resolve(match: re.Match[bytes]) -> bytes:
    sign = bytes.fromhex(match[1].decode())
    # % itself stays escaped, or %2541 would become the text %41.
    return match[0].upper() if sign in b";/?:@&=+$,%" else sign
