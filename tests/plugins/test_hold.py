"""Who holds, by what each party offers and answers (RFC 3264 §8.4, RFC 6337 §5.3)."""

from __future__ import annotations

import pytest

from b2bua.feature_server.leg import Leg
from plugins.communication_manager.hold import Hold
from tests.feature_server.surroundings import description
from tests.plugins.standing import StandingCall, answer_with, with_body


class World:
    def __init__(self) -> None:
        self.call = StandingCall()
        self.hold = Hold(None)
        self.a, self.b = self.call.caller, self.call.callee

    def offer(self, leg: Leg, body: bytes, content_type: str = "application/sdp") -> None:
        request = with_body("INVITE", body, content_type)
        assert self.hold.request_received(self.call.call, leg, request) is request

    def answer(self, leg: Leg, body: bytes, status: int = 200) -> None:
        response = answer_with(status, body)
        assert self.hold.response_received(self.call.call, leg, response) is response

    def ack(self, leg: Leg, body: bytes) -> None:
        request = with_body("ACK", body)
        assert self.hold.request_received(self.call.call, leg, request) is request

    def end(self, leg: Leg, status: int = 200) -> None:
        self.hold.exchange_ended(self.call.call, leg, status)

    def exchange(self, leg: Leg, offer: bytes, answer: bytes) -> tuple[bool, bool]:
        """A re-INVITE of this party, answered by the other; who holds now, this one and the other."""
        self.offer(leg, offer)
        self.answer(leg.other, answer)
        self.end(leg)
        return leg.holding, leg.other.holding


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("role", ["caller", "callee"])
@pytest.mark.parametrize(
    ("offer", "answer", "holds"),
    [
        ("sendrecv", "sendrecv", (False, False)),
        ("", "", (False, False)),
        ("sendonly", "recvonly", (True, False)),
        ("inactive", "inactive", (True, False)),
        ("sendonly", "inactive", (True, False)),  # to a hold some phones answer so
        ("sendrecv", "sendonly", (False, True)),  # resumed, and held by the other
        ("sendrecv", "inactive", (False, True)),
        ("sendrecv", "recvonly", (False, False)),
        ("recvonly", "sendonly", (False, False)),  # nothing else is legal
        ("recvonly", "inactive", (False, False)),
    ],
)
def test_the_directions(world: World, role: str, offer: str, answer: str, holds: tuple[bool, bool]) -> None:
    leg = world.call.one(role)
    assert world.exchange(leg, description(offer), description(answer)) == holds


@pytest.mark.parametrize(
    ("offer", "holds"),
    [
        (description("sendrecv", 1, "0.0.0.0"), True),  # the legacy hold (RFC 3264 §8.4)
        (description("", 1, "0.0.0.0"), True),
        (description().replace(b"IN IP4 192.0.2.10", b"IN IP6 ::"), True),
        (description("sendonly", 1, "192.0.2.10", 0), False),  # no live stream: nothing is held
        (description("", 1, "192.0.2.10", 4000, "a=sendonly"), True),
        (description("", 1).rstrip(b"\r\n") + b"\r\na=sendonly", True),  # the last line without its CRLF
        (description().replace(b"t=0 0", b"a=inactive\r\nt=0 0"), True),  # for the whole session
        (description("sendonly", 1, "192.0.2.10", 4000, "m=video 5000 RTP/AVP 96", "a=sendrecv"), False),
        (description("sendonly", 1, "192.0.2.10", 4000, "m=video 5000 RTP/AVP 96", "a=inactive"), True),
        (description("sendonly", 1, "192.0.2.10", 4000, "m=video 0 RTP/AVP 96"), True),
    ],
)
def test_what_an_offer_says(world: World, offer: bytes, holds: bool) -> None:
    world.offer(world.a, offer)
    assert world.a.holding is holds and not world.b.holding


def test_the_hold_shows_before_it_is_answered(world: World) -> None:
    world.offer(world.a, description("sendonly"))
    assert world.call.changes[-1] == (True, False)


@pytest.mark.parametrize("status", [488, 491, 500, 487])
def test_a_refused_hold_is_taken_back(world: World, status: int) -> None:
    world.offer(world.a, description("sendonly"))
    world.end(world.a, status)
    assert not world.a.holding and world.call.changes[-1] == (False, False)


@pytest.mark.parametrize("status", [488, 491])
def test_a_refused_resume_leaves_it_held(world: World, status: int) -> None:
    world.exchange(world.a, description("sendonly"), description("recvonly"))
    world.offer(world.a, description("sendrecv"))
    assert not world.a.holding
    world.end(world.a, status)
    assert world.a.holding


