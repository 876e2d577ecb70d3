"""`b2bua call …`: the calls of a running server or feature server on this machine, seen and steered from beside."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.parse import urlencode

import click

from b2bua.commands.control import URL, ask

_LOOK_SECONDS: Final = 0.2
_NO_WAIT = click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")


@click.group("call")
def call() -> None:
    """The calls of the feature server in a running process."""


@call.command("list")
@URL
def listed(url: str) -> int:
    """Print id, state, parties, seconds and who holds, a call a line."""
    for one in _asked(url, "GET", {})["calls"]:
        holding = f" held by {' and '.join(one['holding'])}" if one["holding"] else ""
        click.echo(f"{one['id']} {one['state']} {one['caller']} {one['callee']} {one['seconds']:.0f} s{holding}")
    return 0


@call.command("make")
@click.argument("first")
@click.argument("second")
@_NO_WAIT
@URL
def make(first: str, second: str, no_wait: bool, url: str) -> int:
    """Ring FIRST, then SECOND, and let them talk; prints the id of the call."""
    one = _asked(url, "POST", {"do": "make", "from": first, "to": second})
    click.echo(one["id"])
    return _done(url, one, no_wait)


@call.command("hold")
@click.argument("name", metavar="ID")
@click.argument("user")
@_NO_WAIT
@URL
def hold(name: str, user: str, no_wait: bool, url: str) -> int:
    """Hold the other party of call ID for USER."""
    return _done(url, _asked(url, "POST", {"do": "hold", "id": name, "user": user}), no_wait)


@call.command("resume")
@click.argument("name", metavar="ID")
@click.argument("user")
@_NO_WAIT
@URL
def resume(name: str, user: str, no_wait: bool, url: str) -> int:
    """Let USER talk to the other party of call ID again."""
    return _done(url, _asked(url, "POST", {"do": "resume", "id": name, "user": user}), no_wait)


@call.command("transfer")
@click.argument("name", metavar="ID")
@click.argument("user")
@click.argument("target")
@_NO_WAIT
@URL
def transfer(name: str, user: str, target: str, no_wait: bool, url: str) -> int:
    """Take USER out of call ID, and call TARGET for the other party."""
    return _done(url, _asked(url, "POST", {"do": "transfer", "id": name, "user": user, "to": target}), no_wait)


@call.command("end")
@click.argument("name", metavar="ID")
@URL
def end(name: str, url: str) -> int:
    """End call ID."""
    _asked(url, "DELETE", {"id": name})
    click.echo("ended")
    return 0


def _asked(url: str, method: str, words: dict[str, str]) -> dict[str, Any]:
    """The answer as a document; ClickException with what the server says against it."""
    status, text = ask(url, method, f"/api/calls?{urlencode(words)}" if words else "/api/calls")
    try:
        found = json.loads(text) if status in (200, 202) else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        line = text.partition("\n")[0]
        raise click.ClickException(line if status in (400, 404, 409) and line else f"{url} answers {status} {line}")
    return found


def _done(url: str, one: dict[str, Any], no_wait: bool) -> int:
    """Wait for what comes of it: exit status 1 where nothing did."""
    while not no_wait and one["last"]["status"] < 200 and one["state"] != "ended":
        time.sleep(_LOOK_SECONDS)
        one = _asked(url, "GET", {"id": one["id"]})
    last = one["last"]
    if no_wait:
        return 0
    click.echo(f"{last['asked']}: {last['status']} {last['reason']}".rstrip())
    return 0 if 200 <= last["status"] < 300 else 1
