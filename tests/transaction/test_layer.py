"""Matching (RFC 3261 §17.1.3, §17.2.3), ACK, CANCEL, and what becomes of messages that nobody can use."""

from __future__ import annotations

import pytest

from b2bua.sip.errors import SipError
from b2bua.sip.framer import Unframed
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request
from b2bua.transaction.layer import MAX_TRANSACTIONS
from b2bua.transaction.machine import State
from b2bua.transaction.matching import transaction_key
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.unreadable import stream_broken
from tests.transaction.neighbours import PHONE, ClientRecorder, Element, FakeFlow, reply, request, unsent


@pytest.fixture
def element() -> Element:
    return Element()


# -- which transaction a request belongs to -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (request("INVITE"), True),
        # The branch says it all.
        (request("INVITE", cseq=9, call_id="other", from_tag="x", uri="sip:x@example.com"), True),
        (request("INVITE", branch="z9hG4bK2"), False),
        (request("INVITE", sent_by="192.0.2.11:5060"), False),
        (request("INVITE", sent_by="192.0.2.10:5070"), False),
        (request("INVITE", sent_by="192.0.2.10"), False),
        (request("OPTIONS"), False),
        (request("CANCEL"), False),
        (request("ACK"), True),
    ],
)
def test_matching_by_branch_sent_by_and_method(other: Request, same: bool) -> None:
    assert (transaction_key(other) == transaction_key(request("INVITE"))) is same


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"to_tag": "t"}, True),  # an ACK has one where its INVITE had none
        ({"cseq": 2}, False),
        ({"call_id": "c2"}, False),
        ({"from_tag": "other"}, False),
        ({"uri": "sip:6003@example.com"}, False),
        ({"via": "SIP/2.0/UDP 192.0.2.11:5060"}, False),
        ({"via": "SIP/2.0/UDP 192.0.2.10:5060;branch=2"}, False),
    ],
)
@pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK"])
def test_matching_without_a_cookie(changed: dict[str, object], same: bool, branch: str) -> None:
    old = f"SIP/2.0/UDP 192.0.2.10:5060{branch}"
    other = request("INVITE", **{"via": old, **changed})  # type: ignore[arg-type]  # names and types are those of `request`
    assert (transaction_key(other) == transaction_key(request("INVITE", via=old))) is same


def test_a_phone_of_rfc_2543(element: Element) -> None:
    via = "SIP/2.0/UDP 192.0.2.10:5060"
    invite = request("INVITE", via=via)
    element.receive(invite)
    element.receive(request("INVITE", via=via))
    assert len(element.core.requests) == 1
    element.layer.respond(element.transaction(), reply(invite, 486))
    element.receive(request("ACK", via=via, to_tag="t"))
    assert element.transaction().state is State.CONFIRMED
    assert element.core.acks == []


def test_a_phone_of_rfc_2543_cancels(element: Element) -> None:
    via = "SIP/2.0/UDP 192.0.2.10:5060"
    element.receive(request("INVITE", via=via))
    element.receive(request("CANCEL", via=via))
    assert element.flow.statuses() == [200] and len(element.core.cancels) == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE", "FOO"])
def test_a_retransmission_is_absorbed(element: Element, method: str) -> None:
    for _ in range(3):
        element.receive(request(method))
    assert len(element.core.requests) == 1
    assert element.count("retransmissions", "in", "other" if method == "FOO" else method) == 2
    assert element.layer.transactions() == (1, 0)


def test_a_response_finds_its_request_by_branch_and_method(element: Element) -> None:
    user = ClientRecorder()
    element.layer.send_request(unsent("OPTIONS"), element.flow, user)
    sent = element.flow.last_request()
    other = reply(sent, 200)
    other.replace("CSeq", "1 BYE")
    element.receive(other)
    stranger = reply(request("OPTIONS"), 200)
    element.receive(stranger)
    assert element.core.stray == [other, stranger] and user.statuses == []
    element.receive(reply(sent, 200))
    assert user.statuses == [200]


# -- ACK ----------------------------------------------------------------------------------------------------------


def test_an_ack_without_an_invite_goes_to_the_user(element: Element) -> None:
    ack = request("ACK")
    element.receive(ack)
    assert element.core.acks == [ack] and element.flow.sent == []
    assert element.layer.transactions() == (0, 0)


