"""rtpengine as a process of its own, in user space and on loopback; and what it says of a call."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from b2bua.media.bencode import decode, encode
from tests.interop.server import free_port, wait_until

PORTS = 400


class Rtpengine:
    """Started at once at `host`; its owner closes it. `start` brings it back after `kill`, empty."""

    def __init__(self, folder: Path, host: str) -> None:
        self.host = host
        self.ng = (host, free_port(host))
        self._folder = folder
        folder.mkdir()
        first = free_port(host, span=PORTS)
        self._command = [
            "rtpengine", "--config-file=none", "--table=-1", f"--interface={host}", f"--listen-ng={host}:{self.ng[1]}",
            f"--port-min={first}", f"--port-max={first + PORTS - 1}", "--foreground", "--log-stderr", "--log-level=6",
            "--num-threads=2", f"--pidfile={folder / 'pid'}",
        ]  # fmt: skip
        self.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.ng[1]}"

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("rtpengine answers", self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self._folder / "log").read_text(errors="replace")
        try:
            return bool(self.ask({"command": "ping"})["result"] == b"pong")
        except OSError:
            return False

    def ask(self, fields: dict[str, object]) -> dict[str, Any]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind((self.host, 0))
            asking.settimeout(1)
            cookie = uuid4().hex.encode()  # one that was used before gets its old answer
            asking.sendto(cookie + b" " + encode(fields), self.ng)
            found: dict[str, Any] = decode(asking.recv(65536).partition(b" ")[2])
            return found

    def calls(self) -> list[str]:
        """What it calls those that stand."""
        listed = self.ask({"command": "list", "limit": 100})["calls"]
        return [each.decode() for each in listed]

    def relayed(self, call: str) -> list[int]:
        """Packets that came in for RTP, by stream."""
        found = self.ask({"command": "query", "call-id": call})
        streams = [
            stream
            for tag in found.get("tags", {}).values()
            for media in tag.get("medias", [])
            for stream in media.get("streams", [])
        ]
        return [int(stream["stats"]["packets"]) for stream in streams if b"RTP" in stream.get("flags", [])]

    def kill(self) -> None:
        """As by SIGKILL."""
        self.process.kill()
        self.process.wait(5)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
