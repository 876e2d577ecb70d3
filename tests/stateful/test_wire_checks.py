"""What is read off a ladder, on ladders made by hand: each has one thing wrong, or nothing."""

from __future__ import annotations

import pytest

from b2bua.sip.parser import parse_message
from tests.scenarios.virtual_network import Step
from tests.sip.wire import answer, invite
from tests.stateful.wire_checks import wrong_answers

BRANCH = "z9hG4bKa1"
ASKED = Step(1.0, "6001", "SM", parse_message(invite()))
LOST = ASKED._replace(note="lost")


def said(tag: str = "t1", contact: str = "<sip:6002@192.0.2.12>", body: str = "", status: str = "200 OK") -> Step:
    data = answer(start=f"SIP/2.0 {status}", to=f"<sip:6002@example.com>;tag={tag}", contact=contact)
    head = data.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body))
    return Step(2.0, "SM", "6001", parse_message(head + body.encode()))


RIGHT = {
    "answered": [ASKED, said()],
    "asked and answered again": [ASKED, said(body="v=0"), ASKED, said(body="v=0")],
    "provisional answers do not count": [ASKED, said(status="180 Ringing"), said("t2", status="183 Progress"), said()],
    "lost before it arrived": [LOST],
    "lost, and sent again": [LOST, ASKED, said()],
}
WRONG = {
    "no answer": ([ASKED], "0 final answers"),
    "another status": ([ASKED, said(), said(status="486 Busy Here")], "2 final answers"),
    "another To tag": ([ASKED, said(), said("t2")], "2 final answers"),
    "another body": ([ASKED, said(body="a=sendrecv"), said(body="a=recvonly")], "2 final answers"),
    "another Contact": ([ASKED, said(), said(contact="<sip:6002@192.0.2.99>")], "2 final answers"),
    "an answer to nothing": ([said()], "a final answer to no request"),
    "an answer to what was lost": ([LOST, said()], "a final answer to no request"),
    "an answer before it arrived": ([said(), ASKED], "a final answer to no request"),
    "an answer to another": ([ASKED, said(), said()._replace(destination="6002")], "a final answer to no request"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_nothing_is_wrong(case: str) -> None:
    assert wrong_answers(RIGHT[case], ()) == []


@pytest.mark.parametrize("case", WRONG)
def test_something_is_wrong(case: str) -> None:
    ladder, expected = WRONG[case]
    found = wrong_answers(ladder, ())
    assert len(found) == 1 and found[0].startswith(expected)


def test_a_phone_may_keep_silent_on_purpose() -> None:
    assert wrong_answers([ASKED], {BRANCH}) == []
