"""Dial patterns: which numbers they are for, of which callers, and the policies that lead on from there."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.session_manager.number_pattern import NumberPattern
from b2bua.session_manager.routing_policy import RoutingPolicy


@dataclass(frozen=True, slots=True)
class DialPattern:
    """One table of `dial_patterns`."""

    name: str
    pattern: NumberPattern
    policies: tuple[RoutingPolicy, ...]
    """None at all: these numbers are barred."""
    shortest: int = 1
    longest: int = 64
    """How many signs a number has."""
    callers: tuple[NumberPattern, ...] = ()
    """Who may call so; none: everybody."""

    def why_not(self, number: str, caller: str) -> str:
        """Why it is not for this call; "" where it is."""
        if not self.pattern.matches(number):
            return f"the number does not match {self.pattern.text}"
        if not self.shortest <= len(number) <= self.longest:
            return f"{len(number)} signs are not {self.shortest} to {self.longest}"
        if self.callers and not any(each.matches(caller) for each in self.callers):
            return f"the caller {caller or '(unknown)'} is none of {', '.join(each.text for each in self.callers)}"
        return ""

    @property
    def precision(self) -> tuple[tuple[int, int, bool], bool]:
        """Of several that are for a call the one with the highest decides: by the pattern, then one for certain callers."""
        return self.pattern.precision, bool(self.callers)
