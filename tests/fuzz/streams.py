"""The whole server with a call up between connections: whatever bytes come, it goes on, holds the call or has ended it.

An input is one or more steps between lines `--`. A step is a sender and bytes in which `@@` stands for a number not used before;
or `+` and so many seconds. Senders: `a` the caller's connection by TCP, `b` the callee's, a secure WebSocket without what
encrypts it; `c`, `d`, `e` a stranger's by TCP, TLS, WebSocket; `f` a stranger's WebSocket whose handshake is done, the bytes as
one message of several frames. The phones are the model phones of the state machine: they answer by themselves, and connect anew
when their connection is closed.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from random import Random

from b2bua.feature_server.contract import CallLimits
from b2bua.phone.call import CallState
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Response
from b2bua.transport.tcp import TcpListener
from tests.fuzz import framer, server, websocket
from tests.scenarios.options import Options
from tests.scenarios.scene import LONGEST, USERS
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.server_under_test import ServerUnderTest
from tests.scenarios.virtual_network import VirtualNetwork
from tests.scenarios.virtual_sockets import Piece, Segments, VirtualListener, Wire
from tests.scenarios.wire_ends import WebEnd
from tests.stateful.connections import ModelListener, PhoneLink
from tests.stateful.model_phone import ModelPhone, calls_of

CUT = server.CUT
HOSTS = {"6001": "192.0.2.11", "6002": "192.0.2.12"}
PHONES = {b"a": ("6001", "tcp"), b"b": ("6002", "wss")}
STRANGERS = {b"c": "tcp", b"d": "tls", b"e": "ws", b"f": "ws"}
WORDS = (*server.WORDS, b"d", b"e", b"f", *websocket.WORDS)


class Stranger:
    """One that has no account, and its connection to a listener; where that is closed it opens another."""

    name = "c"
    certificate = None

    def __init__(self, network: VirtualNetwork, listener: VirtualListener, ports: count[int], web: bool) -> None:
        self._network = network
        self._listener = listener
        self._ports = ports
        self._end = WebEnd(listener.segments, "192.0.2.1") if web else None
        """Whose handshake is done for every connection; None: it sends bytes."""
        self._web = web
        self._wire: Wire | None = None

    def put(self, data: bytes) -> None:
        if self._wire is None or self._wire.closed:
            far = (server.STRANGER[0], next(self._ports))
            self._network.attach(self, far)
            self._wire = self._listener.accept(self, far)
            if self._web and self._wire is not None:
                self._end = WebEnd(self._listener.segments, "192.0.2.1")
                self._wire.send(self._end.begin())
                self._network.run()
        if self._wire is not None:
            self._wire.send(data if self._end is None else self._end.encoded(data))

    def datagram(self, data: bytes, source: HostPort) -> None:
        assert isinstance(data, Piece)
        data.arrive(data)

    def dialled(self, wire: Wire) -> None:
        raise AssertionError("the server has called a stranger")

    def bytes_received(self, data: bytes, wire: Wire) -> None:
        if wire is self._wire and self._end is not None:
            _, back = self._end.feed(data)
            if back:
                wire.send(back)

    def closed(self, wire: Wire) -> None:
        if wire is self._wire:
            self._wire = None


class Table:
    """One scene: a call between two phones that watch each other, and what was sent into it."""

    def __init__(self) -> None:
        self.network = VirtualNetwork()
        self.segments = Segments(1)
        names = {host: user for user, host in HOSTS.items()} | {server.STRANGER[0]: "c"}
        listener = partial(ModelListener, segments=self.segments, names=names)
        options = Options(
            limits=CallLimits(call_length_max=server.CALL_LENGTH), requests_per_source=10**9, tcp=True,
            streams=("tls", "ws", "wss"),
        )  # fmt: skip
        self.server = ServerUnderTest(self.network, options, USERS, listener)
        self.phones = {who: self._phone(*of) for who, of in PHONES.items()}
        ports = count(20_000)
        self.strangers = {
            who: Stranger(self.network, self._listener(transport), ports, who == b"f") for who, transport in STRANGERS.items()
        }
        self.asker = ScriptPhone(self.network, "6004", server.STRANGER, "c")
        self.numbers, self.pings = count(1000), count(1)
        self.inputs: list[bytes] = []
        self.touched = False
        """Whether bytes came on a connection of the call: it may have ended or moved then."""
        self._call()

    def _listener(self, transport: str) -> VirtualListener:
        found = self.server.streams[transport]
        assert isinstance(found, VirtualListener)
        return found

    def _phone(self, user: str, transport: str) -> ModelPhone:
        link = PhoneLink(self.network, user, HOSTS[user], self._listener(transport), certified=False)
        return ModelPhone(self.network, user, (HOSTS[user], 5060), Random(user), link)

    def _call(self) -> None:
        a, b = self.phones.values()
        for phone, other in ((a, "6002"), (b, "6001")):
            phone.registration.register()
            phone.watch(other)
        self.network.run()
        a.dial("6002")
        self.network.run()
        calls_of(b)[0].answer()
        self.network.advance(3)

    def seconds(self) -> float:
        return self.network.clock.now()

    def put(self, data: bytes) -> None:
        """One input: its steps in order."""
        self.inputs.append(data)
        for step in data.split(CUT):
            who, sent = step[:1], step[1:].replace(b"@@", str(next(self.numbers)).encode())
            if who == b"+":
                seconds = min(int(sent[:2]), server.LONGEST_STEP) if sent[:2].isdigit() else 1
                self.network.advance(seconds if self.network.clock.now() < server.STILL else 0)
            elif sent and who in self.phones:
                self.touched = True
                self._own(self.phones[who]).send(sent)
            elif sent:
                self.strangers.get(who, self.strangers[b"c"]).put(sent)
            self.network.run()
            self._reconnect()

    @staticmethod
    def _own(phone: ModelPhone) -> Wire:
        link = phone.link
        assert link is not None and link._own is not None
        return link._own

    def _reconnect(self) -> None:
        """The server closes what it cannot read any more: that phone connects anew."""
        for phone in self.phones.values():
            link = phone.link
            assert link is not None
            if link._own is None or link._own.closed:
                link.failures.clear()
                phone.connection_breaks(told=True, polite=False)
                phone.returns()
                self.network.run()

    def take(self, data: bytes) -> None:
        """One input, and what can be said at once."""
        try:
            self.put(data)
        except Exception as error:
            self.expect(False, f"{type(error).__name__}: {error}")
        self.answers()

    def answers(self) -> None:
        """A stranger's OPTIONS is answered, and nobody has made a mistake."""
        number = next(self.pings)
        self.asker.inbox.clear()
        self.asker >> server.options_text(number)
        ours = [*self.server.errors, *(error for phone in self.phones.values() for error in phone.failures)]
        self.expect(not ours, f"mistakes that were caught: {ours!r}")
        self.expect(not self.server.observer.counts["internal_errors"], "a mistake was counted")
        statuses = [message.status for message in self.asker.inbox if isinstance(message, Response)]
        self.expect(200 in statuses, f"OPTIONS was answered {statuses}")

    def settled(self) -> None:
        """The call can be held, or has ended; and when its time is over, nothing is left of anything."""
        self.network.advance(LONGEST)
        self._reconnect()
        self.answers()
        for listener in self.server.streams.values():
            assert isinstance(listener, TcpListener)
            self.expect(not listener._unproven, f"{listener.name}: connections that brought no message still stand")
        self._hold()
        self.network.advance(server.CALL_LENGTH + 2 * LONGEST)
        leaks = self.server.leaks()
        for lasting in ("publications", "timers"):  # a phone's own last as long as they were asked for
            leaks.pop(lasting, None)
        self.expect(not leaks, f"left behind: {leaks}")
        self.answers()

    def _hold(self) -> None:
        a, b = (calls_of(phone) for phone in self.phones.values())
        if a and a[0].state is CallState.ESTABLISHED:
            a[0].hold()
            self.network.advance(40)
        directions = [call.session.direction for call in (*a, *b) if call.state is CallState.ESTABLISHED]
        held = directions == ["sendonly", "recvonly"]
        self.expect(self.touched or held, f"a hold led to {directions}, and nobody touched the call")

    def expect(self, true: bool, what: str) -> None:
        if not true:
            ladder = "\n".join(str(step) for step in self.network.ladder[-server.SHOWN :])
            raise AssertionError(f"{what}\n\nwhat came, as one input:\n{CUT.join(self.inputs)!r}\n\n{ladder}")


def spoken() -> list[bytes]:
    """What the phones of a call say when they hold, resume, ask, watch, register and hang up, on their own connections."""
    table = Table()
    network, (a, b) = table.network, table.phones.values()
    begun = len(network.ladder)
    for act in (
        lambda: calls_of(a)[0].hold(), lambda: calls_of(b)[0].hold(), lambda: calls_of(a)[0].resume(),
        lambda: calls_of(b)[0].update(False), lambda: a.registration.register(60), lambda: a.watch("6001"),
        lambda: calls_of(b)[0].hang_up(), lambda: b.dial("6001"), lambda: calls_of(a)[0].answer(),
        lambda: calls_of(a)[0].hang_up(),
    ):  # fmt: skip
        act()
        network.advance(1.5)
    found = []
    for step in network.ladder[begun:]:
        if step.source in HOSTS and step.message is not None:
            text = server.fresh(step.message.encode().decode())
            found.append(f"a{text}".encode() if step.source == "6001" else b"b" + websocket.frame(1, text.encode()))
    return found


def seeds() -> list[bytes]:
    """What the phones say, messages of strangers, and streams that begin well."""
    single = [seed for seed in server.make_seeds() if CUT not in seed]
    messages = [who + seed[1:] for seed in single for who in (b"a", b"c", b"f")]
    raw = [seed[1:] for seed in (*framer.make().seeds, *websocket.make().seeds)]
    streams = [b"acdeb"[index % 5 :][:1] + data for index, data in enumerate(raw)]
    return [*spoken(), *messages, *streams, b"d\r\n\r\n\r\n"]


def make() -> server.ServerTarget:
    target = server.ServerTarget(seeds(), Table)
    target.words = WORDS
    return target
