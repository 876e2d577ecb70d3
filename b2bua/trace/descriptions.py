"""Two session descriptions side by side: what the later one changes, and what RFC 3264 forbids it.

Only names of attributes leave this file, never their values: an SDES key is one (RFC 4568).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue
from b2bua.sip.sdp import DIRECTIONS, Origin, Stream, holds, parse_origin, parse_streams

_LONGEST_WORD: Final = 40
"""Of what a peer wrote into its description and a note repeats."""

_MOST: Final = 10
"""Streams, changes or flaws that one sentence names."""

ILLEGAL: Final = frozenset((
    ("sendonly", "sendrecv"), ("sendonly", "sendonly"), ("recvonly", "sendrecv"), ("recvonly", "recvonly"),
    ("inactive", "sendrecv"), ("inactive", "sendonly"), ("inactive", "recvonly"),
))  # fmt: skip
"""(direction offered, direction answered) that RFC 3264 §6.1 excludes."""


class Description(NamedTuple):
    """One description, as a leg remembers it."""

    body: bytes
    origin: Origin
    streams: tuple[Stream, ...]

    @property
    def holding(self) -> bool:
        """Whether its sender wants no media at all."""
        return holds(self.streams)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each stream: `audio`, or `audio 1` and `audio 2` where there are several of a media."""
        return _stream_names(self.streams)

    def directions(self) -> str:
        """`audio sendrecv, video off (port 0)`: the state of each stream."""
        states = [stream.direction if stream.port else "off (port 0)" for stream in self.streams]
        return ", ".join(few([f"{name} {state}" for name, state in zip(self.names, states, strict=True)]))


@lru_cache(maxsize=64)
def _stream_names(streams: tuple[Stream, ...]) -> tuple[str, ...]:
    total = Counter(stream.media for stream in streams)
    so_far: Counter[str] = Counter()
    names = []
    for media in (stream.media for stream in streams):
        so_far[media] += 1
        names.append(shortened(media) + (f" {so_far[media]}" if total[media] > 1 else ""))
    return tuple(names)


def few(items: list[str]) -> list[str]:
    """The first of them, and how many more there are: a peer may send thousands of m= lines."""
    return items if len(items) <= _MOST else [*items[:_MOST], f"{len(items) - _MOST} more"]


def readable(body: bytes) -> Description | None:
    """The description, or None when the body is no SDP with an o= line."""
    try:
        return Description(body, parse_origin(body), parse_streams(body))
    except MalformedValue:
        return None


@lru_cache(maxsize=64)
def _sections(body: bytes) -> tuple[tuple[str, ...], ...]:
    """The session's lines, then those of each m= section, the m= line first."""
    sections: list[list[str]] = [[]]
    for line in body.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line.rstrip())
    return tuple(map(tuple, sections))


def shortened(word: str) -> str:
    """A word of the peer's, of bounded length and without control characters."""
    return "".join(sign if sign.isprintable() else "?" for sign in word[:_LONGEST_WORD])


# -- what changed --------------------------------------------------------------------------------------------------


def changes(before: Description, after: Description, directions: bool = True) -> list[str]:
    """Every difference, most telling first: directions, ports, addresses, formats, o= version, then names of other lines.

    `nothing else` closes the list when what it holds is a complete account. `directions`: whether to name those.
    """
    found = []
    sections, earlier = _sections(after.body), _sections(before.body)
    for index, (name, new) in enumerate(zip(after.names, after.streams, strict=True)):
        old = before.streams[index] if index < len(before.streams) else None
        found += _stream_changes(name, old, new, directions)
        if old is not None and old.port and new.port:
            found += _media_line_changes(name, earlier[index + 1][0], sections[index + 1][0])
    found = few(found)
    if before.origin.version != after.origin.version:
        found.append(f"o= version {before.origin.version} → {after.origin.version}")
    others = few(_other_lines(before, after))
    if others:
        return [*found, f"also {', '.join(others)}"]
    return [*found, "nothing else"] if found else []


def _stream_changes(name: str, old: Stream | None, new: Stream, directions: bool) -> list[str]:
    if old is None:
        return [f"{name} added, {new.direction if new.port else 'port 0'}"]
    if old.port and not new.port:
        return [f"{name} taken away (port 0)"]
    if new.port and not old.port:
        return [f"{name} brought back, {new.direction}"]
    found = []
    if directions and old.direction != new.direction:
        found.append(f"{name} {old.direction} → {new.direction}")
    if old.connection != new.connection:
        found.append(f"{name} address {shortened(old.connection)} → {shortened(new.connection)}")
    if old.port != new.port:
        found.append(f"{name} port {old.port} → {new.port}")
    return found


