"""`b2bua route`: each step of the decision, what comes of it, and its exit status."""

from __future__ import annotations

import subprocess
import sys

import pytest

FILE = """
domain = "example.com"
store = "memory:"
users = "users.csv"
[entities]
carrier = { address = "192.0.2.80", adaptation = "german" }
backup = { address = "sip.example.net", numbers = ["9"], domains = ["example.net"] }
[adaptations.german]
called_out = ["0:1:+49"]
[routing_policies]
day = { entity = "carrier", rank = 1, times = ["mon-fri/08:00-18:00"], timeout = 4 }
always = { entity = "backup", rank = 2 }
[dial_patterns]
national = { pattern = "0", policies = ["day", "always"] }
barred = { pattern = "0900", policies = [] }
night = { pattern = "08", policies = ["day"] }
office = { pattern = "0900", policies = ["always"], callers = ["6001$"] }
"""


@pytest.fixture
def route(tmp_path):
    (tmp_path / "lab.toml").write_text(FILE)
    (tmp_path / "users.csv").write_text("6001,one\n6002,two\n")

    def run(*arguments):
        argv = [sys.executable, "-m", "b2bua", "route", "--config", "lab.toml", *arguments]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, (done.stdout or done.stderr).splitlines()

    return run


def test_by_day_two_ways(route):
    assert route("030", "--from", "6001", "--at", "tue 08:30") == (0, [
        "call to sip:030@example.com, from 6001, on tue 08:30",
        "dial pattern office: not for this call, the number does not match 0900",
        "dial pattern barred: not for this call, the number does not match 0900",
        "dial pattern night: not for this call, the number does not match 08",
        "dial pattern national: 0 is the most precise one for this call",
        "routing policy day: rank 1, mon-fri/08:00-18:00: valid at tue 08:30, entity carrier",
        "routing policy always: rank 2, always: valid at tue 08:30, entity backup",
        "adaptation german of entity carrier: rule 0:1:+49: 030 → +4930",
        "by application cm for 6001 (imsorig)",
        "1. by entity carrier as sip:+4930@192.0.2.80, adaptation german, the next one after 4 s of silence",
        "2. by entity backup as sip:030@sip.example.net",
    ])  # fmt: skip


def test_a_feature_code_ends_in_its_application(route, tmp_path):
    """It was called nobody's number, 404."""
    status, lines = route("*43")
    assert status == 0
    assert lines[-2:] == ["by application cm for the caller (imsorig)", "to its feature code echo_test, and no further"]
    assert route("*726002", "--from", "6001")[1][-1] == "to its feature code forward_always, and no further"
    with (tmp_path / "lab.toml").open("a") as file:
        file.write('[feature_codes]\necho_test = ""\n[user_sequences.6002]\norigination = []\n')
    assert route("*43")[1][-1].startswith("nowhere: 404")
    assert route("*726001", "--from", "6002")[1][-1].startswith("nowhere: 404")


def test_the_applications_on_the_way(route, tmp_path):
    with (tmp_path / "lab.toml").open("a") as file:
        file.write("[user_sequences]\n6001 = { origination = ['rec', 'cm'] }\n6002 = { termination = ['cm', 'rec'] }\n")
    text = 'links = ["rec=udp:127.0.0.1:5070>127.0.0.1:5071"]\noptional_applications = ["rec"]\ntermination = []\n'
    (tmp_path / "lab.toml").write_text(text + (tmp_path / "lab.toml").read_text())
    applications = {
        ("6002", "6001"): ["rec for 6001 (imsorig), skipped when it does not answer", "cm for 6001 (imsorig)",
                           "rec for 6002 (imsterm), skipped when it does not answer"],
        ("6001", "6002"): ["cm for 6002 (imsorig)", "rec for 6002 (imsorig), skipped when it does not answer"],
        ("030", "6001"): ["rec for 6001 (imsorig), skipped when it does not answer", "cm for 6001 (imsorig)"],
        ("sip:bob@example.org", "6001"): [],
    }  # fmt: skip
    for (number, caller), passed in applications.items():
        _, lines = route(number, "--from", caller)
        assert [line.removeprefix("by application ") for line in lines if line.startswith("by application ")] == passed


@pytest.mark.parametrize(
    ("arguments", "status", "last"),
    [
        (("030", "--at", "sun 08:30"), 0, "1. by entity backup as sip:030@sip.example.net"),
        (("0800", "--at", "sun 08:30"), 1, "nowhere: 480 No Route At This Time"),
        (("0900",), 1, "nowhere: 403 Number Barred"),
        (("0900", "--from", "6001"), 0, "1. by entity backup as sip:0900@sip.example.net"),
        (("91", "--from", "7001"), 1, "nowhere: 403, 7001 is no user, and only users call out"),
        (("5",), 1, "nowhere: 404, 5 is no user, and no dial pattern and no entity serves it"),
        (("6002",), 0, "to the phones of 6002"),
        (("sip:6002@EXAMPLE.com",), 0, "to the phones of 6002"),
        (("sip:bob@example.net",), 0, "1. by entity backup as sip:bob@example.net"),
        (("sip:bob@example.org",), 1, "nowhere: 403, this domain is not ours and no entity serves it"),
        (("0 1",), 2, "b2bua: '0 1' is neither a number nor a SIP URI"),
        (("0", "--at", "noon"), 2, "b2bua: --at: 'noon' is no time of the week as `tue 08:30`"),
        (("0", "--config", "other.toml"), 2, "b2bua: other.toml: No such file or directory"),
    ],
)
def test_what_comes_of_it(route, arguments, status, last):
    found, lines = route(*arguments)
    assert (found, lines[-1]) == (status, last)
