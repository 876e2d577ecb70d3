"""The table of entities in the settings: trunks and gateways, one table each.

`read_entities` raises ValueError with a sentence; `wrong_entity` gives that sentence for one entry, "" for none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from b2bua.config_addresses import parse_host, parse_host_port
from b2bua.config_entry import Values, read_table, wrong_entry

TRANSPORTS: Final = ("udp", "tcp", "tls")
KEYS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "address": str, "transport": str, "from": list, "certificate": str, "user": str, "trusted": bool, "numbers": list,
        "domains": list, "adaptation": str,
    }
)  # fmt: skip
_NUMBER: Final = re.compile(r"\+?[0-9A-Za-z*#._-]*")


def read_entities(entries: dict[str, Values | str]) -> dict[str, Values]:
    """Name → key → value, checked; an entry of the environment is `address=sip.example.net numbers=0|+49 trusted=true`."""
    return read_table(entries, KEYS, "an entity", _values)


def wrong_entity(name: str, entry: object) -> str:
    """What is wrong with one table, "" for nothing."""
    return wrong_entry(name, entry, KEYS, "an entity", _values)


def conflicts_of_entities(entities: Mapping[str, Values], transports: Collection[str]) -> Iterator[str]:
    """Why a server with listeners of these transports cannot have these entities, a line each that begins with the key."""
    known: dict[tuple[str, str], str] = {}
    for name, values in entities.items():
        transport = values.get("transport", "")
        if transport and transport not in transports:
            yield f"entities: {name} is reached by {transport}, and there is no such listener"
        proofs = [("from", one) for one in values.get("from", ())]
        proofs += [(key, values[key]) for key in ("certificate", "user") if key in values]
        for proof in proofs:
            if proof in known:
                yield f"entities: {name} and {known[proof]} cannot be told apart: both have {proof[0]} {proof[1]!r}"
            known[proof] = name


def _values(entry: Values) -> Values:
    """The keys whose values have a grammar, in their usual spelling."""
    if not entry.get("address"):
        raise ValueError("address: where it is: HOST[:PORT]")
    transport = entry.get("transport", "")
    if transport and transport not in TRANSPORTS:
        raise ValueError(f"transport: {transport!r} is none of {', '.join(TRANSPORTS)}")
    found: Values = {"address": _joined(*parse_host_port(entry["address"]))}
    if "from" in entry:
        found["from"] = tuple(_source(text, transport) for text in entry["from"])
    if "certificate" in entry:
        found["certificate"] = parse_host(entry["certificate"])
    if "domains" in entry:
        found["domains"] = tuple(parse_host(text) for text in entry["domains"])
    for number in entry.get("numbers", ()):
        if not number or not _NUMBER.fullmatch(number):
            raise ValueError(f"numbers: {number!r} begins no number")
    return found


def _source(text: str, transport: str) -> str:
    host, port = parse_host_port(text, addresses_only=True)
    if not port and transport != "tcp":
        raise ValueError(f"from: {text!r} has no port; over UDP it is known by address and port, over TLS by its certificate")
    return _joined(host, port)


def _joined(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown
