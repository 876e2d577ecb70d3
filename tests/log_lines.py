"""The log as tests read it: the real one, whose lines are kept without time, level and area."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from b2bua.log.log import NO_LEVELS, Log


class _Kept(io.StringIO):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def write(self, text: str) -> int:
        head, *traceback = text.rstrip("\n").split("\n")
        self._lines.append("\n".join([head.split(maxsplit=3)[3], *traceback]))
        return len(text)


def _zero() -> float:
    return 0.0


def kept_log(lines: list[str], now: Callable[[], float] = _zero, levels: Mapping[str, str] = NO_LEVELS) -> Log:
    """A log that adds `event field=value …` to `lines`."""
    return Log(_Kept(lines), now, now, lambda function, *arguments: function(*arguments), levels=levels)
