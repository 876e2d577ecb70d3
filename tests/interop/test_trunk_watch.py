"""Kamailio as a trunk that is watched, by UDP, TCP and TLS: seen in metrics, trace and log while it lives and when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.server import wait_until
from tests.interop.test_kamailio import Trunk


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_trunk_that_dies_is_noticed(tmp_path: Path, transport: str) -> None:
    made = Trunk(tmp_path, transport, more="watch = 1")
    try:
        server = made.server
        wait_until("an answer", lambda: server.metric("b2bua_entity_rtt_seconds", entity="carrier") > 0)
        assert server.metric("b2bua_entity_up", entity="carrier") == 1
        asked = [hop for hop in server.hops() if hop.message.method == "OPTIONS" and hop.transport == transport]
        assert asked and asked[0].message.uri == f"sip:sip.example.net;transport={transport}"
        made.kamailio.stop()
        wait_until("its death seen", lambda: server.metric("b2bua_entity_up", entity="carrier") == 0)
        assert "trunk_lost entity=carrier" in server.log_text()
        server.check_healthy()
    finally:
        made.close()
