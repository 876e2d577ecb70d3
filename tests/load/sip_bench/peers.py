"""The servers under test: how each is started, when it is ready, how it is stopped."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import time
import types
from dataclasses import dataclass
from pathlib import Path

from sip_bench import processes
from sip_bench.load import register_callees
from sip_bench.settings import CHECKER, LOAD_DIRECTORY, PROJECT, REALM, SERVER, SERVER_HTTP, Address, Bench, BenchError
from sip_bench.users import write_users

READY_SECONDS = 20.0
KAMAILIO = re.compile(r"kamailio([1-9][0-9]?)?")
OURS = {
    "b2bua": (".venv", "make setup"), "compiled": (".venv-compiled", "B2BUA_COMPILE=1 make setup"),
    "sqlite": (".venv", "make setup"), "compiled-sqlite": (".venv-compiled", "B2BUA_COMPILE=1 make setup"),
}  # fmt: skip
"""Of each of our peers where it is installed, and by what. Those named for it have a durable store."""
"""This server by its names as a peer: where it is installed, and what installs it there."""


@dataclass(frozen=True)
class Peer:
    """One server: its name, its command, and its HTTP address when it reports readiness there."""

    name: str
    argv: tuple[str, ...]
    http: Address | None = None


def kamailio_program() -> str | None:
    """Debian installs it to /usr/sbin, which is not on every user's PATH."""
    return shutil.which("kamailio", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")


def check_programs(names: list[str]) -> None:
    """Raise BenchError (status 2) when SIPp or a program of one of the peers is missing."""
    if not shutil.which("sipp"):
        raise BenchError("SIPp is missing: install the Debian package sip-tester", status=2)
    for name in names:
        if KAMAILIO.fullmatch(name):
            if not kamailio_program():
                raise BenchError("Kamailio is missing: install the Debian package kamailio", status=2)
        elif name not in OURS:
            raise BenchError(f"unknown peer {name!r}: kamailioN (N workers), {' or '.join(OURS)}", status=2)
        elif not our_program(name).exists():
            raise BenchError(f"{our_program(name).relative_to(PROJECT)} is missing: run `{OURS[name][1]}`", status=2)


def peer(bench: Bench, name: str, options: tuple[str, ...] = ()) -> Peer:
    """The peer of that name; ``check_programs`` has seen the name before. ``options`` are for this server."""
    if name in OURS:
        return _ours(bench, name, options)
    return _kamailio(bench, name)


def _kamailio(bench: Bench, name: str) -> Peer:
    match = KAMAILIO.fullmatch(name)
    workers = (match and match.group(1)) or "1"
    run = str(bench.run_dir)
    config = bench.run_dir / "kamailio.cfg"
    template = (LOAD_DIRECTORY / "kamailio.cfg").read_text(encoding="ascii")
    config.write_text(template.replace("USERS_FILE", f'"{run}/kamailio_users.cfg"'), encoding="utf-8")
    argv = (kamailio_program() or "kamailio", "-DD", "-E", "-f", str(config), "-n", workers)
    # 4 GiB shared and 16 MiB private at most: mapped, and resident only when used
    return Peer(name, (*argv, "-m", "4096", "-M", "16", "-Y", run, "-w", run, "-P", f"{run}/kamailio.pid"))


def our_program(name: str) -> Path:
    """The command of this server, from the sources or compiled."""
    return PROJECT / OURS[name][0] / "bin" / "b2bua"


def _ours(bench: Bench, name: str, options: tuple[str, ...]) -> Peer:
    argv = (str(our_program(name)), "run", "--listen", f"udp:{SERVER}", "--http", str(SERVER_HTTP), "--domain", REALM)
    users = str(bench.run_dir / "users.csv")
    store = f"sqlite:{bench.run_dir}/b2bua.db" if name.endswith("sqlite") else "memory:"
    return Peer(name, (*bench.prefix, *argv, "--users", users, "--store", store, *options), http=SERVER_HTTP)


class RunningPeer:
    """A started server with all callees registered. A context manager; leaving it stops the server."""

    def __init__(self, bench: Bench, name: str, options: tuple[str, ...] = ()) -> None:
        self.bench = bench
        self.peer = peer(bench, name, options)
        self.log = bench.run_dir / f"{name}.log"
        processes.await_free(SERVER, socket.SOCK_DGRAM)
        if self.peer.http:
            processes.await_free(self.peer.http, socket.SOCK_STREAM)
        write_users(bench)
        # The server shall run on its defaults, not on B2BUA_... settings (or our knobs) of the user's environment.
        environ = {key: value for key, value in os.environ.items() if not key.startswith("B2BUA_")}
        self.started = time.monotonic()
        self.process = processes.start(
            self.peer.argv, cpu=bench.server_cpu, log=self.log, cwd=bench.run_dir, env=environ
        )

    def __enter__(self) -> RunningPeer:
        try:
            self._await_ready()
            register_callees(self.bench)
        except BaseException:
            processes.stop(self.process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        processes.stop(self.process)

    @property
    def pid(self) -> int:
        """Root of the server's process tree (B2BUA_BENCH_PREFIX: of the wrapping program)."""
        return self.process.pid

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        return self.peer.http is not None and _http_ready(self.peer.http)

    def _await_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if (self.peer.http is None or _http_ready(self.peer.http)) and _options_answered():
                time.sleep(0.5)
                return
            time.sleep(0.2)
        raise BenchError(
            f"{self.peer.name} did not become ready: {processes.last_line(self.log)} (B2BUA_BENCH_RUN=DIR keeps logs)"
        )


def _http_ready(address: Address) -> bool:
    """Whether GET /readyz says 200."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=1.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _options_answered() -> bool:
    """Whether the server gives any response to OPTIONS within 0.3 s (RFC 3261 §11)."""
    unique = time.time_ns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as checker:
        checker.bind(CHECKER)
        checker.settimeout(0.3)
        here = Address(CHECKER.host, checker.getsockname()[1])
        lines = [
            f"OPTIONS sip:{SERVER} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{unique}",
            f"From: <sip:ready@{here.host}>;tag={unique}",
            f"To: <sip:{SERVER}>",
            f"Call-ID: {unique}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 5",
            f"Contact: <sip:ready@{here}>",
            "Content-Length: 0",
        ]
        try:
            checker.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), SERVER)
            return checker.recv(4096).startswith(b"SIP/2.0 ")
        except OSError:
            return False
