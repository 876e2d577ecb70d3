"""Application sequences: the feature servers that a call passes, first those of its caller, then those of its callee.

    imsorig → origdone      on the way to an application of the caller's, and back from it
    imsterm → termdone      the same with one of the callee's

What a call has passed at the end of the one sequence and the other one begins with is passed once and has served both, unless
each is to have its pass. Who is called may have changed when a call comes back: from the caller's sequence it goes on to that of
the new callee, and so it does from the callee's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

ORIGINATING: Final = "orig"
TERMINATING: Final = "term"


class Position(NamedTuple):
    """How far a call has come; it travels in the Route that brings it back."""

    phase: str
    """ORIGINATING or TERMINATING."""
    left: tuple[str, ...]
    """The applications that follow in this phase, by the names of their links."""
    passed: tuple[str, ...] = ()
    """Those that it has passed; one that was skipped counts, it would only be skipped again."""
    served: str = ""
    """The user whose sequence it is."""

    def over(self) -> Position:
        """Behind the first application of those that are left."""
        return Position(self.phase, self.left[1:], (*self.passed, self.left[0]), self.served)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Whose calls pass what. Nobody ("") has no sequence: the far end of a trunk, a number that leaves."""

    origination: tuple[str, ...] = ()
    """Of every caller."""
    termination: tuple[str, ...] = ()
    """Of every callee."""
    users: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    """Of single users: both."""
    twice: bool = False
    """Whether an application that serves caller and callee in a row has a pass for each."""
    optional: Collection[str] = frozenset()
    """Applications without which a call goes on when they do not answer."""

    def of_caller(self, user: str) -> tuple[str, ...]:
        return () if not user else self.users[user][0] if user in self.users else self.origination

    def of_callee(self, user: str) -> tuple[str, ...]:
        return () if not user else self.users[user][1] if user in self.users else self.termination

    def begin(self, caller: str) -> Position:
        """Before the first application."""
        return Position(ORIGINATING, self.of_caller(caller), (), caller)

    def settle(self, position: Position, callee: str) -> Position:
        """Where a call to this callee stands: in front of its next application, or (none `left`) behind the last one."""
        if position.left if position.phase == ORIGINATING else position.served == callee:
            return position
        theirs = self.of_callee(callee)
        common = 0 if self.twice else overlap(position.passed, theirs)
        return Position(TERMINATING, theirs[common:], position.passed, callee)


def overlap(passed: tuple[str, ...], following: tuple[str, ...]) -> int:
    """How many at the end of the one are, in this order, the beginning of the other."""
    for length in range(min(len(passed), len(following)), 0, -1):
        if passed[-length:] == following[:length]:
            return length
    return 0
