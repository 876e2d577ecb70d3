"""`name-addr` and `addr-spec` with parameters: From, To, Contact, Route and their kin (RFC 3261 §20.10, §25.1)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue
from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.uri import Uri, parse_uri

# The form nearly every phone sends: optional display name, URI in angle brackets, perhaps a tag and nothing else.
_COMMON = re.compile(r'("[^"\\<>]*" ?|[A-Za-z0-9 ]*)<([^<>"\s]+)>(?:;tag=([^;,\s"<>=]+))?\Z')

_NOT_BARE: Final = frozenset('?,<>" \t')
"""What a URI without angle brackets may not hold: the first two would be the header's (RFC 3261 §20), the rest is no URI's."""


class Address(NamedTuple):
    """A URI with its display name and header parameters, as sent."""

    display: str
    """Display name as sent, quotes included; "" when there is none."""
    uri: str
    parameters: str = ""
    """`;name=value` pairs after the URI, the first semicolon included."""
    tag: str = ""

    def __str__(self) -> str:
        display = f"{self.display} " if self.display else ""
        return f"{display}<{self.uri}>{self.parameters}"

    def parsed_uri(self) -> Uri:
        """The URI in parts; MalformedValue if it is none."""
        return parse_uri(self.uri)

    def parameter(self, name: str) -> str | None:
        """The value of a header parameter, quotes removed ("" for a flag), or None; `name` in lower case."""
        for key, value in split_parameters(self.parameters):
            if key == name:
                return value
        return None


def parse_address(text: str) -> Address:
    """Parse one header value; MalformedValue when it is no name-addr or addr-spec."""
    match = _COMMON.match(text)
    if match is not None:
        display, uri, tag = match.groups("")
        return new_tuple(Address, (display.strip(), uri, f";tag={tag}" if tag else "", tag))
    return _parse_any(text.strip())


def _parse_any(text: str) -> Address:
    display = ""
    if text.startswith('"'):
        end = _end_of_quotes(text, 0)
        display, text = text[:end], text[end:].lstrip()
        if not text.startswith("<"):
            raise MalformedValue("name-addr")
    opening = text.find("<")
    if opening < 0:
        # addr-spec: what follows the first semicolon are header parameters, not URI parameters (RFC 3261 §20.10).
        uri, semicolon, parameters = text.partition(";")
        uri = uri.rstrip()
        if not uri or not _NOT_BARE.isdisjoint(uri):
            raise MalformedValue("addr-spec")
        return _with_tag(display, uri, semicolon + parameters)
    closing = text.find(">", opening)
    if closing < 0:
        raise MalformedValue("name-addr")
    display = display or text[:opening].strip()
    if any(sign in display for sign in ';,') and not display.startswith('"'):
        raise MalformedValue("display name")
    rest = text[closing + 1 :].strip()
    if rest and not rest.startswith(";"):
        raise MalformedValue("name-addr")
    uri = text[opening + 1 : closing].strip()
    if not uri:
        raise MalformedValue("URI")
    return _with_tag(display, uri, rest)


def _with_tag(display: str, uri: str, parameters: str) -> Address:
    tags = [value for name, value in split_parameters(parameters) if name == "tag"] if parameters else []
    # Two tags, or one without a value, would leave open which dialog is meant.
    if len(tags) > 1 or "" in tags:
        raise MalformedValue("tag")
    return Address(display, uri, parameters, tags[0] if tags else "")


def _end_of_quotes(text: str, start: int) -> int:
    """The index behind the quoted string that opens at `start`."""
    index = start + 1
    while index < len(text):
        if text[index] == "\\":
            index += 2
            continue
        if text[index] == '"':
            return index + 1
        index += 1
    raise MalformedValue("quoted string")


def split_parameters(text: str) -> list[tuple[str, str]]:
    """`;a=1;b;c="x"` → [("a","1"), ("b",""), ("c","x")]: names in lower case, quotes and escapes resolved."""
    found = []
    for part in split_unquoted(text, ";"):
        name, _, value = part.partition("=")
        name = name.strip().lower()
        if name:
            found.append((name, unquote_string(value.strip())))
    return found


def unquote_string(value: str) -> str:
    """A token as it is; a quoted string without its quotes and escapes."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    inner = value[1:-1]
    return re.sub(r"\\(.)", r"\1", inner) if "\\" in inner else inner


def quote_string(value: str) -> str:
    """A value as a quoted string: the reverse of `unquote_string`."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"') if "\\" in value or '"' in value else value
    return f'"{escaped}"'


def split_unquoted(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in quotes nor in angle brackets."""
    if separator not in text:
        return [text]
    if '"' not in text and "<" not in text:
        return text.split(separator)
    parts, start, index, depth = [], 0, 0, 0
    while index < len(text):
        sign = text[index]
        if sign == '"':
            index = _end_of_quotes(text, index)
            continue
        if sign == "<":
            depth = 1
        elif sign == ">":
            depth = 0
        elif sign == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    parts.append(text[start:])
    return parts
