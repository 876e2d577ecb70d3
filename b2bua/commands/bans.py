"""`b2bua ban list|remove`: who is banned by a running server on this machine, and the way out."""

from __future__ import annotations

import json
from urllib.parse import quote

import click

from b2bua.commands.control import URL, ask


@click.group("ban")
def ban() -> None:
    """The addresses that a running server does not hear, because their credentials kept being wrong."""


@ban.command("list")
@URL
def listed(url: str) -> int:
    """Print each with the seconds that are left, one a line."""
    status, text = ask(url, "GET", "/api/bans")
    try:
        bans = json.loads(text)["bans"] if status == 200 else None
        lines = None if bans is None else [f"{one['source']} {one['seconds_left']:.0f}" for one in bans]
    except (ValueError, TypeError, KeyError):
        lines = None
    if lines is None:
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    for line in lines:
        click.echo(line)
    return 0


@ban.command("remove")
@click.argument("address")
@URL
def remove(address: str, url: str) -> int:
    """Hear ADDRESS again."""
    status, text = ask(url, "DELETE", f"/api/bans?address={quote(address, safe='')}")
    if status == 404 and text == "this address is not banned":
        raise click.ClickException(f"{address} is not banned")
    if status != 200:
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    click.echo(f"{address} is heard again")
    return 0
