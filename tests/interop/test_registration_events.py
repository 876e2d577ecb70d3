"""A SIPp watches the registrations of its own user (`reg`, RFC 3680) while a baresip of that user comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.script import Caller
from tests.interop.server import Server, wait_until
from tests.schema_check import check_documents

HOST = "127.0.0.103"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    server = Server(tmp_path, HOST, {"6001": "one"})
    made = Lab(server, tmp_path / "lab")
    made.directory.mkdir()
    yield made
    made.close()
    server.kill()


def test_a_phone_that_comes_and_goes(lab: Lab, tmp_path: Path) -> None:
    watcher = lab.phone("6001")
    script = Caller("6001").subscribe(200, "reg", "Accept: application/reginfo+xml").answer_notifies()
    watch = lab.start(script, watcher)

    def told() -> list[str]:
        return [message.body for message in watch.received("NOTIFY")]

    wait_until("first document", lambda: bool(told()))
    assert 'state="full"' in told()[0] and 'state="init"' in told()[0]
    phone = Baresip(tmp_path / "phone", lab.server.address, "6001", "one", HOST)
    try:
        phone.registered()
        wait_until("registered", lambda: 'event="registered"' in told()[-1], 15)
        phone.leave()
        wait_until("unregistered", lambda: 'event="unregistered"' in told()[-1], 15)
    finally:
        phone.close()
    assert 'state="partial"' in told()[-1] and 'state="terminated"' in told()[-1]
    check_documents((body.encode() for body in told()), "reginfo.rng", tmp_path)
