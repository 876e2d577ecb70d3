"""A browser and a plain RTP phone through rtpengine: DTLS-SRTP and ICE on one side, RTP/AVP on the other, both hear each other.

Not found by `make test`: `make interop` installs what it needs and names it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.browser.browser import Browser, JsSip
from tests.certificates import Authority
from tests.interop.baresip import Baresip
from tests.interop.rtpengine import Rtpengine
from tests.interop.server import DOMAIN, Server, command, environment, wait_until

HOST = "127.0.0.64"
RELAY = "127.0.0.65"
USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6005)}
BROWSER, DESK = "6001", "6002"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    made = Rtpengine(tmp_path_factory.mktemp("relay") / "rtpengine", RELAY)
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(relay: Rtpengine, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    issued, store = authority.issue("server", HOST), f"sqlite:{folder / 'pbx.db'}"
    (folder / "pbx.toml").write_text(
        'features = ["echo_test", "hold", "music_on_hold", "lamps", "media_relay"]\nmedia_ports = "0-0"\n'
        'user_defaults = { music_on_hold = "tone:700" }\n'
        f'rtpengine = "{relay.address}"\ntls_cert = "{issued.certificate}"\ntls_key = "{issued.key}"\n'
    )
    options = ("--config", str(folder / "pbx.toml"))
    started = Server(folder, HOST, USERS, store, options=options, own_ports=("ws", "wss"))
    try:
        setting = ("user", "set", BROWSER, "media", "webrtc", "--store", store, "--domain", DOMAIN)
        subprocess.run(command(*setting, *options), cwd=folder, env=environment(), check=True, timeout=20)
        wait_until("rtpengine known", lambda: started.metric("b2bua_entity_up", entity="rtpengine") == 1)
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


@pytest.fixture(scope="module")
def jssip(server: Server, browser: Browser) -> JsSip:
    return browser.phone(f"wss://{HOST}:{server.ports['wss']}", BROWSER, USERS[BROWSER], DOMAIN)


@pytest.fixture
def desk(server: Server, tmp_path: Path) -> Iterator[Baresip]:
    made = Baresip(tmp_path / "baresip", server.address, DESK, USERS[DESK], HOST)
    try:
        made.registered()
        yield made
    finally:
        made.close()


def both_hear(jssip: JsSip, desk: Baresip, relay: Rtpengine) -> None:
    jssip.becomes("DTLS stands", lambda call: call.dtls == "connected")
    jssip.hears()
    wait_until("the desk phone hears", desk.hears)
    (call,) = relay.calls()
    wait_until("packets both ways", lambda: min(relay.relayed(call)) > 50)


def packets(jssip: JsSip) -> int:
    """That it has received."""
    call = jssip.call
    assert call is not None
    return call.received


def ends(server: Server, relay: Rtpengine) -> None:
    wait_until("the call is over", lambda: server.metric("b2bua_calls_active") == 0)
    wait_until("it has forgotten the call", lambda: not relay.calls())


def test_a_browser_calls_a_plain_phone(server: Server, relay: Rtpengine, jssip: JsSip, desk: Baresip) -> None:
    jssip.command("call", uri=f"sip:{DESK}@{DOMAIN}")
    desk.expect("CALL_INCOMING")
    desk.command("accept")
    jssip.state("confirmed")
    both_hear(jssip, desk, relay)
    assert jssip.command("hold")
    jssip.becomes("holds", lambda call: call.holds)
    wait_until("the hold", lambda: server.metric("b2bua_calls_active", state="held") == 1)
    jssip.hears_nothing()
    wait_until("JsSIP may resume", lambda: jssip.command("resume"))
    jssip.becomes("resumed", lambda call: not call.holds)
    jssip.hears()
    music = partial(server.metric, "b2bua_reinvites_total", kind="media", result="ok")
    before = music()
    desk.command("hold")
    jssip.becomes("held", lambda call: call.held)
    wait_until("the browser is asked to listen", lambda: music() > before)
    heard = packets(jssip)
    jssip.becomes("50 packets of music", lambda call: call.received > heard + 50)
    desk.command("resume")
    jssip.becomes("resumed", lambda call: not call.held)
    jssip.hears()
    jssip.command("hangup")
    desk.expect("CALL_CLOSED")
    ends(server, relay)


def test_a_plain_phone_calls_a_browser(server: Server, relay: Rtpengine, jssip: JsSip, desk: Baresip) -> None:
    wait_until("the setting is known", lambda: offered_to_browser(server, jssip, desk))
    jssip.command("answer")
    jssip.state("confirmed")
    both_hear(jssip, desk, relay)
    desk.command("hangup")
    jssip.state("ended")
    ends(server, relay)


def offered_to_browser(server: Server, jssip: JsSip, desk: Baresip) -> bool:
    """Call until the browser is offered what it can speak: a setting of another process is known after a second."""
    desk.dial(BROWSER)
    jssip.state("incoming")
    hops = [hop for hop in server.hops(f"user={BROWSER}") if hop.destination == BROWSER and hop.message.method == "INVITE"]
    if "UDP/TLS/RTP/SAVPF" in hops[-1].message.body and "a=fingerprint:" in hops[-1].message.body:
        return True
    desk.command("hangup")
    desk.expect("CALL_CLOSED")
    return False


def test_a_browser_hears_its_echo(server: Server, relay: Rtpengine, jssip: JsSip) -> None:
    jssip.command("call", uri=f"sip:*43@{DOMAIN}")
    jssip.state("confirmed")
    jssip.becomes("DTLS stands", lambda call: call.dtls == "connected")
    jssip.hears()
    jssip.becomes("50 packets", lambda call: call.received >= 50)
    jssip.command("hangup")
    ends(server, relay)
