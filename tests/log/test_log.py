"""Levels, bounds, secrets, and what a line looks like."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest
from twisted.logger import Logger

from b2bua.log.log import LONGEST, Log
from b2bua.log.twisted_events import TwistedEvents
from tests.log_lines import kept_log


class World:
    """A log on a clock of ours."""

    def __init__(self, form: str = "text", **levels: str) -> None:
        self.seconds = 1_700_000_000.25
        self.stream = io.StringIO()
        self.posted: list[tuple[Any, ...]] = []
        self.log = Log(
            self.stream, lambda: self.seconds, lambda: self.seconds, lambda *what: self.posted.append(what), form, levels
        )

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_line_of_text() -> None:
    world = World()
    world.log("source_banned", peer=("2001:db8::5", 5060), seconds=300.0)
    time = "2023-11-14T22:13:20.250000Z"
    assert world.lines == [f"{time} warning access        source_banned peer=[2001:db8::5]:5060 seconds=300.0"]


def test_a_line_of_json() -> None:
    world = World("json")
    world.log("reload_failed", reason='a "quoted" line\nand another', exception=None)
    assert json.loads(world.lines[0]) == {
        "time": "2023-11-14T22:13:20.250000Z", "level": "error", "area": "process", "event": "reload_failed",
        "reason": 'a "quoted" line\nand another',
    }  # fmt: skip
    assert len(world.lines) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_peer_cannot_make_lines_or_move_the_cursor(form: str) -> None:
    world = World(form)
    evil = "x\r\n2023-11-14T22:13:20Z error process internal_error\x1b[2J\x00\u2028\x85"
    world.log("credentials_wrong", user=evil, peer=("192.0.2.1", 5060), method="REGISTER")
    text = world.stream.getvalue()
    assert text.count("\n") == 1 and text.rstrip("\n").isprintable()


def test_a_traceback_is_one_entry_whose_lines_begin_with_blanks() -> None:
    try:
        raise ValueError("no\nsuch \x1b[2J thing")
    except ValueError as error:
        mistake = error
    world = World()
    world.log("internal_error", call="abc", exception=mistake)
    head, *rest = world.lines
    assert head.endswith("internal_error call=abc") and len(rest) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert "ValueError: no" in world.stream.getvalue()
    other = World("json")
    other.log("internal_error", call="abc", exception=mistake)
    [line] = other.lines
    assert "ValueError: no\nsuch" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("levels", "written"),
    [
        ({}, ["reload_failed", "reloaded"]),
        ({"all": "error"}, ["reload_failed"]),
        ({"process": "warning"}, ["reload_failed"]),
        ({"all": "error", "http": "debug"}, ["reload_failed", "http_request"]),
        ({"all": "debug"}, ["reload_failed", "reloaded", "http_request"]),
    ],
)
def test_levels_by_area(levels: dict[str, str], written: list[str]) -> None:
    lines: list[str] = []
    log = kept_log(lines, levels=levels)
    for event in ("reload_failed", "reloaded", "http_request"):
        log(event)
        assert log.wants(event) == (event in written)
    assert lines == written


def test_levels_and_form_change_while_it_runs() -> None:
    world = World()
    world.log("reloaded", changed="a")
    world.log.follow("json", {"all": "warning"})
    world.log("reloaded", changed="b")
    world.log("restart_needed", settings="c")
    assert world.lines[0].endswith("reloaded changed=a") and json.loads(world.lines[1])["settings"] == "c"
    assert len(world.lines) == 2


def test_what_comes_too_often_is_left_out_and_counted() -> None:
    world = World()
    for _ in range(1000):
        world.log("credentials_wrong", user="6001", peer=("192.0.2.1", 5060), method="REGISTER")
    world.log("name_leads_nowhere", name="example.net")  # of another kind
    assert len(world.lines) == 61
    world.seconds += 60
    world.log("credentials_wrong", user="6001")
    assert world.lines[61].endswith("credentials_wrong user=6001 suppressed=940")
    world.seconds += 60
    world.log("credentials_wrong", user="6001")
    assert "suppressed" not in world.lines[62]


def test_long_values_are_cut() -> None:
    world = World("json")
    world.log("name_leads_nowhere", name="x" * 100_000)
    assert len(json.loads(world.lines[0])["name"]) == LONGEST + 1


SECRETS = (
    'Authorization: Digest username="6001", response="SECRET", nonce="n"',
    "Proxy-Authorization: Basic SECRET",
    "Authorization: Bearer SECRET",
    "sip:6001:SECRET@example.com",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET",
    '{"password": "SECRET"}',
)


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_hidden_wherever_they_stand(form: str, text: str) -> None:
    """A feature's mistake may quote a whole message, a reason a URI."""
    world = World(form, all="debug")
    world.log("internal_error", call=text, exception=ValueError(text))
    world.log("database_damaged", path=text, reason=text)
    TwistedEvents(world.log)({"log_format": text, "log_level": None})
    assert "SECRET" not in world.stream.getvalue() and len(world.lines) >= 2
    assert "SECRET" not in str(world.log.ring.find({}))


