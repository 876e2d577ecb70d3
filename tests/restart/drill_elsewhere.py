"""The drill with Communication Manager in a process of its own: Session Manager dies alone.

What Communication Manager had published of calls in set-up nobody takes back when it dies, until it runs out (two minutes):
longer than a drill waits for a lamp.
"""

from __future__ import annotations

import socket
from typing import Final

from tests.interop.feature_process import FeatureProcess
from tests.interop.server import Server, free_port
from tests.restart.drill import HOST, Drill

ELSEWHERE: Final = "127.0.0.91"
NAME: Final = "communication_manager"
SETTINGS: Final = """
feature_server = "none"
links = ["{name}=udp:{link}={peer}"]
link_heartbeat = 2.0
"""


class DrillElsewhere(Drill):
    """Two processes on stores of their own, linked by UDP."""

    elsewhere: FeatureProcess

    def _start(self) -> Server:
        directory = self.directory
        link, peer = (f"{host}:{free_port(host)}" for host in (HOST, ELSEWHERE))
        config = directory / "session-manager.toml"
        config.write_text(SETTINGS.format(name=NAME, link=link, peer=peer))
        store = self.store if self.store == "memory:" else f"sqlite:{directory / 'elsewhere.db'}"
        http = f"{ELSEWHERE}:{free_port(ELSEWHERE, socket.SOCK_STREAM)}"
        self.elsewhere = FeatureProcess(directory, f"udp:{peer}", link, ("--store", store, "--http", http))
        self.elsewhere.start()
        self.options = ("--config", str(config))
        return super()._start()

    def log_text(self) -> str:
        return super().log_text() + self.elsewhere.log_text()

    def close(self) -> None:
        super().close()
        self.elsewhere.kill()
