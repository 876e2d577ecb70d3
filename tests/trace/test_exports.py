"""The forms in which a trace leaves: capture, diagram, drawing, page; hostile peers among them."""

from __future__ import annotations

import json
import re
import struct
from html.parser import HTMLParser
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from b2bua import cli
from b2bua.trace.client import main
from b2bua.trace.exports import EXPORTS
from b2bua.trace.pcap import MAX_PAYLOAD
from tests.trace.hand_made import CREDENTIALS, Scene, request, standing_call

HOSTILE = '</pre></section><script src="http://example.com/x.js">alert(1)</script>\x1b[2J\x00#;%%{init}%% end --> "&amp;'


def held() -> list[dict[str, Any]]:
    call = standing_call()
    call.change("6001", "sendonly")
    return call.scene.records()


def hostile() -> list[dict[str, Any]]:
    """A peer that writes marks of all these languages wherever it may, and one that sends no SIP."""
    scene = Scene()
    scene.up("6001", request("MESSAGE", "6001", HOSTILE, "c", 1, ("Subject", HOSTILE), body=HOSTILE.encode()))
    scene.recorder.received(scene.flows["6001"], HOSTILE.encode() + b"\xff")
    records = scene.records()
    records[0] |= {"source": HOSTILE, "note": f"wrong: {HOSTILE}"}
    records[1]["message"] += "\ud800"
    return records


def written(form: str, records: list[dict[str, Any]]) -> bytes:
    return b"".join(EXPORTS[form][1](records))


class Packet:
    def __init__(self, time: float, data: bytes) -> None:
        self.time = time
        six = data[0] >> 4 == 6
        start, addresses = (40, data[8:40]) if six else (20, data[12:20])
        half = len(addresses) // 2
        self.source, self.destination = (str(ip_address(part)) for part in (addresses[:half], addresses[half:]))
        self.ports = struct.unpack_from(">HH", data, start)
        self.payload = data[start + 8 :]
        total = struct.unpack_from(">H", data, 4 if six else 2)[0]
        assert total + (40 if six else 0) == len(data)
        pseudo = addresses + struct.pack(">II", len(data) - start, 17)
        assert folded(pseudo + data[start:]) == 0xFFFF, "UDP checksum"
        assert six or folded(data[:20]) == 0xFFFF, "IPv4 header checksum"


