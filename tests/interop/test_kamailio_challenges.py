"""Kamailio as a trunk that asks who we are, for each request: our credentials of a file or of the environment, by UDP and TCP."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command, environment
from tests.interop.test_kamailio import TRUNK, Trunk

REALM, USER, SECRET = "carrier.example.net", "pbx-7", "open sesame"


@pytest.fixture(scope="module", params=["udp", "tcp"])
def trunk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunk]:
    directory = tmp_path_factory.mktemp(request.param)
    secret = directory / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    more = f'username = "{USER}"\nrealm = "{REALM}"\npassword_file = "{secret}"'
    made = Trunk(directory, request.param, (REALM, USER, SECRET), more)
    try:
        yield made
        made.server.check_healthy()
        assert SECRET not in made.server.log_text()
        assert made.server.stop() == 0
    finally:
        made.close()


@pytest.fixture
def lab(trunk: Trunk, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(trunk.server, tmp_path)
    yield made
    made.close()


def is_trunk(end: str) -> bool:
    return end == "carrier" or end.startswith(f"{TRUNK}:")


def test_a_call_with_hold_each_request_challenged(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunk.start(
        Callee().unchallenged().ring().accept()
        .reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
    )  # fmt: skip
    script = Caller("0170").dial().reinvite("sendonly").reinvite("sendrecv").bye()
    near = lab.start(script, phone)
    near.finish()
    far.finish()
    hops = trunk.server.hops(f"call-id={near.messages()[0][1].call_id}")
    asked = [hop.message for hop in hops if hop.message.status == 407 and is_trunk(hop.source) and not hop.retransmission]
    assert {message.cseq_method for message in asked} == {"INVITE", "BYE"} and len(asked) == 4
    told = [hop.message for hop in hops if is_trunk(hop.destination) and hop.message.method not in ("", "CANCEL")]
    given = [message for message in told if message.get("Proxy-Authorization")]
    assert all(f'username="{USER}"' in message.get("Proxy-Authorization") for message in given)
    assert {message.method for message in given} >= {"INVITE", "ACK", "BYE"}


def test_the_far_end_hangs_up(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunk.start(Callee().unchallenged().ring().accept().pause(200).bye())
    near = lab.start(Caller("0170").dial().byed(), phone)
    near.finish()
    far.finish()


def test_a_wrong_password_is_500_and_a_line_in_the_log(tmp_path: Path) -> None:
    made = Trunk(tmp_path, "udp", (REALM, USER, SECRET), f'username = "{USER}"\nrealm = "{REALM}"\npassword_env = "HOME"')
    lab = Lab(made.server, tmp_path / "lab")
    try:
        [phone] = lab.phones(1)
        lab.start(Caller("0170").invite().refused(500), phone).finish()
        assert "trunk_refuses_credentials entity=carrier" in made.server.log_text()
        made.server.check_healthy()
    finally:
        lab.close()
        made.close()


def test_no_password_no_start(tmp_path: Path) -> None:
    config = tmp_path / "lab.toml"
    config.write_text('[entities.carrier]\naddress = "192.0.2.80"\nusername = "pbx"\npassword_file = "nowhere"\n')
    for words in (("run", "--store", "memory:", "--listen", "udp:127.0.0.90:0"), ("config", "check")):
        done = subprocess.run(
            command(*words, "--config", "lab.toml"), cwd=tmp_path, env=environment(), capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        line = "b2bua: lab.toml:1: entities: carrier: password_file: nowhere: No such file or directory"
        assert (done.returncode, done.stderr.splitlines()[-1]) == (2, line)


def test_the_trace_shows_no_response(trunk: Trunk, lab: Lab) -> None:
    [phone] = lab.phones(1)
    far = trunk.start(Callee().unchallenged().ring().accept().byed())
    near = lab.start(Caller("0170").dial().bye(), phone)
    near.finish()
    far.finish()
    server: Server = trunk.server
    texts = [record["message"] for record in server.trace(f"call-id={near.messages()[0][1].call_id}")]
    credentials = [text for text in texts if f'username="{USER}"' in text]
    assert credentials and all('response="***"' in text for text in credentials)