def test_an_ack_before_the_answer_is_dropped(element: Element) -> None:
    element.receive(request("INVITE"))
    element.receive(request("ACK"))
    assert element.core.acks == []
    assert element.transaction().state is State.PROCEEDING


def test_our_ack_of_a_2xx_is_no_transaction(element: Element) -> None:
    element.layer.send_ack(unsent("ACK"), element.flow)
    assert element.flow.last_request().top_via.branch.startswith("z9hG4bK")
    assert element.layer.transactions() == (0, 0)
    assert element.count("requests", "out", "ACK", "udp") == 1


# -- CANCEL (§9.2) ------------------------------------------------------------------------------------------------


def test_cancel_is_answered_and_told(element: Element) -> None:
    invite = request("INVITE")
    element.receive(invite)
    cancel = request("CANCEL")
    element.receive(cancel)
    assert element.flow.statuses() == [200]
    assert element.flow.last_response().cseq_method == "CANCEL"
    [(transaction, told)] = element.core.cancels
    assert transaction is element.transaction() and told is cancel
    element.layer.respond(transaction, reply(invite, 487))
    assert element.flow.statuses() == [200, 487]


def test_a_repeated_cancel_is_told_once(element: Element) -> None:
    element.receive(request("INVITE"))
    element.receive(request("CANCEL"))
    element.receive(request("CANCEL"))
    assert len(element.core.cancels) == 1
    assert len(element.flow.resent) == 1


def test_cancel_of_nothing_is_481(element: Element) -> None:
    element.receive(request("OPTIONS"))
    element.receive(request("CANCEL"))
    assert element.flow.statuses() == [481]
    assert element.core.cancels == []
    assert element.flow.last_response().to.tag


@pytest.mark.parametrize("status", [200, 486])
def test_cancel_after_the_final_response_changes_nothing(element: Element, status: int) -> None:
    invite = request("INVITE")
    element.receive(invite)
    element.layer.respond(element.transaction(), reply(invite, status))
    element.receive(request("CANCEL"))
    assert element.flow.statuses() == [status, 200]
    assert element.core.cancels == []


# -- what a peer sent wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        (("CSeq: 1 OPTIONS", "CSeq: x OPTIONS"), 400, "header value"),
        (("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400, "header value"),
        (("Call-ID: c1\r\n", ""), 400, "missing header"),
        ((" SIP/2.0\r\n", " SIP/3.0\r\n"), 505, "version"),
        (("Call-ID: c1", "Call-ID: c1\r\nCall-ID: c2"), 400, "repeated header"),
    ],
)
def test_a_malformed_request_is_answered(element: Element, change: tuple[str, str], status: int, kind: str) -> None:
    data = request("OPTIONS").encode().decode().replace(*change, 1)
    element.layer.datagram_received(data.encode(), element.flow)
    assert element.flow.statuses() == [status]
    response = element.flow.last_response()
    assert response.get("Via") == "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1"
    assert response.to.tag
    assert element.count("parse_errors", kind) == 1
    assert element.count("requests", "in", "OPTIONS", "udp") == 1
    assert element.layer.transactions() == (0, 0) and element.core.requests == []


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"",
        b"\x80\x00\x01\x02" * 10,
        request("ACK").encode().replace(b"CSeq: 1", b"CSeq: x"),
        request("OPTIONS").encode().replace(b"SIP/2.0/UDP", b"nonsense"),
        reply(request("OPTIONS"), 200).encode().replace(b"CSeq: 1", b"CSeq: x"),
    ],
)
def test_what_cannot_be_answered_is_dropped_and_counted(element: Element, data: bytes) -> None:
    element.layer.datagram_received(data, element.flow)
    assert element.flow.sent == [] and element.core.requests == [] and element.core.errors == []
    assert element.count("messages_dropped", "malformed") == 1
    assert sum(element.observer.counts["parse_errors"].values()) == 1


def test_a_malformed_request_is_answered_where_it_came_from(element: Element) -> None:
    data = request("OPTIONS", sent_by="192.0.2.99;rport").encode().replace(b"CSeq: 1", b"CSeq: x")
    element.layer.datagram_received(data, element.flow)
    assert element.flow.statuses() == [400]
    assert element.flow.last_response().top_via.parameter("received") == "192.0.2.10"


