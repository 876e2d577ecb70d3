"""The server under test: `b2bua run` as a process of its own, seen only through its sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import b2bua
from tests.interop.wire import Message

DOMAIN: Final = "example.com"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
HTTP_SECONDS: Final = 5.0

Record = dict[str, Any]


class NotReached(AssertionError):
    """What a test waited for did not come in time."""


def wait_until(what: str, reached: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until `reached` or fail; the only kind of waiting in these tests."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise NotReached(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def free_port(host: str, *kinds: socket.SocketKind, span: int = 1) -> int:
    """A port that was free a moment ago for these kinds of socket (UDP), and the `span` - 1 behind it."""
    kinds = kinds or (socket.SOCK_DGRAM,)
    for _ in range(50):
        with socket.socket(_family(host), kinds[0]) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port + span < 65536 and all(_is_free(host, port + offset, kind) for offset in range(span) for kind in kinds):
            return port
    raise NotReached(f"no {span} free ports in a row on {host}")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_free(host: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(_family(host), kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def environment() -> dict[str, str]:
    """What a server process inherits: nothing that would set it up."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("B2BUA_")}
    # The b2bua of this process first, be it the checkout or an installation; then the checkout, for what the tests have.
    roots = dict.fromkeys(str(path.resolve().parents[1]) for path in (Path(b2bua.__file__), Path(__file__).parent))
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, (*roots, inherited.get("PYTHONPATH", ""))))
    return inherited


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "b2bua", *arguments]


class Server:
    """One server process. `users`: name → password, written to a file for `--users`; None = none given."""

    def __init__(
        self,
        directory: Path,
        host: str,
        users: dict[str, str] | None,
        store: str = "memory:",
        options: Sequence[str] = (),
        port: int = 0,
        more: Sequence[str] = (),
        http_host: str = "",
        http_port: int = 0,
        own_ports: Sequence[str] = (),
        ready: bool = True,
        prefix: Sequence[str] = (),
    ) -> None:
        """`more`: further listeners, TRANSPORT:HOST, all at the one port; `own_ports`: transports that listen at `host`,
        each on a port of its own, which `ports` has; `ready`: whether to wait until it is; `prefix`: a
        command that starts it in a place of its own."""
        self.directory = directory
        self.host = host
        self.port = port or free_port(host, socket.SOCK_DGRAM, socket.SOCK_STREAM)
        self.http_host = http_host or host
        self.http_port = http_port or free_port(self.http_host, socket.SOCK_STREAM)
        self.more = more
        self.users = users or {}
        self._next_user = iter(self.users)
        self.log = directory / "server.log"
        argv = [*prefix, *command("run", "--domain", DOMAIN, "--listen", f"udp:{host}:{self.port}")]
        for listener in more:
            argv += ["--listen", f"{listener}:{self.port}"]
        self.ports = {transport: free_port(host, socket.SOCK_STREAM) for transport in own_ports}
        for transport, its_port in self.ports.items():
            argv += ["--listen", f"{transport}:{host}:{its_port}"]
        argv += ["--http", f"{self.http_host}:{self.http_port}", *options]
        if store:
            argv += ["--store", store]
        if users is not None:
            path = directory / "users"
            path.write_text("".join(f"{name},{password}\n" for name, password in users.items()))
            path.chmod(0o600)
            argv += ["--users", str(path)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if not ready:
            return
        try:
            wait_until("server ready", self._ready, START_SECONDS)
        except BaseException:
            self.kill()
            print(self.log_text(), file=sys.stderr)
            raise

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def next_user(self) -> str:
        """A user that nobody has taken yet, so that tests of one module keep out of each other's way."""
        return next(self._next_user)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise NotReached(f"the server ended with {self.process.returncode}")
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True

    def stop(self) -> int:
        """SIGTERM; the exit status. NotReached when it takes more than five seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotReached(f"the server still runs {STOP_SECONDS:g} s after SIGTERM") from None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    # -- what it says ------------------------------------------------------------------------------------------

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.http_host}:{self.http_port}{path}", timeout=HTTP_SECONDS) as answer:
            return str(answer.read().decode("utf-8"))

    def trace(self, query: str = "") -> list[Record]:
        """The records of `/api/trace`, oldest first; `query` is as in an URL (`call-id=…`, `user=…`)."""
        return [json.loads(line) for line in self.get(f"/api/trace?{query}").splitlines()]

    def hops(self, query: str = "") -> list[Hop]:
        return [Hop(record) for record in self.trace(query)]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a family's samples with these labels; 0 when there is none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        total = 0.0
        for line in self.get("/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(label in series for label in wanted):
                total += float(value)
        return total

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def check_healthy(self) -> None:
        """No mistake of ours so far: neither counted nor logged."""
        assert self.metric("b2bua_internal_errors_total") == 0
        log = self.log_text()
        assert "internal_error" not in log and "Traceback" not in log, log


class Hop:
    """One record of the trace with its message read."""

    def __init__(self, record: Record) -> None:
        self.source = str(record["source"])
        self.destination = str(record["destination"])
        self.transport = str(record["transport"])
        self.call = record["call"]
        self.retransmission = bool(record["retransmission"])
        self.step = int(record.get("step", 0))
        self.message = Message.read(str(record["message"]))

    @property
    def way(self) -> tuple[str, str]:
        return self.source, self.destination

    def __repr__(self) -> str:
        return f"{self.source} → {self.destination}: {self.message.start}" + (f" [{self.step}]" if self.step else "")
