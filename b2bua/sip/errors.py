"""Errors that say whose fault it is: everything here is what a peer sent wrong, with the status that tells it so."""

from __future__ import annotations

from typing import Self

from b2bua.sip.why import Why


class SipError(Exception):
    """A request that is refused: becomes a final response with `status` and `reason`."""

    def __init__(self, status: int, reason: str = "", *headers: tuple[str, str]) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers
        """Further headers of the response, as (canonical name, value)."""
        self.why: Why | None = None
        """For the trace: why it is refused."""

    def because(self, sentence: str, *about: object) -> Self:
        """The same with a note for the trace: `{}` in the sentence stands for each of the rest."""
        self.why = (None, sentence, *about)
        return self


class MalformedValue(SipError):
    """A header, URI or body that is not what its grammar says; 400 unless the caller knows better."""

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(status, f"Bad {what}"[:80])
        self.what = what
        self.why = (None, "refused: {} is not as its grammar has it, or missing", what)
