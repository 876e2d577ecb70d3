"""`make drill`: phones at load, `kill -9` at random moments, and a judge of what was promised.

    python -m tests.restart.drill [--kills N] [--seconds S] [--seed N] [--store sqlite|memory] [--patience S] [--rate N]
        [--baresips N] [--elsewhere] [--keep DIRECTORY]

Exit status 0: nothing that was acknowledged is lost. 1: something is; each loss with its ladder and the seed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from tests.interop.server import Server
from tests.restart.actors import Actor, Publisher, Wanderer, Watcher
from tests.restart.baresip_pair import BaresipPair, Telephone
from tests.restart.cells import ladder
from tests.restart.history import History, Loss, judge
from tests.restart.lives import Lives
from tests.restart.matrix import gauges
from tests.restart.pairs import Pair
from tests.restart.phone import Phone
from tests.restart.sipp_load import SippLoad

HOST: Final = "127.0.0.90"
PHONES: Final = "127.0.90"
"""Each phone has an address of its own there, as in an office."""
UP: Final = (0.05, 1.2)
"""Seconds for which a server lives after it has become ready."""
EARLY: Final = 0.25
"""Share of the kills that come while it starts."""
START: Final = (0.05, 0.9)
DOWN: Final = (0.0, 0.3)
PAIRS, WANDERERS, PUBLISHERS, WATCHERS = 24, 8, 6, 8
USERS: Final = {str(number): f"secret-{number}-word" for number in range(6200, 6400)}
SHOWN: Final = 8
"""Losses whose ladders are printed: of each sort the first."""


class Drill:
    """The world of the actors: a server that dies again and again."""

    def __init__(
        self, directory: Path, seed: int, store: str, rate: float, patience: float, baresips: int = 2
    ) -> None:  # fmt: skip
        """`rate`: SIPp's calls a second; `baresips`: pairs of baresip."""
        self.generation = 0
        self.stopping = False
        self.kills = 0
        self.lives = Lives()
        self.given_up: list[int] = []
        self.patience = patience
        self.errors: list[str] = []
        self.history = History(directory / "history.jsonl")
        self.directory = directory
        self._seed = seed
        self._random = random.Random(f"{seed} kills")
        self.store = store
        self._rate = rate
        self._baresips = baresips
        self._users = iter(USERS.items())
        self.options: tuple[str, ...] = ()
        """Of the server, on its command line."""
        self.server: Server
        self.sipp: SippLoad

    async def run(self, kills: int, seconds: float) -> list[Loss]:
        """So many kills, or fewer when the time is up; then all is looked at once more. What was lost."""
        self.server = await asyncio.to_thread(self._start)
        actors = list(self._actors())
        self.sipp = SippLoad(self.directory, self.server, dict(USERS), self._rate)
        try:
            await asyncio.gather(*(actor.open() for actor in actors))
            await asyncio.to_thread(self.sipp.start)
            living = [asyncio.create_task(actor.run()) for actor in actors]
            await self._kill(kills, seconds)
            self.stopping = True
            await asyncio.to_thread(self.sipp.finish)
            await asyncio.gather(*living)
            await self._end()
            if self.kills < kills:
                self.errors.append(f"only {self.kills} kills in {seconds:g} s")
            return judge(self.history.events) + self.sipp.judge()
        finally:
            self.history.close()
            self.sipp.close()
            self.close()
            await asyncio.gather(*(actor.close() for actor in actors), return_exceptions=True)
            self.actors = actors

    # -- the server --------------------------------------------------------------------------------------------

    def _start(self) -> Server:
        return Server(self.directory, HOST, USERS, self.store, self.options, more=[f"tcp:{HOST}"])

    def _again(self, ready: bool = True) -> Server:
        old = self.server
        kept = {"port": old.port, "more": old.more, "http_port": old.http_port}
        return Server(old.directory, old.host, old.users, self.store, self.options, ready=ready, **kept)

    def log_text(self) -> str:
        """What the server has logged."""
        return self.server.log_text()

    def close(self) -> None:
        """No server is left."""
        self.server.kill()

    async def _kill(self, kills: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        if not kills:
            await asyncio.sleep(seconds)  # the drill without its point: what it finds then is its own mistake
        while self.kills < kills and time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(*UP))
            self._die()
            await asyncio.sleep(self._random.uniform(*DOWN))
            while self._random.random() < EARLY:
                self.server = await asyncio.to_thread(self._again, False)
                await asyncio.sleep(self._random.uniform(*START))
                self._die()
            start = time.monotonic()
            self.server = await asyncio.to_thread(self._again)
            self.lives.begins()
            # A machine that takes long to start it gives it as much time to live, or no request would ever be answered.
            await asyncio.sleep(time.monotonic() - start)

    def _die(self) -> None:
        self.server.kill()
        self.kills += 1
        self.lives.ends()
        self.generation += 1

    async def _end(self) -> None:
        """All calls have ended, all subscriptions that ended are gone: the gauges say so."""
        found = await asyncio.to_thread(gauges, self.server)
        standing = sum(value for name, value in found.items() if name.startswith("b2bua_calls_active"))
        if standing > self.sipp.abandoned():
            self.errors.append(f"{standing:g} calls stand after all have ended, {self.sipp.abandoned()} of them SIPp's")
        log = self.log_text()
        if "Traceback" in log or "internal_error" in log:
            self.errors.append("the log has a mistake of the server's: " + "\n".join(log.splitlines()[-30:]))

    # -- the phones --------------------------------------------------------------------------------------------

    def _actors(self) -> Iterator[Actor]:
        numbers, hosts = count(), count(1)

        def baresip(transport: str) -> Telephone:
            user, password = next(self._users)
            folder, host = self.directory / f"baresip-{user}", f"{PHONES}.{next(hosts)}"
            return Telephone(folder, self.server.address, user, password, host, transport)

        def phone(transport: str) -> Phone:
            user, password = next(self._users)
            return Phone(user, password, (HOST, self.server.port), f"{PHONES}.{next(hosts)}", transport)

        def seed() -> str:
            return f"{self._seed} {next(numbers)}"

        watched = []
        for number in range(PAIRS):
            transport = ("udp", "tcp")[number % 3 == 2]
            pair = Pair(self, self.history, seed(), *(phone(transport) for _ in range(3)))
            watched.append(pair.phones[0].user)
            yield pair
        for number in range(WATCHERS):
            yield Watcher(self, self.history, seed(), phone(("udp", "tcp")[number % 2]), watched[number])
        for number in range(WANDERERS):
            yield Wanderer(self, self.history, seed(), phone(("udp", "tcp")[number % 2]))
        for number in range(PUBLISHERS):
            yield Publisher(self, self.history, seed(), phone(("udp", "tcp")[number % 2]))
        for _ in range(self._baresips):
            yield BaresipPair(self, self.history, seed(), baresip("udp"), baresip("udp"), phone("udp"))

    def ladder(self, loss: Loss) -> str:
        """What the phones of that loss said and heard."""
        for actor in self.actors:
            if isinstance(actor, BaresipPair) and loss.event.key in actor.dialogs:
                return self._with_deaths(actor.ladder(loss.event.at))
            call_ids = actor.dialogs.get(loss.event.key)
            if call_ids is not None or loss.event.key in {phone.user for phone in actor.phones}:
                return ladder(actor.phones, frozenset(call_ids or ()))
        return self.sipp.ladder(loss.event.key)

    def _with_deaths(self, entries: list[tuple[float, str]]) -> str:
        """In order of time, and between when the server was there to hear it."""
        first = min((at for at, _ in entries), default=0.0)
        last = max((at for at, _ in entries), default=0.0)
        entries += [(at, text) for at, text in self.lives.entries if first <= at <= last]
        return "\n".join(f"{at:.3f} {text}" for at, text in sorted(entries))


