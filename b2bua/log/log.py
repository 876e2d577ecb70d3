"""The log of one process: takes events, leaves out what nobody wants or what comes too often, and hands on the rest.

An event whose area has its level off costs a look into a set.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import get_ident
from types import MappingProxyType
from typing import Final, TextIO

from b2bua.log.events import ALL, AREAS, EVENTS, INFO, LEVELS
from b2bua.log.line import JSON, TEXT, WRITTEN, Entry
from b2bua.log.ring import Ring
from b2bua.sip.uri import host_text
from b2bua.trace.redact import redact

LONGEST: Final = 300
"""Signs of a value at most: a peer decides how long a header is."""
LONGEST_TRACEBACK: Final = 8000
MINUTE: Final = 60.0

NO_LEVELS: Final[Mapping[str, str]] = MappingProxyType({})
Post = Callable[..., object]


class Log:
    """Callable as `log("event", field=value)`, from any thread.

    `stream` takes the lines; `wall` gives Unix seconds and `now` monotonic ones; `post` calls a function on the thread that
    made this (the reactor's `callFromThread`). `exception=error` becomes a traceback, without local variables.
    """

    def __init__(
        self, stream: TextIO, wall: Callable[[], float], now: Callable[[], float], post: Post,
        form: str = TEXT, levels: Mapping[str, str] = NO_LEVELS,
    ) -> None:  # fmt: skip
        self.ring = Ring()
        self.lost: Callable[[], object] = _nothing
        """Hears of each line that the stream did not take."""
        self._stream = stream
        self._wall = wall
        self._now = now
        self._post = post
        self._home = get_ident()
        self._form = form
        self._on: frozenset[str] = frozenset()
        self._spent: dict[str, tuple[float, int]] = {}
        """Event → when its minute began, and how many there were in it."""
        self.follow(form, levels)

    def follow(self, form: str, levels: Mapping[str, str]) -> None:
        """From now on: this form, and these levels by area (`all` for the rest)."""
        usual = levels.get(ALL, INFO)
        least = {area: LEVELS.index(levels.get(area, usual)) for area in AREAS}
        self._form = form
        self._on = frozenset(name for name, event in EVENTS.items() if LEVELS.index(event.level) >= least[event.area])

    def wants(self, event: str) -> bool:
        """Whether its level is on, for who would have to work for its fields."""
        return event in self._on

    def __call__(self, event: str, /, **fields: object) -> None:
        if event in self._on:
            self._take(event, fields)

    def announce(self, text: str, event: str, /, **fields: object) -> None:
        """The same; where lines are text it is this one, as it stands, whatever the levels."""
        if self._form == JSON:
            self(event, **fields)
            return
        self._write(text)
        self._keep(self._entry(event, fields))

    def _take(self, event: str, fields: dict[str, object]) -> None:
        suppressed = self._too_often(event)
        if suppressed is None:
            return
        if suppressed:
            fields["suppressed"] = suppressed
        entry = self._entry(event, fields)
        self._write(WRITTEN[self._form](entry))
        if get_ident() == self._home:
            self._keep(entry)
        else:
            self._post(self._keep, entry)

    def _keep(self, entry: Entry) -> None:
        self.ring.keep(entry)

    def _entry(self, event: str, fields: Mapping[str, object]) -> Entry:
        kind = EVENTS[event]
        head = {"time": self._wall(), "level": kind.level, "area": kind.area, "event": event}
        return head | {name: _shown(value) for name, value in fields.items() if value is not None}

    def _too_often(self, event: str) -> int | None:
        """None when this one is too much; else how many were left out before it."""
        most = EVENTS[event].per_minute
        if not most:
            return 0
        began, count = self._spent.get(event, (0.0, 0))
        now = self._now()
        if not count or now - began >= MINUTE:
            self._spent[event] = (now, 1)
            return max(count - most, 0)
        self._spent[event] = (began, count + 1)
        return 0 if count < most else None

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # full, closed, gone: nothing of ours may end for that
            self.lost()


def _shown(value: object) -> object:
    if isinstance(value, BaseException):
        lines = traceback.format_exception(value)
        return redact("".join(lines))[-LONGEST_TRACEBACK:]
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, tuple):  # an address
        return f"{host_text(str(value[0]))}:{value[1]}"
    text = redact(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _nothing() -> None:
    return


def to_stderr(stream: TextIO) -> Callable[..., None]:
    """The log of a command: text for whoever typed it, warnings and worse."""

    def say(event: str, /, **fields: object) -> None:
        kind = EVENTS[event]
        shown = " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
        with suppress(OSError, ValueError):
            stream.write(f"b2bua: {kind.level}: {event.replace('_', ' ')}: {shown}\n")

    return say
