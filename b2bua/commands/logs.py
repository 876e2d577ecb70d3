"""`b2bua logs`: what a running server on this machine has logged, searched, and what it logs from now on."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.parse import urlencode

import click

from b2bua.commands.control import URL, ask
from b2bua.log.events import AREAS, LEVELS
from b2bua.log.line import json_line, text_line

_LOOK_SECONDS: Final = 0.5


@click.command("logs")
@URL
@click.option("--area", type=click.Choice(tuple(AREAS)), help="Of this area only.")
@click.option("--level", type=click.Choice(LEVELS), help="Of this level and above.")
@click.option("--call", metavar="ID", help="Of this call.")
@click.option("--user", metavar="USER", help="Of this user.")
@click.option("--peer", metavar="ADDRESS", help="Of a peer whose address begins so.")
@click.option("--event", metavar="EVENT", help="Of this kind.")
@click.option("--text", metavar="TEXT", help="With this in any field, capitals or not.")
@click.option("--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def logs(url: str, follow: bool, as_json: bool, **wanted: str | None) -> int:
    """Print what the server has kept of its log, the oldest first."""
    shown, after = json_line if as_json else text_line, 0
    given = {name: value for name, value in wanted.items() if value}
    while True:
        found = _found(url, {**given, "after": str(after)})
        if found["number"] < after:  # another process is there since
            after = 0
            continue
        after = found["number"]
        for entry in found["logs"]:
            del entry["number"]
            click.echo(shown(entry))
        if not follow:
            return 0
        time.sleep(_LOOK_SECONDS)


def _found(url: str, wanted: dict[str, str]) -> dict[str, Any]:
    status, text = ask(url, "GET", f"/api/logs?{urlencode(wanted)}")
    try:
        found = json.loads(text) if status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or "number" not in found:
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    return found
