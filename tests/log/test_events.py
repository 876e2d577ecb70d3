"""Every event that the code logs is in the table, with the fields that it has; nothing in the table is never logged."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import b2bua
from b2bua.log.events import AREAS, EVENTS, LEVELS, table

HERE = Path(b2bua.__file__).parent
README = Path(__file__).resolve().parents[2] / "b2bua" / "log" / "README.md"
LOGS = {"log", "_log", "_report", "report", "_warn"}
"""How whoever logs calls it."""
ELSEWHERE = {"text", "exception"}
"""What Twisted's log brings along, and what a mistake has (log/twisted_events.py)."""


def logged() -> Iterator[tuple[str, int, set[str] | None, str]]:
    """(file, line, fields, event) of each place that logs; None where the fields are not spelled out."""
    for path in sorted(HERE.rglob("*.py")):
        if path.parent.name in ("log", "phone"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            owner = called.value if isinstance(called, ast.Attribute) else None
            own = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            spelled = all(keyword.arg for keyword in node.keywords)
            fields = {keyword.arg for keyword in node.keywords if keyword.arg} if spelled else None
            if name in LOGS or (own in LOGS and name in ("debug", "failure")):
                words = node.args[0]
            elif name == "announce":
                words = node.args[1]
            else:
                continue
            options = [words.body, words.orelse] if isinstance(words, ast.IfExp) else [words]
            for one in options:
                assert isinstance(one, ast.Constant), f"{path.name}:{node.lineno}: an event is a word, not made of words"
                yield path.name, node.lineno, fields, str(one.value)


def test_every_event_that_is_logged_is_in_the_table() -> None:
    found = defaultdict(list)
    for file, line, fields, event in logged():
        assert event in EVENTS, f"{file}:{line}: {event}"
        found[event].append(file)
        unknown = (fields or set()) - set(EVENTS[event].fields) - ELSEWHERE
        assert not unknown, f"{file}:{line}: {event} has {unknown}"
    assert set(EVENTS) - set(found) == {"unhandled_error", "feature_said"}, "what nobody logs is in the table, too"


def test_areas_and_levels_are_those_that_can_be_set() -> None:
    assert {event.area for event in EVENTS.values()} <= set(AREAS)
    assert {event.level for event in EVENTS.values()} <= set(LEVELS)


def test_what_a_stranger_can_cause_is_bounded() -> None:
    """Whoever sends us anything: wrong credentials, noise, names, numbers, long requests."""
    for event in ("credentials_wrong", "message_unreadable", "name_unanswered", "name_leads_nowhere", "source_banned",
                  "request_too_long_for_udp", "no_tcp_to_peer", "next_hop_failed", "internal_error", "message_failed",
                  "no_media_port"):  # fmt: skip
        assert EVENTS[event].per_minute, event


def test_readme_has_the_table() -> None:
    assert table() in README.read_text(encoding="utf-8"), "b2bua config events"
