"""Bindings: how long they live, which is which, and where each is reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.session_manager.location import Binding, Location, behind_nat
from b2bua.sip.address import parse_address
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.uri import parse_uri
from b2bua.sip.via import Via
from tests.transaction.neighbours import Clock, FakeFlow

SOURCE: HostPort = ("203.0.113.7", 40000)


def binding(uri: str = "sip:6001@192.0.2.10", expires_at: float = 1060.0, **changed: object) -> Binding:
    made = Binding("6001", f"<{uri}>", uri, "c1", 1, expires_at, "udp:192.0.2.1:5060", SOURCE, False)
    return replace(made, **changed)  # type: ignore[arg-type]  # names and types are Binding's own


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.gone: list[str] = []
        self.location = Location(self.clock.timers, self.clock.now, self.gone.append)


@pytest.fixture
def world() -> World:
    return World()


# -- life ---------------------------------------------------------------------------------------------------------


def test_nobody_is_registered(world: World) -> None:
    assert world.location.bindings("6001") == () and list(world.location.users()) == []


def test_a_binding_ends_with_its_time(world: World) -> None:
    world.location.replace("6001", [binding(expires_at=1060.0)])
    world.clock.pass_time(59.9)
    assert len(world.location.bindings("6001")) == 1
    world.clock.pass_time(0.1)
    assert world.location.bindings("6001") == ()  # on time, whenever the sweep comes
    world.clock.pass_time(0.2)
    assert world.gone == ["6001"] and world.clock.timers.running() == 0


def test_each_binding_ends_by_itself(world: World) -> None:
    short, long = binding(expires_at=1010.0), binding("sip:6001@192.0.2.11", 1100.0)
    world.location.replace("6001", [short, long])
    world.clock.pass_time(10.2)
    assert world.location.bindings("6001") == (long,)
    assert world.gone == []
    world.clock.pass_time(90)
    assert world.gone == ["6001"]


def test_a_refresh_puts_the_end_off(world: World) -> None:
    world.location.replace("6001", [binding(expires_at=1060.0)])
    world.clock.pass_time(50)
    world.location.replace("6001", [binding(expires_at=1110.0)])
    world.clock.pass_time(55)
    assert len(world.location.bindings("6001")) == 1 and world.gone == []
    assert world.clock.timers.running() == 1


def test_removed_at_once(world: World) -> None:
    world.location.replace("6001", [binding()])
    world.location.replace("6001", [])
    assert world.location.bindings("6001") == () and world.clock.timers.running() == 0


def test_what_had_ended_before_it_was_loaded(world: World) -> None:
    world.location.replace("6001", [binding(expires_at=900.0)])
    assert world.location.bindings("6001") == ()
    world.clock.pass_time(0.2)
    assert world.gone == ["6001"]


def test_the_order_stays_and_only_the_living_are_users(world: World) -> None:
    first, second = binding("sip:6001@192.0.2.11"), binding("sip:6001@192.0.2.12")
    world.location.replace("6001", [first, second])
    world.location.replace("6002", [binding(expires_at=999.0)])
    assert list(world.location.users()) == [("6001", (first, second))]


# -- which is which -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "instance", "reg_id", "uri", "same"),
    [
        (binding(), "", 0, "sip:6001@192.0.2.10", True),
        (binding(), "", 0, "sip:%36001@192.0.2.10", True),
        (binding(), "", 0, "sip:6001@192.0.2.10:5060", False),  # RFC 3261 §19.1.4: a port is not its default
        (binding(), "", 0, "sip:6001@192.0.2.11", False),
        (binding(), "", 0, "sip:6001@192.0.2.10;transport=tcp", False),
        (binding(), "", 0, "sip:6001@192.0.2.10;x=y", True),
        (binding(instance="<urn:a>", reg_id=1), "<urn:a>", 1, "sip:6001@192.0.2.99", True),
        (binding(instance="<urn:a>", reg_id=1), "<urn:a>", 2, "sip:6001@192.0.2.10", False),
        (binding(instance="<urn:a>", reg_id=1), "<urn:b>", 1, "sip:6001@192.0.2.10", False),
        (binding(instance="<urn:a>"), "<urn:a>", 0, "sip:6001@192.0.2.99", False),  # without reg-id the URI tells
    ],
)
def test_the_same_contact(one: Binding, instance: str, reg_id: int, uri: str, same: bool) -> None:
    assert one.same_contact(instance, reg_id, parse_uri(uri)) is same


# -- where it is reached ------------------------------------------------------------------------------------------


class Flows:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, HostPort]] = []

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        self.asked.append((listener, remote))
        return None

    def open(self, transport: str, listener: str, remote: HostPort) -> Flow | None:
        self.asked.append((transport, remote))
        return None


@pytest.mark.parametrize(
    ("one", "remote"),
    [
        (binding("sip:6001@192.0.2.10"), ("192.0.2.10", 5060)),
        (binding("sip:6001@192.0.2.10:5070"), ("192.0.2.10", 5070)),
        (binding("sip:6001@[2001:db8::10]:5070"), ("2001:db8::10", 5070)),
        (binding("sip:6001@192.0.2.10:5070", nat=True), SOURCE),
        (binding("sip:6001@phone.example.com"), SOURCE),  # a name would have to be looked up
        # RFC 3327 §5.4: towards the first hop of its path.
        (binding(path=("<sip:t@192.0.2.20:5070;lr>", "<sip:192.0.2.21;lr>")), ("192.0.2.20", 5070)),
        (binding(path=("<sip:192.0.2.20;lr>",)), ("192.0.2.20", 5060)),
        (binding(path=("<sip:edge.example.com;lr>",)), SOURCE),
        (binding(path=("<sip:10.0.0.9;lr>",), nat=True), SOURCE),
    ],
)
def test_the_flow(one: Binding, remote: HostPort) -> None:
    flows = Flows()
    assert one.flow(flows) is None
    assert flows.asked == [("udp:192.0.2.1:5060", remote)]


AT_HOME: HostPort = ("192.0.2.10", 40000)
UDP, TCP, TLS, WS, WSS = (f"{transport}:192.0.2.1:5060" for transport in ("udp", "tcp", "tls", "ws", "wss"))


@pytest.mark.parametrize(
    ("listener", "named", "asked"),
    [
        # Over UDP: a new connection where the Contact names one that can be opened, and the datagram where there is none.
        (UDP, "", [(UDP, ("192.0.2.10", 5060))]),
        (UDP, "udp", [(UDP, ("192.0.2.10", 5060))]),
        (UDP, "ws", [(UDP, ("192.0.2.10", 5060))]),
        (UDP, "wss", [(UDP, ("192.0.2.10", 5060))]),
        (UDP, "tcp", [("tcp", ("192.0.2.10", 5060)), (UDP, ("192.0.2.10", 5060))]),
        (UDP, "tls", [("tls", ("192.0.2.10", 5061)), (UDP, ("192.0.2.10", 5060))]),
        # Over a stream: the phone's own connection, then a new one; none to a browser (RFC 7118 §3).
        (TCP, "", [(TCP, AT_HOME), ("tcp", ("192.0.2.10", 5060))]),
        (TCP, "udp", [(TCP, AT_HOME), ("udp", ("192.0.2.10", 5060))]),
        (TCP, "tls", [(TCP, AT_HOME), ("tls", ("192.0.2.10", 5061))]),
        (TCP, "ws", [(TCP, AT_HOME), ("tcp", ("192.0.2.10", 5060))]),
        (TCP, "wss", [(TCP, AT_HOME), ("tcp", ("192.0.2.10", 5060))]),
        (TLS, "tcp", [(TLS, AT_HOME), ("tls", ("192.0.2.10", 5061))]),
        (WS, "ws", [(WS, AT_HOME)]),
        (WSS, "wss", [(WSS, AT_HOME)]),
    ],
)
def test_the_ways_in_order(listener: str, named: str, asked: list[tuple[str, HostPort]]) -> None:
    flows = Flows()
    uri = "sip:6001@192.0.2.10" + (f";transport={named}" if named else "")
    assert binding(uri, listener=listener, source=AT_HOME).flow(flows) is None
    assert flows.asked == asked


# -- behind NAT? --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "via", "nat"),
    [
        # The Contact is where the request came from: in the open, whatever the Via says.
        ("<sip:6001@203.0.113.7:40000>", ("203.0.113.7", 40000), False),
        ("<sip:6001@203.0.113.7:40000>", ("192.168.1.5", 5060), False),
        # Contact and Via name the same private address, and that is not where the request came from.
        ("<sip:6001@192.168.1.5:5060>", ("192.168.1.5", 5060), True),
        ("<sip:6001@192.168.1.5>", ("192.168.1.5", None), True),
        ("<sip:6001@[2001:db8::5]>", ("[2001:db8::5]", 5060), True),
        # An honest Via, and a Contact that differs: it was put there on purpose (another port, another host).
        ("<sip:6001@203.0.113.7:5070>", ("203.0.113.7", 40000), False),
        ("<sip:6001@192.0.2.99>", ("203.0.113.7", 40000), False),
        # The right host with another port than it came from: it hears at that one, too, as it asks for answers there.
        ("<sip:6001@203.0.113.7:5060>", ("203.0.113.7", 5060), True),
        # No address at all (RFC 7118 §5: x.invalid).
        ("<sip:x@y.invalid;transport=ws>", ("y.invalid", None), True),
        # A name of somebody in the open is looked up; of somebody behind NAT, or without a domain, it is not.
        ("<sip:6001@phone.example.com>", ("203.0.113.7", 40000), False),
        ("<sip:6001@phone.example.com>", ("192.168.1.5", 40000), True),
        ("<sip:6001@phone.example.com>", ("203.0.113.7", 5060), True),
        ("<sip:6001@desk>", ("203.0.113.7", 40000), True),
        ("<nonsense>", ("203.0.113.7", 40000), True),
        ("<tel:+15551234>", ("203.0.113.7", 40000), True),
    ],
)
def test_behind_nat(contact: str, via: tuple[str, int | None], nat: bool) -> None:
    assert behind_nat(parse_address(contact), via_of(*via), SOURCE) is nat


@pytest.mark.parametrize(
    ("contact", "via", "nat"),
    [
        # RFC 3581 §3: without rport it need not hear where it writes from. Host and Via are honest, so no NAT is between.
        ("<sip:6001@203.0.113.7:5060>", ("203.0.113.7", 5060), False),
        ("<sip:6001@203.0.113.7>", ("203.0.113.7", None), False),
        # Its Via shows that one is.
        ("<sip:6001@203.0.113.7:5060>", ("192.168.1.5", 5060), True),
        ("<sip:6001@192.168.1.5:5060>", ("192.168.1.5", 5060), True),
    ],
)
def test_behind_nat_without_rport(contact: str, via: tuple[str, int | None], nat: bool) -> None:
    assert behind_nat(parse_address(contact), via_of(*via, parameters=""), SOURCE) is nat


def via_of(host: str, port: int | None, parameters: str = ";rport") -> Via:
    return Via("udp", host, port, parameters, "z9hG4bK1")


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (binding("sip:6001@phone.example.com"), "phone.example.com"),
        (binding("sip:6001@192.0.2.10", path=("<sip:edge.example.com;lr>", "<sip:192.0.2.20;lr>")), "edge.example.com"),
        (binding("sip:6001@phone.example.com", path=("<sip:192.0.2.20;lr>",)), None),
        (binding("sip:6001@192.0.2.10"), None),
        (binding("sip:6001@phone.example.com", nat=True), None),
        (binding("sip:6001@phone.example.com", reg_id=1, instance="<urn:uuid:1>"), None),
    ],
)
def test_which_bindings_are_looked_up(one: Binding, name: str | None) -> None:
    found = one.name_to_look_up(None)
    assert (None if found is None else found.host) == name
    assert one.name_to_look_up(FakeFlow(reliable=True)) is None  # its connection stands


def test_the_default_port_counts() -> None:
    assert not behind_nat(parse_address("<sip:6001@192.0.2.10>"), via_of("192.0.2.10", None), ("192.0.2.10", 5060))


# -- figures ------------------------------------------------------------------------------------------------------


def test_the_census_counts_what_lives(world: World) -> None:
    assert world.location.census() == (0, {})
    tcp = binding("sip:6001@192.0.2.11", 1100.0, listener="tcp:192.0.2.1:5060")
    world.location.replace("6001", [binding(expires_at=1010.0), tcp])
    world.location.replace("6002", [binding(expires_at=1010.0), binding(expires_at=1100.0, listener="udp:192.0.2.2:5060")])
    world.location.replace("6003", [binding(expires_at=1010.0)])
    assert world.location.census() == (3, {"udp": 4, "tcp": 1})
    world.clock.pass_time(10.1)
    assert world.location.census() == (2, {"udp": 1, "tcp": 1})
