"""From the settings to entities and dial plan: what the server goes by, and `b2bua route` explains."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from b2bua.config.addresses import parse_host_port
from b2bua.config.routing import conflicts_of_routing
from b2bua.config.settings import ConfigError, Settings
from b2bua.session_manager.adaptation import NONE, Adaptation
from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.dial_plan import DialPlan
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.header_rule import read_header_rule
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.number_rule import read_number_rule
from b2bua.session_manager.routing_policy import RoutingPolicy
from b2bua.session_manager.time_range import WeekTime, read_time_range
from b2bua.sip.uri import DEFAULT_PORTS, Uri, host_text, is_address

Values = Mapping[str, Any]


def entities_of(settings: Settings) -> list[Entity]:
    """All entities, each with its adaptation."""
    adaptations = {name: _adaptation(name, values) for name, values in settings.adaptations.items()}
    return [_entity(name, values, adaptations) for name, values in settings.entities.items()]


def dial_plan_of(settings: Settings, entities: Sequence[Entity]) -> DialPlan:
    """What leads to these entities; ConfigError where a name stands for nothing: they may be older than the settings."""
    tables = settings.dial_patterns, settings.routing_policies, settings.adaptations, settings.entities
    if problems := tuple(conflicts_of_routing(*tables)):
        raise ConfigError(*problems)
    by_name = {entity.name: entity for entity in entities}
    policies = {name: _policy(name, values, by_name) for name, values in settings.routing_policies.items()}
    return DialPlan(entities, [_pattern(name, values, policies) for name, values in settings.dial_patterns.items()])


def week_time() -> WeekTime:
    """Now, where this server is."""
    now = time.localtime()
    return WeekTime(now.tm_wday, now.tm_hour * 60 + now.tm_min)


def _entity(name: str, values: Values, adaptations: Mapping[str, Adaptation]) -> Entity:
    """One table of `entities`, which config/entities.py has checked."""
    host, port = parse_host_port(values["address"])
    transport = values.get("transport", "")
    uri = Uri("sip", "", host_text(host), port or None, f";transport={transport}" if transport else "")
    sources = tuple(parse_host_port(text) for text in values.get("from", ()))
    if not sources and is_address(host) and transport != "tls":
        sources = ((host, port or DEFAULT_PORTS[transport or "udp"]),)
    adaptation = adaptations[values["adaptation"]] if values.get("adaptation") else NONE
    return Entity(
        name, uri, sources, values.get("certificate", ""), values.get("user", ""), values.get("trusted", False),
        tuple(values.get("numbers", ())), tuple(values.get("domains", ())), adaptation,
    )  # fmt: skip


def _adaptation(name: str, values: Values) -> Adaptation:
    def numbers(key: str) -> tuple[Any, ...]:
        return tuple(map(read_number_rule, values.get(key, ())))

    def headers(key: str) -> tuple[Any, ...]:
        return tuple(map(read_header_rule, values.get(key, ())))

    return Adaptation(
        name, numbers("called_out"), numbers("called_in"), numbers("asserted_out"), numbers("asserted_in"),
        headers("headers_out"), headers("headers_in"),
    )  # fmt: skip


def _policy(name: str, values: Values, entities: Mapping[str, Entity]) -> RoutingPolicy:
    next_on = frozenset(map(int, values["next_on"])) if "next_on" in values else None
    times = tuple(map(read_time_range, values.get("times", ())))
    return RoutingPolicy(name, entities[values["entity"]], values.get("rank", 0), times, values.get("timeout", 0), next_on)


def _pattern(name: str, values: Values, policies: Mapping[str, RoutingPolicy]) -> DialPattern:
    return DialPattern(
        name, read_pattern(values["pattern"]), tuple(policies[policy] for policy in values["policies"]),
        values.get("min", 1), values.get("max", 64), tuple(map(read_pattern, values.get("callers", ()))),
    )  # fmt: skip
