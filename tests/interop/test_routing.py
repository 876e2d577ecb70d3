"""Two SIPp trunks on real sockets: by number over adaptation, to the next one when one refuses or is silent, and back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller, Script
from tests.interop.server import Server, command, environment, free_port
from tests.interop.sipp import Phone, Sipp
from tests.interop.test_reload import reload

HOST, FIRST, SECOND = "127.0.0.73", "127.0.0.74", "127.0.0.75"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6030)}
SETTINGS = """
next_hop_rest = 0
[entities]
first = {{ address = "{first}", adaptation = "german" }}
second = {{ address = "{second}" }}
[adaptations.german]
called_out = ["0:1:+49"]
called_in = ["+4989:5:"]
headers_out = ["add:X-Lab:yes"]
[routing_policies]
cheap = {{ entity = "first", timeout = 2 }}
other = {{ entity = "second", rank = 1 }}
[dial_patterns]
national = {{ pattern = "0", policies = ["other", "cheap"] }}
premium = {{ pattern = "0900", policies = [] }}
"""


class Trunks:
    """The server and the addresses of two trunks, at which a test runs SIPp or nobody."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.first, self.second = (Phone("0170", "none", host, free_port(host)) for host in (FIRST, SECOND))
        self.config = directory / "settings.toml"
        self.config.write_text(SETTINGS.format(first=self.first.address, second=self.second.address))
        self.server = Server(directory, HOST, USERS, options=["--config", str(self.config)])
        self._runs: list[Sipp] = []

    def start(self, trunk: Phone, script: Script) -> Sipp:
        run = Sipp(self.directory / f"trunk-{len(self._runs)}", self.server.address, script, [trunk])
        self._runs.append(run)
        return run

    def close(self) -> None:
        for run in self._runs:
            run.stop()


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunks]:
    made = Trunks(tmp_path_factory.mktemp("trunks"))
    try:
        yield made
        made.server.check_healthy()
        assert made.server.stop() == 0
    finally:
        made.close()
        made.server.kill()


@pytest.fixture
def lab(trunks: Trunks, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(trunks.server, tmp_path)
    yield made
    made.close()


HELD = ("sendonly", "recvonly"), ("sendrecv", "sendrecv")


def holding_caller(number: str) -> Caller:
    return Caller(number).dial().pause(200).reinvite("sendonly").reinvite("sendrecv").bye()


def held_callee() -> Callee:
    callee = Callee().ring().accept()
    for offered, answered in HELD:
        callee.reinvited(offered, answered)
    return callee.byed()


def test_the_lowest_rank_first_and_adapted(trunks: Trunks, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunks.start(trunks.first, held_callee())
    near = lab.start(holding_caller("030123"), phone)
    near.finish()
    far.finish()
    [invite] = [message for message in far.received("INVITE") if message.to_tag == ""]
    assert invite.start.startswith(f"INVITE sip:+4930123@{trunks.first.address}")
    assert invite.get("X-Lab") == "yes"


def test_the_next_one_when_one_refuses(trunks: Trunks, lab: Lab) -> None:
    [phone] = lab.phones(1)
    refusing = trunks.start(trunks.first, Callee().receive("INVITE").refuse(500))
    far = trunks.start(trunks.second, held_callee())
    near = lab.start(holding_caller("030123"), phone)
    near.finish()
    refusing.finish()
    far.finish()
    assert far.received("INVITE")[0].start.startswith(f"INVITE sip:030123@{trunks.second.address}")


def test_the_next_one_when_one_is_silent(trunks: Trunks, lab: Lab) -> None:
    """Nobody is at its address."""
    [phone] = lab.phones(1)
    far = trunks.start(trunks.second, held_callee())
    near = lab.start(holding_caller("030123"), phone)
    near.finish()
    far.finish()


def test_what_is_busy_is_busy(trunks: Trunks, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunks.start(trunks.first, Callee().receive("INVITE").refuse(486))
    lab.start(Caller("030123").invite().refused(486), phone).finish()
    far.finish()


def test_barred(trunks: Trunks, lab: Lab) -> None:
    [phone] = lab.phones(1)
    lab.start(Caller("09001").invite().refused(403), phone).finish()


def test_a_call_in_by_an_adapted_number(trunks: Trunks, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = lab.start(held_callee(), phone)
    near = trunks.start(trunks.first, Caller(f"+4989{phone.user}", own_domain="example.org").unchallenged().dial()
                        .pause(200).reinvite("sendonly").reinvite("sendrecv").bye())  # fmt: skip
    near.finish()
    far.finish()


def test_the_command_says_the_same(trunks: Trunks) -> None:
    argv = command("route", "030123", "--config", str(trunks.config))
    done = subprocess.run(argv, cwd=trunks.directory, env=environment(), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        f"1. by entity first as sip:+4930123@{trunks.first.address}, adaptation german, the next one after 2 s of silence",
        f"2. by entity second as sip:030123@{trunks.second.address}",
    ]


def test_a_plan_that_changes_at_run_time(trunks: Trunks, lab: Lab) -> None:
    """On SIGHUP; a plan whose names stand for nothing changes nothing."""
    [phone] = lab.phones(1)
    text = trunks.config.read_text()
    trunks.config.write_text(text.replace("policies = []", 'policies = ["nobody"]'))
    reload(trunks.server)
    assert "premium goes by 'nobody', and there is no such routing policy" in " ".join(trunks.server.log_text().split())
    lab.start(Caller("09001").invite().refused(403), phone).finish()
    trunks.config.write_text(text.replace("policies = []", 'policies = ["other"]'))
    reload(trunks.server)
    far = trunks.start(trunks.second, held_callee())
    lab.start(holding_caller("09001"), phone).finish()
    far.finish()
    assert far.received("INVITE")[0].start.startswith("INVITE sip:09001@")
