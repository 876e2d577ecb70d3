"""`b2bua fault --url` on a feature server in a process of its own: a feature's faults strike on the link, by UDP, TCP and TLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.certificates import Issued
from tests.interop.feature_process import FeatureProcess
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment
from tests.interop.test_feature_server import ELSEWHERE, HOST, Pair

FEATURE = '''
"""Marks what is struck, or holds it back."""

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.strike import Delayed


class Mishaps(Feature):
    faults = {"mark": "one more header", "late": "late by argument= seconds"}

    def message_struck(self, strike):
        if strike.fault == "late":
            return Delayed(float(strike.argument))
        changed = strike.message.copy()
        changed.append("X-Strike", strike.argument)
        return changed
'''


class StruckPair(Pair):
    """The same, with a feature that brings faults, one of which is set from the start."""

    def feature_server(self, shows: Issued | None) -> FeatureProcess:
        made = super().feature_server(shows)
        (self._directory / "mishaps.py").write_text(FEATURE)
        config = self._directory / "feature-server.toml"
        settings = f'feature_directory = "{self._directory}"\nfeatures = ["hold", "lamps", "mishaps"]\n'
        config.write_text(f'{settings}faults = ["mark method=MESSAGE argument=first count=all"]\n{config.read_text()}')
        return made


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StruckPair]:
    made = StruckPair(tmp_path_factory.mktemp("pair"), request.param)
    try:
        made.start()
        yield made
        made.server.check_healthy()
        assert "Traceback" not in made.elsewhere.log_text() and "internal_error" not in made.elsewhere.log_text()
        assert (made.elsewhere.stop(), made.server.stop()) == (0, 0)
    except BaseException:
        print(made.elsewhere.log_text(), file=sys.stderr)
        raise
    finally:
        made.elsewhere.kill()
        made.server.kill()


@pytest.fixture
def server(pair: StruckPair) -> Server:
    return pair.server


def run(pair: StruckPair, *words: str) -> subprocess.CompletedProcess[str]:
    argv = command("fault", *words, "--url", f"http://{pair.http}")
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def test_a_call_is_struck_both_ways(pair: StruckPair, lab: Lab) -> None:
    """The caller's INVITE comes late to Communication Manager, and what that sends on to the callee is marked."""
    caller, callee = lab.phones(2)
    for fault in (f"late method=INVITE direction=in user={caller.user} argument=0.4",
                  f"mark method=INVITE direction=out user={callee.user} argument=here"):  # fmt: skip
        done = run(pair, "add", *fault.split())
        assert (done.returncode, done.stderr) == (0, "")
    near, far = lab.call(
        caller, Caller(callee.user).dial().reinvite("sendonly").bye(),
        callee, Callee().ring().accept().reinvited("sendonly", "recvonly").byed(),
    )  # fmt: skip
    assert [message.get("X-Strike") for message in far.received("INVITE")] == ["here", ""]
    listed = run(pair, "list").stdout.splitlines()
    assert [line.endswith("acted on 1, spent)") for line in listed] == [False, True, True]
    metrics = pair.fetch("/metrics")
    assert all(f'b2bua_faults_injected_total{{fault="{name}"}} 1.0' in metrics for name in ("late", "mark"))
    assert pair.fetch("/api/trace").count('"fault"') == 2 and "fault" not in str(pair.server.trace())
    invites = [record for record in pair.server.trace(f"call-id={near.messages()[0][1].call_id}")
               if str(record["message"]).startswith("INVITE ")]  # fmt: skip
    ways = [(record["source"], record["destination"], record["time"]) for record in invites]
    gone, came = (next(time for *found, time in ways if found == way) for way in (["SM", "CM"], ["CM", "SM"]))
    assert came - gone > 0.3
    assert run(pair, "remove", "3").returncode == 0


def test_what_it_cannot_is_refused(pair: StruckPair) -> None:
    for words, why in ((("challenge",), "challenges nobody"), (("drop", "trunk=carrier"), "knows no trunks")):
        done = run(pair, "add", *words)
        assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1


def test_such_a_fault_in_its_settings_is_one_line() -> None:
    argv = command(
        "feature-server", "--listen", f"udp:{ELSEWHERE}:0", "--session-manager", f"{HOST}:1", "--http", f"{ELSEWHERE}:0"
    )
    done = subprocess.run(
        argv, env=environment() | {"B2BUA_FAULTS": "drop trunk=carrier"}, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1) and "faults: fault 'drop trunk" in done.stderr
