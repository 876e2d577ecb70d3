"""One early dialog with the callee's side, and its image on the caller's: what each heard and said in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.reliable_provisional import ReliableReceiver
from b2bua.feature_server.reliable_answers import ReliableAnswers, Told
from b2bua.sip.message import Response
from b2bua.sip.rack import RAck

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class Branch:
    """Kept by `EarlyDialogs`; it and what it begins change it."""

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
