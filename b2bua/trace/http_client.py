"""The one place where readers of the trace speak HTTP: an address with its token, a connection, a request, what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from b2bua.trace.names import CM, SM

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
"""Between two reads of an answer that has an end. A live view waits without limit."""
TIME_HEADER: Final = "X-B2bua-Time"
"""The server's clock when it began to answer, in Unix seconds."""

ROLE_HEADER: Final = "X-B2bua-Role"
"""What the server calls itself in its records, `SM` or `CM`."""


class TraceError(Exception):
    """The server cannot be reached or does not show its trace; the text is one line for the user."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text
        """The same in few words."""


TokenFor = Callable[[str], str]
"""URL → the token that is shown to a server there, "" for none."""


def no_token(_url: str) -> str:
    """Where nobody has to log in."""
    return ""


class Address(NamedTuple):
    """One server's HTTP port. Its token is sent as `Authorization: Bearer`, and looked for anew with each request."""

    url: str
    token_file: str = ""
    """A file whose first line is the token; "": there is none."""
    token_for: TokenFor = no_token
    """Gives the token where there is no file."""

    def __str__(self) -> str:
        return self.url


class Answer(NamedTuple):
    """An answer that has begun."""

    response: HTTPResponse
    ahead: float
    """Seconds that the server's clock is ahead of ours; 0 where that is no more than the journey, or is not told."""
    role: str
    """SM or CM."""


def connection_to(address: Address) -> HTTPConnection:
    """A connection that is still to be opened; TraceError when the URL is none."""
    try:
        parts = urlsplit(address.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TraceError(f"{address.url} is no http URL")
        # No proxy is asked: the trace is served on the loopback address.
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname, parts.port, timeout=CONNECT_SECONDS)
    except ValueError:
        raise TraceError(f"{address.url} is no http URL") from None


def get(connection: HTTPConnection, address: Address, path: str, query: dict[str, str]) -> Answer:
    """Ask for a page on an open connection; TraceError when it is refused."""
    token = _token(address.token_file) if address.token_file else address.token_for(address.url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    target = urlsplit(address.url).path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
    asked = time.time()
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise TraceError(_refusal(address.url, response, bool(token)))
    role = CM if response.getheader(ROLE_HEADER, SM) == CM else SM
    return Answer(response, _ahead(response.getheader(TIME_HEADER, ""), asked, time.time()), role)


def reason_of(error: Exception) -> str:
    """An OSError or HTTPException in few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, IncompleteRead):
        return "the connection broke off"
    return str(error) or type(error).__name__


def _token(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {getattr(error, 'strerror', None) or 'no text'}") from None
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise TraceError(f"{path}: its first line is no token")
    return token


def _ahead(theirs: str, asked: float, heard: float) -> float:
    try:
        difference = float(theirs) - (asked + heard) / 2
    except ValueError:
        return 0.0
    journey = (heard - asked) / 2 + 0.002
    return difference if journey < abs(difference) < 1e9 else 0.0


def _refusal(url: str, response: HTTPResponse, with_token: bool) -> str:
    if response.status == 401:
        reason = "does not know this token" if with_token else "wants a token"
        return f"{url} {reason}: `b2bua token add` makes one, for --token-file or `trace_servers`"
    text = response.read(500).decode("utf-8", "replace").strip().partition("\n")[0]
    if response.getheader("Content-Type", "").startswith("text/plain") and text:
        return text
    return f"{url} answers {response.status} {response.reason}; is it a b2bua?"
