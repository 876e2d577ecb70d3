"""Draining: no new call is taken, those that stand go on, and when the last one has ended the process stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.log.events import Say
from b2bua.session_manager.admission import Admission

LOOK_SECONDS: Final = 0.5


class Drain:
    """`calls()` tells how many calls stand; `later(seconds, function)` is the reactor's; `stop()` ends the process."""

    def __init__(
        self, admission: Admission, calls: Callable[[], int], later: Callable[..., object], stop: Callable[[], None], log: Say
    ) -> None:
        self._admission = admission
        self._calls = calls
        self._later = later
        self._stop = stop
        self._log = log
        self._round = 0

    @property
    def draining(self) -> bool:
        return self._admission.draining

    def state(self) -> dict[str, object]:
        """What `GET /api/drain` tells."""
        return {"draining": self.draining, "calls": self._calls()}

    def start(self) -> None:
        """Take nothing new from now on. Once more is no error."""
        if not self.draining:
            self._admission.draining = True
            self._round += 1
            self._log("draining", calls=self._calls())
            # Not at once, so that whoever asked for it hears the answer first.
            self._later(LOOK_SECONDS, self._look, self._round)

    def undo(self) -> None:
        """Take calls again."""
        if self.draining:
            self._admission.draining = False
            self._log("drain_stopped")

    def _look(self, of_round: int) -> None:
        if not self.draining or of_round != self._round:
            return
        if self._calls():
            self._later(LOOK_SECONDS, self._look, of_round)
        else:
            self._log("drained")
            self._stop()
