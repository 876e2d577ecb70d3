"""The tables of routing in the settings: dial patterns, routing policies, adaptations; each in a table of its own.

A `read_…` raises ValueError with a sentence; a `wrong_…` gives that sentence for one entry, "" for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from b2bua.config.entry import Keys, Values, read_table, wrong_entry
from b2bua.session_manager.header_rule import read_header_rule
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.number_rule import read_number_rule
from b2bua.session_manager.time_range import read_time_range

PATTERN_KEYS: Final[Keys] = MappingProxyType({"pattern": str, "min": int, "max": int, "callers": list, "policies": list})
POLICY_KEYS: Final[Keys] = MappingProxyType({"entity": str, "rank": int, "times": list, "timeout": int, "next_on": list})
ADAPTATION_KEYS: Final[Keys] = MappingProxyType(
    {
        "called_out": list, "called_in": list, "asserted_out": list, "asserted_in": list, "headers_out": list,
        "headers_in": list,
    }
)  # fmt: skip
LONGEST_NUMBER: Final = 64
LONGEST_TIMEOUT: Final = 32
"""Seconds: then the transaction itself gives up (64·T1)."""


def read_dial_patterns(entries: dict[str, Values | str]) -> dict[str, Values]:
    """Name → key → value, checked; an entry of the environment is `pattern=0 min=4 policies=cheap|backup`."""
    return read_table(entries, PATTERN_KEYS, "a dial pattern", _pattern)


def read_routing_policies(entries: dict[str, Values | str]) -> dict[str, Values]:
    """The same; `entity=carrier rank=1 times=mon-fri/08:00-18:00`."""
    return read_table(entries, POLICY_KEYS, "a routing policy", _policy)


def read_adaptations(entries: dict[str, Values | str]) -> dict[str, Values]:
    """The same; `called_out=0:1:+49 headers_out=remove:User-Agent|add:X-Lab:yes`."""
    return read_table(entries, ADAPTATION_KEYS, "an adaptation", _adaptation)


def wrong_dial_pattern(name: str, entry: object) -> str:
    """What is wrong with one table, "" for nothing."""
    return wrong_entry(name, entry, PATTERN_KEYS, "a dial pattern", _pattern)


def wrong_routing_policy(name: str, entry: object) -> str:
    """The same."""
    return wrong_entry(name, entry, POLICY_KEYS, "a routing policy", _policy)


def wrong_adaptation(name: str, entry: object) -> str:
    """The same."""
    return wrong_entry(name, entry, ADAPTATION_KEYS, "an adaptation", _adaptation)


def conflicts_of_routing(
    patterns: Mapping[str, Values], policies: Mapping[str, Values], adaptations: Mapping[str, Values],
    entities: Mapping[str, Values],
) -> Iterator[str]:  # fmt: skip
    """Names that stand for nothing, a line each that begins with the key."""
    for name, values in patterns.items():
        for policy in values["policies"]:
            if policy not in policies:
                yield f"dial_patterns: {name} goes by {policy!r}, and there is no such routing policy"
    for name, values in policies.items():
        if values["entity"] not in entities:
            yield f"routing_policies: {name} goes by {values['entity']!r}, and there is no such entity"
    for name, values in entities.items():
        adaptation = values.get("adaptation", "")
        if adaptation and adaptation not in adaptations:
            yield f"entities: {name} has the adaptation {adaptation!r}, and there is no such one"


def _pattern(entry: Values) -> Values:
    if "pattern" not in entry:
        raise ValueError("pattern: what the numbers begin with")
    if "policies" not in entry:
        raise ValueError("policies: the routing policies that they go by; an empty list bars them")
    _each("pattern", read_pattern, (entry["pattern"],))
    _each("callers", read_pattern, entry.get("callers", ()))
    shortest, longest = entry.get("min", 1), entry.get("max", LONGEST_NUMBER)
    if not 1 <= shortest <= longest <= LONGEST_NUMBER:
        raise ValueError(f"min and max: {shortest} to {longest} is not within 1 to {LONGEST_NUMBER}")
    return {}


def _policy(entry: Values) -> Values:
    if not entry.get("entity"):
        raise ValueError("entity: where it leads")
    if not 0 <= entry.get("timeout", 0) <= LONGEST_TIMEOUT:
        raise ValueError(f"timeout: {entry['timeout']} is not 0 to {LONGEST_TIMEOUT} seconds")
    _each("times", read_time_range, entry.get("times", ()))
    for status in entry.get("next_on", ()):
        if not (status.isascii() and status.isdigit() and 400 <= int(status) <= 699) or status in ("401", "407"):
            raise ValueError(f"next_on: {status!r} is no failure from 400 to 699 but 401 and 407")
    return {}


def _adaptation(entry: Values) -> Values:
    for key, values in entry.items():
        if key.startswith("headers_"):
            _each(key, read_header_rule, values)
        else:
            _each(key, read_number_rule, values)
    return {}


def _each(key: str, read: Callable[[str], object], values: tuple[str, ...]) -> None:
    """Read each; the error names the key."""
    for value in values:
        try:
            read(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
