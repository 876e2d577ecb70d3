"""The ladder that fills the terminal: `b2bua trace` where there is one. Keys as engineers know them from traceSM."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import ContentSwitcher, Input, OptionList, Static
from textual.widgets.option_list import Option

from b2bua.trace.feed import News
from b2bua.trace.filters import BadFilter, Criteria, parse_criteria
from b2bua.trace.http_client import TraceError
from b2bua.trace.ladder import clock, printable
from b2bua.trace.ladder_view import LadderView
from b2bua.trace.overview import call_lines, summary
from b2bua.trace.rows import Row
from b2bua.trace.written import facts_of, shown_message, write_rows

LATENCY: Final = 0.1
"""Seconds between two looks at what has come."""

SAID_SECONDS: Final = 5.0
"""For which an answer stands in the status line."""

_TIME: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,3})?)?", re.ASCII)

FACES: Final = ("diagram", "calls", "summary")
"""What `d` goes through."""

_ENTER: Final = {"diagram": "ENTER=Details ", "calls": "ENTER=Its ladder ", "summary": ""}
"""What ENTER does there, as the last line says it."""


class BadPlace(ValueError):
    """What was typed behind `g` names no place; the text says so."""


class Source(Protocol):
    """Where messages come from: a feed in the background, or a file."""

    @property
    def state(self) -> str:
        """What the status line calls it."""

    def take(self) -> list[News]:
        """What has come since; never waits."""

    def stop(self) -> None:
        """Nothing more is wanted."""


def run(criteria: Criteria, connect: Callable[[float], Source], name: str, addresses: bool = False) -> int:
    """Until `q`; the exit status. TraceError when there is nothing to show at the start."""
    view = TraceApp(criteria, connect, name, addresses)
    view.run()
    if view.failure:
        raise TraceError(view.failure)
    return 0


class Details(ModalScreen[int]):
    """One message in full. Ends with how many rows to go on: 0 to stay, −1 and 1 for the neighbours' details."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "leave(0)", show=False),
        Binding("left,p", "leave(-1)", show=False),
        Binding("right,n", "leave(1)", show=False),
    ]
    CSS = """
    Details VerticalScroll { background: $background; }
    Details #facts { text-style: bold; padding-bottom: 1; }
    Details #keys { dock: bottom; height: 1; }
    """

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Text("\n".join(map(printable, facts_of(self._row)))), id="facts")
            yield Static(Text("\n".join(shown_message(self._row))))
        yield Static(Text("ENTER=Back  n=Next  p=Previous  ↑↓=Scroll"), id="keys")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self, rows: int) -> None:
        self.dismiss(rows)


