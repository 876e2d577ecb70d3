"""Every message of RFC 4475 and RFC 5118 on real sockets, over UDP and TCP: the verdict, and the next request after it.

What the verdicts rest on stands in tests/torture/verdicts.py. Nothing here waits for silence: what is dropped is followed by
a proper request, whose answer is then the first thing to come.
"""

from __future__ import annotations

import re
import socket
from itertools import count
from typing import Final

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import ANSWER_SECONDS, Raw, RawStream, text
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, wait_until
from tests.interop.wire import Message
from tests.torture.case import Case
from tests.torture.verdicts import CASES, CLOSED, VERDICTS, WAITS

HOST = "127.0.0.63"
LISTEN = (f"tcp:{HOST}",)

DROPPED = "b2bua_messages_dropped_total"
VIA_PORTS: Final = {"mult-ip-in-header": 6050, "ipv4-mapped-ipv6": 19823, "mpart01": 5070}
"""Where the top Via wants the answer to go; else 5060 (RFC 3261 §18.2.2)."""


class Peer(Raw):
    """A UDP socket at the port that the top Via wants answers at, on an address of this case's own: a failed INVITE that
    nobody acknowledges is answered again for 32 s (Timer G), and that must not be taken for the next one's answer."""

    def __init__(self, server: Server, user: str, case: Case) -> None:
        self._address = (f"127.0.1.{CASES.index(case) + 1}", VIA_PORTS.get(case.name, 5060))
        super().__init__(server, user)

    def _opened(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(self._address)
        return made


_numbers: Final = count(1)
_COOKIE: Final = re.compile(rb"z9hG4bK[^\s;,]+")
_CALL_ID: Final = re.compile(rb"\r\n(?:Call-ID|i)[ \t]*:[^\r]*", re.IGNORECASE)


def fresh(case: Case, transport: str) -> bytes:
    """The message under a branch and a Call-ID that no other has: this server keeps the transactions of all of them."""
    mark = f"-{CASES.index(case)}{transport}".encode()
    data = _COOKIE.sub(lambda found: found[0] + mark, case.data, count=1)
    return _CALL_ID.sub(lambda found: found[0] + mark, data, count=1)


def proper(raw: Raw) -> str:
    """An OPTIONS to the server, with rport: answered 200 wherever it comes from."""
    lines = raw.lines("OPTIONS")
    # Every peer counts its branches from 1, many at the same port: told apart by a number of the module's.
    return text(lines | {"Via": f"{lines['Via']}n{next(_numbers)};rport"})


def final(raw: Raw) -> Message:
    """The next message that is no provisional response."""
    while True:
        message = raw.receive()
        if message.status >= 200:
            return message


def same_request(answer: Message, data: bytes) -> bool:
    """Whether the answer is of this message: by Call-ID, or the branch where it has none."""
    sent = data.decode("latin-1")
    return answer.get("Call-ID") in sent if answer.get("Call-ID") else answer.branch in sent


def dropped(server: Server, verdict: int | str) -> float:
    """How many messages have been dropped for this reason."""
    return server.metric(DROPPED, reason=str(verdict))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_over_udp(server: Server, case: Case) -> None:
    verdict, data = VERDICTS[case.name].stranger, fresh(case, "udp")
    peer = Peer(server, "6001", case)
    try:
        before = dropped(server, verdict)
        peer.send(data)
        if isinstance(verdict, int):
            answer = final(peer)
            assert (answer.status, same_request(answer, data)) == (verdict, True), answer.start
        asked = proper(peer)
        peer.send(asked.encode())
        answer = final(peer)
        while isinstance(verdict, int) and same_request(answer, data):
            answer = final(peer)
        assert (answer.status, answer.get("CSeq")) == (200, "1 OPTIONS"), answer.start
        if not isinstance(verdict, int):
            assert dropped(server, verdict) == before + 1
    finally:
        peer.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_over_tcp(server: Server, case: Case) -> None:
    verdict, data = VERDICTS[case.name], fresh(case, "tcp")
    told, becomes = verdict.stream if verdict.stream[1] else (verdict.stranger, "")
    stream = RawStream(server, "6001")
    try:
        before = dropped(server, told)
        stream.send(data)
        if isinstance(told, int):
            answer = final(stream)
            assert (answer.status, same_request(answer, data)) == (told, True), f"{verdict.why}\n{answer.start}"
        if case.name == "dblreq":  # what is noise behind a datagram is the next message of a stream
            second = final(stream)
            assert (second.status, second.get("CSeq")) == (407, "8 INVITE")
        if becomes == CLOSED:
            assert stream.closed()
        elif becomes == WAITS:
            wait_for_more(server, stream, data)
        else:
            answer = stream.answer(proper(stream))
            assert (answer.status, answer.get("CSeq")) == (200, "1 OPTIONS"), answer.start
        if isinstance(told, str) and not becomes:
            assert dropped(server, told) == before + 1
    finally:
        stream.close()
    other = RawStream(server, "6001")
    assert other.answer(proper(other)).status == 200
    other.close()


def wait_for_more(server: Server, stream: RawStream, data: bytes) -> None:
    """The rest of the body comes after all: then the message is whole, and a stranger's. What never comes whole is cut
    after 32 s: tests/transport/test_stream.py, on a clock that need not be waited for."""
    missing = 9999 - len(data.partition(b"\r\n\r\n")[2])
    stream.send(b" " * (missing - 1))
    errors = server.metric("b2bua_parse_errors_total")
    stream.send(b" ")
    assert final(stream).status == 407
    assert server.metric("b2bua_parse_errors_total") == errors


def test_a_call_with_hold_after_all_of_them(lab: Lab) -> None:
    a, b = lab.phones(2)
    caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv").bye()
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
    lab.call(a, caller, b, callee)
    lab.server.check_healthy()
    wait_until("no call left", lambda: lab.server.metric("b2bua_calls_active") == 0, ANSWER_SECONDS)
