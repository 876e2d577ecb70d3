"""The two other faces of the view: the calls, a line each, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from b2bua.trace.ladder import clock
from b2bua.trace.rows import Row

MAX_CALLS: Final = 1_000
"""Listed; the newest ones."""
_MAX_WRONG: Final = 50


class CallLine:
    """One call of the view, from its messages in order."""

    def __init__(self, call: str, first: Row) -> None:
        self.call = call
        self.letter = first.letter
        self.caller = self.callee = ""
        self.state = "?"
        self.messages = self.wrong = self._stepped = self._noted = 0
        self._holding = False
        self._start = self._end = first.time

    def take(self, row: Row) -> None:
        facts, record = row.facts, row.record
        self.messages += 1 + len(row.copies)
        self._end = row.time
        self._hold(record.get("step") == 3, record.get("note", ""))
        self.wrong += "wrong: " in record.get("note", "")
        if facts.method == "INVITE" and not facts.to_tag:
            if not self.caller:
                self.caller, self.callee, self.state = facts.from_user, facts.to_user, "trying"
        elif facts.method == "BYE":
            self.state = "ended"
        elif facts.status and facts.cseq_method == "INVITE":
            self._answered(row)

    @property
    def holds(self) -> int:
        """By the steps of those that a phone asked for, or by the offers, which those from beside have, too."""
        return max(self._stepped, self._noted)

    def _hold(self, stepped: bool, note: str) -> None:
        self._stepped += stepped
        if note.startswith("hold: "):
            self._noted += not self._holding
            self._holding = True
        elif note.startswith(("resume: ", "refused: ")):
            self._holding = False

    def _answered(self, row: Row) -> None:
        status = row.facts.status
        if status in (180, 183) and self.state == "trying":
            self.state = "early"
        elif 200 <= status < 300 and self.state in ("?", "trying", "early"):
            self.state = "confirmed"
        elif status >= 300 and status not in (401, 407) and self.state in ("trying", "early"):
            self.state = f"failed {status}"
        if self.state in ("confirmed", "held") and row.record.get("note", "").startswith("answer: "):
            # The answer's own direction: `audio recvonly for sendonly`.
            self.state = "held" if " for sendonly" in row.record["note"] or "inactive" in row.record["note"] else "confirmed"

    def facts(self) -> dict[str, object]:
        """The line as values, times in Unix seconds."""
        return {
            "call": self.call, "letter": self.letter, "caller": self.caller, "callee": self.callee, "state": self.state,
            "start": self._start, "end": self._end, "messages": self.messages, "holds": self.holds, "wrong": self.wrong,
        }  # fmt: skip

    def __str__(self) -> str:
        parties = f"{self.caller or '?'} → {self.callee or '?'}"
        text = f"{self.letter}  {clock(self._start)}  {parties:<24} {self.state:<11} {self._end - self._start:8.1f} s "
        text += f"  messages {self.messages:<5} holds {self.holds}"
        return text + (f"  wrong {self.wrong}" if self.wrong else "")


def call_lines(rows: Iterable[Row]) -> list[CallLine]:
    """The calls in the order of their first messages, the newest `MAX_CALLS`."""
    calls: dict[str, CallLine] = {}
    for row in rows:
        call = row.record["call"]
        if call is not None:
            if call not in calls:
                calls[call] = CallLine(call, row)
            calls[call].take(row)
    return list(calls.values())[-MAX_CALLS:]


def summary(rows: Sequence[Row]) -> list[str]:
    """Counts by method and by response, and what is wrong, a line each."""
    messages = [row for row in rows if not row.gap]
    if not messages:
        return ["nothing yet"]
    span = messages[-1].time - messages[0].time
    copies = sum(len(row.copies) for row in messages)
    calls = call_lines(messages)
    lines = [
        f"{len(messages)} messages and {copies} retransmissions in {span:.1f} s, {clock(messages[0].time)} to "
        f"{clock(messages[-1].time)}",
        f"calls: {len(calls)} ({_counted(Counter(call.state for call in calls))})",
        "requests: " + _counted(Counter(row.facts.method for row in messages if row.facts.method)),
    ]
    answers: dict[str, Counter[str]] = {}
    for row in messages:
        if row.facts.status:
            answers.setdefault(row.facts.cseq_method, Counter())[str(row.facts.status)] += 1
    lines += [f"  {method}: {_counted(counts)}" for method, counts in sorted(answers.items())]
    wrong = [row for row in messages if "wrong: " in row.record.get("note", "")]
    lines.append(f"messages with something wrong: {len(wrong)}")
    lines += [f"  #{row.number} {clock(row.time)} {row.record['note']}" for row in wrong[-_MAX_WRONG:]]
    return lines


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"
