"""The server of the demo: `b2bua run` in a process of its own, which the demo kills and starts again on the same store.

Seen through its ready line, its trace over HTTP and its log; `make demo` alone uses it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

from b2bua.sip.flow import HostPort

HTTP_SECONDS: Final = 3.0
END_SECONDS: Final = 5.0
_READY: Final = re.compile(r"^b2bua .* ready: udp:(\S+):(\d+) http://(\S+):(\d+) ", re.MULTILINE)


class DemoServer:
    """`start`, then poll `ready`; `kill` and `start` again as often as wanted: ports and store stay.

    `folder` gets the configuration, the database and the log; it is the demo's to remove.
    """

    def __init__(self, folder: Path, host: str, domain: str, users: Path, more: str = "") -> None:
        """`more`: further settings, lines of TOML."""
        self.address: HostPort = (host, 0)
        self._http: HostPort = (host, 0)
        self._folder = folder
        self._settings = (
            f'domain = "{domain}"\nusers = "{users}"\nstore = "sqlite:{folder / "demo.db"}"\n' + more
        )
        self._log = folder / "server.log"
        self._told = 0
        """How much of the log older processes have written."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that was started last; 0 before."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """OSError when it cannot be started at all."""
        host, port = self.address
        listen = f'listen = ["udp:{host}:{port}"]\nhttp = "{self._http[0]}:{self._http[1]}"\n'
        config = self._folder / "b2bua.toml"
        config.write_text(listen + self._settings)
        self._told = self._log.stat().st_size if self._log.exists() else 0
        environ = {key: value for key, value in os.environ.items() if not key.startswith("B2BUA_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "b2bua", "run", "--config", str(config)],
                cwd=self._folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def ready(self) -> bool:
        """Whether it has said so; its ports are known from then on. ChildProcessError, with its words, when it has ended."""
        said = self._said()
        found = _READY.search(said)
        if found is not None:
            self.address, self._http = (found[1], int(found[2])), (found[3], int(found[4]))
            return True
        if self._process is not None and self._process.poll() is not None:
            raise ChildProcessError(said.strip().splitlines()[-1] if said.strip() else "the server ended at once")
        return False

    def kill(self) -> None:
        """`kill -9`; it is dead when this returns."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(END_SECONDS)

    def stop(self) -> None:
        """The end, in good order if it goes."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def trace(self) -> list[dict[str, Any]]:
        """The records that this process holds, oldest first (b2bua/trace/README.md: `b2bua trace`)."""
        url = f"http://{self._http[0]}:{self._http[1]}/api/trace"
        with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
            return [json.loads(line) for line in answer.read().decode("utf-8").splitlines()]

    def errors(self) -> list[str]:
        """Mistakes of the server's own that are in its log, from all its processes."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return [line for line in text.splitlines() if " internal_error " in line or line.lstrip().startswith("Traceback")]

    def _said(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._told)
            return log.read().decode("utf-8", "replace")
