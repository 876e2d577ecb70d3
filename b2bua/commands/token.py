"""The token that a command shows to a running server: of a file, which who owns the server's files finds beside its database."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

OWNER_TOKEN: Final = Path("var/b2bua.db.token")
"""Where a server with the usual store, started in this directory, puts it."""
VARIABLE: Final = "B2BUA_TOKEN_FILE"
WANTED: Final = "wants a token: --token-file FILE; `b2bua token add` makes one, a running server's own stands beside its database"
REFUSED: Final = "does not know this token: it is another server's, or was removed; `b2bua token add` makes one"
_KEY: Final = "b2bua.token_file"
_MOST: Final = 4096

_Command = TypeVar("_Command", bound=Callable[..., Any])


def token_option(command: _Command) -> _Command:
    """`--token-file`, kept where `token_for` finds it."""

    def kept(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        context.meta[_KEY] = value

    return click.option(
        "--token-file", metavar="FILE", expose_value=False, callback=kept,
        help=f"A token of the server, where it has a log-in (or {VARIABLE}). [{OWNER_TOKEN}, for a server on this machine]",
    )(command)  # fmt: skip


def token_for(url: str) -> str:
    """The token to show there, "" for none. ClickException when a file that was named cannot be read. The owner's token goes to
    this machine only: whoever hears elsewhere is not told it."""
    named = _named()
    if named:
        return _read(Path(named))
    return _owners(url)


def token_reader() -> Callable[[str], str]:
    """The same for whoever asks again after a restart, when the owner's token is another, and from another thread."""
    if named := _named():
        token = _read(Path(named))
        return lambda url: token
    return _owners


def _named() -> str:
    context = click.get_current_context(silent=True)
    return str((context.meta.get(_KEY) if context is not None else None) or os.environ.get(VARIABLE) or "")


def _owners(url: str) -> str:
    if not _is_here(url) or not OWNER_TOKEN.exists():
        return ""
    try:
        return _read(OWNER_TOKEN)
    except click.ClickException:  # another user's server: it says itself what it wants
        return ""


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")[:_MOST].strip()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise click.ClickException(f"{path}: there is no token in it")
    return text


def _is_here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
