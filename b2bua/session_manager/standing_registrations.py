"""Who is registered, as a table for whoever looks: every contact with its flow, its phone and the seconds left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from b2bua.session_manager.location import Location

MAX_ROWS: Final = 1_000
"""Contacts listed at most: a table for eyes. `b2bua_contacts` counts all."""


def standing_registrations(location: Location, now: float) -> list[dict[str, Any]]:
    """The contacts by user, `MAX_ROWS` at most; `now` in Unix seconds. None of them holds a secret."""
    rows: list[dict[str, Any]] = []
    for row in _rows(location, now):
        rows.append(row)
        if len(rows) >= MAX_ROWS:
            break
    return rows


def _rows(location: Location, now: float) -> Iterator[dict[str, Any]]:
    for user, bindings in sorted(location.users(), key=lambda one: one[0]):
        reachable = location.reachable(user)
        for binding in bindings:
            yield {
                "user": user, "contact": binding.uri, "listener": binding.listener,
                "source": f"{binding.source[0]}:{binding.source[1]}", "nat": binding.nat, "path": list(binding.path),
                "instance": binding.instance, "user_agent": binding.user_agent, "answers": binding in reachable,
                "seconds_left": round(max(binding.expires_at - now, 0.0), 1),
            }  # fmt: skip
