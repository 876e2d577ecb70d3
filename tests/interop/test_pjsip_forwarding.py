"""Forwarding, do not disturb and find-me at phones that somebody else wrote: dialled codes, what they show, who is heard."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import USERS
from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.server import DOMAIN, STOP_SECONDS, Server, command, environment, wait_until

HOST = "127.0.0.132"
SETTINGS = """
features = ["do_not_disturb", "forwarding", "find_me", "hold", "lamps"]
user_defaults = { forward_no_answer_seconds = "3", find_me_seconds = "3" }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a store that `b2bua user set` writes to."""
    directory = tmp_path_factory.mktemp("server")
    (directory / "settings.toml").write_text(SETTINGS)
    started = start(directory)
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


def start(directory: Path, port: int = 0) -> Server:
    store, options = f"sqlite:{directory / 'b2bua.db'}", ("--config", str(directory / "settings.toml"))
    return Server(directory, HOST, USERS, store, options, port, more=(f"tcp:{HOST}",))


@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("phones"), HOST, stack)


def dial_code(phone: Pjsip, digits: str, shown: str) -> None:
    """The phone shows what came of it."""
    phone.dial(digits)
    phone.state("disconnected")
    assert (phone.call.status, phone.call.reason) == (480, shown)


def settings(server: Server, *words: str) -> None:
    """`b2bua user set|unset …` beside the running server."""
    where = ("--store", f"sqlite:{server.directory / 'b2bua.db'}", "--domain", DOMAIN)
    subprocess.run(command("user", *words, *where), env=environment(), check=True, timeout=20, capture_output=True)


def talk_and_end(caller: Pjsip, callee: Pjsip, server: Server) -> None:
    caller.state("confirmed")
    callee.state("confirmed")
    caller.hears()
    callee.hears()
    caller.command("hold")
    callee.media("remote hold")
    caller.command("hangup")
    callee.state("disconnected")
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)


def test_unconditional(phones: Phones, server: Server) -> None:
    caller, away, there = phones.new_pjsip("udp"), phones.new_pjsip("udp"), phones.new_pjsip("tcp")
    dial_code(away, f"*72{there.user}", f"Forwarding To {there.user}")
    number = len(away.calls())
    caller.dial(away.user)
    there.state("early")
    caller.state("early")
    there.command("answer")
    talk_and_end(caller, there, server)
    assert len(away.calls()) == number
    dial_code(away, "*73", "Forwarding Off")
    caller.dial(away.user)
    away.state("early")
    away.command("answer")
    talk_and_end(caller, away, server)


def test_no_answer(phones: Phones, server: Server) -> None:
    """PJSIP rings first, baresip takes the call, and is cancelled when the caller has enough."""
    caller, silent, there = phones.new_pjsip("tcp"), phones.new_pjsip("udp"), phones.new_baresip("udp")
    dial_code(silent, f"*92{there.user}", f"Forwarding To {there.user}")
    caller.dial(silent.user)
    silent.state("early")
    there.expect("CALL_INCOMING")
    silent.state("disconnected")
    assert silent.call.status == 487
    there.command("accept")
    caller.state("confirmed")
    caller.hears()
    wait_until("baresip hears", there.hears)
    caller.command("hangup")
    there.expect("CALL_CLOSED")
    caller.dial(silent.user)
    there.expect("CALL_INCOMING")
    caller.command("hangup")
    there.expect("CALL_CLOSED")
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)


def test_busy_and_do_not_disturb(phones: Phones, server: Server) -> None:
    """baresip says 486 itself; then CM says it in baresip's place, and the call is forwarded all the same."""
    caller, busy, there = phones.new_pjsip("udp"), phones.new_baresip("tcp"), phones.new_pjsip("udp")
    settings(server, "set", busy.user, "forward_busy", there.user)
    wait_until("the server knows", lambda: dials_to(caller, busy.user, there, lambda: refuse(busy)))
    talk_and_end(caller, there, server)
    settings(server, "set", busy.user, "do_not_disturb", "on")
    wait_until("the server knows", lambda: dials_to(caller, busy.user, there, lambda: None))
    talk_and_end(caller, there, server)
    settings(server, "unset", busy.user, "forward_busy")

    def is_told() -> bool:
        caller.dial(busy.user)
        caller.becomes("an answer", lambda call: call.state in ("disconnected", "early"))
        told = caller.call.status == 486
        caller.clear()
        return told

    wait_until("the caller is told", is_told)


