"""`make demo` as a user runs it: a process of its own, its output and its exit status."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import b2bua

HERE = Path(b2bua.__file__).resolve().parents[1]
"""Where this process has b2bua from: the checkout, or an installation."""
SECONDS = 60
SHORT = "demo.TALK_SECONDS = 0.3; demo.PATIENCE = 3.0"
"""What the failing runs need not wait for."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS, check=False
    )


def run_changed(change: str) -> subprocess.CompletedProcess[str]:
    """The demo with something broken on purpose."""
    return run("-c", f"import sys; from b2bua.phone import demo; {SHORT}; {change}; sys.exit(demo.main())")


@pytest.fixture(scope="module")
def good() -> subprocess.CompletedProcess[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        with suppress(OSError):  # somebody else has it, which does as well
            taken.bind(("127.0.0.1", 5060))
        return run("-m", "b2bua.phone.demo")


def test_it_succeeds_though_port_5060_is_taken(good):
    assert (good.returncode, good.stderr) == (0, ""), good.stdout + good.stderr


def test_it_prints_one_line_a_step_in_order(good):
    steps = [line for line in good.stdout.splitlines() if re.match(r"[1-9]\b", line)]
    assert [line[0] for line in steps] == list("123456789")
    told = [
        ("6001 → SM", "INVITE sdp:sendonly"), ("SM → 6001", "407 "), ("6001 → SM", "INVITE sdp:sendonly"),
        ("SM → CM", "INVITE sdp:sendonly"), ("CM → SM", "PUBLISH"), ("CM → SM", "INVITE sdp:sendonly"),
        ("SM → 6001, 6002, 6003", "NOTIFY"), ("SM → 6002", "INVITE sdp:sendonly"), ("6002 → SM", "200 OK sdp:recvonly"),
    ]  # fmt: skip
    for line, (way, text) in zip(steps, told, strict=True):
        assert way in line
        assert text in line


def test_every_watcher_saw_the_lamp_go_on_and_off(good):
    lamps = re.findall(r"^lamp of 6001 seen by (\d+): (.*)$", good.stdout, re.MULTILINE)
    assert [watcher for watcher, _ in lamps] == ["6001", "6002", "6003"]
    for _, words in lamps:
        assert words.endswith("confirmed, held, confirmed, terminated")


def test_media_flows_before_and_after_and_not_during_the_hold(good):
    phones = re.findall(r"^RTP of (\d+): (.*)$", good.stdout, re.MULTILINE)
    assert [phone for phone, _ in phones] == ["6001", "6002"]
    for _, text in phones:
        before, during, after = (int(count) for count in re.findall(r"received (\d+)", text))
        assert before > 0
        assert during == 0
        assert after > 0


def test_a_held_call_goes_on_after_kill_9(good):
    lines = [line for line in good.stdout.splitlines() if line.startswith("kill -9")]
    killed, started = (re.search(r"process (\d+)", line) for line in lines[:2])
    assert killed and started and killed[1] != started[1]
    lamps = [line for line in lines if "lamp of 6001" in line]
    assert [line.partition("seen by ")[2].split()[0] for line in lamps] == ["6001", "6002", "6003"]
    assert all(line.endswith("held, confirmed, terminated") for line in lamps)
    media = [re.findall(r"received (\d+)", line) for line in lines if "RTP of" in line]
    assert len(media) == 2 and all(int(received) > 0 for (received,) in media)
    assert any("6001 resumes: 200 OK" in line for line in lines)
    assert any("6001 hangs up: 200 OK" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (
            "demo.SETTINGS = 'challenge_reinvite = \\'never\\'\\n'",
            ["step 1", "step 2"],
        ),
        (
            "from b2bua.dialog.offer_answer import OfferAnswer as O; O.sends = property(lambda o: bool(o.remote))",
            ["no media to 6002 during the hold"],
        ),
        (
            "demo.SETTINGS = 'features = [\\'hold\\']\\n'",
            ["the lamp of 6001 confirmed for every watcher", "step 5", "step 7"],
        ),
        (
            "demo.DemoServer.kill = lambda server: (server._process.kill(), server._process.wait(), server._folder.joinpath("
            "'demo.db').unlink(), [file.unlink() for file in server._folder.glob('demo.db-*')])",
            ["the lamp of 6001 held for every watcher"],
        ),
    ],
    ids=["no challenge", "media during the hold", "no lamps", "no store"],
)
def test_what_was_not_seen_fails_it_and_is_named(change, missing):
    result = run_changed(change)
    assert result.returncode == 1, result.stdout
    last = result.stdout.splitlines()[-1]
    assert last.startswith("demo: failed; missing: ")
    for words in missing:
        assert words in last
    assert "Traceback" not in result.stdout + result.stderr


def test_what_cannot_start_says_so_in_one_line():
    result = run_changed("demo.HOST = '192.0.2.1'")
    assert result.returncode == 1
    assert re.fullmatch(r"demo: cannot start: .*192\.0\.2\.1.*\n", result.stderr)
    assert result.stdout == ""
