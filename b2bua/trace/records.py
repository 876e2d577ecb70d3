"""From ring entries to the records that `b2bua trace --json` and `/api/trace` hand out.

A `Reader` takes entries in batches: the whole ring first, then, for a live view, what came since. Within a batch it
knows what comes later, so calls and steps are settled before the first record leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from b2bua.sip.flow import HostPort
from b2bua.sip.uri import host_text
from b2bua.sip.why import Why, decisions
from b2bua.trace.explain import EXPLAINED, MAX_LEGS, Explainer
from b2bua.trace.hop import Facts, Hop, read_facts
from b2bua.trace.recorder import IN, LINK, MARK, WHY, Entry, Recorder
from b2bua.trace.redact import redact
from b2bua.trace.steps import number_steps

Record = dict[str, Any]
"""`time`, `source`, `destination`, `transport`, `call`, `retransmission`, `message`; and where there is one: `step`, `note`,
`fault`, `decisions`, `source_address`, `destination_address`."""

_NO_CALL: Final = frozenset(("REGISTER", "OPTIONS", "SUBSCRIBE"))
"""Never part of a call."""
_IN_CALL: Final = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO"))
"""Their Call-ID is a leg, claimed by a call or not."""


MAX_LOCALS: Final = 4_096
"""Peers for which our own address towards them is remembered."""

LOOK_BACK: Final = 500
"""Messages of a call that a live view looks at again for the steps of new ones: a hold has about thirty."""


class Filter(NamedTuple):
    """Which records a reader wants; "" wants all. Both together want what passes both."""

    call_id: str = ""
    """The Call-ID of any leg, or the id of a call: every record of that call. Any other Call-ID: its own records."""
    user: str = ""
    """Every record of the calls that a user takes part in, and every other record that names the user."""


EVERYTHING: Final = Filter()


class _Call:
    """The hops of one call that are still in the window, and whether a filter wants them."""

    __slots__ = ("hops", "numbered", "of_call_id", "of_user")

    def __init__(self) -> None:
        self.hops: deque[Hop] = deque()
        self.numbered = 0
        """How many of them have been looked at for steps."""
        self.of_call_id = False
        self.of_user = False


_Request = tuple[str, int, str]
"""Call-ID, CSeq number and method: what a response shares with its request."""
_Copy = tuple[str, str, bytes]
"""Source, destination and bytes: what a retransmission shares with the first one."""


class Reader:
    """One reading of a recorder: for one request over HTTP, or one view. `secrets` leaves out the redaction.

    It remembers as many messages as the ring holds, so a live view may last for days.
    """

    def __init__(self, recorder: Recorder, wanted: Filter = EVERYTHING, secrets: bool = False) -> None:
        self._recorder = recorder
        self._wanted = wanted
        self._secrets = secrets
        self._window: deque[Hop] = deque()
        self._calls: dict[str, _Call] = {}
        self._first_copies: dict[_Copy, Hop] = {}
        self._requests: dict[_Request, Hop] = {}
        self._explainer = Explainer(min(MAX_LEGS, max(recorder.size, 1)))
        self._locals: dict[str, str] = {}
        """Transport, or transport and peer → our own address as it stands in our Vias."""

    def read(self, entries: Iterable[Entry]) -> Iterator[Record | None]:
        """The records of the next entries, oldest first.

        None stands for a bit of work without a record, so that a server can do this in portions between its messages.
        """
        batch: list[Hop] = []
        for entry in entries:
            if entry[1] == MARK:
                if batch:
                    batch[-1].fault = entry[4].decode()
            elif entry[1] == WHY:
                self._decided(entry[4], entry[6])
            else:
                batch.append(self._take(entry))
            yield None
        numbered: set[str] = set()
        for hop in batch:
            if hop.call is not None and hop.call not in numbered:
                numbered.add(hop.call)
                self._number(hop.call)
            yield self._record(hop) if self._wants(hop) else None

    # -- taking in ----------------------------------------------------------------------------------------------

    def _take(self, entry: Entry) -> Hop:
        time, direction, transport, peer, data, call, why = entry
        facts = read_facts(data)
        addresses = ("", "")
        if direction == LINK:
            source, destination = str(peer[0]), str(peer[1])
        else:
            addresses = self._addresses(direction, transport, _address(peer), facts)
            name = self._recorder.directory.name(_address(peer), _candidates(direction, facts))
            role = self._recorder.role
            source, destination = (name, role) if direction == IN else (role, name)
        hop = Hop(time, transport, source, destination, data, facts)
        hop.addresses = addresses
        if why is not None:
            hop.decisions = tuple(decisions(why))
        hop.call = self._call_of(hop, call)
        hop.retransmission = self._first_copies.setdefault((source, destination, data), hop) is not hop
        if facts.cseq_method in EXPLAINED and not hop.retransmission:
            hop.note = self._explainer.note(source, destination, data)
        if call and facts.method:
            self._requests.setdefault(_request(facts), hop)
        self._remember(hop)
        return hop

    def _decided(self, data: bytes, why: Why | None) -> None:
        """What became of a message: it is mostly the last one or near it. A live view has shown an older one already."""
        for hop in reversed(self._window):
            if not data or hop.data == data:
                hop.decisions = (*hop.decisions, *decisions(why))
                return

    def _addresses(self, direction: str, transport: str, peer: HostPort, facts: Facts) -> tuple[str, str]:
        """Of source and destination. The ring has the peer's only; ours stands in the Via of what we ask."""
        remote = f"{host_text(peer[0])}:{peer[1]}"
        towards = f"{transport} {remote}"
        if facts.via and (direction == IN) == bool(facts.status):
            if len(self._locals) >= MAX_LOCALS:
                self._locals.clear()
            self._locals[transport] = self._locals[towards] = facts.via
        local = self._locals.get(towards) or self._locals.get(transport, "")
        return (remote, local) if direction == IN else (local, remote)

    def _call_of(self, hop: Hop, call: str) -> str | None:
        """The outside name of the call that a message belongs to."""
        facts = hop.facts
        if facts.cseq_method in _NO_CALL:
            return None
        legs = self._recorder.legs
        if call:
            return legs.name_of(call)
        known = legs.call_of(facts.call_id)
        if known:
            return known
        # The PUBLISHes and NOTIFYs that a call caused share no Call-ID with it: their responses go by the request.
        request = self._requests.get(_request(facts))
        if request is not None:
            return request.call
        return facts.call_id if facts.cseq_method in _IN_CALL and facts.call_id else None

    def _remember(self, hop: Hop) -> None:
        self._window.append(hop)
        if hop.call is not None:
            call = self._calls.get(hop.call)
            if call is None:
                call = self._calls[hop.call] = _Call()
            call.hops.append(hop)
            if hop.facts.cseq_method in _IN_CALL:
                call.of_call_id = call.of_call_id or hop.facts.call_id == self._wanted.call_id
                call.of_user = call.of_user or self._names_user(hop)
        while len(self._window) > self._recorder.size:
            self._forget(self._window.popleft())

    def _forget(self, hop: Hop) -> None:
        copy, request = (hop.source, hop.destination, hop.data), _request(hop.facts)
        if self._first_copies.get(copy) is hop:
            del self._first_copies[copy]
        if self._requests.get(request) is hop:
            del self._requests[request]
        if hop.call is not None:
            call = self._calls[hop.call]
            call.hops.popleft()
            call.numbered = max(call.numbered - 1, 0)
            if not call.hops:
                del self._calls[hop.call]

    def _number(self, name: str) -> None:
        call = self._calls.get(name)
        if call is not None:
            hops = list(islice(call.hops, max(call.numbered - LOOK_BACK, 0), None))
            call.numbered = len(call.hops)
            for index, step in number_steps(hops).items():
                hops[index].step = step

    # -- handing out --------------------------------------------------------------------------------------------

    def _wants(self, hop: Hop) -> bool:
        call = self._calls.get(hop.call) if hop.call is not None else None
        call_id, user = self._wanted
        if call_id and hop.facts.call_id != call_id and hop.call != call_id:
            legs = self._recorder.legs
            claimed = hop.call is not None and hop.call in (legs.call_of(call_id), legs.name_of(call_id))
            if not claimed and not (call is not None and call.of_call_id):
                return False
        return not user or (call is not None and call.of_user) or self._names_user(hop)

    def _names_user(self, hop: Hop) -> bool:
        user, facts = self._wanted.user, hop.facts
        return bool(user) and user in (hop.source, hop.destination, facts.from_user, facts.to_user, facts.uri_user)

    def _record(self, hop: Hop) -> Record:
        text = hop.data.decode("utf-8", "replace")
        record: Record = {
            "time": hop.time,
            "source": hop.source,
            "destination": hop.destination,
            "transport": hop.transport,
            "call": hop.call,
            "retransmission": hop.retransmission,
            "message": text if self._secrets else redact(text),
        }
        if hop.step:
            record["step"] = hop.step
        if hop.note or hop.fault:
            record["note"] = "; ".join(text for text in (hop.fault, hop.note) if text)
        if hop.fault:
            record["fault"] = hop.fault
        if hop.decisions:
            record["decisions"] = list(hop.decisions if self._secrets else map(redact, hop.decisions))
        for key, address in zip(("source_address", "destination_address"), hop.addresses, strict=True):
            if address:
                record[key] = address
        return record


def _candidates(direction: str, facts: Facts) -> tuple[str, ...]:
    """The users that the phone's side of a message may be, best first.

    A request comes from its From and goes to its To (CM's requests in a dialog are written so, towards either party),
    or to the user of its Request-URI where it was forwarded; a response travels the other way.
    """
    if facts.status:
        return (facts.to_user, facts.from_user) if direction == IN else (facts.from_user, facts.to_user)
    return (facts.from_user,) if direction == IN else (facts.to_user, facts.uri_user)


def _request(facts: Facts) -> _Request:
    return facts.call_id, facts.cseq, facts.cseq_method


def _address(peer: tuple[str, int] | tuple[str, str]) -> HostPort:
    return peer[0], int(peer[1])
