"""Filters as they are typed, and which messages they leave."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.trace import filters
from b2bua.trace.filters import BadFilter, Criteria, Held, Selection, parse_criteria, select, user_of
from b2bua.trace.records import Record
from b2bua.trace.rows import KEPT
from tests.trace.hand_made import Scene, first_line, request, sdp, standing_call

SESSION = ("Av-Global-Session-ID", "e1b2c3d4-0001")


def busy() -> Scene:
    """A held call of 6001 and 6002 watched by 6003, a REGISTER of 6003, OPTIONS to 6003, a lonely INVITE of 6004."""
    call = standing_call()
    call.change("6001", "sendonly")
    scene = call.scene
    scene.up("6003", request("REGISTER", "6003", "6003", "reg", 1, ("User-Agent", "Lamp 7")))
    scene.down("6003", request("OPTIONS", "sm", "6003", "opt", 1))
    scene.phone("6004", ("2001:db8::4", 5064))
    scene.up("6004", request("INVITE", "6004", "6009", "lonely", 1, SESSION, body=sdp("sendrecv")))
    return scene


def left(expression: str, records: Sequence[Record] | None = None) -> list[str]:
    """Which groups of messages a filter leaves: `held call`, `2 of it` (6003's NOTIFY alone), or first lines."""
    everything = busy().records() if records is None else records
    found = select(parse_criteria(expression), everything)
    of_call = [record for record in found if record["call"] == "leg-a"]
    names = [first_line(record) for record in found if record["call"] != "leg-a"]
    if not of_call:
        return names
    whole = len(of_call) == sum(record["call"] == "leg-a" for record in everything)
    return ["held call" if whole else f"{len(of_call)} of it", *names]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("", ["held call", "REGISTER", "OPTIONS", "INVITE"]),
        ("-u 6001", ["held call"]),
        ("-u sip:6002@example.com", ["held call"]),
        ("-u 6002@elsewhere.example", []),
        ("-u 6003", ["2 of it", "REGISTER", "OPTIONS"]),
        ("-u 6009", ["INVITE"]),
        ("-c leg-b", ["held call"]),
        ("-c leg-a", ["held call"]),
        ("-c reg", ["REGISTER"]),
        ("-c nowhere", []),
        ("-i 2001:db8", ["INVITE"]),
        ("-i '192\\.0\\.2\\.1:506[12]$'", ["held call"]),
        ("-s e1b2c3d4-0001", ["INVITE"]),
        ("-s other", []),
        ("-g User-Agent=lamp", ["REGISTER"]),
        ("-g i=lonely", ["INVITE"]),
        ("-g 'Event=dialog'", ["held call"]),
        ("-o 'a=recvonly'", ["held call"]),
        ("-o ^REGISTER", ["REGISTER"]),
        ("-u 6001 -o a=recvonly", ["held call"]),
        ("-u 6001 -o Lamp", []),
        ("-u 6001 -o Lamp -or", ["held call", "REGISTER"]),
        ("-or -u 6009 -c reg", ["REGISTER", "INVITE"]),
        ("-nr", ["held call", "OPTIONS", "INVITE"]),
        ("-no -nr", ["held call", "INVITE"]),
        ("-c reg -nr", []),
    ],
)
def test_what_is_left(expression: str, wanted: list[str]) -> None:
    assert left(expression) == wanted


def test_notify_and_subscribe_hide_together() -> None:
    found = select(parse_criteria("-ns"), busy().records())
    assert {"NOTIFY", "SUBSCRIBE"} & {first_line(record) for record in found} == set()
    assert not any("CSeq: 2 NOTIFY" in record["message"] for record in found)


def test_what_comes_live_is_the_same_a_little_later() -> None:
    """A call is wanted from its third message on: then its first two come, too."""
    records = busy().records()
    for expression in ("-o a=recvonly", "-u 6003", "-or -u 6009 -c reg", "-nr", ""):
        criteria = parse_criteria(expression)
        held = Held(criteria, KEPT)
        live = [shown for record in records for shown in held.feed(record)]
        assert sorted(map(str, live)) == sorted(map(str, select(criteria, records)))
    held = Held(parse_criteria("-o a=recvonly"), KEPT)
    counts = [len(held.feed(record)) for record in records]
    late = next(index for index, count in enumerate(counts) if count)
    assert counts[late] == late + 1 and set(counts[late + 1 :]) <= {0, 1}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("-x", "filter: '-x' is none of -u -i -c -s -g -o -or -nr -ns -no"),
        ("6001", "filter: '6001' is none of"),
        ("-u", "filter: -u wants URI|NUMBER"),
        ("-g Event", "filter: -g wants HEADER=VALUE, not 'Event'"),
        ("-g =x", "filter: -g wants HEADER=VALUE"),
        ("-o '('", "filter: -o '(': "),
        ("-i '*'", "filter: -i '*': "),
        ("-u '6001", "filter: No closing quotation"),
    ],
)
def test_bad_filters(expression: str, said: str) -> None:
    with pytest.raises(BadFilter, match=r".") as caught:
        parse_criteria(expression)
    assert str(caught.value).startswith(said)


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)


@given(st.lists(st.tuples(st.sampled_from(("-u", "-c", "-s")), _WORDS)), st.booleans(), st.sets(st.sampled_from(("-nr", "-no"))))
def test_a_filter_prints_as_it_parses(wanted: list[tuple[str, str]], any_of: bool, hidden: set[str]) -> None:
    criteria = Criteria(tuple(wanted), tuple(sorted(hidden)), any_of)
    assert parse_criteria(str(criteria)) == criteria


def test_users() -> None:
    assert [user_of(text) for text in ("6001", "sip:6001@example.com", "tel:+4930", "sips:6001;x=y")] == [
        "6001", "6001", "+4930", "6001",
    ]  # fmt: skip


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "MAX_GROUPS", 3)
    selection = Selection(parse_criteria("-u 6001"))
    scene = Scene()
    for number in range(9):
        scene.up("6001", request("OPTIONS", "6001", "6002", f"o{number}", 1))
    for record in scene.records():
        selection.take(record, filters.read_facts(record["message"].encode()))
    assert len(selection._met) == 3
    held = Held(parse_criteria("-u 6009"), limit=4)
    assert [held.feed(record) for record in scene.records()] == [[]] * 9
    assert len(held._held) == 4
