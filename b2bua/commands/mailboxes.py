"""`b2bua mwi list|set|clear`: how many voice messages a running server on this machine tells phones of."""

from __future__ import annotations

import json
from urllib.parse import quote

import click

from b2bua.commands.control import URL, ask

_COUNT = click.IntRange(0, 4_294_967_295)


@click.group("mwi")
def mwi() -> None:
    """The voice messages that wait for users, and the lamps that tell of them (message waiting indication)."""


@mwi.command("list")
@URL
def listed(url: str) -> int:
    """Print user, new and old messages of each mailbox that is set, one a line."""
    for line in _lines(url, *ask(url, "GET", "/api/mailboxes")):
        click.echo(line)
    return 0


@mwi.command("set")
@click.argument("user")
@click.argument("new", type=_COUNT)
@click.argument("old", type=_COUNT, default=0)
@URL
def set_(user: str, new: int, old: int, url: str) -> int:
    """Let USER have NEW voice messages not heard yet, and OLD ones."""
    status, text = ask(url, "POST", f"/api/mailboxes?user={quote(user, safe='')}&new={new}&old={old}")
    if status == 404 and text == "there is no such user":
        raise click.ClickException(f"there is no user {user}")
    _lines(url, status, text)
    click.echo(f"{user} has {new} new and {old} old messages")
    return 0


@mwi.command("clear")
@click.argument("user")
@URL
def clear(user: str, url: str) -> int:
    """Forget what was set for USER."""
    status, text = ask(url, "DELETE", f"/api/mailboxes?user={quote(user, safe='')}")
    if status == 404 and text == "nothing is set for this user":
        raise click.ClickException(f"nothing is set for {user}")
    _lines(url, status, text)
    click.echo(f"{user} has no messages set")
    return 0


def _lines(url: str, status: int, text: str) -> list[str]:
    try:
        found = json.loads(text)["mailboxes"] if status == 200 else None
        lines = None if found is None else [f"{one['user']} {one['new']} {one['old']}" for one in found]
    except (ValueError, TypeError, KeyError):
        lines = None
    if lines is None:
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    return lines
