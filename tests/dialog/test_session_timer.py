"""RFC 4028 §7.2, §9, §10 as a machine: every pair of state and event, and the seconds."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest

from b2bua.dialog.session_timer import IGNORED, TABLE, Action, Event, SessionTimer, State
from tests.mutation.tables import TABLES, mutants

NOW, INTERVAL, WAIT = 1000.0, 90.0, 7.0
HALF, EXPIRATION, EARLY, SOON = NOW + 45, NOW + 90, NOW + 60, NOW + WAIT

# What must be seen, written by hand: state | event → next state | wake | action. Nothing else is to happen.
ROWS = """
off        | 2xx, we refresh   | ours       | half       | nothing
off        | 2xx, they refresh | theirs     | early      | nothing
ours       | 2xx, we refresh   | ours       | half       | nothing
ours       | 2xx, they refresh | theirs     | early      | nothing
ours       | due               | refreshing | expiration | refresh
ours       | expired           | off        | never      | end
ours       | lost              | off        | never      | end
ours       | stopped           | off        | never      | nothing
refreshing | 2xx, we refresh   | ours       | half       | nothing
refreshing | 2xx, they refresh | theirs     | early      | nothing
refreshing | expired           | off        | never      | end
refreshing | deferred          | waiting    | soon       | nothing
refreshing | lost              | off        | never      | end
refreshing | stopped           | off        | never      | nothing
waiting    | 2xx, we refresh   | ours       | half       | nothing
waiting    | 2xx, they refresh | theirs     | early      | nothing
waiting    | due               | refreshing | expiration | refresh
waiting    | expired           | off        | never      | end
waiting    | lost              | off        | never      | end
waiting    | stopped           | off        | never      | nothing
theirs     | 2xx, we refresh   | ours       | half       | nothing
theirs     | 2xx, they refresh | theirs     | early      | nothing
theirs     | expired           | off        | never      | end
theirs     | lost              | off        | never      | end
theirs     | stopped           | off        | never      | nothing
"""
EXPECTED = {
    (State(state), Event(event)): (State(then), wake, Action(action))
    for state, event, then, wake, action in ([cell.strip() for cell in row.split("|")] for row in ROWS.strip().splitlines())
}
WAKES = {"half": HALF, "expiration": EXPIRATION, "early": EARLY, "soon": SOON, "never": inf}
ROADS = {
    State.OFF: (),
    State.OURS: (Event.AGREED_OURS,),
    State.REFRESHING: (Event.AGREED_OURS, Event.DUE),
    State.WAITING: (Event.AGREED_OURS, Event.DUE, Event.DEFERRED),
    State.THEIRS: (Event.AGREED_THEIRS,),
}


def happen(timer: SessionTimer, event: Event) -> Action:
    if event in (Event.AGREED_OURS, Event.AGREED_THEIRS):
        timer.agreed(NOW, INTERVAL, event is Event.AGREED_OURS)
        return Action.NOTHING
    return timer.fire(event, NOW, WAIT)


def in_state(state: State) -> SessionTimer:
    timer = SessionTimer()
    for event in ROADS[state]:
        happen(timer, event)
    assert timer.state is state
    return timer


def test_every_pair_stands_once() -> None:
    assert set(TABLE) == set(EXPECTED)
    assert set(TABLE) | IGNORED == set(product(State, Event)) and not set(TABLE) & IGNORED


def check_pair(state: State, event: Event) -> None:
    timer = in_state(state)
    before = timer.wake
    action = happen(timer, event)
    if (state, event) in IGNORED:
        assert (timer.state, timer.wake, action) == (state, before, Action.NOTHING)
        return
    then, wake, expected = EXPECTED[state, event]
    assert (timer.state, timer.wake, action) == (then, WAKES[wake], expected)


@pytest.mark.parametrize(("state", "event"), sorted(product(State, Event)))
def test_pair(state: State, event: Event) -> None:
    check_pair(state, event)


def test_an_agreement_asks_for_nothing() -> None:
    """Nobody reads what `agreed` would say."""
    agreements = [row for (_, event), row in TABLE.items() if event in (Event.AGREED_OURS, Event.AGREED_THEIRS)]
    assert len(agreements) == 10 and {row.action for row in agreements} == {Action.NOTHING}


def test_no_mutant_survives() -> None:
    """With anything wrong in the table some pair does not do what its row says."""
    [table] = [table for table in TABLES if table.identity == "session_timer.TABLE"]
    right, wrong = dict(TABLE), list(mutants(table))
    assert len(wrong) == 310
    survivors = []
    try:
        for mutant in wrong:
            TABLE.clear()
            TABLE.update(mutant.table)
            if not noticed():
                survivors.append(mutant.what)
    finally:
        TABLE.clear()
        TABLE.update(right)
    assert survivors == []


def noticed() -> bool:
    try:
        test_every_pair_stands_once()
        test_an_agreement_asks_for_nothing()
        for state, event in product(State, Event):
            check_pair(state, event)
    except AssertionError:
        return True
    return False


# ---- the seconds


@pytest.mark.parametrize(("interval", "ends"), [(1800, 1768), (96, 64), (90, 60), (30, 20), (3, 2)])
def test_who_waits_for_a_refresh_ends_the_session_before_it_expires(interval: float, ends: float) -> None:
    """SE − min(32, SE / 3) (RFC 4028 §10)."""
    timer = SessionTimer()
    timer.agreed(0, interval, False)
    assert timer.wake == timer.limit == ends
    assert timer.due(ends) is Action.END


def test_who_refreshes_does_so_at_half_and_ends_at_the_expiration() -> None:
    timer = SessionTimer()
    timer.agreed(100, 1800, True)
    assert timer.wake == 1000
    assert timer.due(1000) is Action.REFRESH
    assert timer.wake == 1900
    assert timer.due(1900) is Action.END
    assert timer.wake == inf


def test_a_2xx_begins_the_interval_anew_and_may_change_it() -> None:
    timer = SessionTimer()
    timer.agreed(0, 90, True)
    timer.due(45)
    timer.agreed(46, 200, True)
    assert (timer.state, timer.wake, timer.limit) == (State.OURS, 146, 246)


def test_a_refusal_does_not_move_the_expiration() -> None:
    timer = SessionTimer()
    timer.agreed(0, 90, True)
    timer.due(45)
    timer.fire(Event.DEFERRED, 46, 10)
    assert timer.wake == 56 and timer.due(56) is Action.REFRESH
    timer.fire(Event.DEFERRED, 57, 600)
    assert timer.wake == 90 and timer.due(90) is Action.END


def test_a_process_that_stood_still_past_the_expiration_ends_the_session() -> None:
    timer = SessionTimer()
    timer.agreed(0, 90, True)
    assert timer.due(91) is Action.END
