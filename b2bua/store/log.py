"""The store's log. It is written on the writer's thread too, where a closed standard error must harm nothing."""

from __future__ import annotations

from contextlib import suppress

import structlog

_log = structlog.get_logger("b2bua.store")


def warn(event: str, **fields: object) -> None:
    """Something was passed over or set aside; the store goes on."""
    with suppress(OSError, ValueError):  # ValueError: the stream was closed.
        _log.warning(event, **fields)


def fail(event: str, **fields: object) -> None:
    """A promise could not be kept; `exc_info=True` adds the traceback."""
    with suppress(OSError, ValueError):
        _log.error(event, **fields)
