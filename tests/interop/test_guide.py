"""plugins/README.md, "Ten minutes", done as it is written; and what `b2bua try` says when nothing comes of it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.server import START_SECONDS, command, environment, free_port, wait_until

HOST = "127.0.0.98"
GUIDE = Path(__file__).resolve().parents[2] / "plugins" / "README.md"


def guide() -> str:
    found = re.search(r"^## Ten minutes\n(.*?)^## ", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def blocks(text: str) -> list[str]:
    """Indented blocks and fenced ones, in order."""
    found = re.findall(r"^```\w*\n(.*?)^```$|((?:^    [^\n]*\n)+)", text, re.DOTALL | re.MULTILINE)
    return [fenced or re.sub(r"^    ", "", indented, flags=re.MULTILINE) for fenced, indented in found]


class Lab:
    """A directory, and what is run in it. The port of the guide may be taken: another address stands for its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sip, self.http = f"{HOST}:{free_port(HOST)}", f"{HOST}:{free_port(HOST, socket.SOCK_STREAM)}"

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        words = line.partition(" #")[0].split()
        assert words[0] == "b2bua"
        more = {"try": ["--server", self.sip], "reload": ["--url", f"http://{self.http}"]}.get(words[1], [])
        argv = command(*words[1:], *more)
        return subprocess.run(
            argv, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )


def figures(text: str) -> list[str]:
    return [re.sub(r"\d+ RTP packets and heard \d+", "N RTP packets", line) for line in text.splitlines()]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    source, settings, start, *_ = blocks(guide())
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "call_screening.py").write_text(source)
    (tmp_path / "lab.toml").write_text(settings.replace("127.0.0.1:5060", made.sip) + f'http = "{made.http}"\n')
    check, run = start.splitlines()
    assert made.run(check).stdout == "lab.toml: ok\n"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command(*run.split()[1:]), cwd=tmp_path, env=environment(), stdout=log, stderr=log)
    try:
        wait_until("ready", lambda: " ready: " in (tmp_path / "log").read_text(), START_SECONDS)
        yield made
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait(5)


def test_ten_minutes(lab: Lab) -> None:
    _source, _settings, _start, first, seen, refused, changed, *rest = blocks(guide())
    assert rest == []
    done = lab.run(first.strip())
    assert (done.returncode, done.stderr) == (0, "")
    assert figures(done.stdout) == figures(seen)
    done = lab.run(refused.splitlines()[0])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "6003 hears 603 Decline")
    file = lab.folder / "features" / "call_screening.py"
    file.write_text(re.sub(r"^UNWANTED = .*$", 'UNWANTED = ("6009",)', file.read_text(), flags=re.MULTILINE))
    reload, again = changed.splitlines()
    assert lab.run(reload).returncode == 0
    done = lab.run(again)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "6003 has hung up")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("6001 6042", 1, "6001 hears 404 Not Found\n"),
        ("6042 6001", 2, "b2bua: there is no password for 6042\n"),
        ("6001 6002 --users nowhere", 2, "b2bua: nowhere: No such file or directory\n"),
        ("6001 6002 --users wrong", 2, "b2bua: 6001 cannot register: 401 Unauthorized\n"),
    ],
)
def test_nothing_comes_of_it(lab: Lab, words: str, status: int, said: str) -> None:
    (lab.folder / "wrong").write_text("6001,nonsense\n")
    done = lab.run(f"b2bua try {words}")
    assert done.returncode == status
    assert (done.stderr or done.stdout).endswith(said) and done.stderr.count("\n") == (status == 2)


@pytest.mark.parametrize("leaves", [False, True], ids=["interrupted", "nobody reads on"])
def test_no_call_is_left_behind(lab: Lab, leaves: bool) -> None:
    """It stood at the server, which nobody could end but from beside."""
    argv = command("try", "6001", "6002", "--server", lab.sip, "--seconds", "1" if leaves else "60")
    process = subprocess.Popen(
        argv, cwd=lab.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    while process.stdout.readline() != "6001 hears 200 OK\n":
        assert process.poll() is None
    if leaves:
        process.stdout.close()
    else:
        process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert (process.wait(20), said) == (1 if leaves else 130, "")
    calls = subprocess.run(
        command("call", "list", "--url", f"http://{lab.http}"), env=environment(), capture_output=True, text=True, check=True
    )
    assert calls.stdout == ""


def test_no_server_there(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("6001,one\n")
    for server, said in ((f"{HOST}:9", "6001 cannot register: no answer"), ("nonsense", "'nonsense' has no port")):
        argv = command("try", "6001", "6002", "--server", server, "--users", "users")
        done = subprocess.run(
            argv, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (2, f"b2bua: {said}\n")
