"""RFC 3263 §4: which questions a URI brings, and which targets their answers make. RFC 2782: the order of SRV records."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from b2bua.sip.next_hop import (
    MAX_TARGETS,
    Answer,
    Naptr,
    Question,
    Reach,
    Srv,
    Target,
    by_weight,
    named_host,
    search,
)
from b2bua.sip.uri import parse_uri

EVERYWHERE: Reach = frozenset((transport, kind) for transport in ("udp", "tcp", "tls") for kind in ("A", "AAAA"))
IPV4_UDP: Reach = frozenset([("udp", "A")])

ZONE: Mapping[tuple[str, str], Answer] = {
    ("example.net", "NAPTR"): (
        Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.example.net"),
        Naptr(10, 20, "S", "sip+d2t", "_sip._tcp.example.net"),
        Naptr(10, 10, "s", "SIPS+D2T", "_sips._tcp.example.net"),
        Naptr(1, 1, "s", "E2U+email", "mail.example.net"),
        Naptr(1, 1, "u", "SIP+D2U", "by-regexp.example.net"),
    ),
    ("_sips._tcp.example.net", "SRV"): (Srv(0, 0, 5061, "tls.example.net"),),
    ("_sip._tcp.example.net", "SRV"): (Srv(0, 0, 5070, "one.example.net"),),
    ("_sip._udp.example.net", "SRV"): (Srv(1, 0, 5070, "two.example.net"), Srv(0, 0, 5060, "one.example.net")),
    ("tls.example.net", "A"): ("192.0.2.33",),
    ("one.example.net", "A"): ("192.0.2.31", "192.0.2.41"),
    ("one.example.net", "AAAA"): ("2001:db8::31",),
    ("two.example.net", "A"): ("192.0.2.32",),
    ("_sip._tcp.no-naptr.example.net", "SRV"): (Srv(0, 0, 5060, "one.example.net"),),
    ("plain.example.net", "A"): ("192.0.2.50",),
    ("not-here.example.net", "A"): ("192.0.2.60",),
    ("_sip._udp.not-here.example.net", "SRV"): (Srv(0, 0, 0, ""),),
}


def found(uri: str, reach: Reach = EVERYWHERE) -> tuple[list[str], list[str]]:
    """The questions asked, and the targets."""
    asked = []
    steps = search(parse_uri(uri), reach, lambda total: 0)
    answer: Answer | None = None
    while True:
        try:
            question = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            return asked, [f"{one.transport}:{one.address[0]}:{one.address[1]}" for one in end.value]
        asked.append(f"{question.name} {question.kind}")
        answer = ZONE.get((question.name, question.kind), ())


@pytest.mark.parametrize(
    ("uri", "targets"),
    [
        ("sip:192.0.2.10", ["udp:192.0.2.10:5060"]),
        ("sip:192.0.2.10:5070;transport=tcp", ["tcp:192.0.2.10:5070"]),
        ("sips:192.0.2.10", ["tls:192.0.2.10:5061"]),
        ("sips:192.0.2.10;transport=tcp", ["tls:192.0.2.10:5061"]),
        ("sip:[2001:db8::1]", ["udp:2001:db8::1:5060"]),
        ("sip:example.net;maddr=192.0.2.11", ["udp:192.0.2.11:5060"]),
    ],
)
def test_an_address_asks_nothing(uri: str, targets: list[str]) -> None:
    assert found(uri) == ([], targets)


def test_a_port_leaves_nothing_but_the_address_to_find() -> None:
    """§4.2: with a port no SRV; §4.1: no transport means UDP, or TLS."""
    questions = ["one.example.net A", "one.example.net AAAA"]
    assert found("sip:one.example.net:5080") == (
        questions,
        ["udp:192.0.2.31:5080", "udp:192.0.2.41:5080", "udp:2001:db8::31:5080"],
    )
    assert found("sips:one.example.net:5080", frozenset([("tls", "A")])) == (
        questions[:1],
        ["tls:192.0.2.31:5080", "tls:192.0.2.41:5080"],
    )


def test_naptr_order_then_preference_then_srv() -> None:
    asked, targets = found("sip:bob@Example.NET.", frozenset((transport, "A") for transport in ("udp", "tcp", "tls")))
    assert asked[:2] == ["example.net NAPTR", "_sips._tcp.example.net SRV"]
    assert targets == [
        "tls:192.0.2.33:5061", "tcp:192.0.2.31:5070", "tcp:192.0.2.41:5070", "udp:192.0.2.31:5060", "udp:192.0.2.41:5060",
        "udp:192.0.2.32:5070",
    ]  # fmt: skip


def test_naptr_of_transports_that_we_have() -> None:
    asked, targets = found("sip:example.net", IPV4_UDP)
    assert "_sip._tcp.example.net SRV" not in asked and "_sips._tcp.example.net SRV" not in asked
    assert targets == ["udp:192.0.2.31:5060", "udp:192.0.2.41:5060", "udp:192.0.2.32:5070"]


def test_sips_goes_by_tls_or_not_at_all() -> None:
    assert found("sips:example.net")[1] == ["tls:192.0.2.33:5061"]
    assert found("sips:example.net", IPV4_UDP)[1] == []
    assert found("sips:plain.example.net")[1] == ["tls:192.0.2.50:5061"]
    assert found("sips:plain.example.net", IPV4_UDP)[1] == []


def test_a_transport_spares_naptr() -> None:
    asked, targets = found("sip:example.net;transport=tcp", frozenset([("tcp", "A")]))
    assert asked[0] == "_sip._tcp.example.net SRV"
    assert targets == ["tcp:192.0.2.31:5070", "tcp:192.0.2.41:5070"]


@pytest.mark.parametrize("uri", ["sip:example.net;transport=tls", "sips:example.net;transport=tcp"])
def test_tls_has_srv_records_of_its_own(uri: str) -> None:
    asked, targets = found(uri, frozenset([("tls", "A")]))
    assert asked[0] == "_sips._tcp.example.net SRV" and targets == ["tls:192.0.2.33:5061"]


def test_sips_without_naptr_asks_for_tls_alone() -> None:
    asked, _ = found("sips:no-naptr.example.net", frozenset((one, "A") for one in ("udp", "tcp", "tls")))
    assert asked == ["no-naptr.example.net NAPTR", "_sips._tcp.no-naptr.example.net SRV", "no-naptr.example.net A"]


def test_without_naptr_each_transport_is_asked_for() -> None:
    asked, targets = found("sip:no-naptr.example.net", frozenset((one, "A") for one in ("udp", "tcp", "tls")))
    assert asked[:3] == [
        "no-naptr.example.net NAPTR", "_sip._udp.no-naptr.example.net SRV", "_sip._tcp.no-naptr.example.net SRV",
    ]  # fmt: skip
    assert targets == ["tcp:192.0.2.31:5060", "tcp:192.0.2.41:5060"]


def test_without_srv_the_name_itself() -> None:
    assert found("sip:plain.example.net")[1] == ["udp:192.0.2.50:5060"]
    assert found("sip:plain.example.net;transport=tcp")[1] == ["tcp:192.0.2.50:5060"]


def test_srv_that_says_no() -> None:
    """RFC 2782: the target `.` means that the service is decidedly not there; the name's own address is not tried."""
    assert found("sip:not-here.example.net")[1] == []


