"""Processes seen through /proc: CPU ticks and memory of a process tree, pinning to a core, stopping."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sip_bench.settings import Address, BenchError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 10.0
PROC = Path("/proc")


class Ticks(NamedTuple):
    """CPU time in clock ticks (1 / TICKS_PER_SECOND seconds)."""

    user: int
    system: int

    def since(self, earlier: Ticks) -> Ticks:
        """What was used after ``earlier``."""
        return Ticks(self.user - earlier.user, self.system - earlier.system)

    @property
    def seconds(self) -> float:
        """User and system time together."""
        return (self.user + self.system) / TICKS_PER_SECOND


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the command's name (proc(5): the state is field 3), None when it has gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tree(pid: int) -> list[int]:
    """``pid`` and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting += children.get(current, [])
    return found


def cpu_ticks(pid: int) -> Ticks:
    """CPU time of the process tree so far, children that have ended and been reaped included."""
    user = system = 0
    for member in tree(pid):
        if fields := _stat_fields(member):
            user += int(fields[11]) + int(fields[13])  # utime, cutime
            system += int(fields[12]) + int(fields[14])  # stime, cstime
    return Ticks(user, system)


class Memory(NamedTuple):
    """Memory of a process tree in KiB (proc(5), smaps_rollup)."""

    rss: int
    """What is resident; shared among workers, it counts once for each."""
    uss: int
    """What would be free if the tree ended: private to its processes."""
    pss: int
    """Resident, shared memory by its share: of several workers the sum is true."""


def memory(pid: int) -> Memory:
    """What the process tree takes now."""
    total = [0, 0, 0]
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in (PROC / str(member) / "smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in _COUNTED:
                    total[_COUNTED[name]] += int(rest.split()[0])
    return Memory(*total)


_COUNTED = {"Rss": 0, "Private_Clean": 1, "Private_Dirty": 1, "Pss": 2}


def pss_kb(pid: int) -> int:
    """Resident memory of the process tree in KiB, memory shared among workers counted once."""
    return memory(pid).pss


def datagrams_received() -> int:
    """UDP datagrams received in this network namespace: on loopback one for each message to or from the server."""
    names, values = (line.split() for line in _snmp_udp_lines())
    return int(values[names.index("InDatagrams")])


def _snmp_udp_lines() -> tuple[str, str]:
    lines = [line for line in (PROC / "net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return lines[0], lines[1]


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Run on one core inside the block; processes started there stay on it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    argv: Sequence[str], *, cpu: int, log: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process of its own process group on core ``cpu``; the caller owns it and must ``stop`` it.

    Raises BenchError when the program cannot be run.
    """
    with log.open("wb") as output, pinned(cpu):
        try:
            return subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env, start_new_session=True
            )
        except OSError as error:
            raise BenchError(f"cannot run {argv[0]}: {error.strerror}", status=2) from None


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, limit: float = STOP_SECONDS) -> None:
    """Ask by signal ``how``, wait ``limit`` seconds, then kill what is left of the process's own group."""
    if process.poll() is None:
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(limit)


def last_line(log: Path) -> str:
    """The last line of a log that is not blank, or an empty string."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


def await_free(address: Address, kind: socket.SocketKind, limit: float = 5.0) -> None:
    """Return when ``address`` can be bound; BenchError after ``limit`` seconds (another benchmark is running?)."""
    end = time.monotonic() + limit
    while True:
        with socket.socket(socket.AF_INET, kind) as trial:
            if kind is socket.SOCK_STREAM:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(address)
                return
            except OSError as error:
                if time.monotonic() > end:
                    raise BenchError(f"cannot bind {address}: {error.strerror}", status=2) from None
        time.sleep(0.2)
