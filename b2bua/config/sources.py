"""Where the settings come from: command line > environment `B2BUA_…` > TOML file > default.

Whatever is wrong becomes a line that the user sees: which file and line (or which variable or option), what is wrong, and
for an unknown key the nearest known one. A `ConfigError` has all of them. Relative paths count from the working directory,
wherever they were written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec

from b2bua.config.readers import READERS, TABLES
from b2bua.config.settings import FIELDS, ConfigError, Settings
from b2bua.config.tables import nearest, read_pair

ENVIRONMENT_PREFIX: Final = "B2BUA_"
CONFIG_VARIABLE: Final = "B2BUA_CONFIG"
_ORCHESTRATION = re.compile(r"B2BUA_(SERVICE_|PORT$|PORT_|COMPILE$|TOKEN_FILE$)")
"""What Kubernetes and container links set for a service called b2bua (B2BUA_PORT, B2BUA_SERVICE_HOST): not ours. Nor is
B2BUA_COMPILE, which the installation reads (setup.py), or B2BUA_TOKEN_FILE, which commands read that ask a running server."""
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY_LINE = re.compile(rf"\s*({_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*=")
_TABLE_LINE = re.compile(rf"\s*\[\[?\s*({_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*\]")


class Given(NamedTuple):
    """A value as it was given, and where."""

    source: str
    """`lab.toml:3`, `B2BUA_TRACE`, `--trace`."""
    value: object
    textual: bool
    """From the command line or environment: numbers, flags and lists are still text."""


class Survey(NamedTuple):
    """All that the sources say, right and wrong."""

    settings: Settings
    """Of what is right; the rest is at its default."""
    given: dict[str, Given]
    """Key → where it was given."""
    problems: tuple[str, ...]
    """What is wrong, a line each."""
    wrong: frozenset[str]
    """Keys whose value is wrong; all of them when the file cannot be read."""


def load_settings(
    config: Path | None, environment: Mapping[str, str], options: Mapping[str, object], **defaults: Any
) -> Settings:
    """The settings of all sources together. `options`: key → text or texts; None or an empty tuple = not given.
    `defaults` are values that a command has in place of the general ones.

    Without `config` the file that `B2BUA_CONFIG` names is read, if it names one. ConfigError when anything is wrong.
    """
    found = survey(config, environment, options, **defaults)
    if found.problems:
        raise ConfigError(*found.problems)
    return found.settings


def survey(
    config: Path | None, environment: Mapping[str, str], options: Mapping[str, object], **defaults: Any
) -> Survey:
    """`load_settings` that goes on behind what is wrong."""
    if config is None and environment.get(CONFIG_VARIABLE):
        config = Path(environment[CONFIG_VARIABLE])
    problems: list[str] = []
    given: dict[str, Given] = {}
    wrong: set[str] = set()
    if config is not None:
        try:
            given = _from_file(config, problems, wrong)
        except ConfigError as error:
            problems += error.problems
            wrong |= set(FIELDS)
    given |= _from_environment(environment, problems)
    for key, value in options.items():
        if value is not None and value != ():
            given[key] = Given("--" + key.replace("_", "-"), value, True)
    values: dict[str, Any] = {}
    for key, one in given.items():
        try:
            values[key] = _read(key, one)
        except ConfigError as error:
            problems += error.problems
            wrong.add(key)
    return Survey(Settings(**(defaults | values)), given, tuple(problems), frozenset(wrong))


def placed(problem: str, given: Mapping[str, Given]) -> str:
    """A line that begins with a key, with the place where that was given before it; any other line as it is."""
    key, _, what = problem.partition(": ")
    return f"{_where(key, given[key])}: {what}" if key in given else problem


def _from_file(path: Path, problems: list[str], wrong: set[str]) -> dict[str, Given]:
    """The keys of a file; of single wrong ones `problems` and `wrong` hear, ConfigError when nothing can be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Some editors begin a file with a byte order mark.
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        what = re.sub(r" \(at .*\)$", "", str(error))
        found = re.search(r"at line (\d+)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        raise ConfigError(f"{path}:{line}: {what}") from None
    given = {}
    for key, value in document.items():
        where = f"{path}:{line_of(text, (key,))}"
        if key not in FIELDS:
            problems.append(f"{where}: unknown key {key!r}; the nearest known key is {nearest(key, FIELDS)!r}")
            continue
        bad = []
        if key in TABLES and isinstance(value, dict):
            bad = [
                f"{path}:{line_of(text, (key, name))}: {key}.{name}: {what}"
                for name, entry in value.items()
                if (what := TABLES[key](name, entry))
            ]
        if bad:
            problems += bad
            wrong.add(key)
        else:
            given[key] = Given(where, value, False)
    return given


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> dict[str, Given]:
    known = {ENVIRONMENT_PREFIX + key.upper(): key for key in FIELDS}
    given = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_VARIABLE or _ORCHESTRATION.match(name):
            continue
        if name not in known:
            problems.append(f"environment: unknown {name}; the nearest known variable is {nearest(name, known)}")
        elif value:  # An empty variable counts as not set: Compose files write `${NAME:-}`.
            given[known[name]] = Given(name, value, True)
    return given


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line of a key in a TOML text, else of its table: for messages, as tomllib keeps no positions."""
    table: tuple[str, ...] = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _TABLE_LINE.match(line):
            here = table = _key_parts(header[1])
        elif key := _KEY_LINE.match(line):
            here = table + _key_parts(key[1])
            fence = next((quotes for quotes in ('"""', "'''") if line.count(quotes) == 1), "")
        else:
            continue
        if here[: len(path)] == path:
            return number
    return line_of(text, path[:-1]) if len(path) > 1 else 1


def _key_parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY_PART, text))


def _read(key: str, given: Given) -> object:
    """A given value as the field's type; ConfigError names the place."""
    try:
        if key not in READERS:
            return _convert(given, FIELDS[key])
        shape, reader = READERS[key]
        return reader(_convert(given, shape))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{_where(key, given)}: {_sentence(str(error))}") from None
    except ValueError as error:
        raise ConfigError(f"{_where(key, given)}: {error}") from None


def _where(key: str, given: Given) -> str:
    """The words that name a setting in an error; variables and options speak for themselves."""
    return given.source if given.textual else f"{given.source}: {key}"


def _convert(given: Given, kind: Any) -> Any:
    value = given.value
    if given.textual and isinstance(value, str):
        if get_origin(kind) is tuple:
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif get_origin(kind) is dict:
            value = dict(read_pair(part) for part in value.split(",") if part.strip())
    item, values = kind, (value,)
    if get_origin(kind) is tuple and isinstance(value, list):
        item, values = get_args(kind)[0], tuple(value)
    for each in values:
        if get_origin(item) is Literal and each not in get_args(item):
            raise ValueError(f"{each!r} is none of {', '.join(get_args(item))}")
    return msgspec.convert(value, kind, strict=not given.textual)


def _sentence(text: str) -> str:
    """msgspec's message in our words: without its path and backquotes, and with a small first letter."""
    text = text.partition(" - at ")[0].replace("`", "")
    return text[:1].lower() + text[1:]
