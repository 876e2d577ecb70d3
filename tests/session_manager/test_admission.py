"""Overload control: what is refused, what never is, and that as much is done as can be."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from b2bua.observer import METHODS, Observer
from b2bua.session_manager.admission import A_QUEUE, CALM, FAR_TOO_LATE, LATE, PERIOD, PERSISTENT, PROVEN_LATE, Admission
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import Binding, Location
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.transaction.timers import Timers
from tests.log_lines import kept_log


class _Flow:
    transport = "udp"
    remote = ("192.0.2.10", 5060)


HERE = Binding(
    "6001", "<sip:6001@192.0.2.10>", "sip:6001@192.0.2.10", "r", 1, 1e9, "udp:192.0.2.1:5060", ("192.0.2.10", 5060), False
)


class World:
    """An `Admission` on a clock of ours, and a flow that is no link's."""

    def __init__(self) -> None:
        self.observer = Observer()
        self.reports: list[str] = []
        self.links = Links()
        self.flow: Any = _Flow()
        self.wait = self.now = 0.0
        location = Location(Timers(lambda: self.now), lambda: self.now)
        location.replace("6001", [HERE])
        self.admission = Admission(
            self.links, location, self.observer, lambda: self.wait, lambda: self.now, kept_log(self.reports)
        )

    def be_late(self, seconds: float) -> None:
        """Requests have come late for a while, and do so now by so many seconds."""
        self.wait = seconds
        for _ in range(A_QUEUE):
            assert self.passes(request("INVITE")), "the first ones"
        self.now += PERSISTENT

    def passes(self, request: Request) -> bool:
        return self.admission.refusal(request, self.flow) is True

    def turn(self, periods: int = 1, late: float = 0.0) -> None:
        for _ in range(periods):
            self.now += PERIOD + 1e-6
            self.admission.turned(late)


def request(method: str, *headers: str, tag: str = "", user: str = "6002") -> Request:
    lines = (
        f"{method} sip:{user}@example.com SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1",
        "From: <sip:6001@example.com>;tag=1", f"To: <sip:{user}@example.com>{f';tag={tag}' if tag else ''}",
        "Call-ID: 1", f"CSeq: 1 {method}", "Max-Forwards: 70", *headers, "Content-Length: 0", "", "",
    )  # fmt: skip
    message = parse_message("\r\n".join(lines).encode())
    assert isinstance(message, Request)
    return message


NEW = [("INVITE", 480), ("REGISTER", 500), ("SUBSCRIBE", 500), ("PUBLISH", 500), ("MESSAGE", 500), ("REFER", 500)]


@pytest.mark.parametrize(("method", "status"), NEW)
def test_new_work_that_comes_too_late_is_refused(method: str, status: int) -> None:
    world = World()
    world.be_late(LATE + 0.001)
    world.wait = LATE
    assert world.passes(request(method))
    world.wait += 0.001
    verdicts = [world.admission.refusal(request(method), world.flow) for _ in range(3)]
    assert [verdict.status for verdict in verdicts if isinstance(verdict, Response)] == [status] * 3
    responses = [verdict for verdict in verdicts if isinstance(verdict, Response)]
    assert all(response.has("Retry-After") is (status == 500) for response in responses)
    assert len({response.to.tag for response in responses}) == 1
    assert world.observer.counts["overload_rejected"]["overload",] == 3


def test_no_other_method_is_new_work() -> None:
    """Out of a dialog they begin nothing: what they are told costs no more than a refusal."""
    world = World()
    world.be_late(LATE * 2)
    refused = {method for method in METHODS if not world.passes(request(method))}
    assert refused == {method for method, _ in NEW}


def test_one_pause_of_the_machine_refuses_nobody() -> None:
    """Half a second: all that came meanwhile is late, and taken; a second pause a while later as well."""
    world = World()
    for _ in range(3):
        for left in range(500, 0, -10):
            world.wait = left / 1000
            assert world.passes(request("INVITE"))
            world.now += 0.001
        world.now += CALM + 0.1


def test_a_few_late_ones_are_no_overload() -> None:
    """The machine has others to serve: a lab with two phones, beside something that takes all processors."""
    world = World()
    world.wait = FAR_TOO_LATE * 4
    for _ in range(A_QUEUE - 1):
        assert world.passes(request("INVITE"))
        assert world.passes(request("REGISTER", user="6001")), "a refresh is not new"
        world.now += CALM
        world.admission.turned(FAR_TOO_LATE * 4)
    assert not world.passes(request("INVITE")), "the tenth was one too many"
    world.now += CALM + 0.1
    assert world.passes(request("INVITE")), "it is over"


def test_a_late_turn_of_the_loop_counts_as_well() -> None:
    """What comes over connections has no time of its own."""
    world = World()
    world.admission.turned(LATE * 2)
    for _ in range(A_QUEUE):
        assert world.passes(request("INVITE"))
    world.now += PERSISTENT
    assert not world.passes(request("INVITE"))
    world.admission.turned(0.0)
    assert world.passes(request("INVITE"))


STANDING = [
    request("INVITE", tag="2"), request("BYE", tag="2"), request("SUBSCRIBE", tag="2"), request("UPDATE", tag="2"),
    request("PUBLISH", "SIP-If-Match: x"), request("REGISTER", user="6001"), request("OPTIONS"), request("NOTIFY"),
]  # fmt: skip


