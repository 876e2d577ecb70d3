"""Via (RFC 3261 §20.42, RFC 3581): where a response goes, and which transaction it belongs to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from b2bua.sip.address import split_unquoted
from b2bua.sip.errors import MalformedValue
from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.uri import DEFAULT_PORTS, split_host_port

MAGIC_COOKIE: Final = "z9hG4bK"
"""A branch that begins so identifies its transaction by itself (RFC 3261 §8.1.1.7)."""

# The form nearly every peer sends, as a header line with one value or several; anything else takes the slow road below.
_COMMON_LINE: Final = re.compile(
    r"(?:Via|v): (SIP/2\.0/[A-Za-z]{1,16} [A-Za-z0-9.-]{1,253}(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?)"
    r"((?:;[^;=\s,\"]+(?:=[^;\s,\"]*)?)*?;branch=([^;\s,\"]+)(?:;[^;\s,\"]+)*)(?:\Z|,)"
)

# sent-protocol = protocol-name SLASH protocol-version SLASH transport; each a token, blanks legal around the slashes.
_TOKEN: Final = r"([A-Za-z0-9.!%*_+`'~-]+)"
_ANY: Final = re.compile(rf"\s*{_TOKEN}\s*/\s*{_TOKEN}\s*/\s*{_TOKEN}\s+([^;]+)(.*)\Z", re.DOTALL)
_COLON: Final = re.compile(r"\s*:\s*")
SIP: Final = "SIP/2.0"


class Via(NamedTuple):
    """One Via value. `parameters` are as sent, the first semicolon included."""

    transport: str
    """In lower case."""
    host: str
    port: int | None
    parameters: str
    branch: str
    protocol: str = SIP
    """Name and version; a request with another than SIP/2.0 is answered 505."""

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport.upper()} {self.sent_by}{self.parameters}"

    @property
    def sent_by(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def parameter(self, name: str) -> str | None:
        """The value of a parameter ("" for a flag), or None; `name` in lower case."""
        for part in _parts(self.parameters):
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip()
        return None

    def wants_rport(self) -> bool:
        """Whether the sender asks for the answer at the port it came from (RFC 3581 §3)."""
        return "rport" in self.parameters and self.parameter("rport") is not None

    def with_source(self, host: str, port: int) -> Via:
        """This Via as a server notes it: `received` where it differs or rport is there, rport filled (RFC 3581 §4)."""
        rport = self.wants_rport()
        # A `received` that the peer wrote itself goes: it would send our answer to whomever it names.
        if not rport and host == self.host.strip("[]") and "received" not in self.parameters.lower():
            return self
        kept = []
        for part in _parts(self.parameters)[1:]:
            name = part.partition("=")[0].strip().lower()
            if name not in ("received", "rport"):
                kept.append(part)
        if rport:
            kept.append(f"rport={port}")
        if rport or host != self.host.strip("[]"):
            kept.append(f"received={host}")
        return self._replace(parameters="".join(f";{part}" for part in kept))

    def response_address(self) -> tuple[str, int]:
        """Host (without brackets) and port that a response over UDP goes to (RFC 3261 §18.2.2, RFC 3581 §4)."""
        port = self.port or DEFAULT_PORTS.get(self.transport, 5060)
        maddr = self.parameter("maddr")
        if maddr:
            return maddr.strip("[]"), port
        # RFC 5118 §4.5: half of the peers write IPv6 in `received` with its brackets.
        host = (self.parameter("received") or self.host).strip("[]")
        rport = self.parameter("rport") or ""
        if rport.isascii() and rport.isdigit() and len(rport) <= 5 and 0 < int(rport) <= 65535:
            return host, int(rport)
        return host, port


def read_via(line: str) -> Via:
    """The topmost value of a whole Via line; MalformedValue when it is none."""
    match = _common(line)
    if match is None:
        value = line[line.index(":") + 1 :].strip()
        return parse_via(split_unquoted(value, ",")[0] if "," in value else value)
    sent, parameters, branch = match.groups()
    return new_tuple(Via, (*_sent(sent), parameters, branch, SIP))


_common: Final = _COMMON_LINE.match


@lru_cache(maxsize=4096)
def _sent(text: str) -> tuple[str, str, int | None]:
    """Transport, host and port of `SIP/2.0/UDP host:port`. Cached: every Via of a peer begins with the same one."""
    transport, _, sent_by = text[8:].partition(" ")
    return transport.lower(), *split_host_port(sent_by)


def parse_via(text: str) -> Via:
    """Parse one Via value (no commas outside quotes); MalformedValue when it is none."""
    match = _ANY.match(text)
    if match is None:
        raise MalformedValue("Via")
    name, version, transport, sent_by, parameters = match.groups()
    # The colon is cut free of blanks; a blank anywhere else in sent-by is refused with the host.
    host, port = split_host_port(_COLON.sub(":", sent_by.strip()))
    parts = _parts(parameters.rstrip())[1:]
    if not all(part.strip() for part in parts):
        raise MalformedValue("Via parameter")
    protocol = f"{name.upper()}/{version}"
    return Via(transport.lower(), host, port, parameters.rstrip(), _branch(parts), protocol)


def _parts(parameters: str) -> list[str]:
    """Hardly a Via has quotes, in which a semicolon is a sign as any other."""
    return split_unquoted(parameters, ";") if '"' in parameters else parameters.split(";")


def _branch(parts: list[str]) -> str:
    for part in parts:
        name, _, value = part.partition("=")
        if name.strip().lower() == "branch":
            return value.strip()
    return ""
