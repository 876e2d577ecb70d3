"""The API against its own description: schemathesis asks a running server whatever `/api/openapi.json` allows, and much that it
does not; no answer may be a mistake of the server's, or one that the description does not have.

Not found by `make test`: `make interop` names it. Standing calls, lamps, faults and mailboxes are there while it asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.interop.baresip import Baresip
from tests.interop.phones import Phones
from tests.interop.server import DOMAIN, Server, command, environment, wait_until

HOST: Final = "127.0.0.67"
USERS: Final = {str(number): f"secret-{number}-word" for number in range(6001, 6010)}
SECONDS: Final = 60
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,ignored_auth"
)
EXAMPLES: Final = 20


class Lab:
    """A server with a log-in, an operator's token, call detail records, and a call that stands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        argv = command("token", "add", "schemathesis", "--role", "operator", "--store", "sqlite:state.db", "--domain", DOMAIN)
        done = subprocess.run(argv, cwd=directory, env=environment(), capture_output=True, text=True, timeout=30, check=True)
        self.token = done.stdout.strip()
        config = directory / "lab.toml"
        config.write_text('cdr = "calls.jsonl"\n')
        self.server = Server(directory, HOST, USERS, "sqlite:state.db", ("--config", str(config)))
        self.url = f"http://{HOST}:{self.server.http_port}"

    def ask(self, method: str, path: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self.token}", "X-B2bua": "1"}
        request = urllib.request.Request(f"{self.url}{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.loads(answer.read()))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
        made.server.check_healthy()
        assert made.server.stop() == 0
    finally:
        made.server.kill()


def talk(lab: Lab, *phones: Baresip) -> None:
    lab.ask("POST", f"/api/calls?do=make&from={phones[0].user}&to={phones[1].user}")
    for phone in phones:
        phone.expect("CALL_INCOMING")
        phone.command("accept")
        phone.expect("CALL_ESTABLISHED")


def test_no_answer_is_a_mistake_and_each_is_as_described(lab: Lab, tmp_path: Path) -> None:
    with ExitStack() as stack:
        phones = Phones(lab.server, tmp_path, HOST, stack)
        alice, bob = phones.new_baresip("udp"), phones.new_baresip("udp")
        talk(lab, alice, bob)
        bob.command("hangup")
        for phone in (alice, bob):
            phone.expect("CALL_CLOSED")
        wait_until("recorded", lambda: bool(lab.ask("GET", "/api/cdr")["cdr"]))
        talk(lab, alice, bob)
        wait_until("made", lambda: bool(lab.ask("GET", "/api/calls")["calls"]))
        lab.ask("POST", "/api/faults?fault=drop+method=MESSAGE")
        lab.ask("POST", f"/api/mailboxes?user={alice.user}&new=1")
        done = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), "run", f"{lab.url}/api/openapi.json",
             "--header", f"Authorization: Bearer {lab.token}", "--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "1",
             "--phases", "examples,coverage,fuzzing", "--request-timeout", "10",
             # What has no end, and what ends the server: tests/http/test_api_events.py, tests/interop/test_drain.py.
             "--exclude-path", "/api/events", "--exclude-path", "/api/drain"],
            cwd=tmp_path, env=environment() | {"SCHEMATHESIS_HOOKS": "tests.interop.api_hooks"}, capture_output=True, text=True,
            timeout=4 * SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
