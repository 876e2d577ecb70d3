"""The script of test_same_ladder.py that `make test` has time for: a hold with its resume and lamps."""

from __future__ import annotations

from pathlib import Path

from tests.interop.same_ladder import compare
from tests.interop.server import Server
from tests.scenarios.main_scripts import hold_and_resume
from tests.scenarios.options import password

HOST, PHONES = "127.0.0.173", "127.0.0.174"


def test_same_hold(tmp_path: Path) -> None:
    server = Server(tmp_path, HOST, {user: password(user) for user in ("6001", "6002")})
    try:
        compare(server, PHONES, hold_and_resume)
        server.check_healthy()
        assert server.stop() == 0
    finally:
        server.kill()