def test_nothing_at_all() -> None:
    assert found("sip:nobody.example.net")[1] == []


@pytest.mark.parametrize("transport", ["ws", "wss", "sctp"])
def test_transports_that_we_do_not_open(transport: str) -> None:
    assert found(f"sip:example.net;transport={transport}")[1] == []


def test_a_zone_cannot_make_us_try_for_ever() -> None:
    steps = search(parse_uri("sip:example.net"), IPV4_UDP, lambda total: 0)
    answer: Answer | None = None
    while True:
        try:
            question: Question = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            assert len(end.value) == MAX_TARGETS
            return
        many = tuple(Srv(0, 0, 5060, f"h{number}.example.net") for number in range(100))
        answer = {"SRV": many, "A": ("192.0.2.1", "192.0.2.2", "192.0.2.3")}.get(question.kind, ())


def test_a_target_has_the_name_that_was_looked_for() -> None:
    """Never one that the DNS gave: a certificate must stand for the domain (RFC 5922 §4)."""
    steps = search(parse_uri("sips:example.net"), EVERYWHERE, lambda total: 0)
    answer: Answer | None = None
    try:
        while True:
            question = next(steps) if answer is None else steps.send(answer)
            answer = ZONE.get((question.name, question.kind), ())
    except StopIteration as end:
        assert end.value == (Target("tls", ("192.0.2.33", 5061), "example.net"),)


# -- RFC 2782 -----------------------------------------------------------------------------------------------------


def test_priority_before_weight() -> None:
    records = [Srv(2, 100, 1, "c"), Srv(1, 0, 1, "a"), Srv(1, 0, 1, "b")]
    assert [record.target for record in by_weight(records, lambda total: 0)] == ["a", "b", "c"]


@pytest.mark.parametrize(("drawn", "first"), [(0, "none"), (1, "light"), (10, "light"), (11, "heavy"), (40, "heavy")])
def test_weight_is_a_share_of_the_draw(drawn: int, first: str) -> None:
    """The running sum is compared with a number from 0 to the sum of all; those without weight stand first."""
    records = [Srv(0, 30, 1, "heavy"), Srv(0, 0, 1, "none"), Srv(0, 10, 1, "light")]
    draws = []

    def pick(total: int) -> int:
        draws.append(total)
        return drawn if len(draws) == 1 else 0

    ordered = by_weight(records, pick)
    assert ordered[0].target == first and draws[0] == 40 and len(ordered) == 3


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:6001@phone.example.com", "phone.example.com"),
        ("sip:6001@Phone.Example.COM.:5070", "phone.example.com"),
        ("sip:6001@192.0.2.10", ""),
        ("sip:6001@[2001:db8::1]", ""),
        ("sip:6001@x7.invalid", ""),
        ("sip:6001@printer.local", ""),
        ("sip:6001@sip.localhost", ""),
        ("sip:6001@phone.example.net", "phone.example.net"),
        ("sip:6001@desk", ""),
        ("sip:6001@phone.example.com;maddr=192.0.2.10", ""),
    ],
)
def test_which_hosts_are_looked_up(uri: str, name: str) -> None:
    assert named_host(parse_uri(uri)) == name
