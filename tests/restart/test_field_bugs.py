"""What went wrong elsewhere when calls came back after a restart: FreeSWITCH's bugs, on real sockets over `kill -9`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.server import Server, free_port
from tests.interop.wire import Message, direction, tag
from tests.restart.call import Leg
from tests.restart.cells import ladder, within
from tests.restart.matrix import restarted
from tests.restart.phone import Phone, Tls

HOST = "127.0.0.91"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6004)}


class Scene:
    """Two phones in a call through a server that can be killed."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.transport = transport
        self.store = f"sqlite:{directory / 'state.db'}"
        self._options: tuple[str, ...] = ()
        tls = self._tls(directory) if transport == "tls" else None
        more = [f"tcp:{HOST}"] if transport == "tcp" else []
        self.server = Server(directory, HOST, USERS, self.store, self._options, more=more)
        port = self._port if transport == "tls" else self.server.port
        self.caller, self.callee = (Phone(user, USERS[user], (HOST, port), HOST, transport, tls) for user in ("6001", "6002"))
        self.a: Leg
        self.b: Leg

    def _tls(self, directory: Path) -> Tls:
        authority = Authority(directory)
        server, phone = authority.issue("server", HOST), authority.issue("phone", HOST)
        self._port = free_port(HOST, socket.SOCK_STREAM)
        self._options = (
            "--listen", f"tls:{HOST}:{self._port}", "--tls-cert", str(server.certificate), "--tls-key", str(server.key),
            "--tls-ca", str(authority.certificate),
        )  # fmt: skip
        client = ssl.create_default_context(cafile=str(authority.certificate))
        client.load_cert_chain(phone.certificate, phone.key)
        listener = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        listener.load_cert_chain(phone.certificate, phone.key)
        return Tls(client, listener)

    async def talk(self) -> None:
        for phone in (self.caller, self.callee):
            await phone.open()
            assert await phone.register() == 200
        self.a = self.caller.leg("6002")
        dialling = asyncio.create_task(self.a.dial())
        self.b = await within("the INVITE", self.callee.incoming.get())
        self.b.answer()
        assert await within("200", dialling) == 200

    async def restart(self) -> None:
        self.server.kill()
        self.server = await asyncio.to_thread(restarted, self.server, self.store, self._options)

    async def close(self) -> None:
        for phone in (self.caller, self.callee):
            await phone.close()
        self.server.kill()


def play(directory: Path, script: Callable[[Scene], Awaitable[None]], transport: str = "udp") -> None:
    """Run a script; a failure shows the ladder. Nothing that came in may be wrong, nor the log."""

    async def played() -> None:
        scene = Scene(directory, transport)
        try:
            await scene.talk()
            await script(scene)
            broken = scene.caller.broken + scene.callee.broken
            assert not broken, broken
            await asyncio.to_thread(scene.server.check_healthy)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{ladder((scene.caller, scene.callee))}") from None
        finally:
            await scene.close()

    asyncio.run(played())


def last(phone: Phone, method: str) -> Message:
    """The newest request of a method that came in."""
    return next(entry.message for entry in reversed(phone.record) if not entry.ours and entry.message.method == method)


async def done(asked: Awaitable[Message | int]) -> Message | int:
    answer = await within("an answer", asked)
    assert (answer if isinstance(answer, int) else answer.status) == 200, answer
    return answer


async def bye(leg: Leg, other: Leg) -> None:
    await done(leg.bye())
    await within("the BYE for the other phone", other.ended.wait())
    assert other.over == "BYE"


