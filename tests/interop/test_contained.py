"""Features that raise, block and never come back, in the real process: their calls fail, everybody else's go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.conftest import USERS
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, wait_until

HOST = "127.0.0.95"

ROUGH = '''
"""What a call to whom does: 6090 raises, 6091 never comes back, 6092 waits for the system, 6093 takes half a second,
6094 catches whatever ends it, 6095 lets
no other thread run."""

import re
import time

from b2bua.feature_server.feature import Feature

SPUN = []


class Rough(Feature):
    def call_offered(self, call, invite):
        callee = call.callee.party.partition("@")[0]
        if callee == "sip:6090":
            raise KeyError("oh")
        while callee == "sip:6091":
            SPUN[:] = [len(SPUN)]
        if callee == "sip:6092":
            time.sleep(3600)
        while callee == "sip:6094":
            try:
                time.sleep(3600)
            except BaseException:
                SPUN.append(callee)
        if callee == "sip:6095":
            re.match("(a+)+$", "a" * 40 + "b")
        if callee == "sip:6093":
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                pass
        return invite
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "features").mkdir()
    (folder / "features" / "rough.py").write_text(ROUGH)
    (folder / "lab.toml").write_text(
        'feature_directory = "features"\nfeatures = ["rough", "hold", "lamps"]\nfeature_seconds = 1.0\n'
    )
    made = Server(folder, HOST, USERS, options=("--config", "lab.toml"))
    try:
        yield made
        assert made.stop() == 0
    finally:
        made.kill()


def errors(server: Server, what: str) -> float:
    return server.metric("b2bua_feature_errors_total", feature="rough", what=what)


def a_call_passes(lab: Lab) -> None:
    alice, bob = lab.phones(2)
    lab.call(alice, Caller(bob.user).dial().bye(), bob, Callee().ring().accept().byed())


def test_who_raises_is_named(server: Server, lab: Lab) -> None:
    (alice,) = lab.phones(1)
    lab.start(Caller("6090").invite().refused(500), alice).finish()
    assert errors(server, "raised") == 1
    [line] = [line for line in server.log_text().splitlines() if "internal_error" in line]
    assert "feature=rough" in line
    assert "KeyError: 'oh'" in server.log_text()
    a_call_passes(lab)


@pytest.mark.parametrize("callee", ["6091", "6092", "6094"])
def test_who_does_not_come_back_is_ended(server: Server, lab: Lab, callee: str) -> None:
    """One spins, one sleeps in the system, one catches what is to end it: the caller gets 500, and the next call passes."""
    (alice,) = lab.phones(1)
    before = errors(server, "ended")
    lab.start(Caller(callee).invite().refused(500), alice).finish()
    wait_until("counted", lambda: errors(server, "ended") == before + 1)
    log = server.log_text()
    assert "feature_blocks " in log and "HookTooLong: rough was at " in log
    assert f"{server.directory}/features/rough.py" in log or "features/rough.py" in log
    a_call_passes(lab)


def test_who_lets_no_other_thread_run_is_ended(server: Server, lab: Lab) -> None:
    (alice,) = lab.phones(1)
    before = errors(server, "ended")
    lab.start(Caller("6095").invite().refused(500), alice).finish()
    wait_until("counted", lambda: errors(server, "ended") == before + 1)
    a_call_passes(lab)


def test_who_is_slow_is_told_and_not_ended(server: Server, lab: Lab) -> None:
    (alice,) = lab.phones(1)
    ended = errors(server, "ended")
    lab.start(Caller("6093").invite().refused(480), alice).finish()  # nobody is registered there
    wait_until("counted", lambda: errors(server, "blocked") == 1)
    assert errors(server, "ended") == ended
    assert "feature_blocked " in server.log_text()
