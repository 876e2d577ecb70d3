"""JsSIP in Chromium over WebSocket and secure WebSocket: two browsers with real WebRTC media, a browser and a UDP phone.

Not found by `make test`: `make interop` installs what it needs and names it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.browser.browser import Browser, JsSip
from tests.certificates import Authority
from tests.interop.lab import Lab
from tests.interop.matrix import record
from tests.interop.nine_steps import nine_steps
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Server, free_port, wait_until
from tests.interop.wire import lamp

HOST = "127.0.0.63"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6040)}
OVERLOAD = "b2bua_overload_rejected_total"
WAYS = [("ws", "ws"), ("wss", "wss"), ("ws", "wss")]
"""The caller's transport, the callee's."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    issued = authority.issue("server", HOST)
    ipv6 = free_port("::1", socket.SOCK_STREAM)
    options = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key), "--listen", f"ws:[::1]:{ipv6}")
    started = Server(tmp_path_factory.mktemp("server"), HOST, USERS, options=options, own_ports=("ws", "wss"))
    started.ports["ws over IPv6"] = ipv6
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture(scope="module")
def browser(server: Server, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("browser"), authority.certificate.with_name("server.pem"))
    yield made
    made.close()


@pytest.fixture
def lab(request: pytest.FixtureRequest, server: Server, browser: Browser, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(server, tmp_path)
    yield made
    made.close()
    if getattr(request.node, "failed", False):
        print(made.story(), browser.said(), sep="\n", file=sys.stderr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]  # a note for the fixture above
    return report


def url(server: Server, transport: str) -> str:
    host = "[::1]" if "IPv6" in transport else HOST
    return f"{transport.split()[0]}://{host}:{server.ports[transport]}"


def phone(server: Server, browser: Browser, transport: str) -> JsSip:
    user = server.next_user()
    return browser.phone(url(server, transport), user, USERS[user], DOMAIN)


def dial(server: Server, caller: JsSip, callee: JsSip) -> None:
    """Call until it rings there. A browser that starts takes the machine from the server for a moment, which then refuses what
    is new (480); that, and nothing else, is tried again."""
    for _ in range(5):
        refused = server.metric(OVERLOAD, what="overload")
        caller.command("call", uri=f"sip:{callee.user}@{DOMAIN}")
        caller.becomes("heard", lambda call: call.state in ("early", "failed"))
        call = caller.call
        assert call is not None
        if call.state == "early":
            break
        assert call.status == 480 and server.metric(OVERLOAD, what="overload") > refused, call
    callee.state("incoming")


def lamps(server: Server, call_id: str, user: str) -> tuple[str, str]:
    """The renderings, local and remote, that were published last for this phone."""
    hops = server.hops(f"call-id={call_id}")
    bodies = [hop.message.body for hop in hops
              if hop.message.method == "PUBLISH" and hop.message.body and f"sip:{user}@" in hop.message.uri]  # fmt: skip
    newest = lamp(bodies[-1])
    return newest.local, newest.remote


@pytest.mark.parametrize(("near", "far"), WAYS, ids=["ws", "wss", "ws-wss"])
def test_two_browsers(server: Server, browser: Browser, lab: Lab, near: str, far: str) -> None:
    """Register, call, media both ways by DTLS-SRTP, hold and resume by either, bye; the nine steps of each hold."""
    caller, callee = phone(server, browser, near), phone(server, browser, far)
    dial(server, caller, callee)
    callee.command("answer")
    for each in (caller, callee):
        each.state("confirmed")
        each.becomes("DTLS stands", lambda call: call.dtls == "connected")
        each.hears()
    call = caller.call
    assert call is not None
    for holder, held in ((caller, callee), (callee, caller)):
        assert holder.command("hold")
        held.becomes("held", lambda call: call.held)
        holder.becomes("holds", lambda call: call.holds)
        holder.hears_nothing()  # the held one's answer is recvonly; the holder itself goes on sending silence
        assert server.metric("b2bua_calls_active", state="held") == 1
        wait_until("the lamp", lambda holder=holder: lamps(server, call.call_id, holder.user)[0] == "no")  # type: ignore[misc]
        nine_steps(server.hops(f"call-id={call.call_id}"), holder.user, held.user, None, 0)
        wait_until("JsSIP may resume", lambda holder=holder: holder.command("resume"))  # type: ignore[misc]
        held.becomes("resumed", lambda call: not call.held)
        held.hears()
        holder.hears()
    callee.command("hangup")
    caller.state("ended")
    hops = server.hops(f"call-id={call.call_id}")
    for each, transport in ((caller, near), (callee, far)):
        assert {hop.transport for hop in hops if each.user in hop.way and "SM" in hop.way} == {transport}
    assert not [hop for hop in hops if hop.retransmission]
    registrations = [hop for each in (caller, callee) for hop in server.hops(f"user={each.user}") if hop.call is None]
    for each in (caller, callee):
        record([*registrations, *hops], "JsSIP 3.13 in Chromium", each.user)


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_browser_calls_a_udp_phone(server: Server, browser: Browser, lab: Lab, transport: str) -> None:
    """The phone cannot read the browser's offer (DTLS-SRTP) and says so: its 488 is what the browser hears."""
    jssip, (desk,) = phone(server, browser, transport), lab.phones(1)
    far = lab.start(Callee().ring().refuse(488), desk)
    jssip.command("call", uri=f"sip:{desk.user}@{DOMAIN}")
    jssip.state("failed")
    far.finish()
    call = jssip.call
    assert call is not None and (call.status, call.cause) == (488, "Incompatible SDP")
    (invite,) = far.received("INVITE")
    assert "UDP/TLS/RTP/SAVPF" in invite.body and "a=fingerprint:" in invite.body


def test_a_udp_phone_calls_a_browser(server: Server, browser: Browser, lab: Lab) -> None:
    """An offer of plain RTP: Chromium refuses it as it is answered, and the phone hears 488."""
    jssip, (desk,) = phone(server, browser, "ws"), lab.phones(1)
    near = lab.start(Caller(jssip.user).invite().refused(488), desk)
    jssip.state("incoming")
    jssip.command("answer")
    jssip.state("failed")
    near.finish()


def test_a_page_that_is_loaded_again(server: Server, browser: Browser, lab: Lab) -> None:
    """The tab was closed: nobody is there and nobody is tried. Loaded again it is called on its new WebSocket."""
    jssip, (desk,) = phone(server, browser, "wss"), lab.phones(1)
    there = server.metric("b2bua_flows", transport="wss")
    browser.command("close", jssip.user)
    wait_until("its connection is gone", lambda: server.metric("b2bua_flows", transport="wss") < there)
    lab.start(Caller(jssip.user).invite().refused(480), desk).finish()
    back = browser.phone(url(server, "wss"), jssip.user, USERS[jssip.user], DOMAIN)
    near = lab.start(Caller(jssip.user).invite().refused(486), desk)
    back.state("incoming")
    back.command("hangup", status_code=486)
    near.finish()


@pytest.mark.parametrize(("subprotocol", "outcome"), [("sip", "open sip"), ("xmpp", "refused"), ("", "refused")])
def test_the_subprotocol(server: Server, browser: Browser, subprotocol: str, outcome: str) -> None:
    browser.command("open", "knocking")
    for transport in ("ws", "wss"):
        assert browser.command("knock", "knocking", url=url(server, transport), subprotocol=subprotocol) == outcome
    browser.command("close", "knocking")


def test_another_certificate_is_not_taken(server: Server, browser: Browser, tmp_path: Path) -> None:
    """That the browser checks at all: a server with a key that it was not told of cannot be spoken to."""
    issued = Authority(tmp_path, "Another Authority").issue("other", HOST)
    options = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key))
    other = Server(tmp_path, HOST, USERS, options=options, own_ports=("wss",))
    try:
        browser.command("open", "knocking")
        assert browser.command("knock", "knocking", url=url(other, "wss"), subprotocol="sip") == "refused"
    finally:
        browser.command("close", "knocking")
        other.kill()


