"""Which requests are challenged, and with which status: one table per method, and per user (RFC 3261 §22.1 to §22.3).

401 where Session Manager is the server (registrar, notifier); 407 for all else, as in Avaya's Session Manager also for
requests to Session Manager itself, a declared deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from b2bua.sip.profiles import ASTERISK, Profiles

Reinvite = Literal["always", "when-needed", "never"]

REINVITE: Final = ("always", "when-needed", "never")

NEVER: Final = frozenset(("ACK", "CANCEL", "NOTIFY"))
"""ACK and CANCEL cannot be sent anew with credentials (RFC 3261 §22.1); NOTIFY is a notifier's, not a user's."""

OUT_OF_DIALOG: Final[Mapping[str, int]] = MappingProxyType(
    {"REGISTER": 401, "SUBSCRIBE": 401, "INVITE": 407, "PUBLISH": 407, "OPTIONS": 407, "MESSAGE": 407, "REFER": 407}
)
"""Any other method: 407."""

IN_DIALOG: Final[Mapping[str, int]] = MappingProxyType(
    {"REGISTER": 401, "SUBSCRIBE": 401, "UPDATE": 0, "PRACK": 0, "BYE": 0, "INFO": 0}
)
"""INVITE has its own setting; any other method: 407."""

AS_SERVER: Final[Mapping[str, int]] = MappingProxyType({"REGISTER": 401})
"""In dialog, with the profile `asterisk`: it asks only what founds a dialog, or is out of any. Any other method: none. Out of
dialog all get 401, as from a user agent server (RFC 3261 §22.2)."""

REINVITE_METHOD: Final = "re-INVITE"
"""What an INVITE in dialog is called in the settings."""

_STATUS: Final = {"none": 0, "401": 401, "407": 407}


class ChallengePolicy:
    """The status of the challenge per method.

    `overrides`: method → `none`, `401` or `407`, for requests in and out of dialog alike; INVITE is the one out of dialog,
    `re-INVITE` the one in dialog, which `reinvite` decides where it is not there. One of ACK, CANCEL or NOTIFY changes
    nothing. `users`: user → such overrides, which stand above those of all. `profiles`: for whom it is Asterisk's table that
    they stand above; then `reinvite` alone challenges none. ValueError for a value that is none of these, and for REGISTER
    without a challenge.
    """

    def __init__(
        self, reinvite: Reinvite = "always", overrides: Mapping[str, str] = MappingProxyType({}),
        users: Mapping[str, Mapping[str, str]] = MappingProxyType({}), profiles: Profiles | None = None,
    ) -> None:  # fmt: skip
        if reinvite not in REINVITE:
            raise ValueError(f"challenge of re-INVITE is {reinvite!r}, not one of {', '.join(REINVITE)}")
        profiles = profiles or Profiles()
        as_server = ASTERISK in profiles.realm
        self.reinvite: Final = reinvite
        self.proxied: Final = 401 if as_server else 407
        """The status of a SUBSCRIBE that is only passed on."""
        self._otherwise: Final = (401, 0) if as_server else (407, 407)
        """Of methods without a row: out of dialog, in dialog."""
        self._out_of_dialog = dict.fromkeys(OUT_OF_DIALOG, 401) if as_server else dict(OUT_OF_DIALOG)
        self._in_dialog = dict(AS_SERVER if as_server else IN_DIALOG)
        self._in_dialog["INVITE"] = 0 if as_server or reinvite == "never" else 407
        for method, value in overrides.items():
            self._override(method.upper(), value)
        for method in NEVER:
            self._out_of_dialog[method] = self._in_dialog[method] = 0
        common = {method.upper(): value for method, value in overrides.items()}
        self.users: Final = {
            user: ChallengePolicy(
                reinvite, common | {method.upper(): value for method, value in users.get(user, {}).items()},
                profiles=Profiles(tuple(profiles.of(user))),
            )
            for user in dict.fromkeys((*users, *profiles.others(ASTERISK)))
        }  # fmt: skip
        """Policies of single users."""

    def _override(self, method: str, value: str) -> None:
        if value not in _STATUS:
            raise ValueError(f"challenge of {method} is {value!r}, not one of {', '.join(_STATUS)}")
        if method == "REGISTER" and value == "none":
            raise ValueError("REGISTER is always challenged")
        if method == REINVITE_METHOD.upper():
            self._in_dialog["INVITE"] = _STATUS[value]
            return
        self._out_of_dialog[method] = _STATUS[value]
        if method != "INVITE":
            self._in_dialog[method] = _STATUS[value]

    def status(self, method: str, in_dialog: bool) -> int:
        """401 or 407, or 0 for a request that is not challenged. `in_dialog` only where a Route token proved it."""
        return (self._in_dialog if in_dialog else self._out_of_dialog).get(method, self._otherwise[in_dialog])
