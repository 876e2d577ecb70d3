"""Listeners and links as they are written in the settings: transports, hosts and ports (RFC 3261 §19.1.1 for hosts).

A `parse_…` raises ValueError with a sentence that says what is wrong.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from b2bua.sip.private_networks import is_private

KNOWN_TRANSPORTS: Final = ("udp", "tcp", "tls", "ws", "wss")
SECURE_TRANSPORTS: Final = ("tls", "wss")
"""Those that need a certificate."""
LINK_TRANSPORTS: Final = ("udp", "tcp", "tls")
"""What a feature server can be linked by."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?")


@dataclass(frozen=True, slots=True)
class Listen:
    """One listener, written `TRANSPORT:HOST:PORT[/ADVERTISED]`; IPv6 hosts stand in brackets there and without them here."""

    transport: str
    """`udp`, `tcp`, `tls`, `ws`, `wss`."""
    host: str
    """The address to bind; `0.0.0.0` and `::` are wildcards."""
    port: int
    """0 = any free one."""
    advertised: tuple[str, int] | None = None
    """What peers are told instead; its port is the listener's unless given (0 = the port that was bound)."""

    def overlaps(self, other: Listen) -> bool:
        """Whether only one of the two can be opened: the same address, or a wildcard of its family, with one port. All but
        UDP share the ports of TCP."""
        if (self.transport == "udp") != (other.transport == "udp") or self.port != other.port or not self.port:
            return False
        families = {":" in self.host, ":" in other.host}
        return self.host == other.host or (len(families) == 1 and bool({self.host, other.host} & {"0.0.0.0", "::"}))

    def __str__(self) -> str:
        text = f"{self.transport}:{host_port_text(self.host, self.port)}"
        if self.advertised is None:
            return text
        host, port = self.advertised
        bare = host_port_text(host, port).removesuffix(f":{port}")
        return f"{text}/{bare}" if port == self.port else f"{text}/{bare}:{port}"


@dataclass(frozen=True, slots=True)
class Link:
    """A feature server elsewhere, written `NAME=udp:HOST:PORT=HOST:PORT`: our listener for it, and where it is. With `>` for
    the second `=` it is a SIP server of another make."""

    name: str
    """Stands as `;fs=NAME` in its Contacts; its own `name` is the same."""
    listen: Listen
    """Our end: what comes in here comes from the feature server."""
    peer: tuple[str, int]
    """Address and port that it sends from and hears on; nobody else is heard on this listener. By TLS also a name: then it
    comes from anywhere, and its certificate says that it is the one."""
    foreign: bool = False
    """Whether we open the connections, and the Routes back name our end of the link."""

    def __str__(self) -> str:
        return f"{self.name}={self.listen}{'>' if self.foreign else '='}{host_port_text(*self.peer)}"


def parse_listen(text: str) -> Listen:
    """`udp:HOST:PORT[/ADVERTISED]`; ValueError says what is wrong."""
    transport, _, rest = text.partition(":")
    transport = transport.lower()
    if transport not in KNOWN_TRANSPORTS:
        raise ValueError(f"{text!r}: the transport is none of {', '.join(KNOWN_TRANSPORTS)}")
    address, slash, shown = rest.partition("/")
    host, port = parse_address(address)
    return Listen(transport, host, port, _advertised(shown, port) if slash else None)


def parse_collector(text: str) -> Listen:
    """`udp:HOST:PORT` or `tcp:HOST:PORT`, where somebody else listens; ValueError says what is wrong."""
    if text.partition(":")[0].lower() not in ("udp", "tcp") or "/" in text:
        raise ValueError(f"{text!r} is not udp:HOST:PORT or tcp:HOST:PORT")
    collector = parse_listen(text)
    if not collector.port:
        raise ValueError(f"{text!r}: the collector's port is needed")
    return collector


def parse_link(text: str) -> Link:
    """`NAME=udp:HOST:PORT=HOST:PORT`, or `>` for the second `=`; ValueError says what is wrong."""
    name, _, rest = text.partition("=")
    foreign = ">" in rest
    ours, between, theirs = rest.partition(">" if foreign else "=")
    if not between:
        raise ValueError(f"{text!r} is not NAME=TRANSPORT:HOST:PORT=HOST:PORT")
    listen = parse_listen(ours)
    if listen.advertised is not None:
        raise ValueError(f"{text!r}: a link has no other address to be advertised")
    peer = parse_peer(theirs)
    check_link(listen, peer)
    if not link_name(name):
        raise ValueError(f"{text!r}: the link has no name")
    if foreign and not listen.port:
        raise ValueError(f"{text!r}: our port is needed: the other server knows us by it")
    return Link(name, listen, peer, foreign)


