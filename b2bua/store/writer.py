"""The one thread that touches the database: it commits whatever has gathered as soon as it is idle (group commit).

Jobs are handed over once in a turn of the caller's thread, when it is about to sleep: handed over one by one they would
have the two threads win Python's lock from each other around every system call of that turn, for groups of one. So a lone
write is committed at once, and groups form under load only.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from b2bua.log.events import Say, quiet
from b2bua.store.interface import Done, StoreError
from b2bua.store.record_writes import ROWS, RecordWrite, write_all

GROUP_LIMIT: Final = 1000
"""Most jobs in one commit: the cost per row falls no further beyond (8.5 µs), while the wait of the first one grows."""

CLOSE_SECONDS: Final = 4.0
"""How long closing may wait: the process has 5 s to end after SIGTERM."""

Result = TypeVar("Result")


class BadWrite(StoreError):
    """What was to be written is wrong in itself, or comes too late; the disk has nothing to do with it."""


Job = Callable[[sqlite3.Connection], object]
Post = Callable[..., object]
"""`call_soon_threadsafe(function, *arguments)`: runs the function later on the caller's thread."""
Defer = Callable[[Callable[[], None]], object]
"""`defer(function)`, on the caller's thread: runs the function once when its turn ends (the reactor's `callLater(0, …)`)."""


def at_once(function: Callable[[], None]) -> None:
    """The `Defer` of a caller without turns: a command, not a reactor."""
    function()


class _Work(NamedTuple):
    job: Job
    done: Done | None
    posted: bool
    """Whether `done` belongs on the caller's thread, or may run on the writer's."""
    writes: bool = True
    """Whether it changes anything: a look that succeeds does not show that the disk takes writes again."""


class Writer:
    """Owns the connection from its construction to `close`. `name` stands before errors: the file's path."""

    def __init__(
        self, database: sqlite3.Connection, name: str, post: Post, log: Say = quiet, defer: Defer = at_once
    ) -> None:
        self._database = database
        self._name = name
        self._post = post
        self._log = log
        self._defer = defer
        self._gathered: list[_Work] = []
        """Submitted in this turn."""
        self._queue: queue.SimpleQueue[Sequence[_Work]] = queue.SimpleQueue()
        """Nothing at all is the sign to end."""
        self._ordered = self._taken = 0
        """Jobs so far; the thread counts those it takes."""
        self._closed = False
        self._write_failed = self._look_failed = False
        self._thread = threading.Thread(target=self._run, name="b2bua-store", daemon=True)
        self._thread.start()

    @property
    def failing(self) -> bool:
        """Whether the last commit failed, of those that wrote or of those that only looked."""
        return self._write_failed or self._look_failed

    @property
    def waiting(self) -> int:
        """Jobs that the thread has not come to."""
        return self._ordered - self._taken

    def submit(self, job: Job, done: Done | None = None, writes: bool = True) -> None:
        """Run a job in the next commit; `done` follows on the caller's thread."""
        if self._closed:
            if done is not None:
                self._post(done, BadWrite(f"{self._name}: the store is closed"))
        else:
            self._gather(_Work(job, done, True, writes))
            if len(self._gathered) == 1:
                self._defer(self._hand_over)

    def run(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a job and wait for its commit; StoreError when it fails."""
        if self._closed:
            raise StoreError(f"{self._name}: the store is closed")
        outcome: Future[Result] = Future()
        results: list[Result] = []

        def done(error: StoreError | None) -> None:
            if error is None:
                outcome.set_result(results[-1])
            else:
                outcome.set_exception(error)

        self._gather(_Work(lambda database: results.append(job(database)), done, False))
        self._hand_over()
        return outcome.result()

    def close(self) -> None:
        """Commit what is queued, then close the database. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._queue.put(())
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self._log("store_not_closed", path=self._name)

    def _gather(self, work: _Work) -> None:
        self._ordered += 1
        self._gathered.append(work)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _run(self) -> None:
        going_on, works = True, list[_Work]()
        while going_on or works:
            # Never waits while there is work: this thread alone takes from the queue.
            while going_on and (not works or (len(works) < GROUP_LIMIT and not self._queue.empty())):
                more = self._queue.get()
                works += more
                going_on = bool(more)
            group, works = works[:GROUP_LIMIT], works[GROUP_LIMIT:]
            self._taken += len(group)
            if group:
                self._serve(group)
        self._database.close()

    def _serve(self, works: Sequence[_Work]) -> None:
        error = self._commit(works)
        together = list(works)
        if error is not None and len(works) > 1:
            # One that is wrong in itself takes no others with it, and a full disk nobody who waits or only reads.
            wrong = isinstance(error, BadWrite)
            together = [work for work in works if not wrong and work.posted and work.writes]
            for work in works:
                if wrong or not (work.posted and work.writes):
                    self._serve([work])
        if together:
            self._note(together, error)
            self._tell(together, error)

    def _commit(self, works: Sequence[_Work]) -> StoreError | None:
        database = self._database
        writes = [work.job for work in works if isinstance(work.job, RecordWrite)]
        try:
            if len(writes) == len(works) <= ROWS:  # as nearly always under load: one statement, which commits itself
                write_all(database, writes)
                return None
            database.execute("BEGIN IMMEDIATE")
            writes.clear()
            for work in works:
                if isinstance(work.job, RecordWrite):
                    writes.append(work.job)
                    continue
                write_all(database, writes)
                writes.clear()
                work.job(database)
            write_all(database, writes)
            database.execute("COMMIT")
        except Exception as error:  # Whatever it was, this thread must live on and every caller must hear of it.
            with suppress(sqlite3.Error):
                if database.in_transaction:
                    database.execute("ROLLBACK")
            # What the disk, or a lock, has to do with is an OperationalError; damage is a plain DatabaseError.
            ours = not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError
            return (BadWrite if ours else StoreError)(f"{self._name}: {error}")
        return None

    def _note(self, works: Sequence[_Work], error: StoreError | None) -> None:
        """Whoever ordered a write hears of its failure. A look that fails is told once, not with each try."""
        if error is not None and not self._look_failed and any(work.posted and not work.writes for work in works):
            self._log("store_unreadable", path=self._name, reason=str(error))
        self._look_failed = error is not None
        if any(work.writes for work in works):
            self._write_failed = error is not None

    def _tell(self, works: Sequence[_Work], error: StoreError | None) -> None:
        waiting = []
        for work in works:
            if work.done is None:
                continue
            if work.posted:
                waiting.append(work.done)
            else:
                work.done(error)
        if waiting:  # One wake-up of the caller's thread per commit, not one per job.
            self._post(call_all, waiting, error, self._log)


def call_all(waiting: Sequence[Done], error: StoreError | None, log: Say) -> None:
    """Tell each of them how it went."""
    for done in waiting:
        try:
            done(error)
        except Exception as mistake:  # One callback's must not take the answers of the others in the group.
            log("store_callback_failed", exception=mistake)
