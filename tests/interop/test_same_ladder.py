"""The same script on the virtual network and on real sockets gives the same ladder, and the same lamps at rest.

Compared is what the trace of either server says: for each pair of entities what passed between them, in order. What is not
causally fixed is left out: how many NOTIFYs fold into one, what one pair's messages have to do with another pair's, and the
OPTIONS by which a process asks its link whether it is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b2bua.trace.records import Reader
from tests.interop.real_stage import RealStage
from tests.interop.server import Hop, Server, wait_until
from tests.scenarios.main_scripts import SCRIPTS, Lamps, Script
from tests.scenarios.options import Options, password
from tests.scenarios.scene import Scene
from tests.scenarios.script_phone import ScriptPhone

HOST, PHONES = "127.0.0.65", "127.0.0.66"
USERS = ("6001", "6002")
LEFT_OUT = ("NOTIFY", "OPTIONS")
LONGEST = 20.0
"""Seconds of the virtual clock within which a lamp comes to rest."""

Ladder = dict[str, list[str]]
"""Pair of entities → what passed between them: arrow, method or status, direction of the media, step of a hold."""


class VirtualStage:
    """The whole server on the virtual network, its trace on."""

    def __init__(self) -> None:
        self.scene = Scene(Options(trace=1000))

    def phone(self, user: str) -> ScriptPhone:
        return self.scene.phone(user, registered=False)

    def until(self, phone: ScriptPhone, reached: Callable[[], bool]) -> None:
        end = self.scene.now() + LONGEST
        while not reached():
            assert self.scene.now() < end, self.scene.network.text()
            self.scene.advance(0.05)

    def hops(self) -> list[Hop]:
        recorder = self.scene.server.recorder
        return [Hop(record) for record in Reader(recorder).read(recorder.entries()) if record]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, HOST, {user: password(user) for user in USERS})
    try:
        yield made
        made.check_healthy()
        assert made.stop() == 0
    finally:
        made.kill()


def ladder(hops: list[Hop]) -> Ladder:
    found: Ladder = {}
    for hop in hops:
        message = hop.message
        if hop.retransmission or message.cseq_method in LEFT_OUT:
            continue
        one, two = sorted(hop.way)
        arrow = f"{one} → {two}" if hop.source == one else f"{one} ← {two}"
        directions = [line for line in message.body.split() if line.startswith(("a=send", "a=recv", "a=inactive"))]
        words = [arrow, message.method or str(message.status), message.cseq_method, *directions]
        words += [f"[{hop.step}]"] if hop.step else []
        found.setdefault(f"{one}, {two}", []).append(" ".join(words))
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_same_ladder(server: Server, script: Script) -> None:
    virtual, real = VirtualStage(), RealStage(server, PHONES)
    lamps: tuple[Lamps, Lamps] = ([], [])
    script(virtual, lamps[0])
    wanted = ladder(virtual.hops())
    try:
        script(real, lamps[1])
        # The last message is on its way when its phone has done with it.
        wait_until("the last message", lambda: sum(map(len, ladder(server.hops()).values())) >= sum(map(len, wanted.values())))
    finally:
        real.close()
    assert ladder(server.hops()) == wanted
    assert lamps[0] == lamps[1]
    assert len(wanted) == (1 if script.__name__ == "registration" else 3)
    virtual.scene.quiet()
