"""One script on the virtual network and on real sockets, and what must be the same of it.

Compared is what the trace of either server says. For each pair of entities what passed between them, in order; over all
pairs the order of the steps of holds; of each lamp the states that it showed. What is not causally fixed is left out: how many
NOTIFYs fold into one, what else one pair's messages have to do with another pair's, and the OPTIONS by which a process asks
its link whether it is up. A copy counts once however often it came: how often is the machine's business.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import unified_diff
from itertools import groupby
from pprint import pformat
from typing import Final, NamedTuple

from b2bua.trace.records import Reader
from tests.interop.real_stage import RealStage
from tests.interop.server import Hop, Server, wait_until
from tests.scenarios.main_scripts import Lamps, Script, described, lost_datagrams
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene
from tests.scenarios.script_phone import ScriptPhone

LEFT_OUT: Final = ("NOTIFY", "OPTIONS")
LONGEST: Final = 20.0
"""Seconds of the virtual clock within which a lamp comes to rest."""
PASSING: Final = ("trying", "proceeding", "early")
"""States of a call in set-up. In a virtual second it is over; a NOTIFY tells of one where the machine is slow."""

Ladder = dict[str, list[str]]
"""Pair of entities → what passed between them: arrow, method or status, direction of the media, step of a hold."""


class Setting(NamedTuple):
    """How phones and Communication Manager are reached."""

    name: str
    transport: str = "UDP"
    link: str = "memory"


PLAIN: Final = Setting("")
OVER_TCP: Final = Setting("phones over TCP", "TCP")
LINKED: Final = Setting("Communication Manager over UDP", link="udp")


class VirtualStage:
    """The whole server on the virtual network, its trace on."""

    def __init__(self, setting: Setting) -> None:
        self._over_tcp = setting.transport == "TCP"
        self.scene = Scene(Options(trace=1000, tcp=self._over_tcp, link="udp" if setting.link == "udp" else "memory"))

    def phone(self, user: str) -> ScriptPhone:
        if self._over_tcp:
            return self.scene.tcp_phone(user, listening=False, registered=False)
        return self.scene.phone(user, registered=False)

    def until(self, phone: ScriptPhone, reached: Callable[[], bool]) -> None:
        end = self.scene.now() + LONGEST
        while not reached():
            assert self.scene.now() < end, self.scene.network.text()
            self.scene.advance(0.05)

    def hops(self) -> list[Hop]:
        recorder = self.scene.server.recorder
        return [Hop(record) for record in Reader(recorder).read(recorder.entries()) if record]


def ladder(hops: list[Hop]) -> Ladder:
    found: Ladder = {}
    for hop in _compared(hops):
        if not hop.retransmission:
            lane = ", ".join(sorted(hop.way))
            if hop.message.cseq_method == "PUBLISH" and hop.transport != "memory":
                lane += ": PUBLISH"  # another process says it: what crosses it on the way is chance
            found.setdefault(lane, []).append(_line(hop))
    return found


def steps(hops: list[Hop]) -> list[str]:
    """The numbered steps of holds as they came, whoever said them."""
    return [f"{hop.step} {hop.source}" for hop in _compared(hops) if hop.step and not hop.retransmission]


def copies(hops: list[Hop]) -> set[str]:
    """What came again."""
    return {_line(hop) for hop in _compared(hops) if hop.retransmission}


def shown(phone: ScriptPhone) -> list[str]:
    """What the lamp of a phone showed, one after the other."""
    states = [described(document) for document in phone.documents]
    return [state for state, _ in groupby(state for state in states if state.split()[0] not in PASSING)]


def _compared(hops: list[Hop]) -> list[Hop]:
    return [hop for hop in hops if hop.message.cseq_method not in LEFT_OUT]


def _line(hop: Hop) -> str:
    message = hop.message
    one, two = sorted(hop.way)
    arrow = f"{one} → {two}" if hop.source == one else f"{one} ← {two}"
    directions = [line for line in message.body.split() if line.startswith(("a=send", "a=recv", "a=inactive"))]
    words = [hop.transport, arrow, message.method or str(message.status), message.cseq_method, *directions]
    return " ".join([*words, *([f"[{hop.step}]"] if hop.step else [])])


def compare(server: Server, phones: str, script: Script, setting: Setting = PLAIN) -> None:
    """Play the script here and there."""
    virtual = VirtualStage(setting)
    lamps: tuple[Lamps, Lamps] = ([], [])
    script(virtual, lamps[0])
    wanted = ladder(virtual.hops())
    real = RealStage(server, phones, setting.transport)
    try:
        script(real, lamps[1])
        # The last message is on its way when its phone has done with it.
        wait_until("the last message", lambda: sum(map(len, ladder(server.hops()).values())) >= sum(map(len, wanted.values())))
    finally:
        real.close()
    there, here = server.hops(), virtual.hops()
    same("the ladder", ladder(there), wanted)
    same("the steps", steps(there), steps(here))
    if script is lost_datagrams:
        # Elsewhere it is chance whether a phone that waits for its lamp is asked a second time meanwhile.
        same("what came again", sorted(copies(there) & copies(here)), sorted(copies(here)))
    same("the lamps at rest", lamps[1], lamps[0])
    for one, other in zip(virtual.scene.phones, real.phones, strict=True):
        same(f"the lamp of {one.user}", shown(other), shown(one))
    lanes = 1 if script.__name__ == "registration" else 4 if setting is LINKED else 3
    assert len(wanted) == lanes, wanted
    virtual.scene.quiet()


def same(what: str, real: object, virtual: object) -> None:
    """`real` is as `virtual`, or the difference."""
    texts = [pformat(each, width=130).splitlines() for each in (virtual, real)]
    assert real == virtual, "\n".join([f"{what} differs", *unified_diff(*texts, "virtual", "real", lineterm="")])
