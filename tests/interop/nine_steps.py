"""The nine steps of a hold, seen in the server's trace: each row of the table below, as far as a wire can show it.

| # | message | what must be true |
|---|---|---|
| 1 | holder → SM re-INVITE | the leg's Call-ID and tags, CSeq higher, o= version + 1, `sendonly` |
| 2 | SM → holder 407 | a fresh nonce |
| 3 | holder → SM re-INVITE | CSeq + 1, new branch, the same o= version, credentials |
| 4 | SM → CM re-INVITE | SM's Via, our realm's credentials gone, Max-Forwards - 1, Record-Route |
| 5 | CM → SM PUBLISH | rendering no on the holder's local and the other's remote target; SIP-If-Match |
| 6 | CM → SM re-INVITE | Call-ID, tags, CSeq and o= of the other leg; `sendonly` |
| 7 | SM → subscribers NOTIFY | each one hears it |
| 8 | SM → far phone re-INVITE | once, to its contact |
| 9 | far phone → SM 200 | `recvonly`; relayed; an ACK per leg |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.interop.server import DOMAIN, Hop
from tests.interop.wire import Message, direction, lamp, origin, parameter

SM: Final = "SM"
CM: Final = "CM"


class Round:
    """One hold of a call: its records, the numbered ones by step, and what came before it on both legs."""

    def __init__(self, before: Sequence[Hop], hops: Sequence[Hop], holder: str, far: str) -> None:
        self.before = before
        self.hops = hops
        self.holder = holder
        self.far = far

    def step(self, number: int) -> list[int]:
        """The indexes of the records with this number."""
        return [index for index, hop in enumerate(self.hops) if hop.step == number]

    def one(self, number: int) -> Hop:
        (index,) = self.step(number)
        return self.hops[index]

    def responses(self, request: Hop) -> list[Message]:
        """The answers to a request that went the way back, in order."""
        asked = request.message
        return [
            hop.message
            for hop in self.hops
            if hop.way == request.way[::-1]
            and hop.message.status
            and (hop.message.branch, hop.message.cseq) == (asked.branch, asked.cseq)
        ]


def rounds(hops: Sequence[Hop], holder: str, far: str) -> list[Round]:
    """The holds of this holder in the records of one call, each up to the next one's beginning, whoever begins it."""
    starts = [index for index, hop in enumerate(hops) if hop.step == 1]
    ends = [*starts[1:], len(hops)]
    spans = [(start, end) for start, end in zip(starts, ends, strict=True) if hops[start].source == holder]
    return [Round(hops[:start], hops[start:end], holder, far) for start, end in spans]


def nine_steps(
    hops: Sequence[Hop], holder: str, far: str, subscribers: Sequence[str] | None, number: int = 0,
    told: str = "recvonly",
) -> Round:  # fmt: skip
    """Check one hold of a call, the first one by default; AssertionError says which row does not hold.

    `holder`, `far` and `subscribers` are called as the trace calls them: a registered phone by its user, another by its
    address. Without `subscribers` step 7 is left out: a NOTIFY may come later and folded (RFC 4235 §3.10). `told`: the
    direction in the answer to the holder.
    """
    found = rounds(hops, holder, far)[number]
    _order(found, (1, 2, 3, 4, 5, 6, 8, 9))
    _asked(found)
    _challenged(found)
    _admitted(found)
    _forwarded(found)
    _published(found)
    _carried_over(found)
    if subscribers is not None:
        _order(found, (5, 7))
        _notified(found, subscribers)
    _delivered(found)
    _answered(found, told)
    return found


def _order(found: Round, numbers: Sequence[int]) -> None:
    first = [found.step(number)[:1] for number in numbers]
    missing = [number for number, index in zip(numbers, first, strict=True) if not index]
    assert not missing, f"steps {missing} are missing in {found.hops}"
    assert first == sorted(first), f"out of order: {[hop for hop in found.hops if hop.step]}"


