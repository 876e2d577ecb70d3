"""How each setting is read that has a form of its own: from the shape of a TOML value to the field of `Settings`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from b2bua.config.addresses import (
    Link,
    Listen,
    host_port_text,
    link_name,
    parse_address,
    parse_collector,
    parse_host,
    parse_link,
    parse_listen,
    parse_network,
    parse_peer,
    parse_port_range,
    parse_server,
)
from b2bua.config.entities import read_entities, wrong_entity
from b2bua.config.events import read_lists, read_packages, wrong_list
from b2bua.config.log import read_log_levels, wrong_log_level
from b2bua.config.routing import (
    read_adaptations,
    read_dial_patterns,
    read_routing_policies,
    wrong_adaptation,
    wrong_dial_pattern,
    wrong_routing_policy,
)
from b2bua.config.sequences import read_sequence, read_user_sequences, wrong_user_sequences
from b2bua.config.tables import (
    ENTRIES,
    read_algorithms,
    read_challenges,
    read_profiles,
    read_user_challenges,
    read_user_lists,
    read_user_profiles,
)
from b2bua.faults.fault import Fault, parse_fault
from b2bua.trace.since import seconds_in


def _path(text: str) -> Path:
    if not text:
        raise ValueError("an empty path")
    return Path(text).expanduser()


def _listeners(texts: tuple[str, ...]) -> tuple[Listen, ...]:
    return tuple(parse_listen(text) for text in texts)


def _links(texts: tuple[str, ...]) -> tuple[Link, ...]:
    return tuple(parse_link(text) for text in texts)


def _faults(texts: tuple[str, ...]) -> tuple[Fault, ...]:
    return tuple(parse_fault(text, None) for text in texts)


def _aliases(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(parse_host(text) for text in texts)


def _port_range(text: str) -> str:
    return "{}-{}".format(*parse_port_range(text))


def _rtpengine(text: str) -> str:
    if text and not parse_server(text, 0)[1]:
        raise ValueError(f"{text!r} has no port")
    return host_port_text(*parse_server(text)) if text else ""


def _trace_servers(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        name, _, url = text.partition(" ")[0].partition("=")
        if not name.replace("-", "").replace("_", "").isalnum() or not url.startswith(("http://", "https://")):
            raise ValueError(f"{text!r} is no NAME=URL")
    return texts


def _length_of_time(text: str) -> str:
    return text if text and seconds_in(text) else ""


def _address_or_none(text: str) -> str:
    return parse_host(text) if text else ""


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(parse_network(text) for text in texts)


def _dns(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(host_port_text(*parse_server(text)) for text in texts)


TABLES: Final = {
    **ENTRIES, "entities": wrong_entity, "dial_patterns": wrong_dial_pattern, "routing_policies": wrong_routing_policy,
    "adaptations": wrong_adaptation, "lists": wrong_list,
    "user_sequences": wrong_user_sequences, "log_levels": wrong_log_level,
}  # fmt: skip
"""Tables of a file whose entries are checked one by one, so that an error has the entry's line."""
READERS: Final[dict[str, tuple[Any, Callable[[Any], object]]]] = {
    "domain": (str, parse_host),
    "listen": (tuple[str, ...], _listeners),
    "http": (str, parse_address),
    "hep": (str, parse_collector),
    "trace_keep": (str, _length_of_time),
    "trace_servers": (tuple[str, ...], _trace_servers),
    "users": (str, _path),
    "tls_cert": (str, _path),
    "tls_key": (str, _path),
    "tls_ca": (str, _path),
    "aliases": (tuple[str, ...], _aliases),
    "entities": (dict[str, dict[str, Any] | str], read_entities),
    "dial_patterns": (dict[str, dict[str, Any] | str], read_dial_patterns),
    "routing_policies": (dict[str, dict[str, Any] | str], read_routing_policies),
    "adaptations": (dict[str, dict[str, Any] | str], read_adaptations),
    "trusted_networks": (tuple[str, ...], _networks),
    "dns": (tuple[str, ...], _dns),
    "media_ports": (str, _port_range),
    "media_address": (str, _address_or_none),
    "rtpengine": (str, _rtpengine),
    "faults": (tuple[str, ...], _faults),
    "feature_directory": (str, _path),
    "cdr": (str, _path),
    "digest_algorithms": (tuple[str, ...], read_algorithms),
    "user_digest_algorithms": (dict[str, tuple[str, ...] | str], read_user_lists),
    "event_packages": (tuple[str, ...], read_packages),
    "profiles": (tuple[str, ...], read_profiles),
    "user_profiles": (dict[str, tuple[str, ...] | str], read_user_profiles),
    "lists": (dict[str, tuple[str, ...] | str], read_lists),
    "links": (tuple[str, ...], _links),
    "origination": (tuple[str, ...], read_sequence),
    "termination": (tuple[str, ...], read_sequence),
    "optional_applications": (tuple[str, ...], read_sequence),
    "user_sequences": (dict[str, dict[str, Any] | str], read_user_sequences),
    "session_manager": (str, parse_peer),
    "name": (str, link_name),
    "log_levels": (dict[str, str], read_log_levels),
    "challenge": (dict[str, str], read_challenges),
    "user_challenge": (dict[str, dict[str, str] | str], read_user_challenges),
}
"""Fields written in a form of their own: the shape of the text, and its reader (ValueError for a wrong one)."""