def test_a_sip_error_of_the_user_is_the_answer(element: Element) -> None:
    def refuse(transaction: ServerTransaction, _: Request) -> None:
        raise SipError(423, "Too Brief", ("Min-Expires", "60"))

    element.core.on_request = refuse
    element.receive(request("REGISTER"))
    response = element.flow.last_response()
    assert (response.status, response.reason, response.get("Min-Expires")) == (423, "Too Brief", "60")
    assert response.to.tag
    assert element.core.errors == []


# -- what we did wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_mistake_of_ours_is_500_and_counted(element: Element, method: str) -> None:
    def fail(transaction: ServerTransaction, _: Request) -> None:
        raise RuntimeError("mistake")

    element.core.on_request = fail
    element.receive(request(method))
    assert element.flow.statuses() == [500]
    assert element.count("internal_errors", "transaction user") == 1
    assert [str(error) for error in element.core.errors] == ["mistake"]
    element.core.on_request = lambda *_: None
    element.receive(request(method, branch="z9hG4bK2"))
    assert len(element.core.requests) == 2  # the server goes on


def test_a_mistake_after_the_answer_sends_no_second_one(element: Element) -> None:
    def fail(transaction: ServerTransaction, received: Request) -> None:
        element.layer.respond(transaction, reply(received, 200))
        raise RuntimeError("mistake")

    element.core.on_request = fail
    element.receive(request("OPTIONS"))
    assert element.flow.statuses() == [200]
    assert element.count("internal_errors", "transaction user") == 1


def test_a_mistake_with_an_ack_is_counted(element: Element) -> None:
    def fail(_: Request) -> None:
        raise RuntimeError("mistake")

    element.core.on_ack = fail
    element.receive(request("ACK"))
    assert element.flow.sent == []
    assert element.count("internal_errors", "transaction user") == 1


# -- what we send -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reliable", "via"), [(False, "UDP"), (True, "TCP")])
def test_our_via_stands_on_top(reliable: bool, via: str) -> None:
    element = Element(reliable)
    element.layer.send_request(request("OPTIONS"), element.flow, ClientRecorder())
    sent = element.flow.last_request()
    assert len(sent.get_all("Via")) == 2
    top = sent.top_via
    assert (top.transport, top.host, top.port) == (via.lower(), "192.0.2.1", 5060)
    assert (top.parameter("rport") is not None) is not reliable
    written = sent.get("Via") or ""
    assert written == f"SIP/2.0/{via} 192.0.2.1:5060;branch={top.branch}{'' if reliable else ';rport'}"


def test_branches_do_not_repeat(element: Element) -> None:
    for _ in range(5):
        element.layer.send_request(unsent("OPTIONS"), element.flow, ClientRecorder())
    assert len({sent.top_via.branch for sent in element.flow.requests("OPTIONS")}) == 5


def test_the_product_token_stands_in_our_own_responses_only() -> None:
    element = Element(server="b2bua/1")
    for number, forwarded in enumerate((False, True)):
        options = request("OPTIONS", branch=f"z9hG4bK{number}")
        element.receive(options)
        send = element.layer.forward_response if forwarded else element.layer.respond
        send(element.transaction(), reply(options, 200))
        assert element.flow.last_response().get("Server") == (None if forwarded else "b2bua/1")


# -- flows and floods ---------------------------------------------------------------------------------------------


def test_a_failed_flow_ends_what_runs_on_it(element: Element) -> None:
    broken, whole = FakeFlow(reliable=True), FakeFlow(reliable=True)
    users = [ClientRecorder(), ClientRecorder()]
    for method in ("INVITE", "OPTIONS"):
        element.layer.send_request(unsent(method), broken, users[0])
    element.layer.send_request(unsent("OPTIONS"), whole, users[1])
    element.receive(request("INVITE", transport="TCP"), broken)
    refused = request("INVITE", branch="z9hG4bK2", transport="TCP")
    element.receive(refused, broken)
    given_up: list[int] = []
    element.transaction().acknowledged = lambda: given_up.append(1)
    element.layer.respond(element.transaction(), reply(refused, 486))
    element.receive(request("INVITE", branch="z9hG4bK3", transport="TCP"), whole)
    assert element.layer.transactions() == (3, 3)
    element.layer.flow_failed(broken)
    assert users[0].failures == [503, 503] and users[1].failures == []
    assert given_up == [1]
    assert element.layer.transactions() == (3, 1)  # who asked there may ask again elsewhere (RFC 6026 §8.8)


