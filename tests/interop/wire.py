"""Reading SIP, SDP and lamps for the checks: small, and on purpose not the server's own code."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCHEMA: Final = Path(__file__).resolve().parents[1] / "schemas" / "dialog-info.xsd"
_INFO: Final = "{urn:ietf:params:xml:ns:dialog-info}"
_COMPACT: Final = {"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "l": "content-length",
                   "c": "content-type", "o": "event", "u": "allow-events", "k": "supported"}  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A message as on the wire: start line, headers in order (names in lower case), body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def read(cls, text: str) -> Message:
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        start, *lines = head.split("\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((_COMPACT.get(name, name), value.strip()))
        return cls(start, tuple(headers), body)

    @property
    def method(self) -> str:
        """ "" for a response."""
        return "" if self.status else self.start.partition(" ")[0]

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name: str) -> str:
        """The first value; "" when there is none."""
        return next(iter(self.all(name)), "")

    def integer(self, name: str) -> int:
        return int(self.get(name))

    @property
    def call_id(self) -> str:
        return self.get("Call-ID")

    @property
    def cseq(self) -> int:
        return int(self.get("CSeq").split()[0])

    @property
    def cseq_method(self) -> str:
        return self.get("CSeq").split()[1]

    @property
    def from_tag(self) -> str:
        return tag(self.get("From"))

    @property
    def to_tag(self) -> str:
        return tag(self.get("To"))

    @property
    def branch(self) -> str:
        return parameter(self.get("Via"), "branch")


def tag(address: str) -> str:
    return parameter(address.rpartition(">")[2], "tag")


def parameter(value: str, name: str) -> str:
    """A parameter of a header's value, bare or quoted; "" when absent."""
    found = re.search(rf'(?:^|[;,\s]){name}=(?:"([^"]*)"|([^;,\s]*))', value)
    return (found[1] or found[2] or "") if found else ""


def direction(sdp: str) -> str:
    """The direction of the one stream."""
    found = re.findall(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", sdp, re.MULTILINE)
    assert len(found) <= 1, sdp
    return found[0] if found else "sendrecv"


def origin(sdp: str) -> tuple[str, int]:
    """The o= line without its version, and the version (RFC 4566 §5.2)."""
    found = re.search(r"^o=(\S+) (\d+) (\d+) (.*?)\s*$", sdp, re.MULTILINE)
    assert found, f"no o= line: {sdp!r}"
    return f"{found[1]} {found[2]} {found[4]}", int(found[3])


@dataclass(frozen=True)
class Lamp:
    """What a dialog-info document with one dialog says (RFC 4235)."""

    entity: str
    version: int
    state: str
    """`trying`, `early`, `confirmed`, `terminated`."""
    direction: str
    local: str
    """`+sip.rendering` of `<local><target>`: `yes`, `no` or ""."""
    remote: str
    call_id: str
    text: str

    def __str__(self) -> str:
        return f"{self.version}: {self.state} {self.local or '-'}/{self.remote or '-'}"


def lamp(body: str) -> Lamp:
    """Read a document; it must be full and hold exactly one dialog."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{_INFO}dialog-info" and root.get("state") == "full", body
    (dialog,) = root.findall(f"{_INFO}dialog")
    state = dialog.findtext(f"{_INFO}state") or ""
    return Lamp(
        root.get("entity") or "",
        int(root.get("version") or -1),
        state.strip(),
        dialog.get("direction") or "",
        _rendering(dialog, "local"),
        _rendering(dialog, "remote"),
        dialog.get("call-id") or "",
        body,
    )


def _rendering(dialog: ElementTree.Element, side: str) -> str:
    for param in dialog.iterfind(f"{_INFO}{side}/{_INFO}target/{_INFO}param"):
        if param.get("pname") == "+sip.rendering":
            return param.get("pval") or ""
    return ""


def check_schema(bodies: list[str], directory: Path) -> None:
    """Every document is valid by the schema of RFC 4235."""
    paths = []
    for number, body in enumerate(bodies):
        path = directory / f"lamp-{number}.xml"
        path.write_text(body)
        paths.append(str(path))
    argv = ["xmllint", "--noout", "--nonet", "--schema", str(SCHEMA), *paths]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
