"""`make demo`: a server and three scripted phones on loopback; a call, a hold with its nine steps, the lamp, the media, and
a held call that goes on after `kill -9` of the server.

Everything that is printed was observed: the steps come from the server's trace, the lamp from the watchers' documents,
the counts from the phones' RTP ports. Exit status 0 only when all of it is as it has to be.
"""

from __future__ import annotations

import io
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.demo_report import between, folded, step_flaws, step_line
from b2bua.phone.demo_server import DemoServer
from b2bua.phone.endpoint import Endpoint
from b2bua.sip.dialog_info import DialogInfo
from b2bua.trace.records import Record

HOST: Final = "127.0.0.1"
DOMAIN: Final = "lab.internal"
SETTINGS: Final = ""
"""Further settings of the server, lines of TOML."""
CALLER, CALLEE, WATCHER = "6001", "6002", "6003"
TALK_SECONDS: Final = 1.0
GUARD_SECONDS: Final = 0.2
"""After the ACK of the hold: packets that were in flight then are none of the hold's."""
PATIENCE: Final = 5.0
"""Seconds for each thing that is waited for; most take milliseconds, a lamp up to one second."""
START_SECONDS: Final = 30.0
LIMIT: Final = 45.0
"""Seconds for the whole demo."""
POLL: Final = 0.01

LAMP: Final = ("confirmed", "held", "confirmed", "terminated")
SURVIVED: Final = ("held", "confirmed", "terminated")
"""What a watcher hears of the call that was on hold when the server died."""
PARTS: Final = ("before hold", "during hold", "after hold")


class DemoError(Exception):
    """The demo cannot go on; the text is one line that says what was missing."""