@pytest.mark.bug("FreeSWITCH 1141")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_freeswitch_1141_from_and_to_of_a_held_call_are_not_transposed(tmp_path: Path, transport: str) -> None:
    """Each phone is asked in its own dialog: From is the other party with the tag that it has had, To is this phone's."""

    async def script(scene: Scene) -> None:
        await done(scene.a.hold())
        await done(scene.b.hold())
        of_a, of_b = last(scene.caller, "INVITE"), last(scene.callee, "INVITE")
        await scene.restart()
        await done(scene.a.resume())
        await done(scene.b.resume())
        for phone, before, user in ((scene.caller, of_a, "6002"), (scene.callee, of_b, "6001")):
            after = last(phone, "INVITE")
            assert after is not before and f"sip:{user}@" in after.get("From")
            assert (after.call_id, after.get("From"), after.get("To")) == (before.call_id, before.get("From"), before.get("To"))
        assert last(scene.caller, "INVITE").to_tag == tag(scene.a.local)
        assert last(scene.callee, "INVITE").to_tag == tag(scene.b.local)
        await bye(scene.b, scene.a)

    play(tmp_path, script, transport)


@pytest.mark.bug("FreeSWITCH 755")
@pytest.mark.parametrize("first", ["caller", "callee"])
def test_freeswitch_755_both_legs_come_back_when_the_callee_holds(tmp_path: Path, first: str) -> None:
    async def script(scene: Scene) -> None:
        await done(scene.b.hold())
        await scene.restart()
        sides = [(scene.a, scene.b), (scene.b, scene.a)]
        for leg, other in sides if first == "caller" else reversed(sides):
            await done(leg.reinvite("recvonly" if leg is scene.a else "sendonly"))
            assert direction(other.remote_sdp) == ("recvonly" if leg is scene.a else "sendonly")
        await done(scene.b.resume())
        assert direction(scene.a.remote_sdp) == "sendrecv"
        await bye(scene.a, scene.b)

    play(tmp_path, script)


@pytest.mark.bug("FreeSWITCH 1833")
@pytest.mark.parametrize("deaths", [1, 3])
def test_freeswitch_1833_the_cseq_of_each_leg_only_rises(tmp_path: Path, deaths: int) -> None:
    """Over several deaths, too; a phone that finds a lower one answers 500 (RFC 3261 §12.2.2), as these do."""

    async def script(scene: Scene) -> None:
        await done(scene.a.hold())
        await done(scene.b.hold())
        for _ in range(deaths):
            before = scene.a.remote_cseq, scene.b.remote_cseq
            await scene.restart()
            await done(scene.a.reinvite("sendonly"))
            await done(scene.b.reinvite("sendonly"))
            assert scene.a.remote_cseq > before[0] and scene.b.remote_cseq > before[1]
        await bye(scene.a, scene.b)

    play(tmp_path, script)


@pytest.mark.bug("FreeSWITCH 2403")
@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize("holds", ["caller", "callee", "nobody"])
def test_freeswitch_2403_the_bye_of_either_side_is_forwarded(tmp_path: Path, side: str, holds: str) -> None:
    async def script(scene: Scene) -> None:
        if holds != "nobody":
            await done((scene.a if holds == "caller" else scene.b).hold())
        await scene.restart()
        await bye(*((scene.a, scene.b) if side == "caller" else (scene.b, scene.a)))
        assert await asyncio.to_thread(scene.server.metric, "b2bua_calls_active") == 0

    play(tmp_path, script)


@pytest.mark.bug("FreeSWITCH 1679")
@pytest.mark.parametrize("returns", [True, False], ids=["registers again", "only listens"])
def test_freeswitch_1679_a_call_over_tls_goes_on_over_tls(tmp_path: Path, returns: bool) -> None:
    """Its connection is gone with the server; nothing of it goes over UDP or TCP, whether the phone comes back or not."""

    async def script(scene: Scene) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((HOST, scene.callee.wire.port))
            udp.setblocking(False)
            await done(scene.a.hold())
            await scene.restart()
            if returns:
                assert await within("REGISTER", scene.callee.register()) == 200
            await done(scene.a.resume())
            assert direction(scene.b.remote_sdp) == "sendrecv"
            await bye(scene.a, scene.b)
            with pytest.raises(BlockingIOError):
                udp.recv(65535)
        hops = await asyncio.to_thread(scene.server.hops)
        assert {hop.transport for hop in hops if "CM" not in hop.way} == {"tls"}

    play(tmp_path, script, "tls")
