"""`b2bua doctor`: what of this machine would keep a server with these settings from working well, and what to do about it.

Each check looks and changes nothing; ports are bound for an instant. A finding is good, a warning (the server works, but
not as well as it could) or a failure (it does not start, or phones will not reach it).
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from b2bua import preflight
from b2bua.config.addresses import Listen, host_port_text
from b2bua.config.settings import Settings
from b2bua.store.interface import StoreError
from b2bua.store.opening import database_path
from b2bua.store.schema import integrity_of
from b2bua.transport.address import WILDCARDS, family_of, is_address
from b2bua.transport.udp import RECEIVE_BUFFER

_LEAST_SPACE: Final = 100 * 1024 * 1024
"""Bytes of free disk: a database of 10,000 users and bindings has less than ten."""
_LEAST_FILES: Final = 4096
"""Open files that the process may have: each TCP connection is one."""
_EARLIEST: Final = 1_767_225_600.0
"""Unix time of 2026-01-01: a clock before that was never set."""
_RMEM_MAX: Final = Path("/proc/sys/net/core/rmem_max")


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One line of the report."""

    verdict: Verdict
    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:4}  {self.what}" + (f": {self.advice}" if self.advice else "")


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, in the order of the checks. Raises nothing for what the machine is like."""
    for check in CHECKS:
        yield from check(settings)


def _settings(settings: Settings) -> Iterator[Finding]:
    found = [" ".join(line.split()) for line in preflight.problems(settings)]
    for line in found:
        yield Finding(Verdict.FAIL, "settings", line)
    if not found:
        yield Finding(Verdict.OK, f"settings of the domain {settings.domain}, features {', '.join(settings.features) or 'none'}")


def _listeners(settings: Settings) -> Iterator[Finding]:
    for listen in (*settings.listen, *(link.listen for link in settings.links)):
        kind = socket.SOCK_DGRAM if listen.transport == "udp" else socket.SOCK_STREAM
        yield _port(str(listen), listen.host, listen.port, kind)
        yield from _advertised(listen)
    host, port = settings.http
    yield _port(f"http:{host_port_text(host, port)}", host, port, socket.SOCK_STREAM)


def _port(name: str, host: str, port: int, kind: socket.SocketKind) -> Finding:
    """Whether a port can be had."""
    with socket.socket(family_of(host), kind) as probe:
        try:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            if probe.family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
        except PermissionError:
            return Finding(Verdict.FAIL, name, "not allowed: take a port from 1024 up, or run with CAP_NET_BIND_SERVICE")
        except OSError as error:
            reason = error.strerror or str(error)
            return Finding(Verdict.FAIL, name, f"{reason}: a server that runs already, or another program, has it"
                           if "in use" in reason else reason)  # fmt: skip
    return Finding(Verdict.OK, f"{name} is free")


def _advertised(listen: Listen) -> Iterator[Finding]:
    """Whether phones are told an address that means something to them."""
    if listen.advertised is not None:
        host = listen.advertised[0]
        if host in ("127.0.0.1", "::1", "localhost", *WILDCARDS):
            yield Finding(Verdict.FAIL, f"{listen} advertises {host}", "no phone on another host can reach that")
        elif not is_address(host) and not _resolves(host):
            yield Finding(Verdict.WARN, f"{listen} advertises {host}", "the name does not resolve here; phones need it to")
    elif listen.host in WILDCARDS and Path("/.dockerenv").exists():
        yield Finding(
            Verdict.WARN, f"{listen} in a container", "phones are told the container's address; write the host's behind a slash"
        )


def _domain(settings: Settings) -> Iterator[Finding]:
    if _resolves(settings.domain):
        yield Finding(Verdict.OK, f"the domain {settings.domain} resolves")
    else:
        yield Finding(Verdict.OK, f"the domain {settings.domain} does not resolve: give phones this host as outbound proxy")


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return True


def _clock(settings: Settings) -> Iterator[Finding]:
    if time.time() < _EARLIEST:
        yield Finding(Verdict.FAIL, f"the clock says {time.strftime('%Y-%m-%d')}", "set it: registrations expire by it")
    else:
        yield Finding(Verdict.OK, f"the clock says {time.strftime('%Y-%m-%d %H:%M:%S %z')}")


def _store(settings: Settings) -> Iterator[Finding]:
    if not settings.store.startswith("sqlite:"):
        yield Finding(Verdict.WARN, f"the store is {settings.store}", "users and registrations are gone with the process")
        return
    try:
        path = database_path(settings.store)
    except StoreError:
        return  # the settings' check has said it
    yield from _database(path)
    place = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(place, os.W_OK):
        yield Finding(Verdict.FAIL, f"{place} cannot be written", "give the directory to the user that runs the server")
    free = shutil.disk_usage(place).free
    if free < _LEAST_SPACE:
        yield Finding(Verdict.WARN, f"{free // 2**20} MiB free at {place}", "make room: what cannot be written is refused")
    else:
        yield Finding(Verdict.OK, f"{free // 2**20} MiB free at {place}")


def _database(path: Path) -> Iterator[Finding]:
    """Whether the database is whole."""
    if not path.exists():
        yield Finding(Verdict.OK, f"{path} is not there yet: the first start makes it")
        return
    try:
        flaw = integrity_of(path)
    except StoreError as error:
        yield Finding(Verdict.FAIL, str(error), "put a backup in its place: b2bua restore FILE")
        return
    if flaw:
        yield Finding(Verdict.FAIL, f"{path} is damaged: {flaw}", "put a backup in its place: b2bua restore FILE")
    else:
        yield Finding(Verdict.OK, f"{path} is whole")


def _modes(settings: Settings) -> Iterator[Finding]:
    """Whether others can read the secrets in the store. First of all: a look into a database may make and remove files."""
    if not settings.store.startswith("sqlite:"):
        return
    try:
        path = database_path(settings.store)
    except StoreError:
        return
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"), path.with_name("initial-users")):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield Finding(Verdict.FAIL, f"{file} can be read by others", f"it holds passwords' hashes: chmod 600 {file}")


def _limits(settings: Settings) -> Iterator[Finding]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _LEAST_FILES:
        yield Finding(Verdict.WARN, f"{files} open files at most", "each TCP connection is one: raise the limit (ulimit -Hn)")
    else:
        yield Finding(Verdict.OK, "open files: " + ("no limit" if files == resource.RLIM_INFINITY else f"{files} at most"))
    try:
        granted = int(_RMEM_MAX.read_text())
    except (OSError, ValueError):
        return
    if granted < RECEIVE_BUFFER:
        yield Finding(
            Verdict.WARN, f"UDP receive buffers of {granted // 1024} KiB at most",
            f"bursts are lost: sysctl net.core.rmem_max={RECEIVE_BUFFER}",
        )  # fmt: skip
    else:
        yield Finding(Verdict.OK, f"UDP receive buffers of {RECEIVE_BUFFER // 1024} KiB are granted")


CHECKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    _modes, _settings, _listeners, _domain, _clock, _store, _limits,
)  # fmt: skip
