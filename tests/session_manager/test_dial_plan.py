"""Which pattern decides, in which order policies are tried, and that each step is told."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.dial_plan import BARRED, NOT_NOW, DialPlan, Route, Way
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.number_pattern import read_pattern
from b2bua.session_manager.routing_policy import NEXT_ON, RoutingPolicy
from b2bua.session_manager.time_range import WeekTime, read_time_range
from b2bua.sip.uri import parse_uri

HERE = parse_uri("sip:192.0.2.80")
A, B, C = [Entity(name, HERE, numbers=("00",), domains=("example.net",)) for name in "abc"]
MONDAY, SUNDAY = WeekTime(0, 600), WeekTime(6, 600)
ON_SUNDAY = (read_time_range("sun"),)


def pattern(name: str, text: str, *policies: RoutingPolicy, **more: Any) -> DialPattern:
    return DialPattern(name, read_pattern(text), policies or (RoutingPolicy(name, A),), **more)


def ways(plan: DialPlan, number: str, caller: str = "", when: WeekTime = MONDAY) -> list[str] | int | None:
    route = plan.of_number(number, caller, lambda: when)
    return None if route is None else [way.entity.name for way in route.ways] or route.status


PLAN = DialPlan(
    (A, B, C),
    (
        pattern("all", "0"),
        pattern("ranked", "01", RoutingPolicy("2", A, 2), RoutingPolicy("1", B, 1), RoutingPolicy("0", C, 1)),
        pattern("twice", "02", RoutingPolicy("x", B), RoutingPolicy("y", A, 1), RoutingPolicy("z", B, 2)),
        pattern("timed", "03", RoutingPolicy("s", B, times=ON_SUNDAY), RoutingPolicy("a", A)),
        pattern("closed", "04", RoutingPolicy("s", B, times=ON_SUNDAY)),
        DialPattern("barred", read_pattern("05"), ()),
        pattern("short", "06", RoutingPolicy("b", B), longest=3),
        pattern("long", "06", RoutingPolicy("c", C), shortest=5),
        pattern("first", "07", RoutingPolicy("b", B)),
        pattern("mine", "07", RoutingPolicy("c", C), callers=(read_pattern("60"), read_pattern("7$"))),
        pattern("later", "07", RoutingPolicy("a", A)),
    ),
)


@pytest.mark.parametrize(
    ("number", "caller", "when", "found"),
    [
        ("08", "", MONDAY, ["a"]),
        ("01", "", MONDAY, ["b", "c", "a"]),
        ("02", "", MONDAY, ["b", "a"]),
        ("03", "", MONDAY, ["a"]),
        ("03", "", SUNDAY, ["b", "a"]),
        ("04", "", MONDAY, 480),
        ("04", "", SUNDAY, ["b"]),
        ("05", "", MONDAY, 403),
        ("061", "", MONDAY, ["b"]),
        ("0612", "", MONDAY, ["a"]),
        ("06123", "", MONDAY, ["c"]),
        ("07", "", MONDAY, ["b"]),
        ("07", "6001", MONDAY, ["c"]),
        ("07", "7", MONDAY, ["c"]),
        ("07", "71", MONDAY, ["b"]),
        ("9", "", MONDAY, None),
        ("", "", MONDAY, None),
    ],
)
def test_where_a_number_leads(number: str, caller: str, when: WeekTime, found: object) -> None:
    assert ways(PLAN, number, caller, when) == found


def test_prefixes_of_entities_are_for_what_no_pattern_is_for() -> None:
    plan = DialPlan((A, B), (pattern("short", "00", RoutingPolicy("b", B), longest=4),))
    assert ways(plan, "0012") == ["b"] and ways(plan, "00123") == ["a"]


def test_what_a_policy_says_of_its_entity() -> None:
    own = RoutingPolicy("own", B, 1, timeout=4.0, next_on=frozenset((404,)))
    plan = DialPlan((A, B), (pattern("both", "00", RoutingPolicy("usual", A), own),))
    wanted = Route((Way(A, 0.0, NEXT_ON), Way(B, 4.0, frozenset((404,)))), rule="both")
    assert plan.of_number("00", "", lambda: MONDAY) == wanted


def test_domains() -> None:
    route = PLAN.of_domain("sip:bob@example.net")
    assert route is not None and [way.entity for way in route.ways] == [A]
    assert PLAN.of_domain("sip:bob@example.org") is None


def test_nobody_looks_at_the_clock_before_a_pattern_is_found() -> None:
    def never() -> WeekTime:
        raise AssertionError

    assert PLAN.of_number("9", "", never) is None and PLAN.of_number("05", "", never) == BARRED._replace(rule="barred")
    assert (route := PLAN.of_number("04", "", lambda: MONDAY)) is not None and route[:3] == NOT_NOW[:3]


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("05", ["dial pattern barred: 05 is", "barred"]),
        ("04", ["dial pattern closed: 04 is", "policy s: rank 0, sun: not valid at mon 10:00, entity b"]),
        ("06123", ["dial pattern short: not for this call, 5 signs are not 1 to 3", "dial pattern long: 06 is"]),
        ("71", ["dial pattern all: not for this call, the number does not match 0", "no entity serves a prefix"]),
        ("00", ["dial pattern all: 0 is"]),
    ],
)
def test_each_step_is_told(number: str, told: list[str]) -> None:
    steps: list[str] = []
    PLAN.of_number(number, "", lambda: MONDAY, steps.append)
    for sentence in told:
        assert any(sentence in step for step in steps), steps
