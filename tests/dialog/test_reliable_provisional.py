"""RFC 3262 §3 and §4 as machines: every pair of state and event, the numbers, and the seconds."""

from __future__ import annotations

from itertools import pairwise, product
from math import inf

import pytest

from b2bua.dialog.reliable_provisional import (
    IGNORED,
    TABLE,
    Action,
    Event,
    Order,
    ReliableReceiver,
    ReliableSender,
    State,
    demands,
    supports,
)
from b2bua.sip.message import Request
from b2bua.sip.rack import RAck

NOW, FIRST, CSEQ = 1000.0, 4711, 2

# What must be seen, written by hand: state | event → next state | action. Nothing else is to happen.
ROWS = """
clear    | sent         | open     | send
clear    | final        | over     | nothing
open     | sent         | open     | queue
open     | acknowledged | clear    | next
open     | due          | open     | repeat
open     | expired      | over     | reject
open     | final        | answered | nothing
answered | acknowledged | over     | nothing
"""
EXPECTED = {
    (State(state), Event(event)): (State(then), Action(action))
    for state, event, then, action in ([cell.strip() for cell in row.split("|")] for row in ROWS.strip().splitlines())
}
ROADS = {
    State.CLEAR: (),
    State.OPEN: (Event.SENT,),
    State.ANSWERED: (Event.SENT, Event.FINAL),
    State.OVER: (Event.FINAL,),
}


def happen(sender: ReliableSender, event: Event) -> Action:
    if event is Event.SENT:
        return sender.send(NOW)
    if event is Event.ACKNOWLEDGED:
        return sender.acknowledged()
    if event is Event.FINAL:
        return sender.final()
    return sender.due(NOW + 1 if event is Event.DUE else NOW + 32)


def in_state(state: State) -> ReliableSender:
    sender = ReliableSender(FIRST)
    for event in ROADS[state]:
        happen(sender, event)
    assert sender.state is state
    return sender


def test_every_pair_is_in_the_table_or_ignored() -> None:
    assert set(TABLE) | IGNORED == set(product(State, Event))
    assert not set(TABLE) & IGNORED
    assert set(EXPECTED) == set(TABLE)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    sender = in_state(state)
    if event is Event.EXPIRED and state is not State.OPEN:
        sender._limit = NOW + 32  # as if a timer had run
    action = happen(sender, event)
    assert (sender.state, action) == EXPECTED.get((state, event), (state, Action.NOTHING))
    if (sender.state, event) != (State.OPEN, Event.DUE) and sender.state is not State.OPEN and (state, event) in EXPECTED:
        assert sender.wake == inf


def test_repeated_at_t1_doubling_without_a_bound_until_64_t1() -> None:
    sender = in_state(State.OPEN)
    times = []
    while sender.state is State.OPEN and len(times) < 20:
        times.append(sender.wake - NOW)
        assert sender.due(sender.wake) is (Action.REPEAT if times[-1] < 32 else Action.REJECT)
    assert times == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32]
    assert sender.state is State.OVER and sender.wake == inf


def test_each_response_begins_at_t1_again_with_the_next_number() -> None:
    sender = in_state(State.OPEN)
    numbers = [sender.rseq]
    sender.due(NOW + 0.5)
    for step in range(1, 4):
        sender.acknowledged()
        assert sender.wake == inf
        sender.send(NOW + 10 * step)
        assert sender.wake == NOW + 10 * step + 0.5
        numbers.append(sender.rseq)
    assert numbers[0] == FIRST and all(after == before + 1 for before, after in pairwise(numbers))


@pytest.mark.parametrize(
    ("state", "rack", "matches"),
    [
        (State.OPEN, RAck(FIRST, CSEQ, "INVITE"), True),
        (State.ANSWERED, RAck(FIRST, CSEQ, "INVITE"), True),
        (State.OPEN, RAck(FIRST + 1, CSEQ, "INVITE"), False),
        (State.OPEN, RAck(FIRST, CSEQ + 1, "INVITE"), False),
        (State.OPEN, RAck(FIRST, CSEQ, "invite"), False),
        (State.CLEAR, RAck(0, CSEQ, "INVITE"), False),
        (State.OVER, RAck(0, CSEQ, "INVITE"), False),
    ],
)
def test_what_a_prack_matches(state: State, rack: RAck, matches: bool) -> None:
    assert in_state(state).matches(rack, CSEQ) is matches


def test_the_receiver_takes_them_in_order() -> None:
    receiver = ReliableReceiver()
    heard = [(7, Order.NEXT), (7, Order.REPEATED), (9, Order.GAP), (6, Order.REPEATED), (8, Order.NEXT), (9, Order.NEXT)]
    assert [receiver.take(rseq) for rseq, _ in heard] == [order for _, order in heard]
    assert receiver.rseq == 9


@pytest.mark.parametrize(
    ("lines", "known", "demanded"),
    [
        ([], False, False),
        (["Supported: timer"], False, False),
        (["Supported: timer, 100Rel"], True, False),
        (["Require: 100rel"], True, True),
        (["Supported: timer", "Supported: 100rel"], True, False),
        (["Supported: timer", "Require: timer"], False, False),
    ],
)
def test_what_an_invite_says(lines: list[str], known: bool, demanded: bool) -> None:
    invite = Request("INVITE", "sip:6002@example.com", [line.partition(":")[0] for line in lines], lines)
    assert (supports(invite), demands(invite)) == (known, demanded)