class Demo:
    """One run. `play` returns when all is over; `missing` is empty when all was seen."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        """The server is up when this returns; OSError (ChildProcessError) when it does not come up."""
        self.missing: list[str] = []
        self.over = False
        """Whether the script came to its end, good or bad."""
        self.after: list[str] = []
        """Lines on the call that survives."""
        self._reactor = reactor
        users = {name: secrets.token_urlsafe(12) for name in (CALLER, CALLEE, WATCHER)}
        file = folder / "users"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name},{password}\n" for name, password in users.items()))
        self._server = DemoServer(folder, HOST, DOMAIN, file, SETTINGS)
        self._phones: dict[str, Endpoint] = {}
        try:
            self._server.start()
            self._wait_for_server()
            self._start_phones(users)
        except BaseException:
            self.stop()
            raise
        self._records: list[Record] = []
        self._first_lamps: dict[str, list[str]] = {}
        """What each watcher saw of the first call, once that is over."""
        self._marks: list[dict[str, tuple[int, int]]] = []
        self._act: dict[str, int] = dict.fromkeys(self._phones, 1)
        """Documents of each watcher that belong to what was before: the first one came with the subscription."""

    def _wait_for_server(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._server.ready():
            if time.monotonic() > deadline:
                raise ChildProcessError(f"the server is not ready after {START_SECONDS:.0f} s")
            time.sleep(POLL)
        self.address = self._server.address

    def _start_phones(self, users: dict[str, str]) -> None:
        for number, (name, password) in enumerate(users.items(), 1):
            identity = Identity(name, DOMAIN, password)
            self._phones[name] = Endpoint(self._reactor, identity, self.address, HOST, 440 * number)
            self._phones[name].start()

    def stop(self) -> None:
        """Give all ports back."""
        for phone in self._phones.values():
            phone.stop()
        self._server.stop()

    # -- the script --------------------------------------------------------------------------------------------

    async def play(self) -> None:
        """All calls, from registration to the last NOTIFY. DemoError at the first thing that does not happen."""
        await self._register()
        for phone in self._phones.values():
            phone.phone.watch(self._phones[CALLER].phone.aor)
        await self._until(lambda: all(map(self._documents, self._phones)), "a NOTIFY for every watcher of the lamp")
        self._phones[CALLEE].phone.answer_after = 0.3
        try:
            await self._hold_in_nine_steps()
        finally:
            self._fetch_steps()
        await self._survive()
        await self._leave()

    def _fetch_steps(self) -> None:
        with suppress(OSError):  # without a trace the steps are missing, which the report says
            self._records = [record for record in self._server.trace() if record.get("step")]

    async def _hold_in_nine_steps(self) -> None:
        call = await self._dial()
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

    async def _survive(self) -> None:
        """A second call, on hold when the server is killed; the next process goes on with it."""
        self._first_lamps = {name: self._seen(name) for name in self._phones}
        self._act = {name: len(self._documents(name)) for name in self._phones}
        call = await self._dial()
        call.hold()
        await self._until(lambda: call.told, "the second hold's 200")
        await self._lamps("held", 1)
        self._act = {name: len(self._documents(name)) for name in self._phones}
        await self._kill_and_start()
        await self._lamps("held", 1)
        call.resume()
        await self._until(lambda: not call.told, "the 200 to the resume after the restart")
        await self._lamps("confirmed", 1)
        await self._talk("the call that survived")
        self.after.append(f"kill -9  {CALLER} resumes: 200 OK, both talk again")
        await self._end(call)
        self.after.append(f"kill -9  {CALLER} hangs up: 200 OK, BYE for {CALLEE}")

    async def _kill_and_start(self) -> None:
        died = self._server.pid
        self._server.kill()
        self.after.append(f"kill -9  {CALLER} holds a second call; the server, process {died}, is killed")
        start = self._reactor.seconds()
        self._server.start()
        await self._until(self._server.ready, "the next server on the same store", START_SECONDS)
        seconds = self._reactor.seconds() - start
        self.after.append(f"kill -9  process {self._server.pid} goes on with the same store after {seconds:.1f} s")

    async def _register(self) -> None:
        for phone in self._phones.values():
            phone.phone.registration.register()
        registrations = [phone.phone.registration for phone in self._phones.values()]
        await self._until(lambda: all(one.registered for one in registrations), "a 200 to every REGISTER")

    async def _dial(self) -> Call:
        call = self._phones[CALLER].phone.dial(CALLEE)
        await self._until(lambda: call.state is CallState.ESTABLISHED, "the call's 200")
        await self._lamps("confirmed", 1)
        return call

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

    async def _leave(self) -> None:
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
            seen = [self._seen(name) for name in self._phones]
            return all(words[-1:] == [word] and words.count(word) >= times for words in seen)

        await self._until(all_show_it, f"the lamp of {CALLER} {word} for every watcher")

    # -- waiting and counting ----------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        await deferLater(self._reactor, seconds)

    async def _until(self, true: Callable[[], bool], what: str, seconds: float = 0.0) -> None:
        deadline = self._reactor.seconds() + (seconds or PATIENCE)
        while not true():
            if self._reactor.seconds() > deadline:
                raise DemoError(what)
            await self._pause(POLL)

    def _counts(self) -> dict[str, tuple[int, int]]:
        return {name: self._phones[name].media_counts() for name in (CALLER, CALLEE)}

    def _mark(self) -> None:
        self._marks.append(self._counts())

    def _documents(self, name: str) -> list[DialogInfo]:
        """What a watcher got of the caller's lamp, all of it."""
        return self._phones[name].seen.get(f"sip:{CALLER}@{DOMAIN}", [])

    def _seen(self, name: str) -> list[str]:
        """What the lamp has shown since this act began, in words, repetitions folded."""
        return folded(self._documents(name)[self._act[name] :])

    # -- what was found ----------------------------------------------------------------------------------------

    def report(self) -> list[str]:
        """The lines to print; what is not as it has to be goes into `missing`."""
        lines = [*self._steps(), "", *self._lamp_lines(), "", *self._media_lines(), "", *self.after, *self._survival()]
        self.missing += [f"no internal error: {error}" for error in self._server.errors()]
        for phone in self._phones.values():
            self.missing += [f"no error in the phone: {error!r}" for error in phone.failures]
        return lines

    def _steps(self) -> list[str]:
        records = self._records
        self.missing += step_flaws([record["step"] for record in records])
        start = float(records[0]["time"]) if records else 0.0
        steps = sorted({record["step"] for record in records})
        return [step_line(step, [one for one in records if one["step"] == step], start) for step in steps]

    def _lamp_lines(self) -> list[str]:
        seen = self._first_lamps or {name: self._seen(name) for name in self._phones}
        return [f"lamp of {CALLER} seen by {name}: {self._in_order(name, seen[name], LAMP)}" for name in self._phones]

    def _survival(self) -> list[str]:
        if not self._first_lamps:
            return []
        lines = [
            f"kill -9  lamp of {CALLER} seen by {name} from the restart on: {self._in_order(name, self._seen(name), SURVIVED)}"
            for name in self._phones
        ]
        marks = self._marks[2 * len(PARTS) :]
        for name in (CALLER, CALLEE) if len(marks) == 2 else ():
            lines.append(f"kill -9  RTP of {name} in the resumed call: {between(marks[0][name], marks[1][name])}")
        return lines

    def _in_order(self, name: str, words: list[str], wanted: tuple[str, ...]) -> str:
        remaining = iter(words)
        if not all(word in remaining for word in wanted):
            self.missing.append(f"the lamp of {CALLER} as {name} sees it: {', '.join(wanted)}")
        return ", ".join(words) or "nothing"

    def _media_lines(self) -> list[str]:
        if len(self._marks) < 2 * len(PARTS):
            self.missing.append("media before, during and after the hold")
            return []
        lines = []
        for name in (CALLER, CALLEE):
            counts = [between(self._marks[2 * part][name], self._marks[2 * part + 1][name]) for part in range(3)]
            before, during, after = counts
            if not (before.received and after.received):
                self.missing.append(f"media to {name} before and after the hold")
            if during.received:
                self.missing.append(f"no media to {name} during the hold ({during.received} packets)")
            lines.append(f"RTP of {name}: " + "; ".join(f"{part}: {each}" for part, each in zip(PARTS, counts, strict=True)))
        return lines


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
        except OSError as error:
            print(f"demo: cannot start: {error}", file=sys.stderr)
            return 1
        _run(demo, reactor)
        host, port = demo.address
        print(f"Phone {CALLER} calls {CALLEE} through {host}:{port}, holds, resumes, hangs up. Steps of the hold:\n")
        print("\n".join(demo.report()), end="\n\n")
    if demo.missing:
        print("demo: failed; missing: " + "; ".join(demo.missing))
        return 1
    print("demo: all nine steps in order, the lamp and the media as they should be; the held call has survived kill -9")
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
