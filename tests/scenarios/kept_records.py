"""A store in memory that outlives the server under test: what was committed is there for its next start."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from b2bua.store.interface import Done, StoreError


class KeptRecords:
    """Records by kind and key (`b2bua.store.interface.Records`). A write is committed when the server is done with what it
    was doing, as by the thread of a real one, or while `slow` not before `commit`."""

    durable = True

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.expires: dict[tuple[str, str], float] = {}
        """Unix seconds, as ordered last."""
        self.starts = 0
        """How many servers have begun with it."""
        self.slow = False
        self.failing = False
        """Whether the disk takes nothing."""
        self.set_aside_for: list[str] = []
        self._owed: list[Callable[[], object]] = []
        """What the disk did not take, in order."""
        self._waiting: deque[tuple[Callable[[], object], Done | None]] = deque()

    def keep(self, kind: str, key: str, text: str, expires_at: float, done: Done | None = None) -> None:
        self.expires[kind, key] = expires_at
        self._waiting.append((partial(self.kept.__setitem__, (kind, key), text), done))

    def drop(self, kind: str, key: str, done: Done | None = None) -> None:
        self._waiting.append((partial(self.kept.pop, (kind, key), None), done))

    def records(self, kind: str) -> Sequence[tuple[str, str]]:
        return [(key, text) for (known, key), text in self.kept.items() if known == kind]

    def set_aside(self, kind: str, key: str, reason: str) -> None:
        self.set_aside_for.append(reason)
        self.drop(kind, key)

    def turn(self) -> bool:
        """Commit what waits, unless the store is slow; whether there was anything."""
        return not self.slow and self.commit()

    def commit(self) -> bool:
        """Commit what waits, in one group; whether there was anything."""
        group, self._waiting = self._waiting, deque()
        error = StoreError("disk full") if self.failing else None
        self._owed += [write for write, _ in group]
        if error is None:
            for write in self._owed:
                write()
            self._owed.clear()
        for _, done in group:
            if done is not None:
                done(error)
        return bool(group)

    def look(self) -> None:
        """As once a second: what is owed is written, where the disk takes it again."""
        if self._owed and not self.failing:
            self.commit()

    def crash(self) -> None:
        """The process is gone: what was not committed never was."""
        self._waiting.clear()
        self._owed.clear()
        self.slow = False
        self.starts += 1
