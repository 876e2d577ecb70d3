"""Call detail records of the real process: baresip calls, kill -9, a file that is moved away, a disk that is full."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from b2bua.store.call_detail_line import CallDetailLine
from tests.interop.baresip import Baresip
from tests.interop.server import Server, command, environment, wait_until
from tests.interop.test_full_disk import SmallDisk

HOST, PHONES = "127.0.0.203", "127.0.0.204"
USERS = {user: f"secret-{user}-word" for user in ("6001", "6002")}


class Lab:
    """A server whose database outlives it, its file of records, and two baresip phones."""

    def __init__(self, directory: Path, file: Path, prefix: Sequence[str] = ()) -> None:
        self.directory, self.file, self._prefix = directory, file, prefix
        self._config = directory / "lab.toml"
        self._config.write_text(f'cdr = "{file}"\n')
        self.server = self._start()
        self.phones = [Baresip(directory / user, self.server.address, user, USERS[user], PHONES) for user in USERS]
        for phone in self.phones:
            phone.registered()

    def _start(self, port: int = 0) -> Server:
        return Server(
            self.directory, HOST, USERS, f"sqlite:{self.directory}/b2bua.db", ("--config", str(self._config)), port,
            prefix=self._prefix,
        )  # fmt: skip

    def restart(self) -> None:
        """kill -9, and a new start."""
        self.server.kill()
        self.server = self._start(self.server.port)

    def talk(self) -> None:
        caller, callee = self.phones
        caller.dial(callee.user)
        callee.expect("CALL_INCOMING")
        callee.command("accept")
        caller.expect("CALL_ESTABLISHED")
        callee.expect("CALL_ESTABLISHED")

    def hang_up(self) -> None:
        caller, callee = self.phones
        callee.command("hangup")
        caller.expect("CALL_CLOSED")
        callee.expect("CALL_CLOSED")

    def held(self) -> bool:
        return self.server.metric("b2bua_calls_active", state="held") == 1

    def lines(self, file: Path | None = None) -> list[CallDetailLine]:
        text = (file or self.file).read_text()
        assert text == "" or text.endswith("\n")
        return [msgspec.json.decode(line, type=CallDetailLine) for line in text.splitlines()]

    def asked(self, *words: str) -> list[str]:
        """What `b2bua cdr` prints."""
        argv = command("cdr", "--url", self.url, *words)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment(), check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server.http_port}"

    def close(self) -> None:
        for phone in self.phones:
            phone.close()
        self.server.kill()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, tmp_path / "calls.jsonl")
    try:
        yield made
    finally:
        made.close()


def test_one_record_for_a_call_that_survives_two_kills(lab: Lab) -> None:
    caller, callee = lab.phones
    lab.talk()
    caller.command("hold")
    wait_until("held", lab.held)
    lab.restart()
    assert lab.lines() == [] and lab.held()
    caller.command("resume")
    wait_until("resumed", lambda: not lab.held())
    lab.hang_up()
    wait_until("written", lambda: len(lab.lines()) == 1)
    lab.restart()
    lab.server.check_healthy()
    [line] = lab.lines()
    assert (line.caller.party, line.reached, line.ended_by) == (
        f"sip:{caller.user}@example.com", f"sip:{callee.user}@example.com", "callee",
    )  # fmt: skip
    assert (line.result, line.status, line.holds) == ("answered", 200, 1) and line.hold_seconds > 0
    assert line.caller.codecs and line.callee.codecs and line.node.startswith("cm@")
    lab.talk()
    lab.hang_up()
    wait_until("the next one", lambda: len(lab.lines()) == 2)
    assert len({one.id for one in lab.lines()}) == 2


def test_killed_right_at_the_end(lab: Lab) -> None:
    """The BYE is answered, and the process is gone: whether the line was written or not, there is one after the next start."""
    for number in range(1, 4):
        lab.talk()
        lab.phones[1].command("hangup")
        lab.phones[0].expect("CALL_CLOSED")
        lab.restart()
        wait_until("written", lambda number=number: len(lab.lines()) == number)  # type: ignore[misc]
        lab.phones[1].expect("CALL_CLOSED")
    lab.restart()
    assert len({one.id for one in lab.lines()}) == len(lab.lines()) == 3


def test_the_file_is_moved_away(lab: Lab) -> None:
    lab.talk()
    lab.hang_up()
    wait_until("written", lambda: len(lab.lines()) == 1)
    moved = lab.file.with_name("calls.jsonl.1")
    lab.file.rename(moved)
    lab.server.process.send_signal(signal.SIGHUP)
    wait_until("reload", lambda: " reloaded " in lab.server.log_text())
    lab.talk()
    lab.hang_up()
    wait_until("a new file", lambda: lab.file.exists() and len(lab.lines()) == 1)
    assert len(lab.lines(moved)) == 1
    [first], [second] = moved.read_text().splitlines(), lab.file.read_text().splitlines()
    assert lab.asked("--json") == [first, second]
    ids = [json.loads(line)["id"] for line in (first, second)]
    assert ids[0] != ids[1]
    assert lab.asked("--json", "--limit", "1") == lab.asked("--json", "--call", ids[1]) == [second]
    assert lab.asked("--since", "1h", "--user", "6002", "--json") == [first, second]
    assert lab.asked("--user", "6003") == []
    for name, line in zip(ids, lab.asked(), strict=True):
        assert f" answered call={name} caller=sip:6001@example.com " in line


def test_who_follows_sees_a_call_when_it_has_ended(lab: Lab) -> None:
    lab.talk()
    lab.hang_up()
    wait_until("written", lambda: len(lab.lines()) == 1)
    argv = command("cdr", "--url", lab.url, "--json", "--follow")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment()) as follows:
        try:
            assert follows.stdout is not None
            before = follows.stdout.readline()
            lab.talk()
            lab.hang_up()
            after = follows.stdout.readline()
            time.sleep(3.0)  # three more looks
        finally:
            follows.terminate()
        assert follows.stdout.read() == ""
    assert before + after == lab.file.read_text() and before != after


def test_without_the_setting_there_is_nothing_to_look_in(tmp_path: Path) -> None:
    server = Server(tmp_path, HOST, USERS)
    try:
        argv = command("cdr", "--url", f"http://{HOST}:{server.http_port}")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment(), check=False)
        assert done.returncode == 2 and done.stderr.endswith(": no call detail records are kept: cdr is not set\n")
        assert server.stop() == 0
    finally:
        server.kill()


def test_a_full_disk_holds_no_call_up(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk")
    lab = Lab(tmp_path, disk.path / "calls.jsonl", disk.prefix)
    try:
        disk.fill()
        for _ in range(2):
            lab.talk()
            lab.phones[0].command("hold")
            wait_until("held", lab.held)
            lab.phones[0].command("resume")
            wait_until("resumed", lambda: not lab.held())
            lab.hang_up()
        wait_until("counted", lambda: lab.server.metric("b2bua_write_failures_total", what="cdr") == 1)
        assert " cdr_failed path=" in lab.server.log_text() and 'reason="No space left on device"' in lab.server.log_text()
        seen = disk.seen / "calls.jsonl"
        assert lab.lines(seen) == []
        lab.restart()
        disk.clear()
        wait_until("all of them", lambda: len(lab.lines(seen)) == 2)
        lab.server.check_healthy()
    finally:
        lab.close()
        disk.close()
