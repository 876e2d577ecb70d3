"""Why a message was sent, as the trace tells it: a format string and its values, formatted only when the trace is read.

A note is a tuple: what was decided before (another note, or None), a sentence that begins with its kind and a colon and has
`{}` for each value, and the values. It is never on the wire, and is made only where something is decided, not for each header.
"""

from __future__ import annotations

from typing import Final

Why = tuple[object, ...]

NOT_STORED: Final[Why] = (None, "store: it does not take the record that this answer would promise to keep")

MOST: Final = 16
"""Decisions told of one message: a chain is short, for each is made in one place."""


def decisions(why: Why | None) -> list[str]:
    """The sentences of a note and of what was decided before it, oldest first."""
    found: list[str] = []
    while why and len(found) < MOST:
        before, sentence, *about = why
        found.append(str(sentence).format(*about))
        why = before if isinstance(before, tuple) else None
    return found[::-1]
