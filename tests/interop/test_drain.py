"""`b2bua drain` and `b2bua reload` on the real process: the call that stands goes on, a new one is refused, then it stops."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import Raw
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment, wait_until

HOST = "127.0.0.86"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    (tmp_path / "lab.toml").write_text('users = "users.csv"\n')
    (tmp_path / "users.csv").write_text("6001,one\n6002,two\n")
    server = Server(tmp_path, HOST, None, options=("--config", "lab.toml"))
    server.users = {"6001": "one", "6002": "two", "6003": "three"}
    made = Lab(server, tmp_path / "lab")
    yield made
    made.close()
    server.kill()


def url_of(server: Server) -> str:
    return f"http://{server.http_host}:{server.http_port}"


def run(server: Server, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = command(name, "--url", url_of(server), *options)
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def test_drain_waits_for_the_call_and_stops(lab: Lab) -> None:
    server = lab.server
    a, b = lab.phone("6001"), lab.phone("6002")
    lab.register(a, b)
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
    caller = Caller(b.user).dial().reinvite("sendonly").wait().reinvite("sendrecv").bye()
    far, near = lab.start(callee, b), lab.start(caller, a)
    wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
    waiting = subprocess.Popen(
        command("drain", "--url", url_of(server)), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until("draining", lambda: server.metric("b2bua_admitted_share") == 0)
        with pytest.raises(HTTPError, match="503"):
            server.get("/readyz")
        raw = Raw(server, "6003")
        assert raw.register() == 500
        raw.close()
        near.go_on()
        near.finish()
        far.finish()
        said, _ = waiting.communicate(timeout=15)
    finally:
        waiting.kill()
        waiting.wait(5)
    assert waiting.returncode == 0
    assert (said.splitlines()[0], said.splitlines()[-1]) == ("draining: 1 call left", "the server has stopped")
    wait_until("the server ends", lambda: server.process.poll() is not None)
    assert server.process.returncode == 0


def test_drain_is_taken_back(lab: Lab) -> None:
    server = lab.server
    a, b = lab.phone("6001"), lab.phone("6002")
    lab.register(a, b)
    callee = Callee().ring().accept().byed()
    far, near = lab.start(callee, b), lab.start(Caller(b.user).dial().wait().bye(), a)
    wait_until("talking", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
    begun = run(server, "drain", "--no-wait")
    assert (begun.returncode, begun.stdout) == (0, "")
    undone = run(server, "drain", "--undo")
    assert (undone.returncode, undone.stdout) == (0, "calls are taken again\n")
    near.go_on()
    near.finish()
    far.finish()
    assert server.get("/readyz") == "ready\n"
    lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
    assert server.stop() == 0


def test_reload_tells(lab: Lab, tmp_path: Path) -> None:
    good = run(lab.server, "reload")
    assert (good.returncode, good.stdout) == (0, "settings, users and features read again\n")
    (tmp_path / "lab.toml").write_text("nonsense = 1\n")
    bad = run(lab.server, "reload")
    assert bad.returncode == 2 and bad.stdout == ""
    assert "unknown key 'nonsense'" in bad.stderr and bad.stderr.count("\n") == 1
    assert lab.server.stop() == 0


@pytest.mark.parametrize("name", ["drain", "reload"])
@pytest.mark.parametrize("url", ["http://127.0.0.86:9", "nonsense", "https://127.0.0.86:9", "http://[::1"])
def test_no_server_there(name: str, url: str) -> None:
    done = subprocess.run(
        command(name, "--url", url), env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2 and done.stderr.startswith("b2bua: ") and done.stderr.count("\n") == 1
