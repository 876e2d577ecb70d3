"""Checks a machine against a figure written by hand: every pair of state and event, over UDP and over a connection.

A row says what must be seen, in words and in order, and which bytes are kept then. A pair without a row must change and show
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, combinations
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from b2bua.sip.message import Response
from b2bua.sip.why import Why, decisions
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.machine import Action, Event, State, Table, Transition, to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TICK, Timer, Timers, Waiting
from tests.transaction.neighbours import ClientRecorder, FakeFlow, reply, request

Pair = tuple[State, Event]
Machine = ClientTransaction | ServerTransaction
UDP = "udp"
TCP = "tcp"
CANCELLED = "cancelled before the first answer"
BY_ANOTHER_ROAD = "by another road"
LATER: Final = 0.2
"""Seconds after a transaction got where it is: a timer that is begun anew is seen to be."""

STATUS = {Event.PROVISIONAL: 180, Event.SUCCESS: 200, Event.FAILURE: 486}


class Row(NamedTuple):
    """What is seen in one pair: `then` is the next state, `seen` the words between bars."""

    then: State
    seen: str


class Watch:
    """What runs on a wheel, seen from outside: what began or ended since one last looked is told, in words."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._known: dict[Waiting, Runs] = {}

    def look(self) -> Iterator[str]:
        """`stop G`, `start H 32`: ends first, each time the timer of retransmissions before the long one."""
        running = self._running()
        ended = [(one, runs) for one, runs in self._known.items() if one not in running or running[one].name != runs.name]
        begun = [(one, runs) for one, runs in running.items() if self._known.get(one) != runs]
        self._known = running
        for _, runs in sorted(ended, key=_retransmission_first):
            yield f"stop {runs.name}"
        for _, runs in sorted(begun, key=_retransmission_first):
            yield f"start {runs.name} {runs.until * TICK - self._timers.now():g}"

    def find(self, name: str) -> Waiting | None:
        """What runs under this name."""
        return next((one for one, runs in self._running().items() if runs.name == name), None)

    def forget(self, one: Waiting) -> None:
        """It runs out: its end is no stop."""
        self._known.pop(one, None)

    def _running(self) -> dict[Waiting, Runs]:
        standing = chain.from_iterable(filter(None, self._timers._slots))
        return {one: Runs(_name_of(one), one.tick) for one in standing if one.tick}


class Runs(NamedTuple):
    """A timer that runs: one begun anew runs until another tick."""

    name: str
    until: int


class _Clock:
    """Seconds, which stand still while something happens."""

    now = 0.0


_WHEEL: Final = Timers(lambda: _Clock.now)


def empty_wheel() -> Timers:
    """The one wheel, empty: a thousand scenes make none each."""
    _Clock.now = 0.0
    for slot in filter(None, _WHEEL._slots):
        slot.clear()
    return _WHEEL


def _name_of(waiting: Any) -> str:
    """The letter of a timer: of the method that it calls, or of what a machine waits for."""
    name: str = waiting.callback.__name__ if isinstance(waiting, Timer) else waiting.due
    return name[-1].upper()


def _retransmission_first(entry: tuple[Any, Runs]) -> bool:
    return not isinstance(entry[0], Timer)


def _kept(machine: Any) -> str:
    """What its bytes are, in a word."""
    data: bytes = machine._data
    return data.decode().removeprefix("SIP/2.0 ").split()[0] if data else "nothing"


