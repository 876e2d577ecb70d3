"""`b2bua console-user …` and `b2bua token …`: who may see and steer a server over HTTP. A running server follows in a second."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from math import inf
from typing import Any, Final, Literal, TypeVar, cast

import click

from b2bua.commands.opened import Opened, settings_of, store_options, typed_password
from b2bua.config.settings import ConfigError
from b2bua.http.routes import ROLES
from b2bua.store.console_user_record import CONSOLE_USER, CONSOLE_USER_VERSION, ConsoleUserRecord
from b2bua.store.interface import Store, StoreError
from b2bua.store.record_text import decode_record, encode_record
from b2bua.store.records import BadRecord
from b2bua.store.token_record import TOKEN, TOKEN_VERSION, TokenRecord, token_hash

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Record = ConsoleUserRecord | TokenRecord
_Role = Literal["read-only", "operator"]

_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_ROLE = click.option("--role", type=click.Choice(ROLES), default=ROLES[0], show_default=True, help="What it may do.")
_KINDS: Final[dict[str, tuple[type[_Record], int]]] = {
    CONSOLE_USER: (ConsoleUserRecord, CONSOLE_USER_VERSION), TOKEN: (TokenRecord, TOKEN_VERSION),
}  # fmt: skip


def _options(command: _Command) -> _Command:
    of = click.option("--feature-server", "of", default="", metavar="NAME", help="Of `b2bua feature-server` with this --name.")
    return store_options(of(command))


@click.group("console-user")
def console_user() -> None:
    """Who may log in at the web console. With the first one, or the first token, nobody gets in without."""


@console_user.command("add")
@click.argument("name")
@_ROLE
@_options
def add_console_user(name: str, role: str, of: str, **options: str | None) -> int:
    """Add a user of the console, or change password and role: the password from a prompt, or the first line of standard input."""
    from b2bua.http.passwords import hashed  # Late: no other command needs it.

    settings = settings_of(**options)
    _check_name(name)
    try:
        record = ConsoleUserRecord(name, cast(_Role, role), hashed(typed_password()))
    except ValueError as error:
        raise ConfigError(f"console user {name}: {error}") from None
    with Opened(settings, of=of) as store:
        known = _keep(store, CONSOLE_USER, record)
    click.echo(f"console user {name} {'changed' if known else 'added'}: {role}")
    return 0


@console_user.command("list")
@_options
def list_console_users(of: str, **options: str | None) -> int:
    """Print name and role of each, one a line."""
    return _list(CONSOLE_USER, of, **options)


@console_user.command("remove")
@click.argument("name")
@_options
def remove_console_user(name: str, of: str, **options: str | None) -> int:
    """Remove a user of the console; what is logged in by it ends."""
    return _remove(CONSOLE_USER, name, of, **options)


@click.group("token")
def token() -> None:
    """What a program shows to the API in place of a log-in: `Authorization: Bearer TOKEN`."""


@token.command("add")
@click.argument("name")
@_ROLE
@_options
def add_token(name: str, role: str, of: str, **options: str | None) -> int:
    """Make a token and print it: the only time that it is seen. One of that name before is worth nothing any more."""
    settings = settings_of(**options)
    _check_name(name)
    made = secrets.token_urlsafe(32)
    with Opened(settings, of=of) as store:
        _keep(store, TOKEN, TokenRecord(name, cast(_Role, role), token_hash(made)))
    click.echo(made)
    return 0


@token.command("list")
@_options
def list_tokens(of: str, **options: str | None) -> int:
    """Print name and role of each, one a line."""
    return _list(TOKEN, of, **options)


@token.command("remove")
@click.argument("name")
@_options
def remove_token(name: str, of: str, **options: str | None) -> int:
    """Remove a token; what it is reading ends."""
    return _remove(TOKEN, name, of, **options)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name: letters, digits, and . _ @ -, 64 at most")


def _keep(store: Store, kind: str, record: _Record) -> bool:
    """Whether there was one of that name. StoreError when it cannot be written."""
    known = record.name in dict(store.records(kind))
    failures: list[StoreError | None] = []
    store.keep(kind, record.name, encode_record(record), inf, failures.append)
    _raise(store, failures)
    return known


def _list(kind: str, of: str, **options: str | None) -> int:
    with Opened(settings_of(**options), existing=True, of=of) as store:
        rows = sorted(store.records(kind))
    for name, text in rows:
        try:
            click.echo(f"{name} {decode_record(text, *_KINDS[kind]).role}")
        except BadRecord as error:
            click.echo(f"{name} cannot be read: {error}")
    return 0


def _remove(kind: str, name: str, of: str, **options: str | None) -> int:
    with Opened(settings_of(**options), existing=True, of=of) as store:
        if name not in dict(store.records(kind)):
            raise ConfigError(f"{kind} {name}: there is none")
        failures: list[StoreError | None] = []
        store.drop(kind, name, failures.append)
        _raise(store, failures)
    click.echo(f"{kind} {name} removed")
    return 0


def _raise(store: Store, failures: list[StoreError | None]) -> None:
    store.close()  # all is written then
    for failure in failures:
        if failure is not None:
            raise failure
