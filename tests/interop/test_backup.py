"""`b2bua backup` from a running server, `b2bua restore` behind its back refused, and a restart on what was restored."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.interop.raw import Raw
from tests.interop.server import Server, command, environment

HOST = "127.0.0.87"


def run(directory: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    argv = command(*arguments, "--store", "sqlite:lab.db")
    return subprocess.run(
        argv, cwd=directory, env=environment(), input=typed, capture_output=True, text=True, timeout=30, check=False
    )


def registers(server: Server, user: str, password: str) -> int:
    server.users = {user: password}
    phone = Raw(server, user)
    try:
        return phone.register()
    finally:
        phone.close()


def test_backup_and_restore(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("6001,one\n")
    assert run(tmp_path, "user", "import", "users.csv", "--domain", "example.com").returncode == 0
    server = Server(tmp_path, HOST, None, store="sqlite:lab.db")
    try:
        assert registers(server, "6001", "one") == 200
        done = run(tmp_path, "backup", "copy.db")
        assert (done.returncode, done.stdout) == (0, "lab.db copied to copy.db\n"), done.stderr
        again = run(tmp_path, "backup", "copy.db")
        assert (again.returncode, again.stderr) == (2, "b2bua: copy.db: File exists\n")
        refused = run(tmp_path, "restore", "copy.db")
        assert (refused.returncode, refused.stderr) == (2, "b2bua: lab.db: in use; stop the server first\n")
        assert registers(server, "6001", "one") == 200
        server.check_healthy()
        assert server.stop() == 0
    finally:
        server.kill()
    assert run(tmp_path, "user", "remove", "6001", "--domain", "example.com").returncode == 0
    done = run(tmp_path, "restore", "copy.db")
    assert done.returncode == 0 and done.stdout.startswith("lab.db restored from copy.db; the old one is lab.db.2")
    server = Server(tmp_path, HOST, None, store="sqlite:lab.db")
    try:
        assert registers(server, "6001", "one") == 200
        assert server.stop() == 0
    finally:
        server.kill()
