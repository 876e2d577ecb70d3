"""`b2bua run` as a user meets it: what is wrong is one line, what is right goes on after a restart."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import Raw, text
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Server, command, environment, free_port, wait_until

HOST = "127.0.0.54"

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers in the test's own directory; none survives the test."""
    started: list[Server] = []

    def start_one(*arguments: object, **options: object) -> Server:
        server = Server(tmp_path, HOST, *arguments, **options)  # type: ignore[arg-type]  # as the caller gives them
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.kill()


def run(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=directory,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a user's mistake must look like: exit 2, one line, no traceback."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and done.stdout == "", done.stderr
    assert lines[0].startswith("b2bua: ")
    return lines[0]


# ---- what cannot start


def test_a_taken_sip_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        http = free_port(HOST, socket.SOCK_STREAM)
        line = one_line(
            run(tmp_path, "run", "--store", "memory:", "--listen", f"udp:{HOST}:{port}", "--http", f"{HOST}:{http}")
        )
    assert f"{HOST}:{port}" in line and "in use" in line


def test_a_store_that_a_server_runs_with(start: Start, tmp_path: Path) -> None:
    """On ports of its own it would carry on the other's calls; a port that is taken, too, is what it says first."""
    first = start(None, store="sqlite:b2bua.db")
    http = free_port(HOST, socket.SOCK_STREAM)
    for listen, wanted in ((f"udp:{HOST}:0", "another server runs with it"), (f"udp:{HOST}:{first.port}", "in use")):
        same = "--domain", DOMAIN, "--store", "sqlite:b2bua.db"
        done = run(tmp_path, "run", *same, "--listen", listen, "--http", f"{HOST}:{http}")
        assert wanted in one_line(done)


def test_a_taken_http_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = one_line(
            run(tmp_path, "run", "--store", "memory:", "--listen", f"udp:{HOST}:0", "--http", f"{HOST}:{port}")
        )
    assert f"{HOST}:{port}" in line and "in use" in line


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        ('domain = "example.com"\n\nlissten = ["udp:127.0.0.54:5060"]\n', 3, "'listen'"),
        ('domain = "example.com"\ntrace = "many"\n', 2, "trace"),
        ('domain = "example.com\n', 1, ""),
    ],
    ids=["unknown key", "wrong value", "no TOML"],
)
def test_a_bad_file(tmp_path: Path, content: str, line: int, word: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    said = one_line(run(tmp_path, "run", "--config", "bad.toml"))
    assert f"bad.toml:{line}: " in said and word in said


def test_a_bad_users_file_shows_no_password(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("6001,first\nsecret-without-a-name\n")
    arguments = ("--store", "memory:", "--listen", f"udp:{HOST}:0", "--http", f"{HOST}:0", "--users", "users")
    said = one_line(run(tmp_path, "run", *arguments))
    assert "users:2: " in said and "secret" not in said


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ('features = ["hodl"]', "bad.toml:2: features: feature 'hodl' not found"),
        ('users = "nowhere"', "bad.toml:2: users: nowhere: No such file or directory"),
        ('tls_cert = "nowhere.pem"', "bad.toml:2: tls_cert: nowhere.pem: No such file or directory"),
        ('digest_algorithms = ["SHA-512-256"]', "bad.toml:2: digest_algorithms: user 6001 has no HA1 by SHA-512-256;"),
    ],
    ids=["feature", "users file", "certificate", "HA1"],
)
def test_what_only_a_start_finds_is_placed_too(tmp_path: Path, lines: str, place: str) -> None:
    if "digest" in lines:
        assert run(tmp_path, "user", "add", "6001", "--store", "sqlite:b2bua.db", text="secret\n").returncode == 0
    (tmp_path / "bad.toml").write_text(f"# the lab\n{lines}\n")
    arguments = ("--config", "bad.toml", "--store", "sqlite:b2bua.db", "--listen", f"udp:{HOST}:0", "--http", f"{HOST}:0")
    assert one_line(run(tmp_path, "run", *arguments)).startswith(f"b2bua: {place}")
    if "tls" in lines:
        assert not (tmp_path / "b2bua.db").exists()