class Scene:
    """One transaction in one state; `seen` is what happened since it got there."""

    def __init__(self, figure: Figure, variant: str, road: Iterable[Event]) -> None:
        self.seen: list[str] = []
        log = self.log
        self.flow = FakeFlow(variant == TCP, log=log)
        self.timers = empty_wheel()
        self.watch = Watch(self.timers)
        self._holder: Machine | None = None
        """Who keeps the request and, of a server, what its user has attached to it."""
        via = f"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport={self.flow.remote[1]}"
        self.request = request(figure.method, via=via)
        kind = figure.kind
        self.machine: Machine
        machine: Any
        if issubclass(figure.kind, ClientTransaction):
            machine = kind(self.request, self.flow, ClientRecorder(log), self, self.request.top_via.branch)
            if isinstance(machine, InviteClient):
                machine.failed = lambda: log("no 2xx")
            machine.start()
            if variant == CANCELLED:
                machine.cancel()
        else:
            machine = kind(self.request, self.flow, ("z9hG4bK1", figure.method), self)
            machine.attached = self
            machine.acknowledged = lambda: log("told")
        self.machine = machine
        self._holder = machine
        for event in road:
            self.happen(event)
        self.look()
        self.seen.clear()
        _Clock.now = LATER

    def log(self, word: str) -> None:
        """Whatever is seen comes here; what happened to timers and to the request before it stands before it."""
        self.look()
        self.seen.append(word)

    def look(self) -> None:
        self.seen.extend(self.watch.look())
        holder = self._holder
        if holder is not None and holder.request is None and getattr(holder, "attached", None) is None:
            self._holder = None
            self.seen.append("forgot")

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
        kept = _kept(self.machine)
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
        keeps = _kept(self.machine)
        if keeps != kept:
            self.seen.append(f"keeps {keeps}")

    def run(self, event: Event) -> None:
        """As it happens under a table that may be wrong: whatever it raises is seen."""
        try:
            self.happen(event)
        except Exception as error:
            self.seen.append(f"raised {type(error).__name__}")

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
    other_roads: Mapping[State, tuple[Event, ...]] = MappingProxyType({})
    """How the states of BY_ANOTHER_ROAD are reached, where that leaves something else behind."""

    def scene(self, variant: str, state: State) -> Scene:
        road = self.other_roads.get(state) if variant == BY_ANOTHER_ROAD else None
        return Scene(self, variant, self.roads[state] if road is None else road)

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
        return list(self._differences(table, self.pairs()))

    def differs(self, table: Table) -> bool:
        """For a table that has another entry in one pair: what does not begin there passes there at most."""
        changed = [pair for pair in self.pairs() if table.get(pair) != self.table.get(pair)]
        return any(next(self._differences(table, pairs), None) is not None for pairs in (changed, self._going_on()))

    def _going_on(self) -> list[Pair]:
        """The pairs that are not over where their arrow leads: a timer of 0 s fires on the way."""
        rows = chain.from_iterable(each.items() for each in self.rows.values())
        return list(dict.fromkeys(pair for pair, row in rows if pair in self.table and row.then is not self.table[pair].state))

    def _differences(self, table: Table, pairs: Iterable[Pair]) -> Iterator[tuple[str, State, Event, Row, Row]]:
        for variant, rows in self.rows.items():
            for state, event in pairs:
                scene = self.scene(variant, state)
                if scene.machine.state is not state:
                    continue  # over a connection the timers of 0 s are over at once: see `reached`
                with self._table(table):
                    scene.run(event)
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
        return {state for state in self.states if self.scene(variant, state).machine.state is state}

    def mutants(self) -> Iterator[tuple[str, Table]]:
        """The table with one thing wrong: an arrow removed or redirected, an action too few or too many, two of them the
        other way round; a pair that is ignored with an arrow, or with an action."""
        every = list(dict.fromkeys(action for transition in self.table.values() for action in transition.actions))
        for pair in self.pairs():
            about = f"{pair[0]}, {pair[1]}:"
            then, actions = self.table.get(pair, to(pair[0]))
            for name, transition in _wrong(then, actions, self.states, every):
                yield f"{about} {name}", {**self.table, pair: transition}
            if pair in self.table:
                yield f"{about} ignored", {key: value for key, value in self.table.items() if key != pair}

    def survivors(self) -> list[str]:
        """The mutants that the checker takes for the figure."""
        return [name for name, table in self.mutants() if not self.differs(table)]

    def misjudged(self, equivalent: Mapping[str, Iterable[str]]) -> list[str]:
        """The mutants that survive and do not stand, by a pattern, under a reason why they change nothing; those that stand
        there and are noticed; the patterns that stand for none. A compiled action refuses what is of another type than it
        takes, even where it looks at nothing: there one that stands may be noticed."""
        patterns = [pattern for each in equivalent.values() for pattern in each]
        listed = {name: [each for each in patterns if re.fullmatch(each, name)] for name, _ in self.mutants()}
        survivors = set(self.survivors())
        compiled = not hasattr(self.kind.fire, "__code__")
        wrong = [
            name for name, matching in listed.items()
            if bool(matching) != (name in survivors) and not (compiled and matching)
        ]  # fmt: skip
        return wrong + sorted(set(patterns) - {each for matching in listed.values() for each in matching})


def _wrong(
    then: State, actions: tuple[Action, ...], states: Iterable[State], every: list[Action]
) -> Iterator[tuple[str, Transition]]:
    """An arrow, or a pair that is ignored, with one thing wrong."""
    for state in states:
        if state is not then:
            yield f"to {state}", to(state, *actions)
    for index, action in enumerate(actions):
        yield f"without {action.__name__}", to(then, *actions[:index], *actions[index + 1 :])
    for first, second in combinations(range(len(actions)), 2):
        swapped = list(actions)
        swapped[first], swapped[second] = actions[second], actions[first]
        yield f"with {actions[first].__name__} and {actions[second].__name__} swapped", to(then, *swapped)
    for index in range(len(actions) + 1):
        where = f"before {actions[index].__name__}" if index < len(actions) else "at the end"
        for action in every:
            yield f"with {action.__name__} {where}", to(then, *actions[:index], action, *actions[index:])
