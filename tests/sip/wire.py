"""Messages as bytes for the tests of this folder: a plain INVITE whose parts can be replaced, added or left out."""

from __future__ import annotations

HEADERS = (
    ("Via", "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa1;rport"),
    ("Max-Forwards", "70"),
    ("From", '"6001" <sip:6001@example.com>;tag=f1'),
    ("To", "<sip:6002@example.com>"),
    ("Call-ID", "c1@192.0.2.10"),
    ("CSeq", "1 INVITE"),
    ("Contact", "<sip:6001@192.0.2.10:5060>"),
)


def message(start: str, lines: list[str], body: bytes = b"") -> bytes:
    """Start line and header lines as they are, the blank line, the body; undecodable bytes as surrogates."""
    return "\r\n".join([start, *lines, "", ""]).encode("utf-8", "surrogateescape") + body


def invite(*extra: str, body: bytes = b"", start: str = "", length: bool = True, **changed: str | None) -> bytes:
    """An INVITE. `call_id="x"` replaces Call-ID, `call_id=None` leaves it out; `extra` are further header lines."""
    lines = [f"{name}: {value}" for name, value in _values(changed)]
    lines += extra
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return message(start or "INVITE sip:6002@example.com SIP/2.0", lines, body)


def answer(*extra: str, start: str = "SIP/2.0 200 OK", **changed: str | None) -> bytes:
    """A response to that INVITE."""
    lines = [f"{name}: {value}" for name, value in _values(changed)]
    return message(start, [*lines, *extra, "Content-Length: 0"])


def _values(changed: dict[str, str | None]) -> list[tuple[str, str]]:
    values = [
        (name, changed.pop(name.lower().replace("-", "_").replace("from", "from_"), value)) for name, value in HEADERS
    ]
    assert not changed, f"no such header: {changed}"
    return [(name, value) for name, value in values if value is not None]
