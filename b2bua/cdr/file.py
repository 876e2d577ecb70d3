"""The file of call detail records: a thread of its own writes it, so that no disk holds up a call.

Each record is on the disk (fsync) before it is told to be written. What cannot be written is tried again every second; a line
that was begun is taken back, in a file that a dying process left behind, too.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from b2bua.log.events import Say

MOST_OWED: Final = 10_000
"""Lines that wait for a disk that takes none; the oldest of more than that are lost, unless the store has them."""
GROUP: Final = 500
"""Lines in one write at most."""
TRY_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 2.0
"""How long the end of the process waits for the disk."""
LOOKED_AT: Final = 16 * 1024 * 1024
"""Bytes at the end of a file in which a line of before a restart is looked for."""

Post = Callable[..., object]
Written = Callable[[str], None]


class _Line(NamedTuple):
    name: str
    text: str
    written: Callable[[], None]


class _Recovered(NamedTuple):
    lines: Mapping[str, str]
    written: Written


class _Opened(NamedTuple):
    """From here on this file; the same one is opened anew, as it may have been moved away."""

    path: Path | None


_Job = _Line | _Recovered | _Opened | None


def check_file(path: Path) -> None:
    """OSError where there can be no such file; makes it."""
    os.close(_open(path))


class CdrFile:
    """`path` None: nothing is written. `node`: who we are, in each record. `post` runs a function on the caller's thread.

    `failed` hears of each outage, and of each line that is lost.
    """

    def __init__(self, path: Path | None, node: str, post: Post, log: Say, failed: Callable[[], object]) -> None:
        self.node = node
        self.path = path
        """Where records are written from now on; None: they are not."""
        self.on = path is not None
        self._post = post
        self._log = log
        self._failed = failed
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._path = path  # of the thread
        self._file: int | None = None
        self._owed: list[_Line] = []
        self._down = False
        self._thread: threading.Thread | None = None
        if self.on:
            self._start()

    # -- on the caller's thread --------------------------------------------------------------------------------

    def write(self, name: str, text: str, written: Callable[[], None]) -> None:
        """One line, of the call `name`; `written` is called once it is on the disk."""
        self._queue.put(_Line(name, text, written))

    def recover(self, lines: Mapping[str, str], written: Written) -> None:
        """Lines that an earlier process may have written: those that the file does not have are."""
        self._queue.put(_Recovered(lines, written))

    def follow(self, path: Path | None) -> None:
        """After a reload: this file, opened anew."""
        self.path = path
        self.on = path is not None
        if self.on and self._thread is None:
            self._start()
        self._queue.put(_Opened(path))

    def close(self) -> None:
        """Write what is waiting, as far as the disk takes it. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.on = False
            self._queue.put(None)
            thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="b2bua-cdr", daemon=True)
        self._thread.start()

    # -- in the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        over = False
        while not over:
            try:
                jobs = [self._queue.get(timeout=TRY_SECONDS if self._owed else None)]
            except queue.Empty:
                jobs = []
            while len(jobs) < GROUP and not self._queue.empty():
                jobs.append(self._queue.get())
            for job in jobs:
                over = over or job is None
                self._take(job)
            self._write_owed()
        self._close_file()

    def _take(self, job: _Job) -> None:
        if isinstance(job, _Line):
            self._owed.append(job)
            if len(self._owed) > MOST_OWED:
                lost = self._owed.pop(0)
                self._log("cdr_lost", call=lost.name)
                self._post(self._failed)
        elif isinstance(job, _Recovered):
            self._look_for(job)
        elif isinstance(job, _Opened):
            self._write_owed()  # what came before belongs to the old file
            self._close_file()
            self._path = job.path

    def _look_for(self, job: _Recovered) -> None:
        known = set() if self._path is None else _names_in(self._path, job.lines)
        for name, text in job.lines.items():
            written = partial(job.written, name)
            if name in known:
                self._post(written)
            else:
                self._owed.append(_Line(name, text, written))

    def _write_owed(self) -> None:
        while self._owed and self._path is not None:
            lines = self._owed[:GROUP]
            try:
                self._append("".join(f"{line.text}\n" for line in lines).encode())
            except OSError as error:
                self._close_file()
                if not self._down:
                    self._log("cdr_failed", path=str(self._path), reason=error.strerror or str(error))
                    self._post(self._failed)
                self._down = True
                return
            del self._owed[:GROUP]
            if self._down:
                self._down = False
                self._log("cdr_written_again", path=str(self._path), owed=len(self._owed))
            for line in lines:
                self._post(line.written)

    def _append(self, data: bytes) -> None:
        """All of it on the disk, or nothing of it."""
        if self._file is None:
            assert self._path is not None
            self._file = _open(self._path)
            _mend(self._file)
        before = os.fstat(self._file).st_size
        try:
            sent = os.write(self._file, data)
            if sent < len(data):
                sent += os.write(self._file, data[sent:])  # says why, where the disk is full
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open(path: Path) -> int:
    # Who called whom is for the owner's eyes.
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _mend(file: int) -> None:
    """Take back a line that was begun when the process or the machine died."""
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, 65_536), max(size - 65_536, 0))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(file, size - (len(tail) - (tail.rfind(b"\n") + 1)))


def _names_in(path: Path, lines: Mapping[str, str]) -> set[str]:
    """Which of these calls have a whole line in the file, or in the one that was last moved away from its place."""
    beside = path.with_name(path.name + ".1")
    found: set[str] = set()
    for one in (path, beside):
        try:
            with one.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - LOOKED_AT, 0))
                whole = file.read().rpartition(b"\n")[0]
        except OSError:
            continue
        found |= _among(whole.split(b"\n"), lines)
    return found


def _among(written: Sequence[bytes], lines: Mapping[str, str]) -> set[str]:
    there = set(written)
    return {name for name, text in lines.items() if text.encode() in there}
