"""`b2bua feature-server` as a process of its own beside the server under test."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.interop.server import DOMAIN, START_SECONDS, STOP_SECONDS, NotReached, command, environment, wait_until


class FeatureProcess:
    """One feature server; may be killed and started anew. `link` and `listen` are `HOST:PORT`."""

    def __init__(self, directory: Path, listen: str, link: str, options: Sequence[str] = ()) -> None:
        self.log = directory / "feature-server.log"
        self._directory = directory
        self._argv = command("feature-server", "--domain", DOMAIN, "--listen", listen, "--session-manager", link, *options)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its ready line."""
        before = self.log_text().count(" ready: ")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._argv, cwd=self._directory, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until("feature server ready", lambda: self._ready(before), START_SECONDS)

    def _ready(self, before: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise NotReached(f"the feature server ended with {self.process.returncode}: {self.log_text()}")
        return self.log_text().count(" ready: ") > before

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL: it has no chance to say anything."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
