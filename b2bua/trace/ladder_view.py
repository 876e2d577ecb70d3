"""The ladder as a widget that scrolls: it draws the lines that are on the screen, however many messages there are."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from b2bua.trace.columns import Columns
from b2bua.trace.filters import Criteria, Selection
from b2bua.trace.ladder import printable
from b2bua.trace.rows import Row, Rows

_PLAIN: Final = Style()
_DIM: Final = Style(dim=True)
_HEAD: Final = Style(bold=True, underline=True)
_GAP: Final = Style(color="yellow", bold=True)
_NOTE: Final = Style(color="cyan", italic=True)
_WRONG: Final = Style(color="red", bold=True)
_CURSOR: Final = Style(reverse=True)
_REQUEST: Final = Style(color="bright_white")
_BY_CLASS: Final = {
    1: Style(color="blue"), 2: Style(color="green"), 3: Style(color="magenta"), 4: Style(color="red"),
    5: Style(color="red"), 6: Style(color="red"),
}  # fmt: skip
_CHALLENGE: Final = Style(color="yellow")


class LadderView(ScrollView, can_focus=True):
    """The rows that a filter shows, under one head. It follows the newest row while the cursor stands on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home", "end(False)", show=False),
        Binding("end", "end(True)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Opened(Message):
        """ENTER was pressed on a row."""

    class Moved(Message):
        """The cursor stands on another row."""

    def __init__(self, criteria: Criteria) -> None:
        super().__init__()
        self.rows = Rows()
        self.addresses = False
        """Whether the head shows addresses in place of names."""
        self.shown: list[Row] = []
        """The rows that the filter lets pass, oldest first."""
        self.cursor = 0
        """Index into `shown`."""
        self._selection = Selection(criteria)
        self._columns = Columns()
        self._first_line: list[int] = []
        """For each visible row, the line where it begins; a note makes it two lines long."""
        self._height = 0

    # -- what there is to show ---------------------------------------------------------------------------------

    @property
    def criteria(self) -> Criteria:
        return self._selection.criteria

    @property
    def current(self) -> Row | None:
        return self.shown[self.cursor] if self.shown else None

    @property
    def following(self) -> bool:
        return self.cursor >= len(self.shown) - 1

    def add(self, rows: list[Row]) -> None:
        """Rows that `self.rows` has taken; they are shown where the filter wants them."""
        follow, stale = self.following, False
        for row in rows:
            if not row.gap:
                stale = self._selection.take(row.record, row.facts) or stale
        if self.rows.trim() or stale:
            self.rebuild(follow)
            return
        for row in rows:
            self._append(row)
        self._settle(follow)

    def filter(self, criteria: Criteria) -> None:
        """Look at all rows again with another filter."""
        self._selection = Selection(criteria)
        for row in self.rows.all:
            if not row.gap:
                self._selection.take(row.record, row.facts)
        self.rebuild(self.following)

    def clear(self) -> None:
        self.rows.clear()
        self.rebuild(True)

    def rebuild(self, follow: bool) -> None:
        """Draw up what is visible anew; the cursor stays on its row where that is still there."""
        current = self.current
        self.shown, self._first_line, self._height = [], [], 0
        self._columns = Columns()
        for row in self.rows.all:
            self._append(row)
        if current is not None:
            self.cursor = max(bisect_right(self.shown, current.number, key=lambda row: row.number) - 1, 0)
        self._settle(follow)

    def _append(self, row: Row) -> None:
        if not row.gap and not self._selection.shows(row.record, row.facts):
            return
        self.shown.append(row)
        self._first_line.append(self._height)
        self._height += 2 if row.record.get("note") else 1
        if not row.gap:
            self._columns.seat(row)

    def _settle(self, follow: bool) -> None:
        """After the rows changed: size, cursor and scrolling in order."""
        self.cursor = len(self.shown) - 1 if follow else min(self.cursor, len(self.shown) - 1)
        self.cursor = max(self.cursor, 0)
        self._fit()
        self._show_cursor()
        self.refresh()

    def _fit(self) -> None:
        self.virtual_size = Size(self._columns.fit(self.size.width), self._height + 1)

    def on_resize(self, event: events.Resize) -> None:
        self._fit()
        self._show_cursor()

    # -- the cursor --------------------------------------------------------------------------------------------

    def go_to(self, index: int) -> None:
        self.cursor = min(max(index, 0), max(len(self.shown) - 1, 0))
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, rows: int) -> None:
        self.go_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        self.go_to(self.cursor + pages * max((self.size.height - 2) // 2, 1))

    def action_end(self, last: bool) -> None:
        self.go_to(len(self.shown) - 1 if last else 0)

    def action_open(self) -> None:
        if self.current is not None and not self.current.gap:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        line = event.y - 1 + self.scroll_offset.y
        if event.y and self.shown and line < self._height:
            self.go_to(bisect_right(self._first_line, line) - 1)

    def _show_cursor(self) -> None:
        """Scroll as little as it takes to have the cursor's lines on the screen, below the head."""
        if not self.shown:
            return
        line, room = self._first_line[self.cursor], max(self.size.height - 1, 1)
        lines = 2 if self.shown[self.cursor].record.get("note") else 1
        top = self.scroll_offset.y
        wanted = line if line < top else max(top, line + lines - room)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    # -- drawing -----------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, left = self.size.width, self.scroll_offset.x
        if y == 0:
            strip = self._moved(Strip([Segment(self._columns.head(self.addresses), _HEAD)]), left, width)
        else:
            strip = self._line(y - 1 + self.scroll_offset.y, left, width)
        return strip.crop(0, width).extend_cell_length(width)

    def _moved(self, strip: Strip, left: int, width: int) -> Strip:
        """A line of the ladder moved sideways by `left` signs: time, call and step stay where they are."""
        margin = self._columns.margin
        return strip if not left else Strip.join([strip.crop(0, margin), strip.crop(margin + left, left + width)])

    def _line(self, line: int, left: int, width: int) -> Strip:
        if line >= self._height:
            return Strip([])
        index = bisect_right(self._first_line, line) - 1
        row = self.shown[index]
        if row.gap:
            strip = Strip([Segment(f"── {row.gap} ──", _GAP)])
        elif line > self._first_line[index]:
            return self._note(row, width)
        else:
            strip = self._moved(self._arrow(row), left, width)
        return strip.extend_cell_length(width, _PLAIN).apply_style(_CURSOR) if index == self.cursor else strip

    def _arrow(self, row: Row) -> Strip:
        text, margin, start, end = self._columns.draw(row)
        return Strip([
            Segment(text[:margin]), Segment(text[margin:start], _DIM), Segment(text[start:end], _style(row)),
            Segment(text[end:], _DIM),
        ])  # fmt: skip

    def _note(self, row: Row, width: int) -> Strip:
        """It stands still when the ladder is moved sideways; what does not fit is in the details."""
        note = printable(str(row.record["note"]))
        indent = self._columns.margin
        if len(note) > width - indent:
            note = note[: max(width - indent - 1, 0)] + "…"
        style = _WRONG if "wrong: " in str(row.record["note"]) else _NOTE
        return Strip([Segment(" " * indent), Segment(note, style)])


def _style(row: Row) -> Style:
    status = row.facts.status
    if not status:
        return _REQUEST
    return _CHALLENGE if status in (401, 407) else _BY_CLASS.get(status // 100, _REQUEST)
