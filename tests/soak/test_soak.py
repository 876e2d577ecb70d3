"""The soak's own sums: what does not add up would be seen. `make soak` runs it."""

from __future__ import annotations

from itertools import cycle

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.soak.balance import samples, unbalanced
from tests.soak.rough_relay import RoughRelay

GOOD = """\
# HELP b2bua_requests_total x
b2bua_requests_total{direction="in",method="INVITE",transport="udp"} 10.0
b2bua_requests_total{direction="in",method="ACK",transport="udp"} 9.0
b2bua_requests_total{direction="in",method="BYE",transport="udp"} 5.0
b2bua_requests_total{direction="out",method="BYE",transport="udp"} 50.0
b2bua_retransmissions_total{direction="in",method="BYE"} 1.0
b2bua_responses_total{direction="out",method="INVITE",code="100"} 10.0
b2bua_responses_total{direction="out",method="INVITE",code="200"} 11.0
b2bua_responses_total{direction="out",method="BYE",code="200"} 4.0
b2bua_responses_total{direction="in",method="BYE",code="200"} 40.0
b2bua_call_setup_seconds_count 4.0
b2bua_call_duration_seconds_count 4.0
b2bua_call_attempts_total{code="200"} 4.0
b2bua_calls_total{result="answered"} 4.0
b2bua_calls_active{state="held"} 0.0
"""


def test_what_adds_up() -> None:
    assert unbalanced(samples(GOOD)) == []


OTHER = 'b2bua_responses_total{direction="out",method="other",code="2xx"} 1.0\n'


def test_answers_that_are_counted_without_their_method() -> None:
    """Of a family that has all the label sets that it may show."""
    short = GOOD.replace('method="BYE",code="200"} 4.0', 'method="BYE",code="200"} 3.0')
    assert unbalanced(samples(short + OTHER)) == []
    assert len(unbalanced(samples(short.replace('code="200"} 3.0', 'code="200"} 2.0') + OTHER))) == 1


def test_what_does_not() -> None:
    for line, instead in (
        ('code="200"} 11.0', 'code="200"} 9.0'), ('method="BYE",code="200"} 4.0', 'method="BYE",code="200"} 3.0'),
        ("duration_seconds_count 4.0", "duration_seconds_count 3.0"), ('state="held"} 0.0', 'state="held"} 1.0'),
        ('calls_total{result="answered"} 4.0', 'calls_total{result="answered"} 5.0'),
    ):  # fmt: skip
        assert line in GOOD
        assert len(unbalanced(samples(GOOD.replace(line, instead)))) == 1, instead


def test_the_relay_lets_nothing_overtake() -> None:
    """What arrives late or in pieces is still the same stream."""
    clock = Clock()
    relay = RoughRelay(clock, ("127.0.0.1", 5060), 0.9, 1)
    relay.random.random = iter(cycle((0.2, 0.5, 0.3, 0.6, 0.1, 0.95))).__next__  # cut in two, late or not, never broken
    phone, server = relay.end(None), StringTransport()
    there = relay.end(phone)
    phone._other, there.transport = there, server
    said = [f"<{number}>".encode() for number in range(200)]
    for data in said:
        phone.carry(data)
        clock.advance(0.003)
    clock.advance(1)
    assert server.value() == b"".join(said) and relay.pieces > len(said) and relay.delayed and not relay.broken
