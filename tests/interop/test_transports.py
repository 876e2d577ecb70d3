"""Phones over TCP and UDP, IPv4 and IPv6, and whoever else finds the TCP port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import Raw, RawStream, again, text
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Server, wait_until

HOST = "127.0.0.55"
LISTEN = ("tcp:127.0.0.55", "udp:[::1]", "tcp:[::1]")

DROPPED = "b2bua_messages_dropped_total"
PARSE_ERRORS = "b2bua_parse_errors_total"


@pytest.fixture
def raw(server: Server) -> Iterator[RawStream]:
    made = RawStream(server, server.next_user())
    yield made
    made.close()


def options(raw: Raw, **changed: str) -> bytes:
    """A proper OPTIONS with some headers replaced; "" takes one out."""
    lines = raw.lines("OPTIONS") | {name.replace("_", "-"): value for name, value in changed.items()}
    return text(lines).encode()


# ---- calls


def both_hold(lab: Lab, near: tuple[str, str], far: tuple[str, str]) -> str:
    """A call in which both parties hold and resume; (transport, host) of either. The caller's user."""
    (a,), (b,) = lab.phones(1, *near), lab.phones(1, *far)
    caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv")
    caller.reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye()
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
    # SIPp takes no INVITE that comes in one go with the 200 before it (RFC 5407 §3.1.5 is in tests/scenarios).
    callee.pause(200).reinvite("sendonly").reinvite("sendrecv").byed()
    lab.call(a, caller, b, callee)
    lab.server.check_healthy()
    hops = [hop for hop in lab.server.hops(f"user={a.user}") if hop.call and "SM" in hop.way and "CM" not in hop.way]
    for phone, (transport, _) in ((a, near), (b, far)):
        assert {hop.transport for hop in hops if phone.user in hop.way} == {transport}
    assert not [hop for hop in hops if hop.retransmission]
    return a.user


V4, V6 = HOST, "::1"


@pytest.mark.parametrize(("near", "far"), [("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")])
def test_hold_by_either_party(lab: Lab, near: str, far: str) -> None:
    """A callee over TCP is reached at its Contact: the connection of its REGISTER is closed by then."""
    both_hold(lab, (near, V4), (far, V4))


@pytest.mark.parametrize(
    ("near", "far"), [(("udp", V6), ("udp", V4)), (("udp", V4), ("udp", V6)), (("tcp", V6), ("udp", V4))]
)
def test_hold_between_ipv4_and_ipv6(lab: Lab, near: tuple[str, str], far: tuple[str, str]) -> None:
    both_hold(lab, near, far)


def test_a_long_invite_reaches_a_phone_without_tcp(lab: Lab) -> None:
    """RFC 3261 §18.1.1: over 1300 bytes TCP is tried; refused, it goes over UDP at once, and the log says so."""
    a, b = lab.phones(2)
    far = lab.start(Callee().ring().accept().byed(), b)
    lab.start(Caller(b.user).dial(f"X-Long: {'x' * 1300}").bye(), a).finish()
    far.finish()
    (invite,) = far.received("INVITE")
    assert invite.get("Via").startswith("SIP/2.0/UDP") and len(invite.get("X-Long")) == 1300
    log = lab.server.log_text()
    assert f"request_too_long_for_udp peer={HOST}:{b.port} " in log and f"no_tcp_to_peer peer={HOST}:{b.port} " in log


def test_ten_calls_a_second_over_one_connection(lab: Lab) -> None:
    (a,), (b,) = lab.phones(1, "tcp"), lab.phones(1, "tcp")
    far = lab.start(Callee().ring().accept().reinvited("sendonly", "recvonly").byed(), b, calls=20)
    near = lab.start(Caller(b.user).dial().reinvite("sendonly").pause(100).bye(), a, calls=20)
    assert (near.finish().ok, far.finish().ok) == (20, 20)


def test_a_phone_that_dies_in_a_call(lab: Lab) -> None:
    """Its connection is gone and its Contact takes none: a hold fails at once, the call can still be ended."""
    (a,), (b,) = lab.phones(1), lab.phones(1, "tcp")
    far = lab.start(Callee().ring().accept().pause(60_000), b)
    near = lab.start(Caller(b.user).dial().wait().reinvite("sendonly", status=500).bye(), a)
    wait_until("talking", lambda: bool(far.received("ACK")))
    far.stop()
    near.go_on()
    near.finish()
    wait_until("no call left", lambda: lab.server.metric("b2bua_calls_active") == 0)
    lab.server.check_healthy()


def registered(phone: RawStream) -> None:
    """A phone that can be reached on this connection only: its Contact is no address (RFC 7118 has such)."""
    contact = {"Contact": f"<sip:{phone.user}@phone.invalid;transport=tcp>"}
    lines = phone.lines("REGISTER", to=f"sip:{phone.user}@{DOMAIN}") | contact
    assert phone.answer(text(again(phone, lines, phone.answer(text(lines))))).status == 200


