"""The soak's own sums: what does not add up would be seen. `make soak` runs it."""

from __future__ import annotations

from tests.soak.balance import samples, unbalanced

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


def test_what_does_not() -> None:
    for line, instead in (
        ('code="200"} 11.0', 'code="200"} 9.0'), ('method="BYE",code="200"} 4.0', 'method="BYE",code="200"} 3.0'),
        ("duration_seconds_count 4.0", "duration_seconds_count 3.0"), ('state="held"} 0.0', 'state="held"} 1.0'),
        ('calls_total{result="answered"} 4.0', 'calls_total{result="answered"} 5.0'),
    ):  # fmt: skip
        assert line in GOOD
        assert len(unbalanced(samples(GOOD.replace(line, instead)))) == 1, instead
