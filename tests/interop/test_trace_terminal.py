"""`b2bua trace` in a real terminal, beside a real server with a real call: what an engineer at the keyboard sees."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.server import DOMAIN, Server, command, environment, free_port, wait_until
from tests.interop.tmux import Terminal

HOST = "127.0.0.81"
USERS = {name: f"secret-of-{name}" for name in ("6001", "6002", "6003")}
HOLD = "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"


class Phones:
    """The three scripted phones; each `next` takes them one step on."""

    def __init__(self, server: Server) -> None:
        arguments = ["-m", "tests.interop.scripted_call", HOST, str(server.port), DOMAIN, *USERS.values()]
        self._process = subprocess.Popen(
            [sys.executable, *arguments], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.reached = self._line()

    def next(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.reached = self._line()
        assert self.reached == what

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(5.0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def start(stack: ExitStack, directory: Path, port: int = 0, http_port: int = 0) -> Server:
    server = Server(directory, HOST, USERS, port=port, http_port=http_port)
    stack.callback(server.kill)
    return server


def url(server: Server) -> str:
    return f"http://{HOST}:{server.http_port}"


def held(stack: ExitStack, server: Server) -> Phones:
    phones = Phones(server)
    stack.callback(phones.close)
    assert phones.reached == "registered"
    phones.next("talking")
    phones.next("held")
    return phones


def view(stack: ExitStack, directory: Path, *arguments: str, width: int = 120, height: int = 40) -> Terminal:
    terminal = Terminal(directory, command("trace", *arguments), width, height)
    stack.callback(terminal.close)
    return terminal


def answer(terminal: Terminal, key: str, prompt: str, text: str) -> None:
    """What a key asks for, in place of what stands there: each step once the one before is seen, since in a burst keys that
    act overtake those that are text, on a busy machine."""
    terminal.keys(key)
    terminal.until(prompt)
    terminal.keys("C-u")
    wait_until("an empty line, which shows the hint too", lambda: terminal.screen().count(prompt) == 2)
    terminal.type(text)


def test_a_hold_is_watched_live_and_looked_into(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path)
    terminal = view(stack, tmp_path, "--url", url(server), "-nr", "-no")
    terminal.until("live", "s=Stop q=Quit ENTER=Details")
    phones = held(stack, server)
    terminal.until("6001", "SM", "CM", "6002", "6003", "NOTIFY", "hold")

    terminal.keys("Home", "g")
    first = next(row for row in server.trace() if row.get("step") == 1)
    number = server.trace().index(first) + 1
    terminal.type(str(number))
    screen = terminal.until("(1)┌", "(2)│", "(3)└", "(4)", "(5)", "(6)", "(8)", HOLD, f"at #{number}")
    assert screen.count(HOLD) >= 3
    assert "answer: audio recvonly for sendonly, o= version 1 → 2, nothing else" in screen
    order = [screen.index(f"({step})") for step in (1, 2, 3, 4, 5, 6, 8, 9)]
    assert order == sorted(order)

    terminal.keys("Enter")
    details = terminal.until(f"#{number} ", "step 1 of a hold", HOLD, "CSeq: ", "a=sendonly", "ENTER=Back")
    assert f"→ SM ({server.address})" in details
    terminal.keys("n")
    terminal.until("SIP/2.0 407 Proxy Authentication Required")
    terminal.keys("Escape")
    terminal.until("s=Stop")

    terminal.keys("i")
    terminal.until(f"{server.address}", "i=Names")
    terminal.keys("s")
    terminal.until("stopped", "s=Start")
    phones.next("resumed")
    terminal.keys("s")
    terminal.keys("End")
    terminal.until("live", "resume: audio sendonly → sendrecv, o= version 2 → 3, nothing else")

    terminal.keys("d")
    terminal.until("6001 → 6002", "confirmed", "holds 1")
    terminal.keys("d")
    terminal.until("requests: ACK", "messages with something wrong: 0")
    terminal.keys("d")
    terminal.keys("q")
    terminal.until("ended 0")
    server.check_healthy()


def test_filters_a_file_and_narrow_windows(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path)
    held(stack, server)
    terminal = view(stack, tmp_path, "--url", url(server), "-u", "6003", "-o", "dialog", width=100)
    terminal.until("filter -u 6003 -o dialog", "SUBSCRIBE", without="INVITE")
    answer(terminal, "f", "filter: -u USER", "-o (")
    terminal.until("filter: -o '(': ")
    terminal.keys("C-u")
    terminal.until("filter: -u USER")
    terminal.type("-o a=sendonly -ns")
    terminal.until("filter -o a=sendonly -ns", HOLD, without="NOTIFY 6001")

    written = tmp_path / "hold.log"
    answer(terminal, "w", "write:", str(written))
    terminal.until("written: ")
    lines = written.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("### traceSM name_ip: ") and lines[1] == "com.avaya.asm  SIPMSGT "
    assert not any(password in line for line in lines for password in USERS.values())

    for width, height, label in ((58, 12, "200"), (30, 6, "│"), (140, 35, "INVITE sdp:sendonly")):
        terminal.resize(width, height)
        screen = terminal.until(label, "│")
        assert all(len(line) <= width for line in screen.splitlines())
    terminal.keys("c")
    terminal.until("0 ", " messages · live", without=HOLD)  # none of those that came since: "0 of 2"
    terminal.keys("q")
    terminal.until("ended 0")


class Stranger:
    """A UDP socket that asks, hears nothing and repeats itself."""

    def __init__(self, stack: ExitStack, server: Server, host: str = HOST) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stack.callback(self._socket.close)
        self._socket.bind((host, 0))
        self._server = (HOST, server.port)
        self.end = f"{host}:{self._socket.getsockname()[1]}"

    def asks(self, method: str, user: str, call_id: str, *headers: str, copies: int = 1) -> None:
        lines = [
            f"{method} sip:6009@{DOMAIN} SIP/2.0", f"Via: SIP/2.0/UDP {self.end};branch=z9hG4bK{call_id}{method}",
            f"From: <sip:{user}@{DOMAIN}>;tag=1", f"To: <sip:6009@{DOMAIN}>", f"Call-ID: {call_id}", f"CSeq: 1 {method}",
            f"Contact: <sip:{user}@{self.end}>", "Max-Forwards: 70", *headers, "Content-Length: 0", "", "",
        ]  # fmt: skip
        for _ in range(copies):
            self._socket.sendto("\r\n".join(lines).encode(), self._server)


def test_every_switch_of_the_filter_at_once(stack: ExitStack, tmp_path: Path) -> None:
    """Each criterion, some twice, is met by one call alone; what is hidden is so though it meets one."""
    server = start(stack, tmp_path)
    by = {name: Stranger(stack, server) for name in ("u1", "u2", "c1", "c2", "s", "g", "o", "none")}
    by["i"] = Stranger(stack, server, "127.0.0.82")
    by["u1"].asks("INVITE", "7001", "of-u1", copies=3)
    by["u2"].asks("INVITE", "7002", "of-u2")
    by["c1"].asks("INVITE", "7000", "of-c1")
    by["c2"].asks("INVITE", "7000", "of-c2")
    by["s"].asks("INVITE", "7000", "of-s", "Av-Global-Session-ID: gsid-7")
    by["g"].asks("INVITE", "7000", "of-g", "s: Thirty Two")
    by["o"].asks("INVITE", "7000", "of-o", "Organization: nine")
    by["i"].asks("INVITE", "7000", "of-i")
    by["none"].asks("INVITE", "7000", "of-none")
    for method in ("REGISTER", "SUBSCRIBE", "OPTIONS"):
        by["u1"].asks(method, "7001", f"hidden-{method}", "Event: dialog", "Expires: 60")
    wait_until("all of it", lambda: sum("hidden-OPTIONS" in row["message"] for row in server.trace()) >= 2)

    switches = ["-u", "7001", "-u", f"sip:7002@{DOMAIN}", "-i", r"^127\.0\.0\.82:", "-c", "of-c1", "-c", "of-c2", "-s", "gsid-7",
                "-g", "Subject=thirty two", "-o", "^Organization: n[aeiou]ne"]  # fmt: skip
    more = ["-or", "-nr", "-ns", "-no"]
    terminal = view(stack, tmp_path, "--url", url(server), *switches, *more, "--addresses", width=235, height=60)
    shown = terminal.until("INVITE ×3", "i=Names", "-or -nr -ns -no", *(by[name].end for name in by if name != "none"))
    assert by["none"].end not in shown
    assert not any(method in shown for method in ("REGISTER", "SUBSCRIBE", "OPTIONS"))
    terminal.keys("i")
    terminal.until("i=Addresses")
    # The same without -or: no call meets all of it. What the line says is what the key f takes.
    answer(terminal, "f", "filter: -u USER", shlex.join([*switches, *more[1:]]))
    terminal.until("0 of ", "-nr -ns -no", without="INVITE ×3")
    answer(terminal, "f", "filter: -u USER", "-u 7001 -c of-u1 -o ^INVITE -no")
    terminal.until("INVITE ×3", without=by["i"].end)
    terminal.keys("q")
    terminal.until("ended 0")

    lone = subprocess.run(
        command("trace", "--url", url(server), "--json", *switches, *more), env=environment(), capture_output=True, text=True,
        timeout=20.0, check=True,
    )  # fmt: skip
    assert [f"Call-ID: of-{name}" in lone.stdout for name in by] == [name != "none" for name in by]
    assert "hidden-" not in lone.stdout
    saved = tmp_path / "saved.json"
    saved.write_text(lone.stdout, encoding="utf-8")
    (tmp_path / "again").mkdir()
    again = view(stack, tmp_path / "again", str(saved), "--plain", *switches, *more, width=110, height=80)
    assert "REGISTER" not in again.until("INVITE ×3", "ended 0")


def test_a_server_is_restarted_under_the_view(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path)
    terminal = view(stack, tmp_path, "--url", url(server))
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        plain = subprocess.Popen(
            command("trace", "--url", url(server)), env=environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            # Whoever runs the tests in the background of a shell has them ignore it, and what they start as well.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    stack.callback(plain.kill)
    terminal.until("live", "OPTIONS")
    wait_until("the trace in plain text", lambda: "OPTIONS" in printed.read_text(encoding="utf-8"))
    server.kill()
    terminal.until("the server is gone: ", "waiting for it")
    again = start(stack, tmp_path, server.port, server.http_port)
    terminal.until("connected again")
    held(stack, again)
    terminal.until("hold: audio sendrecv → sendonly")
    terminal.keys("C-c")
    terminal.until("ended 0")

    wait_until("the hold in plain text", lambda: HOLD in printed.read_text(encoding="utf-8"))
    plain.send_signal(signal.SIGINT)
    assert plain.wait(5.0) == 0
    out = printed.read_text(encoding="utf-8")
    assert out.count("the server is gone: ") == 1 and out.count("connected again --") == 1
    assert out.index("the server is gone") < out.index("connected again") < out.index(HOLD)
    assert "\x1b" not in out and "Traceback" not in out


def test_what_cannot_be_shown_is_one_line(stack: ExitStack, tmp_path: Path) -> None:
    nobody = free_port(HOST)
    terminal = view(stack, tmp_path, "--url", f"http://{HOST}:{nobody}", width=150)
    screen = terminal.until("ended 2")
    assert f"b2bua trace: cannot read the trace of http://{HOST}:{nobody}: Connection refused" in screen
    assert "Traceback" not in screen


@pytest.mark.parametrize("view_of", [("--plain",), ("--json", "--follow")])
def test_the_reader_of_a_pipe_has_enough(stack: ExitStack, tmp_path: Path, view_of: tuple[str, ...]) -> None:
    """As `| head -1`: it ends, and not only when the next message comes."""
    server = start(stack, tmp_path)
    shown = subprocess.Popen(
        command("trace", "--url", url(server), *view_of), env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    stack.callback(shown.kill)
    assert shown.stdout is not None and shown.stderr is not None
    for _ in server.trace() if "--json" in view_of else "1":
        assert shown.stdout.readline()
    shown.stdout.close()
    assert shown.wait(10.0) == 0
    assert shown.stderr.read() == b""
    shown.stderr.close()
