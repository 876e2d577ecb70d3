"""The command `b2bua trace`: records as NDJSON, or a live ladder, read from a running server over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlencode, urlsplit

from b2bua.trace.ladder import Ladder

DEFAULT_URL: Final = "http://127.0.0.1:8080"

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
"""Between two reads of an answer that has an end. A live view waits without limit."""


class TraceError(Exception):
    """The server cannot be reached or does not show its trace; the text is one line for the user."""


def main(
    url: str = DEFAULT_URL,
    as_json: bool = False,
    call_id: str = "",
    user: str = "",
    follow: bool = False,
    secrets: bool = False,
) -> int:
    """Print the trace; returns the exit status. The ladder follows until Ctrl-C, JSON only when asked to."""
    follow = follow or not as_json
    ladder = None if as_json else Ladder(shutil.get_terminal_size((110, 24)).columns)
    query = {"call-id": call_id, "user": user, "follow": "1" if follow else "", "secrets": "1" if secrets else ""}
    try:
        for line in _lines(url, {name: value for name, value in query.items() if value}, follow):
            sys.stdout.write(line if ladder is None else "".join(f"{text}\n" for text in ladder.feed(json.loads(line))))
            if follow:
                sys.stdout.flush()
        sys.stdout.flush()
    except TraceError as error:
        print(f"b2bua trace: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader (`head`) has enough. What Python flushes at its end must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _lines(url: str, query: dict[str, str], follow: bool) -> Iterator[str]:
    """The lines of the answer as they come; TraceError for whatever goes wrong on the way."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TraceError(f"{url} is no http URL")
        # No proxy is asked: the trace is served on the loopback address.
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=_CONNECT_SECONDS)
    except ValueError:
        raise TraceError(f"{url} is no http URL") from None
    try:
        connection.connect()
        stream = connection.sock
        stream.settimeout(_ANSWER_SECONDS)
        connection.request("GET", f"{parts.path.rstrip('/')}/api/trace?{urlencode(query)}")
        response = connection.getresponse()
        if response.status != 200:
            raise TraceError(_refusal(url, response))
        stream.settimeout(None if follow else _ANSWER_SECONDS)
        for line in response:
            yield line.decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise TraceError(f"cannot read the trace of {url}: {_reason(error)}") from None
    finally:
        connection.close()


def _refusal(url: str, response: HTTPResponse) -> str:
    text = response.read(500).decode("utf-8", "replace").strip().partition("\n")[0]
    if response.getheader("Content-Type", "").startswith("text/plain") and text:
        return text
    return f"{url} answers {response.status} {response.reason}; is it a b2bua?"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
