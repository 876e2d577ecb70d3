"""The server that `b2bua run` makes, with its defaults but for the store, on a wire and a clock of ours."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from b2bua.config.settings import Settings
from b2bua.log.log import Log
from b2bua.service import Server
from b2bua.store.sqlite import SqliteStore
from b2bua.store.users_file import make_user
from b2bua.transaction.timers import TICK
from b2bua.transport.udp import UdpListener
from tests.load.in_process.phones import (
    CALLEE_USER,
    CALLER,
    CALLER_USER,
    DOMAIN,
    PASSWORD,
    SERVER,
    Address,
    Callee,
    Caller,
    Dialog,
    register,
)  # fmt: skip
from tests.load.in_process.wire import Wire

COMMIT_SECONDS = 10.0
LINGER = 70.0
"""Seconds after which nothing of an ended call stands any more (64·T1, twice, and a bit)."""


class _Reactor:
    """Calls nobody: the rig turns the wheel and drives the link itself."""

    def callLater(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        return

    def __init__(self) -> None:
        self.committed: SimpleQueue[Callable[[], object]] = SimpleQueue()
        """What the writer of a durable store has to tell."""

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        self.committed.put(partial(call, *arguments))

    def addReader(self, reader: object) -> None:
        return

    def removeReader(self, reader: object) -> None:
        return


class _Log(Log):
    """Costs what the real one costs; a mistake ends the run."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), time.time, time.monotonic, lambda function, *arguments: function(*arguments))

    def _take(self, event: str, fields: dict[str, object]) -> None:
        error = fields.get("exception")
        if isinstance(error, BaseException):
            raise RuntimeError(event) from error
        super()._take(event, fields)


class Rig:
    """One server and its two phones. `step` does one thing of the server's, whatever it is: a meter wraps it."""

    def __init__(self, trace: int = 10_000, pairs: int = 0, store: str = "memory:") -> None:
        """`pairs`: so many more callers and registered callees, who have the calls in turn."""
        self.now = 1000.0
        self._reactor = _Reactor()
        self.server = Server(Settings(domain=DOMAIN, store=store, trace=trace), self._reactor, _Log())
        # One clock for all: a machine that is busy elsewhere must not look like an overload.
        self.server.timers.now = self.server.loop_lag._now = self.server.admission._now = lambda: self.now
        self.server.timers._tick = int(self.now / TICK)
        server = self.server
        self.pairs = [(f"7{number:05}", f"8{number:05}") for number in range(pairs)]
        users = (CALLER_USER, CALLEE_USER, *(user for pair in self.pairs for user in pair))
        server.store.put_users([make_user(user, DOMAIN, PASSWORD) for user in users])
        self.wire = Wire()
        listener = UdpListener(server.received, server.recorder, server.observer)
        listener._bound, listener.name = SERVER, f"udp:{SERVER[0]}:{SERVER[1]}"
        listener._socket = self.wire  # type: ignore[assignment]  # the same three methods
        self.listener = listener
        server.listeners._listeners[listener.name] = listener
        server.domain.listens_on([SERVER])
        self.step: Callable[[], None] = self._step
        self._next: Callable[[], object] = listener.doRead
        self.caller, self.callee = Caller(self._put), Callee(self._put)
        self.datagrams = 0
        for callee in (CALLEE_USER, *(callee for _, callee in self.pairs)):
            register(self._put, self._one, callee)

    def _put(self, message: str, source: Address) -> None:
        self.wire.arrived.append((message.encode(), source))

    def _step(self) -> None:
        self._next()

    def _commits(self) -> bool:
        """Whether a commit is waited for: then it is what the server does next."""
        store = self.server.store
        waits = isinstance(store, SqliteStore) and bool(store._promises._pending)
        if waits:
            store._writer._hand_over()  # as its turn's end would have it
        self._next = self._reactor.committed.get(timeout=COMMIT_SECONDS) if waits else self.listener.doRead
        return waits

    def _one(self) -> str:
        self.listener.doRead()
        while not self.wire.left and self._commits():
            self._next()
        data, _ = self.wire.left.popleft()
        return data.decode()

    def call(self) -> None:
        """One hold call, from the first INVITE to the last 200; RuntimeError when it failed."""
        self.caller.place(*(self.pairs[self.caller.calls % len(self.pairs)] if self.pairs else ()))
        self._exchange()

    def stand(self, number: int) -> Dialog:
        """One call that stands, of the pair that has its turn; RuntimeError when it failed."""
        call = self.caller.stand(*self.pairs[number % len(self.pairs)])
        self._exchange()
        return call

    def hang_up(self, call: Dialog) -> None:
        """The caller of a call that stands hangs up; RuntimeError when that failed."""
        self.caller.hang_up(call)
        self._exchange()

    def _exchange(self) -> None:
        """Carry datagrams until neither side has one left."""
        wire = self.wire
        while wire.arrived or self._commits():
            self.datagrams += len(wire.arrived)
            self._next = self.listener.doRead if wire.arrived else self._next
            self.step()
            self.datagrams += len(wire.left)
            while wire.left:
                data, address = wire.left.popleft()
                (self.caller if address == CALLER else self.callee).received(data.decode())
        if self.caller.failures:
            raise RuntimeError(self.caller.failures[0])

    def turn(self, seconds: float, tick: Callable[[], None] | None = None) -> None:
        """Let time pass, tick by tick; `tick` in place of the wheel's own turn, for a meter."""
        for _ in range(int(seconds / TICK)):
            self.now += TICK
            (tick or self.server._turn_wheel)()