def _asked(found: Round) -> None:
    step = found.one(1)
    asked = step.message
    assert step.way == (found.holder, SM) and asked.method == "INVITE"
    own = [hop.message for hop in found.before if hop.source == found.holder and hop.message.call_id == asked.call_id]
    assert own, "the leg's Call-ID"
    assert asked.from_tag in {message.from_tag for message in own} | {message.to_tag for message in own}
    assert asked.to_tag
    requests = [message.cseq for message in own if message.method]
    assert all(asked.cseq > cseq for cseq in requests)
    versions = [origin(message.body) for message in own if message.body.startswith("v=0")]
    assert versions and origin(asked.body) == (versions[-1][0], versions[-1][1] + 1)
    assert direction(asked.body) == "sendonly"


def _challenged(found: Round) -> None:
    step, asked = found.one(2), found.one(1).message
    assert step.way == (SM, found.holder) and step.message.status == 407
    assert (step.message.call_id, step.message.cseq, step.message.branch) == (asked.call_id, asked.cseq, asked.branch)
    challenge = step.message.get("Proxy-Authenticate")
    assert parameter(challenge, "realm") == DOMAIN
    nonce = parameter(challenge, "nonce")
    earlier = [hop.message.get("Proxy-Authenticate") for hop in found.before]
    assert nonce and all(nonce not in each for each in earlier), "the nonce is fresh"
    acks = [hop for hop in found.hops if hop.way == (found.holder, SM) and hop.message.method == "ACK"]
    assert acks and acks[0].message.branch == asked.branch, "the 407 is acknowledged"


def _admitted(found: Round) -> None:
    step, asked = found.one(3), found.one(1).message
    admitted = step.message
    assert step.way == (found.holder, SM) and admitted.method == "INVITE"
    assert admitted.cseq == asked.cseq + 1 and admitted.branch != asked.branch
    assert (admitted.call_id, admitted.from_tag, admitted.to_tag) == (asked.call_id, asked.from_tag, asked.to_tag)
    assert origin(admitted.body) == origin(asked.body) and direction(admitted.body) == "sendonly"
    challenge = found.one(2).message.get("Proxy-Authenticate")
    assert parameter(admitted.get("Proxy-Authorization"), "nonce") == parameter(challenge, "nonce")


def _forwarded(found: Round) -> None:
    step, admitted = found.one(4), found.one(3).message
    forwarded = step.message
    assert step.way == (SM, CM) and forwarded.method == "INVITE"
    assert len(forwarded.all("Via")) == len(admitted.all("Via")) + 1
    assert forwarded.branch != admitted.branch and forwarded.all("Via")[1].startswith(admitted.get("Via").split(";")[0])
    assert not forwarded.get("Proxy-Authorization") and not forwarded.get("Authorization")
    assert forwarded.integer("Max-Forwards") == admitted.integer("Max-Forwards") - 1
    assert forwarded.get("Record-Route")
    assert forwarded.body == admitted.body
    assert (forwarded.call_id, forwarded.cseq) == (admitted.call_id, admitted.cseq)
    assert forwarded.get("Reason") == admitted.get("Reason")


def _published(found: Round) -> None:
    documents = {}
    for index in found.step(5):
        step = found.hops[index]
        publish = step.message
        assert step.way == (CM, SM) and publish.method == "PUBLISH"
        assert publish.get("Event") == "dialog" and publish.get("Content-Type") == "application/dialog-info+xml"
        assert publish.integer("Expires") > 0
        # RFC 3903 §4.1: a modification names the entity-tag that the last answer for this publication gave.
        given = [
            hop.message.get("SIP-ETag")
            for hop in (*found.before, *found.hops[:index])
            if hop.way == (SM, CM) and hop.message.status == 200 and hop.message.call_id == publish.call_id
        ]
        assert given and publish.get("SIP-If-Match") == given[-1]
        (answer,) = found.responses(step)
        assert answer.status == 200 and answer.get("SIP-ETag") not in ("", given[-1]) and answer.integer("Expires") > 0
        document = lamp(publish.body)
        assert publish.uri == document.entity and document.state == "confirmed"
        documents[publish.uri] = document
    assert documents[f"sip:{found.holder}@{DOMAIN}"].local == "no", "the holder's document"
    assert documents[f"sip:{found.far}@{DOMAIN}"].remote == "no", "the other party's document"


