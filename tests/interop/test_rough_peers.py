"""Peers that behave at random on real listeners: noise, half a handshake, drips, resets, frames that break every rule.

A seed decides what each peer does, so a run repeats. After all of them the server answers on every transport, has kept no
connection, and has made no mistake.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.certificates import Authority
from tests.interop.raw import text
from tests.interop.server import DOMAIN, Server, wait_until

HOST: Final = "127.0.0.68"
USERS: Final = {"6001": "secret-6001-word", "6002": "secret-6002-word"}
PEERS: Final = int(os.environ.get("ROUGH_PEERS", "120"))
"""A transport; more by hand: `ROUGH_PEERS=5000 make test ARGS=tests/interop/test_rough_peers.py`."""
PATIENCE: Final = 2.0
"""Seconds that a peer listens at the most."""
UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
SECURE: Final = ("tls", "wss")
WEB: Final = ("ws", "wss")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    issued = Authority(tmp_path_factory.mktemp("papers")).issue("server", HOST)
    options = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key))
    directory: Path = tmp_path_factory.mktemp("server")
    started = Server(directory, HOST, USERS, options=options, own_ports=("tcp", "tls", "ws", "wss"))
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


def options(number: int, length: int | None = None, body: bytes = b"") -> bytes:
    """An OPTIONS to the server itself; `length`: what its Content-Length says."""
    lines = {
        "": f"OPTIONS sip:{DOMAIN} SIP/2.0", "Via": f"SIP/2.0/TCP {HOST}:9;branch=z9hG4bKrough{number}",
        "From": f"<sip:rough@{DOMAIN}>;tag=r{number}", "To": f"<sip:{DOMAIN}>", "Call-ID": f"rough-{number}",
        "CSeq": f"{number} OPTIONS", "Max-Forwards": "70",
        "Content-Length": str(len(body) if length is None else length),
    }  # fmt: skip
    return text(lines).encode() + body


def frame(
    data: bytes, opcode: int = 1, final: bool = True, masked: bool = True, length: int | None = None, bits: int = 0
) -> bytes:
    """One WebSocket frame of a client (RFC 6455 §5.2), right or wrong: `length` is what it claims, `bits` the reserved ones."""
    claimed = len(data) if length is None else length
    head = bytes([(0x80 if final else 0) | bits << 4 | opcode])
    mask = 0x80 if masked else 0
    if claimed < 126:
        head += bytes([mask | claimed])
    elif claimed < 65536:
        head += bytes([mask | 126]) + struct.pack("!H", claimed)
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", claimed)
    key = b"\x11\x22\x33\x44"
    return head + (key + bytes(byte ^ key[place & 3] for place, byte in enumerate(data)) if masked else data)


def frames(random: Random, number: int) -> bytes:
    """A few frames after a good handshake."""
    message = options(number)
    cut = random.randrange(1, len(message))
    kinds = (
        lambda: frame(message, random.choice((1, 2))),
        lambda: frame(message[:cut], final=False) + frame(b"", 9) + frame(message[cut:], 0),
        lambda: b"".join(
            frame(message[place : place + 1], int(not place), place == len(message) - 1) for place in range(len(message))
        ),
        lambda: frame(message, masked=False),
        lambda: frame(message, length=random.choice((2**63, 2**40, 400_000))),
        lambda: frame(message, random.choice((3, 7, 11, 15))),
        lambda: frame(message, bits=random.randrange(1, 8)),
        lambda: frame(b"x" * 200, random.choice((8, 9, 10))),
        lambda: frame(b"x", 9, final=False),
        lambda: frame(message, 0),
        lambda: frame(message[:cut], final=False) + frame(message, 1),
        lambda: frame(b"\xff\xfe\xff", 1),
        lambda: frame(b"", 8) + frame(message),
        lambda: frame(b"", random.choice((0, 1, 2)), final=False) * 50,
        lambda: random.randbytes(random.randrange(1, 300)),
    )
    return b"".join(random.choice(kinds)() for _ in range(random.randrange(1, 4)))


def stream(random: Random, number: int) -> bytes:
    """A few things that a TCP or TLS peer may say."""
    kinds = (
        lambda: options(number),
        lambda: options(number) * 3,
        lambda: b"\r\n" * random.randrange(1, 9),
        lambda: random.randbytes(random.randrange(1, 2000)),
        lambda: options(number)[: random.randrange(1, 200)],
        lambda: options(number, length=random.choice((10, 262_145, 10**9, 10**30))),
        lambda: options(number, body=random.randbytes(random.randrange(1, 4000))),
        lambda: options(number).replace(b"Content-Length", b"X-Length"),
        lambda: options(number).replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
        lambda: b"OPTIONS " + b"x" * random.randrange(70_000),
        lambda: options(number).replace(b"\r\n", b"\n"),
        lambda: b"SIP/2.0 200 OK\r\n" + options(number).partition(b"\r\n")[2],
        lambda: b"\x16\x03\x01" + random.randbytes(60),
        lambda: b"GET / HTTP/1.1\r\n\r\n",
    )
    return b"".join(random.choice(kinds)() for _ in range(random.randrange(1, 4)))


def opened(server: Server, transport: str) -> socket.socket:
    made = socket.create_connection((HOST, server.ports[transport]), PATIENCE, (HOST, 0))
    made.settimeout(PATIENCE)
    return made


def handshaken(made: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(made)


def behave(server: Server, transport: str, random: Random, number: int) -> socket.socket | None:
    """One peer does something and goes; it is given back when it stays, saying nothing more."""
    made = opened(server, transport)
    try:
        if transport in SECURE:
            if random.random() < 0.3:
                half = b"\x16\x03\x01\x02\x00\x01" + random.randbytes(80)
                made.sendall(random.choice((random.randbytes(300), half, options(number))))
                return leave(made, random)
            made = handshaken(made)
        said = stream(random, number)
        if transport in WEB:
            greeting = UPGRADE if random.random() < 0.8 else bytes(UPGRADE).replace(*random.choice(SPOILT))
            said = greeting + frames(random, number) if random.random() < 0.9 else said
        while said:
            part = random.choice((len(said), 1 + random.randrange(len(said))))
            made.sendall(said[:part])
            said = said[part:]
        return leave(made, random)
    except OSError:  # the server has cut it off, as it may
        made.close()
        return None


SPOILT: Final = (
    (b"Version: 13", b"Version: 8"), (b"sip\r\n", b"xmpp\r\n"), (b"Key: ", b"Key: x"), (b"GET", b"PUT"), (b"\r\n\r\n", b"\r\n"),
)  # fmt: skip


def leave(made: socket.socket, random: Random) -> socket.socket | None:
    how = random.randrange(4)
    if how == 0:
        return made
    if how == 1:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    elif how == 2:
        made.settimeout(0.05)
        with suppress(OSError):
            made.recv(65536)
    made.close()
    return None


def asks(server: Server, transport: str, number: int) -> bytes:
    """The first line that a good peer is answered on a connection of its own."""
    made = opened(server, transport)
    try:
        if transport in SECURE:
            made = handshaken(made)
        made.sendall(UPGRADE + frame(options(number)) if transport in WEB else options(number))
        heard, deadline = b"", time.monotonic() + 10
        while b"SIP/2.0 200" not in heard and time.monotonic() < deadline:
            data = made.recv(65536)
            if not data:
                break
            heard += data
        return heard
    finally:
        made.close()


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_whatever_peers_do_the_server_goes_on(server: Server, transport: str) -> None:
    random = Random(f"rough {transport}")
    stay: list[socket.socket] = []
    for number in range(1, PEERS + 1):
        made = behave(server, transport, random, number)
        if made is not None:
            stay.append(made)
        if number % 40 == 0:
            assert b"SIP/2.0 200" in asks(server, transport, 10**6 + number)
    for made in stay:
        made.close()
    assert b"SIP/2.0 200" in asks(server, transport, 2 * 10**6)
    wait_until("every connection is gone", lambda: server.metric("b2bua_flows", transport=transport) == 0, 20)
    server.check_healthy()
