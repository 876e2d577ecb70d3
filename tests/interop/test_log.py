"""The log of the real process: JSON lines, levels that a reload follows, what `b2bua logs` finds, and no secret in any of it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2bua.log.events import EVENTS
from tests.interop.server import Server, command, environment, wait_until
from tests.interop.test_secrets import USERS, Lab
from tests.restart.phone import Phone

HOST, PHONES = "127.0.0.201", "127.0.0.202"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    config = tmp_path / "lab.toml"
    config.write_text('log_format = "json"\nlog_levels = { all = "debug" }\n')
    made = Server(tmp_path, HOST, USERS, options=("--config", str(config)))
    try:
        yield made
        assert made.stop() == 0
    finally:
        made.kill()


def entries(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.log_text().splitlines()]


def said(server: Server, *words: str) -> list[dict[str, object]]:
    """What `b2bua logs` prints."""
    url = f"http://{server.http_host}:{server.http_port}"
    run = subprocess.run(
        command("logs", "--json", "--url", url, *words), capture_output=True, text=True, timeout=60, env=environment()
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


async def a_call(server: Server) -> None:
    one, other = (Phone(user, USERS[user], (HOST, server.port), PHONES) for user in ("6001", "6002"))
    guessing = Phone("6003", "a-guess", (HOST, server.port), PHONES)
    try:
        for phone in (one, other, guessing):
            await phone.open()
        assert await guessing.register() == 401
        for phone in (one, other):
            assert await phone.register() == 200
        near = one.leg("6002")
        dialling = asyncio.create_task(near.dial())
        far = await asyncio.wait_for(other.incoming.get(), 10)
        far.answer()
        assert await dialling == 200
        assert (await near.hold()).status == 200
        assert await near.bye() == 200
    finally:
        for phone in (one, other, guessing):
            await phone.close()


def test_a_call_line_by_line(server: Server) -> None:
    asyncio.run(a_call(server))
    wait_until("the call's end", lambda: any(entry["event"] == "call_ended" for entry in entries(server)))
    found = entries(server)
    for entry in found:
        event = EVENTS[str(entry["event"])]
        assert (entry["area"], entry["level"]) == (event.area, event.level)
        assert set(entry) - {"time", "level", "area", "event", "suppressed"} <= {*event.fields, "exception"}
    calls = [entry for entry in found if entry["area"] == "calls"]
    assert [entry["event"] for entry in calls] == ["call_offered", "call_answered", "call_held", "call_ended"]
    assert len({entry["call"] for entry in calls}) == 1 and calls[-1]["result"] == "answered"
    wrong, *_ = [entry for entry in found if entry["event"] == "credentials_wrong"]
    assert (wrong["user"], wrong["method"]) == ("6003", "REGISTER") and str(wrong["peer"]).startswith(f"{PHONES}:")
    assert [entry["user"] for entry in found if entry["event"] == "registered"] == ["6001", "6002"]

    assert [entry["event"] for entry in said(server, "--call", str(calls[0]["call"]))] == [entry["event"] for entry in calls]
    assert {entry["event"] for entry in said(server, "--user", "6003")} == {"credentials_wrong"}
    assert said(server, "--area", "access", "--level", "error") == []


def test_a_reload_changes_levels_and_form(server: Server, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('log_format = "text"\nlog_levels = { registrations = "warning" }\n')
    server.process.send_signal(signal.SIGHUP)
    wait_until("reload", lambda: " reloaded " in server.log_text())
    before = server.log_text()
    asyncio.run(a_call(server))
    after = server.log_text().removeprefix(before)
    assert " credentials_wrong user=6003 " in after
    assert "call_ended" not in after and "registered" not in after


def test_a_wrong_level_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('[log_levels]\ncalls = "info"\ncall = "debug"\n')
    run = subprocess.run(
        command("config", "check", "--config", str(tmp_path / "lab.toml")), capture_output=True, text=True, timeout=60,
        env=environment(),
    )  # fmt: skip
    assert run.returncode == 2
    assert "lab.toml:3: log_levels.call: unknown area 'call'; the nearest known area is 'calls'" in run.stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_at_the_lowest_level(tmp_path: Path, form: str) -> None:
    """Calls, a guess, a mistake of a feature that has the whole message in its hands; in the file and in what is kept."""
    lab = Lab(tmp_path, f'log_format = "{form}"\nlog_levels = {{ all = "debug" }}\n')
    try:
        asyncio.run(lab.live())
        text = lab.server.log_text() + json.dumps(said(lab.server))
        assert "internal_error" in text and "credentials_wrong" in text and "call_ended" in text
        for secret in lab.secrets():
            assert secret not in text
        assert 'response="' not in text.replace('response="***"', "") and "a-guess" not in text
    finally:
        lab.server.kill()