def _carried_over(found: Round) -> None:
    step, forwarded = found.one(6), found.one(4).message
    carried = step.message
    assert step.way == (CM, SM) and carried.method == "INVITE" and direction(carried.body) == "sendonly"
    assert carried.call_id != forwarded.call_id
    assert not {carried.from_tag, carried.to_tag} & {forwarded.from_tag, forwarded.to_tag}
    assert carried.get("Reason") == forwarded.get("Reason")
    mine = [hop.message for hop in found.before if hop.way == (CM, SM) and hop.message.call_id == carried.call_id]
    assert all(carried.cseq > message.cseq for message in mine if message.method), "CSeq of the leg"
    bodies = [origin(message.body) for message in mine if message.body.startswith("v=0")]
    assert bodies and origin(carried.body) == (bodies[-1][0], bodies[-1][1] + 1), "o= line of the leg"
    assert origin(carried.body) != origin(forwarded.body)


def _notified(found: Round, subscribers: Sequence[str]) -> None:
    heard = set()
    for index in found.step(7):
        hop = found.hops[index]
        assert hop.source == SM and hop.message.method == "NOTIFY" and hop.message.get("Event").startswith("dialog")
        assert "no" in (lamp(hop.message.body).local, lamp(hop.message.body).remote)
        heard.add(hop.destination)
    assert heard >= set(subscribers), f"{sorted(set(subscribers) - heard)} did not hear of it"


def _delivered(found: Round) -> None:
    step, carried = found.one(8), found.one(6).message
    delivered = step.message
    assert step.way == (SM, found.far) and delivered.method == "INVITE"
    copies = [hop for hop in found.hops if hop.source == SM and hop.destination != CM and hop.message.method == "INVITE"
              and hop.message.cseq == carried.cseq and not hop.retransmission]  # fmt: skip
    assert len(copies) == 1, f"forked: {copies}"
    contacts = [hop.message.get("Contact") for hop in found.before
                if hop.source == found.far and hop.message.call_id == delivered.call_id]  # fmt: skip
    assert delivered.uri in [each for each in contacts if each][-1], "goes to the phone's contact"
    assert delivered.integer("Max-Forwards") == carried.integer("Max-Forwards") - 1
    assert (delivered.call_id, delivered.cseq) == (carried.call_id, carried.cseq)
    assert delivered.body == carried.body and delivered.get("Record-Route")


def _answered(found: Round, told: str) -> None:
    step, delivered = found.one(9), found.one(8).message
    assert step.way == (found.far, SM) and step.message.status == 200 and direction(step.message.body) == "recvonly"
    assert step.message.cseq == delivered.cseq
    last = found.responses(found.one(3))[-1]
    assert last.status == 200 and direction(last.body) == told, "the holder hears it"
    earlier = [origin(hop.message.body) for hop in found.before
               if hop.way == (SM, found.holder) and hop.message.body.startswith("v=0")]  # fmt: skip
    assert origin(last.body)[0] == earlier[-1][0], "the holder's view of the o= line"
    for request, way in ((3, (found.holder, SM)), (4, (SM, CM)), (6, (CM, SM)), (8, (SM, found.far))):
        asked = found.one(request).message
        acks = [hop for hop in found.hops if hop.way == way and hop.message.method == "ACK"
                and (hop.message.call_id, hop.message.cseq) == (asked.call_id, asked.cseq)]  # fmt: skip
        assert len(acks) == 1, f"ACK behind step {request} on {way}"
        assert not acks[0].message.get("Proxy-Authorization") or way[0] == found.holder
