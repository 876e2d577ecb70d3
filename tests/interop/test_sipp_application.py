"""SIPp in the place of an application: a script stands in the sequence, over UDP and TCP, between caller and callee."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.script import FOLDER, Callee, Caller, Script
from tests.interop.server import Server, free_port, wait_until
from tests.interop.sipp import Phone, Sipp

HOST, APPLICATION = "127.0.0.146", "127.0.0.147"
USERS = {name: f"secret-{name}-word" for name in map(str, range(6010, 6030))}
SETTINGS = """
features = ["hold"]
link_heartbeat = 0.5
links = ["script={transport}:{ours}>{theirs}"]
origination = {origination}
termination = []
optional_applications = {optional}
application_timeout = 1
"""
MANY = 100_000
"""Calls of a SIPp that is ended: each OPTIONS is one."""


FOUND = '<ereg regexp="{}" search_in="hdr" header="Route:" occurrence="{}" check_it="true" assign_to="{}"/>'
IN_ONE_LINE = {"BEHIND_OURS": FOUND.format("&lt;[^&gt;]*&gt;, *(&lt;.*)", 1, "line,route"), "MORE_ROUTES": ""}
"""How a phone that is SIPp writes the Routes of a call."""
IN_LINES = {
    "BEHIND_OURS": FOUND.format("&lt;.*", 2, "route") + FOUND.format("&lt;.*", 3, "more"), "MORE_ROUTES": ", [$more]",
}  # fmt: skip
"""How Communication Manager does: three."""


class Application(Script):
    """The scenario in a file of its own."""

    def __init__(self, transport: str, routes: dict[str, str]) -> None:
        super().__init__("", "", "", 1)
        self._words = {"URI_PARAMETER": ";transport=tcp" if transport == "tcp" else "", **routes}

    def xml(self) -> str:
        text = (FOLDER / "application.xml").read_text()
        for word, meant in self._words.items():
            text = text.replace(word, meant)
        return text


class Stage:
    """The server and the address of its application, which a test starts."""

    def __init__(self, directory: Path, transport: str, origination: str, optional: str = "[]") -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.transport = transport
        self.routes = IN_LINES if origination.startswith('["cm"') else IN_ONE_LINE
        self.directory = directory
        self.ours = f"{HOST}:{free_port(HOST, kind)}"
        self.port = free_port(APPLICATION, kind)
        config = directory / "settings.toml"
        config.write_text(SETTINGS.format(
            transport=transport, ours=self.ours, theirs=f"{APPLICATION}:{self.port}", origination=origination, optional=optional,
        ))  # fmt: skip
        self.server = Server(directory, HOST, USERS, options=("--config", str(config)))
        self.lab = Lab(self.server, directory / "phones")

    def application(self) -> Sipp:
        """SIPp stands there, and is found."""
        phone = Phone("script", "none", APPLICATION, self.port, transport=self.transport)
        made = Sipp(self.directory / "script", self.ours, Application(self.transport, self.routes), [phone], calls=MANY)
        wait_until("it is found", lambda: self.server.metric("b2bua_entity_up", entity="script") == 1)
        return made

    def call(self) -> Sipp:
        """From one SIPp phone to another; the callee."""
        near, far = self.lab.phones(2)
        answers = Callee().ring().pause(200).accept().byed()  # SIPp in between loses what comes in one go
        _, callee = self.lab.call(near, Caller(far.user).dial().pause(200).bye(), far, answers)
        return callee


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.lab.close()
        stage.server.kill()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("origination", ['["script", "cm"]', '["cm", "script"]', '["script"]'])
def test_a_call_passes_it(stages: list[Stage], tmp_path: Path, transport: str, origination: str) -> None:
    stage = Stage(tmp_path, transport, origination)
    stages.append(stage)
    script = stage.application()
    try:
        callee = stage.call()
        assert callee.received("INVITE")[0].get("X-Application") == "SIPp"
        assert [message.method for message in (*script.received("INVITE"), *script.received("ACK"), *script.received("BYE"))] == [
            "INVITE", "ACK", "BYE",
        ]  # fmt: skip
        stage.server.check_healthy()
        assert stage.server.stop() == 0
    finally:
        script.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_without_it_where_it_is_optional(stages: list[Stage], tmp_path: Path, transport: str) -> None:
    stage = Stage(tmp_path, transport, '["script", "cm"]', '["script"]')
    stages.append(stage)
    stage.application().stop()
    wait_until("it is gone", lambda: stage.server.metric("b2bua_entity_up", entity="script") == 0)
    assert not stage.call().received("INVITE")[0].get("X-Application")
    assert stage.server.metric("b2bua_applications_skipped_total") == 1