def test_a_reinvite_waits_for_who_comes_back(element: Element) -> None:
    """Figure 5 of RFC 3261 has no transport error in Proceeding. What has not been taken fails, and so does all else: a call in
    set-up, whatever is no INVITE."""
    broken, users = FakeFlow(reliable=True), [ClientRecorder() for _ in range(4)]
    for method, tag, status, user in (("INVITE", "t", 100, users[0]), ("INVITE", "t", 0, users[1]),
                                      ("INVITE", "", 100, users[2]), ("UPDATE", "t", 0, users[3])):  # fmt: skip
        made = unsent(method)
        if tag:
            made.replace("To", f"{made.get('To')};tag={tag}")
        element.layer.send_request(made, broken, user)
        if status:
            element.receive(reply(broken.last_request(), status), broken)
    element.layer.flow_failed(broken, comes_back=True)
    assert [user.failures for user in users] == [[], [503], [503], [503]]
    element.layer.flow_failed(broken, comes_back=True)
    reinvite = broken.requests("INVITE")[0]
    element.receive(reply(reinvite, 180), broken)
    element.layer.flow_failed(broken)
    assert users[0].failures == [503] and element.layer.transactions() == (0, 0) and element.layer.on_streams == {}


def test_a_response_owed_leaves_on_another_connection(element: Element) -> None:
    """RFC 3261 §18.2.2: to where the request came from, at the port of its Via; what is lost there as well is lost, but the
    request that comes again is known, and the next response takes the connection that brought it."""
    broken = FakeFlow(reliable=True, remote=("192.0.2.10", 49152))
    invite = request("INVITE", transport="TCP")
    element.receive(invite, broken)
    transaction = element.transaction()
    element.layer.flow_failed(broken)
    other = broken.others[PHONE]
    assert transaction.flow is other
    element.layer.respond(transaction, reply(invite, 180))
    assert other.statuses() == [180] and broken.statuses() == []
    element.layer.flow_failed(other)
    assert element.layer.transactions() == (1, 0)
    new = FakeFlow(reliable=True, remote=("192.0.2.10", 49153))
    element.receive(invite, new)
    element.layer.respond(transaction, reply(invite, 486))
    assert len(element.core.requests) == 1 and new.statuses() == [486] and element.layer.transactions() == (1, 0)
    element.layer.flow_failed(new)
    element.clock.pass_time(32)
    assert element.layer.transactions() == (0, 0)


def test_a_request_that_is_repeated_over_another_connection_is_answered_there(element: Element) -> None:
    """The phone knows that the first is dead, we do not; its failure response was lost with it."""
    first, second = (FakeFlow(reliable=True, remote=("192.0.2.10", port)) for port in (49152, 49153))
    invite = request("INVITE", transport="TCP")
    element.receive(invite, first)
    element.receive(invite, second)
    element.layer.respond(element.transaction(), reply(invite, 486))
    assert (first.statuses(), second.statuses()) == ([], [486])
    third = FakeFlow(reliable=True, remote=("192.0.2.10", 49154))
    element.receive(invite, third)
    assert third.resent == [second.last.encode()]
    element.layer.flow_failed(first)
    element.layer.flow_failed(second)
    element.layer.flow_failed(third)
    assert element.layer.transactions() == (1, 0)
    element.clock.pass_time(32)
    assert element.layer.transactions() == (0, 0) and element.layer.on_streams == {}


