"""The floor: what the kernel and Twisted alone cost for the datagrams of one hold call, echoed and not looked at."""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sip_bench import processes
from sip_bench.settings import CALLER, PROJECT, SERVER, Bench, BenchError

READY_SECONDS = 10.0
REPLY_SECONDS = 0.5
ECHO = Path(__file__).with_name("echo.py")


@dataclass(frozen=True)
class Floor:
    """CPU of the echo for one hold call's datagrams."""

    calls: int
    datagrams: int
    """A call, in and out together."""
    size: int
    """Bytes in and out of a call."""
    cpu: processes.Ticks
    lost: int
    rate: float
    """Calls a second that the run reached."""

    def line(self) -> str:
        """One line for the user."""
        milliseconds = self.cpu.seconds * 1000 / self.calls
        system = 100 * self.cpu.system / max(1, self.cpu.user + self.cpu.system)
        return (
            f"FLOOR hold_call {self.rate:.0f} cpu_ms={milliseconds:.3f} (sys {system:.0f} %) datagrams={self.datagrams} "
            f"bytes={self.size} calls={self.calls} lost={self.lost}"
        )


def call_sizes() -> tuple[int, list[int]]:
    """Bytes of each datagram that a hold call brings to the server, and how many come and go: from the server in process."""
    sys.path.insert(0, str(PROJECT))
    from tests.load.in_process.rig import Rig

    rig = Rig()
    rig.call()  # the first one fills caches, and its datagrams are those of every other
    rig.datagrams, step, sizes = 0, rig.step, []

    def sized_step() -> None:
        sizes.extend(len(data) for data, _ in rig.wire.arrived)
        step()

    rig.step = sized_step
    rig.call()
    return rig.datagrams, sizes


def measure_floor(bench: Bench, rate: float, seconds: float) -> Floor:
    """Echo as many datagrams of those sizes as a hold call has, in and out together, at ``rate`` calls a second."""
    total, sizes = call_sizes()
    datagrams = [bytes(size) for size in sizes]
    # A call has some more out than in, or the other way; half of all go in, so that as many pass the echo.
    datagrams = [datagrams[index % len(datagrams)] for index in range(total // 2)]
    argv = (sys.executable, str(ECHO), SERVER.host, str(SERVER.port))
    process = processes.start(argv, cpu=bench.server_cpu, log=bench.run_dir / "echo.log", cwd=bench.run_dir)
    try:
        with processes.pinned(bench.load_cpu), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(CALLER)
            sock.settimeout(REPLY_SECONDS)
            _await_echo(sock)
            return _drive(sock, process.pid, datagrams, rate, seconds)
    finally:
        processes.stop(process)


def _await_echo(sock: socket.socket) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        try:
            sock.sendto(b"ready", SERVER)
            if sock.recv(65535) == b"ready":
                return
        except OSError:
            time.sleep(0.1)
    raise BenchError("the echo does not answer (B2BUA_BENCH_RUN=DIR keeps its log)")


def _drive(sock: socket.socket, pid: int, datagrams: list[bytes], rate: float, seconds: float) -> Floor:
    """One datagram after the other, each awaited: the echo wakes up for each, as a server does for the steps of a call."""
    calls, lost = max(1, round(rate * seconds)), 0
    before, begin = processes.cpu_ticks(pid), time.monotonic()
    for number in range(calls):
        for datagram in datagrams:
            sock.sendto(datagram, SERVER)
            try:
                sock.recv(65535)
            except TimeoutError:
                lost += 1
        time.sleep(max(0.0, begin + (number + 1) / rate - time.monotonic()))
        if time.monotonic() - begin > 4 * seconds:
            calls = number + 1
            break
    wall = time.monotonic() - begin
    cpu = processes.cpu_ticks(pid).since(before)
    return Floor(calls, 2 * len(datagrams), 2 * sum(map(len, datagrams)), cpu, lost, calls / wall)
