"""What the web console asks of the trace: the calls, and a ladder whose arrows lead to messages."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from b2bua.trace import console_forms
from b2bua.trace.console_forms import CONSOLE_FORMS
from tests.trace.hand_made import CREDENTIALS, Scene, request, standing_call


def shown(form: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(CONSOLE_FORMS[form][1](records)))
    return found


def held() -> list[dict[str, Any]]:
    call = standing_call()
    call.change("6001", "sendonly")
    return call.scene.records()


def test_the_newest_call_comes_first() -> None:
    call = standing_call()
    call.scene.up("6002", request("INVITE", "6002", "6001", "other", 1))
    calls = shown("calls", call.scene.records())["calls"]
    assert [(one["caller"], one["callee"]) for one in calls] == [("6002", "6001"), ("6001", "6002")]
    assert calls[0]["call"] == "other" and calls[0]["end"] >= calls[0]["start"] >= 1000
    assert calls[1]["messages"] > 8 and (calls[1]["holds"], calls[1]["wrong"]) == (0, 0)


def test_a_held_call_says_so() -> None:
    [call] = shown("calls", held())["calls"]
    assert (call["state"], call["holds"]) == ("held", 1)


def test_each_arrow_leads_to_its_message() -> None:
    records = held()
    ladder = shown("ladder", records)
    root = ElementTree.fromstring(ladder["svg"])
    targets = [link.get("href") for link in root.iter("{http://www.w3.org/2000/svg}a")]
    assert targets == [f"#m{number}" for number in ladder["messages"]]
    assert len(targets) == sum(not record["retransmission"] for record in records) and ladder["left_out"] == 0
    first = ladder["messages"]["1"]
    assert first["title"] == "INVITE" and first["lines"][0].startswith("INVITE sip:6002@") and first["before"] == 0


def test_a_message_knows_the_earlier_one_of_its_kind() -> None:
    messages = shown("ladder", held())["messages"]
    pairs = [(int(number), one) for number, one in messages.items() if one["before"]]
    assert pairs
    for number, one in pairs:
        before = messages[str(one["before"])]
        assert one["before"] < number and before["title"] == one["title"]
        assert re.findall("6001 → SM", one["facts"][0]) == re.findall("6001 → SM", before["facts"][0])


def test_no_credentials_are_in_it() -> None:
    assert any("Digest" in line for one in shown("ladder", held())["messages"].values() for line in one["lines"])
    assert CREDENTIALS[1].partition('response="')[2] not in json.dumps(shown("ladder", held()))


def test_a_long_trace_shows_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_forms, "MAX_DRAWN", 5)
    records = held()
    ladder = shown("ladder", records)
    assert len(ladder["messages"]) == 5 and ladder["left_out"] == len(records) - 5
    assert max(map(int, ladder["messages"])) == len(records)


def test_nothing_is_no_mistake() -> None:
    assert shown("calls", Scene().records()) == {"calls": []}
    assert shown("ladder", [])["messages"] == {}
