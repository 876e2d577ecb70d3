"""SIGHUP: the settings are read once more, and what can change while calls stand is changed; the rest waits for a restart."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from b2bua.config.settings import FIELDS, ConfigError, Settings
from b2bua.feature_server.loader import LoadError
from b2bua.reference import AT_RUN_TIME
from b2bua.store.interface import StoreError


class Reload:
    """Keeps the settings in effect. `read` gives those of all sources, `wall` Unix seconds.

    `apply` makes the server follow new ones; when it raises ConfigError, StoreError, LoadError or OSError, nothing has
    changed.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        apply: Callable[[Settings], None],
        wall: Callable[[], float],
        log: Callable[..., object],
    ) -> None:
        self.settings = settings
        self.succeeded = True
        """Whether the last reading was good; that of the start was."""
        self.succeeded_at = wall()
        self._read = read
        self._apply = apply
        self._wall = wall
        self._log = log

    def run(self) -> str:
        """Read and apply; "", or why everything stays as it was, which the log has as well. Raises nothing."""
        try:
            wanted = self._read()
            followed = {key: getattr(wanted, key) for key in AT_RUN_TIME}
            settings = msgspec.structs.replace(self.settings, **followed)
            self._apply(settings)
        except (ConfigError, StoreError, LoadError, OSError) as error:
            problems = error.problems if isinstance(error, ConfigError) else (_line(error),)
            reason = "; ".join(problems)
            self._failed(reason=reason)
            return reason
        except Exception as error:  # A mistake of ours must not end the calls of those who only asked for a reload.
            self._failed(exception=error)
            return "internal error, see the log"
        changed = differing(self.settings, settings)
        self.settings = settings
        self.succeeded, self.succeeded_at = True, self._wall()
        self._log("reloaded", changed=", ".join(changed) or "no setting")
        if waiting := differing(settings, wanted):
            self._log("restart_needed", settings=", ".join(waiting))
        return ""

    def _failed(self, **why: object) -> None:
        self.succeeded = False
        self._log("reload_failed", **why)


def _line(error: Exception) -> str:
    return f"{error.key}: {error}" if isinstance(error, LoadError) else str(error)


def differing(one: Settings, other: Settings) -> list[str]:
    """The keys with different values, in the order of the settings."""
    return [key for key in FIELDS if getattr(one, key) != getattr(other, key)]