def test_a_phone_is_called_on_the_connection_it_is_back_on(lab: Lab, server: Server, raw: RawStream) -> None:
    registered(raw)
    raw.close()
    (a,) = lab.phones(1)
    lab.start(Caller(raw.user).invite().refused(480), a).finish()
    back = RawStream(server, raw.user)
    try:
        registered(back)
        caller = lab.start(Caller(raw.user).invite().refused(486), a)
        invite = back.receive()
        assert (invite.method, invite.uri) == ("INVITE", f"sip:{raw.user}@phone.invalid;transport=tcp")
        copied = {name: invite.get(name) for name in ("From", "Call-ID", "CSeq")}
        copied["Via"] = ", ".join(invite.all("Via"))
        back.send(text({"": "SIP/2.0 486 Busy Here", **copied, "To": f"{invite.get('To')};tag=busy"}).encode())
        assert back.receive().method == "ACK"
        caller.finish()
    finally:
        back.close()


def test_what_is_counted(lab: Lab) -> None:
    before = lab.server.metric("b2bua_contacts", transport="tcp")
    lab.phones(1, "tcp")
    assert lab.server.metric("b2bua_contacts", transport="tcp") == before + 1
    assert lab.server.metric("b2bua_requests_total", method="REGISTER", transport="tcp", direction="in") >= 2
    ready = lab.server.log_text().partition(" ready: ")[2].split()
    assert f"tcp:{HOST}:{lab.server.port}" in ready and f"tcp:[::1]:{lab.server.port}" in ready


def test_bindings_over_tcp_survive_a_restart(tmp_path: Path) -> None:
    """Nothing of the connection is left; the phone is reached at its Contact."""
    users = {"6001": "secret-one-word", "6002": "secret-two-words"}
    first = Server(tmp_path, HOST, users, store=f"sqlite:{tmp_path}/pbx.db", more=(f"tcp:{HOST}",))
    lab = Lab(first, tmp_path / "first")
    try:
        (b,) = lab.phones(1, "tcp")
        assert first.stop() == 0
        second = Server(tmp_path, HOST, users, store=f"sqlite:{tmp_path}/pbx.db", port=first.port, more=(f"tcp:{HOST}",))
    finally:
        lab.close()
        first.kill()
    lab = Lab(second, tmp_path / "second")
    try:
        assert second.metric("b2bua_contacts", transport="tcp") == 1
        a = lab.phone("6002")
        lab.register(a)
        lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
        assert second.stop() == 0
    finally:
        lab.close()
        second.kill()


# ---- what else a connection may bring


def test_a_proper_request_is_answered_on_its_connection(raw: RawStream) -> None:
    answer = raw.answer(options(raw))
    assert answer.status == 200 and "received=" not in answer.get("Via")


def test_byte_by_byte_and_many_at_once(raw: RawStream, server: Server) -> None:
    for byte in options(raw):
        raw.send(bytes([byte]))
    assert raw.receive().status == 200
    raw.send(b"\r\n" + options(raw) + options(raw) + b"\r\n" + options(raw)[:50])
    assert [raw.receive().status for _ in range(2)] == [200, 200]


def test_a_double_crlf_is_answered_with_one(raw: RawStream) -> None:
    """RFC 5626 §4.4.1."""
    raw.send(b"\r\n\r\n")
    assert raw.bytes(2) == b"\r\n"
    assert raw.answer(options(raw)).status == 200


def test_a_message_without_content_length_is_refused_and_the_connection_closed(raw: RawStream) -> None:
    """RFC 3261 §18.3."""
    raw.send(options(raw).replace(b"Content-Length: 0\r\n", b"") + options(raw))
    answer = raw.receive()
    assert (answer.status, answer.start) == (400, "SIP/2.0 400 Missing Content-Length")
    assert raw.closed()


def test_a_body_beyond_all_measure(raw: RawStream) -> None:
    raw.send(options(raw, Content_Length="100000000"))
    assert raw.receive().status == 513
    assert raw.closed()


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", bytes(range(256)) * 400],
    ids=["HTTP", "TLS", "noise"],
)
def test_what_is_no_sip_closes_the_connection(raw: RawStream, server: Server, data: bytes) -> None:
    errors = server.metric(PARSE_ERRORS, reason="not SIP")
    raw.send(data)
    assert raw.closed()
    assert server.metric(PARSE_ERRORS, reason="not SIP") == errors + 1


def test_a_request_that_is_only_bent_keeps_its_connection(raw: RawStream) -> None:
    assert raw.answer(options(raw, To="<sip:6001@example.com")).status == 400
    assert raw.answer(options(raw)).status == 200


def test_a_reader_that_does_not_read_is_cut(server: Server, lab: Lab) -> None:
    """What waits for it is bounded, and nobody else notices."""
    slow = RawStream(server, server.next_user(), buffer=4096)
    try:
        cut = server.metric(DROPPED, reason="slow reader")
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                slow.send(options(slow, Via=f"SIP/2.0/TCP {HOST}:{slow.port};branch=z9hG4bK{slow.number()};x={'x' * 50_000}"))
        assert server.metric(DROPPED, reason="slow reader") == cut + 1
    finally:
        slow.close()
    a, b = lab.phones(2)
    lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())


def test_hundreds_of_silent_connections_do_not_shut_phones_out(server: Server, lab: Lab) -> None:
    silent = [RawStream(server, "6001") for _ in range(600)]
    try:
        (a,), (b,) = lab.phones(1, "tcp"), lab.phones(1, "tcp")
        lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
        assert server.metric(DROPPED, reason="too many connections") > 0
    finally:
        for each in silent:
            each.close()
    server.check_healthy()