def test_the_same_hold_twice(world: World) -> None:
    for _ in range(2):
        assert world.exchange(world.a, description("sendonly"), description("recvonly")) == (True, False)
    assert world.exchange(world.a, description("sendrecv"), description("sendrecv")) == (False, False)


def test_both_hold_and_the_first_resume_leaves_it_held_by_the_other(world: World) -> None:
    world.exchange(world.a, description("sendonly"), description("recvonly"))
    assert world.exchange(world.b, description("inactive"), description("inactive")) == (True, True)
    assert world.exchange(world.a, description("sendrecv"), description("sendonly")) == (False, True)
    assert world.exchange(world.b, description("sendrecv"), description("sendrecv")) == (False, False)


def test_resume_without_hold(world: World) -> None:
    assert world.exchange(world.b, description("sendrecv"), description("sendrecv")) == (False, False)


# -- offerless (RFC 3264 §4: the offer stands in the 2xx, the answer in the ACK) ------------------------------------


@pytest.mark.parametrize(
    ("offer", "answer", "holds"),
    [
        ("sendrecv", "sendrecv", (False, False)),
        ("sendrecv", "sendonly", (True, False)),  # who sent the re-INVITE answers, and holds so
        ("sendonly", "recvonly", (False, True)),
        ("sendonly", "inactive", (False, True)),
    ],
)
def test_an_offerless_reinvite(world: World, offer: str, answer: str, holds: tuple[bool, bool]) -> None:
    world.offer(world.a, b"")
    world.answer(world.b, description(offer))
    world.ack(world.a, description(answer))
    world.end(world.a)
    assert (world.a.holding, world.b.holding) == holds


# -- the first INVITE ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "holds"), [("sendrecv", False), ("recvonly", False), ("sendonly", True), ("inactive", True)]
)
def test_the_first_answer(world: World, answer: str, holds: bool) -> None:
    world.call.call.state = "early"
    world.hold.call_offered(world.call.call, with_body("INVITE", description("sendrecv")))
    world.answer(world.b, description(answer))
    assert (world.a.holding, world.b.holding) == (False, holds)


# -- what says nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b"hello", "application/sdp"),
        (description("sendonly"), "text/plain"),
        (b"v=0\r\nm=audio\r\n", "application/sdp"),
    ],
)
def test_what_is_no_offer(world: World, body: bytes, content_type: str) -> None:
    world.offer(world.a, body, content_type)
    assert world.call.changes == []


@pytest.mark.parametrize("status", [180, 183, 486])
def test_only_a_2xx_answers(world: World, status: int) -> None:
    world.offer(world.a, description("sendrecv"))
    world.answer(world.b, description("sendonly"), status)
    assert not world.b.holding


def test_other_requests_say_nothing(world: World) -> None:
    info = with_body("INFO", description("sendonly"))
    assert world.hold.request_received(world.call.call, world.a, info) is info
    assert world.call.changes == []


def test_nothing_is_kept_after_the_call(world: World) -> None:
    world.offer(world.a, description("sendonly"))
    world.hold.call_ended(world.call.call)
    assert world.hold._before == {} and world.hold._offers == {}


@pytest.mark.parametrize(("method", "counts"), [("INVITE", True), ("UPDATE", True), ("PRACK", True), ("BYE", False),
                                                ("INFO", False), ("MESSAGE", False), ("ACK", False)])  # fmt: skip
def test_which_requests_offer(world: World, method: str, counts: bool) -> None:
    """RFC 3264 §4, RFC 3262 §5, RFC 3311: who is offered nothing answers nothing, and a BYE with a body is no hold."""
    request = with_body(method, description("sendonly"))
    assert world.hold.request_received(world.call.call, world.a, request) is request
    assert world.a.holding is counts
    world.answer(world.b, description("recvonly"))
    world.end(world.a)
    assert world.a.holding is counts


@pytest.mark.parametrize(("method", "counts"), [("ACK", True), ("PRACK", True), ("BYE", False), ("INFO", False),
                                                ("MESSAGE", False)])  # fmt: skip
def test_which_requests_answer(world: World, method: str, counts: bool) -> None:
    """The other party has offered in its 2xx or reliable 1xx; this one does not want media."""
    world.offer(world.a, b"")
    world.answer(world.b, description("sendrecv"))
    world.hold.request_received(world.call.call, world.a, with_body(method, description("inactive")))
    assert world.a.holding is counts


@pytest.mark.parametrize(("method", "counts"), [("INVITE", True), ("UPDATE", True), ("PRACK", True), ("BYE", False),
                                                ("INFO", False), ("MESSAGE", False)])  # fmt: skip
def test_whose_answers_count(world: World, method: str, counts: bool) -> None:
    world.offer(world.a, description("sendrecv"))
    world.hold.response_received(world.call.call, world.b, answer_with(200, description("sendonly"), method))
    assert world.b.holding is counts
