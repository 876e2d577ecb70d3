"""The file of `--users` and `b2bua user import`: lines `user,password`. Of the passwords only the HA1s go on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from b2bua.sip.digest import ha1
from b2bua.store.interface import StoreError
from b2bua.store.records import User

_USER: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$;?/]+")
"""RFC 3261 §25.1 `user` without escapes and without the comma, which ends the name in the file."""


def make_user(name: str, realm: str, password: str) -> User:
    """The record of a user. ValueError says what is wrong with the name or the password, never showing the latter."""
    if not _USER.fullmatch(name):
        raise ValueError(f"{name!r} is not a user name")
    if not password:
        raise ValueError("the password is empty")
    if password != password.strip():
        raise ValueError("the password begins or ends with a blank")
    if not password.isprintable():
        raise ValueError("the password has a control character")
    return User(name, realm, ha1(name, realm, password))


def read_users(path: Path, realm: str) -> list[User]:
    """The users of a file, in its order. Empty lines are passed over; a password may hold commas.

    StoreError names the file and the line, never the password.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StoreError(f"{path}: not UTF-8 text") from None
    users: dict[str, User] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        name, comma, password = line.partition(",")
        if not comma:  # The line is not shown: it may be a password.
            raise StoreError(f"{path}:{number}: not a line user,password")
        try:
            user = make_user(name.strip(), realm, password)
        except ValueError as error:
            raise StoreError(f"{path}:{number}: {error}") from None
        if user.name in users:
            raise StoreError(f"{path}:{number}: user {user.name} stands there twice")
        users[user.name] = user
    return list(users.values())
