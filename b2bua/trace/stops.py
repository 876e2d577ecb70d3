"""Where a call stopped that did not go as calls do, and why: what its messages say, and where the trace has them the decisions.

A call is its rows in order. Of a capture from somebody else's server there are no decisions: then only what was on the wire is
told, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from b2bua.trace.rows import Row

CHALLENGES: Final = (401, 407)
_GLARE: Final = 491
_ENDS_DIALOG: Final = (408, 481)


def stops(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each; nothing of a call that went well."""
    final = initial_answer(rows)
    asked = initial_invite(rows)
    if asked is None:
        return
    if final is None:
        yield _unanswered(rows, asked)
    elif final.facts.status >= 300:
        yield f"stopped at #{final.number}: {line_of(final)}{_reason(final)}{_blame(rows, final)}"
    else:
        yield from _unacknowledged(rows)
        yield from _refused_later(rows)


def initial_invite(rows: Sequence[Row]) -> Row | None:
    """The INVITE that began the call."""
    return next((row for row in rows if row.facts.method == "INVITE" and not row.facts.to_tag), None)


def initial_answer(rows: Sequence[Row]) -> Row | None:
    """What the first party to ask was answered in the end; challenges are no end."""
    asked = initial_invite(rows)
    if asked is None:
        return None
    for row in rows:
        facts = row.facts
        final = facts.status >= 200 and facts.status not in CHALLENGES and facts.cseq_method == "INVITE"
        if final and facts.call_id == asked.facts.call_id and row.record["destination"] == asked.record["source"]:
            return row
    return None


def line_of(row: Row) -> str:
    return str(row.record["message"]).partition("\r\n")[0]


def _unanswered(rows: Sequence[Row], asked: Row) -> str:
    last = rows[-1]
    return f"stopped at #{last.number}: {line_of(last)}, and no final answer to the INVITE #{asked.number}{_silent(rows)}"


def _silent(rows: Sequence[Row]) -> str:
    """Who was asked again and again, and said nothing."""
    waits = next((row for row in rows if row.copies and row.facts.method == "INVITE"), None)
    if waits is None:
        return ""
    to = waits.record["destination"]
    if any(row.record["source"] == to and row.facts.status and row.number > waits.number for row in rows):
        return ""
    return f"; #{waits.number} was sent {len(waits.copies)} times more and {to} said nothing to it"


def _blame(rows: Sequence[Row], final: Row) -> str:
    """Who said no first, as far as these rows have it, and why it did where that was decided here."""
    facts = final.facts
    cancel = next((row for row in rows if row.facts.method == "CANCEL" and row.number < final.number), None)
    if facts.status == 487 and cancel is not None:
        return f"; {cancel.record['source']} gave up with the CANCEL #{cancel.number}"
    refusals = [
        row for row in rows
        if row.facts.status >= 300 and row.facts.status not in CHALLENGES and row.facts.cseq_method == "INVITE"
        and row.number <= final.number and (row.facts.status != 487 or facts.status == 487)
    ]  # fmt: skip
    first = refusals[-1]
    for row in reversed(refusals):  # from the answer back along the legs, to who answered first
        if row.record["destination"] == first.record["source"] and row is not first:
            first = row
    text = "" if first is final else f"; {first.record['source']} said {first.facts.status} first, in #{first.number}"
    return text + (_silent(rows) if first.facts.status == 408 else "") + _why(first)


def _why(row: Row) -> str:
    decisions = row.record.get("decisions", ())
    return f"; because {', then '.join(decisions)}" if decisions else ""


def _unacknowledged(rows: Sequence[Row]) -> Iterator[str]:
    """The 2xx to INVITE whose ACK did not come: the last hop of it, to the party that owes it."""
    for row in reversed(rows):
        facts = row.facts
        if not 200 <= facts.status < 300 or facts.cseq_method != "INVITE":
            continue
        at, asked = row.record["source"], row.record["destination"]
        acknowledged = any(
            other.facts.method == "ACK" and (other.facts.call_id, other.facts.cseq) == (facts.call_id, facts.cseq)
            and (other.record["source"], other.record["destination"]) == (asked, at)
            for other in rows
        )  # fmt: skip
        if not acknowledged:
            again = f", though it came {len(row.copies)} times more" if row.copies else ""
            yield f"stopped at #{row.number}: its 2xx has no ACK from {asked}{again} (RFC 3261 §13.3.1.4){_end(rows, row)}"
            return


def _end(rows: Sequence[Row], after: Row) -> str:
    bye = next((row for row in rows if row.facts.method == "BYE" and row.number > after.number), None)
    return "" if bye is None else f"; {bye.record['source']} ended the call with the BYE #{bye.number}{_why(bye)}"


def _refused_later(rows: Sequence[Row]) -> Iterator[str]:
    """Requests that would have changed the standing call, each as who asked was answered in the end."""
    for row in rows:
        facts = row.facts
        if facts.method not in ("INVITE", "UPDATE") or not facts.to_tag or not _begins(rows, row):
            continue
        answer = _answer_to(rows, row)
        if answer is None or answer.facts.status < 300 or answer.facts.status in CHALLENGES:
            continue
        status = answer.facts.status
        what = "re-INVITE" if facts.method == "INVITE" else "UPDATE"
        stays = _end(rows, row) or "; the session stays as it was"
        if status not in _ENDS_DIALOG and status != _GLARE:
            stays = "; the session stays as it was"
        elif status == _GLARE:
            stays = "; it crossed a request of the other side and may be tried again (RFC 3261 §14.1)"
        yield (
            f"stopped at #{answer.number}: {what} #{row.number} of {row.record['source']}, {line_of(answer)}"
            f"{_reason(answer)}{_blame_later(rows, row, answer)}{stays}"
        )


def _begins(rows: Sequence[Row], row: Row) -> bool:
    """Whether it is the first hop of its request: nobody has sent one like it to who sends it now."""
    sender = row.record["source"]
    return not any(
        other.facts.method == row.facts.method and other.facts.to_tag and other.record["destination"] == sender
        and row.number - 12 < other.number < row.number
        for other in rows
    )  # fmt: skip


def _answer_to(rows: Sequence[Row], row: Row) -> Row | None:
    facts = row.facts
    for other in rows:
        answers = other.facts.status >= 200 and (other.facts.call_id, other.facts.cseq, other.facts.cseq_method) == (
            facts.call_id, facts.cseq, facts.method
        )  # fmt: skip
        if answers and other.record["destination"] == row.record["source"]:
            return other
    return None


def _blame_later(rows: Sequence[Row], asked: Row, answer: Row) -> str:
    between = [row for row in rows if asked.number <= row.number <= answer.number]
    return _blame(between, answer)


def _reason(row: Row) -> str:
    """What else the refusal says of its cause (RFC 3326, RFC 3261 §20.43)."""
    lines = str(row.record["message"]).split("\r\n")
    said = [line for line in lines if line.lower().startswith(("reason:", "warning:"))]
    return f" ({'; '.join(said)})" if said else ""
