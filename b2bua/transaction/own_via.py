"""The Via that every request of ours gets on top (RFC 3261 §18.1.1)."""

from __future__ import annotations

from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Request
from b2bua.sip.uri import host_text
from b2bua.sip.via import SIP, Via


class OwnVia:
    """Builds this element's top Via, cached per transport and local address."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self._ways: dict[tuple[str, HostPort], tuple[str, str, str, int]] = {}
        """Per transport and local address: a Via line of ours up to its branch, the transport in small letters, host, port."""

    def put(self, request: Request, flow: Flow, mark: str = "", branch: str = "") -> str:
        """Put a Via of ours on top; returns its branch."""
        if not branch:
            branch = self._identifiers.branch() + mark
        way = flow.via_transport, flow.local
        known = self._ways.get(way)
        if known is None:
            known = self._ways[way] = _start_of_via(*way)
        start, transport, host, port = known
        request.names.insert(0, "Via")
        if flow.reliable:
            request.lines.insert(0, start + branch)
            # The other side of a link in process takes it from here; over a network nobody asks.
            request._via = new_tuple(Via, (transport, host, port, f";branch={branch}", branch, SIP))
        else:
            # rport is asked for on every request of ours: we may be behind NAT ourselves (RFC 3581 §3).
            request.lines.insert(0, f"{start}{branch};rport")
            request._via = None
        return branch


def _start_of_via(transport: str, local: HostPort) -> tuple[str, str, str, int]:
    host, port = host_text(local[0]), local[1]
    # Over TLS we let the peer use the connection for its own requests, too (RFC 5923 §8.1): where its certificate proves it.
    alias = ";alias" if transport == "TLS" else ""
    return f"Via: SIP/2.0/{transport} {host}:{port}{alias};branch=", transport.lower(), host, port
