"""Phones over TCP and UDP, IPv4 and IPv6, and whoever else finds the TCP port."""

from __future__ import annotations

import pytest

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller

HOST = "127.0.0.55"
LISTEN = ("tcp:127.0.0.55", "udp:[::1]", "tcp:[::1]")


@pytest.mark.parametrize(("near", "far"), [("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")])
def test_hold_by_either_party(lab: Lab, near: str, far: str) -> None:
    """Both hold and resume in one call; a callee over TCP is reached at its Contact, its REGISTER's connection is closed."""
    (a,), (b,) = lab.phones(1, near), lab.phones(1, far)
    caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv")
    caller.reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").pause(200).bye()
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv")
    callee.reinvite("sendonly").reinvite("sendrecv").byed()
    lab.call(a, caller, b, callee)
    hops = lab.server.hops(f"user={a.user}")
    assert hops
    lab.server.check_healthy()