def test_another_threads_lines_are_kept_on_ours() -> None:
    world = World()
    thread = threading.Thread(target=world.log, args=("store_up",), kwargs={"path": "lab.db"})
    thread.start()
    thread.join()
    assert len(world.lines) == 1 and world.log.ring.find({}) == []
    for function, *arguments in world.posted:
        function(*arguments)
    [entry] = world.log.ring.find({})
    assert entry["event"] == "store_up"


def test_a_stream_that_takes_nothing_stops_nobody() -> None:
    world = World()
    world.stream.close()
    lost: list[int] = []
    world.log.lost = lambda: lost.append(1)
    world.log("store_down", path="lab.db", reason="full")
    assert lost == [1] and len(world.log.ring.find({})) == 1


def test_what_is_announced_is_a_sentence_for_people_and_an_event_for_programs() -> None:
    people, programs = World(), World("json", all="error")
    for world in (people, programs):
        world.log.announce("b2bua 1 ready: here", "ready", name="b2bua", version="1", open="here")
    assert people.lines == ["b2bua 1 ready: here"] and programs.lines == []
    programs.log.follow("json", {})
    programs.log.announce("b2bua 1 ready: here", "ready", name="b2bua", version="1", open="here")
    assert json.loads(programs.lines[0])["open"] == "here"


def test_twisteds_log_becomes_ours() -> None:
    world = World(transport="debug")
    logger = Logger(namespace="b2bua.transport", observer=TwistedEvents(world.log))
    logger.debug("connection_opened", peer=("192.0.2.9", 40000), transport="tcp", accepted=True)
    try:
        raise KeyError("oh")
    except KeyError:
        logger.failure("message_failed", peer=("192.0.2.9", 40000))
    Logger(namespace="twisted.x", observer=TwistedEvents(world.log)).error("Unhandled error in Deferred")
    Logger(namespace="twisted.x", observer=TwistedEvents(world.log)).info("Starting factory")
    heads = [line.split(maxsplit=3)[3] for line in world.lines if not line.startswith(" ")]
    assert heads == [
        "connection_opened peer=192.0.2.9:40000 transport=tcp accepted=True", "message_failed peer=192.0.2.9:40000",
        'unhandled_error text="Unhandled error in Deferred"',
    ]  # fmt: skip
    assert "KeyError: 'oh'" in world.stream.getvalue()


# ---- what is kept for the console


def filled() -> World:
    world = World(all="debug")
    world.log("registered", user="6001", peer=("192.0.2.1", 5060), contacts=1)
    world.log("call_offered", call="c1", user="sip:6001@example.com", callee="sip:6002@example.com")
    world.log("call_ended", call="c1", user="sip:6001@example.com", callee="sip:6002@example.com", result="busy", seconds=1.5)
    world.log("credentials_wrong", user="6003", peer=("192.0.2.3", 5060), method="REGISTER")
    return world


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        ({}, ["registered", "call_offered", "call_ended", "credentials_wrong"]),
        ({"area": "calls"}, ["call_offered", "call_ended"]),
        ({"level": "warning"}, ["credentials_wrong"]),
        ({"call": "c1", "event": "call_ended"}, ["call_ended"]),
        ({"user": "6003"}, ["credentials_wrong"]),
        ({"user": "6002"}, ["call_offered", "call_ended"]),
        ({"peer": "192.0.2.1"}, ["registered"]),
        ({"text": "BUSY"}, ["call_ended"]),
        ({"after": "3"}, ["credentials_wrong"]),
        ({"area": "", "text": ""}, ["registered", "call_offered", "call_ended", "credentials_wrong"]),
    ],
)
def test_search(wanted: dict[str, str], events: list[str]) -> None:
    assert [entry["event"] for entry in filled().log.ring.find(wanted)] == events


@pytest.mark.parametrize("wanted", [{"level": "loud"}, {"after": "x"}, {"after": "-1"}, {"area": "nowhere"}])
def test_a_search_for_what_there_is_not(wanted: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wanted.values()))):
        filled().log.ring.find(wanted)


def test_only_the_newest_are_kept() -> None:
    world = World()
    for number in range(5000):
        world.log("reloaded", changed=str(number))
    assert world.log.ring.number == 5000
    found = world.log.ring.find({})
    assert len(found) == 500 and found[-1]["changed"] == "4999" and found[0]["number"] == 4501
    assert len(world.log.ring.find({"text": "3001"})) == 1 and not world.log.ring.find({"text": "2999"})
