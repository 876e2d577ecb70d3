"""Which messages a view shows: `-u -i -c -s -g -o -or -nr -ns -no`, on the command line and behind the key `f`.

A criterion that one message of a call meets is met by the whole call; a message outside calls counts with those of its
Call-ID. A user who is only told of a call (a watcher's NOTIFY) takes no part in it: there `-u` shows that message alone.
All criteria have to be met, or with `-or` any. What is hidden is hidden in any case.
"""

from __future__ import annotations

import re
import shlex
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from b2bua.sip.names import canonical_name
from b2bua.trace.hop import Facts, read_facts

Record = Mapping[str, Any]

MAX_GROUPS: Final = 65_536
"""Calls, and Call-IDs outside calls, of which it is remembered what they met."""

VALUED: Final = {
    "-u": "URI|NUMBER", "-i": "IP", "-c": "CALL-ID", "-s": "GSID", "-g": "HEADER=VALUE", "-o": "REGEX",
}  # fmt: skip
"""Criterion → what follows it."""

HIDES: Final[dict[str, tuple[str, ...]]] = {"-nr": ("REGISTER",), "-ns": ("SUBSCRIBE", "NOTIFY"), "-no": ("OPTIONS",)}
"""Switch → the methods that it hides, requests and responses."""

ANY: Final = "-or"

TOLD_OF: Final = frozenset(("PUBLISH", "NOTIFY"))
"""Messages that a call caused, and that make nobody a party to it."""

_SESSION_HEADERS: Final = "av-global-session-id|session-id|p-charging-vector"

Test = Callable[[Record, Facts], bool]


class BadFilter(ValueError):
    """An expression that is no filter; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter as it was given: (switch, value) pairs in order, the methods hidden, and whether any criterion is enough."""

    wanted: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()
    any_of: bool = False

    def __str__(self) -> str:
        """The expression, as it may be typed again."""
        words = [word for pair in self.wanted for word in pair]
        return shlex.join([*words, *([ANY] if self.any_of else []), *self.hidden])

    def without(self, *switches: str) -> Criteria:
        """The same less some criteria: those that the server itself looks at."""
        return replace(self, wanted=tuple(pair for pair in self.wanted if pair[0] not in switches))


def parse_criteria(expression: str | Sequence[str]) -> Criteria:
    """Read `-u 6001 -nr`; BadFilter says what is wrong with it."""
    try:
        words = shlex.split(expression) if isinstance(expression, str) else list(expression)
    except ValueError as error:
        raise BadFilter(f"filter: {error}") from None
    wanted: list[tuple[str, str]] = []
    hidden: dict[str, None] = {}
    any_of = False
    rest = iter(words)
    for word in rest:
        if word in HIDES:
            hidden[word] = None
        elif word == ANY:
            any_of = True
        elif word in VALUED:
            value = next(rest, None)
            if value is None:
                raise BadFilter(f"filter: {word} wants {VALUED[word]}")
            wanted.append((word, value))
        else:
            raise BadFilter(f"filter: {word!r} is none of {' '.join((*VALUED, ANY, *HIDES))}")
    for switch, value in wanted:
        _test(switch, value)
    return Criteria(tuple(wanted), tuple(hidden), any_of)


# -- single criteria -----------------------------------------------------------------------------------------------


def _test(switch: str, value: str) -> Test:
    if switch == "-u":
        return _of_user(value)
    if switch == "-i":
        return _at_address(_pattern(switch, value))
    if switch == "-c":
        return lambda record, facts: value in (facts.call_id, record["call"])
    if switch == "-s":
        escaped = re.escape(value)
        return _in_head(re.compile(rf"(?im)^(?:{_SESSION_HEADERS})\s*:.*{escaped}|[;&]gsid={escaped}"))
    if switch == "-g":
        name, equals, wanted = value.partition("=")
        if not name.strip() or not equals:
            raise BadFilter(f"filter: -g wants HEADER=VALUE, not {value!r}")
        return _with_header(canonical_name(name.strip()), wanted.strip().lower())
    pattern = _pattern(switch, value)
    return lambda record, facts: pattern.search(record["message"]) is not None


