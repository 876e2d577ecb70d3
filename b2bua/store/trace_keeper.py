"""The thread that keeps the trace on disk: whole batches, never waited for, bounded; a full disk stops the keeping alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any, Final

from b2bua.log.events import Say, quiet
from b2bua.store.trace_file import Name, Row, TraceFile

MOST_WAITING: Final = 64
"""Batches that wait for the thread; what comes on top is dropped and counted."""
RETRY: Final = 10.0
"""Seconds after a failure until the file is tried again; what comes meanwhile is dropped."""
SWEEP: Final = 30.0
"""Seconds between two looks at what is too old or too much."""

Batch = Callable[[], tuple[Sequence[Row], Sequence[Name]]]
"""Makes the rows: on the thread, for redacting them takes longer than writing them."""
Make = Callable[[Sequence[Row], Sequence[Name]], Any]
"""Makes of what was read what the reader wants: on the thread, too."""


class TraceKeeper:
    """`keep` seconds long. `wall` gives Unix seconds. `told(ok, lost)` hears on this thread after each batch whether the file
    took it, and how many messages were lost with it."""

    def __init__(
        self, path: Path, keep: float, most_bytes: int, wall: Callable[[], float], told: Callable[[bool, int], None],
        log: Say = quiet,
    ) -> None:  # fmt: skip
        self._path, self._keep, self._most_bytes, self._wall, self._told = path, keep, most_bytes, wall, told
        self._queue: Queue[tuple[Batch | None, int, tuple[Future[Any], float, Make] | None]] = Queue(MOST_WAITING)
        self._file: TraceFile | None = None
        self._failed_at = self._swept_at = 0.0
        self._failing = False
        self._log = log
        self._thread = Thread(target=self._run, name="trace keeper", daemon=True)
        self._thread.start()

    def put(self, batch: Batch, messages: int) -> bool:
        """Hand over so many messages; False when too much waits, and they are lost."""
        try:
            self._queue.put_nowait((batch, messages, None))
        except Full:
            return False
        return True

    def read(self, since: float, make: Make) -> Future[Any]:
        """What `make` makes of rows and names, all that was put before included; the future fails with OSError or sqlite3.Error,
        and may be cancelled."""
        asked: Future[Any] = Future()
        try:
            self._queue.put_nowait((None, 0, (asked, since, make)))
        except Full:
            asked.set_exception(OSError("too much waits to be written"))
        return asked

    def close(self, seconds: float = 2.0) -> None:
        """Write what was put, and end; wait no longer than this."""
        try:
            self._queue.put((None, 0, None), timeout=seconds)
        except Full:
            return  # the disk hangs; the thread ends with the process
        self._thread.join(seconds)

    # -- on the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            batch, messages, asked = self._queue.get()
            if batch is not None:
                self._write(batch, messages)
            elif asked is not None:
                self._answer(*asked)
            else:
                break
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TraceFile:
        if self._file is None:
            self._file = TraceFile(self._path, self._most_bytes, self._log)
        return self._file

    def _write(self, batch: Batch, messages: int) -> None:
        now = self._wall()
        if self._failing and now - self._failed_at < RETRY:
            self._told(False, messages)
            return
        try:
            file = self._opened()
            file.append(*batch())
            if now - self._swept_at >= SWEEP:
                self._swept_at = now
                file.forget_before(now - self._keep)
        except (OSError, sqlite3.Error) as error:
            self._fail(error, now, messages)
            return
        if self._failing:
            self._log("trace_kept_again", path=str(self._path))
        self._failing = False
        self._told(True, 0)

    def _fail(self, error: Exception, now: float, messages: int) -> None:
        if not self._failing:
            self._log("trace_not_kept", path=str(self._path), reason=str(error))
        self._failing, self._failed_at = True, now
        if self._file is not None:
            self._file.close()  # opened anew: the file may be another by then
            self._file = None
        self._told(False, messages)

    def _answer(self, asked: Future[Any], since: float, make: Make) -> None:
        if not asked.set_running_or_notify_cancel():
            return
        try:
            asked.set_result(make(*self._opened().read(since)))
        except (OSError, sqlite3.Error) as error:
            asked.set_exception(error)
