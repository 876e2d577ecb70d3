"""RFC 3263 §4.3: the next target when one is silent, says 503 or cannot be reached; CANCEL goes to the one in use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.session_manager.failover import Failover
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.response_context import ResponseContext
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Request, Response
from b2bua.sip.next_hop import Target
from b2bua.sip.uri import Uri, parse_uri
from b2bua.transaction.timers import TIMEOUT
from tests.log_lines import kept_log
from tests.transaction.neighbours import Element, FakeFlow, reply, request

NAME = parse_uri("sip:trunk.example.net")
ONE, TWO, THREE = [Target("udp", (f"192.0.2.{number}", 5060), "trunk.example.net") for number in (31, 32, 33)]


class Named(Element):
    """A request for a name came in; `targets` is what the DNS says, at once or (`later`) when it is told to."""

    def __init__(
        self, *targets: Target, method: str = "INVITE", later: bool = False, last: bool = False, rest: float = 60.0,
        status: int = 503, begin: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.targets = targets
        self.later = later
        self.located: list[Callable[[tuple[Target, ...]], None]] = []
        self.asked: list[str] = []
        self.flows: dict[HostPort, FakeFlow] = {target.address: FakeFlow(remote=target.address) for target in targets}
        self.unusable: set[HostPort] = set()
        self.reports: list[str] = []
        self.hops = NextHops(
            self, self, self.clock.now, rest, self.observer, kept_log(self.reports), lambda address: address[0] == "192.0.2.1"
        )
        self.refuse: Exception | None = None
        self.receive(request(method))
        transaction, self.received = self.core.requests[0]
        self.context = ResponseContext(self.layer, transaction, self.received, lambda: "tag")
        self.context.status_of_no_way = status
        self.phone = FakeFlow(remote=("192.0.2.99", 5060))
        self.failover = Failover(
            self.context, self.hops, self.build, self.send, status, self.phone if last else None
        )
        if begin:
            self.failover.look_for(NAME)

    def build(self, flow: Flow) -> Request:
        if self.refuse is not None:
            raise self.refuse
        return self.received.copy()

    def send(self, request: Request, flow: Flow, failover: Failover) -> None:
        failover.sent(self.layer.send_request(request, flow, self.context))

    # -- Locator and Flows

    def locate(self, uri: Uri, found: Callable[[tuple[Target, ...]], None]) -> None:
        self.asked.append(uri.host)
        if self.later:
            self.located.append(found)
        else:
            found(self.targets)

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        return None

    def open(self, transport: str, listener: str, remote: HostPort, name: str = "") -> Flow | None:
        assert name == "trunk.example.net"
        return None if remote in self.unusable else self.flows[remote]

    # -- what the test does and sees

    def answer(self, target: Target, status: int, *headers: tuple[str, str]) -> None:
        flow = self.flows[target.address]
        response = reply(flow.requests(self.received.method)[-1], status)
        for name, value in headers:
            response.append(name, value)
        self.receive(response, flow)

    def tried(self) -> list[Target]:
        return [target for target in self.targets if self.flows[target.address].requests(self.received.method)]

    def resting(self) -> list[Target]:
        return [target for target in self.targets if self.hops.rests(target)]

    def fail(self, target: Target) -> None:
        self.layer.flow_failed(self.flows[target.address])

    @property
    def statuses(self) -> list[int]:
        return self.flow.statuses()

    @property
    def last(self) -> Response:
        return self.flow.last_response()

    def is_over(self) -> None:
        """Nothing is left, neither transactions nor timers."""
        if self.last.status >= 300:
            self.receive(request("ACK", to_tag=self.last.to.tag))
        self.clock.pass_time(TIMEOUT + 1)
        self.clock.pass_time(TIMEOUT + 1)
        assert self.layer.transactions() == (0, 0) and self.clock.timers.running() == 0
        assert not self.core.errors and not self.clock.errors


def test_the_first_target_answers() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 180)
    named.answer(ONE, 200)
    assert named.statuses == [180, 200] and named.tried() == [ONE] and not named.reports
    named.is_over()


def test_one_that_says_503_is_passed_over_and_left_alone() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 503, ("Retry-After", "7"))
    assert named.tried() == [ONE, TWO] and named.statuses == []
    assert named.flows[ONE.address].requests("ACK")
    named.answer(TWO, 486)
    assert named.statuses == [486]
    assert named.count("next_hops_failed", "unavailable") == 1 and "192.0.2.31:5060" in named.reports[0]
    assert named.hops.ordered((ONE, TWO)) == [TWO, ONE]
    named.clock.pass_time(7.1)
    assert named.hops.ordered((ONE, TWO)) == [ONE, TWO]
    named.is_over()


def test_all_say_503() -> None:
    """A 503 goes up as 500, with the time at which the first of them may be asked again (RFC 3261 §16.7)."""
    named = Named(ONE, TWO)
    named.answer(ONE, 503, ("Retry-After", "90"))
    named.answer(TWO, 503, ("Retry-After", "30"))
    assert named.statuses == [500] and named.last.get("Retry-After") == "30"
    named.is_over()


def test_one_that_is_silent() -> None:
    named = Named(ONE, TWO)
    named.clock.pass_time(TIMEOUT - 1)
    assert named.tried() == [ONE]
    named.clock.pass_time(1.1)
    assert named.tried() == [ONE, TWO] and named.count("next_hops_failed", "timeout") == 1
    named.answer(TWO, 200)
    assert named.statuses == [200]
    named.is_over()


def test_all_are_silent() -> None:
    named = Named(ONE, TWO)
    named.clock.pass_time(2 * TIMEOUT + 0.2)
    assert named.statuses == [408] and named.resting() == [ONE, TWO]
    named.is_over()


def test_a_non_invite_is_not_sent_on_after_a_time_out() -> None:
    """Nobody waits for its answer any more (RFC 4320); the next request goes elsewhere."""
    named = Named(ONE, TWO, method="MESSAGE")
    named.clock.pass_time(TIMEOUT + 0.1)
    assert named.tried() == [ONE] and named.statuses == [100]  # RFC 4320 §4.1, and nothing behind it
    assert named.hops.ordered((ONE, TWO)) == [TWO, ONE]
    assert named.layer.transactions() == (0, 0)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_one_that_cannot_be_reached(method: str) -> None:
    named = Named(ONE, TWO, method=method)
    named.fail(ONE)
    assert named.tried() == [ONE, TWO] and named.count("next_hops_failed", "unreachable") == 1
    named.answer(TWO, 200)
    assert named.statuses == [200]


def test_one_that_was_lost_while_it_rang() -> None:
    """It has the request: another would ring a second time."""
    named = Named(ONE, TWO)
    named.answer(ONE, 180)
    named.fail(ONE)
    assert named.tried() == [ONE] and named.statuses == [180, 500]
    named.is_over()


def test_one_without_a_listener_of_ours_is_passed_over() -> None:
    named = Named(ONE, TWO, later=True)
    named.unusable.add(ONE.address)
    named.located.pop()(named.targets)
    assert named.tried() == [TWO]
    named.answer(TWO, 200)
    named.is_over()


def test_a_refusal_is_no_failure_of_the_server() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 500)
    assert named.statuses == [500] and named.tried() == [ONE] and not named.resting()
    named.is_over()


@pytest.mark.parametrize("status", [503, 480, 430])
def test_a_name_that_leads_nowhere(status: int) -> None:
    named = Named(status=status)
    assert named.statuses == [{503: 500}.get(status, status)]
    named.is_over()


def test_a_name_that_leads_back_to_us_leads_nowhere() -> None:
    named = Named(Target("udp", ("192.0.2.1", 5060), "trunk.example.net"), status=480)
    assert named.statuses == [480] and named.tried() == []


def test_the_way_it_registered_by_comes_last() -> None:
    named = Named(ONE, last=True)
    named.answer(ONE, 503)
    [sent] = named.phone.requests("INVITE")
    named.receive(reply(sent, 200), named.phone)
    assert named.statuses == [200]
    named.is_over()


def test_a_given_flow_comes_first_and_is_not_tried_twice() -> None:
    named = Named(ONE, TWO, begin=False)
    named.failover.begin_with(named.flows[ONE.address], NAME)
    assert named.asked == [] and named.tried() == [ONE]  # nobody asks the DNS while the dialog's own target answers
    named.answer(ONE, 503)
    assert named.asked == ["trunk.example.net"] and named.tried() == [ONE, TWO]
    assert len(named.flows[ONE.address].requests("INVITE")) == 1
    named.answer(TWO, 200)
    named.is_over()


# -- the caller gives up ------------------------------------------------------------------------------------------


def test_cancel_goes_to_the_target_in_use() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 503)
    named.answer(TWO, 180)
    named.context.cancel()
    assert not named.flows[ONE.address].requests("CANCEL")
    [cancel] = named.flows[TWO.address].requests("CANCEL")
    named.receive(reply(cancel, 200), named.flows[TWO.address])
    named.answer(TWO, 487)
    assert named.statuses == [180, 487]
    named.is_over()


def test_cancel_before_the_dns_has_answered() -> None:
    named = Named(ONE, later=True)
    named.context.cancel()
    assert named.statuses == [487]
    named.located.pop()(named.targets)
    assert named.tried() == []
    named.is_over()


def test_no_other_target_once_the_caller_has_given_up() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 100)
    named.context.cancel()
    named.answer(ONE, 503)
    assert named.tried() == [ONE] and named.statuses == [500]
    named.is_over()


def test_the_other_branch_answers_while_the_dns_is_asked() -> None:
    named = Named(ONE, later=True)
    other = FakeFlow(remote=("192.0.2.20", 5060))
    named.context.add(named.layer.send_request(named.received.copy(), other, named.context))
    named.receive(reply(other.requests("INVITE")[0], 200), other)
    named.located.pop()(named.targets)
    assert named.tried() == [] and named.statuses == [200]
    named.is_over()


def test_the_other_branch_fails_while_the_dns_is_asked() -> None:
    """The best answer waits for every branch."""
    named = Named(ONE, later=True)
    other = FakeFlow(remote=("192.0.2.20", 5060))
    named.context.add(named.layer.send_request(named.received.copy(), other, named.context))
    named.receive(reply(other.requests("INVITE")[0], 486), other)
    assert named.statuses == []
    named.located.pop()(named.targets)
    named.answer(ONE, 200)
    assert named.statuses == [200]
    named.is_over()


def test_a_request_that_cannot_be_made() -> None:
    named = Named(ONE, later=True)
    named.refuse = SipError(416)
    named.located.pop()(named.targets)
    assert named.statuses == [416] and named.tried() == []
    named.is_over()


def test_a_mistake_of_ours_is_answered_and_told() -> None:
    """The DNS answered in a turn of its own: nobody above could answer the request."""
    named = Named(ONE, later=True)
    mistake = RuntimeError("a mistake of ours")
    named.refuse = mistake
    named.located.pop()(named.targets)
    assert named.statuses == [500] and named.core.errors == [mistake]
    assert named.count("internal_errors", "transaction user") == 1
    named.core.errors.clear()
    named.is_over()


# -- who failed lately --------------------------------------------------------------------------------------------


def test_the_rest_is_a_setting() -> None:
    named = Named(ONE, TWO, rest=0.0)
    named.answer(ONE, 503)
    assert not named.resting() and named.reports == []
    named = Named(ONE, TWO, rest=5.0)
    named.answer(ONE, 503)
    named.clock.pass_time(4.9)
    assert named.resting() == [ONE]
    named.clock.pass_time(0.2)
    assert not named.resting()


def test_where_all_have_failed_they_are_tried_all_the_same() -> None:
    named = Named(ONE, TWO)
    named.answer(ONE, 503)
    named.answer(TWO, 503)
    assert named.hops.ordered((ONE, TWO, THREE)) == [THREE, ONE, TWO]
    assert named.hops.ordered((ONE, TWO)) == [ONE, TWO]
