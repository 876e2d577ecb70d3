"""`make demo`: a server and three scripted phones on loopback; a call, a hold with its nine steps, the lamp, the media.

Everything that is printed was observed: the steps come from the server's trace, the lamp from the watchers' documents,
the counts from the phones' RTP ports. Exit status 0 only when all of it is as it has to be.
"""

from __future__ import annotations

import io
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from b2bua.config import ConfigError, Settings
from b2bua.config_addresses import Listen
from b2bua.feature_server.loader import LoadError
from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.endpoint import Endpoint
from b2bua.service import Server
from b2bua.sip.dialog_info import DialogInfo
from b2bua.store.interface import StoreError
from b2bua.trace.ladder import labels
from b2bua.trace.records import Reader, Record

HOST: Final = "127.0.0.1"
CALLER, CALLEE, WATCHER = "6001", "6002", "6003"
TALK_SECONDS: Final = 1.0
GUARD_SECONDS: Final = 0.2
"""After the ACK of the hold: packets that were in flight then are none of the hold's."""
PATIENCE: Final = 5.0
"""Seconds for each thing that is waited for; most take milliseconds, a lamp up to one second."""
LIMIT: Final = 18.0
"""Seconds for the whole demo."""
POLL: Final = 0.01

ORDER: Final = (1, 2, 3, 4, 5, 6, 8, 9)
"""Steps that follow each other; 7 follows 5 and goes to other phones than 8, so either of those may be first."""
LAMP: Final = ("confirmed", "held", "confirmed", "terminated")


class DemoError(Exception):
    """The demo cannot go on; the text is one line that says what was missing."""


class Counts(NamedTuple):
    """RTP packets of one phone in one part of the call."""

    sent: int
    received: int

    def __str__(self) -> str:
        return f"sent {self.sent}, received {self.received}"


