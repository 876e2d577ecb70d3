"""The command `b2bua trace`: records as NDJSON, a live ladder in plain text, or the ladder that fills the terminal."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from b2bua.trace.exports import EXPORTS
from b2bua.trace.feed import Background, Feed, Follower, TraceError, read_record
from b2bua.trace.filters import BadFilter, Criteria, Held, parse_criteria, select, user_of
from b2bua.trace.ladder import Ladder
from b2bua.trace.reader_left import when_reader_left
from b2bua.trace.rows import KEPT
from b2bua.trace.saved import SavedTrace

DEFAULT_URL: Final = "http://127.0.0.1:8080"

EVERYTHING: Final = Criteria()


def main(
    url: str = DEFAULT_URL,
    as_json: bool = False,
    follow: bool = False,
    secrets: bool = False,
    filter_words: Sequence[str] = (),
    plain: bool = False,
    file: str = "",
    export: tuple[str, str] | None = None,
) -> int:
    """Show the trace; returns the exit status. The ladder follows until it is ended, JSON only when asked to.

    With a `file` its records are shown, and no server is asked. `export` names a form and the new file to write in it.
    """
    whole = {"secrets": "1"} if secrets else {}
    try:
        criteria = parse_criteria(filter_words)
        if export is not None:
            _export(*export, SavedTrace(Path(file)).records if file else _kept(url, whole), criteria)
        elif file:
            return _show_file(file, criteria, as_json, plain)
        elif as_json:
            _print_records(url, whole, criteria, follow)
        elif plain or not _is_terminal():
            _print_ladder(url, whole, criteria)
        else:
            from b2bua.trace import terminal  # Late: it needs the extra `terminal`.

            return terminal.run(criteria, lambda after: Background(Follower(url, whole, after)), url)
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


def _kept(url: str, whole: dict[str, str]) -> Iterator[dict[str, Any]]:
    return (read_record(line) for line in Feed(url, whole, follow=False).lines())


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


def _show_file(file: str, criteria: Criteria, as_json: bool, plain: bool) -> int:
    saved = SavedTrace(Path(file))
    if not (as_json or plain) and _is_terminal():
        from b2bua.trace import terminal  # Late, as above.

        return terminal.run(criteria, lambda _after: saved, file)
    ladder = Ladder(shutil.get_terminal_size((110, 24)).columns)
    for record in select(criteria, saved.records):
        sys.stdout.write("".join(f"{line}\n" for line in ([json.dumps(record)] if as_json else ladder.feed(record))))
    sys.stdout.flush()
    return 0


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


def _print_records(url: str, whole: dict[str, str], criteria: Criteria, follow: bool) -> None:
    query, rest = _asked_of_server(criteria)
    feed = Feed(url, query | whole, follow)
    if follow:
        when_reader_left(feed.close)
    for line in _chosen(feed.lines(), rest, follow):
        sys.stdout.write(line)
        if follow:
            sys.stdout.flush()
    sys.stdout.flush()


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


def _print_ladder(url: str, whole: dict[str, str], criteria: Criteria) -> None:
    query, rest = _asked_of_server(criteria)
    ladder, held = Ladder(shutil.get_terminal_size((110, 24)).columns), Held(rest, KEPT)
    follower = Follower(url, query | whole)
    when_reader_left(follower.stop)
    for news in follower.news():
        if news.failure:
            raise TraceError(news.failure)
        lines = [f"-- {news.gap} --"] if news.gap else []
        for record in news.records:
            lines += [text for shown in held.feed(record) for text in ladder.feed(shown)]
        sys.stdout.write("".join(f"{text}\n" for text in lines))
        sys.stdout.flush()
