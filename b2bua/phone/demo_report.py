"""What the demo prints, made of what it saw: a line for each of the nine steps, the lamps, the media."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from b2bua.sip.dialog_info import DialogInfo
from b2bua.trace.ladder import labels
from b2bua.trace.records import Record

ORDER: Final = (1, 2, 3, 4, 5, 6, 8, 9)
"""Steps that follow each other; 7 follows 5 and goes to other phones than 8, so either of those may be first."""


class Counts(NamedTuple):
    """RTP packets of one phone in one part of a call."""

    sent: int
    received: int

    def __str__(self) -> str:
        return f"sent {self.sent}, received {self.received}"


def step_flaws(steps: Sequence[int]) -> list[str]:
    """What is missing in the steps of one hold, given in the order in which they were seen; a step may come twice."""
    first: dict[int, int] = {}
    for index, step in enumerate(steps):
        first.setdefault(step, index)
    missing = [f"step {step}" for step in range(1, 10) if step not in first]
    both = [(a, b) for a, b in (*pairwise(ORDER), (5, 7)) if a in first and b in first]
    return missing + [f"step {a} before step {b}" for a, b in both if first[a] > first[b]]


def between(start: tuple[int, int], end: tuple[int, int]) -> Counts:
    return Counts(end[0] - start[0], end[1] - start[1])


def shown(document: DialogInfo) -> str:
    """A document in one word: held while its own user holds, else the state of its dialog."""
    live = [dialog for dialog in document.dialogs if dialog.state != "terminated"]
    if not live:
        return "terminated"
    return "held" if live[0].local.rendering == "no" else live[0].state


def folded(documents: Sequence[DialogInfo]) -> list[str]:
    """A lamp in words, repetitions folded."""
    words = [shown(document) for document in documents]
    return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]


def step_line(step: int, records: Sequence[Record], start: float) -> str:
    """`1  6001 → SM   INVITE sdp:sendonly`; several messages of one step share its line."""
    source = records[0]["source"]
    destinations = ", ".join(dict.fromkeys(str(record["destination"]) for record in records))
    texts = ", ".join(dict.fromkeys(labels(str(record["message"]))[0] for record in records))
    offset = (float(records[0]["time"]) - start) * 1000
    return f"{step}  {f'{source} → {destinations}':<24} {texts}  (+{offset:.1f} ms)"
