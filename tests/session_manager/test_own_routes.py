"""What the Routes on top of a request prove, and how many of them come off."""

from __future__ import annotations

import pytest

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.own_routes import NONE, OwnRouteReader, OwnRoutes
from b2bua.session_manager.sequences import Position
from b2bua.session_manager.tokens import CALLEE, CALLER, Tokens
from b2bua.sip.errors import MalformedValue
from tests.transaction.neighbours import FakeFlow, request

TOKENS = Tokens(b"k" * 32)
DOMAIN = Domain("example.com")
DOMAIN.listens_on([("192.0.2.1", 5060)])

A = TOKENS.flow(FakeFlow(remote=("192.0.2.10", 5060)), "c1", CALLER, False, "cm")
B = TOKENS.flow(FakeFlow(remote=("192.0.2.20", 5060)), "c1", CALLEE, True, "")
FOREIGN = "<sip:proxy.example.org;lr>"


def ours(user: str = "", host: str = "192.0.2.1:5060") -> str:
    return f"<sip:{user}{'@' if user else ''}{host};lr>"


def read(*routes: str, call_id: str = "c1") -> OwnRoutes:
    more = tuple(("Route", route) for route in routes)
    return OwnRouteReader(DOMAIN, TOKENS).read(request("BYE", call_id=call_id, more=more))


def test_what_was_read_is_remembered_for_its_call_alone() -> None:
    reader = OwnRouteReader(DOMAIN, TOKENS)
    route = ("Route", ours(A))
    own = reader.read(request("BYE", call_id="c1", more=(route,)))
    assert own.first is not None and reader.read(request("INFO", call_id="c1", more=(route,))) is own
    assert reader.read(request("BYE", call_id="c2", more=(route,))).first is None


def test_no_route_says_nothing() -> None:
    assert read() is NONE
    assert (NONE.count, NONE.first, NONE.position) == (0, None, None)


def test_one_token() -> None:
    found = read(ours(A))
    assert found.count == 1 and found.texts == (A,) and found.second is None
    assert found.first is not None and found.first.remote == ("192.0.2.10", 5060)


@pytest.mark.parametrize("routes", [(ours(A), ours(B)), (f"{ours(A)}, {ours(B)}",)])
def test_two_tokens(routes: tuple[str, ...]) -> None:
    found = read(*routes)
    assert found.count == 2 and found.texts == (A, B)
    assert found.first is not None and found.first.direction == CALLER
    assert found.second is not None and found.second.through_nat


def test_it_ends_at_the_first_foreign_route() -> None:
    found = read(ours(A), FOREIGN, ours(B))
    assert found.count == 1 and found.second is None
    assert read(FOREIGN, ours(A)).count == 0


@pytest.mark.parametrize("host", ["192.0.2.1:5060", "192.0.2.1", "example.com", "EXAMPLE.com:5099"])
def test_our_names(host: str) -> None:
    assert read(ours(A, host)).first is not None


def test_a_preloaded_route_without_a_token_only_comes_off() -> None:
    found = read(ours())
    assert (found.count, found.first, found.position) == (1, None, None)


@pytest.mark.parametrize("user", [A[:-1] + ("A" if A[-1] != "A" else "B"), "6001", "x.y"])
def test_a_forged_token_proves_nothing(user: str) -> None:
    found = read(ours(user))
    assert (found.count, found.first, found.position, found.texts) == (1, None, None, ())


def test_the_token_of_another_call_proves_nothing() -> None:
    assert read(ours(A), call_id="c2").first is None


def test_the_position_in_the_sequence() -> None:
    position, other = Position("orig", ("b",), ("a",), "6001"), Position("term", (), ("a",), "6002")
    back = TOKENS.position(position, "c9")
    assert (read(ours(back)).position, read(ours(back)).came_as) == (position, "c9")
    found = read(ours(), ours(back), ours(TOKENS.position(other, "c8")))
    assert (found.count, found.position, found.came_as, found.first) == (3, position, "c9", None)


@pytest.mark.parametrize("value", ["<nonsense>", "<sip:", '"x'])
def test_a_route_that_is_no_address(value: str) -> None:
    with pytest.raises(MalformedValue):
        read(value)
