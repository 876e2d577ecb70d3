"""The traces of several servers for the console: gathered by a thread, bounded, one that is silent is told."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest

from b2bua.http import other_servers
from b2bua.http.other_servers import MOST, OtherServers, Together
from b2bua.trace.filters import parse_criteria
from b2bua.trace.http_client import Address, TraceError
from b2bua.trace.servers import Server
from tests.trace.hand_made import standing_call

HERE, FAR = Server("here", Address("http://192.0.2.1")), Server("far", Address("http://192.0.2.2"))


def others(monkeypatch: pytest.MonkeyPatch, answer: Any) -> OtherServers:
    monkeypatch.setattr(other_servers, "kept", answer)
    return OtherServers(HERE, [FAR])


def test_all_are_asked_and_what_is_wanted_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def kept(servers: Any, query: dict[str, str], silent: list[str]) -> list[dict[str, Any]]:
        asked.append((servers, query))
        silent.append("far: refused")
        return standing_call().scene.records()

    them = others(monkeypatch, kept)
    found = them.ask(parse_criteria("-u 6009"), 7.5).result(5.0)
    assert found == Together([], ["far: refused"]) and asked == [((HERE, FAR), {"since": "7.5"})]
    assert them.ask(parse_criteria("-u 6001"), 0.0).result(5.0).records and asked[1][1] == {}


def test_a_failure_reaches_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(*_: Any) -> list[dict[str, Any]]:
        raise TraceError("what comes is no trace; is it a b2bua?")

    with pytest.raises(TraceError):
        others(monkeypatch, kept).ask(parse_criteria(""), 0.0).result(5.0)


def test_only_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()

    def kept(*_: Any) -> list[dict[str, Any]]:
        go_on.wait(10.0)
        return []

    them = others(monkeypatch, kept)
    asked: list[Future[Together]] = [them.ask(parse_criteria(""), 0.0) for _ in range(MOST)]
    with pytest.raises(OSError, match="too many"):
        them.ask(parse_criteria(""), 0.0).result(5.0)
    go_on.set()
    assert [one.result(5.0) for one in asked] == [Together([], [])] * MOST
    assert them.ask(parse_criteria(""), 0.0).result(5.0) == Together([], [])