def _pattern(switch: str, value: str) -> re.Pattern[str]:
    try:
        return re.compile(value, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadFilter(f"filter: {switch} {value!r}: {error}") from None


def user_of(value: str) -> str:
    """The user part of a URI, or the number itself."""
    return re.sub(r"(?i)^(?:sips?|tel):", "", value).partition("@")[0].partition(";")[0]


def _of_user(value: str) -> Test:
    user = user_of(value)
    if "@" in value:
        address = re.sub(r"(?i)^sips?:", "", value).partition(";")[0]
        return _in_head(re.compile(rf"(?i)[:<\s]{re.escape(address)}(?![\w.-])"))
    return lambda record, facts: user in (
        record["source"], record["destination"], facts.from_user, facts.to_user, facts.uri_user,
    )  # fmt: skip


def _at_address(pattern: re.Pattern[str]) -> Test:
    def found(record: Record, facts: Facts) -> bool:
        sides = (record.get(f"{side}_address") or record[side] for side in ("source", "destination"))
        return any(pattern.search(address) for address in sides)

    return found


def _head(record: Record) -> str:
    head: str = record["message"].lstrip("\r\n").partition("\r\n\r\n")[0]
    return head


def _in_head(pattern: re.Pattern[str]) -> Test:
    return lambda record, facts: pattern.search(_head(record)) is not None


def _with_header(name: str, wanted: str) -> Test:
    def found(record: Record, facts: Facts) -> bool:
        for line in _head(record).split("\r\n")[1:]:
            spelling, _, value = line.partition(":")
            if wanted in value.lower() and canonical_name(spelling.strip()) == name:
                return True
        return False

    return found


# -- over the messages of a view -----------------------------------------------------------------------------------


class Selection:
    """What a filter shows of the messages so far. Each is to be taken in before it is asked for."""

    def __init__(self, criteria: Criteria) -> None:
        self.criteria = criteria
        self._tests = [_test(switch, value) for switch, value in criteria.wanted]
        self._all = (1 << len(self._tests)) - 1
        self._of_users = sum(1 << index for index, (switch, _) in enumerate(criteria.wanted) if switch == "-u")
        self._hidden = frozenset(method for switch in criteria.hidden for method in HIDES[switch])
        self._met: OrderedDict[str, int] = OrderedDict()

    def take(self, record: Record, facts: Facts) -> bool:
        """Whether by this message its group became shown, so that earlier ones of it are to be shown, too."""
        if not self._tests:
            return False
        group = _group(record, facts)
        known = self._met.get(group, 0)
        skipped = self._of_users if facts.cseq_method in TOLD_OF else 0
        met = self._tested(record, facts, known | skipped) & ~skipped | known
        self._met[group] = met
        self._met.move_to_end(group)
        if len(self._met) > MAX_GROUPS:
            self._met.popitem(last=False)
        return self._enough(met) and not self._enough(known)

    def shows(self, record: Record, facts: Facts) -> bool:
        if facts.cseq_method in self._hidden:
            return False
        met = self._met.get(_group(record, facts), 0)
        if not self._tests or self._enough(met):
            return True
        alone = bool(self._of_users) and facts.cseq_method in TOLD_OF
        return alone and self._enough(self._tested(record, facts, met))

    def _tested(self, record: Record, facts: Facts, met: int) -> int:
        """`met` and whatever this message meets besides."""
        for index, test in enumerate(self._tests):
            bit = 1 << index
            if not met & bit and test(record, facts):
                met |= bit
        return met

    def _enough(self, met: int) -> bool:
        return met != 0 if self.criteria.any_of else met == self._all


def _group(record: Record, facts: Facts) -> str:
    return record["call"] or facts.call_id


class Held:
    """A filter over messages that still come: what a call had before it was found to be wanted comes with it, late."""

    def __init__(self, criteria: Criteria, limit: int) -> None:
        self._selection = Selection(criteria)
        self._held: deque[tuple[Record, Facts]] = deque(maxlen=limit)

    def feed(self, record: Record) -> list[Record]:
        """The records to show now, in order."""
        facts = read_facts(record["message"].encode("utf-8", "replace"))
        complete = self._selection.take(record, facts)
        if not self._selection.shows(record, facts) and not complete:
            self._held.append((record, facts))
            return []
        released = [one for one, known in self._held if self._selection.shows(one, known)] if complete else []
        if released:
            self._held = deque((pair for pair in self._held if not self._selection.shows(*pair)), self._held.maxlen)
        return [*released, record] if self._selection.shows(record, facts) else released


def select(criteria: Criteria, records: Iterable[Record]) -> list[Record]:
    """Of messages that are all there: those that are shown, in order."""
    selection = Selection(criteria)
    everything = [(record, read_facts(record["message"].encode("utf-8", "replace"))) for record in records]
    for record, facts in everything:
        selection.take(record, facts)
    return [record for record, facts in everything if selection.shows(record, facts)]