def test_over_ipv6(server: Server, browser: Browser) -> None:
    """A browser on IPv6 is called by one on IPv4; each is told our address of its own family."""
    caller, callee = phone(server, browser, "wss"), phone(server, browser, "ws over IPv6")
    dial(server, caller, callee)
    callee.command("answer")
    for each in (caller, callee):
        each.state("confirmed")
        each.hears()
    caller.command("hangup")
    callee.state("ended")
    call = caller.call
    assert call is not None
    invites = [hop.message for hop in server.hops(f"call-id={call.call_id}")
               if hop.message.method == "INVITE" and hop.destination == callee.user]  # fmt: skip
    assert f"@[::1]:{server.ports['ws over IPv6']};transport=ws;lr>" in invites[0].get("Record-Route")


def test_what_is_counted(server: Server, browser: Browser) -> None:
    made = phone(server, browser, "wss")
    assert server.metric("b2bua_contacts", transport="wss") >= 1 and server.metric("b2bua_flows", transport="wss") >= 1
    register = [hop for hop in server.hops(f"user={made.user}") if hop.message.cseq_method == "REGISTER"][-1]
    assert register.transport == "wss" and register.message.status == 200
    assert register.message.get("Require") == "outbound" and ".invalid;transport=ws>" in register.message.get("Contact")