class _Problems:
    """The server's log: an internal error fails the demo, the rest is nobody's concern here."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, event: str, **fields: Any) -> None:
        self.errors.append(f"{event}: {fields.get('exc_info') or ''}".strip(": "))

    def _quiet(self, event: str, **fields: Any) -> None:
        return

    debug = info = warning = _quiet


class Demo:
    """One run. `play` returns what was found; `missing` is empty when all was seen."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.missing: list[str] = []
        self.over = False
        """Whether the script came to its end, good or bad."""
        self.problems = _Problems()
        self._reactor = reactor
        users = {name: secrets.token_urlsafe(12) for name in (CALLER, CALLEE, WATCHER)}
        file = folder / "users"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name},{password}\n" for name, password in users.items()))
        settings = Settings(listen=(Listen("udp", HOST, 0),), http=(HOST, 0), users=file, store="memory:")
        self._server = Server(settings, reactor, self.problems)
        self._server.start()
        listener = self._server.listeners.first()
        assert listener is not None, "the settings above name one"
        self.address = listener.bound
        identities = [Identity(name, settings.domain, password) for name, password in users.items()]
        self._phones = {
            identity.user: Endpoint(reactor, identity, self.address, HOST, 440 * number)
            for number, identity in enumerate(identities, 1)
        }
        self._marks: list[dict[str, tuple[int, int]]] = []
        for phone in self._phones.values():
            phone.start()

    def stop(self) -> None:
        """Give all ports back."""
        for phone in self._phones.values():
            phone.stop()
        self._server.stop()

    # -- the script --------------------------------------------------------------------------------------------

    async def play(self) -> None:
        """The call, from registration to the last NOTIFY. DemoError at the first thing that does not happen."""
        caller, callee = self._phones[CALLER], self._phones[CALLEE]
        watched = caller.phone.aor
        await self._register()
        for phone in self._phones.values():
            phone.phone.watch(watched)
        await self._until(lambda: all(map(self._seen, self._phones)), "a NOTIFY for every watcher of the lamp")

        callee.phone.answer_after = 0.3
        call = caller.phone.dial(CALLEE)
        await self._until(lambda: call.state is CallState.ESTABLISHED, "the call's 200")
        await self._lamps("confirmed", 1)
        await self._talk("the call")

        call.hold()
        await self._until(lambda: call.told, "the hold's 200")
        await self._pause(GUARD_SECONDS)
        self._mark()
        await self._pause(TALK_SECONDS)
        await self._lamps("held", 1)
        self._mark()

        call.resume()
        await self._until(lambda: not call.told, "the resume's 200")
        await self._lamps("confirmed", 2)
        await self._talk("the resumed call")

        await self._end(call)

    async def _register(self) -> None:
        for phone in self._phones.values():
            phone.phone.registration.register()
        registrations = [phone.phone.registration for phone in self._phones.values()]
        await self._until(lambda: all(one.registered for one in registrations), "a 200 to every REGISTER")

    async def _talk(self, what: str) -> None:
        """Media in both directions for a second, counted."""
        before = self._counts()
        await self._until(
            lambda: all(self._counts()[name][1] > before[name][1] for name in (CALLER, CALLEE)), f"media in {what}"
        )
        self._mark()
        await self._pause(TALK_SECONDS)
        self._mark()

    async def _end(self, call: Call) -> None:
        callee = self._phones[CALLEE]
        call.hang_up()
        await self._until(lambda: call.state is CallState.ENDED, "the answer to BYE")
        await self._until(
            lambda: callee.call is not None and callee.call.state is CallState.ENDED, "the other phone's BYE"
        )
        await self._lamps("terminated", 1)
        phones = [phone.phone for phone in self._phones.values()]
        for phone in phones:
            phone.lamps[0].unsubscribe()
            phone.registration.unregister()
        await self._until(
            lambda: not any(phone.registration.registered or phone.lamps[0].active for phone in phones),
            "the end of registrations and subscriptions",
        )

    async def _lamps(self, word: str, times: int) -> None:
        def all_show_it() -> bool:
            seen = [self._since_idle(name) for name in self._phones]
            return all(words[-1:] == [word] and words.count(word) >= times for words in seen)

        await self._until(all_show_it, f"the lamp of {CALLER} {word} for every watcher")

    # -- waiting and counting ----------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        await deferLater(self._reactor, seconds)

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = self._reactor.seconds() + PATIENCE
        while not true():
            if self._reactor.seconds() > deadline:
                raise DemoError(what)
            await self._pause(POLL)

    def _counts(self) -> dict[str, tuple[int, int]]:
        return {name: self._phones[name].media_counts() for name in (CALLER, CALLEE)}

    def _mark(self) -> None:
        self._marks.append(self._counts())

    # -- what was found ----------------------------------------------------------------------------------------

    def report(self) -> list[str]:
        """The lines to print; what is not as it has to be goes into `missing`."""
        lines = [*self._steps(), "", *self._lamp_lines(), "", *self._media_lines()]
        self.missing += [f"no internal error: {error}" for error in self.problems.errors]
        for phone in self._phones.values():
            self.missing += [f"no error in the phone: {error!r}" for error in phone.failures]
        return lines

    def _steps(self) -> list[str]:
        recorder = self._server.recorder
        records = [record for record in Reader(recorder).read(recorder.entries()) if record and record.get("step")]
        self.missing += step_flaws([record["step"] for record in records])
        start = float(records[0]["time"]) if records else 0.0
        steps = sorted({record["step"] for record in records})
        return [step_line(step, [one for one in records if one["step"] == step], start) for step in steps]

    def _seen(self, name: str) -> list[str]:
        """What the caller's lamp showed a watcher, repetitions folded."""
        documents = self._phones[name].seen.get(f"sip:{CALLER}@{self._server.settings.domain}", [])
        words = [shown(document) for document in documents]
        return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]

    def _since_idle(self, name: str) -> list[str]:
        """Without the document that came with the subscription: idle reads terminated, too."""
        return self._seen(name)[1:]

    def _lamp_lines(self) -> list[str]:
        lines = []
        for name in self._phones:
            words = self._since_idle(name)
            remaining = iter(words)
            if not all(word in remaining for word in LAMP):
                self.missing.append(f"the lamp of {CALLER} as {name} sees it: {', '.join(LAMP)}")
            lines.append(f"lamp of {CALLER} seen by {name}: {', '.join(words) or 'nothing'}")
        return lines

    def _media_lines(self) -> list[str]:
        parts = ("before hold", "during hold", "after hold")
        if len(self._marks) < 2 * len(parts):
            self.missing.append("media before, during and after the hold")
            return []
        lines = []
        for name in (CALLER, CALLEE):
            counts = [_between(self._marks[2 * part][name], self._marks[2 * part + 1][name]) for part in range(3)]
            before, during, after = counts
            if not (before.received and after.received):
                self.missing.append(f"media to {name} before and after the hold")
            if during.received:
                self.missing.append(f"no media to {name} during the hold ({during.received} packets)")
            text = "; ".join(f"{part}: {count}" for part, count in zip(parts, counts, strict=True))
            lines.append(f"RTP of {name}: {text}")
        return lines


