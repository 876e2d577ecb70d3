"""The log-in of a running server: who gets in from where, what commands find, and that nothing of it is told."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from tests.interop.server import DOMAIN, Server, command, environment, wait_until

HOST = "127.0.0.66"
USERS = {"6001": "secret-6001-word"}
PASSWORD = "a-word-for-the-desk"
CLOSED = "off the loopback address only /metrics, /healthz and /readyz are served until there is a log-in: b2bua console-user add"


class Desk:
    """A server that listens on all addresses, and commands in its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "var" / "b2bua.db"
        config = directory / "lab.toml"
        config.write_text('cdr = "calls.jsonl"\n')
        options = ("--config", str(config))
        self.server = Server(directory, HOST, USERS, "sqlite:var/b2bua.db", options, http_host="0.0.0.0")
        self.url = f"http://{HOST}:{self.server.http_port}"

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words), cwd=self.directory, env=environment(), input=stdin, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip

    def account(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, "--domain", DOMAIN, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ask(self, path: str, method: str = "GET", document: object = None, **headers: str) -> tuple[int, str, str]:
        """Status, text and cookie of the answer."""
        data = None if document is None else json.dumps(document).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.url}{path}", data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers.get("Set-Cookie", "")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), ""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    try:
        yield made
        made.server.check_healthy()
        assert made.server.stop() == 0
    finally:
        made.server.kill()


def test_shut_then_open_for_who_logs_in(desk: Desk) -> None:
    assert desk.ask("/api/overview") == (403, f"{CLOSED}\n", "")
    assert desk.ask("/metrics")[0] == desk.ask("/readyz")[0] == 200
    desk.account("console-user", "add", "otto", "--role", "operator", stdin=f"{PASSWORD}\n")
    wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
    assert desk.ask("/metrics")[0] == desk.ask("/readyz")[0] == 200
    status, _, cookie = desk.ask("/api/session", "POST", {"name": "otto", "password": PASSWORD}, X_B2bua="1")
    assert status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    sent = cookie.partition(";")[0]
    assert desk.ask("/api/overview", Cookie=sent)[0] == 200
    assert desk.ask("/api/reload", "POST", Cookie=sent, X_B2bua="1")[0] == 200
    assert desk.server.metric("b2bua_logins_total", result="right") == 1
    desk.account("console-user", "remove", "otto")
    wait_until("shut again", lambda: desk.ask("/api/overview", Cookie=sent)[0] == 403)


def test_commands_find_the_owners_token_or_are_told_what_to_bring(desk: Desk, tmp_path: Path) -> None:
    token = desk.account("token", "add", "grafana")
    wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
    url = ("--url", desk.url)
    for words in (("call", "list"), ("ban", "list"), ("mwi", "list"), ("fault", "list"), ("reload",), ("trace", "--json")):
        done = desk.run(*words, *url)
        assert (done.returncode, done.stderr) == (0, ""), words
    owners = tmp_path / "var" / "b2bua.db.token"
    assert owners.stat().st_mode & 0o777 == 0o600
    (tmp_path / "grafana").write_text(token)
    done = desk.run("reload", *url, "--token-file", "grafana")
    assert (done.returncode, done.stderr) == (2, f"b2bua: {desk.url} answers 403 grafana is read-only: POST needs operator\n")
    assert desk.run("trace", "--json", *url, "--token-file", "grafana").returncode == 0
    assert desk.ask("/api/overview", Authorization="Bearer of-nobody")[0] == 401
    assert desk.server.metric("b2bua_logins_total", result="bad_token") == 1
    (tmp_path / "old").write_text("of-nobody")
    done = desk.run("call", "list", *url, "--token-file", "old")
    assert (done.returncode, done.stderr.partition(":")[0]) == (2, "b2bua") and "does not know this token" in done.stderr
    done = desk.run("trace", "--json", *url, "--token-file", "old")
    assert (done.returncode, done.stderr.partition(": `")[0]) == (2, f"b2bua trace: {desk.url} does not know this token")
    owners.unlink()
    done = desk.run("trace", "--json", *url)
    assert (done.returncode, done.stderr.partition(": `")[0]) == (2, f"b2bua trace: {desk.url} wants a token")
    done = desk.run("call", "list", *url)
    assert done.returncode == 2 and done.stderr.startswith(f"b2bua: {desk.url} wants a token: --token-file FILE")
    log = desk.server.log_text()
    assert token not in log


