"""The judge of a drill: what it calls a loss, and what it forgives as nobody can know."""

from __future__ import annotations

import pytest

from tests.interop.wire import Message
from tests.restart.history import Event, judge
from tests.restart.sipp_load import wrong


def events(kind: str, *rows: tuple[str, int] | tuple[str, int, bool]) -> list[Event]:
    return [Event(float(number), kind, "one", row[0], row[1], *row[2:]) for number, row in enumerate(rows)]


LOST = [
    ("registration", [("register", 200), ("bound", 0)]),
    ("registration", [("register", 200), ("unregister", 200), ("bound", 1)]),
    ("registration", [("register", 200), ("unregister", 200, True), ("bound", 1)]),
    ("subscription", [("subscribe", 200), ("refresh", 481)]),
    ("subscription", [("subscribe", 200), ("refresh", 481, True)]),
    ("subscription", [("subscribe", 200), ("notify", 0)]),
    ("subscription", [("subscribe", 200), ("unsubscribe", 481)]),
    ("publication", [("publish", 200), ("refresh", 412)]),
    ("publication", [("publish", 200), ("refresh", 200, True), ("refresh", 412)]),
    ("publication", [("publish", 200), ("unpublish", 412)]),
    ("call", [("dial", 200), ("hold", 481)]),
    ("call", [("dial", 200), ("hold", 481, True)]),
    ("call", [("dial", 200), ("update", 408)]),
    ("call", [("dial", 200), ("bye", 481)]),
    ("call", [("dial", 200), ("bye", 200), ("bye again", 200)]),
    ("call", [("dial", 200), ("standing", 0)]),
    ("call", [("dial", 200), ("bye", 200), ("ended", 0)]),
    ("call", [("dial", 200), ("hold", 200), ("told", 0)]),
    ("call", [("dial", 200), ("hold", 200), ("lamp", 0)]),
    ("call", [("dial", 500, True), ("left", 0)]),
]
KEPT = [
    ("registration", [("register", 200), ("bound", 1), ("unregister", 200), ("bound", 0)]),
    ("registration", [("register", 599, True), ("bound", 1)]),
    ("registration", [("register", 599, True), ("bound", 0)]),
    ("subscription", [("subscribe", 200), ("refresh", 200), ("unsubscribe", 200)]),
    ("subscription", [("subscribe", 200), ("unsubscribe", 481, True)]),
    ("subscription", [("subscribe", 599, True), ("refresh", 481)]),
    ("publication", [("publish", 200), ("refresh", 200), ("unpublish", 200)]),
    ("publication", [("publish", 200), ("refresh", 412, True), ("publish", 200)]),
    ("publication", [("publish", 200), ("refresh", 599, True), ("refresh", 412)]),
    ("call", [("dial", 200), ("hold", 200), ("told", 1), ("lamp", 1), ("bye", 200), ("ended", 1), ("bye again", 481)]),
    ("call", [("dial", 200), ("hold", 500, True), ("resume", 491), ("bye", 200)]),
    ("call", [("dial", 200), ("bye", 599, True), ("bye", 481)]),
    ("call", [("dial", 200), ("bye", 481, True)]),
    ("call", [("dial", 480, True), ("left", 1)]),
]


@pytest.mark.parametrize(("kind", "rows"), LOST)
def test_a_promise_that_was_not_kept(kind: str, rows: list) -> None:
    assert len(judge(events(kind, *rows))) == 1


@pytest.mark.parametrize(("kind", "rows"), KEPT)
def test_what_nobody_lost(kind: str, rows: list) -> None:
    assert judge(events(kind, *rows)) == []


def test_each_thing_is_judged_by_itself() -> None:
    other = [Event(5.0, "call", "two", "dial", 200), Event(6.0, "call", "two", "hold", 481)]
    (loss,) = judge([*events("call", ("dial", 200), ("bye", 200)), *other])
    assert loss.event.key == "two" and "the call is lost" in str(loss)


def said(*lines: str) -> list[tuple[bool, Message]]:
    """`< 200 INVITE`: what SIPp received; `> BYE URI`: what it sent."""
    found = []
    for line in lines:
        arrow, first, second = line.split()
        status = first.isdigit()
        start = f"SIP/2.0 {first} Whatever" if status else f"{first} {second} SIP/2.0"
        method = second if status else first
        found.append((arrow == "<", Message.read(f"{start}\nCSeq: 1 {method}\nContact: <sip:cm@x>\n\n")))
    return found


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("> INVITE sip:b@x", "< 200 INVITE", "> INVITE sip:cm@x", "< 200 INVITE", "> BYE sip:cm@x", "< 200 BYE"), ""),
        (("> INVITE sip:b@x", "< 480 INVITE"), ""),
        (("> INVITE sip:b@x", "< 200 INVITE", "> INVITE sip:cm@x", "< 481 INVITE"), "the call is lost"),
        (("> INVITE sip:b@x", "< 200 INVITE", "> BYE sip:cm@x", "< 481 BYE"), "the call is lost"),
        (("> INVITE sip:b@x", "< 200 INVITE", "> BYE sip:cm@x", "> BYE sip:cm@x", "< 481 BYE"), ""),
        (("> INVITE sip:b@x", "< 200 INVITE", "< BYE sip:a@x"), "the call was ended by nobody of it"),
        (("> INVITE sip:b@x", "< 200 INVITE", "> BYE sip:b@x", "< 481 BYE"), ""),
    ],
    ids=["whole", "refused", "re-INVITE", "BYE", "BYE twice", "ended", "SIPp gave up"],
)
def test_a_call_of_sipps(lines: tuple[str, ...], why: str) -> None:
    assert wrong(said(*lines))[0] == why
