"""Which message of a call is which of the nine steps of a hold.

| step | message |
|---|---|
| 1 | the holder's re-INVITE that Session Manager challenges |
| 2 | that challenge |
| 3 | the holder's re-INVITE that Session Manager admits |
| 4 | the same from Session Manager to Communication Manager |
| 5 | each PUBLISH by which Communication Manager says "rendering no" before the far end has answered |
| 6 | Communication Manager's re-INVITE on the other leg |
| 7 | each NOTIFY that shows a phone the rendering no |
| 8 | the re-INVITE of step 6 on its way to the far phone |
| 9 | the far phone's 2xx |

Either party may hold. Under a policy that admits the first re-INVITE that one is step 3, and there is no 1 and 2. A
re-INVITE with credentials in advance that is refused as stale is step 1 like one without; of several challenges in a
row only the first round is numbered. A resume has no steps, and neither has a session refresh (an offer equal byte for
byte to that phone's last accepted one, RFC 4028 §7.4) or a retransmission. A hold that the far end refuses ends without
step 9; what the retry after a 491 repeats is not numbered twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from b2bua.sip.dialog_info import parse_dialog_info
from b2bua.sip.errors import MalformedValue
from b2bua.sip.sdp import holds, parse_streams
from b2bua.trace.hop import Hop
from b2bua.trace.names import CM, ROLES, SM

_IN_LIST: Final = re.compile(rb"<dialog-info.*?</dialog-info>", re.DOTALL)
"""A document in a body of several parts."""
_ASKED: Final = "asked"
_CHALLENGED: Final = "challenged"
_ADMITTED: Final = "admitted"
_FORWARDED: Final = "forwarded"
_ANSWERED: Final = "answered"


class _Hold:
    """One phone's hold on its way; `call_id` is that phone's leg."""

    __slots__ = ("call_id", "cseq", "far_call_id", "holder", "lamp_lit", "offer", "offered_on", "stage")

    def __init__(self, hop: Hop, stage: str) -> None:
        self.holder = hop.source
        self.call_id = hop.facts.call_id
        self.cseq = hop.facts.cseq
        self.offer = hop.body
        self.stage = stage
        self.lamp_lit = False
        self.offered_on = False
        self.far_call_id = ""


def number_steps(hops: Sequence[Hop]) -> dict[int, int]:
    """Index → step for the hops of one call, oldest first."""
    return _Numbering(hops).run()


class _Numbering:
    def __init__(self, hops: Sequence[Hop]) -> None:
        self._hops = hops
        self._legs = {hop.facts.call_id for hop in hops}
        self._holds: dict[str, _Hold] = {}
        self._settled: dict[str, bytes] = {}
        """Leg → the last offer of its phone that was accepted."""
        self._steps: dict[int, int] = {}

    def run(self) -> dict[int, int]:
        for index, hop in enumerate(self._hops):
            facts = hop.facts
            if hop.retransmission:
                continue
            if facts.status:
                if facts.cseq_method == "INVITE":
                    self._answer(index, hop)
            elif facts.method == "INVITE" and facts.to_tag:
                self._reinvite(index, hop)
            elif facts.method in ("PUBLISH", "NOTIFY"):
                self._lamp(index, hop)
            elif facts.method == "BYE":
                self._holds.clear()
        return self._steps

    # -- re-INVITEs: steps 1, 3, 4, 6, 8 -------------------------------------------------------------------------

    def _reinvite(self, index: int, hop: Hop) -> None:
        way = hop.source, hop.destination
        if way == (SM, CM):
            self._to_feature_server(index, hop)
        elif way == (CM, SM):
            self._to_other_leg(index, hop)
        elif hop.destination == SM:
            self._from_phone(index, hop)
        elif hop.source == SM:
            self._to_far_phone(index, hop)

    def _from_phone(self, index: int, hop: Hop) -> None:
        leg, body = hop.facts.call_id, hop.body
        pending = self._holds.get(leg)
        if not _is_hold(body):
            # A resume: what the lamp says from here on is no part of the hold any more.
            self._holds.pop(leg, None)
            self._settled.pop(leg, None)
            return
        if body == self._settled.get(leg):
            return
        admitted = self._is_admitted(index, hop)
        if not admitted and pending is not None and pending.stage == _CHALLENGED and hop.facts.credentials:
            pending.cseq = hop.facts.cseq  # one more round of the same hold
            return
        self._holds[leg] = _Hold(hop, _ADMITTED if admitted else _ASKED)
        self._steps[index] = 3 if admitted else 1

    def _is_admitted(self, index: int, hop: Hop) -> bool:
        """Whether Session Manager let this one pass: by what came next or, while nothing has, by its credentials."""
        asked = hop.facts
        for later in self._hops[index + 1 :]:
            facts = later.facts
            if (facts.call_id, facts.cseq, facts.cseq_method) != (asked.call_id, asked.cseq, "INVITE"):
                continue
            if facts.status >= 200 and (later.source, later.destination) == (SM, hop.source):
                return facts.status not in (401, 407) and asked.credentials
            if facts.method == "INVITE" and later.source == SM:
                return True
        return asked.credentials

    def _to_feature_server(self, index: int, hop: Hop) -> None:
        hold = self._holds.get(hop.facts.call_id)
        if hold is not None and hold.stage == _ADMITTED and hold.cseq == hop.facts.cseq:
            hold.stage = _FORWARDED
            self._steps[index] = 4

    def _to_other_leg(self, index: int, hop: Hop) -> None:
        hold = self._forwarded_from_other_leg(hop)
        if hold is not None and not hold.offered_on:
            hold.offered_on = True
            self._steps[index] = 6

    def _to_far_phone(self, index: int, hop: Hop) -> None:
        hold = self._forwarded_from_other_leg(hop)
        if hold is not None and hold.offered_on and not hold.far_call_id:
            hold.far_call_id = hop.facts.call_id
            self._steps[index] = 8

    def _forwarded_from_other_leg(self, hop: Hop) -> _Hold | None:
        """The hold that a re-INVITE on this leg carries on."""
        if not _is_hold(hop.body):
            return None
        for hold in self._holds.values():
            if hold.stage == _FORWARDED and hold.call_id != hop.facts.call_id:
                return hold
        return None

    # -- responses: steps 2 and 9 --------------------------------------------------------------------------------

    def _answer(self, index: int, hop: Hop) -> None:
        facts = hop.facts
        if hop.source == SM:
            hold = self._holds.get(facts.call_id)
            if hold is not None and hop.destination == hold.holder and facts.cseq == hold.cseq and facts.status >= 200:
                self._answered_to_holder(index, hop, hold)
        elif hop.destination == SM and hop.source not in ROLES and 200 <= facts.status < 300:
            for hold in self._holds.values():
                if hold.stage == _FORWARDED and hold.far_call_id == facts.call_id:
                    hold.stage = _ANSWERED
                    self._steps[index] = 9

    def _answered_to_holder(self, index: int, hop: Hop, hold: _Hold) -> None:
        status = hop.facts.status
        if status in (401, 407):
            if hold.stage == _ASKED:
                hold.stage = _CHALLENGED
                self._steps[index] = 2
        elif status < 300:
            hold.stage = _ANSWERED
            self._settled[hold.call_id] = hold.offer
        else:
            del self._holds[hold.call_id]

    # -- the lamp: steps 5 and 7 ---------------------------------------------------------------------------------

    def _lamp(self, index: int, hop: Hop) -> None:
        published = hop.facts.method == "PUBLISH"
        if published:
            waiting = [hold for hold in self._holds.values() if hold.stage == _FORWARDED]
            fits = (hop.source, hop.destination) == (CM, SM)
        else:
            waiting = [hold for hold in self._holds.values() if hold.lamp_lit]
            fits = hop.source == SM and hop.destination not in ROLES
        if not waiting or not fits or not self._shows_hold(hop.body):
            return
        self._steps[index] = 5 if published else 7
        if published:
            for hold in waiting:
                hold.lamp_lit = True

    def _shows_hold(self, body: bytes) -> bool:
        """Whether a document, or one of those about a list (RFC 4662), says rendering no of a dialog of this call."""
        if body.startswith(b"--"):
            return any(map(self._says_no, _IN_LIST.findall(body)))
        return self._says_no(body)

    def _says_no(self, body: bytes) -> bool:
        """Some watchers see dialogs without call-id."""
        try:
            document = parse_dialog_info(body)
        except MalformedValue:
            return False
        return any(
            "no" in (dialog.local.rendering, dialog.remote.rendering)
            for dialog in document.dialogs
            if not dialog.call_id or dialog.call_id in self._legs
        )


def _is_hold(body: bytes) -> bool:
    """Whether an offer says that its sender wants no media; an offerless re-INVITE does not."""
    if not body:
        return False
    try:
        return holds(parse_streams(body))
    except MalformedValue:
        return False
