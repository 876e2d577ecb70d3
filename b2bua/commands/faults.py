"""`b2bua fault add|list|remove`: faults on purpose in a running server on this machine."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import click

from b2bua.commands.control import URL, ask
from b2bua.faults.fault import parse_fault


@click.group("fault")
def fault() -> None:
    """Messages lost, late, doubled, changed or answered in another's place, in a running server."""


@fault.command("add")
@click.argument("words", nargs=-1, required=True, metavar="ACTION [KEY=VALUE]...")
@URL
def add(words: tuple[str, ...], url: str) -> int:
    """Set one: drop, delay, duplicate, answer, challenge, tag, pad or a feature's, and for which messages."""
    try:
        text = str(parse_fault(" ".join(words), None))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    status, answer = ask(url, "POST", f"/api/faults?fault={quote(text, safe='')}")
    if status == 400:
        raise click.ClickException(answer)
    click.echo(_line(_faults(url, status, answer)[-1]))
    return 0


@fault.command("list")
@URL
def listed(url: str) -> int:
    """Print each with its number, the messages that it was for and those that it acted on, one a line."""
    for one in _faults(url, *ask(url, "GET", "/api/faults")):
        click.echo(_line(one))
    return 0


@fault.command("remove")
@click.argument("number")
@URL
def remove(number: str, url: str) -> int:
    """Take NUMBER away, or all."""
    status, answer = ask(url, "DELETE", f"/api/faults?number={quote(number, safe='')}")
    if status == 404 and answer == "there is no such fault":
        raise click.ClickException(f"there is no fault {number}")
    _faults(url, status, answer)
    click.echo("no fault is left" if number == "all" else f"fault {number} is gone")
    return 0


def _faults(url: str, status: int, text: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(text)["faults"] if status == 200 else []
        _ = [_line(one) for one in found]
    except (ValueError, TypeError, KeyError):
        status = 0
    if status != 200:
        raise click.ClickException(f"{url} answers {text.partition(chr(10))[0]}")
    return found


def _line(one: dict[str, Any]) -> str:
    spent = ", spent" if one["spent"] else ""
    return f"{one['number']} {one['fault']} (for {one['matched']}, acted on {one['acted']}{spent})"
