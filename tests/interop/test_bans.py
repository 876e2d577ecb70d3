"""`b2bua ban` on the real process. It hears us from loopback, which is never banned; tests/scenarios/test_bans.py bans."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.raw import Raw
from tests.interop.server import Server, command, environment

HOST = "127.0.0.93"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "lab.toml").write_text("ban_failures = 1\n")
    made = Server(tmp_path, HOST, None, options=("--config", "lab.toml"))
    yield made
    made.kill()


def run(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    argv = command("ban", *words, "--url", f"http://{server.http_host}:{server.http_port}")
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def test_loopback_is_never_banned(server: Server) -> None:
    server.users["6001"] = "a wrong password"
    raw = Raw(server, "6001")
    try:
        assert [raw.register() for _ in range(5)] == [401] * 5
    finally:
        raw.close()
    assert server.metric("b2bua_sources_banned") == 0
    done = run(server, "list")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("address", ["192.0.2.66", "2001:db8::/64", "127.0.0.1", "nonsense & more"])
def test_who_is_not_banned_cannot_be_heard_again(server: Server, address: str) -> None:
    done = run(server, "remove", address)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"b2bua: {address} is not banned\n")


@pytest.mark.parametrize("words", [("list",), ("remove", "192.0.2.66")])
def test_no_server_there(words: tuple[str, ...]) -> None:
    argv = command("ban", *words, "--url", f"http://{HOST}:9")
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and done.stderr.startswith("b2bua: cannot reach") and done.stderr.count("\n") == 1
