"""The trace on disk, of a real server: a held call is there after `kill -9`, in JSON, a page and the terminal."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.server import Server, command, environment, wait_until
from tests.interop.test_trace_terminal import HOLD, USERS, held, view

HOST = "127.0.0.81"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def trace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command("trace", *arguments), env=environment(), capture_output=True, text=True, timeout=30)


def start(stack: ExitStack, directory: Path, keep: str) -> Server:
    config = directory / "lab.toml"
    config.write_text(f'trace_keep = "{keep}"\n')
    server = Server(directory, HOST, USERS, options=("--config", str(config)))
    stack.callback(server.kill)
    return server


def steps(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "step" in record]


def from_disk(url: str) -> list[dict[str, Any]]:
    return steps([json.loads(line) for line in trace("--url", url, "--json", "--since", "1h").stdout.splitlines()])


def test_a_call_from_before_is_there_after_a_kill(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, "24h")
    url = f"http://{HOST}:{server.http_port}"
    held(stack, server)

    def all_kept() -> bool:
        there = steps(server.trace())
        return any(one["step"] == 9 for one in there) and from_disk(url) == there

    wait_until("the hold is on disk, and what follows it", all_kept)
    before = steps(server.trace())
    server.kill()
    kept = tmp_path / "var" / "trace.db"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    on_disk = b"".join(file.read_bytes() for file in kept.parent.glob("trace.db*"))
    assert not any(password.encode() in on_disk for password in USERS.values())
    assert b"Proxy-Authorization" in on_disk and b'response="***"' in on_disk

    again = start(stack, tmp_path, "24h")
    url = f"http://{HOST}:{again.http_port}"
    assert not steps(again.trace()), "the ring began anew"
    assert from_disk(url)[: len(before)] == before
    page = tmp_path / "night.html"
    done = trace("--url", url, "--since", "1h", "--export", "html", str(page), "-u", "6001")
    assert done.returncode == 0 and HOLD in page.read_text() and "why: digest: right, of 6001" in page.read_text()
    terminal = view(stack, tmp_path, "--url", url, "--since", "1h", "-nr", "-no", "-ns")
    terminal.until("live", "6002", "(9)")
    assert trace("--url", url, "--json", "--since", "1s").stdout.count("a=sendonly") == 0
    assert "--since: 'x' is no time" in trace("--url", url, "--since", "x").stderr


def test_without_trace_keep_it_is_said(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, "")
    done = trace("--url", f"http://{HOST}:{server.http_port}", "--json", "--since", "1h")
    assert done.returncode == 2 and done.stderr == "b2bua trace: no trace is kept on disk: trace_keep is not set\n"
    assert not (tmp_path / "var" / "trace.db").exists()
