"""The commands that ask a running server on this machine for something: `b2bua drain`, `b2bua reload`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from b2bua.commands.token import REFUSED, WANTED, token_for, token_option

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_SECONDS: Final = 10.0
_LONGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer."""
_LOOK_SECONDS: Final = 0.5
_Command = TypeVar("_Command", bound=Callable[..., Any])


def URL(command: _Command) -> _Command:  # noqa: N802  # stands where click's options stand
    """`--url` and `--token-file`: which server is asked, and by whom."""
    return token_option(click.option("--url", default=DEFAULT_URL, show_default=True, help="The server's HTTP address.")(command))


class _Unreachable(click.ClickException):
    """The server does not answer."""


def ask(url: str, method: str, path: str) -> tuple[int, str]:
    """Status and text of the answer; ClickException in one line when there is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise click.ClickException(f"{url} is no http URL")
        connection = HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
    except ValueError:
        raise click.ClickException(f"{url} is no http URL") from None
    headers = {"X-B2bua": "1", "Content-Length": "0"}
    if token := token_for(url):
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, f"{parts.path.rstrip('/')}{path}", headers=headers)
        response = connection.getresponse()
        status, text = response.status, response.read(_LONGEST).decode("utf-8", "replace").strip()
        if status == 401:
            raise click.ClickException(f"{url} {REFUSED if token else WANTED}")
        return status, text
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _Unreachable(f"cannot reach the server at {url}: {reason}") from None
    finally:
        connection.close()


def _state(url: str, method: str) -> dict[str, Any]:
    status, text = ask(url, method, "/api/drain")
    try:
        state = json.loads(text) if status == 200 else None
    except ValueError:
        state = None
    if not isinstance(state, dict) or "calls" not in state:
        raise click.ClickException(f"{url} answers {status} {text.partition(chr(10))[0]}")
    return state


@click.command("drain")
@URL
@click.option("--undo", is_flag=True, help="Take calls again.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the server has stopped.")
def drain(url: str, undo: bool, no_wait: bool) -> int:
    """Take no new calls, wait until none stands, then stop the server."""
    if undo:
        _state(url, "DELETE")
        click.echo("calls are taken again")
        return 0
    state = _state(url, "POST")
    told = None
    while not no_wait:
        if state["calls"] != told:
            told = state["calls"]
            click.echo(f"draining: {told} call{'' if told == 1 else 's'} left")
        time.sleep(_LOOK_SECONDS)
        try:
            state = _state(url, "GET")
        except _Unreachable:
            click.echo("the server has stopped")
            return 0
        if not state["draining"]:
            raise click.ClickException("somebody took it back: the server takes calls again")
    return 0


@click.command("reload")
@URL
def reload(url: str) -> int:
    """Read settings, users and features again, as SIGHUP does, and tell what came of it."""
    status, text = ask(url, "POST", "/api/reload")
    if status != 200:
        raise click.ClickException(text.partition("\n")[0] if status == 409 else f"{url} answers {status} {text}")
    click.echo(text)
    return 0
