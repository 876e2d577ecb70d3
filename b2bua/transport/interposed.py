"""What stands between the core and the sockets for a while: faults on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from b2bua.sip.flow import Put


class Sending(Protocol):
    """A listener, or the end of a link."""

    put: Put
    """How it sends: looked up for each message."""


def interpose(senders: Iterable[Sending], between: Callable[[Put], Put]) -> Callable[[], None]:
    """Have what these send go through `between`, which is given each one's own way; returns what ends it. Not twice at a time."""
    before = [(sender, sender.put) for sender in senders]
    for sender, put in before:
        sender.put = between(put)

    def end() -> None:
        for sender, put in before:
            sender.put = put

    return end
