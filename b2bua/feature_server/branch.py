"""Early dialogs with the callee's side, each with its image on the caller's: what was heard and said in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.reliable_provisional import ReliableReceiver
from b2bua.feature_server.reliable_answers import ReliableAnswers, Told
from b2bua.sip.message import Request, Response
from b2bua.sip.rack import RAck

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

MOST: Final = 64
"""Early dialogs of one call: more than Max-Breadth lets a request be forked to (RFC 5393 §5.3.3.1)."""


class Branch:
    """One of them. Kept by `EarlyDialogs`; it and what it begins change it."""

    __slots__ = ("leg", "over", "callee", "caller", "received", "answers", "kept", "agreed", "changed", "offer", "said",
                 "described", "updates", "refused")  # fmt: skip

    def __init__(self, leg: Leg, callee: Dialog, caller: Dialog) -> None:
        self.leg = leg
        """The callee's."""
        self.over = False
        """Whether the call goes on without this callee."""
        self.callee = callee
        self.caller = caller
        self.received = ReliableReceiver()
        self.answers: ReliableAnswers | None = None
        """None while the caller has been told nothing reliably."""
        self.kept: Response | None = None
        """A reliable response that the features have in hand."""
        self.agreed = False
        """Whether an exchange is complete, on both legs and reliably: there is a session to change."""
        self.changed = False
        """Whether it has been changed since the first answer."""
        self.offer: tuple[bytes, bytes] | None = None
        """The callee's offer as it came and as the caller got it, while the answer is awaited in a PRACK."""
        self.said: tuple[tuple[bytes, bytes], tuple[bytes, bytes]] | None = None
        """Of the complete exchange the caller's description and ours to it; the callee's and ours to it."""
        self.described: Response | None = None
        """The callee's newest response with a description."""
        self.updates = False
        """Whether the callee takes UPDATE here."""
        self.refused: tuple[RAck, Told] | None = None
        """What a PRACK named whose offer was refused: it may come again without one (RFC 6337 §2.3)."""

    def named(self, rack: RAck, cseq: int) -> Told | None:
        """What a PRACK names; `cseq` is that of the caller's INVITE."""
        if self.refused is not None and self.refused[0] == rack:
            return self.refused[1]
        return self.answers.acknowledged(rack, cseq) if self.answers is not None else None

    def complete(self, caller: Leg, with_caller: tuple[bytes, bytes], with_callee: tuple[bytes, bytes]) -> None:
        """An exchange is complete on both legs; each pair is (theirs, ours)."""
        if all((*with_caller, *with_callee)):
            self.changed, self.agreed = self.agreed, True
            self.offer = None
            self.said = with_caller, with_callee
            caller.descriptions.completed(*with_caller)
            self.leg.descriptions.completed(*with_callee)


class Branches:
    """All of one call: which of them a message belongs to."""

    def __init__(self, call: Call, cseq: int) -> None:
        """`cseq` is that of the caller's INVITE."""
        self.selected: Branch | None = None
        """The one that was answered."""
        self._call = call
        self._cseq = cseq
        self._known: dict[tuple[str, str], Branch] = {}
        """By the Call-ID of the callee's leg, and the callee's tag."""

    def __iter__(self) -> Iterator[Branch]:
        return iter(self._known.values())

    def begun(self, leg: Leg) -> None:
        """What this callee has said before anybody knew of several."""
        self._known[leg.dialog.call_id, leg.dialog.remote_tag] = Branch(leg, leg.dialog, self._call.caller.dialog)

    def far(self, branch: Branch, leg: Leg) -> Leg:
        """The leg on the other side of this branch."""
        return branch.leg if leg is self._call.caller else self._call.caller

    def side(self, branch: Branch, leg: Leg) -> Dialog:
        """Its dialog with the party of this leg."""
        return branch.caller if leg is self._call.caller else branch.callee

    def asked(self, leg: Leg, request: Request) -> Branch | None:
        """The branch of a request from the party of `leg`; None: it is of none that may be asked anything."""
        ours, theirs = request.to.tag, request.from_.tag
        if self.selected is not None:
            branches = [self.selected]  # the others ended with the 2xx
        else:
            branches = list(self._known.values())
        for branch in branches:
            if leg is not self._call.caller and leg is not branch.leg:
                continue
            dialog = self.side(branch, leg)
            if dialog.local_tag == ours and dialog.remote_tag in ("", theirs):
                return branch
        return None

    def answering(self, leg: Leg, response: Response) -> Branch | None:
        """The branch of a response, made if it is new; None for one too many."""
        call_id, tag = leg.dialog.call_id, response.to.tag
        known = self._known.get((call_id, tag))
        if known is not None:
            return known
        caller = self._call.caller
        mine = [branch for branch in self._known.values() if branch.leg is leg]
        if not tag:  # RFC 2543: no dialog
            return mine[0] if mine else Branch(leg, leg.dialog, caller.dialog)
        branch = self._known.pop((call_id, ""), None)  # in which a feature spoke first
        if branch is None and len(self._known) < MOST:
            branch = Branch(leg, leg.dialog, caller.dialog)
            if mine:
                branch.callee = leg.dialog.sibling(leg.dialog.local_tag, -1)
            if self._known:
                ours = self._call.environment.layer.identifiers.tag()
                branch.caller = caller.dialog.sibling(ours, self._cseq)
                self._call.leg_forked(caller, branch.caller.key)
        if branch is None:
            return None
        branch.callee.remote_tag = tag
        if response.has("Contact"):
            branch.callee.establish(response)
        self._known[call_id, tag] = branch
        return branch

    def image(self) -> Branch:
        """Before the callee has said anything: where a feature speaks in its place."""
        callee, caller = self._call.callee, self._call.caller
        branch = self._known[callee.dialog.call_id, ""] = Branch(callee, callee.dialog, caller.dialog)
        if len(self._known) > 1:
            branch.caller = caller.dialog.sibling(self._call.environment.layer.identifiers.tag(), self._cseq)
            self._call.leg_forked(caller, branch.caller.key)
        return branch


def last_word(branch: Branch | None, response: Response) -> Response:
    """The 2xx as the caller is to hear it: with the answer that came before, which the callee need not repeat where it
    was reliable, and of which the caller cannot be sure; without a first answer that is out of date."""
    if branch is None or (branch.agreed and not branch.changed):
        return response
    described = branch.described
    if branch.agreed:
        return _with_body(response, b"", "") if response.body else response
    if response.body or described is None:
        return response
    return _with_body(response, described.body, described.get("Content-Type") or "")


def _with_body(response: Response, body: bytes, content_type: str) -> Response:
    copy = response.copy()
    copy.set_body(body, content_type)
    return copy
