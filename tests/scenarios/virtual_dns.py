"""A DNS without a network: the zone that a scenario gives, answered at once or, as real ones do, a while later."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.next_hop import Answer, Question
from b2bua.transport.resolver import Reply


class VirtualDns:
    """`ask` is `b2bua.transport.resolver.Ask`. The zone may be changed while a scenario runs."""

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], Answer] = {}
        self.asked: list[Question] = []
        self.slow = False
        """Whether answers wait for `answer`."""
        self.ttl = 60.0
        self._open: list[tuple[Question, Callable[[Reply], None]]] = []

    def ask(self, question: Question, replied: Callable[[Reply], None]) -> None:
        self.asked.append(question)
        if self.slow:
            self._open.append((question, replied))
        else:
            self._reply(question, replied)

    def answer(self) -> None:
        """Answer what has been asked, and what is asked because of that."""
        while self._open:
            self._reply(*self._open.pop(0))

    def _reply(self, question: Question, replied: Callable[[Reply], None]) -> None:
        replied(Reply(self.zone.get((question.name, question.kind), ()), self.ttl))