@pytest.mark.parametrize("status", [180, 200, 407, 486])
def test_an_invite_that_comes_again_after_its_connection_died_is_known(element: Element, status: int) -> None:
    """RFC 6026 §7.1, §8.8: a transport error ends no server transaction. What was answered last is answered again, but for
    a 2xx, which its user repeats."""
    first, second = (FakeFlow(reliable=True, remote=("192.0.2.10", port)) for port in (49152, 49153))
    invite = request("INVITE", transport="TCP")
    element.receive(invite, first)
    element.layer.respond(element.transaction(), reply(invite, status))
    element.layer.flow_failed(first)
    element.receive(invite, second)
    assert len(element.core.requests) == 1
    assert second.resent == ([] if status == 200 else [first.last.encode()])
    if status >= 300:
        element.receive(request("ACK", transport="TCP", to_tag="t"), second)
        assert element.layer.transactions() == (0, 0) and element.layer.on_streams == {}


def test_an_old_peers_invite_that_comes_again_after_its_connection_died_is_known(element: Element) -> None:
    """An RFC 2543 peer's, for which no other connection is known until it takes one."""
    first, second = (FakeFlow(reliable=True, remote=("192.0.2.10", port)) for port in (49152, 49153))
    invite = request("INVITE", branch="1", transport="TCP")
    element.receive(invite, first)
    element.layer.flow_failed(first)
    element.receive(invite, second)
    element.layer.respond(element.transaction(), reply(invite, 486))
    assert len(element.core.requests) == 1 and (first.statuses(), second.statuses()) == ([], [486])


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("status", [0, 180, 486])
def test_a_request_that_comes_again_by_a_way_declared_dead_is_known(element: Element, method: str, status: int) -> None:
    repeated = request(method)
    element.receive(repeated)
    if status:
        element.layer.respond(element.transaction(), reply(repeated, status))
    element.layer.flow_failed(element.flow)
    element.receive(repeated)
    assert len(element.core.requests) == 1
    assert element.flow.resent == ([element.flow.last.encode()] if status else [])
    if status < 200:
        element.layer.respond(element.transaction(), reply(repeated, 486))
    assert element.flow.statuses()[-1:] == [486]
    element.clock.pass_time(33)
    assert element.layer.transactions() == (0, 0) and not element.clock.timers.running()


def test_nobody_else_gets_the_answer_by_repeating_a_request(element: Element) -> None:
    first, thief = FakeFlow(reliable=True, remote=("192.0.2.10", 49152)), FakeFlow(reliable=True, remote=("192.0.2.66", 49152))
    invite = request("INVITE", transport="TCP")
    element.receive(invite, first)
    element.receive(invite, thief)
    element.layer.respond(element.transaction(), reply(invite, 486))
    assert (first.statuses(), thief.statuses()) == ([486], [])


def test_a_repeated_2xx_finds_the_other_connection(element: Element) -> None:
    """Its user repeats it until the ACK (§13.3.1.4), long after the request was let go."""
    broken = FakeFlow(reliable=True, remote=("192.0.2.10", 49152))
    invite = request("INVITE", transport="TCP")
    element.receive(invite, broken)
    transaction = element.transaction()
    element.layer.respond(transaction, reply(invite, 200))
    element.layer.flow_failed(broken)
    element.layer.respond(transaction, reply(invite, 200))
    assert broken.statuses() == [200] and broken.others[PHONE].statuses() == [200]


def test_the_source_is_noted_on_a_connection_too(element: Element) -> None:
    """RFC 3261 §18.2.1 says it of every transport."""
    flow = FakeFlow(reliable=True, remote=("203.0.113.7", 49152))
    element.receive(request("OPTIONS", transport="TCP"), flow)
    assert element.core.requests[0][1].top_via.parameter("received") == "203.0.113.7"


@pytest.mark.parametrize(
    ("head", "kind", "status", "answered"),
    [
        (b"", "not SIP", 400, False),
        (request("OPTIONS", transport="TCP").encode(), "missing content length", 400, True),
        (request("INVITE", transport="TCP").encode(), "too long", 513, True),
        (request("ACK", transport="TCP").encode(), "missing content length", 400, False),
        (reply(request("OPTIONS"), 200).encode(), "missing content length", 400, False),
    ],
)
def test_a_stream_that_cannot_be_read(element: Element, head: bytes, kind: str, status: int, answered: bool) -> None:
    flow = FakeFlow(reliable=True)
    stream_broken(element.layer, Unframed(head, kind, status, "What Is Wrong"), flow)
    assert flow.statuses() == ([status] if answered else [])
    if answered:
        assert flow.last_response().reason == "What Is Wrong"
    assert element.count("parse_errors", kind) == 1
    assert element.count("messages_dropped", "malformed") == (0 if answered else 1)
    assert element.layer.transactions() == (0, 0)


