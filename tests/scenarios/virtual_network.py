"""A network in memory with a clock that tests turn: datagrams between addresses, in order, and their ladder.

Nothing here is random and nothing waits: what a rule drops, doubles or delays is decided by a seed or by counting, so a
scenario that failed once fails every time.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple, Protocol

from b2bua.sip.flow import HostPort, Put
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.trace.recorder import Recorder
from b2bua.transaction.timers import TICK

WALL: Final = 1_700_000_000.0
"""Unix seconds at which every scenario begins."""
SERVER: Final[HostPort] = ("192.0.2.1", 5060)
BRIDGE: Final = "192.0.2.99"
"""Where a server in a container is bound."""
LINK: Final[HostPort] = ("192.0.2.1", 5070)
"""Where Session Manager hears a feature server on the network."""
FEATURE_SERVER: Final[HostPort] = ("192.0.2.2", 5071)


class Clock:
    """Seconds since the scenario began, in whole ticks of the wheel."""

    def __init__(self) -> None:
        self.ticks = 0

    def now(self) -> float:
        # A hair above the tick, so that dividing by TICK never rounds to the one before.
        return self.ticks * TICK + 1e-6

    def wall(self) -> float:
        return WALL + self.now()


class Step(NamedTuple):
    """One line of the ladder."""

    time: float
    source: str
    destination: str
    message: Message | None
    note: str = ""
    """`lost` for a datagram that a rule dropped, `again` for one that it doubled."""

    def __str__(self) -> str:
        return f"{self.time:7.2f}  {self.source:>5} → {self.destination:<5} {_summary(self.message)} {self.note}".rstrip()


class Rule(Protocol):
    """What becomes of one datagram: the delays in seconds after which a copy arrives; none when it is lost."""

    def __call__(self, index: int, data: bytes) -> tuple[float, ...]: ...


def perfect(index: int, data: bytes) -> tuple[float, ...]:
    """Every datagram arrives once and at once."""
    return (0.0,)


def late(seconds: float) -> Rule:
    """Every datagram travels for so long."""
    return lambda index, data: (seconds,)


def losing(*indexes: int) -> Rule:
    """The datagrams with these numbers, counted from 0, are lost."""
    return lambda index, data: () if index in indexes else (0.0,)


def unruly(seed: int, lost: float = 0.0, doubled: float = 0.0, jitter: float = 0.0) -> Rule:
    """Loses and doubles with these probabilities, delays each copy by up to `jitter` seconds, so that some overtake."""
    random = Random(seed)

    def rule(index: int, data: bytes) -> tuple[float, ...]:
        if random.random() < lost:
            return ()
        copies = 2 if random.random() < doubled else 1
        return tuple(random.uniform(0, jitter) for _ in range(copies))

    return rule


class Host(Protocol):
    """Whoever has an address on the network."""

    name: str

    def datagram(self, data: bytes, source: HostPort) -> None: ...


class VirtualNetwork:
    """Carries datagrams from address to address and writes down each. `rule` may be changed while a scenario runs."""

    def __init__(self, rule: Rule = perfect) -> None:
        self.clock = Clock()
        self.rule = rule
        self.link = LINK
        self.link_rule: Rule = perfect
        """What becomes of the datagrams between Session Manager and a feature server."""
        self.sent = 0
        self.sent_on_link = 0
        self.ladder: list[Step] = []
        self.each_tick: list[Callable[[], None]] = []
        """Called at every tick: timer wheels."""
        self.refusing: set[HostPort] = set()
        """Hosts that take no connections."""
        self.soon: list[Callable[[], None]] = []
        """Called in the next turn: what must not happen inside a send."""
        self._hosts: dict[HostPort, Host] = {}
        self._travelling: list[tuple[float, int, HostPort, HostPort, bytes]] = []
        self._number = 0

    def attach(self, host: Host, address: HostPort) -> None:
        self._hosts[address] = host

    def host(self, address: HostPort) -> Host:
        """Who is attached there."""
        return self._hosts[address]

    def detach(self, address: HostPort) -> None:
        """Nobody is there any more: what is sent to it is lost."""
        self._hosts.pop(address, None)

    def listens(self, address: HostPort) -> bool:
        return address in self._hosts and address not in self.refusing

    def name(self, address: HostPort) -> str:
        host = self._hosts.get(address)
        return host.name if host is not None else f"{address[0]}:{address[1]}"

    def send(self, data: bytes, source: HostPort, destination: HostPort) -> None:
        """Take one datagram; it is delivered by `run`, never inside this call."""
        if self.link in (source, destination):
            delays = self.link_rule(self.sent_on_link, data)
            self.sent_on_link += 1
        else:
            delays = self.rule(self.sent, data)
            self.sent += 1
        note = "lost" if not delays else "again" if len(delays) > 1 else ""
        self.note(self.name(source), self.name(destination), _parsed(data), note)
        for delay in delays:
            self._number += 1
            heappush(self._travelling, (self.clock.now() + delay, self._number, source, destination, data))

    def carry(self, data: bytes, source: HostPort, destination: HostPort) -> None:
        """Take one message of a connection: no rule touches it."""
        self.note(self.name(source), self.name(destination), _parsed(data))
        self._number += 1
        heappush(self._travelling, (self.clock.now(), self._number, source, destination, data))

    def segment(self, data: bytes, source: HostPort, destination: HostPort, at: float) -> None:
        """Take bytes of a stream, which arrive at this time on the clock: whoever sends them keeps their order."""
        self._number += 1
        heappush(self._travelling, (at, self._number, source, destination, data))

    def note(self, source: str, destination: str, message: Message | None, note: str = "") -> None:
        """Write down what passes; messages on a link in process do not come through `send`."""
        self.ladder.append(Step(self.clock.now(), source, destination, message, note))

    def run(self) -> None:
        """Deliver all that has arrived by now, and what that causes."""
        while self.soon or (self._travelling and self._travelling[0][0] <= self.clock.now()):
            if self.soon:
                self.soon.pop(0)()
                continue
            _, _, source, destination, data = heappop(self._travelling)
            host = self._hosts.get(destination)
            if host is not None:
                host.datagram(data, source)

    def advance(self, seconds: float) -> None:
        """Let time pass, tick by tick."""
        self.run()
        for _ in range(round(seconds / TICK)):
            self.clock.ticks += 1
            self.run()
            for tick in self.each_tick:
                tick()
            self.run()

    def text(self) -> str:
        """The whole ladder, one message a line."""
        return "\n".join(str(step) for step in self.ladder)


class VirtualUdp:
    """A flow over the network: `b2bua.sip.flow.Flow`. Made by its `VirtualSocket` alone."""

    transport = "udp"
    via_transport = "UDP"
    reliable = False

    def __init__(self, socket: VirtualSocket, remote: HostPort) -> None:
        self._socket = socket
        self.local = socket.advertised or socket.address
        self.remote = remote
        self.listener = f"udp:{socket.address[0]}:{socket.address[1]}"

    def send(self, message: Message) -> bytes:
        return self._socket.put(self, message.encode(), message)

    def resend(self, data: bytes) -> None:
        self._socket.put(self, data, None)

    def towards(self, remote: HostPort) -> VirtualUdp:
        return self._socket.flow(remote)


class VirtualConnection(VirtualUdp):
    """A connection that stands for the whole scenario, as of a link by TCP: nothing is lost, doubled or overtaken."""

    transport = "tcp"
    via_transport = "TCP"
    reliable = True

    def __init__(self, socket: VirtualSocket, remote: HostPort) -> None:
        super().__init__(socket, remote)
        self.listener = f"tcp:{socket.address[0]}:{socket.address[1]}"


class VirtualSocket:
    """One bound address with its flows, one object a peer."""

    def __init__(
        self, network: VirtualNetwork, address: HostPort, recorder: Recorder | None = None,
        kind: type[VirtualUdp] = VirtualUdp, advertised: HostPort | None = None,
    ) -> None:  # fmt: skip
        """`advertised`: what peers are told in place of `address`, and where the network reaches it."""
        self.advertised = advertised
        self.network = network
        self.address = address
        self.recorder = recorder
        self._kind = kind
        self._flows: dict[HostPort, VirtualUdp] = {}
        self.put: Put = self._put

    def _put(self, flow: VirtualUdp, data: bytes, message: Message | None) -> bytes:
        if self.recorder is not None and message is not None:
            self.recorder.sent(flow, message, data)
        elif self.recorder is not None:
            self.recorder.resent(flow, data)
        (self.network.carry if flow.reliable else self.network.send)(data, flow.local, flow.remote)
        return data

    def flow(self, remote: HostPort, name: str = "") -> VirtualUdp:
        found = self._flows.get(remote)
        if found is None:
            found = self._flows[remote] = self._kind(self, remote)
        return found

    # -- `b2bua.transport.listener_set.Listener` ---------------------------------------------------------------

    transport = "udp"
    waited = 0.0

    @property
    def name(self) -> str:
        return f"udp:{self.address[0]}:{self.address[1]}"

    @property
    def bound(self) -> HostPort:
        return self.address

    def listen(self, reactor: object, host: str, port: int) -> None:
        return

    def find(self, remote: HostPort) -> VirtualUdp:
        return self.flow(remote)

    def alias(self, flow: object, port: int) -> None:
        return

    def flows(self) -> int:
        return len(self._flows)

    def sample(self) -> None:
        return

    def close(self) -> None:
        return


LINKS: Final = {"memory": VirtualUdp, "udp": VirtualUdp, "tcp": VirtualConnection}
"""How a feature server on another host is linked; beside one in this process a second one is by UDP."""


def _parsed(data: bytes) -> Message | None:
    try:
        return parse_message(data)
    except MalformedMessage:
        return None


def _summary(message: Message | None) -> str:
    if message is None:
        return "(no SIP)"
    if isinstance(message, Request):
        text = f"{message.method} {message.uri} ({message.cseq})"
    else:
        assert isinstance(message, Response)
        text = f"{message.status} {message.reason} ({message.cseq} {message.cseq_method})"
    return " ".join([text, *_marks(message)])


def _marks(message: Message) -> list[str]:
    """What tells one message of a ladder from another like it: direction, tags, credentials."""
    lines = message.body.decode("utf-8", "replace").split()
    marks = [line for line in lines if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")]
    marks += [line.partition("/>")[0] for line in lines if line.startswith("pval=")]
    marks += ["+credentials" for name in ("Authorization", "Proxy-Authorization") if message.has(name)]
    return [*marks, f"[{message.call_id[:12]}]"]