def dials_to(caller: Pjsip, user: str, there: Pjsip, first: Callable[[], None]) -> bool:
    """Whether a call to this user comes to that phone, which answers; `first` is what happens before."""
    number = len(there.calls())
    caller.dial(user)
    first()
    caller.becomes("rings or ends", lambda call: call.state in ("early", "disconnected"))
    if len(there.calls()) == number:
        caller.clear()
        return False
    there.command("answer")
    return True


def refuse(phone: Baresip) -> None:
    phone.expect("CALL_INCOMING")
    phone.command("hangup")
    phone.expect("CALL_CLOSED")


def test_find_me_at_once(phones: Phones, server: Server) -> None:
    """Three phones ring; the one that is picked up has the call, the others stop and count no missed call."""
    caller, one, two, three = phones.new_pjsip("udp"), phones.new_pjsip("udp"), phones.new_baresip("udp"), phones.new_pjsip("tcp")
    dial_code(one, f"*38{two.user}*{three.user}", f"Find-Me: {two.user} {three.user}")
    caller.dial(one.user)
    one.state("early")
    two.expect("CALL_INCOMING")
    three.state("early")
    three.command("answer")
    caller.state("confirmed")
    one.state("disconnected")
    assert one.call.status == 487
    two.expect("CALL_CLOSED")
    hops = server.hops(f"call-id={caller.call.call_id}")
    cancels = [hop.message for hop in hops if hop.source == "SM" and hop.message.method == "CANCEL" and hop.destination != "CM"]
    assert [cancel.get("Reason") for cancel in cancels] == ['SIP;cause=200;text="Call completed elsewhere"'] * 2
    talk_and_end(caller, three, server)
    caller.dial(one.user)
    two.expect("CALL_INCOMING")
    two.command("accept")
    caller.state("confirmed")
    caller.hears()
    three.state("disconnected")
    caller.command("hangup")
    two.expect("CALL_CLOSED")
    dial_code(one, "*39", "Find-Me Off")


def test_find_me_in_turn(phones: Phones, server: Server) -> None:
    caller, one, two = phones.new_pjsip("tcp"), phones.new_pjsip("udp"), phones.new_pjsip("udp")
    dial_code(one, f"*37{two.user}", f"Find-Me: {two.user}")
    caller.dial(one.user)
    one.state("early")
    two.state("early")
    one.state("disconnected")
    two.command("answer")
    talk_and_end(caller, two, server)


def test_it_survives_kill_9(tmp_path: Path) -> None:
    """What is switched on, and whoever rings while the server dies."""
    (tmp_path / "settings.toml").write_text(SETTINGS)
    server = start(tmp_path)
    with ExitStack() as stack:
        phones = Phones(server, tmp_path, HOST, stack)
        caller, away, there, other = (phones.new_pjsip("udp") for _ in range(4))
        dial_code(away, f"*72{there.user}", f"Forwarding To {there.user}")
        dial_code(there, f"*38{other.user}", f"Find-Me: {other.user}")
        caller.dial(away.user)
        there.state("early")
        other.state("early")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(STOP_SECONDS)
        server = start(tmp_path, server.port)
        stack.callback(server.kill)
        for phone in (there, other, caller):
            phone.state("disconnected")
        assert (there.call.status, other.call.status, caller.call.status) == (487, 487, 480)
        caller.dial(away.user)
        other.becomes("rings again", lambda call: call.state == "early")
        other.command("answer")
        talk_and_end(caller, other, server)
        server.check_healthy()
