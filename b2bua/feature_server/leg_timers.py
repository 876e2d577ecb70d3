"""A timer for a leg, for features that wait for what its party does."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.feature_server.contract import Environment
from b2bua.feature_server.leg import Leg
from b2bua.transaction.timers import Timer


class LegTimers:
    """Those of one feature, one a leg at most."""

    def __init__(self, environment: Environment) -> None:
        self._timers = environment.layer.timers
        self._running: dict[Leg, Timer] = {}

    def start(self, leg: Leg, seconds: float, then: Callable[[], None]) -> None:
        """`then` is called after so many seconds, unless the timer is stopped before, or started anew."""
        self.stop(leg)

        def fired() -> None:
            del self._running[leg]
            then()

        self._running[leg] = self._timers.start(seconds, fired)

    def stop(self, leg: Leg) -> None:
        """Nobody waits for this leg any more."""
        timer = self._running.pop(leg, None)
        if timer is not None:
            timer.cancel()
