"""`b2bua cdr`: the calls that have ended, as a running server on this machine has them in its call detail records."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import click

from b2bua.commands.control import URL, ask
from b2bua.log.line import pairs
from b2bua.trace.since import time_of

_LOOK_SECONDS: Final = 1.0
_MOST: Final = 1000
_OVERLAP: Final = 60.0
"""Seconds by which a record may be written later than others of calls that ended after it."""
_SHOWN: Final = ("status", "talk_seconds", "holds", "hold_seconds", "ended_by", "q850", "continued_in")


@click.command("cdr")
@URL
@click.option("--since", metavar="WHEN", default="", help="Ended since then: 24h (ago), 16:20, '2026-01-31 16:20'.")
@click.option("--user", metavar="USER", default="", help="With this user among those who were in it or called.")
@click.option("--call", metavar="ID", default="", help="Of this call: its id, or the Call-ID of a leg.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=100, show_default=True, help="The newest so many.")
@click.option("--follow", is_flag=True, help="Go on with what ends from now on.")
@click.option("--json", "as_json", is_flag=True, help="The record as it stands in the file, a line each.")
def cdr(url: str, since: str, user: str, call: str, limit: int, follow: bool, as_json: bool) -> int:
    """Print the calls that have ended, the oldest first."""
    try:
        begin = time_of(since, time.time()) if since else 0.0
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    words = {name: value for name, value in (("user", user), ("call", call)) if value}
    shown: set[str] = set()
    while True:
        found = _found(url, {**words, "since": f"{begin:.3f}", "limit": str(_MOST if follow else limit)})
        for record in found[-limit:]:
            if record["id"] not in shown:
                click.echo(json.dumps(record, separators=(",", ":")) if as_json else _text(record))
        if not follow:
            return 0
        shown, limit = {record["id"] for record in found}, _MOST
        begin = max([begin, *(_ended(record) - _OVERLAP for record in found)])
        time.sleep(_LOOK_SECONDS)


def _found(url: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
    status, text = ask(url, "GET", f"/api/cdr?{urlencode(wanted)}")
    if status == 404:
        raise click.ClickException(f"{url}: {text.partition(chr(10))[0]}")
    try:
        found = json.loads(text)["cdr"] if status == 200 else None
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, list):
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    return found


def _ended(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["end"]).timestamp()


def _text(record: dict[str, Any]) -> str:
    """When it ended and how, then `field=value` as `b2bua logs` has it; what is null is left out."""
    fields = {"call": record["id"], "caller": record["caller"]["party"], "asked": record["asked"], "reached": record["reached"]}
    fields |= {name: record[name] for name in _SHOWN}
    return f"{record['end']} {record['result']}{pairs({name: value for name, value in fields.items() if value is not None})}"