def step_flaws(steps: Sequence[int]) -> list[str]:
    """What is missing in the steps of one hold, given in the order in which they were seen; a step may come twice."""
    first: dict[int, int] = {}
    for index, step in enumerate(steps):
        first.setdefault(step, index)
    missing = [f"step {step}" for step in range(1, 10) if step not in first]
    both = [(a, b) for a, b in (*pairwise(ORDER), (5, 7)) if a in first and b in first]
    return missing + [f"step {a} before step {b}" for a, b in both if first[a] > first[b]]


def _between(start: tuple[int, int], end: tuple[int, int]) -> Counts:
    return Counts(end[0] - start[0], end[1] - start[1])


def shown(document: DialogInfo) -> str:
    """A document in one word: held while its own user holds, else the state of its dialog."""
    live = [dialog for dialog in document.dialogs if dialog.state != "terminated"]
    if not live:
        return "terminated"
    return "held" if live[0].local.rendering == "no" else live[0].state


def step_line(step: int, records: Sequence[Record], start: float) -> str:
    """`1  6001 → SM   INVITE sdp:sendonly`; several messages of one step share its line."""
    source = records[0]["source"]
    destinations = ", ".join(dict.fromkeys(str(record["destination"]) for record in records))
    texts = ", ".join(dict.fromkeys(labels(str(record["message"]))[0] for record in records))
    offset = (float(records[0]["time"]) - start) * 1000
    return f"{step}  {f'{source} → {destinations}':<24} {texts}  (+{offset:.1f} ms)"


def main() -> int:
    """Play, print, and say by the exit status whether all was seen."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrows shows question marks
    try:
        status = _demonstrate()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`) has enough. What Python flushes at its end must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _demonstrate() -> int:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    with tempfile.TemporaryDirectory(prefix="b2bua-demo-") as folder:
        try:
            demo = Demo(reactor, Path(folder))
        except (ConfigError, StoreError, LoadError, CannotListenError, OSError) as error:
            print(f"demo: cannot start: {error}", file=sys.stderr)
            return 1
        _run(demo, reactor)
        host, port = demo.address
        print(f"Phone {CALLER} calls {CALLEE} through {host}:{port}, holds, resumes, hangs up. Steps of the hold:\n")
        print("\n".join(demo.report()), end="\n\n")
    if demo.missing:
        print("demo: failed; missing: " + "; ".join(demo.missing))
        return 1
    print("demo: all nine steps in order, the lamp and the media as they should be")
    return 0


def _run(demo: Demo, reactor: Any) -> None:
    """Run the reactor until the script is over or its time is up."""

    def over(result: object) -> None:
        if limit.active():
            limit.cancel()
        if isinstance(result, Failure):
            error = result.value
            demo.missing.append(str(error) if isinstance(error, DemoError) else f"no internal error: {error!r}")
        demo.over = True
        _stop(reactor)

    def give_up() -> None:
        demo.missing.append(f"the end within {LIMIT:.0f} s")
        _stop(reactor)

    limit = reactor.callLater(LIMIT, give_up)
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(demo.play()).addBoth(over))
    reactor.run()
    if not (demo.over or demo.missing):
        demo.missing.append("the end: interrupted")
    demo.stop()


def _stop(reactor: Any) -> None:
    try:
        reactor.stop()
    except ReactorNotRunning:
        return


if __name__ == "__main__":
    sys.exit(main())
