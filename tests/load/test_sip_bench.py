"""The benchmark's own arithmetic and refusals. No server runs here and nothing is timed."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sip_bench.digest import authorization
from sip_bench.experiments import RateSearch
from sip_bench.floor import call_sizes
from sip_bench.load import Statistics, read_statistics
from sip_bench.measure import Measurement
from sip_bench.probe import Latencies, percentile
from sip_bench.processes import TICKS_PER_SECOND, Memory, Ticks, memory
from sip_bench.readme import written
from sip_bench.settings import PROJECT, Bench, BenchError
from sip_bench.standing import HEAD, RULE, Standing, longest_pause
from sip_bench.start_up import HEAD as START_HEAD
from sip_bench.start_up import Start, StartUp
from sip_bench.store_cost import HEAD as COST_HEAD
from sip_bench.store_cost import StoreCost
from sip_bench.table import Plan, render, trustworthy

BENCH = Path(__file__).parent / "bench.py"
PLAN = Plan(("kamailio1", "b2bua"), ("hold_call",), rate=10, seconds=10, pairs=2)


def measured(peer: str, cpu_seconds: int, ok: int = 100) -> Measurement:
    return Measurement(
        peer=peer,
        scenario="hold_call",
        rate=10,
        calls=100,
        uac=Statistics(calls=100, ok=ok, failed=100 - ok),
        uas=Statistics(calls=100, ok=ok),
        cpu=Ticks(cpu_seconds * TICKS_PER_SECOND, 0),
        wall=10.2,
        datagrams=3000,
        pss_kb=2048,
        latencies=Latencies(first=[1.0], goal=[2.0, 4.0]),
    )


def test_row_has_medians_sums_and_the_ratio_of_each_round() -> None:
    results = {
        "hold_call": {
            "kamailio1": [measured("kamailio1", 1), measured("kamailio1", 2)],
            "b2bua": [measured("b2bua", 3), measured("b2bua", 4)],
        }
    }
    row = next(line for line in render(PLAN, results).splitlines() if "| b2bua |" in line)
    assert row == "| hold_call | b2bua | 35.000 (30.000 to 40.000) | 2.50 | 200 | 0 | 0/0 | 4.00 / 4.00 | 2.0 |"
    assert trustworthy(results)


def test_failed_calls_make_a_row_not_count() -> None:
    results = {
        "hold_call": {
            "kamailio1": [measured("kamailio1", 1), measured("kamailio1", 1)],
            "b2bua": [measured("b2bua", 1, ok=0), measured("b2bua", 1, ok=0)],
        }
    }
    text = render(PLAN, results)
    assert "| hold_call | b2bua | - (- to -) | - | 200 | 200 |" in text
    assert "b2bua, hold_call: more than 0.1 % of the calls failed" in text
    assert not trustworthy(results)


def test_statistics_skip_a_line_still_being_written(tmp_path: Path) -> None:
    path = tmp_path / "uac.stat"
    head = "StartTime;TotalCallCreated;SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n"
    path.write_text(head + "a;5;4;1;2;\nb;9;8;\n")
    assert read_statistics(path) == Statistics(calls=5, ok=4, failed=1, retransmissions=2)
    assert read_statistics(tmp_path / "none") == Statistics()


def test_what_came_after() -> None:
    assert Statistics(9, 8, 1, 5).since(Statistics(4, 4, 0, 2)) == Statistics(5, 4, 1, 3)


def test_memory_of_this_very_process() -> None:
    taken = memory(os.getpid())
    assert 0 < taken.uss <= taken.pss <= taken.rss


BUCKETS = """# TYPE b2bua_gc_pause_seconds histogram
b2bua_gc_pause_seconds_bucket{le="0.01"} 3.0
b2bua_gc_pause_seconds_bucket{le="0.02"} 4.0
b2bua_gc_pause_seconds_bucket{le="0.03"} 4.0
b2bua_gc_pause_seconds_bucket{le="+Inf"} 4.0
b2bua_gc_pause_seconds_count 4.0
"""


def test_the_longest_pause_is_that_of_the_last_bucket_that_grew() -> None:
    assert longest_pause(BUCKETS) == "10 to 20 ms"
    assert longest_pause(BUCKETS.replace('+Inf"} 4', '+Inf"} 5')) == "over 30 ms"
    assert longest_pause("") == longest_pause(re.sub(r"[34]\.0", "0.0", BUCKETS)) == "-"


def test_row_of_standing_calls() -> None:
    before, during, after = Memory(2048, 1024, 2000), Memory(3072, 2048, 3000), Memory(2048, 1024, 2000)
    alone, beside = measured("b2bua", 1), measured("b2bua", 2, ok=99)
    uac = Statistics(calls=128, ok=128, retransmissions=1)
    found = Standing("b2bua", 128, 128, before, during, after, alone, beside, uac, Statistics(), "-")
    cells = "| b2bua | 128 | 2.0 / 1.0 | 3.0 / 2.0 | 2.0 / 1.0 | 8192 / 8192 | 0 / 0 | - | 10.000 / 20.202 | 1 | 1/0 |"
    assert found.row() == cells
    assert HEAD.count("|") == RULE.count("|") == cells.count("|")


def test_the_floor_has_the_datagrams_of_a_hold_call() -> None:
    datagrams, sizes = call_sizes()
    assert datagrams > len(sizes) > 0
    assert min(sizes) > 100


def test_percentile() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert math.isnan(percentile([], 0.5))


def test_rate_search_goes_up_then_between() -> None:
    search = RateSearch(rate=100, factor=2)
    assert search.learn(good=True)
    assert search.rate == 200
    assert search.learn(good=False)
    assert search.rate == 150
    assert search.learn(good=True)
    assert search.rate == 175
    assert search.learn(good=True)
    assert search.rate == 188
    assert not search.learn(good=False)
    assert search.best == 175


def test_credentials_follow_the_challenge() -> None:
    line = authorization(401, 'Digest realm="bench", nonce="n", opaque="o"', "a0000", "REGISTER", "sip:x")
    assert line.startswith('Authorization: Digest username="a0000", realm="bench", nonce="n", uri="sip:x"')
    assert 'opaque="o"' in line
    assert "qop" not in line
    assert "qop=auth" in authorization(407, 'Digest realm="bench", nonce="n", qop="auth"', "a", "INVITE", "sip:x")


@pytest.mark.parametrize("value", ["many", "0", "10001"])
def test_a_bad_number_of_users_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(BenchError, match="B2BUA_BENCH_USERS") as caught:
        Bench.from_environment(tmp_path, {"B2BUA_BENCH_USERS": value})
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("words", "path", "message"),
    [
        (["table"], "/nonexistent", "bench: SIPp is missing: install the Debian package sip-tester"),
        (["table", "--scenario", "tea"], os.environ.get("PATH", ""), "bench: unknown scenario 'tea'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(words: list[str], path: str, message: str) -> None:
    environ = {"PATH": path}
    done = subprocess.run(
        [sys.executable, str(BENCH), *words], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_what_a_store_costs_is_judged_round_by_round() -> None:
    without, durable = [measured("b2bua", 2), measured("b2bua", 4)], [measured("sqlite", 3), measured("sqlite", 5)]
    cost = StoreCost("b2bua", 100.0, without, durable)
    assert cost.row() == "| 100 | b2bua | 30.00 | 40.00 | 1.38 (1.25 to 1.50) | 4.0 | 4.0 | 0 |"
    assert cost.row().count("|") == COST_HEAD.count("|")
    assert cost.complaint() == "**b2bua at 100 calls/s: 1.38 times the CPU, more than 1.25.**"
    assert StoreCost("b2bua", 100.0, without, without).complaint() == ""
    assert "do not count" in StoreCost("b2bua", 100.0, without, [measured("sqlite", 2, ok=0)] * 2).complaint()


def test_a_start_is_in_time_by_its_median() -> None:
    def took(*walls: float) -> StartUp:
        return StartUp("sqlite", [Start(wall, 1.25, 10_000, 2000) for wall in walls], [Start(0.5, 0.4, 0, 0)])

    assert took(2.0, 3.5, 2.5).row() == "| sqlite | 10000 | 2000 | 3 | 2.50 (2.00 to 3.50) | 1.25 | 0.50 (0.50 to 0.50) |"
    assert took(2.0).row().count("|") == START_HEAD.count("|")
    assert took(2.0, 3.5, 2.5).in_time and not took(2.0, 3.5, 3.6).in_time


@pytest.mark.parametrize("name", ["start", "store"])
def test_a_table_goes_between_its_marks(name: str) -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    once = written(text, name, "| 1 |")
    assert once.count("| 1 |") == 1 and written(once, name, "| 2 |") == written(text, name, "| 2 |")
    with pytest.raises(BenchError, match="marks"):
        written("nothing", name, "| 1 |")