def told(drill: Drill, losses: list[Loss], seed: int) -> str:
    """What is printed at the end."""
    counted = drill.history.count() | drill.sipp.count()
    lines = [f"{drill.kills} kills, seed {seed}. Acknowledged:", *(f"  {name}: {n}" for name, n in sorted(counted.items()))]
    lines += [f"  given up by a phone whose re-INVITE or BYE met no server, {copies} copies" for copies in drill.given_up]
    sorts = {(loss.event.kind, loss.why): loss for loss in reversed(losses)}
    for loss in list(sorts.values())[::-1][:SHOWN]:
        lines += ["", f"LOST (seed {seed}): {loss}", drill.ladder(loss)]
    lines += ["", *(f"LOST (seed {seed}): {loss}" for loss in losses)] if losses else []
    lines += [f"WRONG (seed {seed}): {error}" for error in drill.errors]
    good = not losses and not drill.errors
    lines.append("drill: nothing that was acknowledged is lost" if good else f"drill: {len(losses)} lost")
    return "\n".join(lines)


def main() -> int:
    from tests.restart.drill_elsewhere import DrillElsewhere  # which is made of this one

    parser = argparse.ArgumentParser(prog="drill")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=600.0, help="fewer kills when this time is up")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds in which what was promised must be seen")
    parser.add_argument("--rate", type=float, default=20.0, help="hold calls a second that SIPp makes")
    parser.add_argument("--baresips", type=int, default=2, help="pairs of baresip")
    parser.add_argument("--elsewhere", action="store_true", help="Communication Manager in a process of its own")
    parser.add_argument("--keep", type=Path, help="a directory for logs, history and database")
    given = parser.parse_args()
    print(f"drill: seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="b2bua-drill-") as made:
        directory = given.keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        store = "memory:" if given.store == "memory" else f"sqlite:{directory / 'drill.db'}"
        kind = DrillElsewhere if given.elsewhere else Drill
        drill = kind(directory, given.seed, store, given.rate, given.patience, given.baresips)
        losses = asyncio.run(drill.run(given.kills, given.seconds))
        print(told(drill, losses, given.seed), flush=True)
    return 1 if losses or drill.errors else 0


if __name__ == "__main__":
    sys.exit(main())
