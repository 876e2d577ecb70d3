"""When a source is banned, for how long, and how a ban is lifted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.observer import Observer
from b2bua.session_manager import bans as module
from b2bua.session_manager.bans import Ban, BanRule, Bans

ADDRESS = "192.0.2.66"
RULE = BanRule(3, 10, 60)


class World:
    """Bans after 3 failures in 10 s, for 60 s, on a clock of ours."""

    def __init__(self, rule: BanRule = RULE) -> None:
        self.seconds = 1000.0
        self.observer = Observer()
        self.said: list[tuple[str, dict[str, object]]] = []
        self.bans = Bans(rule, lambda: self.seconds, self.observer, lambda event, **fields: self.said.append((event, fields)))

    def fail(self, times: int = 3, host: str = ADDRESS) -> bool:
        for _ in range(times):
            self.bans.failed(host)
        return self.bans.holds(host)


def test_banned_at_the_threshold_and_not_before() -> None:
    world = World()
    assert [world.fail(1) for _ in range(3)] == [False, False, True]
    assert not world.bans.holds("192.0.2.67")


def test_what_is_older_than_the_window_does_not_count() -> None:
    world = World()
    world.fail(2)
    world.seconds += 10.1
    assert not world.fail(2)
    assert world.fail(1)


def test_a_ban_ends_by_itself_and_the_count_begins_anew() -> None:
    world = World()
    world.fail()
    world.seconds += 59.9
    assert world.bans.holds(ADDRESS)
    world.seconds += 0.2
    assert not world.bans.holds(ADDRESS) and not world.bans.standing and world.bans.list() == ()
    assert not world.fail(2)


def test_a_ban_is_listed_counted_and_logged() -> None:
    world = World()
    world.fail()
    world.seconds += 5
    world.fail(3, "192.0.2.67")
    assert world.bans.list() == (Ban(ADDRESS, 55.0), Ban("192.0.2.67", 60.0))
    assert world.observer.counts["bans"] == {("banned",): 2}
    assert world.said[0] == ("source_banned", {"peer": ADDRESS, "seconds": 60})


def test_a_ban_is_lifted_by_hand() -> None:
    world = World()
    world.fail()
    assert world.bans.remove(ADDRESS) and not world.bans.holds(ADDRESS)
    assert not world.bans.remove(ADDRESS)
    assert world.observer.counts["bans"] == {("banned",): 1, ("removed",): 1}
    assert world.said[-1] == ("ban_lifted", {"peer": ADDRESS})
    assert not world.fail(2)


def test_who_goes_on_failing_in_a_dialog_stays_banned() -> None:
    world = World()
    world.fail()
    world.fail(3, "192.0.2.67")
    world.seconds += 30
    world.fail()
    assert [ban.source for ban in world.bans.list()] == ["192.0.2.67", ADDRESS]
    world.seconds += 31
    assert [ban.source for ban in world.bans.list()] == [ADDRESS]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "no address", ""])
def test_this_host_is_never_banned(host: str) -> None:
    world = World()
    assert not world.fail(10, host)
    assert not world.bans.remove(host)


def test_ipv6_counts_by_64_bits_and_mapped_ipv4_as_ipv4() -> None:
    world = World()
    for last in range(3):
        world.bans.failed(f"2001:db8:1:2::{last}")
    assert world.bans.holds("2001:db8:1:2:ffff::1") and not world.bans.holds("2001:db8:1:3::1")
    assert [ban.source for ban in world.bans.list()] == ["2001:db8:1:2::/64"]
    assert world.bans.remove("2001:db8:1:2::/64")
    assert world.fail(3, "::ffff:192.0.2.66") and world.bans.holds(ADDRESS)
    assert world.fail(3, "fe80::1%eth0") and world.bans.remove("fe80::9")


def test_tables_are_bounded_and_the_oldest_is_forgotten() -> None:
    world = World(BanRule(2, 10, 60))
    sources = [f"10.{number >> 8}.{number & 255}.1" for number in range(module.MAX_SOURCES + 4)]
    for source in sources:
        world.bans.failed(source)
    assert not world.fail(1, sources[0]) and world.fail(1, sources[-1])
    for source in sources:
        world.fail(2, source)
    assert [ban.source for ban in world.bans.list()] == sources[4:]


@given(st.lists(st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]), st.floats(0, 30)), max_size=40))
def test_nobody_is_banned_by_what_others_do(steps: list[tuple[str, float]]) -> None:
    together, alone = World(), World()
    for host, pause in steps:
        for world in (together, alone):
            world.seconds += pause
        together.bans.failed(host)
        if host == "192.0.2.1":
            alone.bans.failed(host)
        assert together.bans.holds("192.0.2.1") == alone.bans.holds("192.0.2.1")