def test_a_guesser_is_held_up_and_named_and_no_password_is_told(desk: Desk) -> None:
    desk.account("console-user", "add", "rita", stdin=f"{PASSWORD}\n")
    wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
    guess = {"name": "rita", "password": "a-guess-at-a-word"}
    answers = [desk.ask("/api/session", "POST", guess, X_B2bua="1") for _ in range(6)]
    assert [status for status, _, _ in answers] == [401] * 5 + [429]
    assert desk.server.metric("b2bua_logins_total", result="limited") == 1
    log = desk.server.log_text()
    assert "log_ins_limited" in log
    assert PASSWORD not in log and guess["password"] not in log
    assert PASSWORD.encode() not in desk.store.read_bytes()


def test_after_a_restart_accounts_stand_and_sessions_do_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        desk.account("console-user", "add", "rita", stdin=f"{PASSWORD}\n")
        wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
        _, _, cookie = desk.ask("/api/session", "POST", {"name": "rita", "password": PASSWORD}, X_B2bua="1")
        before = (tmp_path / "var" / "b2bua.db.token").read_text()
    finally:
        desk.server.kill()
    again = Desk(tmp_path)
    try:
        again_cookie = cookie.partition(";")[0].replace(str(desk.server.http_port), str(again.server.http_port))
        assert again.ask("/api/overview", Cookie=again_cookie)[0] == 401
        assert again.ask("/api/session", "POST", {"name": "rita", "password": PASSWORD}, X_B2bua="1")[0] == 200
        assert (tmp_path / "var" / "b2bua.db.token").read_text() != before
        assert again.server.stop() == 0
    finally:
        again.server.kill()


def test_users_are_added_and_removed_at_a_running_server(desk: Desk) -> None:
    """Who may register is listed without anything that is as good as a password."""
    token = desk.account("token", "add", "desk", "--role", "operator")
    wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
    sent = {"Authorization": f"Bearer {token}", "X_B2bua": "1"}
    status, text, _ = desk.ask("/api/users", "POST", {"name": "6099", "password": "secret-6099-word"}, **sent)
    assert status == 200 and [one["name"] for one in json.loads(text)["users"]] == ["6001", "6099"]
    assert set(json.loads(text)["users"][0]) == {"name", "algorithms", "settings"}
    assert "6099" in desk.account("user", "list")
    assert desk.ask("/api/users?name=6099", "DELETE", **sent)[0] == 200
    assert desk.ask("/api/users?name=6099", "DELETE", **sent)[0] == 404
    status, text, _ = desk.ask("/api/users?name=6001", "DELETE", **sent)
    assert status == 409 and "change it there" in text
    for document in ({"name": "a b", "password": "x"}, {"name": "6098", "password": ""}, {"name": "6098"}):
        assert desk.ask("/api/users", "POST", document, **sent)[0] == 400


def test_what_each_path_shows_is_as_described(desk: Desk) -> None:
    """Those that show a table; `make interop` asks everything else, with a call that stands."""
    token = desk.account("token", "add", "reader")
    wait_until("a log-in", lambda: desk.ask("/api/overview")[0] == 401)
    sent = {"Authorization": f"Bearer {token}"}
    described = json.loads(desk.ask("/api/openapi.json", **sent)[1])
    paths = {path for path, methods in described["paths"].items() if "get" in methods} - {"/api/trace", "/api/events"}
    assert {"/api/overview", "/api/entities", "/api/settings", "/api/users", "/api/calls", "/api/session"} < paths
    for path in paths:
        status, text, _ = desk.ask(path, **sent)
        answer = described["paths"][path]["get"]["responses"][str(status)]
        assert status == 200
        jsonschema_rs.validate(answer["content"]["application/json"]["schema"], json.loads(text))


@pytest.mark.parametrize("length", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
def test_who_brings_too_much_is_cut_off(desk: Desk, length: str) -> None:
    """Before anybody has looked who it is."""
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with socket.create_connection((HOST, desk.server.http_port), timeout=10) as peer:
        peer.sendall(f"POST /api/session HTTP/1.1\r\nHost: {HOST}\r\n{length}\r\n\r\n".encode())
        with pytest.raises(OSError):
            for _ in range(2000):
                peer.sendall(chunk)
    assert desk.ask("/readyz")[0] == 200
