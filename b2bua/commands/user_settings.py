"""`b2bua user set|unset|show`: what a user has switched on and chosen, as feature codes do it from a phone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, TypeVar

import click

from b2bua.commands.opened import settings_of, store_options
from b2bua.config.settings import ConfigError, Settings
from b2bua.log.log import to_stderr
from b2bua.store.interface import Store, StoreError
from b2bua.store.opening import database_path, open_store
from b2bua.store.records import BadRecord
from b2bua.store.setting_record import SETTING, SettingRecord, decode_setting, encode_setting, setting_key

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.command("set")
@click.argument("name")
@click.argument("key")
@click.argument("value")
@store_options
def set_setting(name: str, key: str, value: str, **options: str | None) -> int:
    """Set the setting KEY of the user NAME to VALUE."""
    settings = settings_of(**options)
    _check(settings, key, value)
    if not value:
        raise ConfigError(f"setting {key}: an empty value; `b2bua user unset {name} {key}` takes it back")
    with _opened(settings, name) as (store, failures):
        record = SettingRecord(name, key, value)
        store.keep(SETTING, record.key, encode_setting(record), inf, failures.append)
    click.echo(f"user {name}: {key} = {value}")
    return 0


@click.command("unset")
@click.argument("name")
@click.argument("key")
@store_options
def unset_setting(name: str, key: str, **options: str | None) -> int:
    """Take the setting KEY of the user NAME back: the default counts again."""
    settings = settings_of(**options)
    with _opened(settings, name) as (store, failures):
        if key not in _of(store, name):
            _check(settings, key, "")
            raise ConfigError(f"user {name}: {key} is not set")
        store.drop(SETTING, setting_key(name, key), failures.append)
    click.echo(f"user {name}: {key} is not set any more")
    return 0


@click.command("show")
@click.argument("name")
@store_options
def show_settings(name: str, **options: str | None) -> int:
    """Print what the user NAME has set, a setting a line."""
    with _opened(settings_of(**options), name) as (store, _failures):
        found = _of(store, name)
    for key, value in sorted(found.items()):
        click.echo(f"{key} = {value}")
    return 0


def forget_settings(store: Store, name: str) -> None:
    """Of a user that is removed: who gets the name next begins anew."""
    for key in _of(store, name):
        store.drop(SETTING, setting_key(name, key))


def _of(store: Store, name: str) -> dict[str, str]:
    found = {}
    for key, text in store.records(SETTING):
        try:
            record = decode_setting(text)
        except BadRecord:
            continue  # the server sets it aside at its next start, with a line in its log
        if record.user == name and record.key == key:
            found[record.name] = record.value
    return found


def _check(settings: Settings, key: str, value: str) -> None:
    """Of the features of the configuration and the built-in ones: what is not in use today may be tomorrow."""
    from b2bua.feature_server.loader import LoadError, built_in_features, find_features  # Late: no other command needs them.
    from b2bua.feature_server.setting_checks import check_setting

    names = [*settings.features, *(name for name in built_in_features() if name not in settings.features)]
    try:
        check_setting(find_features(names, settings.feature_directory), key, value)
    except LoadError as error:
        raise ConfigError(f"{error.key}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"setting {key}: {error}") from None


@contextmanager
def _opened(settings: Settings, name: str) -> Iterator[tuple[Store, list[StoreError | None]]]:
    """The store, in which there has to be such a user; with what became of each write, looked at when all is written."""
    if settings.store == "memory:":
        raise ConfigError("store: memory: keeps no settings; name a sqlite:PATH")
    if settings.store.startswith("sqlite:") and not (path := database_path(settings.store)).exists():
        raise ConfigError(f"store: {path}: there is no such file; a server's first start makes it, or `b2bua user add`")
    here = lambda function, *arguments: function(*arguments)  # noqa: E731  # there is no other thread to go to
    store = open_store(settings.store, settings.domain, here, durability=settings.durability, log=to_stderr(sys.stderr))
    failures: list[StoreError | None] = []
    try:
        if store.user(name) is None:
            raise ConfigError(f"user {name}: there is no such user")
        yield store, failures
    finally:
        store.close()
    for failure in failures:
        if failure is not None:
            raise failure
