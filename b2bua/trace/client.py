"""The command `b2bua trace`: records as NDJSON, a live ladder in plain text, or the ladder that fills the terminal."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from b2bua.trace.exports import EXPORTS
from b2bua.trace.feed import Background, Feed, Follower, News, read_record
from b2bua.trace.filters import BadFilter, Criteria, Held, parse_criteria, select, user_of
from b2bua.trace.http_client import Address, TokenFor, TraceError, no_token
from b2bua.trace.ladder import Ladder
from b2bua.trace.reader_left import when_reader_left
from b2bua.trace.rows import KEPT, Rows
from b2bua.trace.saved import SavedTrace
from b2bua.trace.servers import Server, Servers, kept, parse_servers
from b2bua.trace.since import time_of

DEFAULT_URL: Final = "http://127.0.0.1:8080"

EVERYTHING: Final = Criteria()
_LOOK: Final = 0.1
"""Seconds between two looks at what several servers have told."""


class Asked(NamedTuple):
    """What is asked of which servers."""

    servers: tuple[Server, ...]
    query: dict[str, str]
    """As `/api/trace` has it, beside user and Call-ID."""
    since: float
    """Unix seconds from which on is asked for what is on disk; 0: nothing."""

    @property
    def address(self) -> Address:
        """Of the one server, where there is one."""
        return self.servers[0].address

    @property
    def several(self) -> bool:
        return len(self.servers) > 1

    def source(self, after: float) -> Background | Servers:
        """For the ladder: what came after a time."""
        if self.several:
            return Servers(self.servers, self.query, after, self.since)
        return Background(Follower(self.address, self.query, after, self.since))

    def once(self, query: dict[str, str]) -> dict[str, str]:
        """The query for what is kept: in memory, or from `since` on on disk."""
        return query | ({"since": repr(self.since)} if self.since else {})


def main(
    url: str = DEFAULT_URL,
    as_json: bool = False,
    follow: bool = False,
    secrets: bool = False,
    filter_words: Sequence[str] = (),
    plain: bool = False,
    addresses: bool = False,
    file: str = "",
    export: tuple[str, str] | None = None,
    servers: Sequence[str] = (),
    token_files: Sequence[str] = (),
    since: str = "",
    token_for: TokenFor = no_token,
) -> int:
    """Show the trace; returns the exit status. The ladder follows until it is ended, JSON only when asked to.

    With a `file` its records are shown, and no server is asked. `addresses`: they stand in place of the names above a ladder.
    `export` names a form and the new file to write in it. Several `servers` are shown as one trace. `since`: what is kept on
    disk from then on, too. `token_for`: what a server is shown that no token file is named for.
    """
    try:
        criteria = parse_criteria(filter_words)
        followed = tuple(parse_servers(servers or (url,), token_files, token_for))
        asked = Asked(followed, {"secrets": "1"} if secrets else {}, _since(since))
        if export is not None:
            _export(*export, SavedTrace(Path(file)).records if file else _kept(asked), criteria)
        elif file:
            return _show_file(file, criteria, as_json, plain, addresses)
        elif as_json:
            _print_records(asked, criteria, follow)
        elif plain or not _is_terminal():
            _print_ladder(asked, criteria, addresses)
        else:
            from b2bua.trace import terminal  # Late: it needs the extra `terminal`.

            where = " ".join(server.address.url for server in asked.servers)
            return terminal.run(criteria, asked.source, where, addresses)
    except (TraceError, BadFilter) as error:
        print(f"b2bua trace: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader (`head`) has enough. What Python flushes at its end must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _since(text: str) -> float:
    if not text:
        return 0.0
    try:
        return max(time_of(text, time.time()), 1.0)
    except ValueError as error:
        raise TraceError(f"--since: {error}") from None


def _kept(asked: Asked) -> Iterable[dict[str, Any]]:
    if asked.several:
        return kept(asked.servers, asked.once(asked.query))
    return (read_record(line) for line in Feed(asked.address, asked.once(asked.query), follow=False).lines())


def _export(form: str, target: str, records: Iterable[Mapping[str, Any]], criteria: Criteria) -> None:
    """Write what is wanted to a new file, mode 0600, or to standard output for `-`."""
    write = EXPORTS[form][1]
    chosen = select(criteria, records)
    if target == "-":
        sys.stdout.buffer.writelines(write(chosen))
        sys.stdout.buffer.flush()
        return
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(write(chosen))
    except OSError as error:
        raise TraceError(f"{target}: {error.strerror}") from None


def _show_file(file: str, criteria: Criteria, as_json: bool, plain: bool, addresses: bool) -> int:
    saved = SavedTrace(Path(file))
    if not (as_json or plain) and _is_terminal():
        from b2bua.trace import terminal  # Late, as above.

        return terminal.run(criteria, lambda _after: saved, file, addresses)
    chosen = select(criteria, saved.records)
    if as_json:
        sys.stdout.writelines(f"{json.dumps(record)}\n" for record in chosen)
    else:
        _print_rows(chosen, addresses)
    sys.stdout.flush()
    return 0


def _print_rows(records: Iterable[Mapping[str, Any]], addresses: bool) -> None:
    """What has ended is folded as in the terminal: all copies of a message are there before its line is drawn."""
    rows, ladder = Rows(), Ladder(shutil.get_terminal_size((110, 24)).columns, addresses)
    for record in records:
        rows.take(record)
    for row in rows.all:
        sys.stdout.writelines(f"{line}\n" for line in ladder.feed_row(row))


def _is_terminal() -> bool:
    """Whether the ladder can have the whole terminal: there is one, it can move a cursor, and the extra is installed."""
    # The extra draws on standard error.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) or os.environ.get("TERM", "dumb") == "dumb":
        return False
    if importlib.util.find_spec("textual") is None:
        print("b2bua trace: plain text; pip install 'b2bua[terminal]' adds the ladder with keys", file=sys.stderr)
        return False
    return True


def _asked_of_server(criteria: Criteria) -> tuple[dict[str, str], Criteria]:
    """What the server itself picks out, and what is left for us. It knows one user and one Call-ID, both to be met."""
    query: dict[str, str] = {}
    if criteria.any_of or len({switch for switch, _ in criteria.wanted}) < len(criteria.wanted):
        return query, criteria
    for switch, value in criteria.wanted:
        if switch == "-u" and "@" not in value:
            query["user"] = user_of(value)
        elif switch == "-c":
            query["call-id"] = value
    return query, criteria.without("-c", *(["-u"] if "user" in query else []))


def _print_records(asked: Asked, criteria: Criteria, follow: bool) -> None:
    query, rest = ({}, criteria) if asked.several else _asked_of_server(criteria)
    for line in _chosen(_lines(asked, asked.query | query, follow), rest, follow):
        sys.stdout.write(line)
        if follow:
            sys.stdout.flush()
    sys.stdout.flush()


def _lines(asked: Asked, query: dict[str, str], follow: bool) -> Iterator[str]:
    """Records as lines: of one server as it sends them, where nothing is to be done to them."""
    if not follow and not asked.several:
        yield from Feed(asked.address, asked.once(query), False).lines()
    elif not follow:
        yield from (f"{json.dumps(record)}\n" for record in kept(asked.servers, asked.once(query)))
    elif not asked.several and not asked.since:
        feed = Feed(asked.address, query, True)
        when_reader_left(feed.close)
        yield from feed.lines()
    else:
        for news in _news(asked._replace(query=query)):
            if news.gap:
                print(f"b2bua trace: {news.gap}", file=sys.stderr)
            yield from (f"{json.dumps(record)}\n" for record in news.records)


def _news(asked: Asked) -> Iterator[News]:
    """What is followed, until nobody reads it any more; TraceError where there is nothing to follow."""
    if not asked.several:
        follower = Follower(asked.address, asked.query, 0.0, asked.since)
        when_reader_left(follower.stop)
        for news in follower.news():
            if news.failure:
                raise TraceError(news.failure)
            yield news
        return
    source, left = Servers(asked.servers, asked.query, 0.0, asked.since), list[bool]()
    when_reader_left(lambda: left.append(True))
    try:
        while not left:
            yield from source.take()
            time.sleep(_LOOK)
    finally:
        source.stop()


def _chosen(lines: Iterator[str], criteria: Criteria, follow: bool) -> Iterator[str]:
    """The lines whose records are wanted, each as it came."""
    if criteria == EVERYTHING:
        yield from lines
        return
    records = (read_record(line) | {"line": line} for line in lines)
    if not follow:
        yield from (record["line"] for record in select(criteria, records))
        return
    held = Held(criteria, KEPT)
    for record in records:
        yield from (shown["line"] for shown in held.feed(record))


def _print_ladder(asked: Asked, criteria: Criteria, addresses: bool) -> None:
    query, rest = ({}, criteria) if asked.several else _asked_of_server(criteria)
    ladder, held = Ladder(shutil.get_terminal_size((110, 24)).columns, addresses), Held(rest, KEPT)
    for news in _news(asked._replace(query=asked.query | query)):
        lines = [f"-- {news.gap} --"] if news.gap else []
        for record in news.records:
            lines += [text for shown in held.feed(record) for text in ladder.feed(shown)]
        sys.stdout.write("".join(f"{text}\n" for text in lines))
        sys.stdout.flush()
