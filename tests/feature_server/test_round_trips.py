"""Where a call has been, as the next callee reads it: Diversion (RFC 5806) and History-Info (RFC 7044), written only."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from b2bua.feature_server.diversion import BUSY, DEFLECTED, NO_ANSWER, UNCONDITIONAL, UNREACHABLE, Attempt, add_history
from b2bua.sip.address import parse_address
from b2bua.sip.uri import parse_uri
from tests.sip.test_round_trips import properties, quotable, quote_string, uris
from tests.transaction.neighbours import request

CAUSES = {UNCONDITIONAL: "unconditional", DEFLECTED: "deflection", BUSY: "user-busy", NO_ANSWER: "no-answer",
          UNREACHABLE: "unavailable", 404: "unknown"}  # fmt: skip


class Told(NamedTuple):
    """One History-Info entry, taken apart."""

    uri: str
    index: str
    parent: str
    cause: int


def told(entry: str) -> Told:
    address = parse_address(entry)
    uri = parse_uri(address.uri)
    others = uri.headers[1:].split("&") if uri.headers else []
    causes = [int(unquote(one).rpartition("cause=")[2]) for one in others if one.startswith("Reason=SIP")]
    kept = [one for one in others if not one.startswith("Reason=SIP")]
    parent = address.parameter("np") or address.parameter("mp") or ""
    bare = uri._replace(headers=f"?{'&'.join(kept)}" if kept else "")
    return Told(str(bare), address.parameter("index") or "", parent, causes[0] if causes else 0)


targets = uris.map(str)
indices = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@st.composite
def tries(draw: st.DrawFn) -> list[Attempt]:
    """Attempts in the order in which they were made; all but the last one have failed."""
    count = draw(st.integers(2, 4))
    return [
        Attempt(draw(targets), number, draw(st.integers(0, number - 1)) if number > 1 else 0,
                draw(st.sampled_from(sorted(CAUSES))) if number < count else 0)
        for number in range(1, count + 1)
    ]  # fmt: skip


@properties
@given(tries(), targets, st.none() | indices, st.lists(targets, max_size=2))
def test_each_attempt_is_told_with_its_cause(attempts, called, root, diverted):
    *tried, now = attempts
    came = [("Diversion", f"<{uri}>;reason=user-busy") for uri in diverted]
    if root is not None:
        came.append(("History-Info", f"<sip:x@y>;index=1, <{called}>;x=\"a>;index=9\";index={root}"))
    invite = request("INVITE", more=tuple(came))
    add_history(invite, called, tried, now)
    root, before = ("1", 0) if root is None else (root, 1)

    entries = list(map(told, invite.elements("History-Info")))
    assert len(entries) == before + 1 + len(attempts)
    assert (entries[before].uri, entries[before].index) == (called, root)
    for attempt, entry in zip(attempts, entries[before + 1 :], strict=True):
        parent = f"{root}.{attempt.parent}" if attempt.parent else root
        cause = attempt.cause if attempt.cause != UNCONDITIONAL and attempt.uri.startswith("sip") else 0
        assert entry == Told(attempt.uri, f"{root}.{attempt.number}", parent, cause)

    diversions = [parse_address(value) for value in invite.elements("Diversion")]
    assert [one.uri for one in diversions] == [*(attempt.uri for attempt in reversed(tried)), *diverted]
    said = [(one.parameter("reason"), one.parameter("counter")) for one in diversions[: len(tried)]]
    assert said == [(CAUSES[attempt.cause], "1") for attempt in reversed(tried)]
    assert all(parse_uri(one.uri) for one in diversions)


@properties
@given(quotable.filter(bool), st.sampled_from(["", "1.", ".1", "1..2", "²", "٣", "1a", "-1"]))
def test_an_index_that_is_none_is_begun_anew(display, index):
    entry = f"{quote_string(display)} <sip:x@y>;index={index}"
    invite = request("INVITE", more=(("History-Info", entry),))
    add_history(invite, "sip:a@b", (Attempt("sip:c@d", 1, 0, BUSY),), Attempt("sip:e@f", 2, 1))
    first, *ours = invite.elements("History-Info")
    assert first == entry and [told(one).index for one in ours] == ["1", "1.1", "1.2"]
