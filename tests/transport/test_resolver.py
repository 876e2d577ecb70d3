"""The resolver: answers kept for as long as they hold, one question at a time, no name that makes it ask for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.observer import Observer
from b2bua.sip.next_hop import MAX_QUESTIONS, Answer, Question, Reach, Srv, Target
from b2bua.sip.uri import parse_uri
from b2bua.transport.resolver import FAILED, LONGEST, MAX_ANSWERS, MAX_WAITING, Reply, Resolver
from tests.log_lines import kept_log

UDP: Reach = frozenset([("udp", "A")])
HOST = Question("one.example.net", "A")
URI = "sip:one.example.net:5060"


class Dns:
    """A resolver whose questions the test answers, and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[Question] = []
        self.open: list[tuple[Question, Callable[[Reply], None]]] = []
        self.found: list[tuple[Target, ...]] = []
        self.faults: list[BaseException] = []
        self.reports: list[str] = []
        self.observer = Observer()
        self.resolver = Resolver(
            self.ask, lambda: self.now, lambda total: 0, lambda: UDP, self.observer, kept_log(self.reports), self.faults.append
        )

    def ask(self, question: Question, replied: Callable[[Reply], None]) -> None:
        self.asked.append(question)
        self.open.append((question, replied))

    def locate(self, uri: str = URI, found: Callable[[tuple[Target, ...]], None] | None = None) -> None:
        self.resolver.locate(parse_uri(uri), found or self.found.append)

    def reply(self, *records: object, ttl: float = 60.0, failed: bool = False) -> None:
        """Answer the oldest question that is open."""
        _, replied = self.open.pop(0)
        replied(Reply(records, ttl, failed))  # type: ignore[arg-type]  # what the test says

    def count(self, result: str) -> int:
        return self.observer.counts["dns_queries"][result,]


@pytest.fixture
def dns() -> Dns:
    return Dns()


def targets(dns: Dns) -> list[list[str]]:
    return [[target.address[0] for target in found] for found in dns.found]


def test_a_numeric_host_needs_no_question(dns: Dns) -> None:
    dns.locate("sip:192.0.2.10")
    assert targets(dns) == [["192.0.2.10"]] and not dns.asked


def test_an_answer_holds_for_its_ttl(dns: Dns) -> None:
    dns.locate()
    assert not dns.found
    dns.reply("192.0.2.31", ttl=30.0)
    dns.now += 29.9
    dns.locate()
    assert targets(dns) == [["192.0.2.31"]] * 2 and dns.asked == [HOST]  # the second at once
    dns.now += 0.2
    dns.locate()
    assert dns.asked == [HOST] * 2 and len(dns.found) == 2
    dns.reply("192.0.2.32")
    assert targets(dns)[-1] == ["192.0.2.32"]
    assert dns.count("found") == 2


def test_a_ttl_of_nothing_serves_who_has_asked(dns: Dns) -> None:
    dns.locate()
    dns.reply("192.0.2.31", ttl=0.0)
    assert targets(dns) == [["192.0.2.31"]]
    dns.locate()
    assert len(dns.asked) == 2


def test_no_ttl_is_believed_for_more_than_a_day(dns: Dns) -> None:
    dns.locate()
    dns.reply("192.0.2.31", ttl=2.0**31)
    dns.now += LONGEST
    dns.locate()
    assert len(dns.asked) == 2


def test_that_there_is_nothing_is_an_answer(dns: Dns) -> None:
    dns.locate()
    dns.reply(ttl=20.0)
    dns.locate()
    assert targets(dns) == [[], []] and dns.asked == [HOST]
    assert dns.count("none") == 1 and any("one.example.net" in line for line in dns.reports)


def test_a_failure_is_not_asked_again_at_once(dns: Dns) -> None:
    dns.locate()
    dns.reply(ttl=900.0, failed=True)
    dns.locate()
    assert targets(dns) == [[], []] and dns.asked == [HOST] and dns.count("failed") == 1
    dns.now += FAILED
    dns.locate()
    assert len(dns.asked) == 2


def test_one_question_serves_all_who_wait(dns: Dns) -> None:
    for _ in range(3):
        dns.locate()
    assert dns.asked == [HOST]
    dns.reply("192.0.2.31")
    assert targets(dns) == [["192.0.2.31"]] * 3


def test_one_callers_mistake_is_not_the_others(dns: Dns) -> None:
    mistake = RuntimeError("a mistake of ours")

    def failing(found: tuple[Target, ...]) -> None:
        raise mistake

    dns.locate(found=failing)
    dns.locate()
    dns.reply("192.0.2.31")
    assert targets(dns) == [["192.0.2.31"]] and dns.faults == [mistake]
    dns.locate()
    assert len(dns.found) == 2


def test_answers_that_are_kept_are_bounded(dns: Dns) -> None:
    for number in range(MAX_ANSWERS + 10):
        dns.locate(f"sip:h{number}.example.net:5060")
        dns.reply("192.0.2.31")
    assert dns.resolver.count() == (MAX_ANSWERS, 0)
    asked = len(dns.asked)
    dns.locate(f"sip:h{MAX_ANSWERS}.example.net:5060")
    assert len(dns.asked) == asked  # new ones are there
    dns.locate("sip:h0.example.net:5060")
    assert len(dns.asked) == asked + 1  # the oldest is gone


def test_questions_on_their_way_are_bounded(dns: Dns) -> None:
    for number in range(MAX_WAITING + 1):
        dns.locate(f"sip:h{number}.example.net:5060")
    assert dns.resolver.count() == (0, MAX_WAITING) and targets(dns) == [[]]


def test_a_zone_cannot_keep_us_asking() -> None:
    dns = Dns()
    dns.locate("sip:example.net;transport=udp")
    dns.reply(*(Srv(0, 0, 5060, f"h{number}.example.net") for number in range(200)))
    for _ in range(300):
        if not dns.open:
            break
        dns.reply()  # no address at all
    assert len(dns.asked) == MAX_QUESTIONS and targets(dns) == [[]]


def test_weights_are_drawn_from_what_is_handed_in() -> None:
    dns = Dns()
    dns.resolver = Resolver(
        dns.ask, lambda: dns.now, lambda total: total, lambda: UDP, dns.observer, kept_log(dns.reports), dns.faults.append
    )
    dns.locate("sip:example.net;transport=udp")
    dns.reply(Srv(0, 1, 5060, "light.example.net"), Srv(0, 9, 5060, "heavy.example.net"))
    answers: dict[str, Answer] = {"light.example.net": ("192.0.2.1",), "heavy.example.net": ("192.0.2.9",)}
    while dns.open:
        dns.reply(*answers[dns.open[0][0].name])
    assert targets(dns) == [["192.0.2.9", "192.0.2.1"]]
