"""application/simple-message-summary (RFC 3842 §5.2): how many messages wait, by class."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue

CONTENT_TYPE: Final = "application/simple-message-summary"
MOST: Final = 4_294_967_295
"""What no count exceeds; a larger one is read as this (RFC 3842 §3.5)."""
MAX_CLASSES: Final = 16
"""Classes of messages that are read; RFC 3458 has seven."""

# msg-summary-line = message-context-class HCOLON newmsgs SLASH oldmsgs [ LPAREN new-urgentmsgs SLASH old-urgentmsgs RPAREN ]
_COUNTS: Final = re.compile(r"(\d+)\s*/\s*(\d+)(?:\s*\(\s*(\d+)\s*/\s*(\d+)\s*\))?", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,250}", re.ASCII)


class Counts(NamedTuple):
    """The messages of one class. `urgent` counts are part of the others; None: not told."""

    kind: str
    """The message-context-class as it stands in the document: `Voice-Message`, `Fax-Message`, …"""
    new: int
    old: int
    urgent: tuple[int, int] | None = None
    """Urgent new ones, urgent old ones."""


class MessageSummary(NamedTuple):
    """A whole document, without the headers of single messages: a first NOTIFY must not have them (RFC 3842 §3.8)."""

    waiting: bool
    account: str = ""
    """The URI of the mailbox, "" where none is told."""
    counts: tuple[Counts, ...] = ()

    def encode(self) -> bytes:
        lines = [f"Messages-Waiting: {'yes' if self.waiting else 'no'}"]
        if self.account:
            lines.append(f"Message-Account: {self.account}")
        for kind, new, old, urgent in self.counts:
            lines.append(f"{kind}: {new}/{old}" + ("" if urgent is None else f" ({urgent[0]}/{urgent[1]})"))
        return "\r\n".join([*lines, ""]).encode()


def voice_messages(new: int, old: int) -> MessageSummary:
    """A mailbox with so many voice messages; a new one waits, an old one does not."""
    return MessageSummary(new > 0, "", (Counts("Voice-Message", new, old),))


def parse_message_summary(body: bytes) -> MessageSummary:
    """A document as a value; MalformedValue (400) for what is none. Headers of single messages are passed over."""
    if not body.isascii():
        raise MalformedValue("message-summary")
    # opt-msg-headers begin with an empty line.
    lines = body.decode().replace("\r\n", "\n").partition("\n\n")[0].strip("\n").split("\n")
    name, value = _field(lines[0])
    if name.lower() != "messages-waiting" or value.lower() not in ("yes", "no"):
        raise MalformedValue("Messages-Waiting")
    account, counts = "", []
    for line in lines[1:]:
        name, text = _field(line)
        if name.lower() == "message-account":
            if _ACCOUNT.fullmatch(text) is None:
                raise MalformedValue("Message-Account")
            account = text
        else:
            counts.append(_counts(name, text))
    if len(counts) > MAX_CLASSES:
        raise MalformedValue("message-summary")
    return MessageSummary(value.lower() == "yes", account, tuple(counts))


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or _TOKEN.fullmatch(name.rstrip()) is None:
        raise MalformedValue("message-summary")
    return name.rstrip(), value.strip()


def _counts(kind: str, text: str) -> Counts:
    found = _COUNTS.fullmatch(text)
    if found is None:
        raise MalformedValue("message-summary")
    new, old, urgent_new, urgent_old = (None if digits is None else _number(digits) for digits in found.groups())
    assert new is not None and old is not None, "the pattern has both"
    urgent = None if urgent_new is None or urgent_old is None else (urgent_new, urgent_old)
    return Counts(kind, new, old, urgent)


def _number(digits: str) -> int:
    return MOST if len(digits) > 10 else min(int(digits), MOST)
