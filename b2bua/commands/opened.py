"""What the commands share that work on the store: its options, the store for the length of a `with`, a password that is typed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import load_settings
from b2bua.log.log import to_stderr
from b2bua.store.interface import Store
from b2bua.store.opening import database_path, open_store

_Command = TypeVar("_Command", bound=Callable[..., Any])

CONFIG = click.option("--config", metavar="FILE.toml", help="Settings in TOML (or B2BUA_CONFIG).")
DOMAIN = click.option("--domain", metavar="NAME", help="The SIP domain, also the realm. [lab.internal]")
STORE = click.option("--store", metavar="URL", help="memory: or sqlite:PATH. [sqlite:var/b2bua.db]")


def store_options(command: _Command) -> _Command:
    """`--domain`, `--store` and `--config`: they must name the same as the server's."""
    for option in (DOMAIN, STORE, CONFIG):
        command = option(command)
    return command


def settings_of(config: str | None, **options: object) -> Settings:
    """The settings by those options; ConfigError."""
    return load_settings(Path(config) if config else None, os.environ, options)


class Opened:
    """The store for the length of a `with`; for a command there is one thread only, so posting is calling."""

    def __init__(self, settings: Settings, existing: bool = False, of: str = "") -> None:
        """`existing`: for a command that has nothing to put in, so that a mistyped path makes no new store. `of`: the name of
        a feature server in a process of its own, whose part of the store is opened."""
        if settings.store == "memory:":
            raise ConfigError("store: memory: keeps no users; name a sqlite:PATH")
        if existing and settings.store.startswith("sqlite:") and not (path := database_path(settings.store)).exists():
            raise ConfigError(f"store: {path}: there is no such file; a server's first start makes it, or `b2bua user add`")
        here = lambda function, *arguments: function(*arguments)  # noqa: E731  # there is no other thread to go to
        realm = f"{settings.domain} {of}" if of else settings.domain
        self._store = open_store(settings.store, realm, here, durability=settings.durability, log=to_stderr(sys.stderr))

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_reason: object) -> None:
        self._store.close()


def typed_password() -> str:
    """Never an argument: those are seen by every user of the machine."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
