"""What must be true of every run, read off the ladder: each request answered once, NOTIFYs in order."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from b2bua.sip.dialog_info import parse_dialog_info
from b2bua.sip.message import Message, Request, Response
from tests.scenarios.virtual_network import Step

Hop = tuple[str, str, str, str]
"""Sender, receiver, branch and method of a request."""


SILENCE_SECONDS = 33.0
"""Timer F, and some."""


class Final(NamedTuple):
    """What two copies of one final answer have in common, and two answers to one request have not."""

    status: int
    tag: str
    contact: str
    body: bytes

    def __str__(self) -> str:
        """With the whole body: the difference may be in any line."""
        return " ".join([str(self.status), self.tag, self.contact, *self.body.decode("utf-8", "replace").splitlines()])


def wrong_answers(ladder: Iterable[Step], unanswered: Container[str], breaks: Sequence[float] = ()) -> list[str]:
    """Requests that arrived and have no final answer, or more than one (RFC 3261 §8.2.6, §17.2), and final answers to no
    request that arrived.

    `unanswered` has the branches of requests to which a phone kept silent on purpose, or that it sent again; `breaks` the
    times at which a connection of a phone broke: what is no INVITE, and was under way then, may stay without an answer (RFC
    4320 §4.2).
    """
    requests: dict[Hop, Step] = {}
    finals: dict[Hop, set[Final]] = {}
    found = []
    for step in ladder:
        message = step.message
        if isinstance(message, Request):
            if message.method != "ACK" and step.note != "lost":
                hop = step.source, step.destination, message.top_via.branch, message.method
                requests.setdefault(hop, step)
        elif isinstance(message, Response) and message.status >= 200:
            hop = step.destination, step.source, message.top_via.branch, message.cseq_method
            if hop not in requests:
                found.append(f"a final answer to no request: {step}")
            final = Final(message.status, message.to.tag, message.get("Contact") or "", message.body)
            finals.setdefault(hop, set()).add(final)
    for hop, step in requests.items():
        answers = finals.get(hop, set())
        cut_off = not answers and hop[3] != "INVITE" and any(0 <= at - step.time <= SILENCE_SECONDS for at in breaks)
        if len(answers) != 1 and hop[2] not in unanswered and not cut_off:
            found.append(f"{len(answers)} final answers {sorted(map(str, answers))} to {step}")
    return found


def wrong_notifies(ladder: Iterable[Step], connected: bool = False) -> list[str]:
    """NOTIFYs whose CSeq or document version did not rise in their subscription (RFC 3261 §12.2.1.1, RFC 4235 §4.1).

    `connected`: two connections may carry two of them, and the ladder shows when each arrived: they are taken by their CSeqs.
    """
    last: dict[tuple[str, str], tuple[int, int]] = {}
    found = []
    notifies = list(_first_notifies(ladder))
    if connected:
        notifies.sort(key=lambda one: one[1].cseq)
    for step, message in notifies:
        key = message.call_id, message.to.tag
        cseq, version = last.get(key, (-1, -1))
        newer = parse_dialog_info(message.body).version if message.body else version + 1
        if message.cseq <= cseq or newer <= version:
            found.append(f"after CSeq {cseq} and version {version}: version {newer} in {step}")
        last[key] = message.cseq, newer
    return found


def _first_notifies(ladder: Iterable[Step]) -> Iterator[tuple[Step, Request]]:
    """Each NOTIFY once, whatever its transaction repeated."""
    seen: set[str] = set()
    for step in ladder:
        message: Message | None = step.message
        if isinstance(message, Request) and message.method == "NOTIFY" and message.top_via.branch not in seen:
            seen.add(message.top_via.branch)
            yield step, message
