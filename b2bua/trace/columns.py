"""The columns of the ladder that fills the terminal, and one line of it: a margin, the lifelines, the arrow."""

from __future__ import annotations

from typing import Final, NamedTuple

from b2bua.trace.ladder import clock, labels, shaft
from b2bua.trace.names import CM, ROLES, SM
from b2bua.trace.rows import Row

MAX_COLUMNS: Final = 24
"""More users than that at once share the last column; a filter tells them apart again."""
OTHERS: Final = "(others)"

_WIDEST: Final = 36
"""Between two lifelines."""


class Measure(NamedTuple):
    """How the room is divided, from the left."""

    clock: int
    """Signs of the time: `16:20:31.123` or `16:20:31`."""
    margin: int
    """Time, call, step and bracket, with a blank at the end."""
    left: int
    """Where the first lifeline stands."""
    right: int
    """Room right of the last one."""
    narrowest: int
    """Between two lifelines; with less no label can be read, so the ladder grows to the right of the terminal."""


_ROOMY: Final = Measure(12, 21, 24, 8, 14)
_NARROW: Final = Measure(8, 17, 19, 4, 11)


class Line(NamedTuple):
    """A drawn line: the margin ends at `margin`, the arrow goes from `start` to `end`."""

    text: str
    margin: int
    start: int
    end: int


class Columns:
    """Who stands where: the first caller, SM, CM, the other phones that are called or call, then whoever else turns up."""

    def __init__(self) -> None:
        self._parties: dict[str, None] = {}
        """Phones with an INVITE, in order."""
        self._others: dict[str, None] = {}
        self._crowded = False
        self._names: list[str] = ["", SM, CM]
        self._addresses: dict[str, str] = {}
        self._gap = _WIDEST
        self._measure = _ROOMY

    @property
    def names(self) -> list[str]:
        """From the left; the first is "" as long as there is no phone."""
        return self._names

    @property
    def margin(self) -> int:
        """Where notes begin."""
        return self._measure.margin

    def seat(self, row: Row) -> None:
        """Give both parties of a message their places; a phone moves to the left with its first call."""
        for side in ("source", "destination"):
            name = row.record[side]
            if address := row.record.get(f"{side}_address"):
                self._addresses[name] = address
            if name in ROLES or name in self._parties:
                continue
            known = name in self._others
            if not known and len(self._parties) + len(self._others) >= MAX_COLUMNS - len(ROLES) - 1:
                self._crowded = True
            elif row.facts.method == "INVITE":
                self._others.pop(name, None)
                self._parties[name] = None
            elif not known:
                self._others[name] = None
            first, *rest = [*self._parties, *self._others]
            self._names = [first, SM, CM, *rest, *([OTHERS] if self._crowded else [])]

    def fit(self, width: int) -> int:
        """Spread over a terminal of that width; returns the width that is needed."""
        gaps = len(self._names) - 1
        roomy = _ROOMY.left + _ROOMY.narrowest * gaps + _ROOMY.right <= width
        measure = self._measure = _ROOMY if roomy else _NARROW
        self._gap = max(measure.narrowest, min(_WIDEST, (width - measure.left - measure.right) // gaps))
        return max(width, measure.left + self._gap * gaps + measure.right)

    def head(self, addresses: bool) -> str:
        """The names above the lifelines, or the addresses where they are known."""
        line, end = "", self._position(len(self._names) - 1) + self._measure.right
        for index, name in enumerate(self._names):
            text = self._addresses.get(name, name) if addresses else name
            if len(text) >= self._gap:  # the ends of addresses differ, the beginnings of names
                text = "…" + text[2 - self._gap :] if addresses else text[: self._gap - 2] + "…"
            start = min(self._position(index) - len(text) // 2, end - len(text))
            line = line.ljust(max(start, len(line) + bool(line))) + text
        return line

    def draw(self, row: Row) -> Line:
        """The line of one message."""
        first, last = self.place(row.record["source"]), self.place(row.record["destination"])
        start, end = self._position(min(first, last)) + 1, self._position(max(first, last))
        line = list(self.lifelines())
        if end > start:
            line[start:end] = shaft(labels_of(row), end - start, row.record["retransmission"], first < last)
        step = f"({row.record['step']})" if row.record.get("step") else "   "
        time, margin = clock(row.time)[: self._measure.clock], self._measure.margin
        text = f"{time} {row.letter} {step}{row.bracket or ' '} ".ljust(margin)
        return Line(text + "".join(line[margin:]), margin, start, max(start, end))

    def lifelines(self) -> str:
        """A line on which nothing is sent."""
        line = [" "] * (self._position(len(self._names) - 1) + 1)
        for index in range(len(self._names)):
            line[self._position(index)] = "│"
        return "".join(line)

    def _position(self, index: int) -> int:
        return self._measure.left + self._gap * index

    def place(self, name: str) -> int:
        """Which column, from 0; who has none of its own shares the last one."""
        return self._names.index(name) if name in self._names else len(self._names) - 1


def labels_of(row: Row) -> list[str]:
    """What may stand on the arrow, the fullest first; a folded message counts its copies."""
    return labels(row.record["message"], len(row.copies))