def check_link(listen: Listen, peer: tuple[str, int]) -> None:
    """ValueError for two ends that make no link."""
    if listen.transport not in LINK_TRANSPORTS:
        raise ValueError(f"{listen}: a link is by {' or '.join(LINK_TRANSPORTS)}")
    if listen.transport == "tls" and listen.host in ("0.0.0.0", "::"):
        raise ValueError(f"{listen}: a link is at one address")
    for host in () if listen.transport == "tls" else (listen.host, peer[0]):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"{host!r} is a name; without TLS a link proves its peer by the address alone") from None
        if not is_private(address):
            raise ValueError(
                f"{host} is neither loopback nor private; a link is not encrypted and proves its peer by the address alone"
            )
    if is_ip(peer[0]) and (":" in listen.host) != (":" in peer[0]):
        raise ValueError(f"{listen} and {host_port_text(*peer)}: one is IPv4, the other IPv6")
    if not peer[1]:
        raise ValueError(f"{host_port_text(*peer)}: the peer's port is needed")


def link_name(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(f"{text!r}: a link's name has letters, digits, - and _ only")
    return text


def parse_peer(text: str) -> tuple[str, int]:
    """`HOST:PORT` of the other end of a link, HOST an IP address, `localhost` or, by TLS, a name; ValueError says what is
    wrong."""
    host, port = _split_port(text)
    if port is None:
        raise ValueError(f"{text!r} has no port")
    if host.lower() == "localhost":
        return "127.0.0.1", port
    # As the kernel spells it: the peer is heard by what its datagrams come from.
    return (str(ipaddress.ip_address(host)) if is_ip(host) else parse_host(host)), port


def is_ip(host: str) -> bool:
    """Whether a host, without brackets, is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` to bind, HOST an IP address (IPv6 in brackets) or `localhost`; ValueError says what is wrong."""
    host, port = _split_port(text)
    if port is None:
        raise ValueError(f"{text!r} has no port")
    if host.lower() == "localhost":
        return "127.0.0.1", port
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        raise ValueError(f"{host!r} is not an IP address of this host") from None


def parse_server(text: str, port: int = 53) -> tuple[str, int]:
    """`HOST[:PORT]` of a DNS server, HOST an IP address; ValueError says what is wrong."""
    host, given = _split_port(text)
    if given == 0:
        raise ValueError(f"{text!r}: port 0 is no server's")
    try:
        return str(ipaddress.ip_address(host)), port if given is None else given
    except ValueError:
        raise ValueError(f"{host!r} is not an IP address, and names are not looked up here") from None


def parse_port_range(text: str) -> tuple[int, int]:
    """`FIRST-LAST`, both included, or `0-0`; ValueError says what is wrong."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in (first, last)):
        raise ValueError(f"{text!r} is not FIRST-LAST")
    low, high = int(first), int(last)
    if (low, high) != (0, 0) and not 1024 <= low < high <= 65535:
        raise ValueError(f"{text!r}: ports from 1024 to 65535 are wanted, the first below the last, or 0-0")
    return low, high


def parse_host_port(text: str, addresses_only: bool = False) -> tuple[str, int]:
    """`HOST[:PORT]` of a peer, HOST a name or an IP address, without brackets; port 0 where none is given. ValueError says
    what is wrong."""
    host, port = _split_port(text)
    if port == 0:
        raise ValueError(f"{text!r}: port 0 is nobody's")
    try:
        return str(ipaddress.ip_address(host)), port or 0
    except ValueError:
        if addresses_only:
            raise ValueError(f"{host!r} is not an IP address") from None
    return parse_host(host), port or 0


def parse_network(text: str) -> str:
    """`ADDRESS/BITS`, or one address, in its usual spelling; ValueError for what is none, or everybody."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8: {error}") from None
    if not network.prefixlen:
        raise ValueError(f"{text!r} is everybody")
    return str(network)


def host_port_text(host: str, port: int) -> str:
    """`HOST:PORT` with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_host(text: str) -> str:
    """A domain name or IP address (IPv6 in brackets) in small letters and without brackets; ValueError for neither."""
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        return str(ipaddress.IPv6Address(bare[1:-1]))
    if not _NAME.fullmatch(bare):
        raise ValueError(f"{text!r} is not a host name")
    return bare.rstrip(".").lower()


def _advertised(text: str, port: int) -> tuple[str, int]:
    host, own_port = _split_port(text)
    if own_port == 0:
        raise ValueError(f"{text!r}: port 0 cannot be advertised")
    return parse_host(f"[{host}]" if ":" in host else host), port if own_port is None else own_port


def _split_port(text: str) -> tuple[str, int | None]:
    """HOST, [HOST], HOST:PORT or [HOST]:PORT; the host comes without brackets."""
    text = text.strip()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not HOST:PORT")
        host, colon, digits = str(ipaddress.IPv6Address(host)), rest[:1], rest[1:]
    else:
        host, colon, digits = text.partition(":")
        if ":" in digits:
            raise ValueError(f"{text!r}: an IPv6 address stands in brackets, [::1]:5060")
    if not host:
        raise ValueError(f"{text!r} has no host")
    if not colon:
        return host, None
    if not (digits.isascii() and digits.isdigit() and int(digits) <= 65535):
        raise ValueError(f"{text!r}: the port is not a number from 0 to 65535")
    return host, int(digits)
