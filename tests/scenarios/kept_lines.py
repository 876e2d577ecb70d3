"""The file of call detail records of the server under test: in memory, outlives it, written in turns of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from b2bua.store.call_detail_line import CallDetailLine


class KeptLines:
    """A `DetailSink` (feature_server/contract.py). While `slow` nothing reaches the disk; `deaf`: the disk has it, and the
    process dies before it hears so."""

    node = "cm@lab"

    def __init__(self) -> None:
        self.on = True
        self.slow = self.deaf = False
        self.texts: list[str] = []
        self._waiting: deque[tuple[str, Callable[[], None]]] = deque()
        self._told: deque[Callable[[], None]] = deque()

    def write(self, name: str, text: str, written: Callable[[], None]) -> None:
        self._waiting.append((text, written))

    def recover(self, lines: Mapping[str, str], written: Callable[[str], None]) -> None:
        for name, text in lines.items():
            if text in self.texts:
                self._told.append(partial(written, name))
            else:
                self.write(name, text, partial(written, name))

    def turn(self) -> bool:
        """Write what waits, and tell so; whether there was anything."""
        if self.slow:
            return False
        while self._waiting:
            text, written = self._waiting.popleft()
            self.texts.append(text)
            self._told.append(written)
        told, self._told = self._told, deque()
        if self.deaf:
            return False
        for one in told:
            one()
        return bool(told)

    def crash(self) -> None:
        """The process is gone."""
        self._waiting.clear()
        self._told.clear()
        self.slow = self.deaf = False

    def lines(self) -> list[CallDetailLine]:
        """Read back, strictly."""
        return [msgspec.json.decode(text, type=CallDetailLine) for text in self.texts]
