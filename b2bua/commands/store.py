"""The commands `b2bua backup`, `b2bua restore` and `b2bua doctor`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from b2bua.config.settings import ConfigError
from b2bua.config.sources import load_settings, survey
from b2bua.store.backup import back_up
from b2bua.store.backup import restore as put_back
from b2bua.store.opening import database_path

_CONFIG = click.option("--config", metavar="FILE.toml", help="Settings in TOML (or B2BUA_CONFIG).")
_STORE = click.option("--store", metavar="URL", help="sqlite:PATH. [sqlite:var/b2bua.db]")


def _path(config: str | None, store: str | None) -> Path:
    settings = load_settings(Path(config) if config else None, os.environ, {"store": store})
    if not settings.store.startswith("sqlite:"):
        raise ConfigError("store: memory: keeps nothing; name a sqlite:PATH")
    return database_path(settings.store)


@click.command("backup")
@click.argument("file")
@_STORE
@_CONFIG
def backup(file: str, config: str | None, store: str | None) -> int:
    """Copy users and bindings to FILE, which must not exist, while the server runs."""
    path = _path(config, store)
    back_up(path, Path(file))
    click.echo(f"{path} copied to {file}")
    return 0


@click.command("doctor")
@_STORE
@_CONFIG
def doctor(config: str | None, store: str | None) -> int:
    """Look at ports, addresses, clock, store and limits of this machine: what is wrong, and what to do. Exit status 1 when
    something keeps the server from working."""
    from b2bua.doctor import Verdict, examine  # Late: no other command looks at all this.

    found = survey(Path(config) if config else None, os.environ, {"store": store})
    for problem in found.problems:
        click.echo(f"fail  settings: {' '.join(problem.split())}")
    failed = bool(found.problems)
    for finding in examine(found.settings):
        click.echo(str(finding))
        failed = failed or finding.verdict is Verdict.FAIL
    return 1 if failed else 0


@click.command("restore")
@click.argument("file")
@_STORE
@_CONFIG
def restore(file: str, config: str | None, store: str | None) -> int:
    """Put the copy in FILE in the place of the database, while no server runs; the old one is kept beside it."""
    path = _path(config, store)
    kept = put_back(Path(file), path, time.strftime("%Y%m%d-%H%M%S"))
    click.echo(f"{path} restored from {file}" + (f"; the old one is {kept}" if kept is not None else ""))
    return 0
