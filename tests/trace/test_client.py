"""`b2bua trace` against answers written by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from b2bua.trace import client
from b2bua.trace.client import main
from tests.trace.hand_made import standing_call


class FakeStream:
    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)


class FakeConnection:
    """Answers one request in place of http.client.HTTPConnection."""

    lines: list[bytes]
    status = 200
    reason = "OK"
    text = b""
    failure: Exception | None = None
    asked: list[str]

    def __init__(self, host: str, port: int | None, timeout: float) -> None:
        self.sock = FakeStream()

    def connect(self) -> None:
        if self.failure is not None:
            raise self.failure

    def request(self, method: str, target: str) -> None:
        type(self).asked.append(f"{method} {target}")

    def getresponse(self) -> FakeConnection:
        return self

    def getheader(self, name: str, default: str) -> str:
        return "text/plain; charset=utf-8"

    def read(self, size: int) -> bytes:
        return self.text[:size]

    def __iter__(self) -> Any:
        for line in self.lines:
            if line == b"^C":
                raise KeyboardInterrupt
            yield line

    def close(self) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[FakeConnection]:
    class Server(FakeConnection):
        pass

    Server.lines = [json.dumps(record).encode() + b"\n" for record in standing_call().scene.records()]
    Server.asked = []
    monkeypatch.setattr(client, "HTTPConnection", Server)
    return Server


def test_json_prints_the_lines_and_ends(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    assert main("http://127.0.0.1:8080/", as_json=True, call_id="a b", user="6001") == 0
    assert capsys.readouterr().out.encode() == b"".join(server.lines)
    assert server.asked == ["GET /api/trace?call-id=a+b&user=6001"]


def test_ladder_follows_until_ctrl_c(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    server.lines.append(b"^C")
    assert main() == 0
    out = capsys.readouterr().out
    assert "INVITE sdp:sendrecv" in out and "6002" in out
    assert server.asked == ["GET /api/trace?follow=1"]


def test_secrets_and_follow_are_passed_on(server: type[FakeConnection]) -> None:
    assert main(as_json=True, follow=True, secrets=True) == 0
    assert server.asked == ["GET /api/trace?follow=1&secrets=1"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [(ConnectionRefusedError(111, "Connection refused"), "Connection refused"), (TimeoutError("too slow"), "too slow")],
)
def test_not_reachable(
    server: type[FakeConnection], capsys: pytest.CaptureFixture[str], failure: Exception, said: str
) -> None:
    server.failure = failure
    assert main() == 2
    err = capsys.readouterr().err
    assert err == f"b2bua trace: cannot read the trace of http://127.0.0.1:8080: {said}\n"


def test_refused_by_the_server(server: type[FakeConnection], capsys: pytest.CaptureFixture[str]) -> None:
    server.status, server.text = 403, b"not for you\n"
    assert main(as_json=True) == 2
    assert capsys.readouterr().err == "b2bua trace: not for you\n"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8080", "http://[", "http://h:port", ""])
def test_no_url(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(url) == 2
    assert capsys.readouterr().err.count("\n") == 1