def test_a_stronger_realm_starts_once_the_password_was_given_again(start: Start, tmp_path: Path) -> None:
    """SHA-256 for the domain; two phones that know MD5 only keep it by lists of their own, and call each other."""
    (tmp_path / "lab.toml").write_text(
        'digest_algorithms = ["SHA-256"]\n[user_digest_algorithms]\n6001 = ["MD5"]\n6002 = ["MD5"]\n'
    )
    options = ("--config", "lab.toml", "--store", "sqlite:b2bua.db", "--domain", "example.com")
    (tmp_path / "users.csv").write_text("user,password\n6001,one\n6002,two\n6003,three\n")
    assert run(tmp_path, "user", "import", "users.csv", *options).stdout == "3 users imported\n"
    server = start(None, store="sqlite:b2bua.db", options=("--config", "lab.toml"))
    server.users = {"6001": "one", "6002": "two", "6003": "three"}
    lab = Lab(server, tmp_path / "lab")
    raw = Raw(server, "6003")
    try:
        a, b = lab.phone("6001"), lab.phone("6002")
        lab.register(a, b)
        caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv").bye()
        callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
        lab.call(a, caller, b, callee)
        [challenge] = raw.answer(text(raw.lines("REGISTER", to="sip:6003@example.com"))).all("WWW-Authenticate")
        assert "algorithm=SHA-256" in challenge
        server.check_healthy()
    finally:
        raw.close()
        lab.close()
    assert server.stop() == 0


# ---- first start, stop


def test_first_start_makes_users(start: Start, tmp_path: Path) -> None:
    """Without --users and --store: var/initial-users, mode 0600, its path said; its passwords work."""
    server = start(None, store="")
    path = tmp_path / "var" / "initial-users"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.users = dict(line.split(",", 1) for line in path.read_text().splitlines())
    assert list(server.users) == [str(number) for number in range(6001, 6011)]
    assert "var/initial-users" in server.log_text()
    assert not any(password in server.log_text() for password in server.users.values())
    lab = Lab(server, tmp_path / "lab")
    try:
        lab.register(lab.phone("6001"))
    finally:
        lab.close()
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_in_the_middle_of_a_call(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Exit 0 within five seconds; the standing call gets no BYE."""
    server = start({"6001": "one", "6002": "two"})
    lab = Lab(server, tmp_path / "lab")
    try:
        a, b = lab.phones(2)
        far = lab.start(Callee().ring().accept().byed(), b)
        near = lab.start(Caller(b.user).dial().byed(), a)
        wait_until("talking", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
        server.process.send_signal(number)
        assert server.process.wait(5) == 0
        assert near.received("BYE") == far.received("BYE") == []
    finally:
        lab.close()
    assert "Traceback" not in server.log_text()


# ---- restart, users at run time


def test_bindings_survive_a_restart(start: Start, tmp_path: Path) -> None:
    """sqlite: whoever got a 200 to REGISTER is called after a restart without a new one."""
    users = {"6001": "one", "6002": "two"}
    server = start(users, store="sqlite:b2bua.db")
    lab = Lab(server, tmp_path / "lab")
    try:
        a, b = lab.phones(2)
        assert server.stop() == 0
        lab.server = again = start(users, store="sqlite:b2bua.db", port=server.port)
        caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv").bye()
        callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
        lab.call(a, caller, b, callee)
        assert again.metric("b2bua_requests_total", direction="in", method="REGISTER") == 0
        again.check_healthy()
    finally:
        lab.close()
    assert again.stop() == 0


def test_a_killed_server_keeps_what_it_acknowledged(start: Start, tmp_path: Path) -> None:
    users = {"6001": "one", "6002": "two"}
    server = start(users, store="sqlite:b2bua.db")
    lab = Lab(server, tmp_path / "lab")
    try:
        lab.phones(2)
        server.process.kill()
        server.process.wait(5)
        again = start(users, store="sqlite:b2bua.db", port=server.port)
        assert again.metric("b2bua_contacts") == 2
    finally:
        lab.close()
    assert again.stop() == 0


def test_a_user_added_while_it_runs(start: Start, tmp_path: Path) -> None:
    """`user add` with the password on standard input: known within a second or two; `user remove` likewise."""
    server = start({"6001": "one"}, store="sqlite:b2bua.db")
    store = ("--store", "sqlite:b2bua.db", "--domain", "example.com")
    added = run(tmp_path, "user", "add", "6077", *store, text="by-hand\n")
    assert (added.returncode, added.stdout) == (0, "user 6077 added\n"), added.stderr
    assert run(tmp_path, "user", "list", *store).stdout.split() == ["6001", "6077"]
    server.users["6077"] = "by-hand"
    raw = Raw(server, "6077")
    try:
        wait_until("the new user registers", lambda: raw.register() == 200)
        assert run(tmp_path, "user", "remove", "6077", *store).returncode == 0
        wait_until("the user is gone", lambda: raw.register() == 401)
    finally:
        raw.close()
    assert server.stop() == 0


def test_environment_under_the_command_line(tmp_path: Path) -> None:
    """B2BUA_… is read, a wrong one named, and an option stands above it."""
    wrong = {**environment(), "B2BUA_TRACE": "many", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        command("run", "--store", "memory:"),
        cwd=tmp_path,
        env=wrong,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "B2BUA_TRACE" in one_line(done)
