"""When the record of an open INVITE may go: by what its transaction is at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.observer import Observer
from b2bua.session_manager.open_invites import SWEEP, OpenInvites
from b2bua.store.invite_record import RECEIVED
from b2bua.transaction.machine import State
from b2bua.transaction.server_invite import STATES
from tests.transaction.neighbours import Element, request

OVER = (State.COMPLETED, State.CONFIRMED, State.TERMINATED)


class Records:
    """Remembers what is dropped."""

    def __init__(self) -> None:
        self.dropped: list[tuple[str, str]] = []

    def keep(self, kind: str, key: str, text: str, until: float, then: Callable[[Exception | None], None]) -> None:
        then(None)

    def drop(self, kind: str, key: str) -> None:
        self.dropped.append((kind, key))


class World(Element):
    """One INVITE of a phone's that has gone on."""

    def __init__(self) -> None:
        super().__init__()
        self.records = Records()
        # The records are no more than what these tests ask of them.
        self.open = OpenInvites(self.records, self.clock.now, self.clock.timers, Observer(), lambda _: None)  # type: ignore[arg-type]
        self.invite = request("INVITE")
        self.receive(self.invite)
        self.open.waits(self.invite, "key", self.transaction())


@pytest.mark.parametrize("state", STATES)
def test_a_refusal_that_is_acknowledged(state: State) -> None:
    world = World()
    world.transaction().state = state
    told = world.transaction().acknowledged
    assert told is not None
    told()
    assert world.records.dropped == ([(RECEIVED, "key")] if state in OVER else [])


@pytest.mark.parametrize("state", STATES)
def test_the_ack_of_a_2xx(state: State) -> None:
    """Of a fork that was given up the branches that still ring stay."""
    world = World()
    world.transaction().state = state
    world.open.acknowledged(request("ACK"))
    assert world.records.dropped == ([(RECEIVED, "key")] if state in (*OVER, State.ACCEPTED) else [])


@pytest.mark.parametrize("state", STATES)
def test_what_nobody_acknowledges_goes_in_time(state: State) -> None:
    world = World()
    world.transaction().state = state
    world.clock.pass_time(SWEEP + 0.1)
    assert world.records.dropped == ([(RECEIVED, "key")] if state in OVER else [])
