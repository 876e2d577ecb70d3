"""Who has an account in the domain."""

from __future__ import annotations

from typing import Final, Protocol

from b2bua.sip.errors import SipError

NO_USER: Final = "routing: {} is no user of the domain"


class Users(Protocol):
    """What Session Manager asks the store."""

    def user(self, name: str) -> object | None: ...


def check_known(user: str, users: Users) -> None:
    """404 for who has no account, and for the domain itself ("")."""
    if not user or users.user(user) is None:
        raise SipError(404).because(NO_USER, user or "the domain itself")
