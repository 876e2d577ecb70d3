"""Checks a machine against a figure written by hand: every pair of state and event, over UDP and over a connection.

A row says what must be seen, in words and in order. A pair without a row must change and show nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, NamedTuple

from b2bua.sip.message import Response
from b2bua.sip.why import Why, decisions
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.machine import Event, State, Table, Transition, to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TICK, Timer, Timers, Waiting
from tests.transaction.neighbours import ClientRecorder, FakeFlow, reply, request

Pair = tuple[State, Event]
Machine = ClientTransaction | ServerTransaction
UDP = "udp"
TCP = "tcp"
CANCELLED = "cancelled before the first answer"

STATUS = {Event.PROVISIONAL: 180, Event.SUCCESS: 200, Event.FAILURE: 486}


class Row(NamedTuple):
    """What is seen in one pair: `then` is the next state, `seen` the words between bars."""

    then: State
    seen: str


class Watch:
    """What runs on a wheel, seen from outside: what began or ended since one last looked is told, in words."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._known: dict[Waiting, str] = {}

    def look(self) -> Iterator[str]:
        """`stop G`, `start H 32`: ends first, each time the timer of retransmissions before the long one."""
        running = self._running()
        ended = [(one, name) for one, name in self._known.items() if running.get(one) != name]
        begun = [(one, name) for one, name in running.items() if self._known.get(one) != name]
        self._known = running
        for _, name in sorted(ended, key=_retransmission_first):
            yield f"stop {name}"
        for one, name in sorted(begun, key=_retransmission_first):
            yield f"start {name} {one.tick * TICK:g}"

    def find(self, name: str) -> Waiting | None:
        """What runs under this name."""
        return next((one for one, known in self._running().items() if known == name), None)

    def forget(self, one: Waiting) -> None:
        """It runs out: its end is no stop."""
        self._known.pop(one, None)

    def _running(self) -> dict[Waiting, str]:
        standing = chain.from_iterable(filter(None, self._timers._slots))
        return {one: _name_of(one) for one in standing if one.tick}


_WHEEL: Final = Timers(lambda: 0.0)


def empty_wheel() -> Timers:
    """The one wheel, empty: a thousand scenes make none each. Its clock stands still."""
    for slot in filter(None, _WHEEL._slots):
        slot.clear()
    return _WHEEL


def _name_of(waiting: Any) -> str:
    """The letter of a timer: of the method that it calls, or of what a machine waits for."""
    name: str = waiting.callback.__name__ if isinstance(waiting, Timer) else waiting.due
    return name[-1].upper()


def _retransmission_first(entry: tuple[Any, str]) -> bool:
    return not isinstance(entry[0], Timer)


class Scene:
    """One transaction in one state; `seen` is what happened since it got there."""

    def __init__(self, figure: Figure, variant: str, road: Iterable[Event]) -> None:
        self.seen: list[str] = []
        log = self.log
        self.flow = FakeFlow(variant == TCP, log=log)
        self.timers = empty_wheel()
        self.watch = Watch(self.timers)
        via = f"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport={self.flow.remote[1]}"
        self.request = request(figure.method, via=via)
        kind = figure.kind
        self.machine: Machine
        machine: Any
        if issubclass(figure.kind, ClientTransaction):
            machine = kind(self.request, self.flow, ClientRecorder(log), self, self.request.top_via.branch)
            machine.start()
            if variant == CANCELLED:
                machine.cancel()
        else:
            machine = kind(self.request, self.flow, ("z9hG4bK1", figure.method), self)
            machine.acknowledged = lambda: log("told")
        self.machine = machine
        for event in road:
            self.happen(event)
        self.look()
        self.seen.clear()

    def log(self, word: str) -> None:
        """Whatever is seen comes here; what happened to timers before it stands before it."""
        self.look()
        self.seen.append(word)

    def look(self) -> None:
        self.seen.extend(self.watch.look())

    # -- the owner of the machine ----------------------------------------------------------------------------

    def client_ended(self, transaction: ClientTransaction) -> None:
        self.log("ended")

    def server_ended(self, transaction: ServerTransaction) -> None:
        self.log("ended")

    def retransmitted(self, method: str, why: Why) -> None:
        self.log(f"count {method}")
        assert len(decisions(why)) == 1, "each copy says why it is sent"

    def gave_up(self, data: bytes, why: Why) -> None:
        self.log("gave up")
        assert data and decisions(why)

    def unanswered(self, transaction: ServerTransaction) -> None:
        self.log("unanswered")

    def send_cancel(self, cancel: Any, flow: FakeFlow) -> None:
        flow.send(cancel)

    # -- what happens to it ----------------------------------------------------------------------------------

    def happen(self, event: Event) -> None:
        """A message, or a timer: the running one of that name, or one that comes late."""
        had_request = self.machine.request is not None
        if event.startswith("timer"):
            running = self.watch.find(event[-1])
            if running is not None:
                self.watch.forget(running)
                running.expire()
            else:
                self.machine.fire(event)
        else:
            self.machine.fire(event, self._message(event))
        self.look()
        if had_request and self.machine.request is None:
            self.seen.append("forgot")

    def _message(self, event: Event) -> Any:
        status = STATUS.get(event)
        if status is not None:
            response: Response = reply(self.request, status)
            return response
        return self.request if event in (Event.REQUEST, Event.ACK) else None


