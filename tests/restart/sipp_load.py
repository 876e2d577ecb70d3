"""SIPp's part of a drill: hold calls at a rate, one after the other over all deaths, judged by SIPp's own log."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

from tests.interop.script import Caller
from tests.interop.server import Server, free_port, wait_until
from tests.interop.sipp import Phone, is_bound, logged
from tests.interop.wire import Message
from tests.restart.history import GONE, Event, Loss

CALLEE: Final = Path(__file__).resolve().parents[1] / "load" / "scenarios" / "uas.xml"
COUPLES: Final = 10
"""Callers and as many callees, of those users that nobody else has."""
CHALLENGES: Final = (401, 407)
TALK_MS, HOLD_MS = 300, 900
END_SECONDS: Final = 25.0


class SippLoad:
    """`start`, then `finish` when no more calls shall begin; `judge` reads the log."""

    def __init__(self, directory: Path, server: Server, users: dict[str, str], rate: float) -> None:
        self.directory = directory / "sipp"
        self._server = server
        self._rate = rate
        names = list(users)[-2 * COUPLES :]
        self._callers = [(name, users[name]) for name in names[:COUPLES]]
        self._callees = [(name, users[name]) for name in names[COUPLES:]]
        self._near = Phone(*self._callers[0], server.host, free_port(server.host))
        self._far = Phone(*self._callees[0], server.host, free_port(server.host))
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Registers the callees, then calls begin."""
        self.directory.mkdir(parents=True)
        if not self._rate:
            return
        contact = f"<sip:[field0]@{self._server.host}:{self._far.port}>"
        lines = [f"{name};[authentication username={name} password={password}]" for name, password in self._callees]
        registering = self._sipp("register", Caller().register(contact).xml(), lines, self._near, len(lines), 50.0)
        assert registering.wait(END_SECONDS) == 0, "SIPp could not register"
        self._sipp("callee", CALLEE.read_text(), [], self._far, 0, 10.0)
        wait_until("SIPp's callee listens", lambda: is_bound(self._far))
        lines = [
            f"{name};[authentication username={name} password={password}];{callee}"
            for (name, password), (callee, _) in zip(self._callers, self._callees, strict=True)
        ]
        script = Caller("[field2]").dial().pause(TALK_MS).reinvite("sendonly").pause(HOLD_MS).reinvite("sendrecv").bye()
        self._sipp("caller", script.xml(), lines, self._near, 0, self._rate)

    def _sipp(self, name: str, scenario: str, lines: list[str], phone: Phone, calls: int, rate: float) -> subprocess.Popen[bytes]:
        folder = self.directory / name
        folder.mkdir()
        (folder / "scenario.xml").write_text(scenario)
        users = folder / "users.csv"
        users.touch(mode=0o600)
        users.write_text("".join(f"{line}\n" for line in ["SEQUENTIAL", *lines]))
        argv = ["sipp", self._server.address, "-sf", "scenario.xml", "-i", phone.host, "-ci", phone.host, "-p", str(phone.port)]
        argv += ["-inf", "users.csv"] if lines else []
        argv += ["-m", str(calls)] if calls else []
        argv += ["-t", "u1", "-nostdin", "-r", f"{rate:g}", "-l", "5000", "-deadcall_wait", "4000", "-buff_size", "4194304"]
        argv += ["-default_behaviors", "all,-abortunexp", "-recv_timeout", "30000", "-timeout", "7200"]
        argv += ["-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"]
        with (folder / "screen.log").open("wb") as log:
            made = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(made)
        return made

    def finish(self) -> None:
        """No new calls; those that stand come to their ends."""
        if not self._rate:
            return
        caller = self._processes[-1]
        if caller.poll() is None:
            caller.send_signal(10)  # SIGUSR1: finish what stands, then leave
        try:
            caller.wait(END_SECONDS + 15)
        except subprocess.TimeoutExpired:
            caller.kill()
            caller.wait(5)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait(5)

    # -- what its log says -------------------------------------------------------------------------------------

    def calls(self) -> dict[str, list[tuple[bool, Message]]]:
        """Call-ID → (received, message) in order, the caller's."""
        found: dict[str, list[tuple[bool, Message]]] = {}
        for came, message in logged(self.directory / "caller" / "messages.log"):
            found.setdefault(message.call_id, []).append((came, message))
        return found

    def judge(self) -> list[Loss]:
        """A call that was answered 200 is never told that it does not exist, and nobody but its phones ends it."""
        losses = []
        for call_id, messages in self.calls().items():
            why, status = wrong(messages)
            if why:
                losses.append(Loss(Event(time.monotonic(), "call", call_id, "sipp", status), why))
        return losses

    def abandoned(self) -> int:
        """Calls that stand, as SIPp has given them up without a BYE in their dialog."""
        found = self.count()
        return found["SIPp calls established"] - found["SIPp BYEs"]

    def count(self) -> dict[str, int]:
        found = {"SIPp calls established": 0, "SIPp re-INVITEs": 0, "SIPp BYEs": 0}
        for messages in self.calls().values():
            acknowledged = {(message.cseq_method, message.cseq) for came, message in messages if came and message.status == 200}
            invites = sorted(cseq for method, cseq in acknowledged if method == "INVITE")
            found["SIPp calls established"] += bool(invites)
            found["SIPp re-INVITEs"] += len(invites[1:])
            found["SIPp BYEs"] += any(method == "BYE" for method, _ in acknowledged)
        return found

    def ladder(self, call_id: str) -> str:
        messages = self.calls().get(call_id, [])
        return "\n".join(f"{'<-' if came else '->'} {message.start}  {message.get('CSeq')}" for came, message in messages)


def wrong(messages: list[tuple[bool, Message]]) -> tuple[str, int]:
    """Of one call; "" when all is well.

    SIPp follows its script to the letter: a message that has no place in it (a challenge once more, a 200 once more) makes
    it give up, with a BYE that is in no dialog. From then on the call is nobody's.
    """
    dialog = ""
    byes = 0
    for came, message in messages:
        if not came:
            if message.method == "BYE":
                byes += 1
                if message.uri != dialog:
                    return "", 0
        elif message.status == 200 and message.cseq_method == "INVITE":
            dialog = message.get("Contact").strip("<>")
        elif message.status == 200 and message.cseq_method == "BYE":
            return "", 0
        elif dialog and message.status in GONE and (not byes or (message.cseq_method == "BYE" and byes == 1)):
            # A BYE that was sent again across a death may have been obeyed by the one that died; whatever was open ends by it.
            return "the call is lost", message.status
        elif message.method == "BYE" and not byes:
            return "the call was ended by nobody of it", 0
    return "", 0