def _media_line_changes(name: str, before: str, after: str) -> list[str]:
    """`m=audio 4000 RTP/AVP 0 8`: media, protocol and formats; the port is the stream's."""
    old, new = before[2:].split(), after[2:].split()
    found = []
    for kind, was, now in (("media", old[:1], new[:1]), ("protocol", old[2:3], new[2:3]), ("formats", old[3:], new[3:])):
        if was != now:
            found.append(f"{name} {kind} {shortened(' '.join(was)) or 'none'} → {shortened(' '.join(now)) or 'none'}")
    return found


def _other_lines(before: Description, after: Description) -> list[str]:
    """The kinds of lines (`s=`, `a=rtpmap`) that differ in sections that both have."""
    found: dict[str, None] = {}
    for old, new in zip(_sections(before.body), _sections(after.body), strict=False):
        was, now = _kept(old), _kept(new)
        if was == now:
            continue
        gone, come = set(was) - set(now), set(now) - set(was)
        differing = [line for line in was if line in gone] + [line for line in now if line in come]
        for line in differing or ["the order of lines"]:
            found[_kind(line)] = None
    if (now_origin := after.origin._replace(version=0)) != before.origin._replace(version=0):
        found["o= session id" if now_origin.session_id != before.origin.session_id else "o= line"] = None
    return list(found)


def _kept(section: tuple[str, ...]) -> list[str]:
    """A section's lines without those that are accounted for by name."""
    return [line for line in section if line[:2] not in ("o=", "m=", "c=") and line[2:].strip() not in DIRECTIONS]


def _kind(line: str) -> str:
    if line.startswith("a="):
        return "a=" + shortened(line[2:].partition(":")[0].strip())
    return line[:2] if line[1:2] == "=" else shortened(line)


# -- what is wrong -------------------------------------------------------------------------------------------------


def flaws_of_offer(before: Description, after: Description, highest: int) -> list[str]:
    """What RFC 3264 §8 forbids an offer after `before`, the last description agreed on.

    `highest` is the highest version that the side has sent. After a refusal it may count on from either: phones retry
    with the same version.
    """
    found = _lost_streams(before, after)
    version, last = after.origin.version, before.origin.version
    if version == last and after.body != before.body:
        found.append("o= version unchanged though the description changed (RFC 3264 §8)")
    elif version < last:
        found.append(f"o= version fell from {last} to {version} (RFC 3264 §8)")
    elif version > highest + 1:
        found.append("o= version rose by more than one (RFC 3264 §8)")
    if before.origin._replace(version=0) != after.origin._replace(version=0):
        found.append("the o= line changed in more than its version (RFC 3264 §8)")
    return found


def flaws_of_later_answer(before: Description, after: Description) -> list[str]:
    """What is wrong with an answer against the last description of the same side."""
    found = []
    if after.origin.version == before.origin.version and after.body != before.body:
        found.append("o= version unchanged though the description changed (RFC 8866 §5.2)")
    elif after.origin.version < before.origin.version:
        found.append(f"o= version fell from {before.origin.version} to {after.origin.version} (RFC 8866 §5.2)")
    return found


def _lost_streams(before: Description, after: Description) -> list[str]:
    lost = before.names[len(after.streams) :]
    return few([f"the m= line of {name} vanished (RFC 3264 §8)" for name in lost])


def flaws_of_answer(offer: Description, answer: Description) -> list[str]:
    """What RFC 3264 §6 forbids an answer to this offer."""
    found = []
    if len(answer.streams) != len(offer.streams):
        found.append(f"{len(answer.streams)} m= lines answer {len(offer.streams)} (RFC 3264 §6)")
    for name, asked, given in zip(offer.names, offer.streams, answer.streams, strict=False):
        if asked.media != given.media:
            found.append(f"{shortened(given.media)} answers {name} (RFC 3264 §6)")
        elif given.port and not asked.port:
            found.append(f"{name} was offered with port 0 and is answered with a port (RFC 3264 §8.2)")
        elif given.port and (asked.direction, given.direction) in ILLEGAL:
            found.append(f"{given.direction} is no answer to {asked.direction} (RFC 3264 §6.1)")
    return few(found)
