"""JsSIP in Chromium transfers, is transferred and is transferred to: blind and attended.

Media flow between the browsers themselves (DTLS-SRTP), without a relay: after the transfer the two who are left hear each other.
Not found by `make test`: `make interop` installs what it needs and names it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser, JsSip
from tests.certificates import Authority
from tests.interop.server import DOMAIN, Server, wait_until

HOST = "127.0.0.148"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6040)}
OVERLOAD = "b2bua_overload_rejected_total"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    issued = authority.issue("server", HOST)
    options = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key))
    started = Server(tmp_path_factory.mktemp("server"), HOST, USERS, options=options, own_ports=("ws", "wss"))
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
def phones(server: Server, browser: Browser) -> Iterator[tuple[JsSip, JsSip, JsSip]]:
    """The transferor, the one who is transferred, and the target."""
    found = [_phone(server, browser) for _ in range(3)]
    yield found[0], found[1], found[2]
    for each in found:
        browser.command("close", each.user)
    wait_until("no call is left", lambda: server.metric("b2bua_calls_active") == 0, 60)


def _phone(server: Server, browser: Browser) -> JsSip:
    user = server.next_user()
    return browser.phone(f"wss://{HOST}:{server.ports['wss']}", user, USERS[user], DOMAIN)


def dial(server: Server, caller: JsSip, callee: JsSip) -> None:
    """Call until it rings there; what a server refuses that has no time (480), and nothing else, is tried again."""
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


def talk(server: Server, caller: JsSip, callee: JsSip) -> None:
    dial(server, caller, callee)
    callee.command("answer")
    hear_each_other(caller, callee)


def hear_each_other(*two: JsSip) -> None:
    for each in two:
        each.state("confirmed")
    for each in two:
        each.becomes("DTLS stands", lambda call: call.dtls == "connected")
        each.hears()


def refer(phone: JsSip, target: JsSip, other: int | None = None) -> None:
    """The REFER in its first session, with Replaces of another one."""
    phone.command("refer", number=0, target=f"sip:{target.user}@{DOMAIN}", other=other)


def told(phone: JsSip, *words: str) -> None:
    wait_until("told what came of it", lambda: phone.command("transfers") == list(words), 20)


def is_out(phone: JsSip) -> None:
    """None of its calls stands."""
    wait_until(f"{phone.user} is out", lambda: set(phone.command("states")) <= {"ended", "failed"}, 20)


def alone(server: Server, *two: JsSip) -> None:
    """One call stands, and it is that of these two."""
    wait_until("one call stands", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
    hear_each_other(*two)
    two[0].command("hangup")
    two[1].state("ended")


@pytest.mark.parametrize("calls", [True, False], ids=["calls", "is-called"])
def test_blind(server: Server, phones: tuple[JsSip, JsSip, JsSip], calls: bool) -> None:
    a, b, c = phones
    talk(server, *((a, b) if calls else (b, a)))
    refer(a, c)
    c.state("incoming")
    c.command("answer")
    told(a, "accepted 200")
    is_out(a)
    alone(server, b, c)


def test_blind_to_who_is_busy(server: Server, phones: tuple[JsSip, JsSip, JsSip]) -> None:
    """The transferor hears 486, and its call goes on."""
    a, b, c = phones
    talk(server, a, b)
    refer(a, c)
    c.state("incoming")
    c.command("hangup", status_code=486)
    told(a, "failed 486")
    hear_each_other(a, b)
    a.command("hangup")
    b.state("ended")


@pytest.mark.parametrize("calls", [True, False], ids=["calls", "is-called"])
def test_attended(server: Server, phones: tuple[JsSip, JsSip, JsSip], calls: bool) -> None:
    a, b, c = phones
    talk(server, *((a, b) if calls else (b, a)))
    assert a.command("hold")
    b.becomes("held", lambda call: call.held)
    talk(server, a, c)
    refer(a, c, 1)
    told(a, "accepted 200")
    is_out(a)
    alone(server, b, c)


def test_attended_while_the_second_call_rings(server: Server, phones: tuple[JsSip, JsSip, JsSip]) -> None:
    """JsSIP 3.13 writes `to-tag=null` for a call that is not answered: 481, and both its calls are what they were."""
    a, b, c = phones
    talk(server, a, b)
    assert a.command("hold")
    b.becomes("held", lambda call: call.held)
    dial(server, a, c)
    refer(a, c, 1)
    told(a, "failed 481")
    c.command("answer")
    hear_each_other(a, c)
    assert a.command("states") == ["confirmed", "confirmed"]
