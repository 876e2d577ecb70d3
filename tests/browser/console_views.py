"""The web console in a headless Chromium, while scripted phones on real sockets make, hold and end a call.

Not found by `make test`: `make interop` installs what it needs and names it. `CONSOLE_PICTURES=DIRECTORY` keeps pictures.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browser import HERE, PACKAGES
from tests.interop.feature_process import FeatureProcess
from tests.interop.server import DOMAIN, Server, environment, free_port, wait_until

HOST = "127.0.0.64"
CM_HOST = "127.0.0.65"
USERS = {str(number): f"secret-{number}-word" for number in (6001, 6002, 6003)}
PICTURES = os.environ.get("CONSOLE_PICTURES", "")
ANSWER_SECONDS = 20.0
HELD = "6001 holds 6002"


class Console:
    """A page of the console; every verb of console.mjs is a method."""

    def __init__(self, server: Server, directory: Path) -> None:
        chromium = shutil.which("chromium")
        assert chromium and shutil.which("node"), "not installed: chromium or node (make interop)"
        shutil.copy(HERE / "console.mjs", PACKAGES / "console.mjs")
        self._log = directory / "console.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["node", str(PACKAGES / "console.mjs"), chromium, f"http://{server.http_host}:{server.http_port}/"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._number = 0
        self._read()

    def __call__(self, verb: str, *argument: object) -> Any:
        self._number += 1
        assert self._process.stdin
        sent = {"id": self._number, "verb": verb, "argument": argument[0] if len(argument) == 1 else list(argument)}
        self._process.stdin.write(json.dumps(sent).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._read()
        assert answer["ok"], f"{verb} {argument}: {answer['error']}"
        return answer.get("data")

    def picture(self, name: str) -> None:
        if PICTURES:
            self("picture", str(Path(PICTURES) / f"{name}.png"))

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        readable, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline() if readable else b""
        assert line, f"the browser says nothing\n{self._log.read_text(errors='replace')[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        assert answer["id"] == self._number, answer
        return answer


class Phones:
    """The call of tests/interop/scripted_call.py, step by step."""

    def __init__(self, server: Server) -> None:
        words = [server.host, str(server.port), DOMAIN, *USERS.values()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.scripted_call", *words], env=environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        self._reached = self._line()

    def until(self, step: str) -> None:
        while self._reached != step:
            assert self.process.stdin
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            self._reached = self._line()

    def _line(self) -> str:
        assert self.process.stdout
        readable, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        line = self.process.stdout.readline().strip() if readable else ""
        assert line, "the phones have come no further"
        return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdin and self.process.stdout
        with suppress(OSError):
            self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "lab.toml").write_text("")
    started = Server(tmp_path, HOST, USERS, options=("--config", str(tmp_path / "lab.toml")))
    try:
        yield started
        if started.process.poll() is None:  # unless a test has killed it
            started.check_healthy()
            assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture
def console(server: Server, tmp_path: Path) -> Iterator[Console]:
    made = Console(server, tmp_path)
    yield made
    made.close()


@pytest.fixture
def phones(server: Server) -> Iterator[Phones]:
    made = Phones(server)
    yield made
    made.close()


def test_a_held_call_is_seen_and_explained(console: Console, phones: Phones) -> None:
    """Who has never seen it finds why the lamp is lit, the nine steps, each message and what changed in it."""
    console("go", "registrations")
    console("shows", "#view td", "6003")
    phones.until("talking")
    console("go", "lamps")
    console("shows", ".why li", "6001 talks 6002")
    phones.until("held")
    console("shows", ".why li", HELD)  # by itself: the page is live
    console("shows", ".why li", "its own +sip.rendering is no")
    assert console("count", ".why h3 .lamp.held") == 1
    console("shows", ".why td.good", "200")
    wait_until("told", lambda: "200" in console("texts", ".why td.good"))  # and no news that waits
    console.picture("lamps")
    console("click", ".why li a")
    console("shows", ".drawing text.time", "(7)")  # a NOTIFY may wait for a second
    steps = {text.split("(")[1][0] for text in console("texts", ".drawing text.time") if "(" in text}
    assert steps == set("123456789")
    assert console("count", ".drawing rect.lane.held") == 1 and console("count", ".drawing rect.lane.is-held") == 1
    arrows = console("count", ".drawing .arrow")
    for _ in range(arrows):
        console("press", "k")
        if "INVITE sip" in console("texts", "#message pre")[0] and console("count", "#message button") == 2:
            break
    assert console("count", ".drawing .names text.party") == 7  # two lamps, five columns
    assert console("count", '.drawing .names[transform="translate(0 0)"]') == 0, "they have come along"
    console("press", "d")
    console("shows", "#message .added", "sendonly")
    console("shows", "#message .gone", "sendrecv")
    assert not any('response="' in text and "<redacted>" not in text for text in console("texts", "#message pre"))
    console.picture("ladder")
    phones.until("resumed")
    console("shows", ".drawing text.note", "resume")
    assert console("wrong") == []


def test_the_trace_of_two_servers_and_of_the_disk(tmp_path: Path) -> None:
    """Session Manager here, Communication Manager in a process of its own: one ladder, who saw what, and one that dies."""
    link, peer, http = f"{HOST}:{free_port(HOST)}", f"{CM_HOST}:{free_port(CM_HOST)}", f"{CM_HOST}:{free_port(CM_HOST)}"
    config = tmp_path / "lab.toml"
    config.write_text(
        f'feature_server = "none"\nlinks = ["cm2=udp:{link}={peer}"]\ntrace_servers = ["cm=http://{http}"]\ntrace_keep = "24h"\n'
    )
    server = Server(tmp_path, HOST, USERS, options=("--config", str(config)))
    elsewhere = FeatureProcess(tmp_path, f"udp:{peer}", link, ("--name", "cm2", "--http", http, "--store", "memory:"))
    with ExitStack() as stack:
        stack.callback(server.kill)
        stack.callback(elsewhere.kill)
        elsewhere.start()
        phones, console = Phones(server), Console(server, tmp_path)
        stack.callback(phones.close)
        stack.callback(console.close)
        phones.until("held")
        console("go", "calls")
        console("shows", "#reach button", "With cm")
        console("shows", "#reach button", "Last hour")
        console("shows", "#view td", "6001 → 6002")
        assert console("count", "#view tbody tr") == 1, "one call, though two servers have it"
        console("click", "#view tbody a")
        console("shows", ".drawing text.time", "(9)")
        for _ in range(console("count", ".drawing .arrow")):
            console("press", "k")
            if any("INVITE sip" in text for text in console("texts", "#message pre")) and any(
                "seen by server here, then by server cm" in text for text in console("texts", "#message")
            ):
                break
        console("shows", "#message", "seen by server here, then by server cm")
        console("shows", "#message", "why: ")
        console.picture("two-servers")
        elsewhere.kill()
        console("shows", "p.bad", "Without cm: Connection refused")
        elsewhere.start()
        console("counts", "p.bad", 0)
        assert console("wrong") == []


def test_every_view_fits_a_small_screen_and_says_nothing_wrong(console: Console, phones: Phones) -> None:
    phones.until("held")
    for width in (1280, 390):
        console("size", width, 800)
        for place, text in (("overview", "phones registered"), ("registrations", "6001"), ("calls", "6001 → 6002"),
                            ("lamps", HELD), ("entities", "feature server"), ("faults", "Banned"), ("log", "ready"),
                            ("settings", "challenge_reinvite"), ("trace", "All that is kept")):  # fmt: skip
            console("go", place)
            console("shows", "#view", text)
            assert console("wide") <= 0, f"{place} is wider than {width}"
        console("go", "settings")
        console("shows", "#view td code", "TRANSPORT:HOST:PORT[/ADVERTISED]")
    assert console("wrong") == []


def test_the_log_is_searched_and_live(server: Server, console: Console, phones: Phones, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('log_levels = { calls = "debug", registrations = "debug" }\n')
    server.process.send_signal(signal.SIGHUP)
    console("go", "log")
    console("shows", "#view td a", "reloaded")
    phones.until("held")
    console("shows", "#view td a", "call held")  # by itself: the page is live
    console.picture("log")
    console("go", "log/area%3Dcalls")
    console("shows", "#view td a", "call offered")
    assert set(console("texts", "#view tbody td:nth-child(3)")) == {"calls"}
    console("fill", "#filter", "held")
    console("counts", "#view tbody tr", 1)
    console("fill", "#filter", "")
    console("go", "log/level%3Dwarning")
    console("shows", "#view p", "Nothing of it is kept.")
    console("go", "log/user%3D6002")
    console("shows", "#view button", "user 6002")
    console("click", "#view td a")
    console("shows", "#view button", "event")
    assert console("wrong") == []


def test_filter_keys_and_a_server_that_goes(server: Server, console: Console, phones: Phones) -> None:
    phones.until("talking")
    console("go", "registrations")
    console("shows", "#view td", "6002")
    console("press", "/")
    console("fill", "#filter", "6002")
    console("counts", "#view tbody tr", 1)
    assert console("texts", "#view tbody td:first-child") == ["6002"]
    console("press", "Escape")
    console("press", "c")
    console("shows", "#view td a", "6001 → 6002")
    phones.close()
    server.kill()
    console("shows", "#live", "no server")
