"""What flow a call is, by the names that RFC 3665, RFC 5359 and this project give to flows; where one stopped is in stops.py.

A call is its rows in order. What is told is what the messages show; what a phone or a server meant by them is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from b2bua.trace.rows import Row
from b2bua.trace.stops import initial_answer

NINE_STEPS: Final = "hold by re-INVITE in nine steps"
_REFUSED: Final[Mapping[int, str]] = MappingProxyType({
    486: "unsuccessful, busy (RFC 3665 §3.9)", 600: "unsuccessful, busy (RFC 3665 §3.9)",
    480: "unsuccessful, temporarily unavailable (RFC 3665 §3.11)", 408: "unsuccessful, no response (RFC 3665 §3.10)",
    487: "unsuccessful, no answer (RFC 3665 §3.8)",
})  # fmt: skip
"""Final status of a call that never stood → the flow."""


def flows_of(rows: Sequence[Row]) -> list[str]:
    """The flows that a call is made of, in the order in which they begin; of what is no call, its one flow."""
    return list(dict.fromkeys(_found(rows)))


def _found(rows: Sequence[Row]) -> Iterator[str]:
    final = initial_answer(rows)
    for row in rows:
        facts, note = row.facts, str(row.record.get("note", ""))
        if row is final:
            yield _session(rows, final)
        elif row.record.get("step") == 3:
            yield NINE_STEPS
        elif note.startswith("hold") and facts.method in ("INVITE", "UPDATE"):
            yield "call hold (RFC 5359 §2.1)"
        elif facts.method == "REFER":
            attended = "replaces=" in row.record["message"].lower()
            yield "transfer, attended (RFC 5359 §2.5)" if attended else "transfer, unattended (RFC 5359 §2.4)"
        elif facts.method == "INVITE" and not facts.to_tag and "\r\nReplaces:" in row.record["message"]:
            yield "an INVITE that replaces another call (RFC 3891)"
        elif facts.status == 181:
            yield "call forwarding (RFC 5359 §2.7)"
        elif facts.status == 200 and facts.cseq_method == "REGISTER":
            yield _registration(rows, row)


def _session(rows: Sequence[Row], final: Row) -> str:
    status = final.facts.status
    if status < 300:
        proxied = len({(row.record["source"], row.record["destination"]) for row in rows if row.facts.method == "INVITE"}) > 1
        return "successful session, through servers (RFC 3665 §3.2)" if proxied else "successful session (RFC 3665 §3.1)"
    if 300 <= status < 400:
        return "session by redirection (RFC 3665 §3.6)"
    return _REFUSED.get(status, f"unsuccessful, {status}")


def _registration(rows: Sequence[Row], answer: Row) -> str:
    of_it = answer.facts.call_id, answer.facts.cseq
    asked = [row for row in rows if row.facts.method == "REGISTER" and (row.facts.call_id, row.facts.cseq) == of_it]
    text = asked[-1].record["message"].lower() if asked else ""
    if "\r\nexpires: 0\r\n" in text or ";expires=0" in text:
        return "cancellation of a registration (RFC 3665 §2.4)"
    if "\r\ncontact:" not in text and "\r\nm:" not in text:
        return "request for contacts (RFC 3665 §2.3)"
    return "registration (RFC 3665 §2.1)"
