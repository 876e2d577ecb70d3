"""The line of a fault: read, printed, refused."""

from __future__ import annotations

import pytest

from b2bua.faults.fault import Fault, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault("drop")),
        ("drop method=NOTIFY user=6003 nth=2", Fault("drop", user="6003", method="NOTIFY", nth=2)),
        ("drop method=INVITE status=200 direction=out", Fault("drop", method="INVITE", status="200", direction="out")),
        ("drop status=2xx count=all", Fault("drop", status="2xx", count=0)),
        ("drop chance=0.25 seed=7", Fault("drop", count=0, chance=0.25, seed=7)),
        ("drop chance=0.25 count=3", Fault("drop", count=3, chance=0.25)),
        ("delay method=invite seconds=1.5", Fault("delay", method="INVITE", seconds=1.5)),
        ("delay seconds=0", Fault("delay")),
        ("answer method=re-invite code=491", Fault("answer", method="re-INVITE", code=491)),
        ("answer trunk=carrier direction=out code=503", Fault("answer", trunk="carrier", direction="out", code=503)),
        ("challenge stale=yes", Fault("challenge", stale=True)),
        ("challenge stale=no", Fault("challenge")),
        ("tag status=180", Fault("tag", status="180")),
        ("pad bytes=65507", Fault("pad", bytes=65_507)),
    ],
)
def test_read_and_printed(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


def test_a_features_own() -> None:
    fault = Fault("slow_start", method="INVITE", argument="two", nth=2)
    assert parse_fault("slow_start method=INVITE nth=2 argument=two", ["slow_start"]) == fault
    assert parse_fault(str(fault), None) == fault
    assert fault.is_own and not fault.of_requests
    with pytest.raises(ValueError, match="'slow-start' is none of"):
        parse_fault("slow-start", None)  # no name at all, whoever knows them


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is none of drop, delay"),
        ("lose method=BYE", "'lose' is none of drop, delay"),
        ("lose", "nor has a feature in use a fault of this name"),
        ("drop argument=x", "argument belongs to faults of features"),
        ("drop metod=BYE", "nearest key is 'method'"),
        ("drop BYE", "nearest key is"),
        ("drop user=", "a name is wanted"),
        ("drop user=1 user=2", "user stands there twice"),
        ("drop user=1 trunk=a", "one of user and trunk"),
        ("drop method=B?E", "is no method"),
        ("drop direction=up", "none of in, out"),
        ("drop status=99", "neither a status"),
        ("drop status=xx2", "neither a status"),
        ("drop status=7xx", "neither a status"),
        ("drop nth=0", "between 1 and"),
        ("drop count=none", "between 1 and"),
        ("drop chance=1.5", "between 0 and 1"),
        ("drop chance=-1", "between 0 and 1"),
        ("drop chance=½", "between 0 and 1"),
        ("drop seconds=1", "seconds belongs to delay"),
        ("delay", "delay needs seconds="),
        ("delay seconds=3601", "between 0 and 3600"),
        ("answer method=INVITE", "answer needs code="),
        ("answer code=100", "between 200 and 699"),
        ("answer code=486 status=200", "for requests"),
        ("challenge direction=out", "requests to us"),
        ("challenge stale=true", "none of yes, no"),
        ("drop method=re-INVITE status=200", "a response names INVITE"),
        ("pad", "pad needs bytes="),
        ("pad bytes=65508", "between 1 and 65507"),
    ],
)
def test_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_fault(text)
    assert words in str(raised.value) and "\n" not in str(raised.value)
