"""The resolver: runs the searches of RFC 3263 (`b2bua.sip.next_hop`), keeps answers for as long as they hold, and asks the
same question only once at a time. It knows neither sockets nor Twisted: `b2bua.transport.dns_client` asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from b2bua.observer import Observer
from b2bua.sip.next_hop import MAX_QUESTIONS, Answer, Pick, Question, Reach, Search, Target, search
from b2bua.sip.uri import Uri

MAX_ANSWERS: Final = 4096
"""Answers that are kept; at that many the one used longest ago goes."""
LONGEST: Final = 86_400.0
"""Seconds for which an answer is kept at most, whatever its TTL."""
FAILED: Final = 5.0
"""Seconds for which a server that does not answer, or has an error, is not asked the same again (RFC 2308 §7)."""
MAX_WAITING: Final = 1000
"""Questions on their way at a time; beyond it a question fails at once."""


class Reply(NamedTuple):
    """What came of a question."""

    records: Answer
    """None of that kind: an empty one."""
    seconds: float
    """For which it holds."""
    failed: bool = False
    """Nobody knows: no answer in time, or an error of the server's."""


Ask = Callable[[Question, Callable[[Reply], None]], None]
"""Ask the DNS; the second is called once, in this turn or a later one."""
Found = Callable[[tuple[Target, ...]], None]


class Resolver:
    """Implements `b2bua.sip.next_hop.Locator`.

    `now` gives monotonic seconds; `reach` what there are listeners for, asked anew each time; `report` takes one line for
    the log; `fault` hears of mistakes of ours that came up behind an answer.
    """

    def __init__(
        self, ask: Ask, now: Callable[[], float], pick: Pick, reach: Callable[[], Reach], observer: Observer,
        report: Callable[..., object], fault: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self._ask = ask
        self._now = now
        self._pick = pick
        self._reach = reach
        self._observer = observer
        self._report = report
        self._fault = fault
        self._kept: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()
        """Until when an answer holds, and the answer; the one used last is last."""
        self._waiting: dict[Question, list[Callable[[Answer], None]]] = {}

    def locate(self, uri: Uri, found: Found) -> None:
        """RFC 3263 §4 for this URI."""
        _Run(self, uri, found, search(uri, self._reach(), self._pick)).go()

    def count(self) -> tuple[int, int]:
        """Answers that are kept, and questions on their way."""
        return len(self._kept), len(self._waiting)

    # -- for one run -------------------------------------------------------------------------------------------

    def known(self, question: Question) -> Answer | None:
        """A kept answer that still holds."""
        kept = self._kept.get(question)
        if kept is None:
            return None
        if kept[0] <= self._now():
            del self._kept[question]
            return None
        self._kept.move_to_end(question)
        return kept[1]

    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        """Ask the DNS, or share the answer to the same question under way."""
        others = self._waiting.get(question)
        if others is not None:
            others.append(answered)
            return
        if len(self._waiting) >= MAX_WAITING:
            self._observer.dns_answered("failed")
            answered(())
            return
        self._waiting[question] = [answered]
        self._ask(question, lambda reply: self._replied(question, reply))

    def _replied(self, question: Question, reply: Reply) -> None:
        waiting = self._waiting.pop(question, [])
        self._observer.dns_answered("failed" if reply.failed else "found" if reply.records else "none")
        if reply.failed:
            self._report("name_unanswered", name=question.name, kind=question.kind)
        seconds = FAILED if reply.failed else min(reply.seconds, LONGEST)
        if seconds > 0:
            if len(self._kept) >= MAX_ANSWERS:
                self._kept.popitem(last=False)
            self._kept[question] = (self._now() + seconds, reply.records)
        for answered in waiting:
            try:
                answered(reply.records)
            except Exception as error:  # one caller's mistake leaves the others their answer
                self._fault(error)

    def nowhere(self, uri: Uri) -> None:
        self._report("name_leads_nowhere", name=uri.host)


class _Run:
    """One search on its way."""

    def __init__(self, resolver: Resolver, uri: Uri, found: Found, steps: Search) -> None:
        self._resolver = resolver
        self._uri = uri
        self._found = found
        self._steps = steps
        self._asked = 0

    def go(self, answer: Answer | None = None) -> None:
        """Go on with this answer (None: begin) until something has to be asked that is not known."""
        while True:
            try:
                question = next(self._steps) if answer is None else self._steps.send(answer)
            except StopIteration as end:
                targets: tuple[Target, ...] = end.value
                if not targets:
                    self._resolver.nowhere(self._uri)
                self._found(targets)
                return
            self._asked += 1
            answer = () if self._asked > MAX_QUESTIONS else self._resolver.known(question)
            if answer is None:
                self._resolver.ask(question, self.go)
                return