class Figure(NamedTuple):
    """A machine, and the figure it must be: rows by variant."""

    kind: type[Any]
    method: str
    table: Table
    states: tuple[State, ...]
    events: tuple[Event, ...]
    ignored: frozenset[Pair]
    roads: dict[State, tuple[Event, ...]]
    rows: dict[str, dict[Pair, Row]]

    def pairs(self) -> list[Pair]:
        return [(state, event) for state in self.states for event in self.events]

    def unlisted(self) -> list[Pair]:
        """Pairs that stand neither or in both of table and ignored, or that no state and event of the figure make."""
        pairs = self.pairs()
        known = [*self.table, *self.ignored]
        return [pair for pair in pairs if (pair in self.table) == (pair in self.ignored)] + [
            pair for pair in known if pair not in pairs
        ]

    def wrong(self, table: Table) -> list[tuple[str, State, Event, Row, Row]]:
        """Every pair in which a machine with this table does something else than the figure: wanted, seen."""
        return list(self._differences(table))

    def differs(self, table: Table) -> bool:
        return next(self._differences(table), None) is not None

    def _differences(self, table: Table) -> Iterator[tuple[str, State, Event, Row, Row]]:
        for variant, rows in self.rows.items():
            for state, event in self.pairs():
                if variant == CANCELLED and (state, event) not in rows:
                    continue
                scene = Scene(self, variant, self.roads[state])
                if scene.machine.state is not state:
                    continue  # over a connection the timers of 0 s are over at once: see `reached`
                with self._table(table):
                    scene.happen(event)
                wanted = rows.get((state, event), Row(state, ""))
                seen = Row(scene.machine.state, " | ".join(scene.seen))
                if seen != wanted:
                    yield variant, state, event, wanted, seen

    @contextmanager
    def _table(self, table: Table) -> Iterator[None]:
        """Every machine of the kind runs by this table meanwhile."""
        self.kind.table = table
        try:
            yield
        finally:
            self.kind.table = self.table

    def reached(self, variant: str) -> set[State]:
        """The states that a machine can stand in."""
        return {state for state in self.states if Scene(self, variant, self.roads[state]).machine.state is state}

    def mutants(self) -> Iterator[tuple[str, Table]]:
        """The table with one thing wrong: an arrow removed, redirected, short of one action, or one too many."""
        for pair, transition in self.table.items():
            rest = {key: value for key, value in self.table.items() if key != pair}
            yield f"{pair} removed", rest
            for state in self.states:
                if state is not transition.state:
                    yield f"{pair} redirected to {state}", {**rest, pair: Transition(state, transition.actions)}
            for action in transition.actions:
                actions = tuple(other for other in transition.actions if other is not action)
                yield f"{pair} without {action.__name__}", {**rest, pair: to(transition.state, *actions)}
        for pair in self.ignored:
            for state in self.states:
                if state is not pair[0]:
                    yield f"{pair} not ignored, to {state}", {**self.table, pair: to(state)}

    def survivors(self) -> list[str]:
        """The mutants that the checker takes for the figure."""
        return [name for name, table in self.mutants() if not self.differs(table)]
