"""Writes that somebody waits for: told in time whether they are committed, and owed until they are.

A disk that is full, read-only or hangs holds nobody up: whoever waits hears of it within `PATIENCE`, whoever comes later at
once. What was to be written stays owed, the newest of each thing, and is written when the disk takes it; that is tried
with every look. An outage is one line in the log at its begin and one at its end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from b2bua.log.events import Say, quiet
from b2bua.store.interface import Done, StoreError
from b2bua.store.writer import BadWrite, Job, Post, Writer, call_all

PATIENCE: Final = 2.0
"""Seconds until a commit that does not come counts as failed: a phone repeats its request meanwhile (RFC 3261 §17.1.2.1) and
waits 32 s in all."""

PROBE_BYTES: Final = 65_536
"""Size of what is written to see whether the disk has room again: more than any record takes, or one that fits would end the
outage for a moment."""

_PROBE: Final = "probe"


class _Write:
    __slots__ = ("done", "at", "job", "what")

    def __init__(self, what: Hashable, job: Job, done: Done | None, at: float) -> None:
        self.what = what
        self.job = job
        self.done = done
        """None once its caller has been told that it is late."""
        self.at = at


class Promises:
    """Stands between a store and its writer, on the caller's thread. `name` is the file's path, `now` monotonic seconds."""

    def __init__(self, writer: Writer, name: str, post: Post, now: Callable[[], float], log: Say = quiet) -> None:
        self._writer = writer
        self._name = name
        self._post = post
        self._now = now
        self._log = log
        self._pending: dict[_Write, None] = {}
        """With the writer, oldest first."""
        self._newest: dict[Hashable, _Write] = {}
        """Of each thing, the newest that is with the writer."""
        self._put_off: dict[Hashable, Job] = {}
        """What goes with the next write: nobody waits for it, and a commit of its own would cost a turn of two threads."""
        self._owed: dict[Hashable, Job] = {}
        self._error: StoreError | None = None
        """Why the store is down; None while it is not."""
        self._down_since = 0.0
        self._clean = True
        """Whether nothing has failed in this try."""

    @property
    def down(self) -> bool:
        return self._error is not None

    def write(self, what: Hashable, job: Job, done: Done | None = None) -> None:
        """Write the new state of one thing. With an error `done` says that nothing is promised; the state is owed then, until
        it is written or another of the same thing is ordered."""
        if self._error is None:
            self._submit(_Write(what, job, done, self._now()))
            return
        self._owed[what] = job
        if done is not None:
            self._post(call_all, [done], self._error, self._log)

    def put_off(self, what: Hashable, job: Job) -> None:
        """Write the new state of one thing with whatever is written next, or with the next look."""
        (self._put_off if self._error is None else self._owed)[what] = job

    def flush(self) -> None:
        """Hand what was put off to the writer."""
        put_off, self._put_off = self._put_off, {}
        for what, job in put_off.items():
            self._hand_over(_Write(what, job, None, self._now()))

    def look(self) -> None:
        """Called once a second: gives up what takes too long, and tries again while the store is down."""
        self.flush()
        late = [write for write in self._pending if write.at + PATIENCE <= self._now()]
        if late:
            self._fall(StoreError(f"{self._name}: no commit for {PATIENCE:g} s"))
            # All that stand behind the late one wait for the same disk.
            waiting = [write.done for write in self._pending if write.done is not None]
            for write in self._pending:
                write.done = None
            if waiting:
                self._post(call_all, waiting, self._error, self._log)
        elif self._error is not None and not self._pending:
            # Room is taken in one commit and given back in a later one: within one commit none would be needed.
            self._clean = True
            self._submit(_Write(_PROBE, _take, None, self._now()))
            self._settle()

    def close(self) -> None:
        """Let the writer try what is owed a last time, before it is closed itself."""
        self.flush()
        self._settle()

    def _submit(self, write: _Write) -> None:
        if self._put_off:
            self.flush()
        self._hand_over(write)

    def _hand_over(self, write: _Write) -> None:
        self._pending[write] = None
        self._newest[write.what] = write
        self._writer.submit(write.job, partial(self._written, write))

    def _written(self, write: _Write, error: StoreError | None) -> None:
        del self._pending[write]
        newest = self._newest.get(write.what) is write
        if newest:
            del self._newest[write.what]
        if error is not None and not isinstance(error, BadWrite):
            self._clean = False
            if newest:
                self._owed.setdefault(write.what, write.job)
            self._fall(error)
        elif self._error is not None and not self._pending and self._clean:
            self._rise()
        if write.done is not None:
            write.done(error)

    def _settle(self) -> None:
        """Hand everything that is owed to the writer."""
        owed, self._owed = self._owed, {}
        for what, job in owed.items():
            self._submit(_Write(what, job, None, self._now()))

    def _fall(self, error: StoreError) -> None:
        if self._error is None:
            self._down_since = self._now()
            self._log("store_down", path=self._name, reason=str(error))
        self._owed |= self._put_off
        self._put_off = {}
        self._error = error

    def _rise(self) -> None:
        self._error = None
        self._log("store_up", path=self._name, seconds=round(self._now() - self._down_since, 1), owed=len(self._owed))
        self._owed[_PROBE] = _give_back
        self._settle()


def _take(database: sqlite3.Connection) -> object:
    return database.execute("INSERT OR REPLACE INTO records VALUES ('', ?, '', 0, zeroblob(?))", (_PROBE, PROBE_BYTES))


def _give_back(database: sqlite3.Connection) -> object:
    return database.execute("DELETE FROM records WHERE realm = '' AND kind = ?", (_PROBE,))
