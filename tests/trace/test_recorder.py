"""The ring: bounds, what an entry holds, listeners."""

from __future__ import annotations

import gc

from b2bua.trace.names import Directory
from b2bua.trace.recorder import Entry, Legs, Recorder
from tests.trace.hand_made import FakeFlow, Scene, request

PEER = ("192.0.2.1", 5061)


def recorder(size: int) -> Recorder:
    return Recorder(size, lambda: 12.5)


def test_keeps_the_newest() -> None:
    trace = recorder(3)
    for number in range(5):
        trace.received(FakeFlow(PEER), b"%d" % number)
    assert [entry[4] for entry in trace.entries()] == [b"2", b"3", b"4"]
    assert len(trace) == 3


def test_size_0_is_off() -> None:
    trace, heard = recorder(0), list[Entry]()
    trace.add_listener(heard.append)
    message = request("OPTIONS", "6001", "6002", "c", 1)
    trace.received(FakeFlow(PEER), b"x")
    trace.sent(FakeFlow(PEER), message, b"x")
    trace.resent(FakeFlow(PEER), b"x")
    trace.linked(("SM", "CM"), message)
    trace.join("call", "c")
    trace.learn("6001", PEER)
    assert (len(trace), heard, trace.legs.call_of("c")) == (0, [], "")
    assert trace.directory.name(PEER, ["6001"]) == "192.0.2.1:5061"


def test_entries_of_a_transport_are_tuples_that_the_collector_leaves_alone() -> None:
    trace = recorder(2)
    message = request("OPTIONS", "6001", "6002", "c", 1)
    message.call = "call-1"
    trace.linked(("SM", "CM"), message)
    gc.collect()
    trace.sent(FakeFlow(PEER), message, message.encode())
    trace.linked(("SM", "CM"), message)
    for _ in range(2):  # an address may be a tuple of its own, which is left alone first
        gc.collect()
    assert not gc.is_tracked(trace._ring[0])
    assert trace.entries()[0] == (12.5, "out", "udp", PEER, message.encode(), "call-1", None)
    assert trace.entries()[1] == (12.5, "link", "memory", ("SM", "CM"), message.encode(), "call-1", None)


def test_listeners_hear_until_they_leave() -> None:
    trace, heard = recorder(3), list[Entry]()
    trace.add_listener(heard.append)
    trace.received(FakeFlow(PEER), b"1")
    trace.remove_listener(heard.append)
    trace.received(FakeFlow(PEER), b"2")
    trace.remove_listener(heard.append)
    assert [entry[4] for entry in heard] == [b"1"]


def test_legs_are_bounded_and_named_by_their_first() -> None:
    legs = Legs(limit=2)
    legs.join("call-1", "a")
    legs.join("call-1", "b")
    assert (legs.call_of("a"), legs.call_of("b"), legs.name_of("call-1")) == ("a", "a", "a")
    legs.join("call-2", "c")
    assert (legs.call_of("a"), legs.call_of("b"), legs.call_of("c")) == ("", "a", "c")


def test_legs_that_were_forgotten_join_their_call_under_its_old_name() -> None:
    legs = Legs(limit=2)
    for call, call_id in (("call-1", "a"), ("call-1", "b"), ("call-2", "c"), ("call-2", "d"), ("call-3", "e")):
        legs.join(call, call_id)
    assert legs.call_of("b") == ""
    for call_id in ("a", "b"):
        legs.join("call-1", call_id)
    assert (legs.call_of("a"), legs.call_of("b")) == ("a", "a")


def test_a_leg_may_move_to_another_call() -> None:
    legs = Legs()
    for call, call_id in (("call-1", "a"), ("call-2", "c"), ("call-2", "a")):
        legs.join(call, call_id)
    assert legs.call_of("a") == "c"


def test_users_behind_addresses_are_bounded() -> None:
    directory = Directory(limit=2)
    for port in (1, 2, 3):
        directory.learn("6001", ("192.0.2.1", port))
        directory.learn("6001", ("192.0.2.1", port))
    assert [directory.name(("192.0.2.1", port), []) for port in (1, 2, 3)] == ["192.0.2.1:1", "6001", "6001"]


def test_scene_clock_ticks() -> None:
    scene = Scene()
    scene.up("6001", request("OPTIONS", "6001", "6002", "c", 1))
    scene.up("6001", request("OPTIONS", "6001", "6002", "c", 2))
    assert [record["time"] for record in scene.records()] == [1000.25, 1000.5]