class Beside:
    """A stream beside every UDP flow."""

    def __init__(self) -> None:
        self.flow = FakeFlow(reliable=True)
        self.refusals: list[tuple[object, int]] = []
        self.asked: list[int] = []

    def stream_beside(self, flow: object, size: int) -> FakeFlow:
        self.asked.append(size)
        return self.flow

    def refused(self, flow: object, size: int) -> None:
        self.refusals.append((flow, size))


def long_request(method: str, size: int) -> Request:
    """A request that is so long with our Via."""
    made = unsent(method)
    branch = Identifiers("t").branch()
    via = len(f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n")
    made.append("X-Long", "")
    made.replace("X-Long", "x" * (size - len(made.encode()) - via))
    return made


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_long_request_takes_a_stream(element: Element, method: str) -> None:
    element.layer.streams = beside = Beside()
    element.layer.send_request(long_request(method, 1300), element.flow, ClientRecorder())
    assert len(element.flow.sent[-1].encode()) == 1300 and beside.asked == []
    element.layer.send_request(long_request(method, 1301), element.flow, ClientRecorder())
    assert beside.asked == [1301] and len(element.flow.sent) == 1
    (sent,) = beside.flow.requests(method)
    assert sent.top_via.transport == "tcp" and sent.names.count("Via") == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_long_request_falls_back_to_udp(element: Element, method: str) -> None:
    """RFC 3261 §18.1.1, with all its timers from now, under the branch that it has: records and CANCEL name that."""
    element.layer.streams = beside = Beside()
    user = ClientRecorder()
    element.layer.send_request(long_request(method, 1400), element.flow, user)
    element.layer.flow_failed(beside.flow)
    (sent,) = element.flow.requests(method)
    assert sent.top_via.transport == "udp" and sent.names.count("Via") == 1
    assert sent.top_via.branch == beside.flow.last_request().top_via.branch
    assert beside.refusals == [(element.flow, 1400)]
    element.clock.pass_time(1)
    assert element.flow.resent == [sent.encode()]
    element.receive(reply(sent, 200))
    assert user.statuses == [200] and user.failures == []
    element.clock.pass_time(33)
    assert element.layer.transactions() == (0, 0)


def test_a_long_request_that_was_heard_does_not_fall_back(element: Element) -> None:
    element.layer.streams = beside = Beside()
    user = ClientRecorder()
    element.layer.send_request(long_request("INVITE", 1400), element.flow, user)
    element.receive(reply(beside.flow.last_request(), 100), beside.flow)
    element.layer.flow_failed(beside.flow)
    assert user.failures == [503] and element.flow.sent == []


def test_beyond_the_bound_new_requests_are_dropped(element: Element) -> None:
    table: dict[object, object] = element.layer.servers  # type: ignore[assignment]  # what fills it is none of its own
    table.update(dict.fromkeys(range(MAX_TRANSACTIONS - 1)))
    element.receive(request("OPTIONS"))
    element.receive(request("OPTIONS", branch="z9hG4bK2"))
    assert len(element.core.requests) == 1
    assert element.count("messages_dropped", "too many transactions") == 1
    assert element.count("overload_rejected", "transactions") == 1


def test_what_is_counted(element: Element) -> None:
    options = request("OPTIONS")
    element.receive(options)
    element.layer.respond(element.transaction(), reply(options, 200))
    element.layer.send_request(unsent("BYE"), element.flow, ClientRecorder())
    element.receive(reply(element.flow.last_request(), 481))
    assert element.count("requests", "in", "OPTIONS", "udp") == 1
    assert element.count("responses", "out", "OPTIONS", "200") == 1
    assert element.count("requests", "out", "BYE", "udp") == 1
    assert element.count("responses", "in", "BYE", "481") == 1


def test_a_peer_cannot_make_series_by_inventing_methods() -> None:
    element = Element()
    for number in range(20):
        element.receive(request(f"NEW{number}", via=f"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{number}"))
    assert element.count("requests", "in", "other", "udp") == 20
    assert not [labels for labels in element.observer.counts["requests"] if labels[1].startswith("NEW")]


def test_a_connection_that_carried_nothing_costs_nothing(element: Element) -> None:
    """What is under way on a connection is known, and forgotten when it is over."""
    flow, other = FakeFlow(reliable=True), FakeFlow(reliable=True)
    invite = request("INVITE", transport="TCP")
    element.receive(invite, flow)
    element.layer.respond(element.transaction(), reply(invite, 486))
    element.receive(request("ACK", transport="TCP", to_tag="t"), flow)
    element.receive(request("OPTIONS", transport="TCP"), flow)
    element.layer.respond(element.transaction(), reply(request("OPTIONS"), 200))
    element.layer.send_request(unsent("OPTIONS"), other, ClientRecorder())
    element.receive(reply(other.last_request(), 200), other)
    assert element.layer.on_streams == {}
    element.layer.flow_failed(flow)
    assert element.layer.transactions() == (0, 0)


# ---- how long an answer takes


def waited(element: Element, method: str) -> tuple[int, float]:
    histogram = element.observer.histograms["transaction_seconds"].get(method)
    return (0, 0.0) if histogram is None else (sum(histogram.counts), round(histogram.total, 2))


def test_the_final_response_ends_the_wait() -> None:
    element = Element()
    element.receive(request("INVITE"))
    element.clock.pass_time(0.5)
    element.layer.respond(element.transaction(), reply(request("INVITE"), 180))
    assert waited(element, "INVITE") == (0, 0.0)
    element.clock.pass_time(1)
    for _ in range(2):  # a repeated 2xx is no second answer
        element.layer.forward_response(element.transaction(), reply(request("INVITE"), 200))
    assert waited(element, "INVITE") == (1, 1.5)


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_no_answer(status: int) -> None:
    element = Element()
    element.receive(request("REGISTER"))
    element.layer.respond(element.transaction(), reply(request("REGISTER"), status))
    assert waited(element, "REGISTER") == (0, 0.0)


def test_the_link_in_process_is_not_measured() -> None:
    element = Element(reliable=True)
    element.flow.transport = "memory"
    element.receive(request("PUBLISH"))
    element.layer.respond(element.transaction(), reply(request("PUBLISH"), 200))
    assert waited(element, "PUBLISH") == (0, 0.0)


@pytest.mark.parametrize("status", [200, 302, 400, 402, 403, 404, 406, 408, 486, 503, 603])
def test_any_other_final_response_is_one(status: int) -> None:
    element = Element()
    element.receive(request("REGISTER"))
    element.layer.respond(element.transaction(), reply(request("REGISTER"), status))
    assert waited(element, "REGISTER") == (1, 0.0)


# -- what cannot be sent ------------------------------------------------------------------------------------------


class Refusing(FakeFlow):
    """Raises, or fails the transaction before `send` is back."""

    def __init__(self, element: Element, raises: bool, reliable: bool) -> None:
        super().__init__(reliable=reliable)
        self._element, self._raises = element, raises

    def send(self, message: Message) -> bytes:
        if self._raises:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        self._element.layer.flow_failed(self)
        return super().send(message)


@pytest.mark.parametrize("reliable", [True, False])
@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "CANCEL"])
def test_a_request_that_cannot_be_sent_has_failed(element: Element, method: str, raises: bool, reliable: bool) -> None:
    """RFC 3261 §17.1.4, §8.1.3.1: the user hears of it as of a 503, once, and no transaction and no timer is left. Where it is
    a mistake of ours it is reported, and whoever sends has nothing to catch."""
    flow, user = Refusing(element, raises, reliable), ClientRecorder()
    if method == "CANCEL":
        element.layer.send_cancel(request("CANCEL"), flow)
    else:
        element.layer.send_request(unsent(method), flow, user)
        assert user.failures == ([] if raises else [503]), "the user has its transaction before it hears of its end"
    element.clock.pass_time(0.1)
    assert user.failures == ([] if method == "CANCEL" else [503])
    assert element.layer.transactions() == (0, 0) and not element.clock.timers.running() and element.layer.on_streams == {}
    assert element.count("internal_errors", "transaction user") == raises
    element.clock.pass_time(65)
    assert len(user.failures) <= 1
