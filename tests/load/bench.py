#!/usr/bin/env python3
"""Benchmark of this server beside Kamailio, on loopback, by SIPp.

    bench.py table [--rate R] [--seconds S] [--pairs N] [--scenario NAME,NAME|all] [--peers A,B]
    bench.py run PEER SCENARIO RATE SECONDS [REPS]
    bench.py max PEER SCENARIO START [SECONDS [FACTOR]]
    bench.py standing PEER [CALLS ...] [--rate R]
    bench.py start [PEER ...] [--bindings N] [--calls N] [--starts N] [--readme]
    bench.py store [--peers A,B] [--rates R,R] [--seconds S] [--pairs N] [--readme]
    bench.py floor [RATE [SECONDS]]
    bench.py overload [SECONDS]

PEER: kamailioN (N workers), b2bua, or compiled (the same, installed by B2BUA_COMPILE=1 make setup); sqlite or
compiled-sqlite: the two with a durable store. SCENARIO: hold_call,
basic_call, register. Defaults of the table's options come from B2BUA_BENCH_RATE, _SECONDS, _PAIRS, _SCENARIO, _PEERS.
B2BUA_BENCH_PREFIX: words before this server's command, such as "perf record -g -o /tmp/perf.data --". B2BUA_BENCH_RUN: a
directory to keep logs and statistics in.
Exit status: 0; 1 when a server or more than 0.1 % of its calls failed; 2 when something needed is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from sip_bench import experiments, floor, machine, overload, processes, readme, standing, start_up, store_cost, table
from sip_bench.arguments import parser
from sip_bench.measure import FAILED_SHARE
from sip_bench.peers import check_programs
from sip_bench.settings import CALLEE, CALLER, PROBE, SCENARIOS, SERVER, Bench, BenchError


def table_plan(args: argparse.Namespace) -> table.Plan:
    """The plan of a `table` command; BenchError when a scenario is unknown."""
    scenarios = SCENARIOS if args.scenario == "all" else tuple(dict.fromkeys(args.scenario.split(",")))
    if not set(scenarios) <= set(SCENARIOS):
        raise BenchError(f"unknown scenario {args.scenario!r}: {', '.join(SCENARIOS)} or all", status=2)
    peers = tuple(dict.fromkeys(name for name in args.peers.split(",") if name))
    if not peers:
        raise BenchError("--peers names no peer", status=2)
    return table.Plan(peers, scenarios, args.rate, args.seconds, args.pairs)


def run_table(bench: Bench, plan: table.Plan) -> int:
    """Run everything, then print; exit status 1 when too many calls failed."""
    described = machine.describe(bench)
    results = {scenario: table.collect(bench, plan, scenario) for scenario in plan.scenarios}
    print(f"{table.render(plan, results)}\n\n{described}", flush=True)
    return 0 if table.trustworthy(results) else 1


def execute(args: argparse.Namespace, run_dir: Path) -> int:
    """Run the command with its scratch in ``run_dir``; returns the exit status."""
    bench = Bench.from_environment(run_dir, os.environ)
    plan = table_plan(args) if args.command == "table" else None
    if args.command != "floor":
        check_programs(list(plan.peers) if plan else peers_of(args))
    for address in (SERVER, CALLER, CALLEE, PROBE):
        processes.await_free(address, socket.SOCK_DGRAM, limit=0)
    if plan:
        return run_table(bench, plan)
    if args.command == "overload":
        overload.run(bench, args.seconds)
    elif args.command == "run":
        experiments.run_repeated(bench, args.peer, args.scenario, args.rate, args.seconds, args.repeats)
    elif args.command == "max":
        experiments.find_maximum(bench, args.peer, args.scenario, args.start, args.seconds, args.factor)
    elif args.command == "start":
        return run_start(bench, args)
    elif args.command == "store":
        return run_store(bench, args)
    elif args.command == "floor":
        print(f"{floor.measure_floor(bench, args.rate, args.seconds).line()}\n\n{machine.describe(bench)}", flush=True)
    else:
        return run_standing(bench, args.peer, args.rate, args.calls)
    return 0


def peers_of(args: argparse.Namespace) -> list[str]:
    """The peers that a command but `table` runs."""
    if args.command == "store":
        return list(args.peers.split(","))
    peer = getattr(args, "peer", "b2bua")
    return [peer] if isinstance(peer, str) else list(peer)


def run_start(bench: Bench, args: argparse.Namespace) -> int:
    """A row for each peer; exit status 1 when one took longer than it may."""
    found = [start_up.start_up(bench, peer, args.bindings, args.calls, args.starts) for peer in args.peer]
    rows = [start_up.HEAD, start_up.RULE, *(one.row() for one in found)]
    report("start", [*rows, "", machine.describe(bench)], args.readme)
    return 0 if all(one.in_time for one in found) else 1


def run_store(bench: Bench, args: argparse.Namespace) -> int:
    """A row for each peer and rate; exit status 1 when one is above a limit."""
    found = [
        store_cost.measure_cost(bench, peer, float(rate), args.seconds, args.pairs)
        for rate in args.rates.split(",") for peer in args.peers.split(",")
    ]  # fmt: skip
    complaints = [one.complaint() for one in found if one.complaint()]
    rows = [store_cost.HEAD, store_cost.RULE, *(one.row() for one in found), "", *complaints, machine.describe(bench)]
    report("store", rows, args.readme)
    return 1 if complaints else 0


def report(name: str, lines: list[str], in_readme: bool) -> None:
    """Print a table, and write it into README.md where that is wanted."""
    text = "\n".join(lines)
    print(text, flush=True)
    if in_readme:
        readme.write(name, text)


def run_standing(bench: Bench, peer: str, rate: float, numbers: list[int]) -> int:
    """A row for each number of standing calls, each on a fresh server; exit status 1 when too many calls failed."""
    print(f"{standing.HEAD}\n{standing.RULE}", flush=True)
    trusted = True
    for calls in numbers:
        found = standing.stand(bench, peer, rate, calls)
        print(found.row(), flush=True)
        trusted = trusted and found.failed <= FAILED_SHARE * calls
    print(f"\n{machine.describe(bench)}", flush=True)
    return 0 if trusted else 1


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """The directory B2BUA_BENCH_RUN, which stays, or a temporary one."""
    if kept := os.environ.get("B2BUA_BENCH_RUN"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept).resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="b2bua-bench-") as made:
            yield Path(made)


def interrupted(number: int, frame: FrameType | None) -> None:
    """SIGTERM leaves as Ctrl-C does, through the blocks that stop what was started."""
    raise KeyboardInterrupt


def main() -> int:
    """Command line in, exit status out."""
    args = parser(__doc__ or "").parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    try:
        with scratch() as run_dir:
            return execute(args, run_dir)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
