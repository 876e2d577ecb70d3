"""Addresses, knobs and errors of a benchmark run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

LOAD_DIRECTORY = Path(__file__).resolve().parent.parent
PROJECT = LOAD_DIRECTORY.parent.parent
SCENARIOS = ("hold_call", "basic_call", "register")
PASSWORD = "bench-pass"
REALM = "bench"


class Address(NamedTuple):
    """An IPv4 host and a port; prints as ``host:port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


SERVER = Address("127.0.0.10", 5060)
SERVER_HTTP = Address("127.0.0.10", 8090)
CALLER = Address("127.0.0.11", 5061)
CALLEE = Address("127.0.0.12", 5062)
CHECKER = Address("127.0.0.13", 0)
SECOND_CALLER = Address("127.0.0.14", 5064)
PROBE = Address("127.0.0.15", 5066)


class BenchError(Exception):
    """The benchmark cannot go on. The message is one line for the user; ``status`` is the exit status.

    Status 2: something outside is missing (program, address, core); 1: a peer or SIPp failed during the run.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Bench:
    """What all steps of a run share."""

    run_dir: Path
    """Scratch: generated users, SIPp statistics, logs. Made and removed by the command line."""
    users: int
    """So many callers (a0000, ...) and as many callees (b0000, ...)."""
    server_cpu: int
    load_cpu: int
    prefix: tuple[str, ...]
    """Words before this server's command, such as ``perf record -g -o /tmp/perf.data --``; not before other peers'."""

    @classmethod
    def from_environment(cls, run_dir: Path, environ: Mapping[str, str]) -> Bench:
        """Read B2BUA_BENCH_USERS, _SERVER_CPU, _LOAD_CPU and _PREFIX.

        Without the CPU knobs the first two cores this process may use are taken (on a machine with one core: that one).
        """
        cores = sorted(os.sched_getaffinity(0))
        bench = cls(
            run_dir=run_dir,
            users=_number(environ, "B2BUA_BENCH_USERS", 1000),
            server_cpu=_number(environ, "B2BUA_BENCH_SERVER_CPU", cores[0]),
            load_cpu=_number(environ, "B2BUA_BENCH_LOAD_CPU", cores[min(1, len(cores) - 1)]),
            prefix=tuple(shlex.split(environ.get("B2BUA_BENCH_PREFIX", ""))),
        )
        if not 1 <= bench.users <= 10_000:
            raise BenchError("B2BUA_BENCH_USERS must be from 1 to 10000", status=2)
        if not {bench.server_cpu, bench.load_cpu} <= set(cores):
            raise BenchError(f"B2BUA_BENCH_SERVER_CPU and _LOAD_CPU must be among the cores {cores}", status=2)
        return bench


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise BenchError(f"{name} must be a whole number, not {text!r}", status=2) from None