def folded(data: bytes) -> int:
    """The one's complement sum, added up word by word."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(word for (word,) in struct.iter_unpack(">H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def packets(capture: bytes) -> list[Packet]:
    assert struct.unpack_from("<IHHiIII", capture) == (0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
    found, position = [], 24
    while position < len(capture):
        seconds, microseconds, kept, length = struct.unpack_from("<IIII", capture, position)
        assert kept == length
        found.append(Packet(seconds + microseconds / 1e6, capture[position + 16 : position + 16 + kept]))
        position += 16 + kept
    return found


# -- capture -------------------------------------------------------------------------------------------------------


def test_a_capture_has_every_message_with_its_time() -> None:
    records = held()
    found = packets(written("pcap", records))
    assert [packet.payload.decode() for packet in found] == [record["message"] for record in records]
    assert [packet.time for packet in found] == [record["time"] for record in records]


def test_addresses_of_a_capture() -> None:
    records = [held()[0] | {"source_address": "[2001:db8::1]:5062", "destination_address": "192.0.2.100:5061"}]
    records += [record for record in held() if record["transport"] == "memory"][:1]
    records += [held()[0] | {"source_address": "x.invalid:5060", "source": "6009"}]
    first, link, nowhere = packets(written("pcap", records))
    assert (ip_address(first.source), first.ports) == (ip_address("2001:db8::1"), (5062, 5061))
    assert ip_address(first.destination) == ip_address("::ffff:192.0.2.100")
    assert (link.source, link.destination) == ("192.0.2.100", "240.0.0.1"), "SM has its own address on the link, too"
    assert nowhere.source == "240.0.0.2", "a name is no address"


def test_what_fits_no_datagram_is_cut() -> None:
    record = held()[0] | {"message": "x" * (MAX_PAYLOAD + 1)}
    assert [len(packet.payload) for packet in packets(written("pcap", [record]))] == [MAX_PAYLOAD]


# -- diagram, drawing, page ----------------------------------------------------------------------------------------


def test_a_diagram_has_steps_and_notes() -> None:
    lines = written("mermaid", held()).decode().splitlines()
    assert lines[:4] == ["sequenceDiagram", "    participant p0 as 6001", "    participant p1 as SM", "    participant p2 as CM"]
    assert any(line.startswith("    p0->>p1: #9484;(1) INVITE sdp#58;sendonly +") for line in lines)
    assert "    Note over p0,p1: hold#58; audio sendrecv #8594; sendonly, o= version 1 #8594; 2, nothing else" in lines


def test_a_peer_cannot_write_mermaid() -> None:
    lines = written("mermaid", hostile()).decode().splitlines()[1:]
    form = re.compile(r"    (participant p\d+ as|p\d+--?>>p\d+:|Note over p\d+(,p\d+)?:) ((#\d+;)|[^#;<>%{}\"&:\x00-\x1f-])*")
    assert [line for line in lines if not form.fullmatch(line)] == []


@pytest.mark.parametrize("records", [held(), hostile(), []], ids=["held", "hostile", "empty"])
def test_a_drawing_is_well_formed_and_has_an_arrow_a_row(records: list[dict[str, Any]]) -> None:
    root = ElementTree.fromstring(written("svg", records))
    arrows = [element for element in root.iter() if element.get("class") == "arrow"]
    assert len(arrows) == sum(not record["retransmission"] for record in records)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "style", "rect", "line", "text", "g", "path", "title"}


def test_a_note_that_says_what_changes_and_what_is_wrong_is_drawn_as_wrong() -> None:
    noted = {"hold: audio sendrecv → sendonly; wrong: its CSeq 4 does not rise (RFC 3261 §12.2.1.1)": "note wrong",
             "fault 1: dropped; wrong: no To tag": "note wrong", "hold: audio sendrecv → sendonly": "note"}  # fmt: skip
    for note, kind in noted.items():
        root = ElementTree.fromstring(written("svg", [held()[0] | {"note": note}]))
        assert {element.get("class") for element in root.iter() if "note" in element.get("class", "")} == {kind}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: set[str] = set()
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.messages: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name == "href":
                self.targets.add(value or "")
            elif name in ("src", "srcset", "style", "data") or name.startswith("on"):
                self.loads.append(f"{name}={value}")
            elif name == "id":
                self.ids.add(value or "")
        if tag == "pre":
            self.messages.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "pre":
            self.messages[-1] += data


@pytest.mark.parametrize("records", [held(), hostile(), []], ids=["held", "hostile", "empty"])
def test_a_page_loads_and_runs_nothing_and_every_link_leads_to_a_message(records: list[dict[str, Any]]) -> None:
    text = written("html", records).decode()
    page = Page(text)
    assert page.loads == [] and not page.tags & {"script", "link", "iframe", "img", "object", "base", "form"}
    assert "default-src 'none'" in text and "@import" not in text and "url(" not in text
    assert page.targets - {"#"} == {f"#{name}" for name in page.ids} and len(page.ids) == len(page.messages)


def test_a_page_has_the_messages_whole() -> None:
    records = held()
    shown = [message.strip().splitlines() for message in Page(written("html", records).decode()).messages]
    assert shown == [record["message"].strip().splitlines() for record in records]


# -- all -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", sorted(EXPORTS))
def test_no_form_has_a_digest_response(form: str) -> None:
    scene = Scene()
    scene.up("6001", request("INVITE", "6001", "6002", "c", 1, CREDENTIALS))
    assert b"response" in written(form, scene.records()) or form in ("mermaid", "svg")
    assert b"0123abcd" not in written(form, scene.records())


@pytest.mark.parametrize("form", sorted(EXPORTS))
def test_the_command_writes_a_new_file_of_ones_own(
    form: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    records, saved, target = held(), tmp_path / "saved", tmp_path / "target"
    saved.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert main(file=str(saved), export=(form, str(target))) == 0
    assert target.read_bytes() == written(form, records) and target.stat().st_mode & 0o777 == 0o600
    assert main(file=str(saved), export=(form, str(target))) == 2, "what is there is not written over"
    assert capfdbinary.readouterr().err.decode() == f"b2bua trace: {target}: File exists\n"
    assert main(file=str(saved), export=(form, "-"), filter_words=["-ns"]) == 0
    assert 0 < len(capfdbinary.readouterr().out) < len(target.read_bytes())


def test_the_command_knows_every_form() -> None:
    (option,) = (parameter for parameter in cli.trace.params if parameter.name == "export")
    assert isinstance(option.type, click.types.Tuple)
    assert tuple(option.type.types[0].choices) == tuple(EXPORTS)  # type: ignore[attr-defined]  # a click.Choice
