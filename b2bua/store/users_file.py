"""Files of users: lines `user,password`, or what Apache's htdigest writes. Of the passwords only the HA1s go on."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from b2bua.sip.digest import ha1
from b2bua.sip.digest_algorithms import MD5
from b2bua.store.interface import StoreError
from b2bua.store.records import User

AlgorithmsOf = Callable[[str], Sequence[str]]
"""User name → the algorithms that this user is offered: by each an HA1 is made."""

_USER: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$;?/]+")
"""RFC 3261 §25.1 `user` without escapes and without the comma, which ends the name in the file."""

_HTDIGEST: Final = re.compile(r"[^:,]*:[^:]*:[0-9A-Fa-f]{32}\s*")
_MD5_HEX: Final = re.compile(r"[0-9a-f]{32}")

_NAME_COLUMNS: Final = ("user", "username", "name", "extension")
_PASSWORD_COLUMNS: Final = ("password", "secret")
"""What the columns are called in the header of a CSV file, whatever the case; further columns are passed over."""

_Line = tuple[int, str]
"""Its number in the file, from 1, and its text; blank lines are left out."""


def md5_alone(_name: str) -> Sequence[str]:
    """The algorithms of everybody unless the settings say otherwise."""
    return (MD5,)


def make_user(name: str, realm: str, password: str, algorithms: Sequence[str] = (MD5,)) -> User:
    """The record of a user. ValueError says what is wrong with the name or the password, never showing the latter."""
    _check_name(name)
    if not password:
        raise ValueError("the password is empty")
    if password != password.strip():
        raise ValueError("the password begins or ends with a blank")
    if not password.isprintable():
        raise ValueError("the password has a control character")
    return User(name, realm, {algorithm: ha1(name, realm, password, algorithm) for algorithm in algorithms})


def read_users(path: Path, realm: str, algorithms_of: AlgorithmsOf = md5_alone, spreadsheet: bool = False) -> list[User]:
    """The users of a file, in its order; its first line (but for comments of htdigest's, #) tells which kind it is.

    A line `user,password` is taken as it stands, commas and quotes in the password included. `spreadsheet`: a header is
    understood, and quotes around a field. StoreError names the file and the line, never the password.
    """
    lines = _lines(path)
    if _is_htdigest(next((line for _, line in lines if not line.lstrip().startswith("#")), "")):
        return _from_htdigest(path, lines, realm, algorithms_of)
    users: dict[str, User] = {}
    for number, name, password in _from_lines(path, lines, spreadsheet):
        try:
            user = make_user(name, realm, password, algorithms_of(name))
        except ValueError as error:
            raise StoreError(f"{path}:{number}: {error}") from None
        _add(users, user, path, number)
    return list(users.values())


def htdigest_text(users: Iterable[User]) -> str:
    """The users as an htdigest file; it has no place for those without an MD5 HA1."""
    file = _htdigest_reader()()
    for user in users:
        if MD5 in user.ha1s:
            file.set_hash(user.name, user.realm, user.ha1s[MD5])
    return str(file.to_string().decode("utf-8"))


def _htdigest_reader() -> Any:
    from passlib.apache import HtdigestFile  # Late: a tenth of a second that only this kind of file is worth.

    return HtdigestFile


# ---- the kinds of file


def _lines(path: Path) -> list[_Line]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StoreError(f"{path}: not UTF-8 text") from None
    numbered = enumerate((line.removesuffix("\r") for line in text.split("\n")), 1)
    return [(number, line) for number, line in numbered if line.strip()]


def _is_htdigest(line: str) -> bool:
    """A user name has neither comma nor colon, so whichever comes first tells; a broken htdigest line has no comma."""
    return bool(_HTDIGEST.fullmatch(line)) or (":" in line and "," not in line)


def _from_htdigest(path: Path, lines: Sequence[_Line], realm: str, algorithms_of: AlgorithmsOf) -> list[User]:
    reader = _htdigest_reader()
    users: dict[str, User] = {}
    for number, line in lines:
        if line.lstrip().startswith("#"):
            continue
        where = f"{path}:{number}"
        if line.count(":") != 2:  # The line is not shown: it may hold a password.
            raise StoreError(f"{where}: not a line user:realm:HA1")
        # One line at a time, as the file's own reader keeps no line numbers and passes over a user's second line.
        record = reader.from_string(line.strip())
        [its_realm] = record.realms()
        [name] = record.users(its_realm)
        secret = str(record.get_hash(name, its_realm)).lower()
        try:
            _check_name(name)
        except ValueError as error:
            raise StoreError(f"{where}: {error}") from None
        if its_realm != realm:
            raise StoreError(f"{where}: user {name} is of the realm {its_realm!r}; the domain is {realm!r}")
        if not _MD5_HEX.fullmatch(secret):
            raise StoreError(f"{where}: the HA1 of user {name} is not 32 hex digits")
        user = User(name, realm, {MD5: secret})
        if lacking := user.lacks(algorithms_of(name)):
            raise StoreError(f"{where}: user {name} needs an HA1 by {lacking[0]}; an htdigest file has MD5 only")
        _add(users, user, path, number)
    return list(users.values())


def _from_lines(path: Path, lines: Sequence[_Line], spreadsheet: bool) -> Iterator[tuple[int, str, str]]:
    """(line, name, password) of each line, split but not checked."""
    columns = _columns(path, lines[0]) if spreadsheet and lines else None
    for number, line in lines if columns is None else lines[1:]:
        name, comma, password = line.partition(",")
        if columns is None and not (spreadsheet and _quoted(line)):
            if not comma:  # The line is not shown: it may be a password.
                raise StoreError(f"{path}:{number}: not a line user,password")
            yield number, name.strip(), password
            continue
        fields = _fields(path, number, line)
        at_name, at_password, count = columns or (0, 1, 2)
        if len(fields) != count:
            raise StoreError(f"{path}:{number}: {len(fields)} fields, not {count}")
        yield number, fields[at_name].strip(), fields[at_password]


def _quoted(line: str) -> bool:
    return any(part.lstrip().startswith('"') for part in line.split(",", 1))


def _columns(path: Path, first: _Line) -> tuple[int, int, int] | None:
    """Where name and password stand in a file with this first line, and how many columns it has; None: no header."""
    names = [field.strip().lower() for field in _fields(path, *first)] if "," in first[1] else []
    name = next((names.index(one) for one in _NAME_COLUMNS if one in names), None)
    password = next((names.index(one) for one in _PASSWORD_COLUMNS if one in names), None)
    return None if name is None or password is None else (name, password, len(names))


def _fields(path: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise StoreError(f"{path}:{number}: {error}") from None


def _add(users: dict[str, User], user: User, path: Path, number: int) -> None:
    if user.name in users:
        raise StoreError(f"{path}:{number}: user {user.name} stands there twice")
    users[user.name] = user


def _check_name(name: str) -> None:
    if not _USER.fullmatch(name):
        raise ValueError(f"{name!r} is not a user name")
