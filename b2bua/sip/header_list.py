"""The headers of a message as they came: read by name, edited line by line (RFC 3261 §7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter
from typing import Final

from b2bua.sip.address import split_unquoted
from b2bua.sip.errors import MalformedValue
from b2bua.sip.header_lines import read_integer
from b2bua.sip.uri import CACHED_LENGTH

_EMPTY: Final = " \t,"
"""What stands around elements that are none."""
_TYPED: Final = frozenset(("Via", "From", "To", "Call-ID", "CSeq"))
"""What a message keeps a typed value of, and what a response copies from its request."""

_name_of: Final = itemgetter(0)
_line_of: Final = "%s: %s".__mod__


class HeaderList:
    """Two lists in step: `names`, the canonical header names, and `lines`, the whole header lines as they stand on the wire."""

    __slots__ = ("names", "lines")

    names: list[str]
    lines: list[str]

    def get(self, name: str) -> str | None:
        """The first value of a header, by its canonical name; None when it is not there."""
        try:
            line = self.lines[self.names.index(name)]
        except ValueError:
            return None
        return line[line.index(":") + 1 :].strip()

    def has(self, name: str) -> bool:
        return name in self.names

    def get_all(self, name: str) -> list[str]:
        """The values of each line with this name, in order, not split at commas."""
        lines = compress(self.lines, map(name.__eq__, self.names))
        return [line.partition(":")[2].strip() for line in lines] if name in self.names else []

    def elements(self, name: str) -> list[str]:
        """All values of a comma-separated header, in order, over all its lines (RFC 3261 §7.3.1)."""
        found: list[str] = []
        if name in self.names:
            for line in compress(self.lines, map(name.__eq__, self.names)):
                value = line.partition(":")[2].strip()
                if "," in value:
                    found.extend(part for part in map(str.strip, split_unquoted(value, ",")) if part)
                elif value:
                    found.append(value)
        return found

    def tokens(self, name: str) -> set[str]:
        """The elements of a header as a set in lower case: Supported, Require, Accept."""
        return {element.partition(";")[0].strip().lower() for element in self.elements(name)} if name in self.names else set()

    def integer(self, name: str) -> int | None:
        """A header that is one number of seconds or hops (RFC 3261 delta-seconds); None when it is not there."""
        if name not in self.names:  # as often as not
            return None
        line = self.lines[self.names.index(name)]
        number = read_integer(line) if len(line) <= CACHED_LENGTH else read_integer.__wrapped__(line)
        if number is None:
            raise MalformedValue(name)
        return number

    def _line(self, name: str) -> str:
        """The first line of a header, `:` when it is not there."""
        return self.lines[self.names.index(name)] if name in self.names else ":"

    # -- editing: only before the message is handed on ---------------------------------------------------------

    def _forget(self, name: str) -> None:
        """The line of a header has changed of which the message keeps a typed value."""
        raise NotImplementedError

    def append(self, name: str, value: str) -> None:
        self.names.append(name)
        self.lines.append(f"{name}: {value}")

    def extend(self, headers: Sequence[tuple[str, str]]) -> None:
        """Append each of these."""
        self.names.extend(map(_name_of, headers))
        self.lines.extend(map(_line_of, headers))

    def insert_before(self, name: str, value: str) -> None:
        """Put a value above the first one of its name (Route, Record-Route), or at the end when it is the first."""
        if name in _TYPED:
            self._forget(name)
        index = self.names.index(name) if name in self.names else len(self.names)
        self.names.insert(index, name)
        self.lines.insert(index, f"{name}: {value}")

    def replace(self, name: str, value: str) -> None:
        """Set a header that stands once."""
        if name in self.names:
            if name in _TYPED:
                self._forget(name)
            self.lines[self.names.index(name)] = f"{name}: {value}"
        else:
            self.append(name, value)

    def remove(self, name: str) -> None:
        """Take out every line with this name."""
        names, lines = self.names, self.lines
        if name in _TYPED:
            self._forget(name)
        while name in names:
            index = names.index(name)
            del names[index], lines[index]

    def remove_first(self, name: str) -> None:
        """Take out the first value of a header: its line, or its first element where several share the line.

        Empty elements do not count, as in `elements`. ValueError when the header has no value.
        """
        if name in _TYPED:
            self._forget(name)
        values: list[str] = []
        while not values:
            index = self.names.index(name)
            line = self.lines[index]
            if "," not in line and line[-1] != ":":
                del self.names[index], self.lines[index]
                return
            if name == "Via" and '"' not in line:  # several in one line are usual in responses, and need no closer look
                first, _, others = line.partition(",")
                others = others.lstrip(_EMPTY)
                if others and first.rstrip(_EMPTY)[-1] != ":":
                    self.lines[index] = f"Via: {others}"
                    return
            values = [part for part in split_unquoted(line.partition(":")[2], ",") if part.strip()]
            if len(values) > 1:
                self.lines[index] = f"{name}: {','.join(values[1:]).strip()}"
            else:
                del self.names[index], self.lines[index]
