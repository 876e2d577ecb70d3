"""When a server was there, and what became of a phone that gave a call up: whether anybody could have heard it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import Final

READY, KILLED = "server ready", "server killed"
LEAST: Final = 0.5
"""Seconds that a server must live on to answer what it has heard."""
TIMER_B: Final = 32.0
SLACK: Final = 0.5
_SENT: Final = re.compile(r"-> INVITE .*  (\d+) INVITE$")
_HEARD: Final = re.compile(r"<- SIP/2\.0 .*  (\d+) INVITE$")
_BYE: Final = re.compile(r"-> BYE .*  (\d+) BYE$")
_BYE_ANSWERED: Final = re.compile(r"<- SIP/2\.0 .*  (\d+) BYE$")


class Lives:
    """Of one server that dies and begins again; it was there before the first entry."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, str]] = []

    def begins(self) -> None:
        """It is ready."""
        self.entries.append((time.monotonic(), READY))

    def ends(self) -> None:
        """It is killed."""
        self.entries.append((time.monotonic(), KILLED))

    def was_there(self, at: float) -> bool:
        """Whether what came to it then it could answer."""
        spans = pairwise([(-inf, READY), *self.entries, (inf, KILLED)])
        return any(what == READY and start <= at and at + LEAST <= end for (start, what), (end, _) in spans)


def heard_by_nobody(lives: Lives, said: Sequence[tuple[float, str]]) -> int:
    """How often the phone sent its last INVITE, where no copy had an answer, none came to a living server, and it said BYE
    after its timer B (RFC 3261 §17.1.1.2); else 0. `said`: what it sent and heard, as by `Baresip.ladder`."""
    sent = [(at, found[1]) for at, text in said if (found := _SENT.search(text))]
    if not sent:
        return 0
    copies = [at for at, cseq in sent if cseq == sent[-1][1]]
    answered = any(found[1] == sent[-1][1] for _, text in said if (found := _HEARD.search(text)))
    byes = [at for at, text in said if text.startswith("-> BYE ") and at > copies[0]]
    patient = bool(byes) and byes[0] - copies[0] > TIMER_B - SLACK
    return len(copies) if patient and not answered and not any(map(lives.was_there, copies)) else 0


def bye_heard_by_nobody(lives: Lives, said: Sequence[tuple[float, str]]) -> int:
    """How often the phone has sent its last BYE, where no copy had an answer and none came to a living server; else 0."""
    sent = [(at, found[1]) for at, text in said if (found := _BYE.search(text))]
    copies = [at for at, cseq in sent if cseq == sent[-1][1]]
    answered = any(found[1] == sent[-1][1] for _, text in said if (found := _BYE_ANSWERED.search(text)))
    return 0 if answered or any(map(lives.was_there, copies)) else len(copies)
