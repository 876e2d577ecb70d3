"""`b2bua trace` over two servers: Session Manager and Communication Manager apart, and two PBXs linked by a trunk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.feature_process import FeatureProcess
from tests.interop.server import DOMAIN, Server, command, environment, free_port, wait_until
from tests.interop.test_trace_terminal import USERS, held, view

HOST = "127.0.0.81"
ELSEWHERE = "127.0.0.82"
OTHER = "127.0.0.83"
APART = """
feature_server = "none"
links = ["cm2=udp:{link}={peer}"]
link_heartbeat = 0.5
"""
TRUNK = """
[entities.{name}]
address = "{peer}"
trusted = true
numbers = [{numbers}]
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


class Apart:
    """Session Manager here, Communication Manager there, each with HTTP of its own."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        link, peer = f"{HOST}:{free_port(HOST)}", f"{ELSEWHERE}:{free_port(ELSEWHERE)}"
        config = directory / "session-manager.toml"
        config.write_text(APART.format(link=link, peer=peer))
        self.server = Server(directory, HOST, USERS, options=("--config", str(config)))
        stack.callback(self.server.kill)
        http = f"{ELSEWHERE}:{free_port(ELSEWHERE)}"
        self.elsewhere = FeatureProcess(directory, f"udp:{peer}", link, ("--name", "cm2", "--http", http, "--store", "memory:"))
        stack.callback(self.elsewhere.kill)
        self.elsewhere.start()
        self.servers = ("--server", f"sm=http://{HOST}:{self.server.http_port}", "--server", f"cm=http://{http}")


def kept(*servers: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        command("trace", "--json", *servers), env=environment(), capture_output=True, text=True, timeout=30, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_call_of_two_processes_is_one_call(stack: ExitStack, tmp_path: Path) -> None:
    apart = Apart(stack, tmp_path)
    terminal = view(stack, tmp_path, *apart.servers, "-nr", "-no", "-ns", width=140)
    terminal.until("live, 2 of 2 servers")
    held(stack, apart.server)
    terminal.until("6001", "SM", "CM", "6002", "(1)┌", "(4)", "(6)", "(9)")
    terminal.keys("g")
    found = kept(*apart.servers)
    assert [record["time"] for record in found] == sorted(record["time"] for record in found)
    on_link = [record for record in found if {record["source"], record["destination"]} == {"SM", "CM"}]
    invites = [record for record in on_link if record["message"].startswith("INVITE") and record["source"] == "SM"]
    assert len(invites) == 2, "a call and a hold, each once though two servers saw them"
    assert {record["node"] for record in invites} == {"sm+cm"}
    told = invites[0]["decisions"]
    assert told[0] == "digest: right, of 6001" and told[1].startswith("sequence: cm2 is next")
    back = next(record for record in on_link if record["message"].startswith("INVITE") and record["source"] == "CM")
    assert back["node"] == "cm+sm" and back["decisions"][0].startswith("B2BUA: the INVITE of sip:6001@")
    calls = {record["call"] for record in found if record["message"].startswith(("INVITE", "ACK", "PUBLISH"))}
    assert len(calls) == 1 and None not in calls
    assert sorted({record["step"] for record in found if "step" in record}) == list(range(1, 10))


def test_one_dies_and_comes_back(stack: ExitStack, tmp_path: Path) -> None:
    apart = Apart(stack, tmp_path)
    terminal = view(stack, tmp_path, *apart.servers, "-nr", width=140)
    terminal.until("live, 2 of 2 servers", "OPTIONS")
    apart.elsewhere.kill()
    terminal.until("cm: ", "the server is gone: ", "without cm")
    apart.elsewhere.start()
    terminal.until("connected again", "live, 2 of 2 servers")
    held(stack, apart.server)
    terminal.until("hold: audio sendrecv → sendonly")
    apart.server.kill()
    terminal.until("without sm")
    terminal.keys("q")
    terminal.until("ended 0")


def test_one_that_is_not_there_is_waited_for(stack: ExitStack, tmp_path: Path) -> None:
    apart = Apart(stack, tmp_path)
    nowhere = f"http://{OTHER}:{free_port(OTHER)}"
    terminal = view(stack, tmp_path, *apart.servers, "--server", f"far={nowhere}", width=140)
    terminal.until("far: ", "Connection refused", "live, 2 of 3 servers", "OPTIONS")
    done = subprocess.run(
        command("trace", "--json", *apart.servers, "--server", nowhere), env=environment(), capture_output=True, text=True,
        timeout=30,
    )
    assert done.returncode == 2 and f"cannot read the trace of {nowhere}" in done.stderr and "Traceback" not in done.stderr


def test_two_pbxs_linked_by_a_trunk(stack: ExitStack, tmp_path: Path) -> None:
    one_port, other_port = free_port(HOST), free_port(OTHER)
    servers = []
    for name, host, port, peer, numbers in (
        ("one", HOST, one_port, f"{OTHER}:{other_port}", '"7"'), ("other", OTHER, other_port, f"{HOST}:{one_port}", '"6"'),
    ):  # fmt: skip
        directory = tmp_path / name
        directory.mkdir()
        config = directory / "lab.toml"
        config.write_text(TRUNK.format(name=f"to-{'other' if name == 'one' else 'one'}", peer=peer, numbers=numbers))
        users = {"6001": USERS["6001"]} if name == "one" else {"7001": "secret-of-7001"}
        servers.append(Server(directory, host, users, port=port, options=("--config", str(config))))
        stack.callback(servers[-1].kill)
    words = [word for name, server in zip(("one", "other"), servers, strict=True)
             for word in ("--server", f"{name}=http://{server.host}:{server.http_port}")]  # fmt: skip
    file = tmp_path / "users"
    file.write_text(f"6001,{USERS['6001']}\n")
    done = subprocess.run(
        command("try", "6001", "7001", "--server", servers[0].address, "--domain", DOMAIN, "--users", str(file)),
        env=environment(), capture_output=True, text=True, timeout=40,
    )  # fmt: skip
    assert "480" in done.stdout + done.stderr, done
    wait_until("both have it", lambda: any("SM@other" in record["source"] for record in kept(*words)))
    found = kept(*words)
    over = [record for record in found if record["message"].startswith("INVITE") and record["destination"] == "SM@other"]
    assert [(record["source"], record["node"]) for record in over[:1]] == [("SM", "one+other")]
    assert {record["call"] for record in found if record["message"].startswith("INVITE")} == {over[0]["call"]}
    assert any("location: 7001 is registered nowhere" in text for record in found for text in record.get("decisions", ()))
    saved = tmp_path / "both.json"
    saved.write_text("".join(f"{json.dumps(record)}\n" for record in found))
    told = subprocess.run(command("explain", str(saved)), env=environment(), capture_output=True, text=True, timeout=30).stdout
    assert "SM@other said 480 first" in told and "because location: 7001 is registered nowhere" in told, told
