"""What the next callee reads of those before (RFC 5806 §9.2.3, RFC 7044 §9 and §10)."""

from __future__ import annotations

import pytest

from b2bua.feature_server.diversion import BUSY, NO_ANSWER, UNCONDITIONAL, Attempt, add_history
from tests.transaction.neighbours import request

CALLED = "sip:6002@example.com"
FIRST, SECOND, THIRD = (f"sip:600{number}@example.com" for number in (2, 3, 4))


def history(*tried: Attempt, now: Attempt, more: tuple[tuple[str, str], ...] = ()) -> tuple[list[str], list[str]]:
    invite = request("INVITE", more=more)
    add_history(invite, CALLED, tried, now)
    return invite.get_all("Diversion"), invite.elements("History-Info")


def test_a_chain():
    diversion, entries = history(
        Attempt(FIRST, 1, 0, UNCONDITIONAL), Attempt(SECOND, 2, 1, NO_ANSWER), now=Attempt(THIRD, 3, 2)
    )
    assert diversion == [f"<{SECOND}>;reason=no-answer;counter=1", f"<{FIRST}>;reason=unconditional;counter=1"]
    assert entries == [
        f"<{CALLED}>;index=1", f"<{FIRST}>;index=1.1;np=1", f"<{SECOND}?Reason=SIP%3Bcause%3D408>;index=1.2;mp=1.1",
        f"<{THIRD}>;index=1.3;mp=1.2",
    ]  # fmt: skip


def test_what_the_call_came_with_stands_before_it():
    came = (
        ("History-Info", "<sip:6009@example.com>;index=1"), ("History-Info", f"<{CALLED}>;index=1.1;mp=1"),
        ("Diversion", "<sip:6009@example.com>;reason=user-busy"),
    )  # fmt: skip
    diversion, entries = history(Attempt(FIRST, 1, 0, BUSY), now=Attempt(SECOND, 2, 1), more=came)
    assert diversion == [f"<{FIRST}>;reason=user-busy;counter=1", "<sip:6009@example.com>;reason=user-busy"]
    assert entries[2:] == [
        f"<{FIRST}?Reason=SIP%3Bcause%3D486>;index=1.1.1;np=1.1", f"<{SECOND}>;index=1.1.2;mp=1.1.1",
    ]  # fmt: skip


def test_an_index_that_cannot_be_read_is_begun_anew():
    _, entries = history(Attempt(FIRST, 1, 0, BUSY), now=Attempt(SECOND, 2, 1), more=(("History-Info", "<sip:x@y>"),))
    assert entries[:2] == ["<sip:x@y>", f"<{CALLED}>;index=1"]


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(181, "unconditional"), (302, "deflection"), (486, "user-busy"), (408, "no-answer"), (480, "unavailable"), (404, "unknown")],
)
def test_why_it_was_diverted(cause: int, reason: str) -> None:
    diversion, _ = history(Attempt(FIRST, 1, 0, cause), now=Attempt(SECOND, 2, 1))
    assert diversion == [f"<{FIRST}>;reason={reason};counter=1"]


def test_privacy():
    for level in ("history", "header", "session", "id;history"):
        assert history(Attempt(FIRST, 1, 0, BUSY), now=Attempt(SECOND, 2, 1), more=(("Privacy", level),)) == ([], [])
    for level in ("id", "user", "critical", "none"):
        assert history(Attempt(FIRST, 1, 0, BUSY), now=Attempt(SECOND, 2, 1), more=(("Privacy", level),))[0]
