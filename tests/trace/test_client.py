"""`b2bua trace` against answers written by hand."""

from __future__ import annotations

import json
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from b2bua.trace import client, feed, http_client
from b2bua.trace.client import main
from b2bua.trace.feed import Background, Follower, News
from b2bua.trace.http_client import Address
from tests.trace.hand_made import standing_call


class FakeStream:
    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)

    def shutdown(self, _how: int) -> None:
        return


class FakeConnection:
    """Answers one request in place of http.client.HTTPConnection."""

    lines: list[bytes]
    """`^C` stands for the user's Ctrl-C, `!` for a connection that is lost."""
    status = 200
    reason = "OK"
    text = b""
    failure: Exception | None = None
    failures_later: list[Exception]
    """What goes wrong at the attempts behind the first one, one after the other."""
    asked: list[str]
    shown: list[str]
    """What of Authorization came with each."""
    headers: dict[str, str]

    def __init__(self, host: str, port: int | None, timeout: float) -> None:
        self.sock = FakeStream()
        self._left = list(self.lines)

    def connect(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.asked and self.failures_later:
            raise self.failures_later.pop(0)

    def request(self, method: str, target: str, headers: dict[str, str]) -> None:
        type(self).headers = headers
        type(self).asked.append(f"{method} {target}")
        type(self).shown.append(headers.get("Authorization", ""))

    def getresponse(self) -> FakeConnection:
        return self

    def getheader(self, name: str, default: str) -> str:
        return "text/plain; charset=utf-8" if name == "Content-Type" else default

    def read(self, size: int) -> bytes:
        return self.text[:size]

    def read1(self, size: int) -> bytes:
        """A line in two portions, so that they have to be put together."""
        if not self._left:
            return b""
        line = self._left.pop(0)
        if line == b"^C":
            raise KeyboardInterrupt
        if line == b"!":
            raise ConnectionResetError(104, "Connection reset by peer")
        if len(line) > 10:
            self._left.insert(0, line[10:])
        return line[:10]

    def close(self) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[FakeConnection]:
    class Server(FakeConnection):
        pass

    call = standing_call()
    call.change("6001", "sendonly")
    Server.lines = [json.dumps(record).encode() + b"\n" for record in call.scene.records()]
    Server.asked, Server.shown = [], []
    Server.failures_later = []
    monkeypatch.setattr(http_client, "HTTPConnection", Server)
    monkeypatch.setattr(feed, "RETRY_SECONDS", 0.0)
    return Server


def test_json_prints_the_lines_and_ends(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    assert main("http://127.0.0.1:8080/", as_json=True, filter_words=["-c", "a b", "-u", "6001"]) == 0
    assert capsys.readouterr().out.encode() == b"".join(server.lines)
    assert server.asked == ["GET /api/trace?call-id=a+b&user=6001"]


def test_ladder_follows_until_ctrl_c(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    server.lines.append(b"^C")
    assert main() == 0
    out = capsys.readouterr().out
    assert "INVITE sdp:sendrecv" in out and "6002" in out
    assert "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else" in out
    assert server.asked == ["GET /api/trace?follow=1"]


def test_secrets_and_follow_are_passed_on(server: type[FakeConnection]) -> None:
    assert main(as_json=True, follow=True, secrets=True) == 0
    assert server.asked == ["GET /api/trace?secrets=1&follow=1"]


@pytest.mark.parametrize("follow", [False, True])
def test_what_the_server_does_not_filter_is_filtered_here(
    server: type[FakeConnection], capsys: pytest.CaptureFixture[str], follow: bool
) -> None:
    assert main(as_json=True, follow=follow, filter_words=["-u", "6001", "-ns", "-o", "sendonly"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert len(server.lines) > len(found) > 10
    assert [line for line in found if "NOTIFY" in json.loads(line)["message"]] == []
    assert [line.encode() + b"\n" for line in found] == [line for line in server.lines if line.decode().strip() in found]
    assert server.asked[0].startswith("GET /api/trace?user=6001")
    assert main(as_json=True, follow=follow, filter_words=["-o", "nowhere"]) == 0
    assert capsys.readouterr().out == ""


def test_any_of_several_is_no_question_for_the_server(
    server: type[FakeConnection], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(as_json=True, filter_words=["-u", "6009", "-c", "leg-b", "-or"]) == 0
    assert server.asked == ["GET /api/trace"]
    assert len(capsys.readouterr().out.splitlines()) == len(server.lines)


@pytest.mark.parametrize("follow", [False, True])
def test_one_switch_several_times(server: type[FakeConnection], capsys: pytest.CaptureFixture[str], follow: bool) -> None:
    """All have to be met, as behind `f`, or with -or any: none is lost, and the server, which knows one, is asked for all."""
    shown = {}
    for words in (["-u", "6001", "-u", "6002"], ["-u", "6001", "-u", "6009"], ["-u", "6009", "-u", "6001", "-or"],
                  ["-c", "leg-a", "-c", "leg-b"], ["-c", "leg-a", "-c", "leg-z"]):  # fmt: skip
        server.asked.clear()
        assert main(as_json=True, follow=follow, filter_words=words) == 0
        assert server.asked == ["GET /api/trace" + ("?follow=1" if follow else "")]
        shown[" ".join(words)] = len(capsys.readouterr().out.splitlines())
    both, lost, either, legs, unknown = shown.values()
    assert both and either and legs and (lost, unknown) == (0, 0)


def test_a_file_in_plain_text_is_folded_and_may_have_addresses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    records = list(call.scene.records())
    asked = next(one for one in records if one.get("step") == 1)
    file = tmp_path / "saved.json"
    file.write_text("".join(json.dumps(one) + "\n" for one in [*records, asked | {"retransmission": True}]), encoding="utf-8")
    assert main(file=str(file), plain=True) == 0
    names = capsys.readouterr().out
    assert "×2" in names and "(1)┌" in names and "again INVITE" not in names and "192.0.2." not in names
    assert main(file=str(file), plain=True, addresses=True) == 0
    found = capsys.readouterr().out
    assert asked["source_address"] in found and "6001   " not in found
    assert main(file=str(file), as_json=True) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(records) + 1, "JSON has each copy"


def test_a_restarted_server_is_waited_for(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    server.failures_later = [ConnectionRefusedError(111, "Connection refused")]
    server.lines.append(b"!")
    later = json.loads(server.lines[0]) | {"time": 5_000.0, "source": "6077"}

    class Restarted(server):  # type: ignore[valid-type,misc]
        pass

    Restarted.lines = [*server.lines[:-1], json.dumps(later).encode() + b"\n", b"^C"]
    made = iter([server, server, Restarted])
    http_client.HTTPConnection = lambda *arguments, **options: next(made)(*arguments, **options)  # type: ignore[assignment,misc]
    assert main() == 0
    out = capsys.readouterr().out
    assert out.count("the server is gone: Connection reset by peer; waiting for it --") == 1
    assert out.count("connected again --") == 1
    after = out.split("connected again --\n")[1]
    assert "6077" in after and "6002" not in after.splitlines()[-1]
    assert sum("|" in line for line in after.splitlines()) == 1, "what was there before comes once"


def test_the_view_says_live_again_only_when_the_server_is_back(server: type[FakeConnection]) -> None:
    came = [News(gap="12:00:00 the server is gone: x; waiting for it"), News(gap="12:00:03 connected again"), News()]
    background = Background(Follower(Address("http://127.0.0.1:1"), {}))
    background.stop()
    background._thread.join(5.0)
    states = []
    for one in came:
        background._waiting.clear()
        background._waiting.append(one)
        background.take()
        states.append(background.state)
    assert states == ["waiting for the server", "live", "live"]


def test_a_process_that_died_is_said_in_words() -> None:
    assert http_client.reason_of(IncompleteRead(b"")) == "the connection broke off"


def test_a_follower_in_the_background_can_be_stopped(server: type[FakeConnection]) -> None:
    background = Background(Follower(Address("http://127.0.0.1:1"), {}))
    news: list[News] = []
    assert background.state == "live"
    for _ in range(2_000):
        news += background.take()
        if any(one.gap for one in news):
            break
        background._thread.join(0.005)
    background.stop()
    background._thread.join(5.0)
    assert not background._thread.is_alive()
    assert [record for one in news for record in one.records] == [json.loads(line) for line in server.lines]
    gap = next(one.gap for one in news if one.gap)
    assert gap.partition(" ")[2] == "the server is gone: it ended the trace; waiting for it"


@pytest.mark.parametrize(
    ("failure", "said"),
    [(ConnectionRefusedError(111, "Connection refused"), "Connection refused"), (TimeoutError("too slow"), "too slow")],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_not_reachable(
    server: type[FakeConnection], capsys: pytest.CaptureFixture[str], failure: Exception, said: str, as_json: bool
) -> None:
    server.failure = failure
    assert main(as_json=as_json) == 2
    err = capsys.readouterr().err
    assert err == f"b2bua trace: cannot read the trace of http://127.0.0.1:8080: {said}\n"


def test_a_token_is_shown_anew_with_each_connection(server: type[FakeConnection]) -> None:
    """A server that was started again has another."""
    tokens = iter(("t-1", "t-2"))
    assert main(as_json=True, token_for=lambda url: next(tokens)) == 0
    assert main(as_json=True, token_for=lambda url: next(tokens)) == 0
    assert main(as_json=True) == 0
    assert server.shown == ["Bearer t-1", "Bearer t-2", ""]


def test_refused_by_the_server(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    server.status, server.text = 403, b"not for you\n"
    assert main(as_json=True) == 2
    assert capsys.readouterr().err == "b2bua trace: not for you\n"


RECORD = {"time": 1, "source": "a", "destination": "b", "transport": "udp", "call": None, "retransmission": False, "message": ""}
BROKEN = [b"hello\n", b"[]\n", b"{}\n", b'{"time": "now"}\n', b"1\n", b"null\n", b"[" * 9_999 + b"\n"] + [
    json.dumps(RECORD | change).encode() + b"\n"
    for change in ({"time": 1e30}, {"time": -1}, {"call": 7}, {"message": None}, {"note": 1}, {"step": "3"})
]


@pytest.mark.parametrize("line", BROKEN)
def test_what_is_no_trace_is_one_line(
    server: type[FakeConnection], capsys: pytest.CaptureFixture[str], line: bytes
) -> None:
    server.lines = [line, b"^C"]
    assert main(as_json=True, filter_words=["-nr"]) == 2
    assert capsys.readouterr().err == "b2bua trace: what comes is no trace; is it a b2bua?\n"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8080", "http://[", "http://h:port", ""])
def test_no_url(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(url) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bad_filter_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(filter_words=["-o", "("]) == 2
    assert capsys.readouterr().err.startswith("b2bua trace: filter: -o '(': ")


class Screen:
    def isatty(self) -> bool:
        return True


def test_plain_text_without_the_extra_and_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not client._is_terminal()
    monkeypatch.setattr(client.sys, "stdin", Screen())  # type: ignore[attr-defined]
    monkeypatch.setattr(client.sys.stdout, "isatty", lambda: True)  # type: ignore[attr-defined]
    monkeypatch.setattr(client.sys.stderr, "isatty", lambda: True)  # type: ignore[attr-defined]
    monkeypatch.setenv("TERM", "dumb")
    assert not client._is_terminal()
    monkeypatch.setenv("TERM", "screen")
    assert client._is_terminal()
    found: Any = None
    monkeypatch.setattr(client.importlib.util, "find_spec", lambda name: found)  # type: ignore[attr-defined]
    assert not client._is_terminal()
    assert "b2bua[terminal]" in capsys.readouterr().err