@pytest.mark.parametrize("standing", STANDING, ids=lambda standing: f"{standing.method}-{standing.to.tag}")
@pytest.mark.parametrize("draining", [False, True])
def test_what_stands_goes_on(standing: Request, draining: bool) -> None:
    world = World()
    world.be_late(3.0)
    world.admission.draining = draining
    assert world.passes(standing)
    assert not world.observer.counts["overload_rejected"]


def test_a_feature_server_is_never_refused() -> None:
    world = World()
    world.links.add(FeatureLink("cm", world.flow))
    world.be_late(3.0)
    world.admission.draining = True
    assert world.passes(request("INVITE"))


def test_who_was_challenged_has_more_time() -> None:
    world = World()
    proven = request("INVITE", "Proxy-Authorization: Digest x")
    world.be_late(PROVEN_LATE)
    assert world.passes(proven)
    assert not world.passes(request("INVITE"))
    world.wait += 0.001
    assert not world.passes(proven)


def test_draining_takes_nothing_new() -> None:
    world = World()
    world.admission.draining = True
    verdict = world.admission.refusal(request("INVITE"), world.flow)
    assert isinstance(verdict, Response) and verdict.status == 480
    assert not any(world.passes(request("REGISTER", "Authorization: Digest x")) for _ in range(10))
    assert world.observer.counts["overload_rejected"]["draining",] == 11
    world.turn(20)
    assert world.reports == []


def test_what_is_told() -> None:
    world = World()
    world.be_late(0.2)
    for wait in (*(9 * [0.0]), 0.2):
        world.wait = wait
        world.passes(request("INVITE"))
    world.wait = 0.0
    world.turn()
    assert world.admission.share == 0.95
    assert world.reports == ["overloaded refused=1 new=20"]
    world.turn(9)
    assert world.admission.share == 1.0
    assert len(world.reports) == 1
    world.turn()
    assert world.reports[1:] == ["overload_over"]


def test_a_rate_where_standing_work_alone_is_too_much() -> None:
    """100 new calls a second came in, and what they bring later waits for half a second: 90 a second are tried, and so on
    down; nothing waits any more: up again as long as there is demand."""
    world = World()
    for _ in range(100):
        assert world.passes(request("INVITE"))
    world.turn(1, late=FAR_TOO_LATE + 0.2)
    world.turn(1, late=FAR_TOO_LATE + 0.2)
    world.admission.turned(0.0)
    taken = 0
    for _ in range(1000):
        world.now += 0.001
        taken += world.passes(request("INVITE"))
    assert 89 <= taken <= 95
    world.now += 0.001
    world.admission.turned(0.0)
    taken = 0
    for _ in range(1000):
        world.now += 0.001
        taken += world.passes(request("INVITE"))
    assert 93 <= taken <= 99
    world.turn(12)
    assert all(world.passes(request("INVITE")) for _ in range(1000))


def test_one_pause_of_the_machine_sets_no_rate() -> None:
    world = World()
    world.turn(20)
    world.turn(1, late=2.0)
    world.admission.turned(0.0)
    assert all(world.passes(request("INVITE")) for _ in range(1000))


class Queue:
    """A server that does one thing after the other, and the calls that come to it."""

    def __init__(self, world: World, call: float, later: float, talk: float) -> None:
        self._world = world
        self._call, self._later, self._talk = call, later, talk
        self._waiting: deque[tuple[float, bool]] = deque()
        self._ending: deque[float] = deque()
        self._busy_until = 0.0
        self.taken: list[float] = []
        self.longest_of_standing = 0.0

    def run(self, rate: float, seconds: float, refusal: float = 0.0002) -> None:
        """Requests at a steady rate; each call that is taken asks once more after `talk` seconds."""
        world, due, tick, turns = self._world, 0.0, 0.001, 0
        while world.now < seconds:
            world.now += tick
            due += rate * tick
            while due >= 1:
                due -= 1
                self._waiting.append((world.now, True))
            while self._ending and self._ending[0] <= world.now:
                self._waiting.append((self._ending.popleft(), False))
            while self._waiting and max(self._busy_until, self._waiting[0][0]) < world.now:
                self._serve(refusal)
            turns += 1
            if turns % 50 == 0:
                world.admission.turned(0.0)

    def _serve(self, refusal: float) -> None:
        world = self._world
        came, new = self._waiting.popleft()
        start = max(self._busy_until, came)
        world.wait = start - came
        if not new:
            self.longest_of_standing = max(self.longest_of_standing, world.wait)
            self._busy_until = start + self._later
        elif world.passes(request("INVITE")):
            self._busy_until = start + self._call
            self._ending.append(self._busy_until + self._talk)
            self.taken.append(start)
        else:
            self._busy_until = start + refusal


@pytest.mark.parametrize("load", [2, 4])
@pytest.mark.parametrize(("call", "later", "talk"), [(0.018, 0.002, 2.0), (0.01, 0.01, 5.0), (0.08, 0.02, 3.0)])
def test_goodput_does_not_fall(load: int, call: float, later: float, talk: float) -> None:
    """At a multiple of what can be done nine tenths of that are done, and what stands never waits for T1."""
    queue = Queue(World(), call, later, talk)
    capacity = 1 / (call + later)
    queue.run(capacity * load, 40.0)
    assert sum(start > 10 for start in queue.taken) >= 0.9 * capacity * 30
    assert queue.longest_of_standing < 0.5


def test_nothing_is_refused_below_capacity() -> None:
    world = World()
    Queue(world, 0.018, 0.002, 2.0).run(48.0, 20.0)
    assert not world.observer.counts["overload_rejected"]
    assert world.reports == []
