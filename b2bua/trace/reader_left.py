"""Whether whoever reads our standard output is still there: a pipe says so at the next write only, which may be long to come."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections.abc import Callable


def when_reader_left(then: Callable[[], None]) -> None:
    """`then` is called once, from a thread that ends with the process, when the reader of our standard output has gone.

    Where that is a terminal or a file nobody can go.
    """
    try:
        descriptor = sys.stdout.fileno()
        kind = os.fstat(descriptor).st_mode
    except (OSError, ValueError):  # it is no file at all, or closed
        return
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        threading.Thread(target=_wait, args=(descriptor, then), daemon=True).start()


def _wait(descriptor: int, then: Callable[[], None]) -> None:
    waiting = select.poll()
    waiting.register(descriptor, 0)  # an error (POLLERR) is told without being asked for
    waiting.poll()
    then()
