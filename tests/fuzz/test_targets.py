"""The targets without atheris: their own seeds pass, cut and changed ones too, and an oracle notices a server that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from b2bua.transport.websocket import WebSocket
from tests.fuzz import framer, sdp, server, streams, websocket
from tests.fuzz.run import TARGETS, load

ROOT = Path(__file__).resolve().parents[2]
CHANGED = 40


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_near_them_pass(name: str) -> None:
    target = load(name)
    for seed in target.seeds:
        target.check(seed)
    random = Random(name)
    for _ in range(CHANGED):
        seed = random.choice(target.seeds)
        place = random.randrange(len(seed))
        target.check(seed[:place] + random.choice(target.words) + seed[place + random.randrange(4) :])
    target.finish()


class Mistaken:
    """A feature server that fails at every UPDATE."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def __getattr__(self, name: str) -> Any:
        return getattr(self._user, name)

    def request_received(self, transaction: Any, request: Any) -> None:
        if request.method == "UPDATE":
            raise ValueError("a mistake")
        self._user.request_received(transaction, request)


def test_a_mistake_of_the_server_is_found_and_what_led_to_it_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    target = server.make()
    made = server.Table.__init__

    def make_mistaken(table: server.Table) -> None:
        made(table)
        layer = table.scene.server.feature_layer
        layer.user = Mistaken(layer.user)

    monkeypatch.setattr(server.Table, "__init__", make_mistaken)
    update = next(seed for seed in target.seeds if seed.startswith(b"aUPDATE"))
    for seed in (b"c", b"+1", target.seeds[0]):
        target.check(seed)
    with pytest.raises(AssertionError, match="mistakes caught by the server") as caught:
        target.check(update)
    assert f"\n{update!r}\n" in str(caught.value)  # that one alone
    assert "6001 → SM    UPDATE" in str(caught.value)  # the ladder


def test_a_mistake_behind_a_stream_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    target = streams.make()
    made = streams.Table.__init__

    def make_mistaken(table: streams.Table) -> None:
        made(table)
        layer = table.server.feature_layer
        layer.user = Mistaken(layer.user)

    monkeypatch.setattr(streams.Table, "__init__", make_mistaken)
    update = next(seed for seed in target.seeds if b"UPDATE" in seed[:20] and seed[:1] == b"b")
    target.check(b"c\r\n\r\n")
    with pytest.raises(AssertionError, match="mistakes that were caught") as caught:
        target.check(update)
    assert f"\n{update!r}\n" in str(caught.value)  # that one alone


def test_a_websocket_that_loses_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    take = WebSocket.feed
    monkeypatch.setattr(WebSocket, "feed", lambda self, data: take(self, data) if len(data) > 1 else [])
    with pytest.raises(AssertionError, match="in pieces of"):
        websocket.make().check(b"\1" + websocket.frame(1, framer.BYE))


def test_a_server_that_answers_nothing_is_found() -> None:
    table = server.Table()
    table.scene.network.detach(server.SERVER)
    with pytest.raises(AssertionError, match="OPTIONS was answered"):
        table.take(b"c")


def test_a_lost_byte_of_a_stream_is_found() -> None:
    with pytest.raises(AssertionError, match="bytes of the stream are lost"):
        framer.make()._in_order(b"x" + framer.BYE, [framer.BYE])


def test_a_lost_line_of_a_description_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdp, "with_direction", lambda body, direction: body.replace(b"a=fmtp:101 0-15\r\n", b""))
    with pytest.raises(AssertionError):
        sdp.make().check(sdp.OFFERS[0])


def test_an_input_is_put_again_as_it_was_printed() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "framer", "--once", repr(framer.make().seeds[1])]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == 0
