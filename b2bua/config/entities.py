"""The table of entities in the settings: trunks and gateways, one table each.

`read_entities` raises ValueError with a sentence; `wrong_entity` gives that sentence for one entry, "" for none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from b2bua.config.addresses import parse_host, parse_host_port
from b2bua.config.entry import Values, read_table, wrong_entry

TRANSPORTS: Final = ("udp", "tcp", "tls")
KEYS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "address": str, "transport": str, "from": list, "certificate": str, "user": str, "trusted": bool, "numbers": list,
        "domains": list, "adaptation": str, "username": str, "password_file": str, "password_env": str, "realm": str,
        "watch": int,
    }
)  # fmt: skip
LONGEST_WATCH: Final = 86_400
_NUMBER: Final = re.compile(r"\+?[0-9A-Za-z*#._-]*")


def read_entities(entries: dict[str, Values | str]) -> dict[str, Values]:
    """Name → key → value, checked; an entry of the environment is `address=sip.example.net numbers=0|+49 trusted=true`."""
    return read_table(entries, KEYS, "an entity", _values)


def wrong_entity(name: str, entry: object) -> str:
    """What is wrong with one table, "" for nothing."""
    return wrong_entry(name, entry, KEYS, "an entity", _values)


def conflicts_of_entities(
    entities: Mapping[str, Values], transports: Collection[str], authorities: bool = True
) -> Iterator[str]:
    """Why a server with listeners of these transports cannot have these entities, a line each that begins with the key.
    `authorities`: whether it has any, and so asks for certificates."""
    known: dict[tuple[str, str], str] = {}
    for name, values in entities.items():
        transport = values.get("transport", "")
        if transport and transport not in transports:
            yield f"entities: {name} is reached by {transport}, and there is no such listener"
        if "certificate" in values and not (authorities and "tls" in transports):
            yield f"entities: {name} is known by its certificate: that needs a tls listener, and tls_ca to ask for one"
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
    _check_credentials(entry)
    if not 0 <= entry.get("watch", 0) <= LONGEST_WATCH:
        raise ValueError(f"watch: {entry['watch']} is not 0 to {LONGEST_WATCH} seconds")
    if "certificate" in entry:
        found["certificate"] = parse_host(entry["certificate"])
    if "domains" in entry:
        found["domains"] = tuple(parse_host(text) for text in entry["domains"])
    for number in entry.get("numbers", ()):
        if not number or not _NUMBER.fullmatch(number):
            raise ValueError(f"numbers: {number!r} begins no number")
    return found


def _check_credentials(entry: Values) -> None:
    """Our own credentials there: a name, and one place where the password is. It stands in no settings itself."""
    places = [key for key in ("password_file", "password_env") if key in entry]
    if "username" in entry and len(places) != 1:
        raise ValueError("username: one of password_file and password_env says where its password is")
    for key in (*places, *(("realm",) if "realm" in entry else ())):
        if "username" not in entry:
            raise ValueError(f"{key}: without a username it means nothing")
    for key in ("username", "realm", *places):
        if key in entry and (not entry[key] or any(letter in entry[key] for letter in '"\\\r\n')):
            raise ValueError(f"{key}: {entry[key]!r} is empty, or has a quote, a backslash or a line break in it")


def read_secret(entry: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The password of an entity with a `username`: the first line of a file, or a variable. ValueError when there is none;
    its text tells where it was looked for, and nothing of what was found."""
    name = entry.get("password_env")
    if name is not None:
        if not environment.get(name):
            raise ValueError(f"password_env: the variable {name} is not set")
        return environment[name]
    path = Path(entry["password_file"]).expanduser()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"password_file: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"password_file: {path}: not UTF-8 text") from None
    if not lines or not lines[0]:
        raise ValueError(f"password_file: {path}: its first line is empty")
    return lines[0]


def _source(text: str, transport: str) -> str:
    host, port = parse_host_port(text, addresses_only=True)
    if not port and transport != "tcp":
        raise ValueError(f"from: {text!r} has no port; over UDP it is known by address and port, over TLS by its certificate")
    return _joined(host, port)


def _joined(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown
