"""The ring of messages: what the transports and the in-process link write, at a microsecond or two a message.

An entry is a tuple of atoms, so the garbage collector stops looking at it. Nothing is decoded, parsed or looked up
here; `records.py` does that when somebody reads. A message of the link is kept as bytes, too: ten thousand message objects
in the ring cost more, in memory that is always cold, than writing them does.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final, cast

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Document, Message
from b2bua.sip.why import Why
from b2bua.trace.names import SM, Directory
from b2bua.trace.ring_bytes import RingBytes, since

IN: Final = "in"
OUT: Final = "out"
LINK: Final = "link"
MARK: Final = "mark"
"""In place of a direction: the entry is no message, but says in its bytes what was done to the one before it on purpose."""

WHY: Final = "why"
"""As MARK: what was decided about the message that has these bytes, or with none the one before it."""

Entry = tuple[float, str, str, tuple[str, int] | tuple[str, str], bytes, str, Why | None]
"""Time, direction (IN, OUT, LINK, MARK, WHY), transport, the peer's address (on the link: source and destination), bytes, the
trace id of the call when the message came with one, and why it was sent where somebody noted that."""


class Unfinished:
    """A message of the link whose body nobody has written yet: its head as bytes, and the value that knows the body."""

    __slots__ = ("_content", "_head")

    def __init__(self, message: Message) -> None:
        self._head = "\r\n".join((message.start_line(), *message.lines, "")).encode("utf-8", "surrogateescape")
        self._content = message.content

    def __len__(self) -> int:
        """At least so many octets: the body is not written for this."""
        return len(self._head)

    def encode(self) -> bytes:
        body = cast(Document, self._content).encode()
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)


Kept = tuple[float, str, str, tuple[str, int] | tuple[str, str], bytes | Unfinished, str, Why | None]
"""An entry as the ring has it."""

Listener = Callable[[Entry], None]

MAX_LEGS: Final = 16_384
"""Call-IDs remembered with their calls: far more than the ring holds. A long call that was forgotten joins its legs again when it
does something."""

MAX_CHAIN: Final = 16
"""Applications that a call passes one after the other: as many times it goes on under another Call-ID."""


class Legs:
    """Which Call-ID belongs to which call. The name of a call to the outside is the first Call-ID that joined it.

    That name is known from the call's first message on, so a record written before the join says the same as one after.
    """

    def __init__(self, limit: int = MAX_LEGS) -> None:
        self._limit = limit
        self._calls: OrderedDict[str, str] = OrderedDict()
        self._first: OrderedDict[str, str] = OrderedDict()

    def join(self, call: str, call_id: str) -> None:
        """`call_id` is a leg of `call`; a Call-ID that moves to another call (RFC 3891) follows the last word. A new call that
        begins with a leg which is known goes on with the call of that one: feature servers in a row, or one passed twice."""
        known = self._calls.get(call_id)
        if known == call:
            return
        if known is not None and call not in self._first:
            self._calls[call] = known
        self._calls[call_id] = call
        self._first.setdefault(call, call_id)
        for table in (self._calls, self._first):
            if len(table) > self._limit:
                table.popitem(last=False)

    def continued(self, call_id: str, other: str) -> None:
        """Both Call-IDs belong to one call, which has no other id than the Call-ID that was there first.

        The first may itself belong to a call already, or be found to belong to one later.
        """
        call = self._calls.get(call_id) or call_id
        self.join(call, call_id)
        self.join(call, other)

    def call_of(self, call_id: str) -> str:
        """The outside name of the call that a Call-ID is a leg of; "" when no call claimed it."""
        call = self._calls.get(call_id, "")
        return self.name_of(call) if call else ""

    def known_as(self, either: str) -> str:
        """The outside name of a call, given the id that messages carry or the Call-ID of a leg."""
        return self.call_of(either) or self.name_of(either)

    def name_of(self, call: str) -> str:
        """The outside name of a call, given the id that messages carry."""
        for _ in range(MAX_CHAIN):
            known = self._calls.get(call, call)  # where a Call-ID is the id, it may have joined another call since
            if known == call:
                break
            call = known
        return self._first.get(call, call)


def written(entry: Kept) -> Entry:
    """The entry with the bytes of its message."""
    time, direction, transport, peer, data, call, why = entry
    return time, direction, transport, peer, data if isinstance(data, bytes) else data.encode(), call, why


class Recorder:
    """Keeps the last `size` messages; 0 keeps none. `wall` is the clock: Unix seconds with a fraction."""

    def __init__(self, size: int, wall: Callable[[], float], role: str = SM, most_bytes: int = 0) -> None:
        self.size = size
        self.role = role
        """Who we are in the messages of our own sockets: `SM`, or `CM` where a feature server has a process of its own."""
        self.dropped = 0
        """Messages that a slow reader of the live trace, or the file that keeps it, did not get; whoever drops one counts."""
        self.keeps = True
        """Whether the file that keeps the trace takes what it is given; True where there is none."""
        self.bytes = RingBytes(most_bytes)
        """The bound by octets; 0 is none."""
        self.legs = Legs()
        self.directory = Directory()
        self._wall = wall
        self._ring: deque[Kept] = deque(maxlen=size)
        self._again: Why | None = None
        self._listeners: tuple[Listener, ...] = ()

    # -- what is written ----------------------------------------------------------------------------------------

    def received(self, flow: Flow, data: bytes) -> None:
        """A transport read a message."""
        if self.size:
            entry = (self._wall(), IN, flow.transport, flow.remote, data, "", None)
            self._ring.append(entry)
            if self._listeners:
                self._tell(entry)

    def sent(self, flow: Flow, message: Message, data: bytes) -> None:
        """A transport writes a message; `data` is the message encoded."""
        if self.size:
            entry = (self._wall(), OUT, flow.transport, flow.remote, data, message.call, message.why)
            self._ring.append(entry)
            if self._listeners:
                self._tell(entry)

    def resent(self, flow: Flow, data: bytes) -> None:
        """A transport writes bytes that it wrote before."""
        if self.size:
            entry = (self._wall(), OUT, flow.transport, flow.remote, data, "", self._again)
            self._again = None
            self._ring.append(entry)
            if self._listeners:
                self._tell(entry)

    def linked(self, way: tuple[str, str], message: Message) -> None:
        """A message passes the in-process link between the roles `SM` and `CM`; `way` is its source and destination."""
        if self.size:
            data = Unfinished(message) if message._body is None else message.encode()
            entry = (self._wall(), LINK, "memory", way, data, message.call, message.why)
            self._ring.append(entry)
            if self._listeners:
                self._tell(written(entry))

    def mark(self, flow: Flow, text: str) -> None:
        """Say of the message that was written last, if it was one of this flow, what was done to it on purpose."""
        if self._ring and self._ring[-1][1] in (IN, OUT) and self._ring[-1][3] == flow.remote:
            entry = (self._wall(), MARK, flow.transport, flow.remote, text.encode(), "", None)
            self._ring.append(entry)
            self._tell(entry)

    # -- decisions that no message brings along: `b2bua.observer.Decided` ------------------------------------------

    def again(self, why: Why) -> None:
        """Why the bytes that are sent next have been sent before."""
        self._again = why

    def withheld(self) -> Why | None:
        """What `again` said, for bytes that are sent later than now: it is to be said once more then."""
        why, self._again = self._again, None
        return why

    def concerning(self, data: bytes, why: Why) -> None:
        """What became of a message that was traced: the one with these bytes, or with b"" the last one."""
        if self._ring:
            _, _, transport, peer, _, _, _ = self._ring[-1]
            entry = (self._wall(), WHY, transport, peer, data, "", why)
            self._ring.append(entry)
            self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        for listener in self._listeners:
            listener(entry)

    # -- what readers need to know besides ----------------------------------------------------------------------

    def join(self, call: str, call_id: str) -> None:
        """Communication Manager says that this Call-ID is a leg of that call."""
        if self.size:
            self.legs.join(call, call_id)

    def continued(self, call_id: str, other: str) -> None:
        """Session Manager saw a call come back from a feature server under another Call-ID."""
        if self.size:
            self.legs.continued(call_id, other)

    def element(self, name: str, address: HostPort) -> None:
        """The peer at this address has a role of its own: a feature server's link."""
        self.directory.element(name, address)

    def learn(self, user: str, address: HostPort) -> None:
        """A registration: this user is behind that address. Several users may share one."""
        if self.size:
            self.directory.learn(user, address)

    # -- reading ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._ring)

    def now(self) -> float:
        """The clock of the entries."""
        return self._wall()

    def trim(self) -> None:
        """To be called a few times a second: lets the oldest go where all together have too many octets."""
        self.bytes.look(self._ring)

    def since(self, last: object) -> list[Kept]:
        """What was written behind the entry `last`, oldest first; all when that is None or not there any more."""
        return list(since(self._ring, last))[::-1]

    def entries(self) -> list[Entry]:
        """What the ring holds now, oldest first; the entries are shared and never change."""
        return [written(entry) for entry in self._ring]

    def fill(self, entries: Iterable[Entry]) -> None:
        """Hold what was recorded before, by another process perhaps."""
        self._ring.extend(entries)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every entry from now on. It must return at once and bound what it keeps."""
        self._listeners += (listener,)

    def remove_listener(self, listener: Listener) -> None:
        """Stop calling it; one that is not there is no error."""
        self._listeners = tuple(known for known in self._listeners if known != listener)
