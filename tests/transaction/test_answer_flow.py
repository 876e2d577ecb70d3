"""Where responses go, and what is noted in the top Via on the way in (RFC 3261 §18.2, RFC 3581 §4)."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from b2bua.sip.response_to import response_to
from b2bua.transaction.machine import State
from b2bua.transaction.server import answer_address
from tests.transaction.neighbours import Element, FakeFlow, request


@pytest.fixture
def element() -> Element:
    return Element()


def answered(element: Element, received: Request, flow: FakeFlow) -> FakeFlow:
    """The flow that the answer left on."""
    element.receive(received, flow)
    element.layer.respond(element.transaction(), response_to(element.core.requests[-1][1], 200))
    return next(found for found in (flow, *flow.others.values()) if found.sent)


def test_the_same_address_leaves_the_via_alone(element: Element) -> None:
    flow = answered(element, request("OPTIONS"), element.flow)
    assert flow is element.flow
    assert flow.last_response().get("Via") == "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1"


def test_rport_is_filled_and_used(element: Element) -> None:
    source = FakeFlow(remote=("203.0.113.7", 40000))
    flow = answered(element, request("OPTIONS", sent_by="192.0.2.10:5060;rport"), source)
    assert flow is source
    assert flow.last_response().get("Via") == (
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport=40000;received=203.0.113.7"
    )


def test_rport_brings_received_even_where_the_host_is_right(element: Element) -> None:
    flow = answered(element, request("OPTIONS", sent_by="192.0.2.10:5060;rport"), element.flow)
    via = flow.last_response().top_via
    assert (via.parameter("rport"), via.parameter("received")) == ("5060", "192.0.2.10")


def test_without_rport_the_answer_goes_to_the_port_of_sent_by(element: Element) -> None:
    source = FakeFlow(remote=("203.0.113.7", 40000))
    flow = answered(element, request("OPTIONS", sent_by="192.0.2.10:5080"), source)
    assert flow.remote == ("203.0.113.7", 5080)
    assert flow.last_response().top_via.parameter("received") == "203.0.113.7"


def test_without_a_port_in_sent_by_it_is_5060(element: Element) -> None:
    source = FakeFlow(remote=("192.0.2.10", 40000))
    flow = answered(element, request("OPTIONS", sent_by="192.0.2.10"), source)
    assert flow.remote == ("192.0.2.10", 5060)
    assert flow.last_response().get("Via") == "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1"


def test_a_received_that_the_peer_wrote_is_not_believed(element: Element) -> None:
    forged = request("OPTIONS", via="SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;received=198.51.100.1")
    assert answered(element, forged, element.flow) is element.flow


def test_a_connection_is_answered_on_itself(element: Element) -> None:
    source = FakeFlow(reliable=True, remote=("203.0.113.7", 40000))
    flow = answered(element, request("OPTIONS", sent_by="192.0.2.10:5080", transport="TCP"), source)
    assert flow is source


def test_only_the_top_via_is_noted(element: Element) -> None:
    source = FakeFlow(remote=("203.0.113.7", 40000))
    via = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK0;rport"
    element.receive(request("OPTIONS", via=via), source)
    [(_, received)] = element.core.requests
    assert [value.strip() for value in received.elements("Via")] == [
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport=40000;received=203.0.113.7",
        "SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK0;rport",
    ]


@pytest.mark.parametrize(
    ("sent_by", "port"), [("192.168.1.9:5062", 40000), ("10.0.0.9", 40000), ("[fd00::9]:5062", 40000), ("192.0.2.10:5062", 5062)]
)
def test_without_rport_behind_nat_the_answer_goes_where_the_request_came_from(
    element: Element, sent_by: str, port: int
) -> None:
    source = FakeFlow(remote=("203.0.113.7", 40000))
    flow = answered(element, request("OPTIONS", sent_by=sent_by), source)
    assert flow.remote == ("203.0.113.7", port)


# -- what a state leaves to say -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
def test_who_is_answered_and_who_has_something_more_to_say(element: Element, state: State) -> None:
    """In Accepted each 2xx leaves once more (RFC 6026 §7.1); where a failure response was sent, that was the last word."""
    element.receive(request("INVITE"))
    transaction = element.transaction()
    transaction.state = state
    assert transaction.answered is (state not in (State.TRYING, State.PROCEEDING))
    speaks = state in (State.TRYING, State.PROCEEDING, State.ACCEPTED)
    assert answer_address(transaction) == (("192.0.2.10", 5060) if speaks else None)
