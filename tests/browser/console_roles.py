"""The web console with a log-in, in a headless Chromium: what a reader and an operator see, and three baresip phones steered by
an operator alone.

Not found by `make test`: `make interop` installs what it needs and names it. `CONSOLE_PICTURES=DIRECTORY` keeps pictures.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.console_views import Console
from tests.interop.phones import Phones
from tests.interop.server import DOMAIN, Server, command, environment, wait_until

HOST = "127.0.0.65"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6010)}
STORE = "sqlite:state.db"
PASSWORDS = {"rita": "a-word-of-ritas", "otto": "a-word-of-ottos"}


def accounts(directory: Path, *words: str, password: str = "") -> str:
    argv = command(*words, "--store", STORE, "--domain", DOMAIN)
    done = subprocess.run(
        argv, cwd=directory, env=environment(), input=f"{password}\n", capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for name, role in (("rita", "read-only"), ("otto", "operator")):
        accounts(tmp_path, "console-user", "add", name, "--role", role, password=PASSWORDS[name])
    started = Server(tmp_path, HOST, USERS, STORE)
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
        log = started.log_text()
        assert not any(password in log for password in PASSWORDS.values())
    finally:
        started.kill()


@pytest.fixture
def console(server: Server, tmp_path: Path) -> Iterator[Console]:
    made = Console(server, tmp_path)
    yield made
    made.close()


def log_in(console: Console, name: str, password: str = "") -> None:
    console("shows", "form.fields h2", "Log in")
    console("fill", "#field-name", name)
    console("fill", "#field-password", password or PASSWORDS[name])
    console("click", "form.fields button[type=submit]")


def test_a_reader_sees_everything_and_no_button(server: Server, console: Console, tmp_path: Path) -> None:
    console("go", "calls")
    assert console("wrong") == []
    log_in(console, "rita", "a-wrong-password")
    console("shows", "form.fields .bad", "name or password is wrong")
    console.picture("log-in")
    log_in(console, "rita")
    console("shows", "#me", "rita, read-only")
    console("shows", "#view h2", "Standing")
    console("shows", "#live", "live")
    assert console("count", "#view button") == 0
    assert console("cookies") == ""  # no script sees it
    for method, path in (("POST", "api/calls?do=make&from=6001&to=6002"), ("DELETE", "api/calls?id=1"), ("POST", "api/reload")):
        assert console("status", method, path) == 403
    console("go", "faults")
    console("shows", "#view h2", "Banned")
    assert console("count", "#view button") == 0
    accounts(tmp_path, "console-user", "remove", "rita")
    console("shows", "form.fields h2", "Log in")  # by itself: what was live is cut off
    log_in(console, "otto")
    console("shows", "#me", "otto, operator")
    console("click", "#me button")
    console("shows", "form.fields h2", "Log in")
    assert console("status", "GET", "api/overview") == 401


def test_an_operator_places_holds_resumes_transfers_and_ends_a_call(server: Server, console: Console, tmp_path: Path) -> None:
    with ExitStack() as stack:
        phones = Phones(server, tmp_path, HOST, stack)
        alice, bob, carol = (phones.new_baresip("udp", user) for user in ("6001", "6002", "6003"))
        console("go", "calls")
        log_in(console, "otto")
        console("shows", "#me", "otto")
        console("click", "text=Place a call")
        console("fill", "#field-from", alice.user)
        console("fill", "#field-to", "6099 0")
        console("click", "#question button[type=submit]")
        console("shows", "#question .bad", "is no user")
        console("fill", "#field-to", bob.user)
        console.picture("place")
        console("click", "#question button[type=submit]")
        for phone in (alice, bob):
            phone.expect("CALL_INCOMING")
            phone.command("accept")
            phone.expect("CALL_ESTABLISHED")
        console("click", "text=6001 holds")
        console("shows", "#view td", "held by 6001")
        console("shows", "#view td", "hold: 200")
        wait_until("one hold, nothing wrong", lambda: console("texts", "#view table:last-of-type td.num")[-2:] == ["1", "0"])
        console.picture("calls")
        wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
        console("click", "text=6001 resumes")
        console("shows", "#view button", "6001 holds")
        console("click", "text=Transfer")
        console("choose", "#field-user", alice.user)
        console("fill", "#field-to", carol.user)
        console("click", "#question button[type=submit]")
        carol.expect("CALL_INCOMING")
        carol.command("accept")
        carol.expect("CALL_ESTABLISHED")
        alice.expect("CALL_CLOSED")
        console("shows", "#view td button", f"{carol.user} holds")
        console("size", 390, 800)
        assert console("wide") <= 0
        console("click", "text=End")
        bob.expect("CALL_CLOSED")
        carol.expect("CALL_CLOSED")
        console("shows", "#view", "No call stands.")
