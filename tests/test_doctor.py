"""What `b2bua doctor` finds, on the real machine and on files of ours."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

import b2bua.doctor as doctor
from b2bua.cli import main
from b2bua.config.settings import Settings
from b2bua.config.sources import load_settings
from b2bua.doctor import Finding, Verdict, examine
from b2bua.store.opening import open_store
from b2bua.store.users_file import make_user

HOST = "127.0.0.88"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def settings(**options: object) -> Settings:
    found: dict[str, object] = {"listen": (f"udp:{HOST}:{free_port()}",), "http": f"{HOST}:{free_port()}", "store": "memory:"}
    return load_settings(None, {}, found | options)


def findings(verdict: Verdict, **options: object) -> list[Finding]:
    return [finding for finding in examine(settings(**options)) if finding.verdict is verdict]


def database(directory: Path) -> Path:
    path = directory / "b2bua.db"
    store = open_store(f"sqlite:{path}", "lab.internal", lambda function, *arguments: function(*arguments))
    store.put_users([make_user("6001", "lab.internal", "secret")])
    store.close()
    return path


def test_all_is_well(tmp_path: Path) -> None:
    path = database(tmp_path)
    before = path.read_bytes()
    assert findings(Verdict.FAIL, store=f"sqlite:{path}") == []
    assert any(finding.what == f"{path} is whole" for finding in findings(Verdict.OK, store=f"sqlite:{path}"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_port_taken(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        listen = f"{'udp' if kind == socket.SOCK_DGRAM else 'tcp'}:{HOST}:{other.getsockname()[1]}"
        [found] = findings(Verdict.FAIL, listen=(listen,))
    assert found.what == listen and "another program, has it" in found.advice


@pytest.mark.parametrize(
    ("advertised", "verdict"), [("127.0.0.1", Verdict.FAIL), ("no-such-host.invalid", Verdict.WARN), ("192.0.2.1", None)]
)
def test_advertised_address(advertised: str, verdict: Verdict | None) -> None:
    found = [one for one in examine(settings(listen=(f"udp:{HOST}:{free_port()}/{advertised}",))) if "advertises" in one.what]
    assert [one.verdict for one in found] == ([] if verdict is None else [verdict])


@pytest.mark.parametrize("file", ["b2bua.db", "b2bua.db-wal", "initial-users"])
def test_secrets_that_others_can_read(tmp_path: Path, file: str) -> None:
    path = database(tmp_path)
    (tmp_path / file).touch()
    (tmp_path / file).chmod(0o640)
    found = findings(Verdict.FAIL, store=f"sqlite:{path}")
    assert [one.what for one in found] == [f"{tmp_path / file} can be read by others"]
    assert found[0].advice.endswith(f"chmod 600 {tmp_path / file}")


def test_damaged_database(tmp_path: Path) -> None:
    path = database(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(bytes(content))
    assert any("b2bua restore FILE" in found.advice for found in findings(Verdict.FAIL, store=f"sqlite:{path}"))


def test_no_database_at_all(tmp_path: Path) -> None:
    path = tmp_path / "b2bua.db"
    path.write_bytes(b"nothing of ours" * 100)
    path.chmod(0o600)
    found = findings(Verdict.FAIL, store=f"sqlite:{path}")
    assert any("b2bua restore FILE" in one.advice for one in found)


def test_little_room_and_small_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 * 2**20}))
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda _: (256, 1024))
    (tmp_path / "rmem_max").write_text("212992\n")
    monkeypatch.setattr(doctor, "_RMEM_MAX", tmp_path / "rmem_max")
    found = [one.what for one in findings(Verdict.WARN, store=f"sqlite:{database(tmp_path)}")]
    assert f"5 MiB free at {tmp_path}" in found
    assert "1024 open files at most" in found and "UDP receive buffers of 208 KiB at most" in found


def test_clock_that_was_never_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.time, "time", lambda: 3600.0)
    assert [found.what for found in findings(Verdict.FAIL) if "clock" in found.what]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.toml").write_text(
        f'listen = ["udp:{HOST}:{free_port()}"]\nhttp = "{HOST}:{free_port()}"\nstore = "sqlite:b2bua.db"\n'
    )
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--config", "lab.toml"])
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    assert all(re.match(r"(ok  |warn|fail)  \S", line) for line in said.splitlines())
    assert list(tmp_path.iterdir()) == [tmp_path / "lab.toml"], "it changes nothing"
    (tmp_path / "lab.toml").write_text('features = ["nothing"]\nnonsense = 1\n')
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--config", "lab.toml"])
    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert "fail  settings: lab.toml:2: unknown key 'nonsense'" in said and "feature 'nothing' not found" in said
