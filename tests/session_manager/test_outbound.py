"""RFC 5626 §6: which REGISTER names a flow, which may not, and who hears that it is understood."""

from __future__ import annotations

import pytest

from tests.session_manager.test_registrar import World
from tests.transaction.neighbours import FakeFlow

INSTANCE = ';+sip.instance="<urn:uuid:1>"'
FLOW = f"<sip:6001@phone.invalid;transport=ws>{INSTANCE};reg-id=1"
SUPPORTED = ("Supported", "path, outbound, gruu")
PROXY = ("Via", "SIP/2.0/TCP 192.0.2.10;branch=z9hG4bKphone")
"""Below the Via of whoever sent it to us: we are not the first hop."""
EDGE = ("Path", "<sip:token@edge.example.com;lr;ob>")
PLAIN = ("Path", "<sip:edge.example.com;lr>")


@pytest.fixture
def world() -> World:
    made = World()
    made.flow = FakeFlow(reliable=True)
    return made


def required(world: World, *contacts: str, more: tuple[tuple[str, str], ...] = (SUPPORTED,)) -> str | None:
    response = world.register(*contacts, more=more)
    assert response is not None and response.status == 200
    return response.get("Require")


def test_a_flow_of_a_phone_that_asks(world: World) -> None:
    assert required(world, FLOW) == "outbound"


@pytest.mark.parametrize(
    "contact",
    [f"<sip:6001@192.0.2.10>{INSTANCE}", "<sip:6001@192.0.2.10>;reg-id=1", f"<sip:6001@192.0.2.10>{INSTANCE};reg-id=x"],
    ids=["no reg-id", "no instance", "no number"],
)
def test_without_both_there_is_no_flow(world: World, contact: str) -> None:
    assert required(world, contact) is None
    assert world.location.bindings("6001")[0].reg_id == 0


def test_who_does_not_ask_is_told_nothing(world: World) -> None:
    """The flow is kept apart all the same."""
    assert required(world, FLOW, more=()) is None
    assert world.location.bindings("6001")[0].reg_id == 1


def test_over_udp_nothing_is_promised(world: World) -> None:
    """Declared: its keep-alive there is STUN (§4.4.2), which we do not speak."""
    world.flow = FakeFlow()
    assert required(world, FLOW) is None


def test_a_query_is_promised_nothing(world: World) -> None:
    assert required(world) is None


@pytest.mark.parametrize("path", [(), (PLAIN,)], ids=["no Path", "Path without ob"])
def test_a_first_hop_that_knows_nothing_of_it(world: World, path: tuple[tuple[str, str], ...]) -> None:
    """439 for a phone that relies on it; for another reg-id does not count, the URI tells its bindings apart."""
    error = world.refused(FLOW, more=(PROXY, *path, SUPPORTED))
    assert (error.status, error.reason) == (439, "First Hop Lacks Outbound Support")
    for uri in ("sip:6001@one.invalid", "sip:6001@two.invalid"):
        assert required(world, f"<{uri}>{INSTANCE};reg-id=1", more=(PROXY, *path)) is None
    assert world.uris() == ["sip:6001@two.invalid", "sip:6001@one.invalid"]
    assert {binding.reg_id for binding in world.location.bindings("6001")} == {0}


def test_an_edge_that_takes_part(world: World) -> None:
    assert required(world, FLOW, more=(PROXY, EDGE, PLAIN, SUPPORTED)) == "outbound"
    assert world.location.bindings("6001")[0].reg_id == 1


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [((FLOW, "<sip:6001@192.0.2.11>"), None), ((FLOW, f"<sip:6001@192.0.2.11>{INSTANCE};reg-id=2"), 600)],
)
def test_one_flow_a_registration(world: World, contacts: tuple[str, ...], expires: int | None) -> None:
    assert world.refused(*contacts, expires=expires).status == 400


def test_flows_may_be_removed_beside_one(world: World) -> None:
    old = f"<sip:6001@192.0.2.11>{INSTANCE};reg-id=2"
    world.register(old)
    world.register(FLOW, f"{old};expires=0")
    assert world.uris() == ["sip:6001@phone.invalid;transport=ws"]
    world.register(old)
    world.register(FLOW, old, expires=0)
    assert world.uris() == []
