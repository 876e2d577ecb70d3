"""Several servers followed as one trace: each by a thread of its own, in order once all had time to say what they know."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from b2bua.trace.feed import Background, Feed, Follower, News, read_record
from b2bua.trace.http_client import Address, TokenFor, TraceError, no_token
from b2bua.trace.merging import Merging, Node, Record
from b2bua.trace.names import SM

HOLD: Final = 0.7
"""Seconds for which a record waits for those of the other servers; a live view gathers for 0.1 s."""
FIRST: Final = 3.0
"""Seconds for which one that has not answered yet is waited for."""
NOTABLE: Final = 0.05
"""Seconds between two clocks that are worth a line."""


class Server(NamedTuple):
    """One to follow."""

    name: str
    address: Address


def parse_servers(words: Sequence[str], token_files: Sequence[str], token_for: TokenFor = no_token) -> list[Server]:
    """`[NAME=]URL` each, named by their place unless they name themselves; TraceError for what cannot be. One token file is for
    all of them, several are for each one in order; without any `token_for` gives the tokens."""
    if len(token_files) > 1 and len(token_files) != len(words):
        raise TraceError(f"{len(words)} servers and {len(token_files)} token files: one for all, or one for each")
    found = []
    for number, word in enumerate(words):
        name, equals, url = word.partition("=")
        if not equals or "/" in name:
            name, url = str(number + 1), word
        if not name.replace("-", "").replace("_", "").isalnum():
            raise TraceError(f"{name!r} is no name of a server: letters, digits, - and _")
        token_file = token_files[min(number, len(token_files) - 1)] if token_files else ""
        found.append(Server(name, Address(url, token_file, token_for)))
    if len({server.name for server in found}) < len(found):
        raise TraceError("two servers have the same name")
    return found


class _Followed:
    """One of them."""

    def __init__(self, node: Node, source: Background, now: float) -> None:
        self.node, self.source = node, source
        self.answered = self.gone = False
        self.began = self.heard = now
        self.newest = 0.0
        self.told = 0.0

    def busy(self, now: float) -> bool:
        """Whether older records than those that came may still come from it."""
        if self.gone:
            return False
        return now - self.heard < HOLD if self.answered else now - self.began < FIRST


class Servers:
    """As a feed in the background: `take` never waits. All of them may be gone, and each may come back."""

    def __init__(
        self, servers: Sequence[Server], query: dict[str, str], after: float = 0.0, since: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._now = now
        nodes = [Node(server.name) for server in servers]
        self._merging = Merging(nodes)
        # Of what one had said before another may have seen the other end: the last seconds are asked for once more.
        self._followed = [
            _Followed(node, Background(Follower(server.address, query, after, since, patient=True)), now())
            for node, server in zip(nodes, servers, strict=True)
        ]
        self._held: list[tuple[float, Node, Record]] = []

    @property
    def state(self) -> str:
        """How many are there, for the status line."""
        there = [one for one in self._followed if one.answered and not one.gone]
        gone = ", ".join(one.node.name for one in self._followed if one.gone)
        return f"live, {len(there)} of {len(self._followed)} servers" + (f" (without {gone})" if gone else "")

    def take(self) -> list[News]:
        """What is settled since."""
        now, told = self._now(), []
        for one in self._followed:
            for news in one.source.take():
                told += self._hear(one, news, now)
        ready = self._ready(now)
        records = self._merging.take(ready)
        return [*([News(records)] if records else []), *told]

    def stop(self) -> None:
        for one in self._followed:
            one.source.stop()

    def _hear(self, one: _Followed, news: News, now: float) -> list[News]:
        told = []
        if news.gap or news.failure:
            one.gone = "connected again" not in news.gap
            told.append(News(gap=f"{one.node.name}: {news.failure or news.gap}"))
        else:
            one.answered, one.gone = True, False
            if abs(news.ahead - one.told) > NOTABLE:
                one.told = news.ahead
                way = "ahead of" if news.ahead > 0 else "behind"
                clock = f"its clock is {abs(news.ahead):.3f} s {way} ours, its times are corrected"
                told.append(News(gap=f"{one.node.name}: {clock}"))
            one.node.ahead, one.node.role = news.ahead, news.role or one.node.role
        for record in news.records:
            one.heard = now
            one.newest = max(one.newest, float(record["time"]) - one.node.ahead)
            self._held.append((now, one.node, record))
        return told

    def _ready(self, now: float) -> list[tuple[Node, Record]]:
        """What has waited long enough, and is older than all that may come from those who still tell of what they kept."""
        limit = min((one.newest for one in self._followed if one.busy(now)), default=float("inf"))
        ready: list[tuple[float, Node, Record]] = []
        waits: list[tuple[float, Node, Record]] = []
        for held in self._held:
            came, node, record = held
            settled = now - came >= HOLD and float(record["time"]) - node.ahead <= limit
            (ready if settled else waits).append(held)
        self._held = waits
        return [(node, record) for _, node, record in ready]


def kept(servers: Sequence[Server], query: dict[str, str], silent: list[str] | None = None) -> list[dict[str, Any]]:
    """What all of them have kept, once; TraceError when one does not answer, unless that is to be told in `silent`."""
    nodes = [Node(server.name) for server in servers]
    sights = []
    for node, server in zip(nodes, servers, strict=True):
        feed = Feed(server.address, query, follow=False)
        try:
            records = [read_record(line) for line in feed.lines()]
        except TraceError as error:
            if silent is None:
                raise
            silent.append(f"{server.name}: {error.reason}")
            continue
        node.ahead, node.role = feed.ahead, feed.role or SM
        sights += [(node, record) for record in records]
    return Merging(nodes).take(sights)
