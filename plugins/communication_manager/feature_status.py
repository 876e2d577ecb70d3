"""Feature status, Avaya-style (`avaya-cm-feature-status`): a phone shows as on what its user has switched on.

Published for each user who has something on, and taken back when nothing is. Of the names `call-forwarding-all` was seen of
such phones; the others are made alike, and what a phone makes of them is open.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.publication import Publication, Publications
from b2bua.sip.feature_status import CONTENT_TYPE, FeatureStatus

EVENT: Final = "avaya-cm-feature-status"
SHOWN: Final = {
    "forward_always": "call-forwarding-all", "forward_busy": "call-forwarding-busy",
    "forward_no_answer": "call-forwarding-no-answer", "do_not_disturb": "do-not-disturb", "find_me": "find-me",
}  # fmt: skip
"""Setting of a user → the feature in the document."""


class FeatureStatusShown(Feature):
    """Follows the settings of all users, whoever changes them."""

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users
        self._domain = environment.domain
        self._publications = Publications(environment, EVENT, CONTENT_TYPE)
        self._open: dict[str, Publication] = {}
        """By user."""
        self._users.watch(self._changed)
        environment.layer.timers.start(0, self._show_all)  # Session Manager is not there yet

    def _show_all(self) -> None:
        for user in self._users.names():
            self._show(user)

    def _changed(self, user: str, name: str, value: str) -> None:
        if name in SHOWN:
            self._show(user)

    def _show(self, user: str) -> None:
        own = self._users.of(user)
        features = tuple((SHOWN[name], "off" if own.get(name, "") in ("", "off") else "on") for name in SHOWN)
        is_on = any(status == "on" for _, status in features)
        aor = f"sip:{user}@{self._domain}"
        publication = self._open.get(user)
        if publication is None:
            if not is_on:
                return
            publication = self._open[user] = self._publications.open(aor, "")
        publication.update(FeatureStatus(aor, features))
        if not is_on:
            del self._open[user]
            publication.end()
