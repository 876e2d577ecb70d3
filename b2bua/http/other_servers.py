"""The trace of this server and of others as one, for its console: asked over HTTP, ours too, by a thread of its own.

What one of them does not answer is told beside the rest, and keeps nobody waiting for longer than its connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Semaphore, Thread
from typing import Any, Final, NamedTuple

from b2bua.trace.filters import Criteria, select
from b2bua.trace.servers import Server, kept

MOST: Final = 4
"""Questions at a time."""


class Together(NamedTuple):
    """One trace of all that answered."""

    records: list[dict[str, Any]]
    silent: list[str]
    """`NAME: why` of each that did not."""


class OtherServers:
    """`ours` is this server's own address, first in the list."""

    def __init__(self, ours: Server, others: Sequence[Server]) -> None:
        self._servers = (ours, *others)
        self._room = Semaphore(MOST)

    def ask(self, criteria: Criteria, since: float) -> Future[Together]:
        """What all have kept, or have on disk from a time on; the future fails with OSError when too much is asked at once."""
        answer: Future[Together] = Future()
        if not self._room.acquire(blocking=False):
            answer.set_exception(OSError("too many are asking"))
            return answer
        answer.add_done_callback(lambda _: self._room.release())
        query = {"since": repr(since)} if since else {}
        Thread(target=self._run, args=(answer, criteria, query), name="other servers", daemon=True).start()
        return answer

    def _run(self, answer: Future[Together], criteria: Criteria, query: dict[str, str]) -> None:
        silent: list[str] = []
        if not answer.set_running_or_notify_cancel():
            return
        try:
            records = select(criteria, kept(self._servers, query, silent))
        except Exception as error:  # whoever waits hears of it
            answer.set_exception(error)
        else:
            answer.set_result(Together([dict(record) for record in records], silent))