class TraceApp(App[None]):
    """One view of one server's trace, or of a file. `connect` opens a source of what came after a time."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    ContentSwitcher { height: 1fr; }
    LadderView, OptionList, VerticalScroll { height: 1fr; border: none; padding: 0; }
    LadderView { overflow-y: scroll; scrollbar-size: 0 1; }
    #prompt { height: 1; border: none; padding: 0; display: none; }
    #status { height: 1; text-style: reverse; }
    #keys { height: 1; }
    """
    # With priority: what is typed behind such a key in one go is meant for what the key has opened.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, show=False, priority=True)
        for key, action in (
            ("s", "start_stop"), ("q", "quit"), ("f", "ask('filter')"), ("w", "ask('write')"), ("g", "ask('go to')"),
            ("c", "clear"), ("i", "addresses"), ("d", "face"), ("escape", "step_back"), ("ctrl+c", "leave"),
        )
    ]  # fmt: skip

    def __init__(
        self, criteria: Criteria, connect: Callable[[float], Source], server: str, addresses: bool = False
    ) -> None:
        super().__init__()
        self.failure = ""
        """Why there was nothing to show at all."""
        self._connect = connect
        self._server = server
        self._feed: Source | None = None
        self._ladder = LadderView(criteria)
        self._ladder.addresses = addresses
        self._before: Criteria | None = None
        """While one call is shown alone: what was shown when it was chosen from the list."""
        self._said = ""
        self._asked = ""

    def compose(self) -> ComposeResult:
        with ContentSwitcher(initial="diagram"):
            self._ladder.id = "diagram"
            yield self._ladder
            yield OptionList(id="calls", markup=False)
            with VerticalScroll(id="summary"):
                yield Static(id="counts")
        yield Input(id="prompt")
        yield Static(id="status")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self._ladder.focus()
        self.set_interval(LATENCY, self._look)
        self.action_start_stop()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_status)

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._feed.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are text while something is asked for, and the details have keys of their own."""
        if action == "step_back":
            return len(self.screen_stack) == 1
        return action == "leave" or not (self._asked or len(self.screen_stack) > 1)

    # -- what comes --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take what the feed has, in one go."""
        news = self._feed.take() if self._feed is not None else []
        for one in news:
            if one.failure:
                self.failure = one.failure
                self.exit()
                return
        if news:
            self._ladder.add([row for one in news for row in self._rows_of(one)])
            self._fill(str(self.query_one(ContentSwitcher).current))
            self._show_status()

    def _rows_of(self, news: News) -> list[Row]:
        rows = self._ladder.rows
        if news.gap:
            return [rows.gap(news.gap)]
        return [row for record in news.records if (row := rows.take(record)) is not None]

    # -- keys --------------------------------------------------------------------------------------------------

    def action_start_stop(self) -> None:
        """Stopped, nothing new is shown; started again, the view catches up with what the server kept."""
        if self._feed is None:
            self._feed = self._connect(self._ladder.rows.last_time)
        else:
            self._feed.stop()
            self._look()
            self._feed = None
        self._show_status()

    def action_leave(self) -> None:
        self.exit()

    def action_clear(self) -> None:
        self._ladder.clear()
        self._say("")

    def action_addresses(self) -> None:
        self._ladder.addresses = not self._ladder.addresses
        self._ladder.refresh()
        self._show_status()

    def action_face(self) -> None:
        switcher = self.query_one(ContentSwitcher)
        self._show_face(FACES[(FACES.index(str(switcher.current)) + 1) % len(FACES)])

    def _show_face(self, face: str) -> None:
        self.query_one(ContentSwitcher).current = face
        self._fill(face)
        self.screen.set_focus(self.query_one(f"#{face}"))
        self._show_status()

    def _fill(self, face: str) -> None:
        """What is made of all messages: when it is shown, and while it is, when others come."""
        if face == "calls":
            self._list_calls()
        elif face == "summary":
            self.query_one("#counts", Static).update(Text("\n".join(map(printable, summary(self._ladder.shown)))))

    def _list_calls(self) -> None:
        """The chosen call stays chosen; without one that of the message at the cursor is, or the newest."""
        calls, lines = self.query_one("#calls", OptionList), call_lines(self._ladder.shown)
        at, row = calls.highlighted, self._ladder.current
        chosen = calls.get_option_at_index(at).id if at is not None else row.record["call"] if row is not None else None
        calls.clear_options()
        calls.add_options([Option(Text(printable(str(line))), id=line.call) for line in lines])
        if lines:
            calls.highlighted = next((place for place, line in enumerate(lines) if line.call == chosen), len(lines) - 1)

    def action_step_back(self) -> None:
        """From wherever to the diagram; from one call alone to the list that it was chosen from."""
        if self._before is None or self._asked or self.query_one(ContentSwitcher).current != "diagram":
            self._show_diagram()
            return
        self._ladder.filter(self._before)
        self._before = None
        self._show_face("calls")

    def _show_diagram(self) -> None:
        self._asked = self._said = ""
        self.query_one("#prompt").styles.display = "none"
        self._show_face("diagram")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """ENTER on a call: its ladder alone."""
        if self._before is None:
            self._before = self._ladder.criteria
        self._ladder.filter(Criteria((("-c", str(event.option.id)),)))
        self._show_face("diagram")

    def on_ladder_view_opened(self) -> None:
        row = self._ladder.current
        if row is not None:
            self.push_screen(Details(row), self._left_details)

    def on_ladder_view_moved(self) -> None:
        self._show_status()

    def _left_details(self, rows: int | None) -> None:
        if not rows:
            return
        wanted = self._ladder.cursor + rows
        while 0 <= wanted < len(self._ladder.shown) and self._ladder.shown[wanted].gap:
            wanted += rows
        self._ladder.go_to(wanted)
        self._ladder.action_open()

    # -- the line at the bottom --------------------------------------------------------------------------------

    def action_ask(self, what: str) -> None:
        """Ask for a filter, a file or a place."""
        prompt = self.query_one("#prompt", Input)
        hints = {"filter": "-u USER -i IP -c CALL-ID -s GSID -g HEADER=TEXT -o REGEX -or -nr -ns -no",
                 "go to": "number of a message, or HH:MM:SS", "write": ""}  # fmt: skip
        prompt.value = str(self._ladder.criteria) if what == "filter" else self._file_name() if what == "write" else ""
        prompt.placeholder = f"{what}: {hints[what]}"
        prompt.styles.display = "block"
        self._asked = what
        prompt.cursor_position = len(prompt.value)
        self.screen.set_focus(prompt)  # at once: what is typed next is meant for it
        self._say(f"{what}: {hints[what] or 'a new file; NAME.log is written as traceSM does'} · ESC leaves it")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        do = {"filter": self._filter, "write": self._write, "go to": self._go_to}[self._asked]
        try:
            said = do(event.value.strip())
        except (BadFilter, BadPlace) as error:
            self._say(str(error))
            return
        self._show_diagram()
        self._say(said)

    def _filter(self, expression: str) -> str:
        self._ladder.filter(parse_criteria(expression))
        self._before = None
        return ""

    def _write(self, name: str) -> str:
        path = Path(name).expanduser()
        try:
            write_rows(path, self._ladder.shown)
        except (OSError, ValueError) as error:
            return f"{name}: {getattr(error, 'strerror', None) or error}"
        return f"written: {path}"

    def _go_to(self, place: str) -> str:
        if not place:
            return ""
        rows = self._ladder.shown
        if place.isascii() and place.isdigit():
            found = (index for index, row in enumerate(rows) if row.number >= int(place[:12]))
        elif _TIME.fullmatch(place):
            wanted = place.rjust(len(place) + place.index(":") % 2, "0")  # 9:05 is 09:05
            found = (index for index, row in enumerate(rows) if clock(row.time) >= wanted)
        else:
            raise BadPlace(f"go to: {place!r} is neither a message's number nor a time of day, such as 16:20:31")
        self._ladder.go_to(next(found, len(rows) - 1))
        return ""

    def _file_name(self) -> str:
        time = datetime.fromtimestamp(self._ladder.rows.last_time)
        return f"trace-{time.strftime('%Y%m%d-%H%M%S')}.txt"

    def _say(self, text: str) -> None:
        """In place of the counts, until something else is said or a while has passed."""
        self._said = text
        self._show_status()
        if text and not self._asked:
            self.set_timer(SAID_SECONDS, lambda: self._unsay(text))

    def _unsay(self, text: str) -> None:
        if self._said == text:
            self._say("")

    def _show_status(self) -> None:
        view = self._ladder
        passed, kept = len(view.shown), len(view.rows.all)
        count = f"{passed}" if passed == kept else f"{passed} of {kept}"
        parts = [f"{count} messages", self._feed.state if self._feed else "stopped"]
        if not view.following:
            parts.append(f"at #{view.shown[view.cursor].number}")
        if str(view.criteria):
            parts.append(f"filter {view.criteria}" + (" · ESC=Calls" if self._before is not None else ""))
        text = self._said or " · ".join([*parts, self._server])
        self.query_one("#status", Static).update(Text(printable(text), no_wrap=True, overflow="ellipsis"))
        stop, names = ("Stop" if self._feed else "Start"), ("Names" if view.addresses else "Addresses")
        shown = str(self.query_one(ContentSwitcher).current)
        enter, face = _ENTER[shown], FACES[(FACES.index(shown) + 1) % len(FACES)].capitalize()
        keys = f"s={stop} q=Quit {enter}f=Filter w=Write c=Clear i={names} g=Go to d={face}"
        if len(keys) > self.size.width:
            keys = f"s={stop} q=Quit ENTER f=Filter w=Write c=Clear i g d={face}"
        self.query_one("#keys", Static).update(Text(keys, no_wrap=True, overflow="ellipsis"))
