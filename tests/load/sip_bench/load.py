"""SIPp: starting phone A and phone B, and reading the statistics they leave."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from sip_bench import processes
from sip_bench.settings import CALLEE, CALLER, LOAD_DIRECTORY, SERVER, Address, Bench, BenchError

RECEIVE_LIMIT_MS = 10_000
"""A call that waits so long for a message has failed."""
SETTLE_SECONDS = 40.0
"""How long after its last call SIPp may take before it is killed; calls then open count as failed."""
CALLEE_LIMIT_SECONDS = 3600
"""Phone B ends by itself after this time, even if the driver was killed."""


@dataclass(frozen=True)
class Statistics:
    """Totals of one SIPp process: calls begun, succeeded, failed; messages sent again."""

    calls: int = 0
    ok: int = 0
    failed: int = 0
    retransmissions: int = 0

    def since(self, earlier: Statistics) -> Statistics:
        """What came after ``earlier``."""
        return Statistics(
            self.calls - earlier.calls, self.ok - earlier.ok, self.failed - earlier.failed,
            self.retransmissions - earlier.retransmissions,
        )  # fmt: skip


@dataclass(frozen=True)
class Load:
    """What phone A shall do: ``calls`` calls of a scenario at ``rate`` calls a second."""

    scenario: str
    rate: float
    calls: int
    injection: str = "calls"
    """Name of the injection file in the scratch directory, without ``.csv``."""
    tag: str = "uac"
    """Prefix of the files this run writes."""
    local: Address = CALLER
    hold_ms: int = 50
    """Length of the scenario's plain pause (basic_call: before the BYE)."""


class SippRun:
    """A running SIPp process; its owner ends it by ``finish`` (bounded runs) or ``stop`` (phone B)."""

    def __init__(self, bench: Bench, tag: str, local: Address, scenario: str, options: list[str]) -> None:
        self.log = bench.run_dir / f"{tag}.out"
        self.stat = bench.run_dir / f"{tag}.stat"
        directory = bench.run_dir / f"sipp-{tag}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        self.stat.unlink(missing_ok=True)
        argv = ["sipp", str(SERVER), "-sf", str(LOAD_DIRECTORY / "scenarios" / f"{scenario}.xml")]
        argv += ["-i", local.host, "-ci", local.host, "-p", str(local.port), "-nostdin", "-buff_size", "4194304"]
        argv += ["-trace_stat", "-stf", str(self.stat), "-fd", "1"]
        argv += ["-trace_err", "-error_file", str(bench.run_dir / f"{tag}.err")]
        # A 100 or 180 that comes after the final response is legal; SIPp shall ignore it, as a phone would.
        argv += ["-default_behaviors", "all,-abortunexp", *options]
        self.process = processes.start(argv, cpu=bench.load_cpu, log=self.log, cwd=directory)

    def finish(self, limit: float) -> Statistics:
        """Wait for a bounded run at most ``limit`` seconds, then kill it; BenchError when it made no call at all."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
        except BaseException:
            self.kill()
            raise
        statistics = self.statistics()
        if statistics.calls == 0:
            raise BenchError(f"SIPp made no call: {processes.last_line(self.log)}")
        return statistics

    def kill(self) -> None:
        """End the run at once, if it still stands."""
        processes.stop(self.process, signal.SIGKILL)

    def stop(self) -> None:
        """End a run without a number of calls: SIGUSR1 lets SIPp finish what stands."""
        processes.stop(self.process, signal.SIGUSR1, limit=3.0)

    def statistics(self) -> Statistics:
        """The newest totals (SIPp writes them every second and at its end)."""
        return read_statistics(self.stat)


def read_statistics(path: Path) -> Statistics:
    """Totals of the last whole line of a ``-trace_stat`` file; zeros when there is none."""
    try:
        with path.open(newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
    except OSError:
        return Statistics()
    for row in reversed(rows):
        try:
            return Statistics(
                calls=int(row["TotalCallCreated"]),
                ok=int(row["SuccessfulCall(C)"]),
                failed=int(row["FailedCall(C)"]),
                retransmissions=int(row["Retransmissions(C)"]),
            )
        except (KeyError, TypeError, ValueError):
            continue  # SIPp is still writing this line
    return Statistics()


def start_caller(bench: Bench, load: Load) -> SippRun:
    """Start phone A; it ends by itself after its calls."""
    limit = int(load.calls / load.rate + load.hold_ms / 1000 + SETTLE_SECONDS + 5)
    options = ["-inf", str(bench.run_dir / f"{load.injection}.csv"), "-r", f"{load.rate:g}", "-m", str(load.calls)]
    options += ["-d", str(load.hold_ms), "-l", str(max(load.calls, 100)), "-deadcall_wait", "0"]
    options += ["-recv_timeout", str(RECEIVE_LIMIT_MS), "-timeout", str(limit)]
    return SippRun(bench, load.tag, load.local, load.scenario, options)


def start_callee(bench: Bench) -> SippRun:
    """Start phone B, which answers every call until it is stopped; BenchError when it ends at once."""
    options = ["-deadcall_wait", "4000", "-timeout", str(CALLEE_LIMIT_SECONDS)]
    run = SippRun(bench, "uas", CALLEE, "uas", options)
    try:
        time.sleep(0.5)
    except BaseException:
        run.kill()
        raise
    if run.process.poll() is not None:
        raise BenchError(f"SIPp (phone B) ended at once: {processes.last_line(run.log)}")
    return run


def register_callees(bench: Bench) -> None:
    """Register every callee at 400 a second; BenchError when one failed."""
    rate = 400.0
    run = start_caller(bench, Load("register", rate, bench.users, injection="reg_b", tag="prereg"))
    registered = run.finish(bench.users / rate + SETTLE_SECONDS).ok
    if registered < bench.users:
        raise BenchError(f"only {registered} of {bench.users} callees could register")
