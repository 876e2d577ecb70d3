"""A server that dies in the middle of what it does, at a chosen message or commit, stays away and begins anew.

Its phones do as RFC 3261 says: they send again until somebody answers, and give a call up where nobody does for 64·T1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from b2bua.dialog.invite_usage import InviteUsage
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Request, Response
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TICK, TIMEOUT
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.patient_phone import PatientPhone
from tests.scenarios.scene import USERS, Scene
from tests.scenarios.server_under_test import ServerUnderTest
from tests.scenarios.virtual_network import LINK, SERVER, Host

WHAT: Final = ("hear", "commit", "send")
PATIENCE: Final = 4 * TIMEOUT
"""Seconds after which nothing of a re-INVITE is open any more, a second one and its ACK included."""


class Death(BaseException):
    """The server is gone, whatever it was doing."""


class Kill(NamedTuple):
    """`what` is `hear`, `commit` or `send`: the server dies in place of doing that for the time with this number, from 1, in
    its life or since it was armed; `rest`: after so many ticks. Then it is away for `down` seconds."""

    what: str
    number: int
    down: float


class Ears:
    """What the server hears on its port."""

    def __init__(self, scene: MortalScene, host: Host) -> None:
        self.name = host.name
        self._scene = scene
        self._host = host

    def datagram(self, data: bytes, source: HostPort) -> None:
        self._scene.happens("hear")
        self._host.datagram(data, source)


class MortalRecords(KeptRecords):
    """A store whose server may die before a commit."""

    def __init__(self, scene: MortalScene) -> None:
        super().__init__()
        self._scene = scene

    def commit(self) -> bool:
        if self._waiting:
            self._scene.happens("commit")
        return super().commit()


class PhoneThatWaits(PatientPhone):
    """One that waits for the ACK of each 2xx, also when the next re-INVITE has come meanwhile."""

    def __init__(self, scene: Scene, user: str, host: str) -> None:
        super().__init__(scene.network, user, (host, 5060))
        self.network = scene.network
        self.waiting: list[InviteUsage] = []
        self.gave_up_at = 0.0
        """When a re-INVITE of its own had failed."""

    def _invited(self, transaction: ServerTransaction, request: Request) -> None:
        if self.usage.unacknowledged:
            self.waiting.append(self.usage)
            dialog = self.usage.dialog
            self.usage = InviteUsage(self.layer, self.flow, self)
            self.usage.dialog = dialog
        super()._invited(transaction, request)

    def invite_refused(self, status: int, response: Response | None) -> None:
        super().invite_refused(status, response)
        if status != 407:
            self.gave_up_at = self.network.clock.now()

    def ack_received(self, ack: Request, flow: object) -> None:
        for usage in (*self.waiting, self.usage):
            usage.ack_received(ack)
        self.waiting = [usage for usage in self.waiting if usage.unacknowledged]


class MortalScene(Scene):
    """A call of 6001 with 6002 that stands; `schedule` says how the server dies from `arm` on, one death after the other."""

    def __init__(self, link: str = "memory") -> None:
        self.schedule: list[Kill] = []
        self.count = dict.fromkeys((*WHAT, "rest"), 0)
        self.deaths = 0
        records, heartbeat = MortalRecords(self), 0.0 if link == "memory" else 5.0
        options = Options(link=link, heartbeat=heartbeat, records=records, remote_records=KeptRecords())
        super().__init__(options, self._carried)
        self.network.link_rule = self._carried
        self._give_ears()
        self.alice, self.bob = (PhoneThatWaits(self, user, f"192.0.2.{host}") for user, host in (("6001", 11), ("6002", 12)))
        for phone in (self.alice, self.bob):
            phone.register()
        self.advance(1)
        self.alice.call(self.bob.aor)
        self.advance(3)
        self.forget()

    def calls(self) -> dict[str, int]:
        """As Communication Manager counts them, wherever it is."""
        server = self.server.remotes.get("cm", self.server)
        return server.b2bua.calls()

    def forget(self) -> None:
        for phone in (self.alice, self.bob):
            assert not phone.errors
            phone.done.clear()

    def arm(self, kills: Sequence[Kill]) -> None:
        self.schedule = list(kills)
        self.count = dict.fromkeys(self.count, 0)

    # -- dying -------------------------------------------------------------------------------------------------

    def _carried(self, index: int, data: bytes) -> tuple[float, ...]:
        if is_from_server(data):
            self.happens("send")
        return (0.0,)

    def happens(self, what: str) -> None:
        self.count[what] += 1
        if self.schedule and self.schedule[0][:2] == (what, self.count[what]):
            raise Death

    def _give_ears(self) -> None:
        for address in (SERVER, LINK)[: 1 + bool(self.server.remotes)]:
            self.network.attach(Ears(self, self.network.host(address)), address)

    def live(self, seconds: float) -> None:
        """Let time pass, deaths included."""
        until = self.now() + seconds
        while self.now() < until:
            try:
                self.network.advance(TICK)
                self.happens("rest")
            except Death:
                self._die()

    def _die(self) -> None:
        """And begin anew, over and over where the schedule says so; Communication Manager on another host lives on."""
        network, old = self.network, self.server
        others = [wheel for wheel in network.each_tick if wheel != old.tick]
        while self.schedule:
            kill = self.schedule.pop(0)
            self.deaths += 1
            network.note("SM", f"dead for {kill.down:g} s", None)
            for address in (SERVER, LINK):
                network.detach(address)
            network.each_tick[:] = others
            assert old.records is not None
            old.records.crash()
            network.advance(kill.down)
            self.count = dict.fromkeys(self.count, 0)
            try:
                self.server = ServerUnderTest(network, old.options, USERS, remotes=old.remotes or None)
            except Death:
                continue
            network.note("SM", "is there again", None)
            self._give_ears()
            return


def is_from_server(data: bytes) -> bool:
    """A request with its Via on top, or a response with another's."""
    via = data.partition(b"\r\nVia:")[2].partition(b"\r\n")[0]
    return (SERVER[0].encode() + b":" in via) != data.startswith(b"SIP/2.0")
