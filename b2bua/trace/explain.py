"""One sentence on each offer and answer: what it changes against the last ones of its leg, or what is wrong with it.

A leg is a Call-ID between two parties of the trace. Within it a side is a party with its tag; a side's last agreed
description is what its next one is compared with. Everything is worked out when somebody reads the trace.

What is followed (RFC 3264, RFC 3261 §13.2.1 and §14, RFC 3262 §5, RFC 3311 §5):

| offer in | answer in |
|---|---|
| INVITE | 2xx or reliable 1xx |
| 2xx or reliable 1xx to an INVITE without one | ACK or PRACK |
| UPDATE, PRACK | its 2xx |
"""

from __future__ import annotations

import re
from collections import OrderedDict
from itertools import zip_longest
from typing import Final, TypeVar

from b2bua.sip.errors import MalformedValue
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.sdp import CONTENT_TYPE
from b2bua.trace.descriptions import (
    Description,
    changes,
    few,
    flaws_of_answer,
    flaws_of_later_answer,
    flaws_of_offer,
    readable,
)

EXPLAINED: Final = frozenset(("INVITE", "ACK", "PRACK", "UPDATE", "BYE", "INFO", "REFER", "MESSAGE"))
"""Methods whose requests and responses an Explainer wants to see; the last four only for the order of their CSeqs."""

MAX_LEGS: Final = 4_096
MAX_SIDES: Final = 64
"""Of one leg: one for the caller and one for each branch that answers."""
MAX_EXCHANGES: Final = 8
"""Requests of one leg that an answer may still come to."""

_RACK: Final = re.compile(r"[0-9]{1,10}\s+([0-9]{1,10})\s+INVITE").fullmatch
"""RFC 3262 §7.2."""

Side = tuple[str, str]
"""Party and tag."""
_Request = tuple[Side, int, str]
"""Who asked, CSeq number, method."""

_K = TypeVar("_K")
_V = TypeVar("_V")


