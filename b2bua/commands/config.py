"""`b2bua config check` and `b2bua config show`: whether the settings are good, and where each comes from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from b2bua.config.settings import FIELDS, ConfigError
from b2bua.config.sources import CONFIG_VARIABLE, placed, survey
from b2bua.log.events import table as event_table
from b2bua.reference import table, written

_CONFIG = click.option("--config", metavar="FILE.toml", help="Settings in TOML (or B2BUA_CONFIG).")


@click.group("config")
def config_commands() -> None:
    """The settings: whether they are good, and which are in effect."""


@config_commands.command()
@_CONFIG
def check(config: str | None) -> int:
    """Print ok, or all that would keep the server from starting, one a line, and exit with 2. Changes nothing."""
    from b2bua import preflight  # Late: no other command looks at features and store this way.

    found = survey(Path(config) if config else None, os.environ, {})
    further = (placed(problem, found.given) for problem in preflight.problems(found.settings, found.wrong))
    problems = dict.fromkeys((*found.problems, *further))
    for problem in problems:
        click.echo("b2bua: " + " ".join(problem.split()), err=True)
    if problems:
        return 2
    named = config or os.environ.get(CONFIG_VARIABLE)
    click.echo(f"{named}: ok" if named else "ok")
    return 0


@config_commands.command()
@_CONFIG
def show(config: str | None) -> int:
    """Print the settings in effect, in TOML, each with where it comes from. There are no secrets in them."""
    found = survey(Path(config) if config else None, os.environ, {})
    if found.problems:
        raise ConfigError(*found.problems)
    for key in FIELDS:
        source = found.given[key].source if key in found.given else "default"
        value = getattr(found.settings, key)
        text = f"# {key} = (not set)" if value is None else f"{key} = {written(key, value)}"
        click.echo(f"{text}  # {source}")
    return 0


@config_commands.command()
@click.pass_context
def reference(context: click.Context) -> int:
    """Print the table of all settings in Markdown, as it stands in b2bua/config/README.md."""
    root = context.find_root().command
    assert isinstance(root, click.Group)
    click.echo(table(options_of(root.commands["run"])), nl=False)
    return 0


@config_commands.command()
def events() -> int:
    """Print the table of all that the log can say in Markdown, as it stands in b2bua/log/README.md."""
    click.echo(event_table(), nl=False)
    return 0


def options_of(command: click.Command) -> set[str]:
    """`--config`, `--domain`, … of a command."""
    return {one for parameter in command.params if isinstance(parameter, click.Option) for one in parameter.opts}
