"""The command line of bench.py."""

from __future__ import annotations

import argparse
import os

from sip_bench.settings import SCENARIOS


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and a million")
    return value


def count(text: str) -> int:
    """A whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def knob(name: str, default: str) -> str:
    """The default of an option: from the environment, or the built-in one."""
    return os.environ.get(f"B2BUA_BENCH_{name}") or default


def with_peer(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The same command with PEER as its first argument."""
    command.add_argument("peer", help="kamailioN, b2bua, compiled, sqlite or compiled-sqlite")
    return command


def parser(description: str) -> argparse.ArgumentParser:
    """The command line; `table` is what `make bench` runs."""
    top = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    tab = commands.add_parser("table", help="all peers in turn, medians as Markdown")
    tab.add_argument("--rate", type=positive, default=knob("RATE", "300"), help="calls a second")
    tab.add_argument("--seconds", type=positive, default=knob("SECONDS", "10"), help="length of a run")
    tab.add_argument("--pairs", type=count, default=knob("PAIRS", "3"), help="runs of each peer")
    tab.add_argument("--scenario", default=knob("SCENARIO", "hold_call"), help="one, several with commas, or all")
    tab.add_argument("--peers", default=knob("PEERS", "kamailio1,b2bua,compiled"), help="comma-separated")
    run = with_peer(commands.add_parser("run", help="one peer, one line a run"))
    run.add_argument("scenario", choices=SCENARIOS)
    run.add_argument("rate", type=positive)
    run.add_argument("seconds", type=positive)
    run.add_argument("repeats", type=count, nargs="?", default=1)
    high = with_peer(commands.add_parser("max", help="the highest rate with <= 0.1 %% failed, <= 1 %% retransmitted"))
    high.add_argument("scenario", choices=SCENARIOS)
    high.add_argument("start", type=positive)
    high.add_argument("seconds", type=positive, nargs="?", default=10.0)
    high.add_argument("factor", type=positive, nargs="?", default=1.5)
    standing = with_peer(commands.add_parser("standing", help="memory, garbage collection and cost with standing calls"))
    standing.add_argument("calls", type=count, nargs="*", default=[1000, 10_000, 20_000], help="how many, in turn")
    standing.add_argument("--rate", type=positive, default=200.0, help="calls a second that are put up")
    cost = commands.add_parser("store", help="the same server with a durable store and without: CPU and the median answer")
    cost.add_argument("--peers", default="b2bua,compiled", help="comma-separated")
    cost.add_argument("--rates", default="100,300", help="calls a second, comma-separated")
    cost.add_argument("--seconds", type=positive, default=10.0, help="length of a run")
    cost.add_argument("--pairs", type=count, default=3, help="runs with each store")
    start = commands.add_parser("start", help="how long a start takes with bindings and calls in the store")
    start.add_argument("peer", nargs="*", default=["sqlite", "compiled-sqlite"], help="sqlite or compiled-sqlite, in turn")
    start.add_argument("--bindings", type=count, default=10_000, help="phones that are registered (10000 at most)")
    start.add_argument("--calls", type=count, default=2000, help="calls that stand")
    start.add_argument("--starts", type=count, default=5, help="how many of each kind")
    for command in (cost, start):
        command.add_argument("--readme", action="store_true", help="write the table into README.md")
    floor = commands.add_parser("floor", help="a bare Twisted UDP echo of a hold call's datagrams")
    floor.add_argument("rate", type=positive, nargs="?", default=300.0)
    floor.add_argument("seconds", type=positive, nargs="?", default=10.0)
    over = commands.add_parser("overload", help="twice and four times what a slow feature lets through")
    over.add_argument("seconds", type=positive, nargs="?", default=15.0)
    return top