def _put(table: OrderedDict[_K, _V], key: _K, value: _V, limit: int) -> _V:
    """Store as the newest; the oldest goes when there are too many."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > limit:
        table.popitem(last=False)
    return value


class _Descriptions:
    """What one side described."""

    __slots__ = ("agreed", "challenged", "highest", "sent")

    def __init__(self) -> None:
        self.agreed: Description | None = None
        """The last one that an exchange was completed with."""
        self.sent: Description | None = None
        """The last one at all."""
        self.challenged: Description | None = None
        """The offer that is to come again with credentials, whatever else is agreed in between."""
        self.highest = -1
        """The highest o= version sent."""

    def repeats(self, offer: Description) -> bool:
        """Whether an offer was made before and nothing came of it."""
        if self.agreed is not None and self.agreed.body == offer.body:
            return False
        return any(one is not None and one.body == offer.body for one in (self.sent, self.challenged))

    def flaws(self, offer: Description) -> list[str]:
        """What is wrong with an offer of this side; what is only repeated was said before."""
        return [] if self.agreed is None or self.repeats(offer) else flaws_of_offer(self.agreed, offer, self.highest)

    def send(self, description: Description) -> None:
        self.sent = description
        self.highest = max(self.highest, description.origin.version)


class _Exchange:
    """One request that may carry an offer, until its answer."""

    __slots__ = ("answers", "counter_offers", "in_dialog", "offer", "previews")

    def __init__(self, offer: Description | None, in_dialog: bool) -> None:
        self.offer = offer
        self.in_dialog = in_dialog
        self.answers: OrderedDict[str, Description] = OrderedDict()
        """To tag → the answer of that branch."""
        self.previews: OrderedDict[str, Description] = OrderedDict()
        """To tag → what an unreliable 1xx said before the answer."""
        self.counter_offers: OrderedDict[str, Description] = OrderedDict()
        """To tag → the offer that came in a response, until it is answered."""


class Explainer:
    """Feed it the messages of the trace in order. It remembers up to `limit` legs; the one quiet longest goes."""

    def __init__(self, limit: int = MAX_LEGS) -> None:
        self._limit = limit
        self._legs: OrderedDict[tuple[str, frozenset[str]], _Leg] = OrderedDict()

    def note(self, source: str, destination: str, data: bytes) -> str:
        """The sentence on one message that is no retransmission; "" where there is nothing to say. Never raises."""
        try:
            message = parse_message(data)
            key = message.call_id, frozenset((source, destination))
            leg = _put(self._legs, key, self._legs.get(key) or _Leg(), self._limit)
            if isinstance(message, Request):
                said, flaws = leg.request(source, message)
            else:
                said, flaws = leg.response(source, destination, message)
        except (MalformedMessage, MalformedValue):
            return ""
        return "; ".join([said] * bool(said) + [f"wrong: {flaw}" for flaw in flaws])


_Said = tuple[str, list[str]]
"""What a message does, and what is wrong with it."""
_NOTHING: Final[_Said] = ("", [])


class _Leg:
    """One leg between two neighbours of the trace."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """A leg that is over: nothing is compared with it any more."""
        self._sides: OrderedDict[Side, _Descriptions] = OrderedDict()
        self._exchanges: OrderedDict[_Request, _Exchange] = OrderedDict()
        self._cseqs: OrderedDict[tuple[Side, str], tuple[int, str]] = OrderedDict()
        """Side and peer's tag ("" before a dialog) → its highest CSeq, and that request's branch."""
        self._challenged: OrderedDict[Side, int] = OrderedDict()
        self._established: OrderedDict[Side, int] = OrderedDict()
        """The side that called → the CSeq of its INVITE that was accepted."""

    # -- requests ----------------------------------------------------------------------------------------------

    def request(self, party: str, message: Request) -> _Said:
        side = party, message.from_.tag
        if message.method == "CANCEL":
            return _NOTHING
        if message.method == "ACK":
            return self._acknowledged(side, message)
        flaws = self._out_of_order(side, message)
        if message.method == "PRACK":
            return self._with(flaws, self._prack(side, message))
        if message.method in ("INVITE", "UPDATE"):
            return self._with(flaws, self._offer(side, message))
        return "", flaws

    @staticmethod
    def _with(flaws: list[str], said: _Said) -> _Said:
        return said[0], flaws + said[1]

    def _out_of_order(self, side: Side, message: Request) -> list[str]:
        """To tag and CSeq of a request (RFC 3261 §12.2.1.1), and the CSeq after a challenge (§22.2)."""
        to_tag, cseq, branch = message.to.tag, message.cseq, message.top_via.branch
        flaws = []
        if not to_tag:
            if message.method in ("UPDATE", "PRACK", "BYE") or cseq > self._established.get(side, cseq):
                flaws.append("no To tag inside a dialog (RFC 3261 §12.2.1.1)")
            elif cseq <= self._challenged.get(side, -1):
                flaws.append(f"CSeq {cseq} again after the challenge, it must rise (RFC 3261 §22.2)")
        last, last_branch = max(self._cseqs.get((side, to_tag), (-1, "")), self._cseqs.get((side, ""), (-1, "")))
        if to_tag and (cseq < last or (cseq == last and branch != last_branch)):
            flaws.append(f"CSeq {cseq} after {last}, it must rise (RFC 3261 §12.2.1.1)")
        if cseq > last:
            _put(self._cseqs, (side, to_tag), (cseq, branch), MAX_SIDES)
        return flaws

    def _offer(self, side: Side, message: Request) -> _Said:
        """An INVITE or UPDATE, or a PRACK that answers nothing."""
        body = _sdp(message)
        offer = readable(body)
        key = side, message.cseq, message.method
        in_dialog = bool(message.to.tag)
        known = self._exchanges.get(key)
        if known is None or known.offer != offer:  # a proxy that forks sends the same to each branch
            _put(self._exchanges, key, _Exchange(offer, in_dialog), MAX_EXCHANGES)
        if offer is None:
            if body:
                return "", ["the body is no session description (RFC 8866 §5)"]
            return _offerless(message.method, in_dialog), []
        before = self._side(side)
        authorized = message.has("Proxy-Authorization") or message.has("Authorization")
        told = _told_offer(before, offer, authorized), before.flaws(offer)
        before.send(offer)
        return told

    def _acknowledged(self, side: Side, message: Request) -> _Said:
        """An ACK: the answer where the offer came in the 2xx, else it has nothing to say (RFC 3261 §13.2.2.4)."""
        exchange = self._exchanges.get((side, message.cseq, "INVITE"))
        body, to_tag = _sdp(message), message.to.tag
        if exchange is None:
            return ("description in an ACK whose INVITE is not in the trace" if body else ""), []
        if to_tag not in exchange.counter_offers:
            return "", ["a description in this ACK, the offer is answered (RFC 3261 §13.2.1)"] if body else []
        if not body:
            return "", ["the ACK does not answer the offer of the 2xx (RFC 3261 §13.2.2.4)"]
        return self._answer_to_response(side, exchange, message)

    def _prack(self, side: Side, message: Request) -> _Said:
        """An answer to the offer of the reliable 1xx, or an offer of its own (RFC 3262 §5)."""
        if not _sdp(message):
            return _NOTHING
        rack = _RACK(message.get("RAck") or "")
        exchange = self._exchanges.get((side, int(rack[1]), "INVITE")) if rack else None
        if exchange is None or message.to.tag not in exchange.counter_offers:
            return self._offer(side, message)
        return self._answer_to_response(side, exchange, message)

    def _answer_to_response(self, side: Side, exchange: _Exchange, message: Request) -> _Said:
        to_tag, body = message.to.tag, _sdp(message)
        offer = exchange.counter_offers.pop(to_tag)
        _put(exchange.answers, to_tag, offer, MAX_SIDES)  # what the response said stands: it may come again in the 2xx
        return self._answer(self._party_of(to_tag), offer, side, body)

    # -- responses ---------------------------------------------------------------------------------------------

    def response(self, party: str, asker: str, message: Response) -> _Said:
        status, method, to_tag = message.status, message.cseq_method, message.to.tag
        if method == "BYE" and 200 <= status < 300:
            self._forget()
        asking = asker, message.from_.tag
        exchange = self._exchanges.get((asking, message.cseq, method))
        if status == 100 or method not in ("INVITE", "UPDATE", "PRACK") or exchange is None:
            return _NOTHING
        flaws = [] if to_tag else ["no To tag in the response (RFC 3261 §8.2.6.2)"]
        if status >= 300:
            if status in (401, 407):
                _put(self._challenged, asking, max(message.cseq, self._challenged.get(asking, -1)), MAX_SIDES)
                self._side(asking).challenged = exchange.offer
            return _told_refusal(status, method, exchange.in_dialog), flaws
        if status >= 200 and method == "INVITE":
            _put(self._established, asking, self._established.get(asking, message.cseq), MAX_SIDES)
        return self._with(flaws, self._accepted((party, to_tag), asking, exchange, message))

    def _accepted(self, side: Side, asking: Side, exchange: _Exchange, message: Response) -> _Said:
        """A 1xx or 2xx."""
        body, to_tag, status = _sdp(message), side[1], message.status
        final = status >= 200
        if not body:
            if not final or to_tag in exchange.answers or to_tag in exchange.counter_offers:
                return _NOTHING
            if exchange.offer is not None:
                return "", ["no answer to the offer (RFC 3261 §13.2.1, RFC 3311 §5.2)"]
            flaw = ["neither offer nor answer in the exchange (RFC 3261 §13.2.1)"]
            return "", flaw if message.cseq_method == "INVITE" else []
        description = readable(body)
        if description is None:
            return "", ["the body is no session description (RFC 8866 §5)"]
        if exchange.offer is None:
            return self._counter_offer(side, exchange, message, description)
        given = exchange.answers.get(to_tag)
        if given is not None:
            same = given.body == body
            return ("the answer again" if same else ""), [] if same else ["not the answer given before (RFC 3261 §13.2.1)"]
        shown = exchange.previews.get(to_tag)
        differs = ["not what the 1xx before it said (RFC 3261 §13.2.1)"] if shown and shown.body != body else []
        if not final and not _is_reliable(message):
            _put(exchange.previews, to_tag, description, MAX_SIDES)
            return f"the answer in advance: {description.directions()}", [*differs, *flaws_of_answer(exchange.offer, description)]
        _put(exchange.answers, to_tag, description, MAX_SIDES)
        said, flaws = self._answer(asking, exchange.offer, side, body)
        return said, differs + flaws

    def _counter_offer(self, side: Side, exchange: _Exchange, message: Response, offer: Description) -> _Said:
        """An offer in a response: the answer is to come in the ACK or PRACK."""
        if message.status < 200 and not _is_reliable(message):
            return f"the offer in advance: {offer.directions()}", []
        if exchange.answers or side[1] in exchange.counter_offers:
            return _NOTHING
        before = self._side(side)
        _put(exchange.counter_offers, side[1], offer, MAX_SIDES)
        said, flaws = _told_offer(before, offer, False), before.flaws(offer)
        before.send(offer)
        return f"{said}; the {'ACK' if message.status >= 200 else 'PRACK'} answers", flaws

    def _answer(self, asking: Side, offer: Description, side: Side, body: bytes) -> _Said:
        """An answer by `side`: both descriptions are agreed on from here."""
        answer = readable(body)
        if answer is None:
            return "", ["the body is no session description (RFC 8866 §5)"]
        mine, theirs = self._side(side), self._side(asking)
        said = _told_answer(mine.agreed, offer, answer)
        flaws = flaws_of_answer(offer, answer)
        if mine.agreed is not None:
            flaws += flaws_of_later_answer(mine.agreed, answer)
        mine.agreed, theirs.agreed = answer, offer
        mine.send(answer)
        theirs.send(offer)
        return said, flaws

    # -- sides -------------------------------------------------------------------------------------------------

    def _side(self, side: Side) -> _Descriptions:
        return _put(self._sides, side, self._sides.get(side) or _Descriptions(), MAX_SIDES)

    def _party_of(self, tag: str) -> Side:
        """The side with this tag that described something last."""
        return next((side for side in reversed(self._sides) if side[1] == tag), ("", tag))


# -- how it is told ------------------------------------------------------------------------------------------------


def _told_offer(side: _Descriptions, offer: Description, authorized: bool) -> str:
    before = side.agreed
    if side.repeats(offer):
        return "the same offer again" + (", with credentials" if authorized else "")
    if before is None:
        return f"offer: {offer.directions()}, o= version {offer.origin.version}"
    if before.body == offer.body:
        return "refresh: the description agreed on, byte for byte"
    if offer.holding and not before.holding:
        kind = "hold"
    elif before.holding and not offer.holding:
        kind = "resume"
    else:
        kind = "change"
    return f"{kind}: {', '.join(changes(before, offer))}"


def _told_answer(before: Description | None, offer: Description, answer: Description) -> str:
    pairs = []
    for name, stream, asked in zip_longest(answer.names, answer.streams, offer.streams[: len(answer.streams)]):
        if not stream.port:
            pairs.append(f"{name} {'refused' if asked and asked.port else 'off'}")
        else:
            pairs.append(f"{name} {stream.direction}" + (f" for {asked.direction}" if asked else ""))
    told = f"answer: {', '.join(few(pairs))}"
    if before is None:
        return f"{told}, o= version {answer.origin.version}"
    if before.body == answer.body:
        return f"{told}, the description as before"
    rest = changes(before, answer, directions=False)
    return f"{told}, {', '.join(rest or ['nothing else'])}"


def _told_refusal(status: int, method: str, in_dialog: bool) -> str:
    if not in_dialog or method == "PRACK":
        return ""
    if status in (401, 407):
        return "challenged: it is to come again with credentials, CSeq + 1 (RFC 3261 §22.2)"
    if status == 491:
        return "glare: both sides asked at once; the session stays as it was (RFC 3261 §14.1)"
    if status in (408, 481):
        return "the dialog is gone, a BYE is to follow (RFC 3261 §12.2.1.2)"
    return "refused: the session stays as it was (RFC 3261 §14.1)"


def _offerless(method: str, in_dialog: bool) -> str:
    if method == "UPDATE":
        return "refresh without an offer"
    return f"no offer: the response is to make one (RFC 3261 {'§14.2' if in_dialog else '§13.2.1'})"


def _sdp(message: Message) -> bytes:
    """The body where it is, or is said to be, a session description."""
    body = message.body
    kind = (message.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return _description_among_parts(body)
    return body if body.startswith(b"v=0") or kind == CONTENT_TYPE else b""


def _description_among_parts(body: bytes) -> bytes:
    """The first part that is a description, to the line before the next boundary (RFC 3261 §7.4.1)."""
    kind = body.lower().find(b"application/sdp")
    begin = body.find(b"\nv=0", kind) + 1
    if kind < 0 or not begin:
        return b""
    end = body.find(b"\n--", begin)
    return body[begin : end if end >= 0 else len(body)].rstrip() + b"\r\n"


def _is_reliable(message: Response) -> bool:
    """RFC 3262 §3."""
    return message.has("RSeq") and "100rel" in message.tokens("Require")
