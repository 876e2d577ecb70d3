"""The part of the restart matrix that real phones can do: PJSIP on both sides, UDP and TCP."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.interop.server import Server
from tests.restart.matrix import restarted
from tests.restart.pjsip_cells import USERS, rounds

HOST = "127.0.0.93"


def test_no_cell_is_red(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'state.db'}"

    def start() -> Server:
        return Server(tmp_path, HOST, USERS, store, more=[f"tcp:{HOST}"])

    wrong = asyncio.run(rounds(tmp_path, start, lambda server: restarted(server, store)))
    assert not wrong, "\n\n".join(f"{key}: {why}" for key, why in wrong.items())
