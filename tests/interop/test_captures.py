"""What the server exports of held calls over UDP and TCP, read by tshark."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, command

HOST = "127.0.0.94"
LISTEN = (f"tcp:{HOST}",)


def export(server: Server, form: str, target: Path) -> bytes:
    url = f"http://{server.http_host}:{server.http_port}"
    asked = command("trace", "--url", url, "--export", form, str(target))
    done = subprocess.run(asked, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return target.read_bytes()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_tshark_reads_every_message_of_a_held_call(server: Server, lab: Lab, tmp_path: Path, transport: str) -> None:
    caller, callee = lab.phones(2, transport)
    lab.call(
        caller, Caller(callee.user).dial().pause(100).reinvite("sendonly").pause(100).reinvite("sendrecv").pause(100).bye(),
        callee, Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(),
    )  # fmt: skip
    records = server.trace()
    capture = tmp_path / "call.pcap"
    export(server, "pcap", capture)
    fields = ("sip.Call-ID", "sip.CSeq", "_ws.malformed", "udp.checksum.status", "ip.checksum.status")
    options = ("-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", "sip", "-T", "fields")
    done = subprocess.run(
        ["tshark", "-n", "-r", str(capture), *options, *(part for field in fields for part in ("-e", field))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    seen = [line.split("\t") for line in done.stdout.splitlines()]
    wanted = [(header(record["message"], "Call-ID"), header(record["message"], "CSeq")) for record in records]
    assert [(call_id, cseq) for call_id, cseq, *_ in seen] == wanted and len(wanted) > 40
    assert {tuple(rest) for _, _, *rest in seen} == {("", "1", "1")}, "nothing malformed, every checksum good"


def header(message: str, name: str) -> str:
    lines = message.partition("\r\n\r\n")[0].split("\r\n")
    return next(line.partition(":")[2].strip() for line in lines if line.lower().startswith(f"{name.lower()}:"))
