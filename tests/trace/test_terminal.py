"""The ladder that fills the terminal, driven by Textual's own Pilot; tests/interop/test_trace_terminal.py has a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import ContentSwitcher, Input, OptionList, Static

from b2bua.sip.response_to import response_to
from b2bua.trace.feed import News
from b2bua.trace.filters import Criteria, parse_criteria
from b2bua.trace.ladder import clock
from b2bua.trace.rows import Rows
from b2bua.trace.terminal import Details, TraceApp
from tests.trace.hand_made import Scene, request, sdp, standing_call

Play = Callable[[Pilot[None], TraceApp], Awaitable[None]]


class FakeFeed:
    """Brings what a test puts into `news`."""

    state = "live"

    def __init__(self, *news: News) -> None:
        self.news = list(news)
        self.stopped = False
        self.after: list[float] = []

    def connect(self, after: float) -> FakeFeed:
        self.after.append(after)
        return self

    def take(self) -> list[News]:
        taken, self.news = self.news, []
        return taken

    def stop(self) -> None:
        self.stopped = True


def held_call() -> list[dict[str, Any]]:
    call = standing_call()
    call.change("6001", "sendonly")
    call.scene.up("6003", request("REGISTER", "6003", "6003", "reg", 1))
    return call.scene.records()


def play(feed: FakeFeed, script: Play, size: tuple[int, int] = (110, 30), criteria: Criteria = Criteria()) -> TraceApp:  # noqa: B008
    """Run a view with what the feed has and let `script` press its keys."""
    view = TraceApp(criteria, feed.connect, "http://127.0.0.1:8080")

    async def run() -> None:
        async with view.run_test(size=size) as pilot:
            await settled(pilot, view)
            await script(pilot, view)

    asyncio.run(run())
    return view


async def settled(pilot: Pilot[None], view: TraceApp) -> None:
    """What the feed brought has been taken."""
    view._look()
    await pilot.pause()


def screen(view: TraceApp) -> list[str]:
    """The lines of the ladder as they stand on the screen."""
    return [view._ladder.render_line(y).text.rstrip() for y in range(view._ladder.size.height)]


def status(view: TraceApp) -> str:
    return str(view.query_one("#status", Static).render())


async def answered(pilot: Pilot[None], view: TraceApp, text: str) -> None:
    """This and ENTER in the line at the bottom."""
    view.query_one("#prompt", Input).value = text
    await pilot.press("enter")
    await pilot.pause()


async def answered_to(key: str, pilot: Pilot[None], view: TraceApp, text: str) -> None:
    """The key, then this behind it."""
    await pilot.press(key)
    await answered(pilot, view, text)


def test_a_hold_is_drawn_with_steps_brackets_and_notes() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        head, *lines = screen(view)
        assert head.split() == ["6001", "SM", "CM", "6002", "6003"]
        step = next(index for index, line in enumerate(lines) if "(1)┌" in line)
        assert "INV" in lines[step] and lines[step].endswith("│")
        assert lines[step + 1].strip() == "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"
        assert "(2)│" in lines[step + 2] and "407" in lines[step + 2]
        assert any("(3)└" in line for line in lines)
        assert "REGISTER" in [line for line in lines if line][-1]
        assert status(view) == "28 messages · live · http://127.0.0.1:8080"

    play(FakeFeed(News(held_call())), script, size=(110, 60))


def test_details_and_their_neighbours() -> None:
    def shown(view: TraceApp) -> str:
        assert isinstance(view.screen, Details)
        return "\n".join(str(one.render()) for one in view.screen.query(Static))

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("home", "enter")
        assert "#1 " in shown(view) and "6001 (192.0.2.1:5061) → SM" in shown(view)
        assert "INVITE sip:6002@example.com SIP/2.0\nVia: " in shown(view) and "m=audio 4000 RTP/AVP 0" in shown(view)
        await pilot.press("n", "n", "p")
        await pilot.pause()
        assert "#2 " in shown(view) and "407" in shown(view)
        await pilot.press("q")
        assert view.screen is view.screen_stack[0] and view._ladder.cursor == 1

    play(FakeFeed(News(held_call())), script)


def test_filters_are_typed_and_a_bad_one_is_said() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        assert status(view).startswith("27 of 28 messages · live · filter -nr")
        await pilot.press("f")
        prompt = view.query_one("#prompt", Input)
        assert prompt.value == "-nr"
        await pilot.press("end", "space", "minus", "z", "enter")
        await pilot.pause()
        assert "filter: '-z' is none of" in status(view) and prompt.has_focus
        await answered(pilot, view, "-u 6003")
        assert status(view).startswith("3 of 28 messages") and not prompt.has_focus
        await pilot.press("f", "escape")
        assert view._ladder.has_focus and str(view._ladder.criteria) == "-u 6003"

    play(FakeFeed(News(held_call())), script, criteria=parse_criteria("-nr"))


def test_a_call_that_becomes_wanted_comes_whole() -> None:
    records = held_call()
    feed = FakeFeed(News(records[:8]))

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        assert status(view).startswith("0 of 8")
        feed.news.append(News(records[8:]))
        await settled(pilot, view)
        assert status(view).startswith("27 of 28")

    play(feed, script, criteria=parse_criteria("-o a=recvonly"))


def test_start_stop_clear_addresses_and_places() -> None:
    feed = FakeFeed(News(held_call()))

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("i")
        assert "192.0.2.1:5061" in screen(view)[0].replace("…", "192.0.2") or "…" in screen(view)[0]
        await pilot.press("g")
        await answered(pilot, view, "12")
        assert view._ladder.cursor == 11 and "at #12" in status(view)
        await pilot.press("g")
        await answered(pilot, view, "99:99:99")
        assert view._ladder.following
        await pilot.press("up")
        assert "at #27" in status(view)
        await pilot.press("end", "s")
        assert feed.stopped and "stopped" in status(view)
        await pilot.press("s")
        assert feed.after == [0.0, view._ladder.rows.last_time] and "live" in status(view)
        await pilot.press("c")
        assert status(view).startswith("0 messages") and screen(view)[1:3] == ["", ""]
        await pilot.press("enter", "g")
        await answered(pilot, view, "5")

    play(feed, script, size=(160, 20))


def test_calls_and_summary() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("d")
        calls = view.query_one("#calls", OptionList)
        assert view.query_one(ContentSwitcher).current == "calls" and calls.option_count == 1
        assert "6001 → 6002" in str(calls.get_option_at_index(0).prompt)
        await pilot.press("d")
        assert "INVITE 10" in str(view.query_one("#counts", Static).render())
        await pilot.press("d", "d", "home", "enter")
        await pilot.pause()
        assert view.query_one(ContentSwitcher).current == "diagram"
        assert str(view._ladder.criteria) == "-c leg-a" and status(view).startswith("27 of 28")

    play(FakeFeed(News(held_call())), script)


def keys(view: TraceApp) -> str:
    return str(view.query_one("#keys", Static).render())


def two_calls() -> list[dict[str, Any]]:
    call = standing_call()
    call.scene.up("6003", request("INVITE", "6003", "6009", "other", 1, body=sdp("sendrecv")))
    return call.scene.records()


def test_enter_in_the_list_shows_the_call_of_the_cursor_and_escape_leads_back_to_all() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        calls = view.query_one("#calls", OptionList)
        await pilot.press("d")
        assert calls.highlighted == 1 and "ENTER=Its ladder" in keys(view), "the call of the newest message, no arrow needed"
        await pilot.press("enter")
        await pilot.pause()
        assert str(view._ladder.criteria) == "-c other" and status(view).endswith("filter -c other · ESC=Calls · http://127.0.0.1:8080")
        await pilot.press("escape")
        assert view.query_one(ContentSwitcher).current == "calls" and calls.option_count == 2 and calls.highlighted == 1
        await pilot.press("up", "enter")
        await pilot.pause()
        assert str(view._ladder.criteria) == "-c leg-a", "from call to call"
        await answered_to("f", pilot, view, "-nr")
        assert "ESC" not in status(view), "what was typed stands"
        await pilot.press("escape")
        assert view.query_one(ContentSwitcher).current == "diagram" and str(view._ladder.criteria) == "-nr"

    play(FakeFeed(News(two_calls())), script)


def test_all_switches_and_keys_can_be_read_in_a_small_terminal() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("f")
        for word in ("-or", "-nr", "-ns", "-no"):
            assert word in status(view)[:80].split()
        await pilot.press("escape")
        assert keys(view).endswith("ENTER=Details f=Filter w=Write c=Clear i=Addresses g=Go to d=Calls") and len(keys(view)) <= 80
        await pilot.resize_terminal(60, 24)
        await pilot.pause()
        assert keys(view) == "s=Stop q=Quit ENTER f=Filter w=Write c=Clear i g d=Calls"

    play(FakeFeed(News(held_call())), script, size=(80, 24))


def test_what_is_no_place_is_said() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("home")
        for nowhere in ("foo", "1:2", "16h", "-3"):
            await answered_to("g", pilot, view, nowhere)
            assert f"go to: {nowhere!r} is neither" in status(view) and view._ladder.cursor == 0
            await pilot.press("escape")
        third = view._ladder.shown[2]
        third.record = {**third.record, "time": view._ladder.shown[1].time + 0.002}
        await answered_to("g", pilot, view, clock(third.time))
        assert view._ladder.current is third, "to the millisecond, as it stands on the screen"

    play(FakeFeed(News(held_call())), script)


def test_moved_sideways_time_and_notes_stand_still() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("home")
        before = screen(view)
        await pilot.press(*["right"] * 8)
        await pilot.pause()
        after, margin = screen(view), view._ladder._columns.margin
        assert view._ladder.scroll_offset.x > 0 and after[0] != before[0]
        assert [line[:margin] for line in after[1:]] == [line[:margin] for line in before[1:]]
        notes = [line for line in before if "hold: " in line or "offer: " in line]
        assert notes and all(note in after for note in notes)

    play(FakeFeed(News(held_call())), script, size=(60, 30))


def test_calls_and_summary_go_on() -> None:
    records = held_call()
    feed = FakeFeed(News(records[:8]))

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        await pilot.press("d", "down")
        calls = view.query_one("#calls", OptionList)
        assert "holds 0" in str(calls.get_option_at_index(0).prompt) and calls.highlighted == 0
        feed.news.append(News(records[8:]))
        view._look()
        assert "holds 1" in str(calls.get_option_at_index(0).prompt) and calls.highlighted == 0
        await pilot.press("d")
        before = str(view.query_one("#counts", Static).render())
        feed.news.append(News([{**record, "time": record["time"] + 100.0} for record in records]))
        view._look()
        assert str(view.query_one("#counts", Static).render()) != before

    play(feed, script)


def test_writing_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        for name, said in (("x.log", "written: x.log"), ("x.log", "x.log: File exists"), ("no/x", "no/x: No such file")):
            await pilot.press("w")
            await answered(pilot, view, name)
            assert status(view).startswith(said)
        await pilot.press("w", "enter")
        await pilot.pause()
        assert status(view).startswith("written: trace-1970")

    play(FakeFeed(News(held_call())), script)
    assert (tmp_path / "x.log").read_text().startswith("### traceSM name_ip: ")
    assert len(list(tmp_path.glob("trace-1970*.txt"))) == 1


def test_a_server_that_is_gone_and_back_and_one_that_never_was() -> None:
    feed = FakeFeed(News(held_call()), News(gap="12:00:00 the server is gone: x; waiting for it"))

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        assert "── 12:00:00 the server is gone: x; waiting for it ──" in screen(view)
        await pilot.press("enter")
        assert len(view.screen_stack) == 1, "a gap has no details"

    assert play(feed, script).failure == ""

    async def nothing(pilot: Pilot[None], view: TraceApp) -> None:
        return

    assert play(FakeFeed(News(failure="cannot read")), nothing).failure == "cannot read"


def test_any_size_will_do() -> None:
    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        for size in ((20, 5), (61, 4), (250, 70), (1, 1), (100, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            lines = screen(view)
            assert all(len(line) <= view._ladder.size.width for line in lines)
            await pilot.press("up", "end")
        await pilot.press("d", "d", "d")
        assert "REGISTER" in "\n".join(screen(view)), "the newest line is on the screen again"

    play(FakeFeed(News(held_call())), script)


def busy(calls: int) -> list[dict[str, Any]]:
    """Short calls of many users, as records."""
    scene = Scene(size=10 * calls)
    for number in range(calls):
        user = f"7{number % 50:03}"
        scene.phone(user, ("192.0.2.7", 6000 + number % 50))
        made = request("INVITE", user, "6002", f"c{number}", 1, body=sdp("sendrecv"))
        scene.up(user, made)
        scene.down(user, response_to(made, 100))
        answer = response_to(made, 200, tag="b")
        answer.set_body(sdp("sendrecv"), "application/sdp")
        scene.down(user, answer)
    return scene.records()


def test_more_messages_than_are_kept() -> None:
    limit = 3_000
    feed = FakeFeed()

    async def script(pilot: Pilot[None], view: TraceApp) -> None:
        rows = view._ladder.rows = Rows(limit)
        for _ in range(5):
            feed.news.append(News(busy(300)))
            await settled(pilot, view)
        assert rows.received == 5 * 900
        assert limit <= len(rows.all) <= limit * 1.1 and len(rows._first) <= len(rows.all)
        assert view._ladder.following
        await pilot.press("home", "pagedown", "end", "pageup")
        assert not view._ladder.following
        top = view._ladder.current
        feed.news.append(News(busy(300)))
        await settled(pilot, view)
        assert view._ladder.current is top, "who looks at an old message is left where he is"
        await pilot.press("f")
        await answered(pilot, view, "-u 7001")
        assert 0 < len(view._ladder.shown) < len(rows.all) / 40
        assert screen(view)[0].split() == ["7001", "SM", "CM"]

    play(feed, script)
