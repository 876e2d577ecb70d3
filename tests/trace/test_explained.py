"""`b2bua explain`: flows by their names, where one stopped, what is wrong; from saved traces and from captures."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from b2bua import cli
from b2bua.sip.message import Message, Request
from b2bua.sip.response_to import response_to
from b2bua.trace.explained import explained, main
from b2bua.trace.exports import EXPORTS
from b2bua.trace.rows import Rows
from tests.trace.captures import ethernet, pcap, pcapng, tcp, udp
from tests.trace.hand_made import Scene, request, sdp, standing_call

PHONE, SERVER = "192.0.2.1 5061", "192.0.2.100 5060"


def lines(scene: Scene) -> list[str]:
    rows = Rows()
    for record in scene.records():
        rows.take(record)
    return list(explained(rows.all))


def said(scene: Scene, word: str) -> list[str]:
    return [line.strip().partition(": ")[2] for line in lines(scene) if line.strip().startswith(word)]


def refused(status: int, *headers: tuple[str, str]) -> Scene:
    scene = Scene()
    invite = request("INVITE", "6001", "6002", "c", 1, body=sdp("sendrecv"))
    answer = response_to(invite, status, tag="x")
    for name, value in headers:
        answer.append(name, value)
    scene.up("6001", invite)
    scene.down("6001", answer)
    scene.up("6001", request("ACK", "6001", "6002", "c", 1, tags=("", "x")))
    return scene


def test_a_hold_in_nine_steps() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    assert said(call.scene, "flow:") == [
        "successful session, through servers (RFC 3665 §3.2)", "call hold (RFC 5359 §2.1)", "hold by re-INVITE in nine steps",
    ]  # fmt: skip
    assert lines(call.scene)[0] == f"{len(call.scene.records())} messages, 0 retransmissions, 1 calls"


@pytest.mark.parametrize(("status", "flow"), [
    (486, "unsuccessful, busy (RFC 3665 §3.9)"), (480, "unsuccessful, temporarily unavailable (RFC 3665 §3.11)"),
    (408, "unsuccessful, no response (RFC 3665 §3.10)"), (487, "unsuccessful, no answer (RFC 3665 §3.8)"),
    (302, "session by redirection (RFC 3665 §3.6)"), (404, "unsuccessful, 404"),
])  # fmt: skip
def test_a_call_that_comes_to_nothing_is_named_and_the_end_shown(status: int, flow: str) -> None:
    scene = refused(status, ("Reason", 'SIP;cause=606;text="Later"'))
    assert said(scene, "flow:") == [flow]
    [stopped] = said(scene, "stopped")
    assert stopped.startswith(f"SIP/2.0 {status} ") and stopped.endswith('(Reason: SIP;cause=606;text="Later")')


def test_a_challenge_is_no_end() -> None:
    scene = refused(407)
    assert said(scene, "flow:") == []
    assert said(scene, "stopped at #3")[0].endswith("and no final answer to the INVITE #1")


def test_a_2xx_without_its_ack() -> None:
    scene = Scene()
    invite = request("INVITE", "6001", "6002", "c", 1)
    scene.up("6001", invite)
    scene.down("6001", response_to(invite, 200, tag="x"))
    assert said(scene, "stopped at #2:") == ["its 2xx has no ACK from 6001 (RFC 3261 §13.3.1.4)"]


def test_other_flows() -> None:
    call = standing_call()
    call.scene.up("6001", call.from_phone("REFER", "6001", ("Refer-To", "<sip:6003@example.com?Replaces=c%3Bto-tag%3Da>")))
    call.scene.up("6001", call.from_phone("REFER", "6001", ("Refer-To", "<sip:6003@example.com>")))
    for name, value in (("Contact", "<sip:6001@192.0.2.1>"), ("Expires", "0"), ("Subject", "who?")):
        register = request("REGISTER", "6001", "6001", f"r-{name}", 1, (name, value))
        call.scene.up("6001", register)
        call.scene.down("6001", response_to(register, 200))
    assert said(call.scene, "flow:")[1:] == [
        "transfer, attended (RFC 5359 §2.5)", "transfer, unattended (RFC 5359 §2.4)", "registration (RFC 3665 §2.1)",
        "cancellation of a registration (RFC 3665 §2.4)", "request for contacts (RFC 3665 §2.3)",
    ]  # fmt: skip


def test_what_is_wrong_names_its_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = standing_call()
    call.scene.up("6001", call.from_phone("INVITE", "6001", body=sdp("sendonly", version=1)))  # another description
    wrong = said(call.scene, "wrong:")
    assert wrong and wrong[0].startswith(f"#{len(call.scene.records())} ") and "o= version" in wrong[0]
    file = tmp_path / "trace.json"
    file.write_text("".join(json.dumps(record) + "\n" for record in call.scene.records()))
    assert main(str(file)) == 1 and wrong[0] in capsys.readouterr().out


# ---- captures


def held() -> Scene:
    call = standing_call()
    call.change("6001", "sendonly")
    return call.scene


def test_a_capture_of_our_own_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = held()
    file = tmp_path / "trace.pcap"
    file.write_bytes(b"".join(EXPORTS["pcap"][1](scene.records())))
    assert main(str(file)) == 1, "its answer keeps the o= version"
    out = capsys.readouterr().out
    assert out.startswith(f"{len(scene.records())} messages, 0 retransmissions, ")
    assert "flow: call hold (RFC 5359 §2.1)" in out and "hold: audio sendrecv → sendonly, o= version 1 → 2" in out


def dialogue() -> list[tuple[Message, bool]]:
    """A call of 6001 that is held; whether the phone says it."""
    invite = request("INVITE", "6001", "6002", "c", 1, tags=("a", ""), body=sdp("sendrecv"))
    hold = request("INVITE", "6001", "6002", "c", 2, tags=("a", "b"), body=sdp("sendonly", version=2))
    found: list[tuple[Message, bool]] = []
    for asked, direction in ((invite, "sendrecv"), (hold, "recvonly")):
        answer = response_to(asked, 200, tag="" if asked is hold else "b")
        answer.set_body(sdp(direction, version=asked.cseq), "application/sdp")
        ack = request("ACK", "6001", "6002", "c", asked.cseq, tags=("a", "b"))
        found += [(asked, True), (answer, False), (ack, True)]
    bye: Request = request("BYE", "6001", "6002", "c", 3, tags=("a", "b"))
    return [*found, (bye, True), (response_to(bye, 200), False)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_capture_from_elsewhere(transport: str, write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames, numbers = [], {True: 100, False: 900}
    for place, (message, up) in enumerate(dialogue()):
        ends, data = ((PHONE, SERVER) if up else (SERVER, PHONE)), message.encode()
        packet = udp(*ends, data) if transport == "udp" else tcp(*ends, numbers[up], data)
        numbers[up] += len(data)
        frames.append((1000.0 + place, ethernet(packet)))
    file = tmp_path / "elsewhere.pcap"
    file.write_bytes(write(frames, 1))
    assert cli.commands.main(["explain", str(file)], standalone_mode=False) == 0
    out = capsys.readouterr().out
    assert "8 messages, 0 retransmissions, 1 calls" in out and "192.0.2.1:5061" in out
    assert "flow: successful session (RFC 3665 §3.1)" in out and "flow: call hold (RFC 5359 §2.1)" in out
    assert "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else" in out and "wrong" not in out


@pytest.mark.parametrize("data", [b"", b"no trace", pcap([]), pcapng([]), pcap([], 147)])
def test_a_file_without_sip_is_one_line(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    assert main(str(file)) == 2
    assert main(str(tmp_path / "nothing")) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("b2bua explain: ") for line in errors)


def test_the_command_wants_a_file() -> None:
    with pytest.raises(click.UsageError):
        cli.commands.main(["explain"], standalone_mode=False)
